#include "reg_store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "reg_clock.h"
#include "reg_dir.h"
#include "reg_sync.h"
#include "reg_tmp.h"


static int
reg_sys_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags | O_CLOEXEC, mode);
}


/* A file system that an error has made read-only syncs nothing, and before
 * Linux 6.13 syncfs(2) says that all went well. */
static int
reg_sys_syncfs(int fd)
{
    struct statvfs  vfs;

    if (syncfs(fd) == -1 || fstatvfs(fd, &vfs) == -1) {
        return -1;
    }

    if ((vfs.f_flag & ST_RDONLY) != 0) {
        errno = EROFS;
        return -1;
    }

    return 0;
}


const reg_sys_t  reg_sys_kernel = {
    .open = reg_sys_open,
    .pwrite = pwrite,
    .fsync = fsync,
    .fdatasync = fdatasync,
    .syncfs = reg_sys_syncfs,
    .mkdir = mkdir,
    .link = link,
    .rename = rename,
    .unlink = unlink,
    .rmdir = rmdir,
};


int
reg_store_init(reg_store_t *store, reg_str_t root, reg_error_t *err)
{
    memset(store, 0, sizeof(*store));
    store->sys = &reg_sys_kernel;
    store->sync_fd = -1;
    (void) pthread_mutex_init(&store->sync_lock, NULL);    /* cannot fail */
    reg_clock_cond(&store->sync_done);
    (void) pthread_mutex_init(&store->guest_lock, NULL);
    reg_clock_cond(&store->guest_wake);

    while (root.len > 1 && root.data[root.len - 1] == '/') {
        root.len--;
    }

    if (root.len == 0 || root.data[0] != '/'
        || root.len > REG_ROOT_MAX - sizeof("/docker/registry/v2"))
    {
        return reg_error_set(err, REG_BAD_REQUEST,
                             "the root \"%.*s\" is not an absolute path of at"
                             " most %zu bytes", REG_STR_ARG(root),
                             REG_ROOT_MAX - sizeof("/docker/registry/v2"));
    }

    /* fits: checked above */
    (void) reg_str_copy(store->v2.text, sizeof(store->v2.text), root);
    store->v2.len = root.len == 1 ? 0 : root.len;
    reg_path_add(&store->v2, "docker");
    reg_path_add(&store->v2, "registry");
    reg_path_add(&store->v2, "v2");

    return 0;
}


/* GitLab's registry writes ROOT/docker/registry/lockfiles/database-in-use when
 * its tags live in PostgreSQL. */
int
reg_store_refuse_database(const reg_store_t *store, reg_error_t *err)
{
    reg_path_t   lock = store->v2;
    struct stat  st;

    reg_path_parent(&lock);
    reg_path_add(&lock, "lockfiles");
    reg_path_add(&lock, "database-in-use");

    if (lstat(lock.text, &st) == -1) {
        return 0;
    }

    return reg_error_set(err, REG_BAD_REQUEST,
                         "this tree belongs to a GitLab registry with a"
                         " metadata database (%.120s exists): its tags are"
                         " not on disk, so they could not be served",
                         lock.text);
}


/* The entries that lead to the tree; what may not be opened was not made by
 * us. */
static int
reg_store_sync_way(const reg_store_t *store, const reg_path_t *dir,
    reg_error_t *err)
{
    reg_path_t  path = *dir;
    int         fd, rc = 0;

    while (rc == 0 && path.len > 1) {
        reg_path_parent(&path);
        fd = store->sys->open(path.text, O_RDONLY | O_DIRECTORY, 0);

        if (fd == -1) {
            break;
        }

        if (store->sys->fsync(fd) == -1 && errno != EINVAL && errno != EROFS) {
            rc = reg_error_sys(err, errno, REG_UNKNOWN, "fsync", path.text);
        }

        (void) close(fd);               /* was only read */
    }

    return rc;
}


/* Makes what is missing in the tree. */
static int
reg_store_furnish(reg_store_t *store, reg_error_t *err)
{
    reg_path_t  dir;

    reg_layout_repositories(&dir, &store->v2);
    if (reg_dir_mkdir(store, &dir, err) == -1
        || reg_store_sync_way(store, &dir, err) == -1)
    {
        return -1;
    }

    reg_layout_spare(&dir, &store->v2);
    if (reg_dir_mkdir(store, &dir, err) == -1) {
        return -1;
    }

    reg_layout_tmp(&dir, &store->v2);

    return reg_dir_mkdir(store, &dir, err);
}


