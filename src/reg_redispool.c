#include "reg_redispool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "reg_thread.h"


#define REG_REDISPOOL_MAX       256     /* connections */
#define REG_REDISPOOL_SENTINEL  1000    /* ms from question to question */
#define REG_REDISPOOL_BACKOFF   5       /* doublings at most */


struct reg_redispool_s {
    const reg_config_t           *config;
    const reg_redispool_watch_t  *watch;
    reg_thread_t                  thread;

    pthread_mutex_t               lock;          /* over what follows */
    pthread_cond_t                given;         /* who waits for one */
    bool                          up;
    uint32_t                      era;           /* connections of another are
                                                    closed */
    uint64_t                      server;
    int64_t                       failures;      /* in a row */
    size_t                        nopen;         /* taken ones as well */
    size_t                        nidle;
    reg_redis_t                  *idle[REG_REDISPOOL_MAX];
    char                          why[200];      /* it went down */

    _Atomic int64_t               proven;
    _Atomic bool                  tells;

    /* the thread's own */
    reg_redis_t                  *control;
    reg_redis_t                  *listener;      /* NULL: nothing is told */
    char                          address[256];
    int64_t                       asked;         /* the Sentinels */
    int                           attempts;
    bool                          told_down;
    char                          told[200];     /* the reason */
};


int64_t
reg_redispool_now(void)
{
    return reg_clock_ns(CLOCK_BOOTTIME);
}


int64_t
reg_redispool_proven(const reg_redispool_t *pool)
{
    return atomic_load(&pool->proven);
}


bool
reg_redispool_tells(const reg_redispool_t *pool)
{
    return atomic_load(&pool->tells);
}


/* ---- taking and giving --------------------------------------------------- */


static void
reg_redispool_lock(reg_redispool_t *pool)
{
    (void) pthread_mutex_lock(&pool->lock);       /* fails for misuse only */
}


static void
reg_redispool_unlock(reg_redispool_t *pool)
{
    (void) pthread_mutex_unlock(&pool->lock);
}


/* Closes what nobody has taken.  Under the lock. */
static void
reg_redispool_drain(reg_redispool_t *pool)
{
    while (pool->nidle > 0) {
        reg_redis_close(pool->idle[--pool->nidle]);
        pool->nopen--;
    }
}


/* Under the lock; the thread sees it within a beat. */
static void
reg_redispool_down(reg_redispool_t *pool, const char *why)
{
    if (pool->up) {
        pool->up = false;
        atomic_store(&pool->proven, 0);
        (void) snprintf(pool->why, sizeof(pool->why), "%s", why);
        (void) pthread_cond_broadcast(&pool->given);
    }
}


/* What came unasked, or an end, means that it is of no use. */
static reg_redis_t *
reg_redispool_pop(reg_redispool_t *pool)
{
    while (pool->nidle > 0) {
        reg_redis_t  *c = pool->idle[--pool->nidle];

        if (reg_redis_is_quiet(c)) {
            return c;
        }

        reg_redis_close(c);
        pool->nopen--;
    }

    return NULL;
}


bool
reg_redispool_take(reg_redispool_t *pool, reg_redispool_link_t *link, int ms)
{
    int64_t  until = reg_clock_ns(CLOCK_MONOTONIC) + ms * REG_CLOCK_MS;

    link->c = NULL;
    reg_redispool_lock(pool);

    while (pool->up && (link->c = reg_redispool_pop(pool)) == NULL
           && ms > 0
           && reg_clock_wait(&pool->given, &pool->lock, until))
    {
        /* somebody gave one back, or it went down */
    }

    link->era = pool->era;
    link->server = pool->server;
    reg_redispool_unlock(pool);

    return link->c != NULL;
}


void
reg_redispool_give(reg_redispool_t *pool, reg_redispool_link_t *link,
    const reg_error_t *err)
{
    bool  good = err->code == REG_OK;

    reg_redispool_lock(pool);

    if (link->era == pool->era) {
        pool->failures = good ? 0 : pool->failures + 1;
    }

    if (pool->failures >= pool->config->tags_failures) {
        reg_redispool_down(pool, reg_error_message(err));
    }

    if (good && pool->up && link->era == pool->era) {
        pool->idle[pool->nidle++] = link->c;
        link->c = NULL;
    } else {
        pool->nopen--;
    }

    (void) pthread_cond_signal(&pool->given);
    reg_redispool_unlock(pool);

    reg_redis_close(link->c);
    link->c = NULL;
}


void
reg_redispool_doubt(reg_redispool_t *pool, const char *why)
{
    reg_redispool_lock(pool);
    reg_redispool_down(pool, why);
    reg_redispool_unlock(pool);
}


/* ---- the thread ---------------------------------------------------------- */


