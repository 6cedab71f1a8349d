#include "reg_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <unistd.h>

#include "reg_file.h"
#include "reg_reread.h"


#define REG_EDIT_MODE  0640


/* A new file, with the group of its directory: often the one of who reads it.
 * Best effort: the owner may be somebody who must not give files away. */
static void
reg_edit_give(int fd, const char *path)
{
    struct stat  st;
    reg_path_t   dir;

    dir.len = (size_t) snprintf(dir.text, sizeof(dir.text), "%s", path);

    if (dir.len < sizeof(dir.text)) {
        reg_path_parent(&dir);

        if (stat(dir.text, &st) == 0 && fchown(fd, (uid_t) -1, st.st_gid) == 0)
        {
            (void) fchmod(fd, REG_EDIT_MODE);
        }
    }
}


/* Opens what path leads to, making it if need be.  -1 with errno. */
static int
reg_edit_open(reg_edit_t *edit, const char *path)
{
    char  whole[PATH_MAX];
    int   fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    REG_EDIT_MODE);

    if (fd != -1) {
        reg_edit_give(fd, path);
        (void) close(fd);                        /* nothing was written */

    } else if (errno != EEXIST) {
        return -1;
    }

    if (realpath(path, whole) == NULL) {
        return -1;
    }

    if (reg_str_copy(edit->path, sizeof(edit->path), reg_str_from(whole))
        == -1)
    {
        errno = ENAMETOOLONG;
        return -1;
    }

    return open(edit->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}


/* Locks the file that has the name when the lock is ours: who held it before
 * has put another one in its place.  -1 with errno. */
static int
reg_edit_lock(reg_edit_t *edit, const char *path)
{
    struct stat  named;

    for ( ;; ) {
        edit->fd = reg_edit_open(edit, path);

        if (edit->fd == -1) {
            return -1;
        }

        while (flock(edit->fd, LOCK_EX) == -1) {
            if (errno != EINTR) {
                return -1;
            }
        }

        if (fstat(edit->fd, &edit->st) == -1) {
            return -1;
        }

        if (stat(edit->path, &named) == 0 && named.st_ino == edit->st.st_ino
            && named.st_dev == edit->st.st_dev)
        {
            return 0;
        }

        (void) close(edit->fd);
        edit->fd = -1;
    }
}


int
reg_edit_begin(reg_edit_t *edit, const char *path, size_t max,
    reg_error_t *err)
{
    int  sys;

    edit->fd = -1;
    edit->text = (reg_buf_t) REG_BUF_INIT;

    if (reg_edit_lock(edit, path) == -1) {
        sys = errno;
    } else if (!S_ISREG(edit->st.st_mode)) {
        sys = EINVAL;
    } else {
        sys = reg_reread_load(edit->fd, max, &edit->text);
    }

    if (sys != 0) {
        reg_edit_end(edit);
        return reg_error_sys(err, sys, REG_UNKNOWN, "edit", path);
    }

    return 0;
}


reg_str_t
reg_edit_text(const reg_edit_t *edit)
{
    return reg_buf_str(&edit->text);
}


int
reg_edit_commit(reg_edit_t *edit, reg_str_t text, reg_error_t *err)
{
    return reg_file_replace(&reg_sys_kernel, edit->path, &edit->st, text,
                            err);
}


void
reg_edit_end(reg_edit_t *edit)
{
    if (edit->fd != -1) {
        (void) close(edit->fd);                  /* the lock goes with it */
        edit->fd = -1;
    }

    if (edit->text.data != NULL) {
        explicit_bzero(edit->text.data, edit->text.len);
    }

    reg_buf_free(&edit->text);
}
