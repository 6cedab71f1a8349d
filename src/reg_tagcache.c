#include "reg_tagcache.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "reg_fence.h"
#include "reg_revision.h"
#include "reg_tag.h"
#include "reg_tagkey.h"
#include "reg_tagmap.h"
#include "reg_tagset.h"


#define REG_TAGCACHE_MARK     "10000"   /* ms that a writer may take */
#define REG_TAGCACHE_LEASE    "3000"    /* ms that a reader may take */
#define REG_TAGCACHE_BATCH    16        /* tags in one call */
#define REG_TAGCACHE_COMMANDS (2 * REG_TAGCACHE_BATCH + 1)
#define REG_TAGCACHE_VALUE    (REG_TAGREDIS_FENCE + REG_DIGEST_SIZE)


struct reg_tagcache_s {
    reg_tagredis_t         redis;
    reg_tagmap_t          *map;
    reg_redispool_watch_t  watch;
    reg_tagredis_script_t  look;
    reg_tagredis_script_t  fill;
    reg_tagredis_means_t   means;
    reg_taglist_t         *lists;
};

/* One look-up, from level to level. */
typedef struct {
    const reg_name_t     *name;
    const reg_tag_t      *tag;
    reg_tagmap_ticket_t   ticket;
    reg_tagkey_t          value;
    reg_tagkey_t          write;
    uint64_t              fence;
    char                  lease[REG_TAGREDIS_RANDOM + 2];    /* or "" */
} reg_tagcache_look_t;


/* KEYS v, w; ARGV fence, lease, its ms.  "TTL DIGEST", "?" if somebody else
 * has a lease, or nothing: then the lease is ours. */
static const char  reg_tagcache_look_text[] =
    "local v = redis.call('GET', KEYS[1]) "
    "if v then "
    "if string.sub(v, 1, #ARGV[1]) == ARGV[1] then "
    "return redis.call('PTTL', KEYS[1]) .. string.sub(v, #ARGV[1] + 1) end "
    "if string.sub(v, 1, 1) == '?' then return '?' end "
    "end "
    "if redis.call('EXISTS', KEYS[2]) == 1 then return '?' end "
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) "
    "return false";

/* KEYS v, w; ARGV lease, value, its ms.  1 if it was put there. */
static const char  reg_tagcache_fill_text[] =
    "if redis.call('GET', KEYS[1]) == ARGV[1] "
    "and redis.call('EXISTS', KEYS[2]) == 0 then "
    "redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) "
    "return 1 end "
    "return 0";

static const char *const  reg_tagcache_names[] = {
    [REG_TAGCACHE_MEMORY] = "memory",
    [REG_TAGCACHE_REDIS] = "redis",
    [REG_TAGCACHE_DISK] = "disk",
    [REG_TAGCACHE_FILLED] = "filled",
    [REG_TAGCACHE_LATE] = "late",
    [REG_TAGCACHE_DROPPED] = "dropped",
    [REG_TAGCACHE_FLUSHED] = "flushed",
    [REG_TAGCACHE_BUSY] = "busy",
    [REG_TAGCACHE_FAILED] = "failed",
    [REG_TAGCACHE_REFUSED] = "refused",
    [REG_TAGCACHE_ODD] = "odd",
    [REG_TAGCACHE_FENCED] = "fenced",
    [REG_TAGCACHE_LIST_REDIS] = "list_redis",
    [REG_TAGCACHE_LIST_DISK] = "list_disk",
    [REG_TAGCACHE_LIST_FILLED] = "list_filled",
    [REG_TAGCACHE_LIST_LATE] = "list_late",
};


const char *
reg_tagcache_count_name(reg_tagcache_count_t count)
{
    return reg_tagcache_names[count];
}


/* ---- what the pool's thread tells ---------------------------------------- */


static void
reg_tagcache_flush(reg_tagcache_t *cache)
{
    reg_tagmap_flush(cache->map);
    reg_tagredis_count(&cache->redis, REG_TAGCACHE_FLUSHED);
}


static bool
reg_tagcache_beat(void *ctx)
{
    reg_tagcache_t  *cache = ctx;
    uint64_t         fence;
    reg_error_t      err = REG_ERROR_INIT;

    if (reg_fence_read(cache->redis.store, &fence, &err) == -1) {
        return false;                    /* the disk has worse to tell */
    }

    if (atomic_exchange(&cache->redis.fence, fence) != fence) {
        reg_tagcache_flush(cache);                                /* T3 */
    }

    return true;
}