static void
reg_redispool_log(reg_redispool_t *pool, reg_log_level_t level,
    const char *what)
{
    char  message[600];

    (void) snprintf(message, sizeof(message), "redis: %s%s%s", pool->address,
                    pool->address[0] != '\0' ? ": " : "", what);
    pool->watch->log(pool->watch->ctx, level, message);
}


/* As many connections as there may be, before anybody needs them. */
static int
reg_redispool_fill(reg_redispool_t *pool, reg_error_t *err)
{
    bool  full;

    for ( ;; ) {
        reg_redis_t  *c;

        reg_redispool_lock(pool);
        full = pool->nopen >= (size_t) pool->config->redis_pool;
        reg_redispool_unlock(pool);

        if (full) {
            return 0;
        }

        c = reg_redismaster_dial(pool->config, pool->address, err);

        if (c == NULL) {
            return -1;
        }

        reg_redispool_lock(pool);
        pool->idle[pool->nidle++] = c;
        pool->nopen++;
        (void) pthread_cond_signal(&pool->given);
        reg_redispool_unlock(pool);
    }
}


/* Follows the changes, if the server lets us. */
static int
reg_redispool_follow(reg_redispool_t *pool, reg_error_t *err)
{
    int  rc;

    pool->listener = reg_redismaster_dial(pool->config, pool->address, err);

    if (pool->listener == NULL) {
        return -1;
    }

    rc = reg_redis_track(pool->control, pool->listener, pool->watch->prefix,
                         reg_redismaster_patience(pool->config), err);

    if (rc != 1) {
        reg_redis_close(pool->listener);
        pool->listener = NULL;
    }

    return rc == -1 ? -1 : 0;
}


static void
reg_redispool_close(reg_redispool_t *pool)
{
    reg_redispool_lock(pool);
    pool->era++;
    reg_redispool_drain(pool);
    reg_redispool_unlock(pool);

    atomic_store(&pool->tells, false);
    atomic_store(&pool->proven, 0);
    reg_redis_close(pool->control);
    reg_redis_close(pool->listener);
    pool->control = NULL;
    pool->listener = NULL;
}


static int
reg_redispool_open(reg_redispool_t *pool, reg_error_t *err)
{
    int                rc;
    reg_redismaster_t  found;

    pool->asked = reg_redispool_now();
    rc = reg_redismaster_find(pool->config, &found, err);
    memcpy(pool->address, found.address, sizeof(pool->address));
    pool->control = found.c;

    if (rc == -1
        || reg_redispool_follow(pool, err) == -1
        || reg_redispool_fill(pool, err) == -1)
    {
        return -1;
    }

    /* what happened before the listener was there was told to nobody */
    pool->watch->changed(pool->watch->ctx, REG_STR_NULL);
    atomic_store(&pool->tells, pool->listener != NULL);

    reg_redispool_lock(pool);
    pool->server = found.server;
    pool->failures = 0;
    pool->up = true;
    reg_redispool_unlock(pool);

    if (pool->listener != NULL) {
        reg_redispool_log(pool, REG_LOG_INFO, "connected");
    } else {
        reg_redispool_log(pool, REG_LOG_WARN, "connected; CLIENT TRACKING is"
                          " refused: no tags are kept in memory");
    }

    pool->told_down = false;
    pool->attempts = 0;

    return 0;
}


/* The Sentinels may name another master while the old one still answers. */
static int
reg_redispool_same(reg_redispool_t *pool, reg_error_t *err)
{
    char         address[256] = "";
    int64_t      now = reg_redispool_now();
    reg_error_t  odd = REG_ERROR_INIT;

    if (!reg_redismaster_moves(pool->config)
        || now - pool->asked < REG_REDISPOOL_SENTINEL * REG_CLOCK_MS)
    {
        return 0;
    }

    pool->asked = now;

    if (reg_redismaster_ask(pool->config, address, &odd) == -1
        || strcmp(address, pool->address) == 0)
    {
        return 0;                       /* no Sentinel is no news */
    }

    return reg_error_set(err, REG_UNKNOWN, "the master is now at %.80s",
                         address);
}


/* One round: proves that nothing has happened that was not told. */
static int
reg_redispool_beat(reg_redispool_t *pool, reg_error_t *err)
{
    int                rc;
    int64_t            begin = reg_redispool_now();
    bool               usable = pool->watch->beat(pool->watch->ctx);
    reg_redis_reply_t  reply;
    reg_redis_watch_t  watch = { pool->watch->changed, pool->watch->ctx };

    const int                  ms = REG_REDISPOOL_WINDOW / 2;
    const reg_redis_command_t  ping = { 1, { REG_STR("PING") } };

    if (reg_redispool_same(pool, err) == -1
        || reg_redispool_fill(pool, err) == -1
        || reg_redis_call(pool->control, &ping, 1, &reply, ms, err) == -1)
    {
        return -1;
    }

    if (pool->listener != NULL) {
        if (reg_redis_ping(pool->listener, ms, err) == -1) {
            return -1;
        }

        rc = reg_redis_listen(pool->listener, ms, &watch, err);

        if (rc != 1) {
            return rc == -1 ? -1 : reg_error_set(err, REG_UNKNOWN, "it did not"
                                                 " answer in time");
        }
    }

    reg_redispool_lock(pool);

    if (pool->up && usable) {
        atomic_store(&pool->proven, begin);
    }

    reg_redispool_unlock(pool);

    return pool->listener != NULL
           && reg_redis_listen(pool->listener, REG_REDISPOOL_BEAT, &watch, err)
              == -1 ? -1 : 0;
}


