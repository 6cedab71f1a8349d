#include "reg_referrer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


#define REG_REFERRER_CHUNK  (64 * 1024)


/* A type is a word. */
static bool
reg_referrer_is_word(reg_str_t type)
{
    return type.len > 0 && memchr(type.data, '\t', type.len) == NULL
           && memchr(type.data, '\n', type.len) == NULL;
}


int
reg_referrer_format(reg_referrer_t *ref, const reg_digest_t *digest,
    reg_str_t type, reg_str_t descriptor, reg_error_t *err)
{
    ref->digest = *digest;

    reg_buf_putstr(&ref->line, reg_digest_str(digest));
    reg_buf_puts(&ref->line, "\t");

    if (reg_referrer_is_word(type)) {
        reg_buf_putstr(&ref->line, type);
    }

    reg_buf_puts(&ref->line, "\t");
    reg_buf_putstr(&ref->line, descriptor);
    reg_buf_puts(&ref->line, "\n");

    return reg_buf_ok(&ref->line)
           ? 0 : reg_error_sys(err, ENOMEM, REG_UNKNOWN, "format", "referrer");
}


static bool
reg_referrer_parse(reg_referrer_item_t *item, reg_str_t line)
{
    reg_digest_t  digest;

    item->line = line;
    item->descriptor = line;
    item->digest = reg_str_cut(&item->descriptor, '\t');
    item->type = reg_str_cut(&item->descriptor, '\t');

    return item->descriptor.len > 0
           && reg_digest_parse(&digest, item->digest) == 0;
}


/* Takes the whole lines out of buf; what each returned last. */
static int
reg_referrer_lines(reg_buf_t *buf, reg_referrer_pt each, void *ctx)
{
    int        stop = 0;
    reg_str_t  left = reg_buf_str(buf);

    while (!stop && left.len > 0
           && memchr(left.data, '\n', left.len) != NULL)
    {
        reg_referrer_item_t  item;

        if (reg_referrer_parse(&item, reg_str_cut(&left, '\n'))) {
            stop = each(ctx, &item);
        }
    }

    if (left.len > 0) {
        memmove(buf->data, left.data, left.len);
    }

    buf->len = left.len;

    return stop;
}


int
reg_referrer_scan(int fd, const char *path, reg_referrer_pt each, void *ctx,
    reg_error_t *err)
{
    reg_buf_t  buf = REG_BUF_INIT;
    int64_t    offset = 0;
    int        stop = 0, rc = -1;

    while (!stop) {
        char     *p = reg_buf_reserve(&buf, REG_REFERRER_CHUNK);
        ssize_t   n = p == NULL ? -1 : pread(fd, p, REG_REFERRER_CHUNK,
                                             (off_t) offset);

        if (n == -1 && p != NULL && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            (void) reg_error_sys(err, p == NULL ? ENOMEM : errno, REG_UNKNOWN,
                                 "read", path);
            goto out;
        }

        if (n == 0) {
            break;                                /* what is left is cut off */
        }

        offset += n;
        buf.len += (size_t) n;
        stop = reg_referrer_lines(&buf, each, ctx);
    }

    rc = 0;

out:
    reg_buf_free(&buf);
    return rc;
}


int64_t
reg_referrer_mend(int fd)
{
    struct stat  st;
    char         chunk[4096];
    int64_t      whole = 0;

    if (fstat(fd, &st) == -1) {
        return -1;
    }

    for (int64_t end = st.st_size; end > 0; /* void */) {
        size_t       len = end < (int64_t) sizeof(chunk) ? (size_t) end
                                                         : sizeof(chunk);
        ssize_t      n = pread(fd, chunk, len, (off_t) (end - (int64_t) len));
        const char  *p;

        if (n != (ssize_t) len) {
            errno = n == -1 ? errno : EIO;
            return -1;
        }

        p = memrchr(chunk, '\n', len);

        if (p != NULL) {
            whole = end - (int64_t) len + (p - chunk) + 1;
            break;
        }

        end -= (int64_t) len;
    }

    return whole == st.st_size || ftruncate(fd, (off_t) whole) == 0 ? whole
                                                                    : -1;
}