static void
reg_tagcache_changed(void *ctx, reg_str_t key)
{
    reg_tagcache_t  *cache = ctx;
    reg_name_t       name;
    reg_tag_t        tag;

    if (key.len == 0) {
        reg_tagcache_flush(cache);

    } else if (reg_tagkey_parse(key, &name, &tag) == 0) {
        reg_tagmap_drop(cache->map, &name, &tag);
        reg_tagredis_count(&cache->redis, REG_TAGCACHE_DROPPED);
    }
}


static void
reg_tagcache_log(void *ctx, reg_log_level_t level, const char *message)
{
    reg_tagcache_t  *cache = ctx;

    atomic_store(&cache->redis.complaints, 0);
    cache->redis.log->line(cache->redis.log->ctx, level, message);
}


static void
reg_tagcache_state(void *ctx, bool up, bool follows)
{
    reg_tagcache_t  *cache = ctx;

    if (cache->redis.log->state != NULL) {
        cache->redis.log->state(cache->redis.log->ctx, up, follows);
    }
}


/* ---- open and close ------------------------------------------------------ */


int
reg_tagcache_open(reg_tagcache_t **out, reg_store_t *store,
    const reg_config_t *config, const reg_tagcache_log_t *log,
    reg_error_t *err)
{
    bool             wanted = reg_redismaster_is_wanted(config);
    reg_tagcache_t  *cache = calloc(1, sizeof(*cache));

    if (cache == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    cache->redis.store = store;
    cache->redis.config = config;
    cache->redis.log = log;
    cache->watch = (reg_redispool_watch_t) {
        .beat = reg_tagcache_beat, .changed = reg_tagcache_changed,
        .state = reg_tagcache_state, .log = reg_tagcache_log,
        .prefix = REG_TAGKEY_WRITES, .ctx = cache,
    };

    reg_tagredis_script(&cache->look, reg_tagcache_look_text);
    reg_tagredis_script(&cache->fill, reg_tagcache_fill_text);

    cache->map = reg_tagmap_create(wanted ? (size_t) config->tags_memory : 0,
                                   err);

    if (cache->map != NULL && wanted
        && (cache->redis.pool = reg_redispool_create(config, &cache->watch,
                                                     err)) != NULL)
    {
        cache->lists = reg_taglist_create(&cache->redis, err);
    }

    if (cache->map == NULL || (wanted && cache->lists == NULL)) {
        reg_tagcache_close(cache);
        return -1;
    }

    *out = cache;
    return 0;
}


void
reg_tagcache_close(reg_tagcache_t *cache)
{
    if (cache != NULL) {
        reg_taglist_free(cache->lists);          /* before what it uses */
        reg_redispool_free(cache->redis.pool);
        reg_tagmap_free(cache->map);
        free(cache);
    }
}


void
reg_tagcache_stats(reg_tagcache_t *cache, reg_tagcache_stats_t *stats)
{
    stats->used = cache->redis.pool != NULL;
    stats->up = stats->used && reg_redispool_proven(cache->redis.pool) != 0;

    for (int i = 0; i < REG_TAGCACHE_COUNTS; i++) {
        stats->counts[i] = atomic_load(&cache->redis.counts[i]);
    }
}


/* ---- reading ------------------------------------------------------------- */


static int
reg_tagcache_lease(reg_tagcache_look_t *look)
{
    look->lease[0] = '?';

    return reg_tagredis_random(look->lease + 1);
}


/* "TTL DIGEST".  -1 for anything else; a value without an end is none. */
static int
reg_tagcache_parse(const reg_tagcache_t *cache,
    const reg_redis_reply_t *reply, reg_digest_t *d, int64_t *ttl)
{
    reg_str_t  text = { reply->len, reply->text };
    reg_str_t  number = reg_str_cut(&text, ' ');

    if (reg_str_int(number, INT64_MAX, ttl) == -1
        || reg_digest_parse(d, text) == -1)
    {
        return -1;
    }

    if (*ttl > cache->redis.config->tags_ttl) {
        *ttl = cache->redis.config->tags_ttl;                     /* T6 */
    }

    return 0;
}


/* 1 and the digest if Redis has it; 0 if not: then look->lease is ours, or
 * empty.  A digest without a manifest is a lie, or a tag that is being
 * deleted. */
static int
reg_tagcache_answer(reg_tagcache_t *cache, reg_tagcache_look_t *look,
    const reg_redis_reply_t *reply, reg_digest_t *d, int64_t *ttl)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    if (reply->kind == REG_REDIS_NIL) {
        return 0;                                    /* the lease is ours */
    }

    look->lease[0] = '\0';

    if (reply->kind == REG_REDIS_REFUSED
        && !reg_redis_refused(reply, "WRONGTYPE"))
    {
        reg_tagredis_refused(&cache->redis, reply);
        return 0;
    }

    if (reply->kind == REG_REDIS_TEXT && reply->text[0] == '?') {
        return 0;
    }

    return reply->kind == REG_REDIS_TEXT
           && reg_tagcache_parse(cache, reply, d, ttl) == 0
           && reg_revision_require(cache->redis.store, look->name, d, &quiet)
              == 0 ? 1 : -1;
}


