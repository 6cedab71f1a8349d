/*
 * fcgi_request: what nginx says about a request, and its body.
 *
 *     fcgi_request_t  r;
 *
 *     fcgi_request_init(&r);                         once per thread
 *
 *     if (!fcgi_request_read(&r, &wire)) …           each request
 *     fcgi_request_body(&r, max, &body, &err)        those that have one
 *     fcgi_request_drain(&r)                         before the answer
 *
 *     fcgi_request_free(&r);
 *
 * Only these parameters are read, everything else that a client can put into
 * HTTP_… is not looked at:
 *
 *     REQUEST_METHOD   REGISTRY_URI ($uri)   REQUEST_URI   QUERY_STRING
 *     CONTENT_TYPE   CONTENT_LENGTH   REMOTE_ADDR   REGISTRY_ROOT
 *     HTTP_ACCEPT   HTTP_IF_NONE_MATCH   HTTP_USER_AGENT
 *     HTTP_AUTHORIZATION   REGISTRY_PURPOSE   REQUEST_SCHEME   HTTP_HOST
 *     HTTP_X_FORWARDED_PROTO   HTTP_X_FORWARDED_HOST
 *
 * A header that a client sends twice arrives as two parameters from nginx
 * before 1.23: those of Accept are joined.
 *
 * Slices live until the next head is read from the wire.
 */

#ifndef FCGI_REQUEST_H
#define FCGI_REQUEST_H

#include "fcgi_wire.h"
#include "reg_error.h"
#include "reg_login.h"
#include "reg_target.h"

typedef enum {
    FCGI_METHOD_GET,
    FCGI_METHOD_HEAD,
    FCGI_METHOD_POST,
    FCGI_METHOD_PUT,
    FCGI_METHOD_PATCH,
    FCGI_METHOD_DELETE,
    FCGI_METHOD_OPTIONS,
    FCGI_METHOD_OTHER
} fcgi_method_t;

typedef struct {
    fcgi_method_t   method;
    reg_target_t    target;             /* set by fcgi_route; its kind is
                                           REG_TARGETS if none is known */

    reg_str_t       method_text;
    reg_str_t       uri;                /* normalized */
    reg_str_t       raw;                /* as the client wrote it */
    reg_str_t       query;
    reg_str_t       content_type;
    reg_str_t       content_length_text;
    int64_t         content_length;     /* -1: not known */
    reg_str_t       client;
    reg_str_t       root;
    reg_str_t       accept;
    reg_str_t       if_none_match;
    reg_str_t       agent;
    reg_str_t       authorization;
    bool            twice;              /* there are two of it */
    reg_str_t       purpose;            /* of REGISTRY_PURPOSE */
    reg_str_t       scheme;
    reg_str_t       host;
    reg_str_t       forwarded_proto;    /* of whoever: see fcgi_origin.h */
    reg_str_t       forwarded_host;

    reg_login_t    *login;              /* held; NULL: nobody is known */
    time_t          until;              /* what was allowed ends; 0: never */

    fcgi_wire_t    *wire;               /* has the body */
    reg_buf_t       accepts;            /* several Accept, joined */
    char            agreed[512];        /* the last root that was ours */
} fcgi_request_t;


void fcgi_request_init(fcgi_request_t *r);

/* Takes up the parameters of the head that has arrived.  False if one of them
 * is cut off: then it is no request. */
bool fcgi_request_read(fcgi_request_t *r, fcgi_wire_t *wire);

/* True if it is nginx that asks what it may serve, and no client: only nginx's
 * configuration can give the purpose, which is then "decide". */
bool fcgi_request_is_question(const fcgi_request_t *r);

/* Appends the whole body to out.  -1 with MANIFEST_TOO_LARGE if it is longer
 * than max, SIZE_INVALID if less arrived than was announced. */
int fcgi_request_body(fcgi_request_t *r, size_t max, reg_buf_t *out,
    reg_error_t *err);

/* Reads and drops what is left of the body.  False if it does not end within
 * reason: the connection cannot be used again. */
bool fcgi_request_drain(fcgi_request_t *r);

/* -1 with UNAVAILABLE if nginx names another tree than ours. */
int fcgi_request_root(fcgi_request_t *r, const char *ours, reg_error_t *err);

void fcgi_request_free(fcgi_request_t *r);

/* Its name, of any but OTHER. */
reg_str_t fcgi_method_str(fcgi_method_t method);

#endif
