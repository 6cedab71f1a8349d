/*
 * fcgi_wire: FastCGI 1.0, as far as a responder behind nginx speaks it.
 *
 *     BEGIN_REQUEST id≠0, role responder     ┐
 *     PARAMS id …   name-value pairs          │ the head
 *     PARAMS id, empty                       ┘
 *     STDIN id …                             ┐ the body
 *     STDIN id, empty                        ┘
 *                                            ┌ STDOUT id …
 *                                   answer   │ STDOUT id, empty
 *                                            └ END_REQUEST id
 *
 * A record has 8 bytes of header: version, type, id (2), content length (2),
 * padding length, reserved.  Anything else ends the connection; requests come
 * one after another (nginx does not multiplex).
 *
 *     fcgi_wire_open(wire, fd);
 *
 *     while (fcgi_wire_head(wire) == FCGI_WIRE_READY) {
 *         while ((rc = fcgi_wire_pair(wire, &at, &name, &value)) == 1) …
 *         if (rc == -1) … a head that is cut off: nothing is done of it …
 *         while ((n = fcgi_wire_body(wire, out, size)) > 0) …
 *         if (!wire->ended) … the peer is gone, or talks nonsense …
 *         if (!fcgi_wire_answer(wire, parts, n)) … it ends here …
 *     }
 *
 * Names and values lie in the buffer, until the next fcgi_wire_head(); nothing
 * is allocated, whatever lengths a peer claims.
 */

#ifndef FCGI_WIRE_H
#define FCGI_WIRE_H

#include <stddef.h>

#include "reg_str.h"

#define FCGI_WIRE_HEAD   (64 * 1024)     /* bytes of all its records */
#define FCGI_WIRE_BODY   (4 * 1024)      /* at least so many at once */
#define FCGI_WIRE_PARTS  8               /* of an answer */

typedef enum {
    FCGI_WIRE_READY,           /* a whole head is there */
    FCGI_WIRE_EMPTY,           /* nothing has arrived: wait by epoll */
    FCGI_WIRE_GONE             /* closed, or not what we speak */
} fcgi_wire_state_t;

typedef struct {
    int             fd;
    unsigned        id;
    bool            keep;          /* the peer wants the connection again */
    size_t          pairs;         /* bytes of them, at the beginning of buf */
    size_t          at;            /* what was used of buf */
    size_t          len;           /* what is in buf */
    size_t          content;       /* left of the current STDIN record */
    size_t          padding;
    bool            ended;         /* the body was read to its end */
    bool            broken;
    unsigned char   buf[FCGI_WIRE_HEAD + FCGI_WIRE_BODY];
} fcgi_wire_t;


void fcgi_wire_open(fcgi_wire_t *wire, int fd);

/* Waits for nothing if nothing has arrived, for the rest of a head only some
 * seconds. */
fcgi_wire_state_t fcgi_wire_head(fcgi_wire_t *wire);

/* Whether more has arrived already than the request that was answered. */
bool fcgi_wire_has_more(const fcgi_wire_t *wire);

/* 1: the pair at *at, which moves on; 0 at the end; -1 if it is cut off.  A
 * value ends before a byte of zero: nothing that we read has one. */
int fcgi_wire_pair(const fcgi_wire_t *wire, size_t *at, reg_str_t *name,
    reg_str_t *value);

/* Up to size bytes of the body; 0 at its end or when the peer is gone. */
size_t fcgi_wire_body(fcgi_wire_t *wire, void *out, size_t size);

/* Sends what n parts (FCGI_WIRE_PARTS at most) say together, which are used up,
 * and the end.  False if that failed, or the connection is to be closed. */
bool fcgi_wire_answer(fcgi_wire_t *wire, reg_str_t *parts, size_t n);

#endif
