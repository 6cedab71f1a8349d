#include "ctl_cache.h"

#include <jansson.h>
#include <stdio.h>

#include "ctl_json.h"
#include "ctl_options.h"
#include "ctl_store.h"
#include "ctl_taglist.h"
#include "reg_config_check.h"
#include "reg_fence.h"
#include "reg_redismaster.h"
#include "reg_tag.h"
#include "reg_tagkey.h"
#include "reg_tagset.h"


#define CTL_CACHE_MS     5000        /* for one answer: nobody waits for us */
#define CTL_CACHE_LOOKS  3           /* at what differs: it may be changing */


typedef struct {
    const char  *config;
    const char  *root;
    bool         json;
} ctl_cache_options_t;

typedef struct {
    reg_store_t           *store;
    reg_config_t           config;
    reg_redismaster_t      redis;
    uint64_t               fence;
    reg_buf_t              keys;         /* of one step, each with a line end */

    ctl_taglist_t          list;

    int64_t                tags;         /* that workers believe */
    int64_t                lists;
    int64_t                leases;
    int64_t                writes;
    int64_t                ended;        /* of another fence or server */
    int64_t                odd;
    int64_t                wrong;
} ctl_cache_t;


static const char  ctl_cache_help[] =
    "Usage: registryctl cache COMMAND [--config FILE] [--root DIR] [--json]\n\n"
    "  stats   how many tags and lists of tags Redis remembers\n"
    "  verify  compares them with the disk and prints what differs; the"
    " registry may go\n"
    "          on serving. What other programs wrote into the tree differs for"
    " up to\n"
    "          nginx_registry.tags.ttl\n"
    "  flush   all workers forget, within a second, what they and Redis"
    " remember of\n"
    "          tags; needs no Redis\n\n"
    "  --config FILE      the worker's config.yml\n"
    "  --root DIR         the tree, whatever the configuration says\n"
    "  --json             print the result as JSON\n"
    "  --help             print this and exit\n\n"
    "Exit status: 0 all is well; 1 something differs, or failed; 2 wrong"
    " usage.\n";


/* ---- looking ------------------------------------------------------------- */


static void
ctl_cache_key(void *ctx, reg_str_t key)
{
    ctl_cache_t  *c = ctx;

    if (memchr(key.data, '\n', key.len) == NULL) {       /* else: not ours */
        reg_buf_putstr(&c->keys, key);
        reg_buf_puts(&c->keys, "\n");
    }
}


static int
ctl_cache_get(ctl_cache_t *c, reg_str_t key, reg_redis_reply_t *reply,
    reg_error_t *err)
{
    const reg_redis_command_t  get = { 2, { REG_STR("GET"), key } };

    return reg_redis_call(c->redis.c, &get, 1, reply, CTL_CACHE_MS, err);
}


/* Whether the tag on disk has this digest; found is for a person. */
static bool
ctl_cache_agrees(const ctl_cache_t *c, reg_str_t key, const reg_digest_t *d,
    char found[REG_DIGEST_SIZE])
{
    reg_name_t    name;
    reg_tag_t     tag;
    reg_digest_t  disk;
    reg_error_t   err = REG_ERROR_INIT;

    (void) snprintf(found, REG_DIGEST_SIZE, "no such tag");

    if (reg_tagkey_parse(key, &name, &tag) == -1
        || reg_tag_read(c->store, &name, &tag, &disk, &err) == -1)
    {
        return false;
    }

    (void) snprintf(found, REG_DIGEST_SIZE, "%s", disk.text);

    return reg_digest_eq(&disk, d);
}


