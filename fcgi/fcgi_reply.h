/*
 * fcgi_reply: the answer, built first and sent at once.
 *
 *     fcgi_reply_begin(reply, 201);
 *     fcgi_reply_header(reply, "Location", location);
 *     reg_buf_puts(&reply->body, …);
 *     …
 *     fcgi_reply_send(reply, wire, FCGI_REPLY_WHOLE);
 *
 * Every answer gets an exact Content-Length (but 204 and 304, which have
 * none), Docker-Distribution-Api-Version and X-Content-Type-Options.  A header
 * value with a control character is not sent, whoever made it.  Locations are
 * relative: right behind any proxy.
 *
 * One object per thread, used again and again.
 */

#ifndef FCGI_REPLY_H
#define FCGI_REPLY_H

#include "fcgi_cache.h"
#include "fcgi_wire.h"
#include "reg_error.h"
#include "reg_ref.h"

typedef enum {
    FCGI_REPLY_WHOLE,
    FCGI_REPLY_HEAD              /* the headers that GET would have */
} fcgi_reply_part_t;

typedef struct {
    int                  status;
    reg_buf_t            head;       /* lines of "Name: value" */
    reg_buf_t            body;
    fcgi_cache_entry_t  *entry;      /* owned; its body goes out instead */
    reg_digest_t         digest;     /* what is told; "" if none is */
    reg_error_t          error;      /* what is told, for the log */
} fcgi_reply_t;


void fcgi_reply_init(fcgi_reply_t *reply);

/* Drops what was built and starts again. */
void fcgi_reply_begin(fcgi_reply_t *reply, int status);

void fcgi_reply_header(fcgi_reply_t *reply, const char *name,
    reg_str_t value);

/* "Location: /v2/NAME/tail/last" */
void fcgi_reply_location(fcgi_reply_t *reply, const reg_name_t *name,
    const char *tail, reg_str_t last);

void fcgi_reply_digest(fcgi_reply_t *reply, const reg_digest_t *digest);

/* The body will be JSON. */
void fcgi_reply_json(fcgi_reply_t *reply);

/* Sends the body of entry and takes it over. */
void fcgi_reply_take(fcgi_reply_t *reply, fcgi_cache_entry_t *entry);

/* Starts again, as the answer for n errors; the first gives the status. */
void fcgi_reply_errors(fcgi_reply_t *reply, const reg_error_t *errs,
    size_t n);

/* Bytes of body that fcgi_reply_send() sends. */
size_t fcgi_reply_length(const fcgi_reply_t *reply);

/* False if the connection is not to be used again. */
bool fcgi_reply_send(fcgi_reply_t *reply, fcgi_wire_t *wire,
    fcgi_reply_part_t part);

void fcgi_reply_free(fcgi_reply_t *reply);

#endif
