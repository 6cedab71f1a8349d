/*
 * reg_login: credentials that were verified: who that is, until when, and what
 * came with them.
 *
 * Made once, then only read, by any number of threads; it lives as long as
 * somebody holds it.
 *
 *     reg_login_t  *login = reg_login_create(REG_WHO_USER, user, &err);
 *
 *     login->expires = …                         before anybody else sees it
 *     reg_login_hold(login)                      one more holder
 *     reg_login_release(login)                   each, in the end
 *
 * Blocks: never
 */

#ifndef REG_LOGIN_H
#define REG_LOGIN_H

#include <stdatomic.h>

#include "reg_identity.h"
#include "reg_protection.h"
#include "reg_scope.h"

#define REG_LOGIN_PRINT  32              /* bytes: a SHA-256 */

typedef struct {
    atomic_uint        holders;
    reg_identity_t     identity;
    time_t             expires;          /* not to be used from then on; 0:
                                            it has no end of its own */

    /* a token was shown, and it carries these and no more */
    bool               carries;
    reg_grants_t       grants;
    reg_protections_t  protections;

    /* of a robot: where it may do what; a policy of its own, or NULL */
    struct reg_policy_s  *robot;

    /* another one when the secret is: what is bound to it dies with it */
    unsigned char    print[REG_LOGIN_PRINT];
} reg_login_t;


/* Held once.  NULL without memory, or if name is no user's. */
reg_login_t *reg_login_create(reg_who_t who, reg_str_t name,
    reg_error_t *err);

reg_login_t *reg_login_hold(reg_login_t *login);
void reg_login_release(reg_login_t *login);              /* NULL is allowed */

#endif
