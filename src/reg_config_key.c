#include "reg_config_key.h"


#define REG_CONFIG_YEARS    (87600LL * 3600)          /* ten */


static const char *const  reg_config_versions[] = { "0.1", NULL };

static const char *const  reg_config_levels[] = {
    [REG_LOG_ERROR] = "error",
    [REG_LOG_WARN] = "warn",
    [REG_LOG_INFO] = "info",
    [REG_LOG_DEBUG] = "debug",
    NULL
};

static const char *const  reg_config_formats[] = {
    [REG_LOG_TEXT] = "text",
    [REG_LOG_JSON] = "json",
    NULL
};

static const char *const  reg_config_algorithms[] = {
    [REG_TOKENS_ES256] = "ES256",
    [REG_TOKENS_RS256] = "RS256",
    NULL
};

static const char *const  reg_config_asks[] = {
    [REG_TAGS_AUTO] = "auto",
    [REG_TAGS_ALWAYS] = "always",
    NULL
};

_Static_assert(sizeof(reg_tokens_algorithm_t) == sizeof(int)
               && sizeof(reg_tags_ask_t) == sizeof(int)
               && sizeof(reg_log_level_t) == sizeof(int)
               && sizeof(reg_log_format_t) == sizeof(int),
               "an enum is stored as an int");

#define AT(field)      offsetof(reg_config_t, field)
#define HARMLESS(why)  REG_CONFIG_HARMLESS, why, NULL, 0, 0, 0, NULL
#define IGNORED(why)   REG_CONFIG_IGNORED, why, NULL, 0, 0, 0, NULL
#define REFUSED(why)   REG_CONFIG_REFUSED, why, NULL, 0, 0, 0, NULL
#define DRIVER         REFUSED("only storage.filesystem is there; blobs would" \
                               " not be where this says: remove it")

