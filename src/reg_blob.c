#include "reg_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_change.h"
#include "reg_durable.h"
#include "reg_link.h"
#include "reg_lock.h"
#include "reg_removal.h"


static int
reg_blob_unknown(const reg_digest_t *d, reg_error_t *err)
{
    reg_error_detail(err, "digest", reg_digest_str(d));
    return -1;
}


int
reg_blob_content_stat(reg_store_t *store, const reg_digest_t *d,
    int64_t *size, reg_error_t *err)
{
    reg_path_t   path;
    struct stat  st;

    reg_layout_blob(&path, &store->v2, d);

    if (lstat(path.text, &st) == -1) {
        (void) reg_error_sys(err, errno, REG_BLOB_UNKNOWN, "stat", path.text);
        return reg_blob_unknown(d, err);
    }

    if (!S_ISREG(st.st_mode)) {
        (void) reg_error_sys(err, ELOOP, REG_BLOB_UNKNOWN,
                             "not a regular file:", path.text);
        return reg_blob_unknown(d, err);
    }

    *size = st.st_size;
    return 0;
}


int
reg_blob_stat(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, int64_t *size, reg_error_t *err)
{
    reg_path_t  path;

    reg_layout_layer(&path, &store->v2, name, d);

    if (reg_link_require(&path, d, REG_BLOB_UNKNOWN, err) == -1) {
        return reg_blob_unknown(d, err);
    }

    return reg_blob_content_stat(store, d, size, err);
}


int
reg_blob_content_read(reg_store_t *store, const reg_digest_t *d, size_t max,
    reg_buf_t *out, reg_error_t *err)
{
    reg_path_t   path;
    struct stat  st;
    size_t       done = 0, size;
    char        *p;
    int          fd, rc = -1;

    reg_layout_blob(&path, &store->v2, d);
    fd = open(path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1) {
        (void) reg_error_sys(err, errno, REG_BLOB_UNKNOWN, "open", path.text);
        return reg_blob_unknown(d, err);
    }

    if (fstat(fd, &st) == -1) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "fstat", path.text);
        goto out;
    }

    if (!S_ISREG(st.st_mode)) {
        (void) reg_error_sys(err, ELOOP, REG_BLOB_UNKNOWN,
                             "not a regular file:", path.text);
        goto out;
    }

    if ((uint64_t) st.st_size > max) {
        (void) reg_error_set(err, REG_SIZE_INVALID,
                             "the content is larger than %zu bytes", max);
        goto out;
    }

    size = (size_t) st.st_size;
    p = reg_buf_reserve(out, size);

    if (p == NULL) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", path.text);
        goto out;
    }

    while (done < size) {
        ssize_t  n = pread(fd, p + done, size - done, (off_t) done);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            (void) reg_error_sys(err, n == 0 ? EIO : errno, REG_UNKNOWN,
                                 "read", path.text);
            goto out;
        }

        done += (size_t) n;
    }

    out->len += size;
    rc = 0;

out:
    (void) close(fd);                   /* was only read */
    return rc;
}


int
reg_blob_mount(reg_store_t *store, const reg_name_t *name,
    const reg_name_t *from, const reg_digest_t *d, reg_error_t *err)
{
    reg_durable_t  t;
    reg_path_t     link;
    int64_t        size;
    int            lock, rc = -1;

    reg_durable_init(&t, store);

    /* from's link was made after its content was durable (D4) */
    if (reg_blob_stat(store, from, d, &size, err) == -1) {
        return -1;
    }

    lock = reg_lock_shared(store, name, err);
    if (lock == -1) {
        return -1;
    }

    reg_layout_layer(&link, &store->v2, name, d);

    if (reg_durable_put(&t, 0, &link, reg_digest_str(d), err) == -1
        || reg_durable_commit(&t, err) == -1)
    {
        goto out;
    }

    rc = 0;

out:
    reg_durable_free(&t);
    reg_lock_release(lock);
    return rc;
}


int
reg_blob_delete(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, reg_error_t *err)
{
    reg_path_t  link, stop;
    int         rc = -1;
    int         lock = reg_lock_alone(store, name, REG_BLOB_UNKNOWN, err);

    reg_layout_layer(&link, &store->v2, name, d);
    reg_layout_layers(&stop, &store->v2, name);

    if (lock != -1) {
        rc = reg_removal_unlink(store, &link, &stop, REG_BLOB_UNKNOWN, err)
             == -1 ? -1 : reg_change_gone(store, &link, err);
    }

    reg_lock_release(lock);

    return rc == 0 ? 0 : reg_blob_unknown(d, err);
}
