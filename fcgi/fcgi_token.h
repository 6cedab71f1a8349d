/*
 * fcgi_token: our token server (Docker's "Token Authentication Specification"
 * and "Docker Registry v2 authentication using OAuth2").
 *
 *     GET  /v2/_token?service=…&scope=repository:a:pull&scope=…
 *          [&account=…][&offline_token=true]          Basic, or nobody
 *     POST /v2/_token, a form: grant_type=password, username, password, or
 *          grant_type=refresh_token, refresh_token; scope (blanks between),
 *          service, client_id, [access_type=offline]
 *     GET  /v2/_keys                                  JSON Web Key Set
 *
 * The answer has token and access_token (the same), expires_in, issued_at, and
 * a refresh_token if one was asked for by somebody who is known.  Scopes are
 * narrowed to what policy gives: a token that carries nothing is no error, the
 * registry says what is missing.  Nobody gets a token too: it carries what is
 * everybody's.
 *
 * Wrong credentials are 401 with a Basic challenge, so that no client asks here
 * for a token to ask here.
 */

#ifndef FCGI_TOKEN_H
#define FCGI_TOKEN_H

#include "fcgi_route.h"

#define FCGI_TOKEN_FORM  (64 * 1024)     /* bytes; nginx knows it as well */

int fcgi_token_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);
int fcgi_token_post(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);
int fcgi_token_keys(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err);

#endif
