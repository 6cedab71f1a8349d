#include "reg_access.h"

#include "reg_basic.h"
#include "reg_bearer.h"
#include "reg_clock.h"
#include "reg_epoch.h"
#include "reg_hash.h"
#include "reg_memory.h"
#include "reg_verifiers.h"


/* seconds that a verified password is remembered */
#define REG_ACCESS_REMEMBER    60

/* of a header that is looked at: a token of 16 KiB, and what is before it */
#define REG_ACCESS_HEADER_MAX  (16 * 1024 + 64)


struct reg_access_s {
    const reg_config_t  *config;
    reg_store_t         *store;
    reg_policy_t        *own;            /* without one in the configuration */
    const reg_policy_t  *policy;
    reg_verifiers_t      verifiers;
    reg_throttle_t      *throttle;       /* NULL: none */
    reg_memory_t        *memory;
    bool                 open;
};


static const reg_identity_t  reg_access_anybody = REG_IDENTITY_ANYBODY;


/* ---- opening ------------------------------------------------------------- */


static reg_access_way_t
reg_access_way_of(const reg_config_t *config)
{
    return config->tokens_enabled ? REG_ACCESS_TOKENS
           : config->token_issuer[0] != '\0' ? REG_ACCESS_ISSUER
           : config->htpasswd_path[0] != '\0' ? REG_ACCESS_BASIC
           : REG_ACCESS_NOBODY;
}


reg_policy_t *
reg_access_default(const reg_config_t *config, reg_error_t *err)
{
    bool           open = reg_access_way_of(config) == REG_ACCESS_NOBODY;
    reg_policy_t  *policy = reg_policy_create();

    if (policy == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    if (reg_policy_rule(policy, 0, err) == -1
        || reg_policy_who(policy, open ? REG_STR("anonymous") : REG_STR("*"),
                          err) == -1
        || reg_policy_action(policy, REG_STR("*"), err) == -1
        || reg_policy_action(policy, REG_STR("catalog"), err) == -1)
    {
        reg_policy_free(policy);
        return NULL;
    }

    return policy;
}


void
reg_access_describe(const reg_config_t *config, reg_buf_t *out)
{
    const struct {
        const char  *value, *text;
    } ways[] = {
        { config->htpasswd_path, "accounts of " },
        { config->tokens_enabled ? "/v2/_token" : "", "tokens of our own, " },
        { config->token_issuer, "tokens of " },
    };

    bool  any = false;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (ways[i].value[0] != '\0') {
            reg_buf_printf(out, "%s%s%s", any ? "; " : "", ways[i].text,
                           ways[i].value);
            any = true;
        }
    }

    if (config->policy != NULL) {
        reg_buf_puts(out, any ? "; by the rules of nginx_registry.access"
                              : "no accounts; what nginx_registry.access"
                                " gives to anonymous");

    } else {
        reg_buf_puts(out, !any ? "open: everybody may pull, push and delete"
                          : config->htpasswd_path[0] == '\0'
                          ? ", which say what may be done"
                          : "; every account may pull, push and delete");
    }
}


int
reg_access_open(reg_access_t **out, const reg_config_t *config,
    reg_store_t *store, reg_throttle_t *throttle, reg_error_t *err)
{
    reg_access_t  *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    a->config = config;
    a->store = store;
    a->throttle = throttle;
    a->policy = config->policy;
    a->memory = reg_memory_create(err);

    if (a->memory == NULL
        || reg_verifiers_open(&a->verifiers, config, err) == -1)
    {
        goto failed;
    }

    if (a->policy == NULL) {
        a->open = reg_access_way(a) == REG_ACCESS_NOBODY;
        a->own = reg_access_default(config, err);
        a->policy = a->own;

        if (a->own == NULL) {
            goto failed;
        }
    }

    *out = a;
    return 0;

failed:
    reg_access_close(a);
    return -1;
}


void
reg_access_close(reg_access_t *a)
{
    if (a != NULL) {
        reg_verifiers_close(&a->verifiers);
        reg_memory_free(a->memory);
        reg_policy_free(a->own);
        free(a);
    }
}


