/*
 * fcgi_catalog: GET /v2/_catalog, the names of repositories, with n, last and
 * Link.  Not in the OCI specification; Docker's registry API has it.
 */

#ifndef FCGI_CATALOG_H
#define FCGI_CATALOG_H

#include "fcgi_route.h"

int fcgi_catalog_list(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
