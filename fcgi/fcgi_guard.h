/*
 * fcgi_guard: what a peer may say before libfcgi hears it.
 *
 * libfcgi believes the lengths that it reads: it allocates up to 4 GiB for one
 * parameter, aborts the process if that fails, and blocks in the middle of a
 * record.  So the head of a request (BEGIN_REQUEST and all PARAMS) is looked
 * at while it still lies in the socket, and handed over only when it is whole,
 * well-formed and of bounded size:
 *
 *     BEGIN_REQUEST id≠0, role responder
 *     PARAMS id …                           name-value pairs, any cuts
 *     PARAMS id, empty                      the end of the head
 *
 * A record has 8 bytes of header: version, type, id (2), content length (2),
 * padding length, reserved.
 */

#ifndef FCGI_GUARD_H
#define FCGI_GUARD_H

#include <stddef.h>

#define FCGI_GUARD_HEAD   (128 * 1024)    /* bytes of all its records */
#define FCGI_GUARD_PAIRS  256

typedef enum {
    FCGI_GUARD_READY,          /* libfcgi may read a whole head */
    FCGI_GUARD_EMPTY,          /* nothing has arrived */
    FCGI_GUARD_PARTIAL,        /* good so far; more must arrive */
    FCGI_GUARD_GONE            /* closed, or not what we speak */
} fcgi_guard_t;


/* Looks at the head in buf. */
fcgi_guard_t fcgi_guard_parse(const unsigned char *buf, size_t len);

/* Looks at what lies in the socket fd, into buf, of FCGI_GUARD_HEAD bytes,
 * without waiting and without taking it out. */
fcgi_guard_t fcgi_guard_peek(int fd, unsigned char *buf);

#endif
