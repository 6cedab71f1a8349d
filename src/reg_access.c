#include "reg_access.h"

#include <openssl/evp.h>

#include "reg_epoch.h"
#include "reg_memory.h"
#include "reg_users.h"


/* seconds that a verified password is remembered */
#define REG_ACCESS_REMEMBER   60

/* of a header that is looked at: a token of 16 KiB, and what is before it */
#define REG_ACCESS_HEADER_MAX  (16 * 1024 + 64)

/* "user:password" */
#define REG_ACCESS_BASIC_MAX   1024


struct reg_access_s {
    const reg_config_t  *config;
    reg_store_t         *store;
    reg_policy_t        *own;            /* without one in the configuration */
    const reg_policy_t  *policy;
    reg_users_t         *users;          /* NULL: no htpasswd */
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
        reg_buf_puts(out, any ? "; every account may pull, push and delete"
                              : "open: everybody may pull, push and delete");
    }
}


int
reg_access_open(reg_access_t **out, const reg_config_t *config,
    reg_store_t *store, reg_error_t *err)
{
    reg_access_t  *a = calloc(1, sizeof(*a));

    if (a == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    a->config = config;
    a->store = store;
    a->policy = config->policy;
    a->memory = reg_memory_create(err);

    if (a->memory == NULL
        || (config->htpasswd_path[0] != '\0'
            && reg_users_open(&a->users, config->htpasswd_path, err) == -1))
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
        reg_users_close(a->users);
        reg_memory_free(a->memory);
        reg_policy_free(a->own);
        free(a);
    }
}


int
reg_access_message(reg_access_t *a, char *out, size_t size)
{
    return a->users != NULL ? reg_users_message(a->users, out, size) : 0;
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


/* ---- who it is ----------------------------------------------------------- */


/* What was remembered before this changed is forgotten. */
static uint64_t
reg_access_age(reg_access_t *a)
{
    uint64_t  age = reg_epoch_look(a->store);

    return a->users != NULL ? age ^ (reg_users_age(a->users) << 1) : age;
}


static int
reg_access_password(reg_access_t *a, reg_str_t user, reg_str_t password,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    unsigned char   print[REG_LOGIN_PRINT];
    reg_login_t    *login;

    verdict->result = REG_ACCESS_WRONG;

    if (a->users == NULL) {
        return 0;
    }

    switch (reg_users_verify(a->users, user, password, print, err)) {

    case -1:
        return -1;

    case 0:
        return 0;
    }

    login = reg_login_create(REG_WHO_USER, user, err);

    if (login == NULL) {
        return -1;
    }

    memcpy(login->print, print, sizeof(login->print));
    verdict->login = login;
    verdict->result = REG_ACCESS_ALLOWED;

    return 0;
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

    rc = reg_access_password(a, user, password, verdict, err);

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


/* RFC 7617: base64 of "user:password". */
static int
reg_access_basic(reg_access_t *a, reg_str_t value, const reg_access_ask_t *ask,
    reg_access_verdict_t *verdict, reg_error_t *err)
{
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    int            rc, n;
    unsigned char  text[REG_ACCESS_BASIC_MAX + 4];
    reg_str_t      password, user;

    verdict->result = REG_ACCESS_WRONG;

    if (value.len == 0 || value.len % 4 != 0
        || value.len / 4 * 3 > REG_ACCESS_BASIC_MAX)
    {
        return 0;
    }

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\0' || strchr(alphabet, value.data[i]) == NULL) {
            return 0;
        }
    }

    n = EVP_DecodeBlock(text, (const unsigned char *) value.data,
                        (int) value.len);

    /* it counts what stands for the padding */
    for (size_t i = 1; n > 0 && i <= 2 && value.data[value.len - i] == '=';
         i++)
    {
        n--;
    }

    if (n <= 0 || memchr(text, ':', (size_t) n) == NULL) {
        return 0;
    }

    password = (reg_str_t) { (size_t) n, (const char *) text };
    user = reg_str_cut(&password, ':');
    rc = reg_access_login(a, user, password, ask, verdict, err);
    explicit_bzero(text, sizeof(text));

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

    if (reg_access_scheme(ask->authorization, REG_STR("Basic"), &value)) {
        return reg_access_basic(a, value, ask, verdict, err);
    }

    return 0;
}


/* ---- the decision -------------------------------------------------------- */


/* What a login that may not has to hear. */
static reg_access_result_t
reg_access_refusal(const reg_access_t *a, const reg_access_ask_t *ask,
    const reg_login_t *login)
{
    if (login == NULL) {
        return REG_ACCESS_LOGIN;
    }

    /* with another token it could be allowed: one of another issuer's, or one
     * of ours with all that policy gives */
    if (login->carries
        && (login->identity.who == REG_WHO_BEARER
            || (ask->actions & ~reg_access_known(a, login, ask->name)) == 0))
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
