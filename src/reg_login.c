#include "reg_login.h"

#include "reg_policy.h"


reg_login_t *
reg_login_create(reg_who_t who, reg_str_t name, reg_error_t *err)
{
    reg_login_t  *login = NULL;

    if (who != REG_WHO_ANYBODY && !reg_user_valid(name)) {
        (void) reg_error_set(err, REG_UNAUTHORIZED, "not a name of an account:"
                             " 1 to %d bytes of text without ':'",
                             REG_USER_MAX);
        return NULL;
    }

    login = calloc(1, sizeof(*login));

    if (login == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    atomic_init(&login->holders, 1);
    login->identity.who = who;
    (void) reg_str_copy(login->identity.name, sizeof(login->identity.name),
                        name);                           /* fits */
    return login;
}


reg_login_t *
reg_login_hold(reg_login_t *login)
{
    (void) atomic_fetch_add_explicit(&login->holders, 1,
                                     memory_order_relaxed);
    return login;
}


void
reg_login_release(reg_login_t *login)
{
    if (login == NULL
        || atomic_fetch_sub_explicit(&login->holders, 1, memory_order_acq_rel)
           != 1)
    {
        return;
    }

    reg_grants_free(&login->grants);
    reg_protections_free(&login->protections);
    reg_policy_free(login->robot);
    free(login);
}