/* One key.  What differs is looked at again: somebody may be writing it. */
static int
ctl_cache_value(ctl_cache_t *c, reg_str_t key, bool verify, reg_error_t *err)
{
    int                rc = -1;
    char               found[REG_DIGEST_SIZE];
    uint64_t           fence = 0;
    reg_digest_t       d;
    reg_redis_reply_t  reply;

    for (int look = 0; look < CTL_CACHE_LOOKS; look++) {
        if (ctl_cache_get(c, key, &reply, err) == -1) {
            return -1;
        }

        if (reply.kind == REG_REDIS_NIL) {
            return 0;                                     /* it has ended */
        }

        rc = reply.kind != REG_REDIS_TEXT ? -1
             : reg_tagkey_parse_value((reg_str_t) { reply.len, reply.text },
                                      &fence, &d);

        if (rc != 1 || fence != c->fence) {
            break;
        }

        if (!verify || ctl_cache_agrees(c, key, &d, found)) {
            c->tags++;
            return 0;
        }
    }

    c->odd += rc == -1;
    c->leases += rc == 0;
    c->ended += rc == 1 && fence != c->fence;

    if (rc == 1 && fence == c->fence) {
        c->wrong++;
        (void) fprintf(stderr, "%.*s: Redis says %s, the disk %s\n",
                       REG_STR_ARG(key), d.text, found);
    }

    return 0;
}


/* One list of tags. */
static int
ctl_cache_list(ctl_cache_t *c, reg_str_t key, bool verify, reg_error_t *err)
{
    if (ctl_taglist_look(&c->list, key, verify, err) == -1) {
        return -1;
    }

    c->lists += c->list.state == CTL_TAGLIST_WHOLE;
    c->ended += c->list.state == CTL_TAGLIST_VOID;
    c->leases += c->list.state == CTL_TAGLIST_UNFINISHED;
    c->odd += c->list.state == CTL_TAGLIST_ODD;
    c->wrong += c->list.differ;

    return 0;
}


static int
ctl_cache_entry(ctl_cache_t *c, reg_str_t key, bool verify, reg_error_t *err)
{
    if (reg_str_starts(key, REG_STR(REG_TAGKEY_WRITES))) {
        c->writes++;
        return 0;
    }

    return reg_str_starts(key, REG_STR(REG_TAGSET_KEYS))
           ? ctl_cache_list(c, key, verify, err)
           : ctl_cache_value(c, key, verify, err);
}


static int
ctl_cache_step(ctl_cache_t *c, uint64_t *cursor, bool verify,
    reg_error_t *err)
{
    reg_str_t                list;
    const reg_redis_watch_t  item = { ctl_cache_key, c };

    c->keys.len = 0;

    if (reg_redis_scan(c->redis.c, cursor, REG_TAGKEY_PREFIX "*", &item,
                       CTL_CACHE_MS, err) == -1)
    {
        return -1;
    }

    if (!reg_buf_ok(&c->keys)) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    list = reg_buf_str(&c->keys);

    while (list.len > 0) {
        reg_str_t  key = reg_str_cut(&list, '\n');

        if (ctl_cache_entry(c, key, verify, err) == -1) {
            return -1;
        }
    }

    return 0;
}


/* To be connected takes an answer as well. */
static void
ctl_cache_be_patient(reg_config_t *config)
{
    int64_t  *ms[] = { &config->redis_dial, &config->redis_read };

    for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
        if (*ms[i] < CTL_CACHE_MS) {
            *ms[i] = CTL_CACHE_MS;
        }
    }
}


static int
ctl_cache_walk(ctl_cache_t *c, bool verify, reg_error_t *err)
{
    uint64_t  cursor = 0;

    if (!reg_redismaster_is_wanted(&c->config)) {
        return reg_error_set(err, REG_UNKNOWN, "there is no redis in the"
                             " configuration");
    }

    ctl_cache_be_patient(&c->config);

    if (reg_fence_read(c->store, &c->fence, err) == -1
        || reg_redismaster_find(&c->config, &c->redis, err) == -1)
    {
        return -1;
    }

    c->fence ^= c->redis.server;
    c->list.store = c->store;
    c->list.c = c->redis.c;
    c->list.fence = c->fence;

    do {
        if (ctl_cache_step(c, &cursor, verify, err) == -1) {
            return -1;
        }
    } while (cursor != 0);

    return 0;
}


