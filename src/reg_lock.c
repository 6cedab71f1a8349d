#include "reg_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "reg_dir.h"


static int
reg_lock_open(const reg_path_t *dir, int how, reg_error_code_t missing,
    reg_error_t *err)
{
    int  rc, fd = open(dir->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        return reg_error_sys(err, errno, missing, "open", dir->text);
    }

    do {
        rc = flock(fd, how);
    } while (rc == -1 && errno == EINTR);

    /* no lock to be had here: then none, see the header */
    return fd;
}


/* The same for one that is made if need be, which is seldom. */
static int
reg_lock_make(reg_store_t *store, const reg_path_t *dir, int how,
    reg_error_t *err)
{
    reg_error_t  missing = REG_ERROR_INIT;
    int          fd = reg_lock_open(dir, how, REG_NAME_UNKNOWN, &missing);

    if (fd != -1) {
        return fd;
    }

    if (missing.code != REG_NAME_UNKNOWN) {
        *err = missing;
        return -1;
    }

    return reg_dir_mkdir(store, dir, err) == -1
           ? -1 : reg_lock_open(dir, how, REG_UNKNOWN, err);
}


/* Through the turnstile one by one: who waits for the lock alone stands in it,
 * so that pushes which keep coming cannot keep it waiting for ever. */
int
reg_lock_shared(reg_store_t *store, const reg_name_t *name, reg_error_t *err)
{
    reg_path_t  dir;
    int         turnstile, fd;

    reg_layout_repository(&dir, &store->v2, name);
    turnstile = reg_lock_make(store, &dir, LOCK_EX, err);

    if (turnstile == -1) {
        return -1;
    }

    reg_layout_manifests(&dir, &store->v2, name);
    fd = reg_lock_make(store, &dir, LOCK_SH, err);
    reg_lock_release(turnstile);

    return fd;
}


int
reg_lock_alone(reg_store_t *store, const reg_name_t *name,
    reg_error_code_t missing, reg_error_t *err)
{
    reg_path_t   dir;
    struct stat  st;
    int          turnstile, fd;

    reg_layout_repository(&dir, &store->v2, name);
    turnstile = reg_lock_open(&dir, LOCK_EX, missing, err);
    reg_layout_manifests(&dir, &store->v2, name);

    /* nobody can hold what is not there; who comes stands behind us */
    if (turnstile == -1 || lstat(dir.text, &st) == -1) {
        return turnstile;
    }

    fd = reg_lock_open(&dir, LOCK_EX, REG_UNKNOWN, err);
    reg_lock_release(turnstile);

    return fd;
}


void
reg_lock_release(int fd)
{
    if (fd != -1) {
        (void) close(fd);               /* the lock goes with it */
    }
}
