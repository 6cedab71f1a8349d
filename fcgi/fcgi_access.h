/*
 * fcgi_access: who may come in, asked before every handler.
 *
 * A refusal is the specification's error with the status that makes clients do
 * the right thing (Docker's token specification; RFC 7235, 6750, 7617):
 *
 *     401, WWW-Authenticate    nobody is logged in, the credentials are wrong
 *                              (error="invalid_token"), or the token carries
 *                              too little (error="insufficient_scope")
 *     403                      known, and may not
 *     429, Retry-After         too many failed logins
 *
 * A realm is the only absolute URL that we send (fcgi_origin.h).
 *
 * nginx asks by a subrequest before it serves blobs by itself (see
 * fcgi_request_is_question()), and the answer, which no client sees, is 204
 * with
 *
 *     Registry-Decision: allow         or "open": everybody may do everything
 *     Registry-Until: 1767225600       if it ends by itself (seconds)
 *     Registry-User: alice             percent-encoded, if somebody is known
 *
 * or a refusal.
 */

#ifndef FCGI_ACCESS_H
#define FCGI_ACCESS_H

#include "fcgi_reply.h"
#include "fcgi_request.h"
#include "fcgi_service.h"

/* 0: go on, r->login says who it is.  -1: refused, and reply says how. */
int fcgi_access_check(const fcgi_service_t *service, fcgi_request_t *r,
    reg_actions_t actions, fcgi_reply_t *reply);

/* Refuses credentials at the token server: a Basic challenge, or 429. */
void fcgi_access_refuse_login(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_access_verdict_t *verdict,
    fcgi_reply_t *reply);

/* The answer to nginx: what was allowed above. */
void fcgi_access_tell(const fcgi_service_t *service, const fcgi_request_t *r,
    fcgi_reply_t *reply);

/* Tells nginx who it was, for its log; no client sees it. */
void fcgi_access_user(const fcgi_request_t *r, fcgi_reply_t *reply);

/* Notes what was done, or refused, for the audit. */
void fcgi_access_audit(const fcgi_service_t *service, const fcgi_request_t *r,
    const fcgi_reply_t *reply, const char *event);

/* What who asks may do to another repository. */
reg_actions_t fcgi_access_grant(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_name_t *name);

/* Asks the client for a token that carries also what it needs of another
 * repository, if its account has that: true, and reply says so. */
bool fcgi_access_ask_more(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_name_t *name, fcgi_reply_t *reply);

#endif
