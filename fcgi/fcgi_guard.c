#include "fcgi_guard.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>


#define FCGI_GUARD_VERSION    1
#define FCGI_GUARD_BEGIN      1
#define FCGI_GUARD_PARAMS     4
#define FCGI_GUARD_RESPONDER  1
#define FCGI_GUARD_RECORD     8

/* what nginx sends in most cases; more is asked for when it is not enough */
#define FCGI_GUARD_FIRST      (16 * 1024)


/* Walks through name-value pairs, which may be cut anywhere by records. */
typedef struct {
    size_t         pairs;
    size_t         skip;         /* bytes of names and values to pass over */
    unsigned char  lengths[8];   /* of the pair that is being read */
    size_t         n;            /* bytes of lengths so far */
} fcgi_guard_pairs_t;


static size_t
fcgi_guard_length(const unsigned char *p)
{
    if (p[0] < 0x80) {
        return p[0];
    }

    return (size_t) (p[0] & 0x7f) << 24 | (size_t) p[1] << 16
           | (size_t) p[2] << 8 | p[3];
}


/* Takes one byte of the lengths of a pair.  False if they are too large. */
static bool
fcgi_guard_byte(fcgi_guard_pairs_t *w, unsigned char c)
{
    const unsigned char  *p = w->lengths;
    size_t                first, both, name, value;

    w->lengths[w->n++] = c;

    first = p[0] < 0x80 ? 1 : 4;

    if (w->n <= first) {
        return true;
    }

    both = first + (p[first] < 0x80 ? 1 : 4);

    if (w->n < both) {
        return true;
    }

    name = fcgi_guard_length(p);
    value = fcgi_guard_length(p + first);

    w->n = 0;
    w->pairs++;
    w->skip = name + value;

    return w->pairs <= FCGI_GUARD_PAIRS
           && name <= FCGI_GUARD_HEAD && value <= FCGI_GUARD_HEAD;
}


static bool
fcgi_guard_content(fcgi_guard_pairs_t *w, const unsigned char *p, size_t len)
{
    while (len > 0) {
        if (w->skip > 0) {
            size_t  n = w->skip < len ? w->skip : len;

            w->skip -= n;
            p += n;
            len -= n;

        } else {
            if (!fcgi_guard_byte(w, *p)) {
                return false;
            }

            p++;
            len--;
        }
    }

    return true;
}


fcgi_guard_t
fcgi_guard_parse(const unsigned char *buf, size_t len)
{
    fcgi_guard_pairs_t  pairs = { 0 };
    size_t              at = 0, id = 0;

    while (len - at >= FCGI_GUARD_RECORD) {
        const unsigned char  *p = buf + at;
        size_t                this_id = (size_t) p[2] << 8 | p[3];
        size_t                content = (size_t) p[4] << 8 | p[5];
        size_t                whole = FCGI_GUARD_RECORD + content + p[6];
        bool                  begin = at == 0;

        if (p[0] != FCGI_GUARD_VERSION
            || p[1] != (begin ? FCGI_GUARD_BEGIN : FCGI_GUARD_PARAMS)
            || (begin ? this_id == 0 || content != 8 : this_id != id))
        {
            return FCGI_GUARD_GONE;
        }

        if (len - at < whole) {
            break;
        }

        if (begin) {
            id = this_id;

            if (((size_t) p[8] << 8 | p[9]) != FCGI_GUARD_RESPONDER) {
                return FCGI_GUARD_GONE;
            }

        } else if (content == 0) {
            return pairs.skip == 0 && pairs.n == 0 ? FCGI_GUARD_READY
                                                   : FCGI_GUARD_GONE;

        } else if (!fcgi_guard_content(&pairs, p + FCGI_GUARD_RECORD, content))
        {
            return FCGI_GUARD_GONE;
        }

        at += whole;
    }

    return len < FCGI_GUARD_HEAD ? FCGI_GUARD_PARTIAL : FCGI_GUARD_GONE;
}


fcgi_guard_t
fcgi_guard_peek(int fd, unsigned char *buf)
{
    size_t   max = FCGI_GUARD_FIRST;
    ssize_t  n;

    for ( ;; ) {
        fcgi_guard_t  verdict;

        n = recv(fd, buf, max, MSG_PEEK | MSG_DONTWAIT);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return FCGI_GUARD_EMPTY;
        }

        if (n <= 0) {
            return FCGI_GUARD_GONE;
        }

        verdict = fcgi_guard_parse(buf, (size_t) n);

        if (verdict != FCGI_GUARD_PARTIAL || (size_t) n < max
            || max == FCGI_GUARD_HEAD)
        {
            return verdict;
        }

        max = FCGI_GUARD_HEAD;
    }
}
