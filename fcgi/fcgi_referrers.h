/*
 * fcgi_referrers: GET /v2/NAME/referrers/DIGEST
 *
 * OCI distribution spec 1.1, "Listing Referrers": 200 with an index, also when
 * nothing is known of the digest; artifactType= filters, and the answer says
 * so.  Pages are cut at FCGI_REFERRERS_BYTES; n= and last= as in other lists.
 *
 * Lists that older clients keep under a tag ("referrers tag schema") need no
 * help: what they name has a subject, so it was listed when it was pushed, or
 * is by `registryctl rebuild-index` if another registry took it.
 */

#ifndef FCGI_REFERRERS_H
#define FCGI_REFERRERS_H

#include "fcgi_reply.h"
#include "fcgi_request.h"
#include "fcgi_service.h"

#define FCGI_REFERRERS_BYTES  (2 * 1024 * 1024)

int fcgi_referrers_list(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
