/*
 * reg_config: config.yml, in CNCF Distribution's schema, with our own keys in
 * a nginx_registry section.
 *
 *     reg_config_t  config;
 *
 *     reg_config_init(&config);
 *     if (reg_config_read(&config, path, warn, ctx, err) == -1
 *         || reg_config_environment(&config, environ, warn, ctx, err) == -1
 *         || reg_config_check(&config, err) == -1)      (reg_config_check.h)
 *         … err->message is "config.yml:12: storage.delete.enabled: …"
 *     …
 *     reg_config_free(&config);                         in any case
 *
 * Every key is one row of a table: path, kind, where it is stored.  Unknown
 * keys, and known ones that have no meaning here, are warned about by name and
 * line, never ignored in silence; those that would weaken what the operator
 * asked for (auth, another storage driver) are errors.
 *
 * REGISTRY_STORAGE_DELETE_ENABLED=true overrides storage.delete.enabled, as in
 * Distribution; unset variables change nothing.
 *
 * Blocks: disk
 */

#ifndef REG_CONFIG_H
#define REG_CONFIG_H

#include "reg_ldap.h"
#include "reg_policy.h"

#define REG_CONFIG_TEXT  512

typedef enum {
    REG_LOG_ERROR,
    REG_LOG_WARN,
    REG_LOG_INFO,
    REG_LOG_DEBUG
} reg_log_level_t;

typedef enum {
    REG_LOG_TEXT,
    REG_LOG_JSON
} reg_log_format_t;

typedef enum {
    REG_TOKENS_ES256,
    REG_TOKENS_RS256
} reg_tokens_algorithm_t;

typedef enum {
    REG_TAGS_AUTO,              /* where Redis was faster than the disk */
    REG_TAGS_ALWAYS
} reg_tags_ask_t;

typedef struct {
    char               root[REG_CONFIG_TEXT];  /* storage.filesystem.
                                                  rootdirectory */
    bool               delete_enabled;         /* storage.delete.enabled */
    bool               readonly;               /* storage.maintenance.readonly.
                                                  enabled */
    bool               purge_enabled;          /* storage.maintenance.
                                                  uploadpurging.enabled */
    int64_t            purge_age;              /* .age, seconds */
    int64_t            purge_interval;         /* .interval, seconds */
    bool               purge_dryrun;           /* .dryrun */
    bool               validation_disabled;    /* validation.disabled */
    int64_t            catalog_max;            /* catalog.maxentries */
    reg_log_level_t    log_level;              /* log.level */
    reg_log_format_t   log_format;             /* log.formatter */
    bool               access_log;             /* not log.accesslog.disabled */

    bool               metrics;                /* http.debug.prometheus.
                                                  enabled */
    char               metrics_path[128];      /* .path */

    /* nginx_registry: */
    char               socket[REG_CONFIG_TEXT]; /* .socket */
    int64_t            socket_mode;             /* .socket_mode, octal */
    int64_t            processes;               /* .processes */
    int64_t            threads;                 /* .threads, per process */
    int64_t            manifest_cache;          /* .manifest_cache, bytes */
    bool               journal;                 /* .journal */
    int64_t            list_cache;              /* .list_cache, bytes */
    int64_t            catalog_refresh;         /* .catalog_refresh, seconds */
    int64_t            tags_max;                /* .tags_max, entries */
    int64_t            drain_timeout;           /* .drain_timeout, seconds */
    char               state[REG_CONFIG_TEXT];  /* .state */
    char               external_url[256];       /* .external_url, or "" */
    char               trusted_proxies[REG_CONFIG_TEXT];  /* words */
    bool               tokens_enabled;          /* .tokens.enabled */
    int64_t            tokens_lifetime;         /* .tokens.lifetime, seconds */
    int64_t            tokens_refresh_lifetime; /* seconds */
    reg_tokens_algorithm_t  tokens_algorithm;   /* .tokens.algorithm */
    char               tokens_service[128];     /* .tokens.service */
    reg_policy_t      *policy;                  /* .access; NULL: none */
    char               audit_path[REG_CONFIG_TEXT];       /* or "" */

    /* nginx_registry.ldap: "" if there is none, see reg_ldap.h */
    char               ldap_url[256];
    char               ldap_ca_file[REG_CONFIG_TEXT];
    char               ldap_dn[REG_CONFIG_TEXT];
    char               ldap_base[REG_CONFIG_TEXT];
    char               ldap_filter[REG_CONFIG_TEXT];
    char               ldap_bind_dn[REG_CONFIG_TEXT];
    char               ldap_bind_password_file[REG_CONFIG_TEXT];

    /* redis.*: addresses "" if there is none; times in milliseconds */
    char               redis_addr[256];
    char               redis_addrs[REG_CONFIG_TEXT];      /* words */
    char               redis_username[128];
    char               redis_password[256];
    int64_t            redis_db;
    int64_t            redis_dial;
    int64_t            redis_read;
    int64_t            redis_write;
    int64_t            redis_pool;              /* connections, per process */
    bool               redis_tls;
    char               redis_master[128];       /* .sentinel.mastername */
    char               redis_sentinels[REG_CONFIG_TEXT];  /* words */
    char               redis_sentinel_username[128];
    char               redis_sentinel_password[256];

    /* nginx_registry.tags.*: times in milliseconds */
    int64_t            tags_ttl;
    int64_t            tags_memory;             /* bytes, per process */
    int64_t            tags_timeout;
    reg_tags_ask_t     tags_ask;
    int64_t            tags_failures;           /* .breaker.failures */
    int64_t            tags_retry;              /* .breaker.retry */
    int64_t            tags_list_max;           /* entries; 0: no lists */

    bool               auth_asked;              /* there is an auth: it must
                                                   not end in no auth */

    /* auth.htpasswd: "" if there is none */
    char               htpasswd_path[REG_CONFIG_TEXT];
    char               htpasswd_realm[128];

    /* auth.token: another issuer's; token_issuer "" if there is none */
    char               token_realm[REG_CONFIG_TEXT];
    char               token_service[128];
    char               token_issuer[256];
    char               token_bundle[REG_CONFIG_TEXT];
    char               token_jwks[REG_CONFIG_TEXT];
    char               token_algorithms[REG_CONFIG_TEXT]; /* words */
    bool               token_autoredirect;
    char               token_autoredirect_path[128];
} reg_config_t;

/* Called for each thing that was ignored or odd. */
typedef void (*reg_config_warn_pt)(void *ctx, const char *message);


/* Sets every default. */
void reg_config_init(reg_config_t *config);

/* Reads a file over what is set.  -1 with REG_BAD_REQUEST and a message that
 * names file, line and key. */
int reg_config_read(reg_config_t *config, const char *path,
    reg_config_warn_pt warn, void *ctx, reg_error_t *err);

/* Applies REGISTRY_… variables of a NULL-terminated environment. */
int reg_config_environment(reg_config_t *config, char *const *env,
    reg_config_warn_pt warn, void *ctx, reg_error_t *err);

/* What nginx_registry.ldap says; borrowed from config. */
void reg_config_ldap(const reg_config_t *config, reg_ldap_options_t *ldap);

/* Gives up what the configuration holds; a copy of it is then not to be used
 * either. */
void reg_config_free(reg_config_t *config);

/* Appends every key with its default and a sentence, as text: --help-config. */
void reg_config_describe(reg_buf_t *out);

#endif
