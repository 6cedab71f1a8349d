/* reg_config: config.yml in Distribution's schema, and its environment. */

#include "reg_config_check.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


static const char    file[] = "config.yml";
static char         *sample;
static reg_config_t  config;
static reg_error_t   err;

static struct {
    int   n;
    char  text[16][512];
} warned;


/* The tests run in the directory, since messages name a file as it was given;
 * the sample is where the tests were started. */
static int
make_dir(void **state)
{
    (void) state;

    sample = realpath("conf/config.yml", NULL);
    return tree_make() == 0 ? chdir(tree_root) : -1;
}


static int
remove_dir(void **state)
{
    (void) state;

    free(sample);
    return chdir("/") == 0 ? tree_remove() : -1;
}


static void
warn(void *ctx, const char *message)
{
    assert_ptr_equal(ctx, &warned);

    if (warned.n < 16) {
        (void) snprintf(warned.text[warned.n], sizeof(warned.text[0]), "%s",
                        message);
    }

    warned.n++;
}


static int
read_bytes(const char *text, size_t len)
{
    assert_int_equal(tree_write(file, text, len), 0);

    warned.n = 0;
    memset(&err, 0, sizeof(err));
    reg_config_init(&config);

    return reg_config_read(&config, file, warn, &warned, &err) == -1
           ? -1 : reg_config_check(&config, &err);
}


static void
expect_read(const char *text)
{
    int  rc = read_bytes(text, strlen(text));

    if (rc == -1) {
        print_message("%s\n", reg_error_message(&err));
    }

    assert_int_equal(rc, 0);
    assert_int_equal(err.code, REG_OK);
}


static void
expect_silent(const char *text)
{
    expect_read(text);

    if (warned.n > 0) {
        print_message("%s\n", warned.text[0]);
    }

    assert_int_equal(warned.n, 0);
}


static void
expect_warning(const char *text, const char *message)
{
    expect_read(text);
    assert_int_equal(warned.n, 1);
    assert_string_equal(warned.text[0], message);
}