static const reg_config_key_t  reg_config_keys[] = {

    { "version", REG_CONFIG_ENUM,
      "the schema of this file",
      NULL, REG_CONFIG_NOWHERE, 0, 0, reg_config_versions },

    { "log.level", REG_CONFIG_ENUM,
      "the least that is logged",
      "info", AT(log_level), 0, 0, reg_config_levels },
    { "log.formatter", REG_CONFIG_ENUM,
      "the form of a log line",
      "text", AT(log_format), 0, 0, reg_config_formats },
    { "log.accesslog.disabled", REG_CONFIG_NOT,
      "no line for each request that the worker answers",
      "false", AT(access_log), 0, 0, NULL },
    { "log.fields", HARMLESS("the log's lines have fixed fields") },
    { "log.hooks", IGNORED("no mail is sent; let the log's reader do it") },
    { "loglevel", IGNORED("deprecated; write log.level") },

    { "storage.filesystem.rootdirectory", REG_CONFIG_ABSOLUTE,
      "the tree; the same as of nginx's registry directive",
      "/var/lib/registry", AT(root), 0, REG_CONFIG_TEXT - 1, NULL },
    { "storage.filesystem.maxthreads",
      HARMLESS("the worker has nginx_registry.threads") },
    { "storage.delete.enabled", REG_CONFIG_BOOL,
      "manifests, tags and blobs may be deleted",
      "false", AT(delete_enabled), 0, 0, NULL },
    { "storage.maintenance.readonly.enabled", REG_CONFIG_BOOL,
      "nothing may be pushed or deleted",
      "false", AT(readonly), 0, 0, NULL },
    { "storage.maintenance.uploadpurging.enabled", REG_CONFIG_BOOL,
      "uploads that nobody finishes are removed",
      "true", AT(purge_enabled), 0, 0, NULL },
    { "storage.maintenance.uploadpurging.age", REG_CONFIG_DURATION,
      "how long nothing was added to them",
      "168h", AT(purge_age), 60, REG_CONFIG_YEARS, NULL },
    { "storage.maintenance.uploadpurging.interval", REG_CONFIG_DURATION,
      "from one search for them to the next",
      "24h", AT(purge_interval), 1, REG_CONFIG_YEARS, NULL },
    { "storage.maintenance.uploadpurging.dryrun", REG_CONFIG_BOOL,
      "they are only counted, in the log",
      "false", AT(purge_dryrun), 0, 0, NULL },
    { "storage.cache", HARMLESS("nginx and the worker have their own") },
    { "storage.redirect", HARMLESS("a file system never redirects") },
    { "storage.tag", HARMLESS("tags are read one by one") },
    { "storage.inmemory", DRIVER },
    { "storage.s3", DRIVER },
    { "storage.s3aws", DRIVER },
    { "storage.azure", DRIVER },
    { "storage.gcs", DRIVER },
    { "storage.oss", DRIVER },
    { "storage.swift", DRIVER },
    { "storage.cos", DRIVER },
    { "storage.rados", DRIVER },

    { "auth.htpasswd.realm", REG_CONFIG_TEXT_LINE,
      "what clients show when they ask for a password",
      "registry", AT(htpasswd_realm), 1, 127, NULL },
    { "auth.htpasswd.path", REG_CONFIG_ABSOLUTE,
      "the accounts, as htpasswd -B and registryctl user write them",
      NULL, AT(htpasswd_path), 0, REG_CONFIG_TEXT - 1, NULL },
    { "auth.token.realm", REG_CONFIG_TEXT_LINE,
      "the URL where clients get tokens of another issuer",
      NULL, AT(token_realm), 1, REG_CONFIG_TEXT - 1, NULL },
    { "auth.token.service", REG_CONFIG_TEXT_LINE,
      "the name of this registry in those tokens (aud)",
      NULL, AT(token_service), 1, 127, NULL },
    { "auth.token.issuer", REG_CONFIG_TEXT_LINE,
      "the name of their issuer (iss)",
      NULL, AT(token_issuer), 1, 255, NULL },
    { "auth.token.rootcertbundle", REG_CONFIG_ABSOLUTE,
      "the issuer's certificates or public keys, PEM",
      NULL, AT(token_bundle), 0, REG_CONFIG_TEXT - 1, NULL },
    { "auth.token.jwks", REG_CONFIG_ABSOLUTE,
      "the issuer's keys, a JSON Web Key Set",
      NULL, AT(token_jwks), 0, REG_CONFIG_TEXT - 1, NULL },
    { "auth.token.signingalgorithms", REG_CONFIG_WORDS,
      "the only algorithms that are accepted; none named: what fits the key",
      NULL, AT(token_algorithms), 0, REG_CONFIG_TEXT - 1, NULL },
    { "auth.token.autoredirect", REG_CONFIG_BOOL,
      "the realm is on the host that was asked, not auth.token.realm",
      "false", AT(token_autoredirect), 0, 0, NULL },
    { "auth.token.autoredirectpath", REG_CONFIG_TEXT_LINE,
      "its path there",
      "/auth/token", AT(token_autoredirect_path), 1, 127, NULL },
    { "auth",
      REFUSED("there is no such way in: write auth.htpasswd or auth.token, or"
              " remove this") },

    { "middleware", IGNORED("there is no middleware") },
    { "database", IGNORED("tags are in the tree and not in a database") },
    { "gc", IGNORED("there is no garbage collection yet, see"
                    " docs/operations.md") },
    { "reporting", IGNORED("nothing is reported elsewhere; read the log") },
    { "notifications", IGNORED("no notifications are sent") },

    { "redis.cache", IGNORED("write redis.addr") },
    { "redis.addr", REG_CONFIG_TEXT_LINE,
      "a Redis that remembers tags for all workers: host:port, or the path of"
      " its socket",
      NULL, AT(redis_addr), 1, 255, NULL },
    { "redis.addrs", REG_CONFIG_WORDS,
      "several, of which the first that is a master is used",
      NULL, AT(redis_addrs), 0, REG_CONFIG_TEXT - 1, NULL },
    { "redis.username", REG_CONFIG_TEXT_LINE,
      "who we are there",
      NULL, AT(redis_username), 0, 127, NULL },
    { "redis.password", REG_CONFIG_SECRET,
      "and how we prove it",
      NULL, AT(redis_password), 0, 255, NULL },
    { "redis.db", REG_CONFIG_INT,
      "the number of the database",
      "0", AT(redis_db), 0, 65535, NULL },
    { "redis.dialtimeout", REG_CONFIG_MOMENT,
      "the longest that connecting takes",
      "50ms", AT(redis_dial), 1, 60000, NULL },
    { "redis.readtimeout", REG_CONFIG_MOMENT,
      "the longest wait for a reply",
      "10ms", AT(redis_read), 1, 60000, NULL },
    { "redis.writetimeout", REG_CONFIG_MOMENT,
      "the longest that sending takes",
      "10ms", AT(redis_write), 1, 60000, NULL },
    { "redis.pool.maxactive", REG_CONFIG_INT,
      "connections of each process, beside two of its own",
      "8", AT(redis_pool), 1, 256, NULL },
    { "redis.pool", HARMLESS("connections are made at the start and stay") },
    { "redis.tls.enabled", REG_CONFIG_BOOL,
      "not possible, see docs/redis.md",
      "false", AT(redis_tls), 0, 0, NULL },
    { "redis.tls", HARMLESS("there is no TLS to Redis") },
    { "redis.mastername", REG_CONFIG_TEXT_LINE,
      "the same as redis.sentinel.mastername; redis.addrs are Sentinels then",
      NULL, AT(redis_master), 1, 127, NULL },
    { "redis.sentinel.mastername", REG_CONFIG_TEXT_LINE,
      "the name by which Sentinels know the master",
      NULL, AT(redis_master), 1, 127, NULL },
    { "redis.sentinel.addrs", REG_CONFIG_WORDS,
      "the Sentinels, each host:port",
      NULL, AT(redis_sentinels), 0, REG_CONFIG_TEXT - 1, NULL },
    { "redis.sentinel.username", REG_CONFIG_TEXT_LINE,
      "who we are to them",
      NULL, AT(redis_sentinel_username), 0, 127, NULL },
    { "redis.sentinel.password", REG_CONFIG_SECRET,
      "and how we prove it",
      NULL, AT(redis_sentinel_password), 0, 255, NULL },
    { "redis.maxretries", HARMLESS("the disk answers instead") },

    { "http.addr", HARMLESS("nginx's listen says where") },
    { "http.net", HARMLESS("nginx's listen says how") },
    { "http.prefix", IGNORED("the registry is at /v2/ of nginx's server") },
    { "http.host", HARMLESS("every Location that is sent is relative") },
    { "http.relativeurls",
      HARMLESS("every Location that is sent is relative") },
    { "http.secret", HARMLESS("an upload's state is on disk, not in its URL") },
    { "http.draintimeout", IGNORED("write nginx_registry.drain_timeout") },
    { "http.tls", IGNORED("nginx ends TLS; write ssl_certificate there") },
    { "http.tls.clientcas",
      REFUSED("clients would not be asked for certificates: remove this and"
              " write ssl_client_certificate and ssl_verify_client in nginx") },
    { "http.debug.prometheus.enabled", REG_CONFIG_BOOL,
      "metrics are served, by a location of nginx's: see docs/metrics.md",
      "false", AT(metrics), 0, 0, NULL },
    { "http.debug.prometheus.path", REG_CONFIG_ABSOLUTE,
      "where",
      "/metrics", AT(metrics_path), 0, 127, NULL },
    { "http.debug.addr",
      IGNORED("there is no port for it: with http.debug.prometheus.enabled,"
              " metrics are at its path, by a location of nginx's") },
    { "http.debug", IGNORED("there is no debug server") },
    { "http.headers", IGNORED("write add_header in nginx's location") },
    { "http.headers.X-Content-Type-Options", HARMLESS("always sent") },
    { "http.http2", HARMLESS("nginx's listen says") },
    { "http.h2c", HARMLESS("nginx's listen says") },

    { "health.storagedriver", HARMLESS("a failing disk is told to clients") },
    { "health.file", IGNORED("ask GET /v2/ for the registry's health") },
    { "health.http", IGNORED("ask GET /v2/ for the registry's health") },
    { "health.tcp", IGNORED("ask GET /v2/ for the registry's health") },

    { "proxy",
      REFUSED("there is no pull-through cache, all would be missing: remove"
              " this, or use another registry for mirrors") },

    { "compatibility.schema1",
      IGNORED("Docker's schema 1 manifests are always refused") },

    { "validation.disabled", REG_CONFIG_BOOL,
      "a manifest may be pushed before what it refers to",
      "false", AT(validation_disabled), 0, 0, NULL },
    { "validation.enabled", IGNORED("deprecated; write validation.disabled") },
    { "validation.manifests.urls",
      REFUSED("layers' URLs are not compared with a list, all would be"
              " accepted: remove this") },
    { "validation.manifests.indexes",
      IGNORED("an index must have all its images, unless"
              " validation.disabled") },

    { "policy",
      REFUSED("repositories have no classes, all would be accepted: remove"
              " this") },

    { "catalog.maxentries", REG_CONFIG_INT,
      "the longest page of the catalog",
      "1000", AT(catalog_max), 1, 1000000, NULL },

    { "nginx_registry.socket", REG_CONFIG_ABSOLUTE,
      "where the worker listens; nginx's fastcgi_pass names it",
      "/run/nginx-registry/registry.sock", AT(socket), 0, 107, NULL },
    { "nginx_registry.socket_mode", REG_CONFIG_MODE,
      "who may connect to the socket",
      "0660", AT(socket_mode), 0, 0775, NULL },
    { "nginx_registry.processes", REG_CONFIG_INT,
      "worker processes",
      "1", AT(processes), 1, 256, NULL },
    { "nginx_registry.threads", REG_CONFIG_INT,
      "threads of each: requests that are answered at a time",
      "16", AT(threads), 1, 1024, NULL },
    { "nginx_registry.manifest_cache", REG_CONFIG_SIZE,
      "memory for manifests, in each process",
      "8m", AT(manifest_cache), 0, 16LL << 30, NULL },
    { "nginx_registry.journal", REG_CONFIG_BOOL,
      "manifests, tags and small blobs are made durable by one write to a"
      " journal",
      "true", AT(journal), 0, 0, NULL },
    { "nginx_registry.list_cache", REG_CONFIG_SIZE,
      "memory for names of tags and repositories, in each process",
      "8m", AT(list_cache), 0, 16LL << 30, NULL },
    { "nginx_registry.catalog_refresh", REG_CONFIG_DURATION,
      "from one walk through the tree to the next, for the repositories that"
      " other programs made",
      "5m", AT(catalog_refresh), 1, REG_CONFIG_YEARS, NULL },
    { "nginx_registry.tags_max", REG_CONFIG_INT,
      "the longest page of a tag list",
      "10000", AT(tags_max), 1, 1000000, NULL },
    { "nginx_registry.drain_timeout", REG_CONFIG_INT,
      "seconds that requests have to end when the worker stops",
      "30", AT(drain_timeout), 0, 3600, NULL },

    { "nginx_registry.tags.ttl", REG_CONFIG_MOMENT,
      "with Redis: the longest that a tag is remembered, and so the longest"
      " that what another program wrote into the tree is not seen",
      "1m", AT(tags_ttl), 100, 86400000, NULL },
    { "nginx_registry.tags.memory", REG_CONFIG_SIZE,
      "with Redis: memory for tags, in each process; 97 bytes for each",
      "8m", AT(tags_memory), 0, 16LL << 30, NULL },
    { "nginx_registry.tags.timeout", REG_CONFIG_MOMENT,
      "the longest that a request for a tag waits for Redis",
      "5ms", AT(tags_timeout), 1, 60000, NULL },
    { "nginx_registry.tags.ask", REG_CONFIG_ENUM,
      "whether Redis is asked before the disk: where it was faster, or always",
      "auto", AT(tags_ask), 0, 0, reg_config_asks },
    { "nginx_registry.tags.list_max", REG_CONFIG_INT,
      "so many tags may a repository have whose sorted list is kept in Redis;"
      " 0: no lists are",
      "200000", AT(tags_list_max), 0, 10000000, NULL },
    { "nginx_registry.tags.breaker.failures", REG_CONFIG_INT,
      "so many calls that fail in a row, and Redis is left alone",
      "3", AT(tags_failures), 1, 1000, NULL },
    { "nginx_registry.tags.breaker.retry", REG_CONFIG_MOMENT,
      "until it is tried again; longer each time, to 32 times as long",
      "500ms", AT(tags_retry), 10, 60000, NULL },

    { "nginx_registry.state", REG_CONFIG_ABSOLUTE,
      "keys of our own and robot accounts; not a part of the tree",
      "/var/lib/nginx-registry", AT(state), 0, REG_CONFIG_TEXT - 64, NULL },
    { "nginx_registry.external_url", REG_CONFIG_TEXT_LINE,
      "how clients reach the registry, such as https://registry.example.org;"
      " without it as the request came",
      NULL, AT(external_url), 1, 255, NULL },
    { "nginx_registry.trusted_proxies", REG_CONFIG_WORDS,
      "addresses and networks whose X-Forwarded-Proto and -Host are believed",
      "127.0.0.1 ::1", AT(trusted_proxies), 0, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.tokens.enabled", REG_CONFIG_BOOL,
      "clients log in at our own token server, /v2/_token",
      "false", AT(tokens_enabled), 0, 0, NULL },
    { "nginx_registry.tokens.lifetime", REG_CONFIG_INT,
      "seconds that a token of ours is good for",
      "300", AT(tokens_lifetime), 60, 86400, NULL },
    { "nginx_registry.tokens.refresh_lifetime", REG_CONFIG_INT,
      "seconds that a refresh token is good for",
      "2592000", AT(tokens_refresh_lifetime), 60, 366 * 86400, NULL },
    { "nginx_registry.tokens.algorithm", REG_CONFIG_ENUM,
      "of new keys of ours",
      "ES256", AT(tokens_algorithm), 0, 0, reg_config_algorithms },
    { "nginx_registry.tokens.service", REG_CONFIG_TEXT_LINE,
      "the name of this registry in tokens of ours",
      "nginx-registry", AT(tokens_service), 1, 127, NULL },
    { "nginx_registry.access", REG_CONFIG_ACCESS,
      "who may do what: groups and rules, see docs/access.md",
      NULL, AT(policy), 0, 0, NULL },
    { "nginx_registry.audit.path", REG_CONFIG_ABSOLUTE,
      "a file for one JSON line per login, push, delete and refusal",
      NULL, AT(audit_path), 0, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.ldap.url", REG_CONFIG_TEXT_LINE,
      "a directory of accounts beside the file: ldaps://, ldap:// (with"
      " StartTLS) or ldapi://",
      NULL, AT(ldap_url), 1, 255, NULL },
    { "nginx_registry.ldap.ca_file", REG_CONFIG_ABSOLUTE,
      "who vouches for it; without it whom the system trusts",
      NULL, AT(ldap_ca_file), 0, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.ldap.dn", REG_CONFIG_TEXT_LINE,
      "where an account is, such as uid=%s,ou=people,dc=example,dc=org",
      NULL, AT(ldap_dn), 1, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.ldap.base", REG_CONFIG_TEXT_LINE,
      "or below what it is searched",
      NULL, AT(ldap_base), 1, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.ldap.filter", REG_CONFIG_TEXT_LINE,
      "by what, such as (uid=%s)",
      NULL, AT(ldap_filter), 1, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.ldap.bind_dn", REG_CONFIG_TEXT_LINE,
      "as whom; without it as nobody",
      NULL, AT(ldap_bind_dn), 1, REG_CONFIG_TEXT - 1, NULL },
    { "nginx_registry.ldap.bind_password_file", REG_CONFIG_ABSOLUTE,
      "a file whose first line is the password for that",
      NULL, AT(ldap_bind_password_file), 0, REG_CONFIG_TEXT - 1, NULL },
};

