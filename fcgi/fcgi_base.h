/*
 * fcgi_base: GET /v2/, "is this a registry?" (distribution spec, end-1); and
 * GET /v2/_health, "does it work?", for who has no login: a load balancer.
 */

#ifndef FCGI_BASE_H
#define FCGI_BASE_H

#include "fcgi_route.h"

int fcgi_base_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

/* -1 if the tree is not there. */
int fcgi_base_health(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
