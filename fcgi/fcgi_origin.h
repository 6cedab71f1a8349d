/*
 * fcgi_origin: where a client finds us, "https://registry.example.org".
 *
 * It is what the configuration says (external_url), else what a trusted proxy
 * says in X-Forwarded-Proto and -Host, else as the request came.  A host that
 * could be anything else in a URL or a header is not taken.
 *
 * Only realms need it: every Location that we send is relative.
 */

#ifndef FCGI_ORIGIN_H
#define FCGI_ORIGIN_H

#include "fcgi_request.h"
#include "reg_config.h"

/* Appends it, without a slash at the end. */
void fcgi_origin(const reg_config_t *config, const fcgi_request_t *r,
    reg_buf_t *out);

#endif
