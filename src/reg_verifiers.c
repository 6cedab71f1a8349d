#include "reg_verifiers.h"

#include "reg_hash.h"
#include "reg_ldap.h"


/* ---- opening ------------------------------------------------------------- */


/* Whose file is wrong: the sentence so far names the file only. */
static int
reg_verifiers_of(const char *key, int rc, reg_error_t *err)
{
    reg_error_t  said = *err;

    if (rc == 0) {
        return 0;
    }

    *err = (reg_error_t) REG_ERROR_INIT;

    return reg_error_set(err, said.code, "%s: %s", key,
                         reg_error_message(&said));
}


/* The files that the configuration names and others write. */
static int
reg_verifiers_files(reg_verifiers_t *v, const reg_config_t *config,
    reg_error_t *err)
{
    reg_trust_sources_t  trust = { config->token_bundle, config->token_jwks,
                                   config->token_algorithms };
    char                 robots[REG_CONFIG_TEXT + 32];

    *v = (reg_verifiers_t) { .config = config };
    (void) snprintf(robots, sizeof(robots), "%s/robots.json", config->state);

    if (config->htpasswd_path[0] != '\0'
        && (reg_verifiers_of("auth.htpasswd.path",
                             reg_users_open(&v->users, config->htpasswd_path,
                                            err), err) == -1
            || reg_verifiers_of("nginx_registry.state",
                                reg_robots_open(&v->robots, robots, err),
                                err) == -1))
    {
        return -1;
    }

    return config->token_issuer[0] == '\0'
           ? 0 : reg_verifiers_of("auth.token",
                                  reg_trust_open(&v->trust, &trust, err),
                                  err);
}


int
reg_verifiers_open(reg_verifiers_t *v, const reg_config_t *config,
    reg_error_t *err)
{
    if (reg_verifiers_files(v, config, err) == -1) {
        return -1;
    }

    return !config->tokens_enabled
           ? 0 : reg_keys_open(&v->keys, config->state,
                               config->tokens_algorithm == REG_TOKENS_RS256
                               ? REG_JWK_RS256 : REG_JWK_ES256, err);
}


int
reg_verifiers_check(const reg_config_t *config, reg_error_t *err)
{
    reg_verifiers_t  v;
    int              rc = reg_verifiers_files(&v, config, err);

    reg_verifiers_close(&v);

    return rc;
}


void
reg_verifiers_close(reg_verifiers_t *v)
{
    reg_users_close(v->users);
    reg_robots_close(v->robots);
    reg_keys_close(v->keys);
    reg_trust_close(v->trust);
}


/* ---- passwords ----------------------------------------------------------- */


static int
reg_verifiers_user(const reg_verifiers_t *v, const reg_verifiers_ask_t *ask,
    reg_login_t **login, reg_error_t *err)
{
    unsigned char       print[REG_LOGIN_PRINT] = { 0 };
    int                 rc;
    reg_ldap_options_t  ldap;

    reg_config_ldap(v->config, &ldap);

    /* whom the file has, the directory is not asked about */
    rc = ldap.url[0] == '\0' || reg_users_has(v->users, ask->user, print)
         ? reg_users_verify(v->users, ask->user, ask->password, print, err)
         : reg_ldap_verify(&ldap, ask->user, ask->password, err);

    if (rc != 1) {
        return rc;
    }

    *login = reg_login_create(REG_WHO_USER, ask->user, err);

    if (*login == NULL) {
        return -1;
    }

    memcpy((*login)->print, print, sizeof(print));

    return 1;
}


int
reg_verifiers_password(const reg_verifiers_t *v,
    const reg_verifiers_ask_t *ask, reg_login_t **login, reg_error_t *err)
{
    *login = NULL;

    return reg_str_starts(ask->user, REG_USER_ROBOT)
           ? reg_robots_verify(v->robots, ask->user, ask->password, ask->now,
                               login, err)
           : reg_verifiers_user(v, ask, login, err);
}


/* ---- the files ----------------------------------------------------------- */


uint64_t
reg_verifiers_age(const reg_verifiers_t *v)
{
    const uint64_t  ages[] = {
        v->users != NULL ? reg_users_age(v->users) : 0,
        v->robots != NULL ? reg_robots_age(v->robots) : 0,
        v->keys != NULL ? reg_keys_age(v->keys) : 0,
        v->trust != NULL ? reg_trust_age(v->trust) : 0,
    };

    return reg_hash_words(ages, sizeof(ages) / sizeof(ages[0]));
}


int
reg_verifiers_message(const reg_verifiers_t *v, char *out, size_t size)
{
    return (v->users != NULL && reg_users_message(v->users, out, size))
           || (v->robots != NULL && reg_robots_message(v->robots, out, size))
           || (v->keys != NULL && reg_keys_message(v->keys, out, size))
           || (v->trust != NULL && reg_trust_message(v->trust, out, size));
}
