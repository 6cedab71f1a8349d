#include "reg_clock.h"

#include <errno.h>


int64_t
reg_clock_ns(clockid_t clock)
{
    struct timespec  now;

    (void) clock_gettime(clock, &now);               /* cannot fail */

    return (int64_t) now.tv_sec * REG_CLOCK_SECOND + now.tv_nsec;
}


const char *
reg_clock_text(char out[REG_CLOCK_TEXT], time_t when)
{
    struct tm  tm;

    if (gmtime_r(&when, &tm) == NULL
        || strftime(out, REG_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
    {
        (void) snprintf(out, REG_CLOCK_TEXT, "%lld", (long long) when);
    }

    return out;
}


void
reg_clock_cond(pthread_cond_t *cond)
{
    pthread_condattr_t  monotonic;

    (void) pthread_condattr_init(&monotonic);        /* none of these can */
    (void) pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);  /* fail */
    (void) pthread_cond_init(cond, &monotonic);      /* in glibc */
    (void) pthread_condattr_destroy(&monotonic);
}


bool
reg_clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t until)
{
    const struct timespec  at = { until / REG_CLOCK_SECOND,
                                  until % REG_CLOCK_SECOND };

    return pthread_cond_timedwait(cond, lock, &at) != ETIMEDOUT;
}
