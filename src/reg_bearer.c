#include "reg_bearer.h"

#include <openssl/crypto.h>


/* what tokens of ours say of their issuer */
#define REG_BEARER_ISSUER  "nginx-registry"


/* ---- tokens of ours ------------------------------------------------------ */


/* The account or robot that a token of ours is for, as it is now.  1, 0: there
 * is none; -1. */
static int
reg_bearer_owner(const reg_verifiers_t *v, const reg_claims_t *claims,
    time_t now, reg_login_t **login, reg_error_t *err)
{
    reg_str_t      name = reg_str_from(claims->subject);
    unsigned char  print[REG_LOGIN_PRINT] = { 0 };

    if (reg_str_starts(name, REG_USER_ROBOT)) {
        return reg_robots_login(v->robots, name, now, login, err);
    }

    if (name.len > 0 && !reg_users_has(v->users, name, print)) {
        return 0;
    }

    *login = reg_login_create(name.len > 0 ? REG_WHO_USER : REG_WHO_ANYBODY,
                              name, err);

    if (*login == NULL) {
        return -1;
    }

    memcpy((*login)->print, print, sizeof(print));

    return 1;
}


/* The same if it has the secret still that it had when the token was made. */
static int
reg_bearer_same_owner(const reg_verifiers_t *v, const reg_claims_t *claims,
    time_t now, reg_login_t **login, reg_error_t *err)
{
    int  rc = reg_bearer_owner(v, claims, now, login, err);

    if (rc == 1 && claims->has_print
        && CRYPTO_memcmp((*login)->print, claims->print, REG_TOKEN_PRINT) != 0)
    {
        reg_login_release(*login);
        *login = NULL;
        rc = 0;
    }

    if (rc == 0) {
        (void) reg_error_set(err, REG_UNAUTHORIZED, "the account is no more,"
                             " or has another password");
    }

    return rc;
}


static int
reg_bearer_own(const reg_verifiers_t *v, reg_claims_t *claims,
    const reg_bearer_ask_t *ask, reg_login_t **login, reg_error_t *err)
{
    int  rc;

    if (claims->refresh != (ask->use == REG_BEARER_REFRESH)) {
        (void) reg_error_set(err, REG_UNAUTHORIZED, "a refresh token is for"
                             " the token server, and only that");
        return 0;
    }

    rc = reg_bearer_same_owner(v, claims, ask->now, login, err);

    if (rc != 1) {
        return rc;
    }

    (*login)->carries = !claims->refresh;

    if ((*login)->expires == 0 || claims->expires < (*login)->expires) {
        (*login)->expires = claims->expires;
    }

    (*login)->grants = claims->grants;
    claims->grants = (reg_grants_t) REG_GRANTS_INIT;

    return 1;
}


/* ---- tokens of another issuer's ------------------------------------------ */


static int
reg_bearer_theirs(reg_claims_t *claims, reg_login_t **login, reg_error_t *err)
{
    *login = reg_login_create(REG_WHO_BEARER,
                              reg_str_from(claims->subject[0] != '\0'
                                           ? claims->subject : "-"), err);

    if (*login == NULL) {
        return -1;
    }

    (*login)->carries = true;
    (*login)->expires = claims->expires;
    (*login)->grants = claims->grants;
    (*login)->protections = claims->protections;
    claims->grants = (reg_grants_t) REG_GRANTS_INIT;
    claims->protections = (reg_protections_t) REG_PROTECTIONS_INIT;

    return 1;
}


/* ---- whose it is --------------------------------------------------------- */


/* A token whose signature is right. */
static int
reg_bearer_signed(const reg_verifiers_t *v, const reg_jws_t *jws, bool own,
    const reg_bearer_ask_t *ask, reg_login_t **login, reg_error_t *err)
{
    int                 rc = 0;
    reg_buf_t           payload = REG_BUF_INIT;
    reg_claims_t        claims = REG_CLAIMS_INIT;
    reg_token_expect_t  expect = {
        own ? REG_BEARER_ISSUER : v->config->token_issuer,
        own ? v->config->tokens_service : v->config->token_service, ask->now
    };

    if (reg_jws_payload(jws, &payload, err) == 0
        && reg_claims_parse(&claims, reg_buf_str(&payload), &expect, err) == 0)
    {
        rc = own ? reg_bearer_own(v, &claims, ask, login, err)
                 : reg_bearer_theirs(&claims, login, err);
    }

    reg_claims_free(&claims);
    reg_buf_free(&payload);

    return rc;
}


int
reg_bearer_login(const reg_verifiers_t *v, const reg_bearer_ask_t *ask,
    reg_login_t **login, reg_error_t *err)
{
    int        rc = 0;
    reg_jws_t  jws;

    *login = NULL;

    if (reg_jws_parse(&jws, ask->token, err) == 0) {
        if (v->keys != NULL && reg_keys_verify(v->keys, &jws)) {
            rc = reg_bearer_signed(v, &jws, true, ask, login, err);

        } else if (v->trust == NULL || ask->use == REG_BEARER_REFRESH) {
            (void) reg_error_set(err, REG_UNAUTHORIZED, "no key of ours has"
                                 " signed it");

        } else if (reg_trust_verify(v->trust, &jws, ask->now, err) == 0) {
            rc = reg_bearer_signed(v, &jws, false, ask, login, err);
        }
    }

    reg_jws_free(&jws);

    return rc;
}


int
reg_bearer_issue(const reg_verifiers_t *v, const reg_bearer_new_t *new,
    reg_buf_t *token, reg_error_t *err)
{
    const reg_config_t  *config = v->config;
    int                  rc = -1;
    reg_buf_t            payload = REG_BUF_INIT;
    reg_claims_t         claims = REG_CLAIMS_INIT;
    reg_token_expect_t   expect = { REG_BEARER_ISSUER, config->tokens_service,
                                    new->now };

    if (new->login != NULL) {
        (void) reg_str_copy(claims.subject, sizeof(claims.subject),
                            reg_str_from(new->login->identity.name)); /* fits */
        memcpy(claims.print, new->login->print, sizeof(claims.print));
        claims.has_print = true;
    }

    claims.refresh = new->grants == NULL;
    claims.expires = new->now + (time_t) (claims.refresh
                                          ? config->tokens_refresh_lifetime
                                          : config->tokens_lifetime);

    if (new->grants != NULL) {
        claims.grants = *new->grants;            /* for the format only */
    }

    if (reg_claims_format(&claims, &expect, &payload, err) == 0) {
        rc = reg_keys_sign(v->keys, reg_buf_str(&payload), token, err);
    }

    reg_buf_free(&payload);

    return rc;
}
