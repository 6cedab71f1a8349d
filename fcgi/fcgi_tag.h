/*
 * fcgi_tag: GET /v2/NAME/tags/list, with n, last and Link (distribution spec,
 * "Listing Tags").
 */

#ifndef FCGI_TAG_H
#define FCGI_TAG_H

#include "fcgi_route.h"

int fcgi_tag_list(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
