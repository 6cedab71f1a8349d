#include "fcgi_purge.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "reg_durable.h"
#include "reg_purge.h"
#include "reg_turn.h"


/* seconds after which what a crash left in _tmp/ is nobody's */
#define FCGI_PURGE_LITTER  86400

/* the longest sleep, in seconds: the time of day may be set meanwhile */
#define FCGI_PURGE_SLEEP   3600

#define FCGI_PURGE_REST    4           /* times as long as the work took */
#define FCGI_PURGE_MS      1000000LL   /* ns */


struct fcgi_purge_s {
    const fcgi_service_t  *service;
    pthread_t              id;
    pthread_mutex_t        lock;
    pthread_cond_t         wake;
    bool                   stopping;   /* under lock */
    reg_turn_t             turn;
    int64_t                since;      /* of the work in one go; ns */
};


static int64_t
fcgi_purge_now(clockid_t clock)
{
    struct timespec  now;

    (void) clock_gettime(clock, &now);               /* cannot fail */
    return (int64_t) now.tv_sec * 1000 * FCGI_PURGE_MS + now.tv_nsec;
}


/* Sleeps; true if it is time to stop. */
static bool
fcgi_purge_sleep(fcgi_purge_t *p, int64_t ns)
{
    bool             stopping;
    int64_t          until = fcgi_purge_now(CLOCK_MONOTONIC) + ns;
    struct timespec  at = { until / (1000 * FCGI_PURGE_MS),
                            until % (1000 * FCGI_PURGE_MS) };

    (void) pthread_mutex_lock(&p->lock);          /* fails for misuse only */

    while (!p->stopping
           && pthread_cond_timedwait(&p->wake, &p->lock, &at) != ETIMEDOUT)
    {
        /* woken for nothing */
    }

    stopping = p->stopping;
    (void) pthread_mutex_unlock(&p->lock);

    return stopping;
}


/* ---- a round ------------------------------------------------------------- */


static int
fcgi_purge_step(void *ctx, const reg_purge_count_t *count)
{
    fcgi_purge_t  *p = ctx;
    int64_t        ns = fcgi_purge_now(CLOCK_MONOTONIC) - p->since;
    bool           stopping;

    (void) count;

    if (ns < FCGI_PURGE_WORK * FCGI_PURGE_MS) {
        return 0;
    }

    stopping = fcgi_purge_sleep(p, ns * FCGI_PURGE_REST);
    p->since = fcgi_purge_now(CLOCK_MONOTONIC);

    return stopping;
}


static void
fcgi_purge_odd(void *ctx, const char *about, const reg_error_t *err)
{
    fcgi_purge_t  *p = ctx;

    fcgi_log(p->service->log, REG_LOG_WARN, "purge: %s: %s (%s: %s)", about,
             reg_error_message(err), err->where, strerror(err->sys));
}


static void
fcgi_purge_uploads(fcgi_purge_t *p, time_t now)
{
    const reg_config_t  *config = p->service->config;
    reg_purge_count_t    count = { 0 };
    reg_error_t          err = REG_ERROR_INIT;
    reg_purge_t          purge = {
        .since = now - (time_t) config->purge_age,
        .dry_run = config->purge_dryrun,
        .step = fcgi_purge_step, .odd = fcgi_purge_odd, .ctx = p,
    };

    p->since = fcgi_purge_now(CLOCK_MONOTONIC);

    if (reg_purge_all(p->service->store, &purge, &count, &err) == -1) {
        fcgi_purge_odd(p, "repositories", &err);
    }

    fcgi_log(p->service->log,
             count.purged + count.failed > 0 ? REG_LOG_INFO : REG_LOG_DEBUG,
             "purge: %lld of %lld uploads %s, %lld bytes, %lld failed",
             (long long) count.purged, (long long) count.uploads,
             config->purge_dryrun ? "would be removed" : "removed",
             (long long) count.bytes, (long long) count.failed);
}


/* A round if it is time for one; the seconds to sleep. */
static int64_t
fcgi_purge_round(fcgi_purge_t *p)
{
    const reg_config_t  *config = p->service->config;
    reg_turn_clock_t     now;
    reg_path_t           file;
    reg_error_t          err = REG_ERROR_INIT;
    int64_t              wait;

    now.interval = config->purge_interval;
    now.wall = time(NULL);
    now.steady = fcgi_purge_now(CLOCK_BOOTTIME) / (1000 * FCGI_PURGE_MS);

    reg_layout_purge(&file, &p->service->store->v2);
    wait = reg_turn_take(&p->turn, p->service->store, &file, &now, &err);

    if (wait == -1) {
        fcgi_purge_odd(p, "turn", &err);
        return now.interval;
    }

    if (wait > 0) {
        return wait;
    }

    reg_durable_sweep(p->service->store, now.wall, FCGI_PURGE_LITTER);

    if (config->purge_enabled) {
        fcgi_purge_uploads(p, now.wall);
    }

    reg_turn_end(&p->turn);

    return now.interval;
}


/* ---- the thread ---------------------------------------------------------- */


/* Processes that start together do not ask together. */
static int64_t
fcgi_purge_jitter(const reg_config_t *config)
{
    uint32_t  random = 0;
    int64_t   most = config->purge_interval / 8;

    /* no random number: then at once */
    (void) !getrandom(&random, sizeof(random), GRND_NONBLOCK);

    most = most < FCGI_PURGE_JITTER ? most : FCGI_PURGE_JITTER;

    return most * 1000 * random / UINT32_MAX * FCGI_PURGE_MS;
}


static void *
fcgi_purge_thread(void *data)
{
    fcgi_purge_t  *p = data;
    int64_t        wait = fcgi_purge_jitter(p->service->config);

    while (!fcgi_purge_sleep(p, wait)) {
        wait = p->service->config->readonly ? FCGI_PURGE_SLEEP
                                            : fcgi_purge_round(p);
        wait = wait < FCGI_PURGE_SLEEP ? wait : FCGI_PURGE_SLEEP;
        wait *= 1000 * FCGI_PURGE_MS;
    }

    return NULL;
}


fcgi_purge_t *
fcgi_purge_start(const fcgi_service_t *service, reg_error_t *err)
{
    int                 sys;
    fcgi_purge_t       *p = calloc(1, sizeof(*p));
    pthread_condattr_t  attr;

    if (p == NULL || pthread_condattr_init(&attr) != 0) {
        free(p);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    p->service = service;
    p->turn = (reg_turn_t) REG_TURN_INIT;

    (void) pthread_mutex_init(&p->lock, NULL);    /* cannot fail */
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);   /* it exists */
    (void) pthread_cond_init(&p->wake, &attr);    /* cannot fail */
    (void) pthread_condattr_destroy(&attr);

    sys = pthread_create(&p->id, NULL, fcgi_purge_thread, p);

    if (sys != 0) {
        (void) reg_error_sys(err, sys, REG_UNKNOWN, "pthread_create", "purge");
        free(p);
        return NULL;
    }

    return p;
}


void
fcgi_purge_stop(fcgi_purge_t *p)
{
    (void) pthread_mutex_lock(&p->lock);          /* fails for misuse only */
    p->stopping = true;
    (void) pthread_cond_signal(&p->wake);
    (void) pthread_mutex_unlock(&p->lock);

    (void) pthread_join(p->id, NULL);             /* it is joinable */
    (void) pthread_cond_destroy(&p->wake);
    (void) pthread_mutex_destroy(&p->lock);
    free(p);
}