int
reg_access_message(reg_access_t *a, char *out, size_t size)
{
    return reg_verifiers_message(&a->verifiers, out, size);
}


reg_access_way_t
reg_access_way(const reg_access_t *a)
{
    return reg_access_way_of(a->config);
}


bool
reg_access_is_open(const reg_access_t *a)
{
    return a->open;
}


/* ---- what is allowed ----------------------------------------------------- */


/* What it would be without a token of ours that carries less. */
static reg_actions_t
reg_access_known(const reg_access_t *a, const reg_login_t *login,
    const reg_name_t *name)
{
    reg_actions_t          actions;
    const reg_identity_t  *identity = login != NULL ? &login->identity
                                                    : &reg_access_anybody;

    actions = reg_policy_allow(a->policy, identity, name, NULL);

    if (identity->who == REG_WHO_BEARER) {
        actions |= reg_grants_allow(&login->grants, name);
    }

    if (identity->who == REG_WHO_ROBOT && login->robot != NULL) {
        actions |= reg_policy_allow(login->robot, &reg_access_anybody, name,
                                    NULL);
    }

    return actions;
}


reg_actions_t
reg_access_grant(const reg_access_t *a, const reg_login_t *login,
    const reg_name_t *name)
{
    reg_actions_t  actions = reg_access_known(a, login, name);

    if (login != NULL && login->carries
        && login->identity.who != REG_WHO_BEARER)
    {
        actions &= reg_grants_allow(&login->grants, name);
    }

    return actions;
}


/* ---- who it is: a password ----------------------------------------------- */


/* Whatever was remembered when this was another number is forgotten. */
static uint64_t
reg_access_age(const reg_access_t *a)
{
    const uint64_t  ages[] = {
        reg_epoch_look(a->store), reg_verifiers_age(&a->verifiers),
    };

    return reg_hash_words(ages, sizeof(ages) / sizeof(ages[0]));
}


static int
reg_access_password(reg_access_t *a, reg_str_t user, reg_str_t password,
    const reg_access_ask_t *from, reg_access_verdict_t *verdict,
    reg_error_t *err)
{
    int                  rc = 0;
    int64_t              wait = 0;
    int64_t              now = reg_clock_ns(CLOCK_MONOTONIC) / REG_CLOCK_MS;
    reg_throttle_key_t   key = { user, from->client };

    if (a->throttle != NULL) {
        wait = reg_throttle_wait(a->throttle, &key, now);
    }

    if (wait > 0) {
        verdict->result = REG_ACCESS_SLOW;
        verdict->wait = (wait + 999) / 1000;
        return 0;
    }

    rc = reg_verifiers_password(&a->verifiers, &(reg_verifiers_ask_t) {
                                    user, password, from->now },
                                &verdict->login, err);

    /* without a password nothing was guessed */
    if (a->throttle != NULL && rc != -1 && password.len > 0) {
        (rc == 1 ? reg_throttle_passed : reg_throttle_failed)
            (a->throttle, &key, now);
    }

    verdict->result = rc == 1 ? REG_ACCESS_ALLOWED : REG_ACCESS_WRONG;

    return rc == -1 ? -1 : 0;
}


int
reg_access_login(reg_access_t *a, reg_str_t user, reg_str_t password,
    const reg_access_ask_t *from, reg_access_verdict_t *verdict,
    reg_error_t *err)
{
    int            rc = -1;
    uint64_t       age = reg_access_age(a);
    reg_buf_t      both = REG_BUF_INIT;
    unsigned char  key[REG_LOGIN_PRINT];

    memset(verdict, 0, sizeof(*verdict));
    verdict->result = REG_ACCESS_WRONG;

    if (a->verifiers.users == NULL) {
        return 0;
    }

    reg_buf_putstr(&both, user);
    reg_buf_put(&both, "", 1);           /* in no name */
    reg_buf_putstr(&both, password);

    if (!reg_buf_ok(&both)
        || reg_memory_key(a->memory, REG_MEMORY_PASSWORD, reg_buf_str(&both),
                          key) == -1)
    {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        goto out;
    }

    verdict->login = reg_memory_get(a->memory, key, age, from->now);

    if (verdict->login != NULL) {
        verdict->result = REG_ACCESS_ALLOWED;
        rc = 0;
        goto out;
    }

    rc = reg_access_password(a, user, password, from, verdict, err);

    if (rc == 0 && verdict->login != NULL) {
        time_t  until = from->now + REG_ACCESS_REMEMBER;

        if (verdict->login->expires != 0 && verdict->login->expires < until) {
            until = verdict->login->expires;
        }

        reg_memory_put(a->memory, key, verdict->login, age, until);
    }

out:
    if (both.data != NULL) {
        explicit_bzero(both.data, both.len);
    }

    reg_buf_free(&both);
    return rc;
}