#define REG_CONFIG_KEYS  (sizeof(reg_config_keys) / sizeof(reg_config_keys[0]))

_Static_assert(REG_CONFIG_KEYS <= REG_CONFIG_KEYS_MAX,
               "the reader keeps a word for each row");


const reg_config_key_t *
reg_config_key_at(size_t i)
{
    return i < REG_CONFIG_KEYS ? &reg_config_keys[i] : NULL;
}


size_t
reg_config_key_index(const reg_config_key_t *key)
{
    return (size_t) (key - reg_config_keys);
}


bool
reg_config_key_is_foreign(const reg_config_key_t *key)
{
    return key->kind >= REG_CONFIG_HARMLESS;
}


/* True if `below` is path, or below it. */
static bool
reg_config_key_covers(const char *path, const char *below)
{
    size_t  len = strlen(path);

    return strncmp(path, below, len) == 0
           && (below[len] == '\0' || below[len] == '.');
}


const reg_config_key_t *
reg_config_key_find(const char *path)
{
    const reg_config_key_t  *best = NULL;

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const reg_config_key_t  *key = &reg_config_keys[i];

        if (strcmp(key->path, path) == 0) {
            return key;
        }

        if (reg_config_key_is_foreign(key)
            && reg_config_key_covers(key->path, path)
            && (best == NULL || strlen(key->path) > strlen(best->path)))
        {
            best = key;
        }
    }

    return best;
}


