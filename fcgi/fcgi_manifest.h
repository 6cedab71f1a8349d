/*
 * fcgi_manifest: manifests by tag and by digest.
 *
 * Bytes go out as they came in.  Which bytes a GET gets:
 *
 *     by digest                              those, whatever Accept says
 *     HEAD by tag                            the tag's own
 *     GET by tag, an image                   the tag's own
 *     GET by tag, an index that Accept       the tag's own
 *       covers, or says nothing about
 *     GET by tag, an index, and Accept       the child for linux/amd64, else
 *       names image manifests, not it          the first of a known platform,
 *                                              else 404
 *
 * The last line is for clients that know no indexes (GitLab's page); they
 * would fail on one.
 */

#ifndef FCGI_MANIFEST_H
#define FCGI_MANIFEST_H

#include "fcgi_route.h"

/* GET and HEAD. */
int fcgi_manifest_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

int fcgi_manifest_put(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

int fcgi_manifest_delete(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