/* The scheme, in any case, and what follows it. */
static bool
reg_access_scheme(reg_str_t header, reg_str_t scheme, reg_str_t *value)
{
    reg_str_t  word = reg_str_cut(&header, ' ');

    *value = reg_str_trim(header);

    return reg_str_eq_nocase(word, scheme);
}


static int
reg_access_pair(reg_access_t *a, reg_str_t value, const reg_access_ask_t *ask,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    int          rc = 0;
    reg_basic_t  basic;

    verdict->result = REG_ACCESS_WRONG;

    if (reg_basic_parse(&basic, value) == 0) {
        rc = reg_access_login(a, basic.user, basic.password, ask, verdict,
                              err);
    }

    reg_basic_wipe(&basic);

    return rc;
}


int
reg_access_basic(reg_access_t *a, const reg_access_ask_t *from,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    bool       basic;
    reg_str_t  value;

    memset(verdict, 0, sizeof(*verdict));
    basic = reg_access_scheme(from->authorization, REG_STR("Basic"), &value);

    /* podman and skopeo have an empty name with an empty password when they
     * have none: base64 of ":" */
    if (from->authorization.len == 0
        || (basic && reg_str_eq(value, REG_STR("Og=="))))
    {
        return 0;
    }

    verdict->result = REG_ACCESS_WRONG;

    return basic ? reg_access_pair(a, value, from, verdict, err) : 0;
}


/* ---- who it is: a token -------------------------------------------------- */


static int
reg_access_token(const reg_access_t *a, const reg_bearer_ask_t *ask,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    reg_error_t  why = REG_ERROR_INIT;
    int          rc = reg_bearer_login(&a->verifiers, ask, &verdict->login,
                                       &why);

    if (rc == -1) {
        *err = why;
        return -1;
    }

    verdict->result = rc == 1 ? REG_ACCESS_ALLOWED : REG_ACCESS_WRONG;

    if (rc == 0) {
        (void) snprintf(verdict->why, sizeof(verdict->why), "%s",
                        reg_error_message(&why));
    }

    return 0;
}


static int
reg_access_bearer(reg_access_t *a, reg_str_t token,
    const reg_access_ask_t *ask, reg_access_verdict_t *verdict,
    reg_error_t *err)
{
    int            rc;
    uint64_t       age = reg_access_age(a);
    unsigned char  key[REG_LOGIN_PRINT];

    verdict->bearer = true;

    if (reg_memory_key(a->memory, REG_MEMORY_TOKEN, token, key) == -1) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    verdict->login = reg_memory_get(a->memory, key, age, ask->now);

    if (verdict->login != NULL) {
        verdict->result = REG_ACCESS_ALLOWED;
        return 0;
    }

    rc = reg_access_token(a, &(reg_bearer_ask_t) {
                              token, REG_BEARER_ACCESS, ask->now },
                          verdict, err);

    if (rc == 0 && verdict->login != NULL) {
        reg_memory_put(a->memory, key, verdict->login, age,
                       verdict->login->expires);
    }

    return rc;
}


int
reg_access_refresh(reg_access_t *a, reg_str_t token,
    const reg_access_ask_t *from, reg_access_verdict_t *verdict,
    reg_error_t *err)
{
    memset(verdict, 0, sizeof(*verdict));
    verdict->bearer = true;

    return reg_access_token(a, &(reg_bearer_ask_t) {
                                token, REG_BEARER_REFRESH, from->now },
                            verdict, err);
}