/* ---- commands ------------------------------------------------------------ */


static int
ctl_cache_print(const ctl_cache_t *c, bool json)
{
    if (!json) {
        return printf("%s: %lld tags, %lld lists, %lld that are void, %lld"
                      " being read, %lld being written, %lld that are not ours;"
                      " %lld differ\n",
                      c->redis.address, (long long) c->tags,
                      (long long) c->lists, (long long) c->ended,
                      (long long) c->leases, (long long) c->writes,
                      (long long) c->odd, (long long) c->wrong);
    }

    return ctl_json_print_new(
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                  "address", c->redis.address, "tags", (json_int_t) c->tags,
                  "lists", (json_int_t) c->lists,
                  "void", (json_int_t) c->ended,
                  "reading", (json_int_t) c->leases,
                  "writing", (json_int_t) c->writes,
                  "odd", (json_int_t) c->odd,
                  "differ", (json_int_t) c->wrong));
}


static int
ctl_cache_look(ctl_cache_t *c, bool verify, bool json, reg_error_t *err)
{
    int  rc = ctl_cache_walk(c, verify, err);

    reg_redis_close(c->redis.c);
    reg_buf_free(&c->keys);
    ctl_taglist_free(&c->list);

    return rc == -1 || ctl_cache_print(c, json) < 0 || c->wrong > 0 ? -1 : 0;
}


static int
ctl_cache_stats(ctl_cache_t *c, bool json, reg_error_t *err)
{
    return ctl_cache_look(c, false, json, err);
}


static int
ctl_cache_verify(ctl_cache_t *c, bool json, reg_error_t *err)
{
    return ctl_cache_look(c, true, json, err);
}


static int
ctl_cache_flush(ctl_cache_t *c, bool json, reg_error_t *err)
{
    if (reg_fence_raise(c->store, err) == -1) {
        return -1;
    }

    return puts(json ? "{\"flushed\": true}"
                     : "what was remembered of tags is void") == EOF ? -1 : 0;
}


static const struct {
    const char  *name;
    int        (*run)(ctl_cache_t *c, bool json, reg_error_t *err);
} ctl_cache_commands[] = {
    { "stats", ctl_cache_stats },
    { "verify", ctl_cache_verify },
    { "flush", ctl_cache_flush },
};

#define CTL_CACHE_COMMANDS                                                    \
    (sizeof(ctl_cache_commands) / sizeof(ctl_cache_commands[0]))


static ctl_exit_t
ctl_cache_run(const ctl_cache_options_t *o, size_t command)
{
    int                 rc = -1;
    static reg_store_t  store;                   /* large */
    ctl_cache_t         c = { .store = &store, .keys = REG_BUF_INIT };
    reg_error_t         err = REG_ERROR_INIT;

    if (ctl_store_config(&c.config, o->config, o->root, &err) == 0
        && reg_config_check(&c.config, &err) == 0
        && ctl_store_open_at(&store, &c.config, &err) == 0)
    {
        rc = ctl_cache_commands[command].run(&c, o->json, &err);
        reg_store_close(&store);
    }

    if (err.code != REG_OK) {
        ctl_store_complain(c.redis.address, &err);
    }

    reg_config_free(&c.config);

    return rc == 0 && fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}


ctl_exit_t
ctl_cache(int argc, char **argv)
{
    int                  first;
    ctl_exit_t           status;
    ctl_cache_options_t  o = { NULL, NULL, false };

    const ctl_option_t  options[] = {
        { "config", .text = &o.config, .place = true },
        { "root", .text = &o.root, .place = true },
        { "json", .flag = &o.json },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_cache_help, &status);

    if (first == -1) {
        return status;
    }

    for (size_t i = 0; first + 1 == argc && i < CTL_CACHE_COMMANDS; i++) {
        if (strcmp(argv[first], ctl_cache_commands[i].name) == 0) {
            return ctl_cache_run(&o, i);
        }
    }

    return ctl_options_refuse("cache", argc - first, argv + first,
                              ctl_cache_help);
}