/* A call of a script over the keys of a look-up, with three arguments more. */
static void
reg_tagcache_call(const reg_tagcache_t *cache, const reg_tagcache_look_t *look,
    const reg_tagredis_script_t *script, reg_tagredis_call_t *call)
{
    *call = (reg_tagredis_call_t) {
        .script = script, .ms = (int) cache->redis.config->tags_timeout,
        .command = { 8, { REG_STR_NULL, REG_STR_NULL, REG_STR("2"),
                          reg_tagkey_str(&look->value),
                          reg_tagkey_str(&look->write) } },
    };
}


/* 1 if Redis knows; else 0. */
static int
reg_tagcache_ask(reg_tagcache_t *cache, reg_tagcache_look_t *look,
    reg_digest_t *d, int64_t *until)
{
    int                   rc = 0;
    int64_t               ttl = 0, begin = reg_redispool_now();
    char                  fence[REG_TAGREDIS_FENCE];
    reg_error_t           err = REG_ERROR_INIT;
    reg_redis_reply_t     reply;
    reg_tagredis_t       *redis = &cache->redis;
    reg_tagredis_call_t   call;
    reg_redispool_link_t  link;

    if (!reg_tagredis_take(redis, &link, 0)) {
        return 0;
    }

    look->fence ^= link.server;                                   /* T3 */
    reg_tagredis_fence(fence, look->fence);
    reg_tagcache_call(cache, look, &cache->look, &call);
    call.command.args[5] = (reg_str_t) { 16, fence };    /* not the blank */
    call.command.args[6] = reg_str_from(look->lease);
    call.command.args[7] = REG_STR(REG_TAGCACHE_LEASE);

    if (reg_tagredis_run(&link, &call, &reply, &err) == -1) {
        reg_tagredis_count(redis, REG_TAGCACHE_FAILED);
        look->lease[0] = '\0';

    } else {
        reg_tagredis_mean(&cache->means.redis, reg_redispool_now() - begin);
        rc = reg_tagcache_answer(cache, look, &reply, d, &ttl);
    }

    if (rc == -1) {
        reg_tagredis_odd(redis, &link, reg_tagkey_str(&look->value),
                         &err);
    }

    reg_redispool_give(redis->pool, &link, &err);
    *until = begin + ttl * 1000000;

    return rc == 1;
}


/* T1: puts what was read from disk into Redis, if nobody has written. */
static void
reg_tagcache_fill(reg_tagcache_t *cache, const reg_tagcache_look_t *look,
    const reg_digest_t *d)
{
    int                   done;
    char                  fence[REG_TAGREDIS_FENCE], ms[24];
    char                  value[REG_TAGCACHE_VALUE];
    reg_error_t           err = REG_ERROR_INIT;
    reg_tagredis_t       *redis = &cache->redis;
    reg_tagredis_call_t   call;
    reg_redispool_link_t  link;

    if (!reg_tagredis_take(redis, &link, 0)) {
        return;
    }

    (void) snprintf(ms, sizeof(ms), "%lld",
                    (long long) redis->config->tags_ttl);
    reg_tagredis_fence(fence, look->fence);
    (void) snprintf(value, sizeof(value), "%s%s", fence, d->text);   /* fits */
    reg_tagcache_call(cache, look, &cache->fill, &call);
    call.command.args[5] = reg_str_from(look->lease);
    call.command.args[6] = reg_str_from(value);
    call.command.args[7] = reg_str_from(ms);

    done = reg_tagredis_done(redis, &link, &call, &err);

    if (done != -1) {
        reg_tagredis_count(redis, done ? REG_TAGCACHE_FILLED
                                       : REG_TAGCACHE_LATE);
    }

    reg_redispool_give(redis->pool, &link, &err);
}