/* ---- tokens of ours ------------------------------------------------------ */


int
reg_access_issue(reg_access_t *a, const reg_login_t *login,
    const reg_grants_t *asked, time_t now, reg_buf_t *token,
    reg_grants_t *granted, reg_error_t *err)
{
    for (size_t i = 0; asked != NULL && i < asked->n; i++) {
        reg_scope_t  scope = asked->list[i];

        scope.actions &= reg_access_grant(a, login,
                                          scope.kind == REG_SCOPE_REPOSITORY
                                          ? &scope.name : NULL);

        if (scope.actions != 0
            && reg_grants_add(granted, &scope, err) == -1)
        {
            return -1;
        }
    }

    return reg_bearer_issue(&a->verifiers, &(reg_bearer_new_t) {
                                login, asked == NULL ? NULL : granted, now },
                            token, err);
}


int
reg_access_keys(reg_access_t *a, reg_buf_t *out, reg_error_t *err)
{
    return a->verifiers.keys == NULL
           ? reg_error_set(err, REG_NOT_FOUND, NULL)
           : reg_keys_publish(a->verifiers.keys, out, err);
}


/* ---- who it is ----------------------------------------------------------- */


static int
reg_access_identify(reg_access_t *a, const reg_access_ask_t *ask,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    reg_str_t  value;

    /* without accounts a header is somebody else's: nginx's auth_basic */
    if (ask->authorization.len == 0
        || reg_access_way(a) == REG_ACCESS_NOBODY)
    {
        return 0;
    }

    verdict->result = REG_ACCESS_WRONG;

    if (ask->authorization.len > REG_ACCESS_HEADER_MAX) {
        return 0;
    }

    if (reg_access_scheme(ask->authorization, REG_STR("Bearer"), &value)) {
        return reg_access_bearer(a, value, ask, verdict, err);
    }

    return reg_access_basic(a, ask, verdict, err);
}


/* ---- the decision -------------------------------------------------------- */


bool
reg_access_is_short(const reg_access_t *a, const reg_login_t *login,
    const reg_name_t *name, reg_actions_t actions)
{
    return login != NULL && login->carries
           && login->identity.who != REG_WHO_BEARER
           && (actions & ~reg_access_grant(a, login, name)) != 0
           && (actions & ~reg_access_known(a, login, name)) == 0;
}


/* What a login that may not has to hear. */
static reg_access_result_t
reg_access_refusal(const reg_access_t *a, const reg_access_ask_t *ask,
    const reg_login_t *login)
{
    if (login == NULL) {
        return REG_ACCESS_LOGIN;
    }

    /* with another token it could be allowed: one of another issuer's, one of
     * somebody's, or one of ours with all that policy gives */
    if (login->carries
        && (login->identity.who == REG_WHO_BEARER
            || login->identity.who == REG_WHO_ANYBODY
            || reg_access_is_short(a, login, ask->name, ask->actions)))
    {
        return REG_ACCESS_SHORT;
    }

    return REG_ACCESS_DENIED;
}


int
reg_access_decide(reg_access_t *a, const reg_access_ask_t *ask,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    reg_actions_t  given;

    memset(verdict, 0, sizeof(*verdict));

    if (reg_access_identify(a, ask, verdict, err) == -1) {
        return -1;
    }

    if (verdict->result != REG_ACCESS_ALLOWED) {
        return 0;
    }

    /* "may I come in" is asked by docker login: who could log in must */
    if (ask->actions == 0) {
        if (verdict->login == NULL
            && reg_access_way(a) != REG_ACCESS_NOBODY)
        {
            verdict->result = REG_ACCESS_LOGIN;
        }

        return 0;
    }

    given = reg_access_grant(a, verdict->login, ask->name);

    if ((ask->actions & ~given) != 0) {
        verdict->result = reg_access_refusal(a, ask, verdict->login);
        return 0;
    }

    if (verdict->login != NULL) {
        verdict->until = verdict->login->expires;
    }

    return 0;
}
