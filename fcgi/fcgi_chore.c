#include "fcgi_chore.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>


#define FCGI_CHORE_SLEEP   3600        /* the longest, in seconds */
#define FCGI_CHORE_REST    4           /* times as long as the work took */
#define FCGI_CHORE_MS      1000000LL   /* ns */
#define FCGI_CHORE_SECOND  (1000 * FCGI_CHORE_MS)


struct fcgi_chore_s {
    fcgi_chore_round_pt   round;
    void                 *ctx;
    int64_t               first;       /* from the start to it; ns */
    int64_t               since;       /* of the work in one go; ns */
    pthread_t             id;
    pthread_mutex_t       lock;
    pthread_cond_t        wake;
    bool                  stopping;    /* under lock */
};


int64_t
fcgi_chore_ns(clockid_t clock)
{
    struct timespec  now;

    (void) clock_gettime(clock, &now);               /* cannot fail */
    return (int64_t) now.tv_sec * FCGI_CHORE_SECOND + now.tv_nsec;
}


int64_t
fcgi_chore_now(clockid_t clock)
{
    return fcgi_chore_ns(clock) / FCGI_CHORE_SECOND;
}


/* Sleeps; true if it is time to stop. */
static bool
fcgi_chore_sleep(fcgi_chore_t *chore, int64_t ns)
{
    bool             stopping;
    int64_t          until = fcgi_chore_ns(CLOCK_MONOTONIC) + ns;
    struct timespec  at = { until / FCGI_CHORE_SECOND,
                            until % FCGI_CHORE_SECOND };

    (void) pthread_mutex_lock(&chore->lock);      /* fails for misuse only */

    while (!chore->stopping
           && pthread_cond_timedwait(&chore->wake, &chore->lock, &at)
              != ETIMEDOUT)
    {
        /* woken for nothing */
    }

    stopping = chore->stopping;
    (void) pthread_mutex_unlock(&chore->lock);

    return stopping;
}


bool
fcgi_chore_pace(fcgi_chore_t *chore)
{
    int64_t  ns = fcgi_chore_ns(CLOCK_MONOTONIC) - chore->since;
    bool     stopping;

    if (ns < FCGI_CHORE_WORK * FCGI_CHORE_MS) {
        return false;
    }

    stopping = fcgi_chore_sleep(chore, ns * FCGI_CHORE_REST);
    chore->since = fcgi_chore_ns(CLOCK_MONOTONIC);

    return stopping;
}


static void *
fcgi_chore_thread(void *data)
{
    fcgi_chore_t  *chore = data;
    int64_t        wait = chore->first;

    while (!fcgi_chore_sleep(chore, wait)) {
        chore->since = fcgi_chore_ns(CLOCK_MONOTONIC);
        wait = chore->round(chore, chore->ctx);
        wait = wait < FCGI_CHORE_SLEEP ? wait : FCGI_CHORE_SLEEP;
        wait *= FCGI_CHORE_SECOND;
    }

    return NULL;
}


static int64_t
fcgi_chore_jitter(int64_t within)
{
    uint32_t  random = 0;

    /* no random number: then at once */
    (void) !getrandom(&random, sizeof(random), GRND_NONBLOCK);

    return within * 1000 * random / UINT32_MAX * FCGI_CHORE_MS;
}


fcgi_chore_t *
fcgi_chore_start(fcgi_chore_round_pt round, void *ctx, int64_t within,
    reg_error_t *err)
{
    int                 sys;
    fcgi_chore_t       *chore = calloc(1, sizeof(*chore));
    pthread_condattr_t  attr;

    if (chore == NULL || pthread_condattr_init(&attr) != 0) {
        free(chore);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    chore->round = round;
    chore->ctx = ctx;
    chore->first = fcgi_chore_jitter(within);

    (void) pthread_mutex_init(&chore->lock, NULL);    /* cannot fail */
    (void) pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);   /* it exists */
    (void) pthread_cond_init(&chore->wake, &attr);    /* cannot fail */
    (void) pthread_condattr_destroy(&attr);

    sys = pthread_create(&chore->id, NULL, fcgi_chore_thread, chore);

    if (sys != 0) {
        (void) reg_error_sys(err, sys, REG_UNKNOWN, "pthread_create", "chore");
        free(chore);
        return NULL;
    }

    return chore;
}


void
fcgi_chore_stop(fcgi_chore_t *chore)
{
    if (chore == NULL) {
        return;
    }

    (void) pthread_mutex_lock(&chore->lock);      /* fails for misuse only */
    chore->stopping = true;
    (void) pthread_cond_signal(&chore->wake);
    (void) pthread_mutex_unlock(&chore->lock);

    (void) pthread_join(chore->id, NULL);         /* it is joinable */
    (void) pthread_cond_destroy(&chore->wake);
    (void) pthread_mutex_destroy(&chore->lock);
    free(chore);
}
