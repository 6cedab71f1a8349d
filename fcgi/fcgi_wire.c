#include "fcgi_wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>


#define FCGI_WIRE_VERSION    1
#define FCGI_WIRE_BEGIN      1
#define FCGI_WIRE_END        3
#define FCGI_WIRE_PARAMS     4
#define FCGI_WIRE_STDIN      5
#define FCGI_WIRE_STDOUT     6
#define FCGI_WIRE_RESPONDER  1
#define FCGI_WIRE_KEEP       1
#define FCGI_WIRE_RECORD     8
#define FCGI_WIRE_CONTENT    65535       /* of one record, at most */

#define FCGI_WIRE_HEAD_MS    5000        /* between two pieces of a head */
#define FCGI_WIRE_BODY_MS    30000       /* between two pieces of a body */


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
    wire->pairs = 0;
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


/* The length at *at of one half of a pair.  False if it is cut off. */
static bool
fcgi_wire_length(const fcgi_wire_t *w, size_t *at, size_t *len)
{
    const unsigned char  *p = w->buf + *at;
    size_t                n;

    if (*at == w->pairs) {
        return false;
    }

    n = p[0] < 0x80 ? 1 : 4;

    if (w->pairs - *at < n) {
        return false;
    }

    *len = n == 1 ? p[0]
                  : (size_t) (p[0] & 0x7f) << 24 | (size_t) p[1] << 16
                    | (size_t) p[2] << 8 | p[3];
    *at += n;

    return true;
}


static bool
fcgi_wire_text(const fcgi_wire_t *w, size_t *at, size_t len, reg_str_t *text)
{
    if (w->pairs - *at < len) {
        return false;
    }

    text->data = (const char *) w->buf + *at;
    text->len = len;
    *at += len;

    return true;
}


int
fcgi_wire_pair(const fcgi_wire_t *w, size_t *at, reg_str_t *name,
    reg_str_t *value)
{
    size_t  first, second;

    if (*at == w->pairs) {
        return 0;
    }

    if (!fcgi_wire_length(w, at, &first)
        || !fcgi_wire_length(w, at, &second)
        || !fcgi_wire_text(w, at, first, name)
        || !fcgi_wire_text(w, at, second, value))
    {
        return -1;
    }

    value->len = strnlen(value->data, value->len);

    return 1;
}


static bool
fcgi_wire_begin(fcgi_wire_t *w, const fcgi_wire_record_t *record)
{
    const unsigned char  *p = w->buf + FCGI_WIRE_RECORD;

    if (record->type != FCGI_WIRE_BEGIN || record->id == 0
        || record->content != 8
        || ((unsigned) p[0] << 8 | p[1]) != FCGI_WIRE_RESPONDER)
    {
        return false;
    }

    w->id = record->id;
    w->keep = (p[2] & FCGI_WIRE_KEEP) != 0;

    return true;
}


/* Takes the record at w->at.  Pairs, which records may cut anywhere, move
 * together at the beginning. */
static fcgi_wire_state_t
fcgi_wire_take(fcgi_wire_t *w, const fcgi_wire_record_t *record)
{
    unsigned char  *content = w->buf + w->at + FCGI_WIRE_RECORD;
    bool            begins = w->at == 0;

    w->at += FCGI_WIRE_RECORD + record->content + record->padding;

    if (begins) {
        return fcgi_wire_begin(w, record) ? FCGI_WIRE_EMPTY : FCGI_WIRE_GONE;
    }

    if (record->type != FCGI_WIRE_PARAMS || record->id != w->id) {
        return FCGI_WIRE_GONE;
    }

    if (record->content == 0) {
        return FCGI_WIRE_READY;
    }

    memmove(w->buf + w->pairs, content, record->content);
    w->pairs += record->content;

    return FCGI_WIRE_EMPTY;
}


/* Takes what has arrived of a head.  EMPTY: there must be more. */
static fcgi_wire_state_t
fcgi_wire_parse(fcgi_wire_t *w)
{
    fcgi_wire_state_t   state = FCGI_WIRE_EMPTY;
    fcgi_wire_record_t  record;

    while (state == FCGI_WIRE_EMPTY && w->len - w->at >= FCGI_WIRE_RECORD) {
        if (!fcgi_wire_record(w->buf + w->at, &record)) {
            return FCGI_WIRE_GONE;
        }

        if (w->len - w->at - FCGI_WIRE_RECORD
            < record.content + record.padding)
        {
            break;
        }

        state = fcgi_wire_take(w, &record);
    }

    return state;
}


/* Reads more into buf, up to size bytes of it.  1, or 0 if nothing comes within
 * ms, or -1. */
