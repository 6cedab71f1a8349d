#include "reg_fence.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "reg_file.h"


#define REG_FENCE_DIGITS  16


int
reg_fence_read(const reg_store_t *store, uint64_t *fence, reg_error_t *err)
{
    char        text[REG_FENCE_DIGITS];
    reg_path_t  path;
    ssize_t     n;
    int         fd, sys;

    *fence = reg_str_hash(REG_STR_NULL);
    reg_layout_fence(&path, &store->v2);
    fd = open(path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1 && errno == ENOENT) {
        return 0;
    }

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", path.text);
    }

    n = read(fd, text, sizeof(text));
    sys = errno;
    (void) close(fd);                   /* was only read */

    if (n == -1) {
        return reg_error_sys(err, sys, REG_UNKNOWN, "read", path.text);
    }

    /* whatever is in it, other bytes are another number */
    *fence = reg_str_hash((reg_str_t) { (size_t) n, text });

    return 0;
}


int
reg_fence_raise(reg_store_t *store, reg_error_t *err)
{
    char        text[REG_FENCE_DIGITS + 1];
    uint64_t    number;
    reg_path_t  path;
    int         rc, fd;

    if (getrandom(&number, sizeof(number), 0) != (ssize_t) sizeof(number)) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "");
    }

    (void) snprintf(text, sizeof(text), "%016llx",
                    (unsigned long long) number);               /* fits */

    reg_layout_fence(&path, &store->v2);
    fd = store->sys->open(path.text, O_WRONLY | O_CREAT | O_NOFOLLOW
                          | O_CLOEXEC, 0644);

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", path.text);
    }

    rc = reg_file_write(store->sys, fd, reg_str_from(text), 0, path.text, err);

    if (close(fd) == -1 && rc == 0) {       /* a network file system tells
                                               here */
        rc = reg_error_sys(err, errno, REG_UNKNOWN, "close", path.text);
    }

    return rc;
}
