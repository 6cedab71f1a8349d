#include "reg_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


int
reg_dir_open(reg_store_t *store, const char *path)
{
    return store->sys->open(path, O_RDONLY | O_DIRECTORY, 0);
}


/* Makes dir and its parents, which are no shorter than top: upwards to what
 * exists, then down again.  1: dir is new; 0: it was there. */
static int
reg_dir_climb_to(reg_store_t *store, size_t top, const reg_path_t *dir,
    reg_error_t *err)
{
    reg_path_t  path = *dir;
    size_t      depth = 0;
    int         rc;

    /* a link that leads nowhere both exists and does not */
    for (size_t steps = 0; steps < REG_PATH_MAX; steps++) {
        rc = store->sys->mkdir(path.text, REG_DIR_MODE);

        if (rc == 0 || errno == EEXIST) {
            if (depth == 0) {
                return rc == 0;
            }

            depth--;
            path.text[path.len] = '/';
            path.len += strlen(path.text + path.len);
            continue;
        }

        if (errno != ENOENT || path.len <= top) {
            return reg_error_sys(err, errno, REG_UNAVAILABLE, "mkdir",
                                 path.text);
        }

        reg_path_parent(&path);
        depth++;
    }

    return reg_error_sys(err, EIO, REG_UNKNOWN, "mkdir", dir->text);
}


/* The tree is made once, when it is opened: where it has gone since, a disk may
 * not be mounted. */
int
reg_dir_make(reg_store_t *store, const reg_path_t *dir, reg_error_t *err)
{
    return reg_dir_climb_to(store, store->v2.len + 1, dir, err);
}


int
reg_dir_make_top(reg_store_t *store, reg_error_t *err)
{
    return reg_dir_climb_to(store, 2, &store->v2, err) == -1 ? -1 : 0;
}


/* Opens dir, making it and its parents if need be. */
int
reg_dir_need(reg_store_t *store, const reg_path_t *dir, reg_error_t *err)
{
    int  fd = reg_dir_open(store, dir->text);

    if (fd != -1 || errno != ENOENT) {
        return fd != -1 ? fd : reg_error_sys(err, errno, REG_UNKNOWN, "open",
                                             dir->text);
    }

    if (reg_dir_make(store, dir, err) == -1) {
        return -1;
    }

    fd = reg_dir_open(store, dir->text);

    return fd != -1 ? fd : reg_error_sys(err, errno, REG_UNKNOWN, "open",
                                         dir->text);
}


int
reg_dir_mkdir(reg_store_t *store, const reg_path_t *dir, reg_error_t *err)
{
    int  fd = reg_dir_need(store, dir, err);

    if (fd == -1) {
        return -1;
    }

    (void) close(fd);
    return 0;
}