bool
reg_config_key_is_section(const char *path)
{
    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const char  *other = reg_config_keys[i].path;

        if (reg_config_key_covers(path, other) && other[strlen(path)] == '.') {
            return true;
        }
    }

    return false;
}


/* Insertions, deletions and replacements that make a of b. */
static size_t
reg_config_key_distance(reg_str_t a, reg_str_t b)
{
    enum { MAX = 32 };

    size_t  row[MAX + 1], corner, above;

    if (a.len > MAX || b.len > MAX) {
        return SIZE_MAX;
    }

    for (size_t k = 0; k <= b.len; k++) {
        row[k] = k;
    }

    for (size_t i = 1; i <= a.len; i++) {
        corner = row[0];
        row[0] = i;

        for (size_t k = 1; k <= b.len; k++) {
            size_t  change = corner + (a.data[i - 1] != b.data[k - 1]);
            size_t  shift = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;

            above = row[k];
            row[k] = change < shift ? change : shift;
            corner = above;
        }
    }

    return row[b.len];
}


reg_str_t
reg_config_key_nearest(const char *section, reg_str_t name)
{
    size_t     skip = section[0] == '\0' ? 0 : strlen(section) + 1;
    size_t     best = name.len > 3 ? 3 : name.len, distance;
    reg_str_t  meant = REG_STR_NULL;

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const char  *path = reg_config_keys[i].path;
        reg_str_t    rest, sibling;

        if (skip > 0 && (!reg_config_key_covers(section, path)
                         || path[skip - 1] == '\0'))
        {
            continue;
        }

        rest = reg_str_from(path + skip);
        sibling = reg_str_cut(&rest, '.');
        distance = reg_config_key_distance(name, sibling);

        if (distance < best) {
            best = distance;
            meant = (reg_str_t) { skip + sibling.len, path };
        }
    }

    return meant;
}


