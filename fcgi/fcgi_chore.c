#include "fcgi_chore.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "reg_thread.h"


#define FCGI_CHORE_SLEEP   3600        /* the longest, in seconds */
#define FCGI_CHORE_REST    4           /* times as long as the work took */


struct fcgi_chore_s {
    fcgi_chore_round_pt  round;
    int64_t              first;        /* from the start to it; ns */
    int64_t              since;        /* of the work in one go; ns */
    reg_thread_t         thread;
    max_align_t          state[];
};


bool
fcgi_chore_pace(fcgi_chore_t *chore)
{
    int64_t  ns = reg_clock_ns(CLOCK_MONOTONIC) - chore->since;
    bool     stopping;

    if (ns < FCGI_CHORE_WORK * REG_CLOCK_MS) {
        return false;
    }

    stopping = reg_thread_sleep(&chore->thread, ns * FCGI_CHORE_REST);
    chore->since = reg_clock_ns(CLOCK_MONOTONIC);

    return stopping;
}


static void *
fcgi_chore_run(void *data)
{
    fcgi_chore_t  *chore = data;
    int64_t        wait = chore->first;

    while (!reg_thread_sleep(&chore->thread, wait)) {
        chore->since = reg_clock_ns(CLOCK_MONOTONIC);
        wait = chore->round(chore, chore->state);
        wait = wait < FCGI_CHORE_SLEEP ? wait : FCGI_CHORE_SLEEP;
        wait *= REG_CLOCK_SECOND;
    }

    return NULL;
}


static int64_t
fcgi_chore_jitter(int64_t within)
{
    uint32_t  random = 0;

    /* no random number: then at once */
    (void) !getrandom(&random, sizeof(random), GRND_NONBLOCK);

    return within * 1000 * random / UINT32_MAX * REG_CLOCK_MS;
}


fcgi_chore_t *
fcgi_chore_start(fcgi_chore_round_pt round, const void *state, size_t size,
    int64_t within, reg_error_t *err)
{
    fcgi_chore_t  *chore = malloc(sizeof(*chore) + size);

    if (chore == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    chore->round = round;
    chore->first = fcgi_chore_jitter(within);
    memcpy(chore->state, state, size);

    if (reg_thread_start(&chore->thread, fcgi_chore_run, chore, "chore", err)
        == -1)
    {
        free(chore);
        return NULL;
    }

    return chore;
}


void
fcgi_chore_stop(fcgi_chore_t *chore)
{
    if (chore != NULL) {
        reg_thread_stop(&chore->thread);
        free(chore);
    }
}
