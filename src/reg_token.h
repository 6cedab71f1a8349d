/*
 * reg_token: what a token says (RFC 7519; Docker's "Token Authentication
 * Implementation"), once its signature is believed.
 *
 *     iss   who made it            equal to what is expected
 *     aud   for whom               a text, or a list that has us in it
 *     exp, nbf                     with a minute of leeway; exp must be there
 *     sub   who it is              a name of an account; absent or "": nobody's
 *     access                       [{"type":"repository","name":"a/b",
 *                                    "actions":["pull","push"]}, …]
 *
 * Names of repositories are literal: "a/" with a star gives nothing but
 * itself, which no repository is called.  Types and actions that we do not know
 * give nothing.  Of an entry's "meta" patterns of tags are read, which take
 * something away (reg_protection.h).
 *
 * Tokens of our own server have the same form and two claims more:
 *
 *     use     "refresh": good for new tokens, at the token server only
 *     print   a part of the password's or secret's that it was given for:
 *             when that is another one, the token is over
 *
 * Blocks: never
 */

#ifndef REG_TOKEN_H
#define REG_TOKEN_H

#include "reg_login.h"

#define REG_TOKEN_LEEWAY  60             /* seconds */

/* bytes of a print that a token has: each costs with every request */
#define REG_TOKEN_PRINT   8

typedef struct {
    const char  *issuer;
    const char  *service;
    time_t       now;
} reg_token_expect_t;

typedef struct {
    char               subject[REG_USER_MAX + 1];        /* "": nobody */
    time_t             expires;
    reg_grants_t       grants;                           /* owned */
    reg_protections_t  protections;                      /* owned */
    bool               refresh;
    bool               has_print;
    unsigned char      print[REG_TOKEN_PRINT];
} reg_claims_t;

#define REG_CLAIMS_INIT  { .subject = "" }


/* Reads a payload.  -1 with UNAUTHORIZED and why, for the log. */
int reg_claims_parse(reg_claims_t *claims, reg_str_t payload,
    const reg_token_expect_t *expect, reg_error_t *err);

/* Appends a payload; issuer and service are those of expect. */
int reg_claims_format(const reg_claims_t *claims,
    const reg_token_expect_t *expect, reg_buf_t *out, reg_error_t *err);

void reg_claims_free(reg_claims_t *claims);

#endif