bool
reg_store_refuses(int sys)
{
    return sys == EROFS || sys == EACCES || sys == EPERM;
}


/* Asking, as by access(2), is not enough: a file system with an error says yes
 * and writes nothing. */
static int
reg_store_write(reg_store_t *store, reg_error_t *err)
{
    reg_path_t  path;
    int         fd;

    if (reg_tmp_new(&path, store, err) == -1) {
        return -1;
    }

    fd = reg_tmp_create(store, &path, REG_STR(""), err);

    if (fd == -1) {
        return -1;
    }

    (void) close(fd);                            /* it is empty */
    (void) store->sys->unlink(path.text);        /* else litter */

    return 0;
}


void
reg_store_try(reg_store_t *store)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (reg_store_write(store, &err) == 0) {
        atomic_store(&store->refused, 0);

    } else if (reg_store_refuses(err.sys)) {
        atomic_store(&store->refused, err.sys);
    }
}


int
reg_store_writable(const reg_store_t *store, reg_error_t *err)
{
    int  sys = atomic_load(&store->refused);

    if (sys == 0) {
        return 0;
    }

    (void) reg_error_sys(err, sys, REG_UNKNOWN, "write to", store->v2.text);
    err->code = REG_READ_ONLY;          /* also where permissions refuse */

    return -1;
}


void
reg_store_explain(reg_store_t *store, reg_error_t *err)
{
    reg_error_t  why = REG_ERROR_INIT;

    /* what is under way when a file system becomes read-only ends with EIO, and
     * so do all who rely on that, as on the journal */
    if (reg_store_refuses(err->sys) || err->sys == EIO) {
        reg_store_try(store);

        if (reg_store_writable(store, &why) == -1) {
            *err = why;
        }
    }
}


/* A full disk is no reason not to open a tree; nor is one that refuses, as long
 * as it can be read. */
static int
reg_store_enter(reg_store_t *store, reg_error_t *err)
{
    reg_error_t  why = REG_ERROR_INIT;

    if ((reg_store_furnish(store, &why) == 0
         && reg_store_write(store, &why) == 0)
        || why.code == REG_INSUFFICIENT_STORAGE)
    {
        return 0;
    }

    if (!reg_store_refuses(why.sys)
        || access(store->v2.text, R_OK | X_OK) == -1)
    {
        *err = why;
        return -1;
    }

    atomic_store(&store->refused, why.sys);

    return 0;
}


int
reg_store_open(reg_store_t *store, reg_str_t root, reg_error_t *err)
{
    return reg_store_init(store, root, err) == -1
           || reg_store_refuse_database(store, err) == -1
           || reg_dir_make_top(store, err) == -1
           ? -1 : reg_store_enter(store, err);
}


int
reg_store_join(reg_store_t *store, reg_str_t root, reg_error_t *err)
{
    return reg_store_init(store, root, err) == -1
           || reg_store_refuse_database(store, err) == -1
           || reg_store_require(store, err) == -1
           ? -1 : reg_store_enter(store, err);
}


void
reg_store_close(reg_store_t *store)
{
    reg_sync_close(store);

    (void) pthread_cond_destroy(&store->guest_wake);
    (void) pthread_mutex_destroy(&store->guest_lock);
    (void) pthread_cond_destroy(&store->sync_done);
    (void) pthread_mutex_destroy(&store->sync_lock);
}


int
reg_store_require(const reg_store_t *store, reg_error_t *err)
{
    struct stat  st;

    return stat(store->v2.text, &st) == 0
           ? 0 : reg_error_sys(err, errno, REG_UNAVAILABLE, "stat",
                               store->v2.text);
}


int
reg_store_room(const reg_store_t *store, int64_t bytes, reg_error_t *err)
{
    struct statvfs  vfs;
    int64_t         free_bytes;

    if (store->min_free == 0) {
        return 0;
    }

    if (statvfs(store->v2.text, &vfs) == -1) {
        return reg_error_sys(err, errno, REG_UNAVAILABLE, "statvfs",
                             store->v2.text);
    }

    free_bytes = (int64_t) (vfs.f_bavail * vfs.f_frsize);

    if (free_bytes < store->min_free || free_bytes - store->min_free < bytes) {
        return reg_error_set(err, REG_INSUFFICIENT_STORAGE, NULL);
    }

    return 0;
}
