/*
 * reg_tagredis: the Redis that reg_tagcache and reg_taglist share: who may
 * believe it, how it is called, and what is counted.
 *
 *     reg_tagredis_call_t  call = {
 *         .script = &script, .ms = ms,
 *         .command = { 4, { REG_STR_NULL, REG_STR_NULL, REG_STR("1"), key } },
 *     };
 *
 *     if (reg_tagredis_trusts(redis, now)
 *         && reg_tagredis_take(redis, &link, 0))
 *     {
 *         rc = reg_tagredis_run(&link, &call, &reply, &err);
 *         reg_redispool_give(redis->pool, &link, &err);
 *     }
 *
 * The parts are plain; reg_tagcache makes and ends them.
 *
 * Blocks: network
 */

#ifndef REG_TAGREDIS_H
#define REG_TAGREDIS_H

#include "reg_config.h"
#include "reg_redispool.h"
#include "reg_store.h"

#define REG_TAGREDIS_RANDOM  16          /* digits of a random number */
#define REG_TAGREDIS_FENCE   18          /* of a fence, a blank and a NUL */

/* What happened, since the start. */
typedef enum {
    REG_TAGCACHE_MEMORY,        /* answered from memory */
    REG_TAGCACHE_REDIS,         /* from Redis */
    REG_TAGCACHE_DISK,          /* from disk, or found missing there */
    REG_TAGCACHE_FILLED,        /* put into Redis */
    REG_TAGCACHE_LATE,          /* not put there: somebody wrote meanwhile */
    REG_TAGCACHE_DROPPED,       /* changes that others told of */
    REG_TAGCACHE_FLUSHED,       /* all of the memory, at once */
    REG_TAGCACHE_BUSY,          /* no connection was free */
    REG_TAGCACHE_FAILED,        /* calls that were not answered in time */
    REG_TAGCACHE_REFUSED,       /* commands that the server refused */
    REG_TAGCACHE_ODD,           /* values that are none of ours */
    REG_TAGCACHE_FENCED,        /* changes that Redis could not be told */
    REG_TAGCACHE_LIST_REDIS,    /* pages of tags from Redis */
    REG_TAGCACHE_LIST_DISK,     /* at least the end of the page from disk */
    REG_TAGCACHE_LIST_FILLED,   /* lists put into Redis */
    REG_TAGCACHE_LIST_LATE,     /* not all of it: the lease was lost */
    REG_TAGCACHE_COUNTS
} reg_tagcache_count_t;

/* Told of what happens; from any thread. */
typedef struct {
    /* once for each change of state */
    void  (*line)(void *ctx, reg_log_level_t level, const char *message);
    void   *ctx;

    /* both may be NULL */
    void  (*count)(void *ctx, reg_tagcache_count_t what);
    void  (*state)(void *ctx, bool up, bool follows);
} reg_tagcache_log_t;

typedef struct {
    reg_store_t               *store;
    const reg_config_t        *config;
    const reg_tagcache_log_t  *log;
    reg_redispool_t           *pool;             /* NULL: there is no Redis */
    _Atomic uint64_t           fence;            /* as it was read last */
    _Atomic uint32_t           complaints;       /* bits of what was logged */
    _Atomic int64_t            counts[REG_TAGCACHE_COUNTS];
} reg_tagredis_t;

/* Lua, known to the server by its SHA-1. */
typedef struct {
    const char  *text;
    char         sha1[41];
} reg_tagredis_script_t;

typedef struct {
    const reg_tagredis_script_t  *script;
    reg_redis_command_t           command;       /* its first two are ours */
    reg_redis_watch_t             item;          /* of a reply that is a list;
                                                    or no function */
    int                           ms;
} reg_tagredis_call_t;

/* Which of two ways was faster, by moving means; and now and then the other
 * one, as it may have become so. */
typedef struct {
    _Atomic int64_t   disk;              /* ns; 0: unknown */
    _Atomic int64_t   redis;
    _Atomic uint32_t  asked;
} reg_tagredis_means_t;


void reg_tagredis_count(reg_tagredis_t *redis, reg_tagcache_count_t what);

/* Counts it, and logs it once from connecting to connecting. */
void reg_tagredis_complain(reg_tagredis_t *redis, reg_tagcache_count_t what,
    const char *message);

/* The same for a command that was refused.  A replica, or one that may not be
 * written to, is not the one we want; what else is refused stays refused. */
void reg_tagredis_refused(reg_tagredis_t *redis,
    const reg_redis_reply_t *reply);

/* Removes a key whose value is none of ours, and so what keeps others from
 * being put there.  err says what came of it. */
void reg_tagredis_odd(reg_tagredis_t *redis, const reg_redispool_link_t *link,
    reg_str_t key, reg_error_t *err);

/* T4 of reg_tagcache.h. */
bool reg_tagredis_trusts(const reg_tagredis_t *redis, int64_t now);

/* reg_redispool_take(), counted. */
bool reg_tagredis_take(reg_tagredis_t *redis, reg_redispool_link_t *link,
    int ms);

void reg_tagredis_script(reg_tagredis_script_t *script, const char *text);

int reg_tagredis_run(const reg_redispool_link_t *link,
    reg_tagredis_call_t *call, reg_redis_reply_t *reply, reg_error_t *err);

/* Runs a script that answers 1 if it has done what it is for: 1, or 0 if not;
 * -1, which is counted, if the call failed or was refused. */
int reg_tagredis_done(reg_tagredis_t *redis, const reg_redispool_link_t *link,
    reg_tagredis_call_t *call, reg_error_t *err);

/* As every value of ours begins: "0123456789abcdef ". */
void reg_tagredis_fence(char text[REG_TAGREDIS_FENCE], uint64_t fence);

/* -1 if there are no random numbers yet. */
int reg_tagredis_random(char text[REG_TAGREDIS_RANDOM + 1]);

void reg_tagredis_mean(_Atomic int64_t *mean, int64_t sample);
bool reg_tagredis_pays(const reg_tagredis_t *redis,
    reg_tagredis_means_t *means);

#endif
