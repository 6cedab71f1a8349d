/*
 * fcgi_upload: the start, the status and the end of an upload session, and
 * mounts from another repository.  The bytes in between are nginx's.
 *
 *     POST   /v2/NAME/blobs/uploads/                     202, a session
 *     POST   …?mount=DIGEST&from=NAME                    201, or 202
 *     GET    /v2/NAME/blobs/uploads/UUID                 204, how far it is
 *     DELETE /v2/NAME/blobs/uploads/UUID                 204, cancelled
 */

#ifndef FCGI_UPLOAD_H
#define FCGI_UPLOAD_H

#include "fcgi_route.h"

int fcgi_upload_create(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);
int fcgi_upload_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);
int fcgi_upload_delete(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

/* PATCH and PUT, which nginx should have taken. */
int fcgi_upload_misplaced(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
