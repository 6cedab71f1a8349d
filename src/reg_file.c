#include "reg_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


int
reg_file_write(const reg_sys_t *sys, int fd, reg_str_t data, int64_t offset,
    const char *path, reg_error_t *err)
{
    const char  *p = data.data;
    size_t       len = data.len;

    while (len > 0) {
        ssize_t  n = sys->pwrite(fd, p, len, (off_t) offset);

        if (n == -1) {
            if (errno == EINTR) {
                continue;
            }

            return reg_error_sys(err, errno, REG_UNKNOWN, "write", path);
        }

        p += n;
        len -= (size_t) n;
        offset += n;
    }

    return 0;
}


int
reg_file_sync(const reg_sys_t *sys, int fd, const char *path, reg_error_t *err)
{
    int  rc;

    /* only EINTR is tried again: after any other failure the kernel may have
     * dropped the pages, and a second fsync would lie */
    do {
        rc = sys->fsync(fd);
    } while (rc == -1 && errno == EINTR);

    return rc == 0 ? 0 : reg_error_sync(err, errno, "fsync", path);
}


int
reg_file_open_same(reg_store_t *store, const char *path, reg_str_t content)
{
    struct stat  st;
    char         chunk[4096];
    size_t       done = 0;
    int          fd;

    fd = store->sys->open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd == -1) {
        return -1;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)
        || (size_t) st.st_size != content.len)
    {
        (void) close(fd);
        return -1;
    }

    while (done < content.len) {
        ssize_t  n = pread(fd, chunk, sizeof(chunk), (off_t) done);

        if (n <= 0 || (size_t) n > content.len - done
            || memcmp(chunk, content.data + done, (size_t) n) != 0)
        {
            (void) close(fd);
            return -1;
        }

        done += (size_t) n;
    }

    return fd;
}


/* Makes tmp, which is to become path, with mode and owner of like. */
static int
reg_file_create_like(const reg_sys_t *sys, const char *tmp,
    const struct stat *like, reg_error_t *err)
{
    int  fd;

    (void) sys->unlink(tmp);                     /* what a crash left behind */
    fd = sys->open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "create", tmp);
    }

    /* the owner first: a change of it may take bits off the mode */
    if (fchown(fd, like->st_uid, like->st_gid) == -1
        || fchmod(fd, like->st_mode & 07777) == -1)
    {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "keep the owner of",
                             tmp);
        (void) close(fd);
        (void) sys->unlink(tmp);
        return -1;
    }

    return fd;
}


static int
reg_file_sync_parent(const reg_sys_t *sys, const char *path,
    reg_error_t *err)
{
    reg_path_t  dir;
    int         fd, rc;

    dir.len = strlen(path);
    memcpy(dir.text, path, dir.len + 1);
    reg_path_parent(&dir);

    fd = sys->open(dir.text, O_RDONLY | O_DIRECTORY, 0);

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", dir.text);
    }

    rc = reg_file_sync(sys, fd, dir.text, err);
    (void) close(fd);

    return rc;
}


int
reg_file_replace(const reg_sys_t *sys, const char *path,
    const struct stat *like, reg_str_t content, reg_error_t *err)
{
    int   fd, rc, n;
    char  tmp[REG_PATH_MAX];

    n = snprintf(tmp, sizeof(tmp), "%s.new", path);

    if (path[0] != '/' || n < 0 || (size_t) n >= sizeof(tmp)) {
        return reg_error_sys(err, ENAMETOOLONG, REG_UNKNOWN, "replace", path);
    }

    fd = reg_file_create_like(sys, tmp, like, err);

    if (fd == -1) {
        return -1;
    }

    rc = reg_file_write(sys, fd, content, 0, tmp, err) == -1
         || reg_file_sync(sys, fd, tmp, err) == -1 ? -1 : 0;

    (void) close(fd);                            /* was synced */

    if (rc == 0 && sys->rename(tmp, path) == -1) {
        rc = reg_error_sys(err, errno, REG_UNKNOWN, "rename", path);
    }

    if (rc == -1) {
        (void) sys->unlink(tmp);                 /* else litter, used again */
        return -1;
    }

    return reg_file_sync_parent(sys, path, err);
}
