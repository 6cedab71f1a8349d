/*
 * reg_redispool: the connections to one Redis, and whether it can be relied
 * on.
 *
 * A thread of the pool does all that may take long: it looks names up, asks
 * Sentinels, connects, and finds out again and again whether the server still
 * answers.  Whoever has a request takes a connection that is there already, or
 * does without.
 *
 *     pool = reg_redispool_create(config, &watch, &err);
 *
 *     if (reg_redispool_take(pool, &link, 0)) {
 *         rc = reg_redis_call(link.c, …);
 *         reg_redispool_give(pool, &link, &err);
 *     }
 *
 * The pool is up or down.  It goes down when as many calls in a row have failed
 * as the configuration says, when the thread's own question was not answered,
 * or when reg_redispool_doubt() was called; then no connection is given, and
 * the thread tries again after a while, each time after a longer one, with some
 * chance in it.  The server is looked for anew each time (reg_redismaster.h): a
 * Sentinel may name another one.
 *
 * Every REG_REDISPOOL_BEAT milliseconds the thread calls watch->beat(), then
 * asks the server for a sign of life, and reads all that it has told of changes
 * until then.  reg_redispool_proven() is the time at which the last such round
 * began: what was not told by then did not happen before.  Its clock counts
 * while the machine sleeps, and never jumps.
 *
 * Blocks: network
 */

#ifndef REG_REDISPOOL_H
#define REG_REDISPOOL_H

#include "reg_redismaster.h"

#define REG_REDISPOOL_BEAT    50        /* milliseconds */
#define REG_REDISPOOL_WINDOW  250       /* a proof is good for so many */

typedef struct reg_redispool_s  reg_redispool_t;

/* Called by the thread of the pool alone. */
typedef struct {
    /* false: what is remembered may not be used now */
    bool       (*beat)(void *ctx);

    /* a key changed; an empty slice: all may have */
    void       (*changed)(void *ctx, reg_str_t key);

    /* it can be relied on, and tells of changes; or no longer */
    void       (*state)(void *ctx, bool up, bool tells);

    /* once for each change of state */
    void       (*log)(void *ctx, reg_log_level_t level,
                      const char *message);

    const char  *prefix;                /* of the keys that are watched */
    void        *ctx;
} reg_redispool_watch_t;

/* A connection, taken. */
typedef struct {
    reg_redis_t  *c;
    uint64_t      server;               /* another after each of its starts */
    uint32_t      era;
} reg_redispool_link_t;


/* watch and config must live as long as the pool.  NULL with err filled. */
reg_redispool_t *reg_redispool_create(const reg_config_t *config,
    const reg_redispool_watch_t *watch, reg_error_t *err);
void reg_redispool_free(reg_redispool_t *pool);          /* NULL is allowed */

/* Waits ms at most for another thread to give one back. */
bool reg_redispool_take(reg_redispool_t *pool, reg_redispool_link_t *link,
    int ms);

/* err says what went wrong with it, if anything did. */
void reg_redispool_give(reg_redispool_t *pool, reg_redispool_link_t *link,
    const reg_error_t *err);

/* The server is not the one that we want: look for it again. */
void reg_redispool_doubt(reg_redispool_t *pool, const char *why);

/* 0: never, or the pool is down. */
int64_t reg_redispool_proven(const reg_redispool_t *pool);

/* True while changes are told of. */
bool reg_redispool_tells(const reg_redispool_t *pool);

int64_t reg_redispool_now(void);                         /* nanoseconds */

#endif
