#include "reg_link.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


static int
reg_link_odd(reg_error_t *err, reg_error_code_t missing, const char *what,
    const char *path)
{
    if (err->code == REG_OK) {
        reg_error_where(err, what, path);
    }

    return reg_error_set(err, missing, NULL);
}


int
reg_link_read_at(int dir, const char *path, reg_digest_t *d,
    reg_error_code_t missing, reg_error_t *err)
{
    char         text[REG_DIGEST_SIZE];
    struct stat  st;
    ssize_t      n;
    int          fd, sys;

    /* O_NONBLOCK: a FIFO must not hold us; it reads as empty */
    fd = openat(dir, path,
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1) {
        return reg_error_sys(err, errno, missing, "open", path);
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        (void) close(fd);               /* nothing was read */
        return reg_link_odd(err, missing, "not a regular file:", path);
    }

    n = read(fd, text, sizeof(text));
    sys = errno;
    (void) close(fd);                   /* was only read */

    if (n == -1) {
        return reg_error_sys(err, sys, missing, "read", path);
    }

    if (reg_digest_parse(d, (reg_str_t) { (size_t) n, text }) == -1) {
        return reg_link_odd(err, missing, "not a digest:", path);
    }

    return 0;
}


int
reg_link_read(const reg_path_t *path, reg_digest_t *d,
    reg_error_code_t missing, reg_error_t *err)
{
    return reg_link_read_at(AT_FDCWD, path->text, d, missing, err);
}


int
reg_link_require(const reg_path_t *path, const reg_digest_t *d,
    reg_error_code_t missing, reg_error_t *err)
{
    reg_digest_t  found;

    if (reg_link_read(path, &found, missing, err) == -1) {
        return -1;
    }

    return reg_digest_eq(&found, d)
           ? 0 : reg_link_odd(err, missing, "another digest:", path->text);
}


bool
reg_link_looks_like(int dir, const char *path, const reg_digest_t *d)
{
    struct stat  st;

    return fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISREG(st.st_mode)
           && (size_t) st.st_size == reg_digest_str(d).len;
}
