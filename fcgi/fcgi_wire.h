/*
 * fcgi_wire: what a peer says, checked before libfcgi hears it.
 *
 * libfcgi 2.4 believes what it reads: it allocates up to 4 GiB for the length
 * of one parameter and aborts without that memory, writes over its stack when
 * a GET_VALUES record asks for the same name five times, and blocks in the
 * middle of a record.  So the bytes are read here.  libfcgi gets the head of a
 * request, whole, well-formed and of bounded size; the body it does not see.
 *
 *     BEGIN_REQUEST id≠0, role responder     ┐
 *     PARAMS id …   name-value pairs          │ the head
 *     PARAMS id, empty                       ┘
 *     STDIN id …                             ┐ the body
 *     STDIN id, empty                        ┘
 *
 * A record has 8 bytes of header: version, type, id (2), content length (2),
 * padding length, reserved.  Anything else ends the connection; requests come
 * one after another (nginx does not multiplex).
 *
 *     fcgi_wire_open(wire, fd);
 *
 *     while (fcgi_wire_head(wire) == FCGI_WIRE_READY) {
 *         … wire->buf has the head, wire->head bytes …
 *         while ((n = fcgi_wire_body(wire, out, size)) > 0) …
 *         if (!wire->ended) … the peer is gone, or talks nonsense …
 *     }
 */

#ifndef FCGI_WIRE_H
#define FCGI_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#define FCGI_WIRE_HEAD   (64 * 1024)     /* bytes of all its records */
#define FCGI_WIRE_PAIRS  256
#define FCGI_WIRE_NAMES  1024            /* bytes of one parameter's name */

typedef enum {
    FCGI_WIRE_READY,           /* a whole head is there */
    FCGI_WIRE_EMPTY,           /* nothing has arrived: wait by epoll */
    FCGI_WIRE_PARTIAL,         /* good so far; more must arrive */
    FCGI_WIRE_GONE             /* closed, or not what we speak */
} fcgi_wire_state_t;

typedef struct {
    int             fd;
    size_t          head;          /* bytes of the head in buf */
    unsigned        id;
    size_t          at;            /* what was used of buf */
    size_t          len;           /* what is in buf */
    size_t          content;       /* left of the current STDIN record */
    size_t          padding;
    bool            ended;         /* the body was read to its end */
    bool            broken;
    unsigned char   buf[FCGI_WIRE_HEAD];
} fcgi_wire_t;


void fcgi_wire_open(fcgi_wire_t *wire, int fd);

/* Waits for nothing if nothing has arrived, for the rest of a head only some
 * seconds.  Never gives PARTIAL. */
fcgi_wire_state_t fcgi_wire_head(fcgi_wire_t *wire);

/* Up to size bytes of the body; 0 at its end or when the peer is gone. */
size_t fcgi_wire_body(fcgi_wire_t *wire, void *out, size_t size);

/* Looks at a head in buf; *head is its length if it is READY.  For tests and
 * fuzzers; fcgi_wire_head() calls it. */
fcgi_wire_state_t fcgi_wire_parse(const unsigned char *buf, size_t len,
    size_t *head);

#endif