static void
expect_error(const char *text, const char *message)
{
    reg_config_t  before;

    assert_int_equal(read_bytes(text, strlen(text)), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_string_equal(reg_error_message(&err), message);

    reg_config_init(&before);
    assert_memory_equal(&before, &config, sizeof(config));
}


static int
environment(const char *one)
{
    char  text[1024];
    char  *env[] = { NULL, NULL };

    (void) snprintf(text, sizeof(text), "%s", one);
    env[0] = text;

    warned.n = 0;
    memset(&err, 0, sizeof(err));
    reg_config_init(&config);

    return reg_config_environment(&config, env, warn, &warned, &err);
}


static void
expect_defaults(void)
{
    reg_config_t  fresh;

    reg_config_init(&fresh);
    assert_memory_equal(&fresh, &config, sizeof(config));
}


static void
every_key_has_its_default(void **state)
{
    (void) state;

    memset(&config, 0xff, sizeof(config));
    reg_config_init(&config);

    assert_string_equal(config.root, "/var/lib/registry");
    assert_false(config.delete_enabled);
    assert_false(config.readonly);
    assert_false(config.validation_disabled);
    assert_int_equal(config.catalog_max, 1000);
    assert_int_equal(config.log_level, REG_LOG_INFO);
    assert_int_equal(config.log_format, REG_LOG_TEXT);
    assert_true(config.access_log);
    assert_string_equal(config.socket, "/run/nginx-registry/registry.sock");
    assert_int_equal(config.socket_mode, 0660);
    assert_int_equal(config.processes, 1);
    assert_int_equal(config.threads, 16);
    assert_int_equal(config.manifest_cache, 8 * 1024 * 1024);
    assert_int_equal(config.list_cache, 8 * 1024 * 1024);
    assert_int_equal(config.catalog_refresh, 300);
    assert_int_equal(config.tags_max, 10000);
    assert_int_equal(config.drain_timeout, 30);

    /* as Distribution has them */
    assert_true(config.purge_enabled);
    assert_int_equal(config.purge_age, 168 * 3600);
    assert_int_equal(config.purge_interval, 24 * 3600);
    assert_false(config.purge_dryrun);
    assert_false(config.metrics);
    assert_string_equal(config.metrics_path, "/metrics");
}


static void
every_key_is_read(void **state)
{
    (void) state;

    expect_silent("version: 0.1\n"
                  "log:\n"
                  "  level: debug\n"
                  "  formatter: json\n"
                  "  accesslog:\n"
                  "    disabled: true\n"
                  "storage:\n"
                  "  filesystem:\n"
                  "    rootdirectory: /srv/registry\n"
                  "  delete: { enabled: true }\n"
                  "  maintenance:\n"
                  "    readonly:\n"
                  "      enabled: true\n"
                  "http:\n"
                  "  debug:\n"
                  "    prometheus:\n"
                  "      enabled: true\n"
                  "      path: /numbers\n"
                  "validation:\n"
                  "  disabled: true\n"
                  "catalog:\n"
                  "  maxentries: 50\n"
                  "nginx_registry:\n"
                  "  socket: /tmp/s.sock\n"
                  "  socket_mode: 0600\n"
                  "  processes: 2\n"
                  "  threads: 4\n"
                  "  manifest_cache: 512k\n"
                  "  list_cache: 1m\n"
                  "  catalog_refresh: 90s\n"
                  "  tags_max: 7\n"
                  "  drain_timeout: 0\n");

    assert_string_equal(config.root, "/srv/registry");
    assert_true(config.delete_enabled);
    assert_true(config.readonly);
    assert_true(config.validation_disabled);
    assert_true(config.metrics);
    assert_string_equal(config.metrics_path, "/numbers");
    assert_int_equal(config.catalog_max, 50);
    assert_int_equal(config.log_level, REG_LOG_DEBUG);
    assert_int_equal(config.log_format, REG_LOG_JSON);
    assert_false(config.access_log);
    assert_string_equal(config.socket, "/tmp/s.sock");
    assert_int_equal(config.socket_mode, 0600);
    assert_int_equal(config.processes, 2);
    assert_int_equal(config.threads, 4);
    assert_int_equal(config.manifest_cache, 512 * 1024);
    assert_int_equal(config.list_cache, 1024 * 1024);
    assert_int_equal(config.catalog_refresh, 90);
    assert_int_equal(config.tags_max, 7);
    assert_int_equal(config.drain_timeout, 0);
}


static void
uploadpurging_is_written_as_in_distribution(void **state)
{
    (void) state;

    expect_silent("storage:\n"
                  "  maintenance:\n"
                  "    uploadpurging:\n"
                  "      enabled: false\n"
                  "      age: 36h\n"
                  "      interval: 1h30m\n"
                  "      dryrun: true\n");
    assert_false(config.purge_enabled);
    assert_int_equal(config.purge_age, 36 * 3600);
    assert_int_equal(config.purge_interval, 5400);
    assert_true(config.purge_dryrun);

    expect_error("storage:\n  maintenance:\n    uploadpurging:\n"
                 "      age: 7d\n",
                 "config.yml:4: storage.maintenance.uploadpurging.age: \"7d\""
                 " is wrong; expected a duration such as 168h or 1h30m, from"
                 " 60s to 87600h");
    expect_error("storage:\n  maintenance:\n    uploadpurging: {age: 59s}\n",
                 "config.yml:3: storage.maintenance.uploadpurging.age: \"59s\""
                 " is wrong; expected a duration such as 168h or 1h30m, from"
                 " 60s to 87600h");
}


static void
nothing_to_read_leaves_the_defaults(void **state)
{
    (void) state;

    expect_silent("");
    expect_defaults();
    expect_silent("# only a comment\n");
    expect_silent("---\n");
    expect_silent("---\n...\n");
    expect_silent("~\n");
    expect_silent("{}\n");
    expect_silent("storage:\nlog:\nhttp:\n");
    expect_defaults();
    expect_silent("storage: filesystem\n");
    expect_silent("storage:\n  filesystem:\n");
    expect_silent("storage: {filesystem: {}}\n");
    expect_defaults();
}


static void
the_usual_files_of_distribution_load_in_silence(void **state)
{
    (void) state;

    expect_silent("version: 0.1\n"
                  "log:\n"
                  "  fields:\n"
                  "    service: registry\n"
                  "storage:\n"
                  "  cache:\n"
                  "    blobdescriptor: inmemory\n"
                  "  filesystem:\n"
                  "    rootdirectory: /var/lib/registry\n"
                  "    maxthreads: 100\n"
                  "  tag:\n"
                  "    concurrencylimit: 8\n"
                  "  redirect:\n"
                  "    disable: false\n"
                  "http:\n"
                  "  addr: :5000\n"
                  "  net: tcp\n"
                  "  host: https://registry.example.com\n"
                  "  secret: asecretforlocaldevelopment\n"
                  "  relativeurls: false\n"
                  "  headers:\n"
                  "    X-Content-Type-Options: [nosniff]\n"
                  "  http2:\n"
                  "    disabled: false\n"
                  "  h2c: {enabled: false}\n"
                  "health:\n"
                  "  storagedriver:\n"
                  "    enabled: true\n"
                  "    interval: 10s\n"
                  "    threshold: 3\n");
}


static void
the_sample_loads_without_a_warning(void **state)
{
    (void) state;

    if (sample == NULL) {
        skip();                         /* started somewhere else */
    }

    warned.n = 0;
    memset(&err, 0, sizeof(err));
    reg_config_init(&config);

    assert_int_equal(reg_config_read(&config, sample, warn, &warned, &err), 0);
    assert_int_equal(warned.n, 0);
    assert_true(config.delete_enabled);

    /* apart from that it says what the defaults are */
    config.delete_enabled = false;
    expect_defaults();
}


static void
unknown_keys_are_named_with_their_line(void **state)
{
    (void) state;

    expect_warning("version: 0.1\nstorage:\n  filesystm:\n    x: 1\n",
                   "config.yml:3: storage.filesystm: unknown key (did you mean"
                   " storage.filesystem?)");
    expect_warning("stroage: {}\n", "config.yml:1: stroage: unknown key (did"
                   " you mean storage?)");
    expect_warning("log:\n  levle: debug\n", "config.yml:2: log.levle: unknown"
                   " key (did you mean log.level?)");
    expect_warning("something: else\n", "config.yml:1: something: unknown"
                   " key");
    expect_warning("storage:\n  filesystem:\n    x: [1, {y: 2}]\n",
                   "config.yml:3: storage.filesystem.x: unknown key");
    expect_warning("nginx_registry:\n  thread: 5\n",
                   "config.yml:2: nginx_registry.thread: unknown key (did you"
                   " mean nginx_registry.threads?)");
    assert_int_equal(config.threads, 16);
}


static void
what_may_have_been_meant_to_guard_is_an_error(void **state)
{
    (void) state;

    expect_error("auht:\n  htpasswd: {path: /x}\n", "config.yml:1: auht:"
                 " unknown key (did you mean auth?): all that is not read would"
                 " be open");
    expect_error("nginx_registry:\n  acess: {rules: []}\n", "config.yml:2:"
                 " nginx_registry.acess: unknown key (did you mean"
                 " nginx_registry.access?): all that is not read would be"
                 " open");
}


static void
a_key_with_dots_is_not_the_path_that_it_spells(void **state)
{
    (void) state;

    expect_warning("storage.delete.enabled: true\n",
                   "config.yml:1: storage.delete.enabled: unknown key");
    assert_false(config.delete_enabled);
    expect_warning("storage:\n  delete.enabled: true\n",
                   "config.yml:2: storage.delete.enabled: unknown key");
    assert_false(config.delete_enabled);
}


static void
what_comes_after_an_unknown_key_is_still_read(void **state)
{
    (void) state;

    expect_read("foo:\n  - [1, 2, {a: b}]\n  - {c: {d: e}}\n"
                "log:\n  level: error\n");
    assert_int_equal(warned.n, 1);
    assert_int_equal(config.log_level, REG_LOG_ERROR);
}


static void
keys_without_meaning_warn_with_a_reason(void **state)
{
    (void) state;

    expect_warning("http:\n  prefix: /x/\n", "config.yml:2: http.prefix:"
                   " ignored: the registry is at /v2/ of nginx's server");
    expect_warning("http:\n  debug:\n    addr: localhost:5001\n",
                   "config.yml:3: http.debug.addr: ignored: there is no port"
                   " for it: with http.debug.prometheus.enabled, metrics are"
                   " at its path, by a location of nginx's");
    expect_warning("http:\n  debug:\n    pprof: true\n",
                   "config.yml:3: http.debug.pprof: ignored: there is no debug"
                   " server");
    expect_warning("loglevel: debug\n",
                   "config.yml:1: loglevel: ignored: deprecated; write"
                   " log.level");
    expect_warning("notifications:\n  endpoints:\n    - name: x\n",
                   "config.yml:1: notifications: ignored: no notifications"
                   " are sent");
    expect_warning("database: {\"enabled\": false}\n",
                   "config.yml:1: database: ignored: tags are in the tree and"
                   " not in a database");
    expect_warning("redis: {\"cache\": {\"addr\": \"x:1\"}}\n",
                   "config.yml:1: redis.cache: ignored: write redis.addr");
    expect_warning("http:\n  tls:\n    certificate: /c\n    key: /k\n",
                   "config.yml:3: http.tls.certificate: ignored: nginx ends"
                   " TLS; write ssl_certificate there");
    expect_warning("http:\n  headers:\n    X.Y: [a]\n    Z: [b]\n",
                   "config.yml:3: http.headers.X.Y: ignored: write add_header"
                   " in nginx's location");
}


static void
whatever_would_weaken_what_was_asked_for_is_refused(void **state)
{
    static const char  *refused[] = {
        "auth: silly\n", "auth: {silly: {realm: x}}\n",
        "proxy:\n  remoteurl: https://x\n",
        "storage: inmemory\n", "storage: s3\n", "storage: {inmemory: }\n",
        "storage:\n  s3:\n    bucket: x\n", "storage: {azure: {}}\n",
        "storage: {gcs: {}}\n", "storage: {oss: {}}\n",
        "storage: {swift: {}}\n", "http: {tls: {clientcas: [/x]}}\n",
        "validation: {manifests: {urls: {deny: [x]}}}\n",
        "policy: {repository: {classes: [image]}}\n"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(read_bytes(refused[i], strlen(refused[i])), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
        assert_non_null(strstr(reg_error_message(&err), "remove"));
        assert_int_equal(strncmp(err.message, "config.yml:", 11), 0);
    }

    expect_error("version: 0.1\n\nauth:\n  silly: {}\n",
                 "config.yml:4: auth.silly: there is no such way in: write"
                 " auth.htpasswd or auth.token, or remove this");
}


static void
auth_never_ends_in_no_auth(void **state)
{
    static const char  *half[] = {
        "auth:\n", "auth: {}\n", "auth: []\n", "auth: htpasswd\n",
        "auth: {htpasswd: {}}\n", "auth: {htpasswd: {realm: x}}\n",
        "auth: {token: {}}\n", "auth: {token: {realm: https://x/}}\n",
        "auth: {token: {realm: r, service: s, issuer: i}}\n",
        "auth: {token: {realm: r, issuer: i, jwks: /x}}\n",
        "auth: {htpasswd: {path: x}}\n",
        "auth: {htpasswd: {path: /x}, token: {issuer: i}}\n",
        "nginx_registry: {tokens: {enabled: true}}\n"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(half) / sizeof(half[0]); i++) {
        assert_int_equal(read_bytes(half[i], strlen(half[i])), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
        reg_config_free(&config);
    }

    expect_silent("auth: {htpasswd: {realm: x, path: /x}}\n");
    assert_string_equal(config.htpasswd_realm, "x");
    assert_string_equal(config.htpasswd_path, "/x");

    expect_silent("auth:\n  token:\n    realm: https://gitlab/jwt/auth\n"
                  "    service: container_registry\n    issuer: omnibus\n"
                  "    rootcertbundle: /x.crt\n"
                  "    signingalgorithms: [RS256, ES256]\n");
    assert_string_equal(config.token_algorithms, "RS256 ES256");
}


static void
who_may_do_what_is_read(void **state)
{
    reg_identity_t       alice = { REG_WHO_USER, "alice" };
    reg_identity_t       anybody = REG_IDENTITY_ANYBODY;
    reg_policy_reason_t  why[REG_POLICY_ACTIONS];
    reg_name_t           name;

    (void) state;

    expect_silent("nginx_registry:\n  access:\n"
                  "    groups:\n      dev: [alice, bob]\n      ops: carol\n"
                  "    rules:\n"
                  "      - who: anonymous\n        repositories: public/**\n"
                  "        actions: pull\n"
                  "      - {who: ['@dev', carol], repositories: [a/*, b],"
                  " actions: [pull, push]}\n"
                  "      - {who: alice, actions: [catalog]}\n");

    assert_int_equal(reg_name_parse(&name, REG_STR("a/x")), 0);
    assert_int_equal(reg_policy_allow(config.policy, &alice, &name, why),
                     REG_ACTION_PULL | REG_ACTION_PUSH);
    assert_int_equal(why[0].line, 10);
    assert_int_equal(reg_policy_allow(config.policy, &anybody, &name, NULL),
                     0);
    assert_int_equal(reg_policy_allow(config.policy, &alice, NULL, NULL),
                     REG_ACTION_CATALOG);

    assert_int_equal(reg_name_parse(&name, REG_STR("public/x/y")), 0);
    assert_int_equal(reg_policy_allow(config.policy, &anybody, &name, NULL),
                     REG_ACTION_PULL);

    reg_config_free(&config);
}


static void
a_wrong_rule_is_told_with_its_line(void **state)
{
    static const struct {
        const char  *rule;
        const char  *message;
    } wrong[] = {
        { "{who: x, repositories: a, actions: fly}",
          "config.yml:4: nginx_registry.access.actions: an action is pull,"
          " push, delete, \"*\" for these three, catalog or admin, and not"
          " \"fly\"" },
        { "{who: x, repositories: [], actions: pull}",
          "config.yml:4: nginx_registry.access.repositories: expected" },
        { "{who: x, repositories: , actions: pull}",
          "config.yml:4: nginx_registry.access.repositories: not a pattern" },
        { "{who: x, repositores: a, actions: pull}",
          "config.yml:4: nginx_registry.access.rules: a rule has the keys"
          " who, repositories and actions, and not \"repositores\"" },
        { "{who: '@x', repositories: a, actions: pull}",
          "config.yml:4: nginx_registry.access.rules: there is no group" },
        { "{repositories: a, actions: pull}",
          "config.yml:4: nginx_registry.access.rules: the rule has no who" },
        { "{who: x, repositories: a}",
          "config.yml:4: nginx_registry.access.rules: the rule has no act" },
        { "{who: x, repositories: A, actions: pull}",
          "config.yml:4: nginx_registry.access.repositories: not a patt" },
        { "[who, x]",
          "config.yml:4: nginx_registry.access.rules: expected a rule" },
        { "{who: {x: y}, actions: pull}",
          "config.yml:4: nginx_registry.access.who: expected a word" },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char  text[256];

        (void) snprintf(text, sizeof(text), "nginx_registry:\n  access:\n"
                        "    rules:\n      - %s\n", wrong[i].rule);
        assert_int_equal(read_bytes(text, strlen(text)), -1);
        assert_int_equal(strncmp(err.message, wrong[i].message,
                                 strlen(wrong[i].message)), 0);
        assert_null(config.policy);
    }

    assert_int_equal(environment("REGISTRY_NGINX_REGISTRY_ACCESS=x"), -1);
}


static void
a_wrong_value_is_told_from_what_is_expected(void **state)
{
    (void) state;

    expect_error("storage:\n  delete:\n    enabled: maybe\n",
                 "config.yml:3: storage.delete.enabled: \"maybe\" is wrong;"
                 " expected true or false");
    expect_error("log:\n  level: loud\n",
                 "config.yml:2: log.level: \"loud\" is wrong; expected error"
                 " or warn or info or debug");
    expect_error("nginx_registry:\n  threads: 0\n",
                 "config.yml:2: nginx_registry.threads: \"0\" is wrong;"
                 " expected a number from 1 to 1024");
    expect_error("storage:\n  filesystem:\n    rootdirectory: data\n",
                 "config.yml:3: storage.filesystem.rootdirectory: \"data\" is"
                 " wrong; expected a path that begins with / and has at most"
                 " 511 bytes");
    expect_error("log:\n  level:\n",
                 "config.yml:2: log.level: has no value; expected error or"
                 " warn or info or debug");
    expect_error("log:\n  level: [info]\n",
                 "config.yml:2: log.level: expected error or warn or info or"
                 " debug");
    expect_error("version: 0.2\n",
                 "config.yml:1: version: \"0.2\" is wrong; expected 0.1");
    expect_error("nginx_registry:\n  socket_mode: 0666\n",
                 "config.yml:2: nginx_registry.socket_mode: \"0666\" is wrong;"
                 " expected an octal mode such as 0660, within 0775");
    expect_error("nginx_registry:\n  manifest_cache: 8x\n",
                 "config.yml:2: nginx_registry.manifest_cache: \"8x\" is"
                 " wrong; expected a size such as 512k, 8m or 1g, at most"
                 " 16384m");
}


/* All keys are good, but not together. */
static void
expect_refusal(const char *text, const char *message)
{
    assert_int_equal(read_bytes(text, strlen(text)), -1);
    assert_string_equal(reg_error_message(&err), message);
}


static void
redis_is_described_in_distributions_words(void **state)
{
    (void) state;

    expect_read("redis:\n  addr: localhost:6379\n  password: \"a b\"\n"
                "  db: 3\n  dialtimeout: 20ms\n  readtimeout: 1s\n"
                "  writetimeout: 1500us\n  pool:\n    maxidle: 16\n"
                "    maxactive: 64\n    idletimeout: 300s\n"
                "  tls:\n    enabled: false\n");
    assert_int_equal(warned.n, 0);
    assert_string_equal(config.redis_addr, "localhost:6379");
    assert_string_equal(config.redis_password, "a b");
    assert_int_equal(config.redis_db, 3);
    assert_int_equal(config.redis_dial, 20);
    assert_int_equal(config.redis_read, 1000);
    assert_int_equal(config.redis_write, 2);             /* rounded up */
    assert_int_equal(config.redis_pool, 64);

    expect_read("redis:\n  sentinel:\n    mastername: m\n"
                "    addrs: [a:1, b:2]\n"
                "nginx_registry:\n  tags: {ttl: 2s, memory: 1m, timeout: 7ms,"
                " ask: always, breaker: {failures: 9, retry: 1s}}\n");
    assert_int_equal(warned.n, 0);
    assert_string_equal(config.redis_sentinels, "a:1 b:2");
    assert_string_equal(config.redis_master, "m");
    assert_int_equal(config.tags_ttl, 2000);
    assert_int_equal(config.tags_memory, 1024 * 1024);
    assert_int_equal(config.tags_timeout, 7);
    assert_int_equal(config.tags_ask, REG_TAGS_ALWAYS);
    assert_int_equal(config.tags_failures, 9);
    assert_int_equal(config.tags_retry, 1000);

    expect_refusal("redis:\n  addr: a:1\n  tls:\n    enabled: true\n",
                   "redis.tls.enabled: this build cannot speak TLS to Redis:"
                   " use a socket or a tunnel (stunnel), and remove this");
    expect_refusal("redis:\n  sentinel:\n    addrs: a:1\n",
                   "redis.sentinel.mastername: is missing");
    expect_refusal("redis:\n  sentinel:\n    mastername: m\n",
                   "redis.sentinel.addrs: is missing");
}


static void
a_secret_is_in_no_message(void **state)
{
    (void) state;

    expect_error("redis:\n  password: \"geheim\\n\"\n",
                 "config.yml:2: redis.password: is wrong; expected a line of 0"
                 " to 255 bytes");
}


static void
wrong_values_are_refused(void **state)
{
    static const char  *wrong[] = {
        "catalog: {maxentries: -1}\n", "catalog: {maxentries: 1.5}\n",
        "catalog: {maxentries: 99999999999999999999}\n",
        "catalog: {maxentries: 0}\n", "catalog: {maxentries: \"\"}\n",
        "nginx_registry: {threads: 1025}\n",
        "nginx_registry: {threads: 5 6}\n",
        "nginx_registry: {processes: two}\n",
        "nginx_registry: {manifest_cache: 17g}\n",
        "nginx_registry: {manifest_cache: 9223372036854775807g}\n",
        "nginx_registry: {manifest_cache: k}\n",
        "nginx_registry: {manifest_cache: 1mk}\n",
        "nginx_registry: {manifest_cache: -1k}\n",
        "nginx_registry: {socket_mode: 0688}\n",
        "nginx_registry: {socket_mode: 01660}\n",
        "nginx_registry: {socket_mode: \"\"}\n",
        "nginx_registry: {socket: \"\"}\n",
        "nginx_registry: {socket: relative.sock}\n",
        "nginx_registry: {socket: \"/a\\0b\"}\n",
        "nginx_registry: {socket: \"/a\\nb\"}\n",
        "storage: {delete: {enabled: 2}}\n",
        "storage: {delete: yes}\n",
        "storage: [filesystem]\n",
        "storage: 5\n",
        "log: debug\n",
    };

    (void) state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(read_bytes(wrong[i], strlen(wrong[i])), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
        expect_defaults();
    }
}


static void
values_may_be_written_in_the_forms_of_yaml(void **state)
{
    (void) state;

    expect_silent("storage: {delete: {enabled: Yes}}\n");
    assert_true(config.delete_enabled);
    expect_silent("storage: {delete: {enabled: 'on'}}\n");
    assert_true(config.delete_enabled);
    expect_silent("storage: {delete: {enabled: OFF}}\n");
    assert_false(config.delete_enabled);
    expect_silent("log: {accesslog: {disabled: no}, level: INFO}\n");
    assert_true(config.access_log);
    expect_silent("nginx_registry: {manifest_cache: 0, socket_mode: 600}\n");
    assert_int_equal(config.manifest_cache, 0);
    assert_int_equal(config.socket_mode, 0600);
    expect_silent("nginx_registry: {manifest_cache: 16G}\n");
    assert_true(config.manifest_cache == 16LL << 30);
    expect_silent("\"log\":\n  ? level\n  : \"warn\"\n");
    assert_int_equal(config.log_level, REG_LOG_WARN);
    expect_silent("\xef\xbb\xbfversion: 0.1\r\nlog:\r\n  level: warn\r\n");
    assert_int_equal(config.log_level, REG_LOG_WARN);
}


static void
paths_have_bounds(void **state)
{
    char  text[700];

    (void) state;

    memset(text, 'a', sizeof(text));
    memcpy(text, "nginx_registry: {socket: /", 26);
    memcpy(text + 25 + 107, "}\n", 3);
    expect_silent(text);
    assert_int_equal(strlen(config.socket), 107);

    memset(text, 'a', sizeof(text));
    memcpy(text, "nginx_registry: {socket: /", 26);
    memcpy(text + 25 + 108, "}\n", 3);
    assert_int_equal(read_bytes(text, strlen(text)), -1);

    memset(text, 'a', sizeof(text));
    memcpy(text, "storage: {filesystem: {rootdirectory: /", 39);
    memcpy(text + 38 + 512, "}}\n", 4);
    assert_int_equal(read_bytes(text, strlen(text)), -1);
    assert_true(strlen(err.message) < sizeof(err.message) - 1);
}


static void
a_key_that_is_given_twice_is_refused(void **state)
{
    (void) state;

    expect_error("log:\n  level: info\n  level: debug\n",
                 "config.yml:3: log.level: is on line 2 already");
    expect_error("log:\n  level: info\nlog:\n  level: debug\n",
                 "config.yml:4: log.level: is on line 2 already");
}


static void
anchors_and_aliases_are_refused(void **state)
{
    static const char  *refused[] = {
        "a: &a 1\n", "a: &a [x]\nb: *a\n", "log: &l {level: info}\n",
        "&k log: {}\n", "b: *a\n", "x: {<<: *a}\n", "&all {}\n",
        "a: [&a [x], [*a,*a,*a]]\n", "log:\n  level: &l debug\n"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(read_bytes(refused[i], strlen(refused[i])), -1);
        assert_non_null(strstr(err.message, "anchors"));
    }
}


static void
depth_is_bounded(void **state)
{
    static char  text[60000];
    size_t       n = 0;

    (void) state;

    expect_warning("x: [[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]\n",
                   "config.yml:1: x: unknown key");
    expect_error("x: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n",
                 "config.yml:1: more than 16 levels deep");

    memset(text, '[', sizeof(text));
    memcpy(text, "x: ", 3);
    assert_int_equal(read_bytes(text, sizeof(text)), -1);

    for (int i = 0; i < 200; i++) {
        memset(text + n, ' ', (size_t) i);
        n += (size_t) i;
        memcpy(text + n, "a:\n", 3);
        n += 3;
    }

    assert_int_equal(read_bytes(text, n), -1);
    assert_string_equal(err.message, "config.yml:17: more than 16 levels deep");
}


static void
size_is_bounded(void **state)
{
    size_t  size = 1024 * 1024;
    char   *text = malloc(size + 1);

    (void) state;

    assert_non_null(text);
    memset(text, '#', size + 1);

    assert_int_equal(read_bytes(text, size), 0);
    assert_int_equal(read_bytes(text, size + 1), -1);
    assert_string_equal(err.message, "config.yml: is larger than 1 MiB");

    free(text);
}


static void
what_is_not_yaml_is_told_with_its_line(void **state)
{
    static const char  *broken[] = {
        "a: [", "a: b: c\n", "{", "a:\n\t- b\n", "'", "\"", "%", "a: {b",
        "- x\n", "just text\n", "[1, 2]\n", "? [a]\n: b\n", "{[a]: b}\n",
        "log:\n  ? {a: b}\n", "a: \xff\n", "\xfe\xff\xd8", "a: \x01\n", "@",
        "a: b\n---\nc: d\n", "a: b\n...\n---\nc: d\n", "!<", "a: |\n b\n  c\nd"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(read_bytes(broken[i], strlen(broken[i])), -1);
        assert_int_equal(strncmp(err.message, "config.yml:", 11), 0);
        assert_true(err.message[11] >= '1' && err.message[11] <= '9');
    }

    assert_int_equal(read_bytes("a\0b: 1\n", 7), -1);
}


static void
messages_hold_no_control_characters(void **state)
{
    (void) state;

    expect_warning("\"a\\nb\\e\": 1\n", "config.yml:1: a?b?: unknown key");
    expect_error("log: {level: \"x\\r\\ny\"}\n",
                 "config.yml:1: log.level: \"x??y\" is wrong; expected error"
                 " or warn or info or debug");
}


static void
a_file_that_cannot_be_read_is_an_error(void **state)
{
    (void) state;

    memset(&err, 0, sizeof(err));
    reg_config_init(&config);
    assert_int_equal(reg_config_read(&config, "absent.yml", warn, &warned,
                                     &err), -1);
    assert_string_equal(err.message, "absent.yml: No such file or directory");

    memset(&err, 0, sizeof(err));
    assert_int_equal(reg_config_read(&config, "/tmp", warn, &warned, &err),
                     -1);
    assert_string_equal(err.message, "/tmp: Is a directory");
}


static void
nobody_need_listen_to_warnings(void **state)
{
    char  *env[] = { (char []) { "REGISTRY_X=1" }, NULL };

    (void) state;

    (void) read_bytes("x: 1\n", 5);
    assert_int_equal(reg_config_read(&config, file, NULL, NULL, &err), 0);
    assert_int_equal(reg_config_environment(&config, env, NULL, NULL, &err),
                     0);
}


static void
variables_override_keys(void **state)
{
    (void) state;

    assert_int_equal(environment("REGISTRY_STORAGE_DELETE_ENABLED=true"), 0);
    assert_true(config.delete_enabled);
    assert_int_equal(environment("REGISTRY_VALIDATION_DISABLED=true"), 0);
    assert_true(config.validation_disabled);
    assert_int_equal(environment("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY="
                                 "/x=y"), 0);
    assert_string_equal(config.root, "/x=y");
    assert_int_equal(environment("REGISTRY_LOG_LEVEL=debug"), 0);
    assert_int_equal(config.log_level, REG_LOG_DEBUG);
    assert_int_equal(environment("REGISTRY_LOG_ACCESSLOG_DISABLED=true"), 0);
    assert_false(config.access_log);
    assert_int_equal(environment("REGISTRY_NGINX_REGISTRY_THREADS=3"), 0);
    assert_int_equal(config.threads, 3);
    assert_int_equal(environment("REGISTRY_NGINX_REGISTRY_SOCKET_MODE=0600"),
                     0);
    assert_int_equal(config.socket_mode, 0600);
    assert_int_equal(environment("REGISTRY_storage_Delete_Enabled=true"), 0);
    assert_true(config.delete_enabled);
    assert_int_equal(environment("REGISTRY_STORAGE=filesystem"), 0);
    assert_int_equal(warned.n, 0);
}


static void
variables_win_over_the_file(void **state)
{
    char  *env[] = { (char []) { "PATH=/bin" },
                     (char []) { "REGISTRY_LOG_LEVEL=error" },
                     (char []) { "REGISTRY_STORAGE_DELETE_ENABLED=false" },
                     NULL };

    (void) state;

    expect_silent("log: {level: debug, formatter: json}\n"
                  "storage: {delete: {enabled: true}}\n");
    assert_int_equal(reg_config_environment(&config, env, warn, &warned, &err),
                     0);
    assert_int_equal(config.log_level, REG_LOG_ERROR);
    assert_int_equal(config.log_format, REG_LOG_JSON);
    assert_false(config.delete_enabled);
    assert_int_equal(warned.n, 0);
}


static void
other_variables_change_nothing(void **state)
{
    static const char  *others[] = {
        "", "PATH=/bin", "REGISTRY=1", "REGISTRYLOG_LEVEL=debug",
        "registry_log_level=debug", "XREGISTRY_LOG_LEVEL=debug", "REGISTRY_=x",
        "REGISTRY_CONFIGURATION_PATH=/etc/x.yml", "=x"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(environment(others[i]), 0);
        assert_int_equal(warned.n, 0);
        expect_defaults();
    }
}


static void
unknown_variables_warn_without_their_value(void **state)
{
    static const char  *unknown[] = {
        "REGISTRY_PORT=tcp://s3cr3t", "REGISTRY_LOG_LEVEL_=s3cr3t",
        "REGISTRY_LOG_LEVE=s3cr3t", "REGISTRY_LOG.LEVEL=s3cr3t",
        "REGISTRY_STORAGE_FILESYSTEM_ROOT=s3cr3t", "REGISTRY_X\n\x1b=s3cr3t"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_int_equal(environment(unknown[i]), 0);
        assert_int_equal(warned.n, 1);
        assert_null(strstr(warned.text[0], "s3cr3t"));
        assert_null(strchr(warned.text[0], '\n'));
        assert_int_equal(strncmp(warned.text[0], "REGISTRY_", 9), 0);
        expect_defaults();
    }

    assert_int_equal(environment("REGISTRY_HTTP_TLS_KEY=s3cr3t"), 0);
    assert_string_equal(warned.text[0], "REGISTRY_HTTP_TLS_KEY: ignored: nginx"
                        " ends TLS; write ssl_certificate there");
    assert_int_equal(environment("REGISTRY_HTTP_SECRET=s3cr3t"), 0);
    assert_int_equal(warned.n, 0);
}


static void
wrong_variables_are_errors(void **state)
{
    static const char  *wrong[] = {
        "REGISTRY_LOG_LEVEL=loud", "REGISTRY_LOG_LEVEL=", "REGISTRY_LOG_LEVEL",
        "REGISTRY_STORAGE_DELETE_ENABLED=", "REGISTRY_LOG=debug",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=",
        "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=data",
        "REGISTRY_NGINX_REGISTRY_THREADS=-1", "REGISTRY_CATALOG_MAXENTRIES= 1",
        "REGISTRY_AUTH=silly", "REGISTRY_AUTH_SILLY_REALM=x",
        "REGISTRY_AUTH_HTPASSWD_PATH=", "REGISTRY_auth_token_realm=",
        "REGISTRY_STORAGE=s3", "REGISTRY_STORAGE_S3_BUCKET=x",
        "REGISTRY_PROXY_REMOTEURL=https://x", "REGISTRY_PROXY_REMOTEURL=",
        "REGISTRY_HTTP_TLS_CLIENTCAS=/x", "REGISTRY_STORAGE=nonsense"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(environment(wrong[i]), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
        assert_int_equal(strncmp(err.message, wrong[i], 12), 0);
        expect_defaults();
    }

    assert_int_equal(environment("REGISTRY_LOG_LEVEL=loud"), -1);
    assert_string_equal(err.message, "REGISTRY_LOG_LEVEL: \"loud\" is wrong;"
                        " expected error or warn or info or debug");
}


static void
the_description_names_every_key(void **state)
{
    static const char  *words[] = {
        "storage.filesystem.rootdirectory\n", "default /var/lib/registry",
        "storage.delete.enabled\n", "log.level\n", "default info",
        "nginx_registry.threads\n", "auth\n", "http.tls\n", "http.addr\n",
        "a number from 1 to 1024; default 16", "default 8m", "default 0660"
    };

    reg_buf_t  b = REG_BUF_INIT;

    (void) state;

    reg_config_describe(&b);
    reg_buf_put(&b, "", 1);
    assert_true(reg_buf_ok(&b));

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_non_null(strstr(b.data, words[i]));
    }

    reg_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_key_has_its_default),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(uploadpurging_is_written_as_in_distribution),
        cmocka_unit_test(nothing_to_read_leaves_the_defaults),
        cmocka_unit_test(the_usual_files_of_distribution_load_in_silence),
        cmocka_unit_test(the_sample_loads_without_a_warning),
        cmocka_unit_test(unknown_keys_are_named_with_their_line),
        cmocka_unit_test(what_may_have_been_meant_to_guard_is_an_error),
        cmocka_unit_test(a_key_with_dots_is_not_the_path_that_it_spells),
        cmocka_unit_test(what_comes_after_an_unknown_key_is_still_read),
        cmocka_unit_test(keys_without_meaning_warn_with_a_reason),
        cmocka_unit_test(whatever_would_weaken_what_was_asked_for_is_refused),
        cmocka_unit_test(auth_never_ends_in_no_auth),
        cmocka_unit_test(who_may_do_what_is_read),
        cmocka_unit_test(a_wrong_rule_is_told_with_its_line),
        cmocka_unit_test(a_wrong_value_is_told_from_what_is_expected),
        cmocka_unit_test(redis_is_described_in_distributions_words),
        cmocka_unit_test(a_secret_is_in_no_message),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(values_may_be_written_in_the_forms_of_yaml),
        cmocka_unit_test(paths_have_bounds),
        cmocka_unit_test(a_key_that_is_given_twice_is_refused),
        cmocka_unit_test(anchors_and_aliases_are_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(what_is_not_yaml_is_told_with_its_line),
        cmocka_unit_test(messages_hold_no_control_characters),
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
        cmocka_unit_test(nobody_need_listen_to_warnings),
        cmocka_unit_test(variables_override_keys),
        cmocka_unit_test(variables_win_over_the_file),
        cmocka_unit_test(other_variables_change_nothing),
        cmocka_unit_test(unknown_variables_warn_without_their_value),
        cmocka_unit_test(wrong_variables_are_errors),
        cmocka_unit_test(the_description_names_every_key),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
