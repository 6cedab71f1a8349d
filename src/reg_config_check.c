#include "reg_config_check.h"

#include "reg_address.h"


/* Another issuer is trusted as a whole or not at all. */
static int
reg_config_check_token(const reg_config_t *config, reg_error_t *err)
{
    bool  realm = config->token_realm[0] != '\0' || config->token_autoredirect;
    bool  keys = config->token_bundle[0] != '\0'
                 || config->token_jwks[0] != '\0';

    const struct {
        bool         there;
        const char  *path;
    } parts[] = {
        { config->token_issuer[0] != '\0', "issuer" },
        { config->token_service[0] != '\0', "service" },
        { realm, "realm" },
        { keys, "rootcertbundle, or jwks," },
    };

    size_t  n = sizeof(parts) / sizeof(parts[0]), there = 0;

    for (size_t i = 0; i < n; i++) {
        there += parts[i].there;
    }

    for (size_t i = 0; there > 0 && i < n; i++) {
        if (!parts[i].there) {
            return reg_error_set(err, REG_BAD_REQUEST, "auth.token: %s is"
                                 " missing", parts[i].path);
        }
    }

    return 0;
}


/* A Sentinel without a name, or a name without Sentinels, finds nothing. */
static int
reg_config_check_redis(const reg_config_t *config, reg_error_t *err)
{
    if (config->redis_tls) {
        return reg_error_set(err, REG_BAD_REQUEST, "redis.tls.enabled: this"
                             " build cannot speak TLS to Redis: use a socket"
                             " or a tunnel (stunnel), and remove this");
    }

    if (config->redis_sentinels[0] != '\0' && config->redis_master[0] == '\0')
    {
        return reg_error_set(err, REG_BAD_REQUEST, "redis.sentinel.mastername:"
                             " is missing");
    }

    if (config->redis_master[0] != '\0' && config->redis_sentinels[0] == '\0'
        && config->redis_addrs[0] == '\0')
    {
        return reg_error_set(err, REG_BAD_REQUEST, "redis.sentinel.addrs: is"
                             " missing");
    }

    return 0;
}


static int
reg_config_check_ldap(const reg_config_t *config, reg_error_t *err)
{
    reg_ldap_options_t  ldap;

    if (config->ldap_url[0] == '\0') {
        return 0;
    }

    if (config->htpasswd_path[0] == '\0') {
        return reg_error_set(err, REG_BAD_REQUEST, "nginx_registry.ldap is"
                             " asked for accounts that auth.htpasswd.path does"
                             " not have: write one, an empty file will do");
    }

    /* a token would outlive its account: only a login asks the directory */
    if (config->tokens_enabled) {
        return reg_error_set(err, REG_BAD_REQUEST, "nginx_registry.ldap works"
                             " with passwords only: turn"
                             " nginx_registry.tokens.enabled off");
    }

    reg_config_ldap(config, &ldap);

    return reg_ldap_check(&ldap, err);
}


int
reg_config_check(const reg_config_t *config, reg_error_t *err)
{
    /* which part of a way in is missing says more than that there is none */
    if (reg_config_check_token(config, err) == -1) {
        return -1;
    }

    if (config->auth_asked && config->htpasswd_path[0] == '\0'
        && config->token_issuer[0] == '\0')
    {
        return reg_error_set(err, REG_BAD_REQUEST, "auth: neither"
                             " auth.htpasswd.path nor auth.token.issuer is"
                             " there, everything would be open: write one, or"
                             " remove auth");
    }

    if (config->tokens_enabled && config->htpasswd_path[0] == '\0') {
        return reg_error_set(err, REG_BAD_REQUEST,
                             "nginx_registry.tokens.enabled: nobody could log"
                             " in: write auth.htpasswd.path");
    }

    return reg_config_check_ldap(config, err) == -1
           || reg_config_check_redis(config, err) == -1 ? -1
           : reg_address_check(reg_str_from(config->trusted_proxies), err);
}