static int
fcgi_wire_fill(fcgi_wire_t *w, size_t size, int ms)
{
    for ( ;; ) {
        struct pollfd  poll_fd = { .fd = w->fd, .events = POLLIN };
        ssize_t        n;

        n = recv(w->fd, w->buf + w->len, size - w->len, MSG_DONTWAIT);

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


/* Forgets the head, the body, or what was used of it. */
static void
fcgi_wire_close_up(fcgi_wire_t *w)
{
    w->len -= w->at - w->pairs;
    memmove(w->buf + w->pairs, w->buf + w->at, w->len - w->pairs);
    w->at = w->pairs;
}


bool
fcgi_wire_has_more(const fcgi_wire_t *w)
{
    return w->len > w->at;
}


fcgi_wire_state_t
fcgi_wire_head(fcgi_wire_t *w)
{
    fcgi_wire_state_t  state;
    int                rc;

    if (!w->ended || w->broken) {
        return FCGI_WIRE_GONE;
    }

    /* what came behind the body is the start of the next request */
    w->pairs = 0;
    fcgi_wire_close_up(w);

    for ( ;; ) {
        state = fcgi_wire_parse(w);

        if (state != FCGI_WIRE_EMPTY) {
            break;
        }

        if (w->len >= FCGI_WIRE_HEAD) {
            return FCGI_WIRE_GONE;
        }

        rc = fcgi_wire_fill(w, FCGI_WIRE_HEAD,
                            w->len == 0 ? 0 : FCGI_WIRE_HEAD_MS);

        if (rc != 1) {
            return rc == 0 && w->len == 0 ? FCGI_WIRE_EMPTY : FCGI_WIRE_GONE;
        }
    }

    w->content = 0;
    w->padding = 0;
    w->ended = state != FCGI_WIRE_READY;

    return state;
}


/* ---- the body ------------------------------------------------------------ */


/* Makes at least n bytes of buf available. */
static bool
fcgi_wire_need(fcgi_wire_t *w, size_t n)
{
    while (w->len - w->at < n) {
        fcgi_wire_close_up(w);

        if (fcgi_wire_fill(w, sizeof(w->buf), FCGI_WIRE_BODY_MS) != 1) {
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


/* ---- the answer ---------------------------------------------------------- */


static void
fcgi_wire_header(const fcgi_wire_t *w, unsigned char *p, unsigned char type,
    size_t content)
{
    memset(p, 0, FCGI_WIRE_RECORD);
    p[0] = FCGI_WIRE_VERSION;
    p[1] = type;
    p[2] = (unsigned char) (w->id >> 8);
    p[3] = (unsigned char) w->id;
    p[4] = (unsigned char) (content >> 8);
    p[5] = (unsigned char) content;
}


/* A peer that takes nothing for the socket's SO_SNDTIMEO is gone. */
static bool
fcgi_wire_write(const fcgi_wire_t *w, struct iovec *iov, size_t n)
{
    struct msghdr  message = { .msg_iov = iov, .msg_iovlen = n };

    while (message.msg_iovlen > 0) {
        ssize_t  sent = sendmsg(w->fd, &message, MSG_NOSIGNAL);

        if (sent == -1 && errno != EINTR) {
            return false;
        }

        for (size_t left = sent == -1 ? 0 : (size_t) sent;
             message.msg_iovlen > 0; )
        {
            size_t  taken = left < message.msg_iov->iov_len
                            ? left : message.msg_iov->iov_len;

            message.msg_iov->iov_base = (char *) message.msg_iov->iov_base
                                        + taken;
            message.msg_iov->iov_len -= taken;
            left -= taken;

            if (message.msg_iov->iov_len > 0) {
                break;
            }

            message.msg_iov++;
            message.msg_iovlen--;
        }
    }

    return true;
}


/* The next record's content, cut off what there is.  Gives its parts. */
static size_t
fcgi_wire_cut(reg_str_t *parts, size_t n, struct iovec *iov, size_t *content)
{
    size_t  k = 0;

    *content = 0;

    for (size_t i = 0; i < n && *content < FCGI_WIRE_CONTENT; i++) {
        size_t  len = FCGI_WIRE_CONTENT - *content;

        len = parts[i].len < len ? parts[i].len : len;

        if (len > 0) {
            iov[k++] = (struct iovec) { (char *) (uintptr_t) parts[i].data,
                                        len };
            parts[i].data += len;
            parts[i].len -= len;
            *content += len;
        }
    }

    return k;
}


static bool
fcgi_wire_is_used_up(const reg_str_t *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len > 0) {
            return false;
        }
    }

    return true;
}


bool
fcgi_wire_answer(fcgi_wire_t *w, reg_str_t *parts, size_t n)
{
    struct iovec   iov[1 + FCGI_WIRE_PARTS + 1];
    unsigned char  header[FCGI_WIRE_RECORD];
    unsigned char  end[3 * FCGI_WIRE_RECORD] = { 0 };
    size_t         content, k;
    bool           last;

    /* of END_REQUEST the content says that all went well: zeros */
    fcgi_wire_header(w, end, FCGI_WIRE_STDOUT, 0);
    fcgi_wire_header(w, end + FCGI_WIRE_RECORD, FCGI_WIRE_END, 8);

    do {
        k = 1 + fcgi_wire_cut(parts, n, iov + 1, &content);
        last = fcgi_wire_is_used_up(parts, n);

        fcgi_wire_header(w, header, FCGI_WIRE_STDOUT, content);
        iov[0] = (struct iovec) { header, sizeof(header) };

        if (last) {
            iov[k++] = (struct iovec) { end, sizeof(end) };
        }

        if (!fcgi_wire_write(w, iov, k)) {
            return false;
        }
    } while (!last);

    return w->keep;
}
