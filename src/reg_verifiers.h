/*
 * reg_verifiers: what credentials are verified by, as the configuration says.
 *
 *     reg_verifiers_t  v;
 *
 *     rc = reg_verifiers_open(&v, config, err);
 *     …
 *     rc = reg_verifiers_password(&v, &(reg_verifiers_ask_t) {
 *                                     user, password, now }, &login, err);
 *     …
 *     reg_verifiers_close(&v);                      in any case
 *
 *     users     auth.htpasswd.path; whom it has not, the directory of
 *               nginx_registry.ldap is asked about
 *     robots    robots.json in nginx_registry.state, where there is htpasswd
 *     keys      in nginx_registry.state: tokens of ours
 *     trust     auth.token.rootcertbundle, jwks: another issuer's tokens
 *
 * What tokens say is reg_bearer.h's.  Files that change are read again.
 *
 * Safe to call from all threads, once it is open.
 *
 * Blocks: disk, and network where there is a directory
 */

#ifndef REG_VERIFIERS_H
#define REG_VERIFIERS_H

#include "reg_config.h"
#include "reg_keys.h"
#include "reg_robots.h"
#include "reg_trust.h"
#include "reg_users.h"

typedef struct {
    const reg_config_t  *config;         /* borrowed */
    reg_users_t         *users;          /* NULL: nobody can log in here */
    reg_robots_t        *robots;         /* the same */
    reg_keys_t          *keys;           /* NULL: there are none of ours */
    reg_trust_t         *trust;          /* NULL: none of another issuer's */
} reg_verifiers_t;

typedef struct {
    reg_str_t  user;
    reg_str_t  password;
    time_t     now;
} reg_verifiers_ask_t;


/* Makes the keys if there are to be some and are none yet.  -1 with the key of
 * the configuration whose file is wrong. */
int reg_verifiers_open(reg_verifiers_t *v, const reg_config_t *config,
    reg_error_t *err);
void reg_verifiers_close(reg_verifiers_t *v);

/* Whether the files could be opened now.  Makes nothing. */
int reg_verifiers_check(const reg_config_t *config, reg_error_t *err);

/* 1: it is right, and *login is held.  0: it is not.  -1: that cannot be
 * told.  There must be users. */
int reg_verifiers_password(const reg_verifiers_t *v,
    const reg_verifiers_ask_t *ask, reg_login_t **login, reg_error_t *err);

/* Another number whenever something that was verified may not be any more. */
uint64_t reg_verifiers_age(const reg_verifiers_t *v);

/* The next thing that an operator should know of the files that were read: 1
 * and a sentence, or 0. */
int reg_verifiers_message(const reg_verifiers_t *v, char *out, size_t size);

#endif
