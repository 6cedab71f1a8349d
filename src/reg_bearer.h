/*
 * reg_bearer: tokens, from what a client shows to who that is, and back.
 *
 *     rc = reg_bearer_login(&verifiers, &(reg_bearer_ask_t) {
 *                               token, REG_BEARER_ACCESS, now }, &login, err);
 *
 * Who has signed a token says whose it is:
 *
 *     a key of ours            an account, a robot or nobody, as they are now:
 *                              who is gone, or has another secret since, is
 *                              nobody's token any more
 *     a key of the issuer      whoever it says that it is for; what it carries
 *     that we trust            counts (reg_trust.h)
 *
 * A refresh token is for the token server and for nothing else; only we issue
 * those that we take.
 *
 * Blocks: disk
 */

#ifndef REG_BEARER_H
#define REG_BEARER_H

#include "reg_token.h"
#include "reg_verifiers.h"

typedef enum {
    REG_BEARER_ACCESS,
    REG_BEARER_REFRESH
} reg_bearer_use_t;

typedef struct {
    reg_str_t            token;
    reg_bearer_use_t     use;            /* what it is shown for */
    time_t               now;
} reg_bearer_ask_t;

/* A token that is to be. */
typedef struct {
    const reg_login_t   *login;          /* NULL: for anybody */
    const reg_grants_t  *grants;         /* NULL: it is a refresh token */
    time_t               now;
} reg_bearer_new_t;


/* 1: *login is held.  0: it is no good, and err says why, for the log.  -1:
 * that cannot be told. */
int reg_bearer_login(const reg_verifiers_t *v, const reg_bearer_ask_t *ask,
    reg_login_t **login, reg_error_t *err);

/* Appends a token of ours, of which there must be keys. */
int reg_bearer_issue(const reg_verifiers_t *v, const reg_bearer_new_t *new,
    reg_buf_t *token, reg_error_t *err);

#endif
