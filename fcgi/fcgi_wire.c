#include "fcgi_wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>


#define FCGI_WIRE_VERSION    1
#define FCGI_WIRE_BEGIN      1
#define FCGI_WIRE_PARAMS     4
#define FCGI_WIRE_STDIN      5
#define FCGI_WIRE_RESPONDER  1
#define FCGI_WIRE_RECORD     8

#define FCGI_WIRE_HEAD_MS    5000        /* between two pieces of a head */
#define FCGI_WIRE_BODY_MS    30000       /* between two pieces of a body */


/* Walks through name-value pairs, which records may cut anywhere. */
typedef struct {
    size_t         pairs;
    size_t         skip;         /* bytes of names and values to pass over */
    unsigned char  lengths[8];   /* of the pair that is being read */
    size_t         n;            /* bytes of lengths so far */
} fcgi_wire_pairs_t;

typedef struct {
    unsigned  type;
    unsigned  id;
    size_t    content;
    size_t    padding;
} fcgi_wire_record_t;


void
fcgi_wire_open(fcgi_wire_t *wire, int fd)
{
    wire->fd = fd;
    wire->head = 0;
    wire->at = 0;
    wire->len = 0;
    wire->ended = true;
    wire->broken = false;
}


/* False if it is of no version that we know. */
static bool
fcgi_wire_record(const unsigned char *p, fcgi_wire_record_t *record)
{
    record->type = p[1];
    record->id = (unsigned) p[2] << 8 | p[3];
    record->content = (size_t) p[4] << 8 | p[5];
    record->padding = p[6];

    return p[0] == FCGI_WIRE_VERSION;
}


/* ---- the head ------------------------------------------------------------ */


static size_t
fcgi_wire_length(const unsigned char *p)
{
    if (p[0] < 0x80) {
        return p[0];
    }

    return (size_t) (p[0] & 0x7f) << 24 | (size_t) p[1] << 16
           | (size_t) p[2] << 8 | p[3];
}


/* Takes one byte of the two lengths of a pair.  False if they are too large. */
static bool
fcgi_wire_byte(fcgi_wire_pairs_t *w, unsigned char c)
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

    name = fcgi_wire_length(p);
    value = fcgi_wire_length(p + first);

    w->n = 0;
    w->pairs++;
    w->skip = name + value;

    return w->pairs <= FCGI_WIRE_PAIRS
           && name <= FCGI_WIRE_NAMES && value <= FCGI_WIRE_HEAD;
}


static bool
fcgi_wire_pairs(fcgi_wire_pairs_t *w, const unsigned char *p, size_t len)
{
    while (len > 0) {
        size_t  n = 1;

        if (w->skip > 0) {
            n = w->skip < len ? w->skip : len;
            w->skip -= n;

        } else if (!fcgi_wire_byte(w, *p)) {
            return false;
        }

        p += n;
        len -= n;
    }

    return true;
}


fcgi_wire_state_t
fcgi_wire_parse(const unsigned char *buf, size_t len, size_t *head)
{
    fcgi_wire_pairs_t  pairs = { 0 };
    unsigned           id = 0;
    size_t             at = 0;

    while (len - at >= FCGI_WIRE_RECORD) {
        const unsigned char  *p = buf + at + FCGI_WIRE_RECORD;
        fcgi_wire_record_t    record;
        bool                  begin = at == 0;

        if (!fcgi_wire_record(buf + at, &record)
            || record.type != (begin ? FCGI_WIRE_BEGIN : FCGI_WIRE_PARAMS)
            || (begin ? record.id == 0 || record.content != 8
                      : record.id != id))
        {
            return FCGI_WIRE_GONE;
        }

        at += FCGI_WIRE_RECORD + record.content + record.padding;

        if (at > len) {
            break;
        }

        if (begin) {
            id = record.id;

            if (((unsigned) p[0] << 8 | p[1]) != FCGI_WIRE_RESPONDER) {
                return FCGI_WIRE_GONE;
            }

        } else if (record.content == 0) {
            *head = at;
            return pairs.skip == 0 && pairs.n == 0 ? FCGI_WIRE_READY
                                                   : FCGI_WIRE_GONE;

        } else if (!fcgi_wire_pairs(&pairs, p, record.content)) {
            return FCGI_WIRE_GONE;
        }
    }

    return FCGI_WIRE_PARTIAL;
}


