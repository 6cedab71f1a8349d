/*
 * fcgi_blob: what nginx leaves of blobs to the worker.
 *
 * Bytes of blobs go through the nginx module.  A GET or HEAD arrives here if
 * the blob is not there, which gets its 404, or if nginx could not serve it,
 * which gets a 503 that says why.
 */

#ifndef FCGI_BLOB_H
#define FCGI_BLOB_H

#include "fcgi_route.h"

int fcgi_blob_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);
int fcgi_blob_delete(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