static int
reg_tagcache_disk(reg_tagcache_t *cache, const reg_name_t *name,
    const reg_tag_t *tag, reg_digest_t *d, reg_error_t *err)
{
    reg_tagredis_count(&cache->redis, REG_TAGCACHE_DISK);

    return reg_tag_read(cache->redis.store, name, tag, d, err) == -1
           ? -1 : reg_revision_require(cache->redis.store, name, d, err);
}


/* Not in memory. */
static int
reg_tagcache_miss(reg_tagcache_t *cache, reg_tagcache_look_t *look,
    reg_digest_t *d, reg_error_t *err)
{
    int64_t  begin, until = 0;

    if (reg_tagredis_pays(&cache->redis, &cache->means)
        && reg_tagcache_lease(look) == 0)
    {
        /* after the proof, as it is a part of it, and after the ticket, which
         * is void when another fence is found */
        look->fence = atomic_load(&cache->redis.fence);
        reg_tagkey_format(&look->value, REG_TAGKEY_VALUES, look->name,
                          look->tag);
        reg_tagkey_format(&look->write, REG_TAGKEY_WRITES, look->name,
                          look->tag);

        if (reg_tagcache_ask(cache, look, d, &until) == 1) {
            reg_tagredis_count(&cache->redis, REG_TAGCACHE_REDIS);
            reg_tagmap_put(cache->map, &look->ticket, d, until);
            return 0;
        }
    }

    begin = reg_redispool_now();

    if (reg_tagcache_disk(cache, look->name, look->tag, d, err) == -1) {
        return -1;                       /* a lease ends by itself */
    }

    reg_tagredis_mean(&cache->means.disk, reg_redispool_now() - begin);
    reg_tagmap_put(cache->map, &look->ticket, d,
                   begin + cache->redis.config->tags_ttl * 1000000);

    if (look->lease[0] != '\0') {
        reg_tagcache_fill(cache, look, d);
    }

    return 0;
}


int
reg_tagcache_resolve(reg_tagcache_t *cache, const reg_name_t *name,
    const reg_tag_t *tag, reg_digest_t *d, reg_error_t *err)
{
    bool                 tells;
    int64_t              now = reg_redispool_now();
    reg_tagcache_look_t  look = { .name = name, .tag = tag };

    /* the proof before what it is a proof of: what is in memory after it was
     * not dropped by anything that was told until then */
    if (cache->redis.pool == NULL || !reg_tagredis_trusts(&cache->redis, now))
    {
        return reg_tagcache_disk(cache, name, tag, d, err);
    }

    tells = reg_redispool_tells(cache->redis.pool);

    if (reg_tagmap_get(cache->map, name, tag, now, d, &look.ticket) && tells) {
        reg_tagredis_count(&cache->redis, REG_TAGCACHE_MEMORY);
        return 0;
    }

    return reg_tagcache_miss(cache, &look, d, err);
}


int
reg_tagcache_list(reg_tagcache_t *cache, const reg_name_t *name,
    const reg_taglist_page_t *page, reg_error_t *err)
{
    return cache->lists == NULL
           ? reg_tag_list(cache->redis.store, name, page->last, page->item,
                          page->ctx, err)
           : reg_taglist_page(cache->lists, name, page, err);
}


/* ---- writing ------------------------------------------------------------- */


void
reg_tagcache_begin(reg_tagcache_write_t *w, reg_tagcache_t *cache,
    const reg_name_t *name)
{
    w->cache = cache;
    w->name = name;
    w->tags = (reg_buf_t) REG_BUF_INIT;
}


/* The commands for one tag: it is being written, or it was. */
static size_t
reg_tagcache_commands(reg_redis_command_t *commands,
    const reg_tagkey_t *value, const reg_tagkey_t *write, bool done)
{
    reg_str_t  v = reg_tagkey_str(value);
    reg_str_t  w = reg_tagkey_str(write);

    commands[0] = (reg_redis_command_t) {
        5, { REG_STR("SET"), w, REG_STR("1"), REG_STR("PX"),
             REG_STR(REG_TAGCACHE_MARK) }
    };

    commands[1] = done
        ? (reg_redis_command_t) { 3, { REG_STR("DEL"), v, w } }
        : (reg_redis_command_t) { 2, { REG_STR("DEL"), v } };

    return 2;
}


