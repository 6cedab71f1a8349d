#include "reg_tagredis.h"

#include <stdatomic.h>
#include <sys/random.h>

#include <openssl/evp.h>


#define REG_TAGREDIS_MEASURE  32         /* every so many */


/* ---- counts -------------------------------------------------------------- */


void
reg_tagredis_count(reg_tagredis_t *redis, reg_tagcache_count_t what)
{
    (void) atomic_fetch_add_explicit(&redis->counts[what], 1,
                                     memory_order_relaxed);

    if (redis->log->count != NULL) {
        redis->log->count(redis->log->ctx, what);
    }
}


void
reg_tagredis_complain(reg_tagredis_t *redis, reg_tagcache_count_t what,
    const char *message)
{
    uint32_t  bit = 1u << what;

    reg_tagredis_count(redis, what);

    if ((atomic_fetch_or(&redis->complaints, bit) & bit) == 0) {
        redis->log->line(redis->log->ctx, REG_LOG_WARN, message);
    }
}


void
reg_tagredis_refused(reg_tagredis_t *redis, const reg_redis_reply_t *reply)
{
    char  message[200];

    (void) snprintf(message, sizeof(message), "redis: a command is refused:"
                    " %.120s", reply->text);

    reg_tagredis_complain(redis, REG_TAGCACHE_REFUSED, message);

    if (reg_redis_refused(reply, "READONLY")
        || reg_redis_refused(reply, "LOADING")
        || reg_redis_refused(reply, "MASTERDOWN"))
    {
        reg_redispool_doubt(redis->pool, reply->text);
    }
}


void
reg_tagredis_odd(reg_tagredis_t *redis, const reg_redispool_link_t *link,
    reg_str_t key, reg_error_t *err)
{
    char               message[REG_NAME_MAX + REG_TAG_MAX + 100];
    reg_redis_reply_t  reply;

    const reg_redis_command_t  del = { 2, { REG_STR("DEL"), key } };

    (void) snprintf(message, sizeof(message), "redis: the value of %.*s is not"
                    " ours, and removed", REG_STR_ARG(key));
    reg_tagredis_complain(redis, REG_TAGCACHE_ODD, message);

    (void) reg_redis_call(link->c, &del, 1, &reply,
                          (int) redis->config->tags_timeout, err);
}


/* ---- calls --------------------------------------------------------------- */


bool
reg_tagredis_trusts(const reg_tagredis_t *redis, int64_t now)
{
    int64_t  proven = reg_redispool_proven(redis->pool);

    return proven != 0 && now - proven < REG_REDISPOOL_WINDOW * 1000000LL;
}


bool
reg_tagredis_take(reg_tagredis_t *redis, reg_redispool_link_t *link, int ms)
{
    if (reg_redispool_take(redis->pool, link, ms)) {
        return true;
    }

    reg_tagredis_count(redis, REG_TAGCACHE_BUSY);

    return false;
}


void
reg_tagredis_script(reg_tagredis_script_t *script, const char *text)
{
    unsigned char  hash[EVP_MAX_MD_SIZE];
    unsigned       len = 0;

    script->text = text;

    /* without it, each call sends the whole text */
    if (EVP_Digest(text, strlen(text), hash, &len, EVP_sha1(), NULL) != 1) {
        len = 0;
    }

    for (unsigned i = 0; i < len && i < 20; i++) {
        (void) snprintf(script->sha1 + 2 * i, 3, "%02x", hash[i]);
    }
}


static int
reg_tagredis_call(const reg_redispool_link_t *link,
    const reg_tagredis_call_t *call, reg_redis_reply_t *reply,
    reg_error_t *err)
{
    return call->item.changed == NULL
           ? reg_redis_call(link->c, &call->command, 1, reply, call->ms, err)
           : reg_redis_list(link->c, &call->command, &call->item, reply,
                            call->ms, err);
}


int
reg_tagredis_run(const reg_redispool_link_t *link, reg_tagredis_call_t *call,
    reg_redis_reply_t *reply, reg_error_t *err)
{
    call->command.args[0] = REG_STR("EVALSHA");
    call->command.args[1] = reg_str_from(call->script->sha1);

    if (reg_tagredis_call(link, call, reply, err) == -1) {
        return -1;
    }

    if (!reg_redis_refused(reply, "NOSCRIPT")) {
        return 0;
    }

    call->command.args[0] = REG_STR("EVAL");
    call->command.args[1] = reg_str_from(call->script->text);

    return reg_tagredis_call(link, call, reply, err);
}


int
reg_tagredis_done(reg_tagredis_t *redis, const reg_redispool_link_t *link,
    reg_tagredis_call_t *call, reg_error_t *err)
{
    reg_redis_reply_t  reply;

    if (reg_tagredis_run(link, call, &reply, err) == -1) {
        reg_tagredis_count(redis, REG_TAGCACHE_FAILED);
        return -1;
    }

    if (reply.kind == REG_REDIS_REFUSED) {
        reg_tagredis_refused(redis, &reply);
        return -1;
    }

    return reply.number == 1;
}


void
reg_tagredis_fence(char text[REG_TAGREDIS_FENCE], uint64_t fence)
{
    (void) snprintf(text, REG_TAGREDIS_FENCE, "%016llx ",
                    (unsigned long long) fence);                /* fits */
}


int
reg_tagredis_random(char text[REG_TAGREDIS_RANDOM + 1])
{
    uint64_t  number;

    if (getrandom(&number, sizeof(number), GRND_NONBLOCK)
        != (ssize_t) sizeof(number))
    {
        return -1;
    }

    (void) snprintf(text, REG_TAGREDIS_RANDOM + 1, "%016llx",
                    (unsigned long long) number);               /* fits */

    return 0;
}


/* ---- what pays ----------------------------------------------------------- */


void
reg_tagredis_mean(_Atomic int64_t *mean, int64_t sample)
{
    int64_t  old = atomic_load_explicit(mean, memory_order_relaxed);

    atomic_store_explicit(mean, old == 0 ? sample : old + (sample - old) / 8,
                          memory_order_relaxed);
}


bool
reg_tagredis_pays(const reg_tagredis_t *redis, reg_tagredis_means_t *means)
{
    int64_t   disk = atomic_load_explicit(&means->disk, memory_order_relaxed);
    int64_t   from = atomic_load_explicit(&means->redis, memory_order_relaxed);
    uint32_t  n = atomic_fetch_add_explicit(&means->asked, 1,
                                            memory_order_relaxed);

    return redis->config->tags_ask == REG_TAGS_ALWAYS || disk == 0
           || from < disk || n % REG_TAGREDIS_MEASURE == 0;
}