/* Sleeps; true if it is time to stop. */
static bool
reg_redispool_sleep(reg_redispool_t *pool, int64_t ms)
{
    return reg_thread_sleep(&pool->thread, ms * REG_CLOCK_MS);
}


/* Longer each time, and not the same for processes that began together. */
static int64_t
reg_redispool_backoff(reg_redispool_t *pool)
{
    uint32_t  chance = UINT32_MAX / 2;
    int64_t   ms = pool->config->tags_retry << pool->attempts;

    /* no random number: then none */
    (void) !getrandom(&chance, sizeof(chance), GRND_NONBLOCK);

    if (pool->attempts < REG_REDISPOOL_BACKOFF) {
        pool->attempts++;
    }

    return ms * 3 / 4 + ms / 2 * chance / UINT32_MAX;
}


/* While it is up. */
static void
reg_redispool_serve(reg_redispool_t *pool)
{
    bool         up = true, stopping = false;
    reg_error_t  err = REG_ERROR_INIT;

    pool->watch->state(pool->watch->ctx, true, pool->listener != NULL);

    while (up && !stopping) {
        if (reg_redispool_beat(pool, &err) == -1) {
            reg_redispool_doubt(pool, reg_error_message(&err));
        }

        stopping = reg_redispool_sleep(pool, pool->listener != NULL
                                             ? 0 : REG_REDISPOOL_BEAT);
        reg_redispool_lock(pool);
        up = pool->up;
        reg_redispool_unlock(pool);
    }

    if (!stopping) {
        pool->watch->state(pool->watch->ctx, false, false);
    }
}


/* That it is down, once; and what else keeps it there, as often as that is
 * something else. */
static void
reg_redispool_tell(reg_redispool_t *pool)
{
    bool  told = pool->told_down, same;
    char  message[280];

    reg_redispool_lock(pool);
    same = told && strcmp(pool->told, pool->why) == 0;
    memcpy(pool->told, pool->why, sizeof(pool->told));
    (void) snprintf(message, sizeof(message), "%snot used: %s; tags are read"
                    " from disk", told ? "still " : "", pool->why);
    reg_redispool_unlock(pool);

    pool->told_down = true;

    if (!same && !reg_thread_stops(&pool->thread)) {
        reg_redispool_log(pool, told ? REG_LOG_INFO : REG_LOG_WARN, message);
    }
}


static void *
reg_redispool_thread(void *data)
{
    reg_redispool_t  *pool = data;
    int64_t           wait = 0;

    while (!reg_redispool_sleep(pool, wait)) {
        reg_error_t  err = REG_ERROR_INIT;

        if (reg_redispool_open(pool, &err) == 0) {
            reg_redispool_serve(pool);
        } else {
            (void) snprintf(pool->why, sizeof(pool->why), "%.199s",
                            reg_error_message(&err));
        }

        reg_redispool_close(pool);
        wait = reg_redispool_backoff(pool);

        reg_redispool_tell(pool);
    }

    return NULL;
}


static void
reg_redispool_destroy(reg_redispool_t *pool)
{
    (void) pthread_cond_destroy(&pool->given);
    (void) pthread_mutex_destroy(&pool->lock);
    free(pool);
}


reg_redispool_t *
reg_redispool_create(const reg_config_t *config,
    const reg_redispool_watch_t *watch, reg_error_t *err)
{
    reg_redispool_t  *pool = calloc(1, sizeof(*pool));

    if (pool == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    pool->config = config;
    pool->watch = watch;

    (void) pthread_mutex_init(&pool->lock, NULL);  /* cannot fail */
    reg_clock_cond(&pool->given);

    if (reg_thread_start(&pool->thread, reg_redispool_thread, pool, "redis",
                         err) == -1)
    {
        reg_redispool_destroy(pool);
        return NULL;
    }

    return pool;
}


void
reg_redispool_free(reg_redispool_t *pool)
{
    if (pool == NULL) {
        return;
    }

    reg_thread_stop(&pool->thread);
    reg_redispool_drain(pool);
    reg_redispool_destroy(pool);
}