/* How many bytes of a variable's name spell path with '_' for '.', in any
 * case: all of path, or 0. */
static size_t
reg_config_key_spells(reg_str_t name, reg_str_t path)
{
    if (name.len < path.len) {
        return 0;
    }

    for (size_t i = 0; i < path.len; i++) {
        char       c = path.data[i] == '.' ? '_' : path.data[i];
        reg_str_t  a = { 1, &name.data[i] }, b = { 1, &c };

        if (!reg_str_eq_nocase(a, b)) {
            return 0;
        }
    }

    return path.len;
}


const reg_config_key_t *
reg_config_key_spelled(reg_str_t name)
{
    const reg_config_key_t  *best = NULL;
    size_t                   most = 0;

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const reg_config_key_t  *key = &reg_config_keys[i];
        size_t                   n;

        n = reg_config_key_spells(name, reg_str_from(key->path));

        if (n > most && (n == name.len
                         || (name.data[n] == '_'
                             && reg_config_key_is_foreign(key))))
        {
            best = key;
            most = n;
        }
    }

    return best;
}


reg_str_t
reg_config_key_spelled_section(reg_str_t name)
{
    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        reg_str_t  path = reg_str_from(reg_config_keys[i].path);

        if (path.len > name.len && path.data[name.len] == '.') {
            path.len = name.len;

            if (reg_config_key_spells(name, path) == name.len) {
                return path;
            }
        }
    }

    return REG_STR_NULL;
}
