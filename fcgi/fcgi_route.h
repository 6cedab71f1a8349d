/*
 * fcgi_route: from a request to its answer, by one table.
 *
 * A row is target kind, methods, access, what the configuration must allow,
 * handler.  A known path with another method is 405 with Allow; OPTIONS on it
 * is 200 with Allow, naming only what would work (GitLab asks so whether it
 * may delete tags).
 */

#ifndef FCGI_ROUTE_H
#define FCGI_ROUTE_H

#include "fcgi_reply.h"
#include "fcgi_request.h"
#include "fcgi_service.h"

/* Answers into reply.  -1 with err: the error is answered instead. */
typedef int (*fcgi_handler_pt)(const fcgi_service_t *service,
    fcgi_request_t *r, fcgi_reply_t *reply, reg_error_t *err);

/* Fills reply, for fcgi_reply_send(), whatever happens. */
void fcgi_route(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply);

#endif