/* Tells Redis of some tags.  -1 if it does not know then. */
static int
reg_tagcache_tell(reg_tagredis_t *redis, const reg_redis_command_t *commands,
    size_t n)
{
    int                   rc = 0;
    int                   ms = reg_redismaster_patience(redis->config);
    reg_error_t           err = REG_ERROR_INIT;
    reg_redis_reply_t     replies[REG_TAGCACHE_COMMANDS];
    reg_redispool_link_t  link;

    if (!reg_tagredis_take(redis, &link, ms)) {
        return -1;
    }

    if (reg_redis_call(link.c, commands, n, replies, ms, &err) == -1) {
        reg_tagredis_count(redis, REG_TAGCACHE_FAILED);
        rc = -1;
    }

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (replies[i].kind == REG_REDIS_REFUSED) {
            reg_tagredis_refused(redis, &replies[i]);
            rc = -1;
        }
    }

    reg_redispool_give(redis->pool, &link, &err);

    return rc;
}


/* The same for as many tags of list as go into one call, and for the list of
 * the repository; list becomes the others. */
static int
reg_tagcache_tell_some(reg_tagcache_write_t *w, reg_str_t *list, bool done)
{
    size_t               n = 0;
    reg_str_t            some = *list;
    reg_tag_t            tag;
    reg_redis_command_t  commands[REG_TAGCACHE_COMMANDS];
    reg_tagkey_t         values[REG_TAGCACHE_BATCH];
    reg_tagkey_t         writes[REG_TAGCACHE_BATCH];
    reg_tagset_touch_t   touch;

    for (size_t i = 0; i < REG_TAGCACHE_BATCH && list->len > 0; i++) {
        (void) reg_tag_parse(&tag, reg_str_cut(list, '\n'));    /* it is one */

        reg_tagkey_format(&values[i], REG_TAGKEY_VALUES, w->name, &tag);
        reg_tagkey_format(&writes[i], REG_TAGKEY_WRITES, w->name, &tag);
        n += reg_tagcache_commands(commands + n, &values[i], &writes[i], done);
    }

    some.len -= list->len;

    if (reg_tagset_touch(&touch, w->name, some, done) == -1) {
        return -1;
    }

    commands[n++] = touch.command;

    return reg_tagcache_tell(&w->cache->redis, commands, n);
}


/* The same for all of them; in memory as well. */
static int
reg_tagcache_tell_all(reg_tagcache_write_t *w, reg_str_t list, bool done)
{
    int        rc = 0;
    reg_str_t  rest = list;
    reg_tag_t  tag;

    while (rest.len > 0) {
        (void) reg_tag_parse(&tag, reg_str_cut(&rest, '\n'));   /* it is one */
        reg_tagmap_drop(w->cache->map, w->name, &tag);
    }

    while (rc == 0 && list.len > 0) {
        rc = reg_tagcache_tell_some(w, &list, done);
    }

    return rc;
}


void
reg_tagcache_touch(reg_tagcache_write_t *w, const reg_tag_t *tag)
{
    size_t  at = w->tags.len;

    if (w->cache->redis.pool == NULL) {
        return;
    }

    reg_buf_putstr(&w->tags, reg_tag_str(tag));
    reg_buf_puts(&w->tags, "\n");

    if (reg_buf_ok(&w->tags)) {
        /* without it, T2 holds but for a writer that dies */
        (void) reg_tagcache_tell_all(w, (reg_str_t) {
                                     w->tags.len - at, w->tags.data + at },
                                     false);
    }
}


void
reg_tagcache_end(reg_tagcache_write_t *w)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (w->cache->redis.pool != NULL
        && (!reg_buf_ok(&w->tags)
            || reg_tagcache_tell_all(w, reg_buf_str(&w->tags), true) == -1))
    {
        reg_tagredis_count(&w->cache->redis, REG_TAGCACHE_FENCED);
        reg_tagmap_flush(w->cache->map);

        if (reg_fence_raise(w->cache->redis.store, &err) == -1) { /* T3 */
            reg_tagredis_complain(&w->cache->redis, REG_TAGCACHE_FENCED,
                                  "tags: the others could not be told of a"
                                  " change; they see it after"
                                  " nginx_registry.tags.ttl");
        }
    }

    reg_buf_free(&w->tags);
}
