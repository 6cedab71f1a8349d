#include "reg_hashstate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_file.h"
#include "reg_removal.h"


#define REG_HASHSTATE_DIR   "hashstates"
#define REG_HASHSTATE_READ  (256 * 1024)


static void
reg_hashstate_dir(reg_path_t *path, const reg_path_t *dir, reg_alg_t alg)
{
    *path = *dir;
    reg_path_add(path, REG_HASHSTATE_DIR);
    reg_path_add(path, reg_alg_name(alg));
}


static void
reg_hashstate_path(reg_path_t *path, const reg_path_t *dir, reg_alg_t alg,
    int64_t offset)
{
    char  name[24];

    (void) snprintf(name, sizeof(name), "%lld", (long long) offset);
    reg_hashstate_dir(path, dir, alg);
    reg_path_add(path, name);
}


int
reg_hashstate_save(reg_store_t *store, const reg_path_t *dir,
    const reg_hash_t *hash, reg_error_t *err)
{
    unsigned char  state[REG_HASH_STATE_MAX];
    reg_path_t     path;
    size_t         len = reg_hash_export(hash, state);
    int            fd, rc;

    reg_hashstate_dir(&path, dir, hash->alg);

    if (reg_dir_mkdir(store, &path, err) == -1) {
        return -1;
    }

    reg_hashstate_path(&path, dir, hash->alg, reg_hash_length(hash));
    fd = store->sys->open(path.text, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW,
                          0644);

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_BLOB_UPLOAD_UNKNOWN, "create",
                             path.text);
    }

    rc = reg_file_write(store->sys, fd, (reg_str_t) { len, (char *) state }, 0,
                        path.text, err);
    (void) close(fd);                   /* a hint, see above */

    return rc;
}


static int
reg_hashstate_load(reg_hash_t *hash, const reg_path_t *dir, reg_alg_t alg,
    int64_t offset)
{
    unsigned char  state[REG_HASH_STATE_MAX + 1];
    reg_path_t     path;
    ssize_t        n;
    int            fd;

    reg_hashstate_path(&path, dir, alg, offset);
    fd = open(path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    n = read(fd, state, sizeof(state));
    (void) close(fd);                   /* was only read */

    return n > 0 && reg_hash_import(hash, alg, state, (size_t) n) == 0
           && reg_hash_length(hash) == offset ? 0 : -1;
}


bool
reg_hashstate_best(reg_hash_t *hash, const reg_path_t *dir, reg_alg_t alg,
    int64_t size)
{
    struct dirent  *entry;
    reg_hash_t      one;
    reg_path_t      path;
    int64_t         offset;
    DIR            *d;

    reg_hash_init(hash, alg);

    reg_hashstate_dir(&path, dir, alg);
    d = opendir(path.text);

    if (d == NULL) {
        return false;
    }

    while ((entry = readdir(d)) != NULL) {
        if (reg_str_int(reg_str_from(entry->d_name), size, &offset) == 0
            && offset > reg_hash_length(hash)
            && reg_hashstate_load(&one, dir, alg, offset) == 0)
        {
            *hash = one;
        }
    }

    (void) closedir(d);                 /* was only read */

    return true;
}


void
reg_hashstate_remove(reg_store_t *store, const reg_path_t *dir, reg_alg_t alg,
    int64_t offset)
{
    reg_path_t  path;

    reg_hashstate_path(&path, dir, alg, offset);
    (void) store->sys->unlink(path.text);           /* merely old */
}


void
reg_hashstate_discard(const reg_path_t *dir)
{
    reg_path_t  path = *dir;

    reg_path_add(&path, REG_HASHSTATE_DIR);
    reg_removal_discard(&path);
}


int
reg_hashstate_cover(reg_hash_t *hash, int fd, int64_t size,
    const reg_path_t *dir, reg_error_t *err)
{
    char     *chunk = malloc(REG_HASHSTATE_READ);
    int64_t   from = reg_hash_length(hash);
    int       rc = -1;

    if (chunk == NULL) {
        return reg_error_sys(err, ENOMEM, REG_UNKNOWN, "hash", dir->text);
    }

    while (from < size) {
        ssize_t  n = pread(fd, chunk, REG_HASHSTATE_READ, (off_t) from);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            (void) reg_error_sys(err, n == 0 ? EIO : errno, REG_UNKNOWN,
                                 "read", dir->text);
            goto out;
        }

        if (n > size - from) {
            n = (ssize_t) (size - from);
        }

        reg_hash_update(hash, chunk, (size_t) n);
        from += n;
    }

    rc = 0;

out:
    free(chunk);
    return rc;
}