/* Reads more into buf.  1, or 0 if nothing comes within ms, or -1. */
static int
fcgi_wire_fill(fcgi_wire_t *w, int ms)
{
    for ( ;; ) {
        struct pollfd  poll_fd = { .fd = w->fd, .events = POLLIN };
        ssize_t        n;

        n = recv(w->fd, w->buf + w->len, sizeof(w->buf) - w->len,
                 MSG_DONTWAIT);

        if (n > 0) {
            w->len += (size_t) n;
            return 1;
        }

        if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            return -1;
        }

        if (ms == 0 || (poll(&poll_fd, 1, ms) == 0)) {
            return 0;
        }
    }
}


fcgi_wire_state_t
fcgi_wire_head(fcgi_wire_t *w)
{
    fcgi_wire_state_t  state = FCGI_WIRE_PARTIAL;
    int                rc;

    if (!w->ended || w->broken) {
        return FCGI_WIRE_GONE;
    }

    /* what came behind the body is the start of the next request */
    w->len -= w->at;
    memmove(w->buf, w->buf + w->at, w->len);
    w->at = 0;

    while (state == FCGI_WIRE_PARTIAL) {
        if (w->len == sizeof(w->buf)) {
            return FCGI_WIRE_GONE;
        }

        rc = fcgi_wire_fill(w, w->len == 0 ? 0 : FCGI_WIRE_HEAD_MS);

        if (rc == 0 && w->len == 0) {
            return FCGI_WIRE_EMPTY;
        }

        if (rc != 1) {
            return FCGI_WIRE_GONE;
        }

        state = fcgi_wire_parse(w->buf, w->len, &w->head);
    }

    if (state == FCGI_WIRE_READY) {
        w->id = (unsigned) w->buf[2] << 8 | w->buf[3];
        w->at = w->head;
        w->content = 0;
        w->padding = 0;
        w->ended = false;
    }

    return state;
}


/* ---- the body ------------------------------------------------------------ */


/* Makes at least n bytes of buf available. */
static bool
fcgi_wire_need(fcgi_wire_t *w, size_t n)
{
    while (w->len - w->at < n) {
        if (w->at > 0) {
            w->len -= w->at;
            memmove(w->buf, w->buf + w->at, w->len);
            w->at = 0;
        }

        if (fcgi_wire_fill(w, FCGI_WIRE_BODY_MS) != 1) {
            w->broken = true;
            return false;
        }
    }

    return true;
}


/* Comes to a STDIN record with content.  False at the end. */
static bool
fcgi_wire_next(fcgi_wire_t *w)
{
    fcgi_wire_record_t  record;

    while (w->content == 0) {
        if (w->padding > 0) {
            if (!fcgi_wire_need(w, w->padding)) {
                return false;
            }

            w->at += w->padding;
            w->padding = 0;
        }

        if (w->ended || !fcgi_wire_need(w, FCGI_WIRE_RECORD)) {
            return false;
        }

        if (!fcgi_wire_record(w->buf + w->at, &record)
            || record.type != FCGI_WIRE_STDIN || record.id != w->id)
        {
            w->broken = true;
            return false;
        }

        w->at += FCGI_WIRE_RECORD;
        w->content = record.content;
        w->padding = record.padding;
        w->ended = record.content == 0;
    }

    return true;
}


size_t
fcgi_wire_body(fcgi_wire_t *w, void *out, size_t size)
{
    size_t  n;

    if (w->broken || !fcgi_wire_next(w) || !fcgi_wire_need(w, 1)) {
        return 0;
    }

    n = w->len - w->at;
    n = n < w->content ? n : w->content;
    n = n < size ? n : size;

    memcpy(out, w->buf + w->at, n);
    w->at += n;
    w->content -= n;

    return n;
}
