/*
 * reg_clock: what time it is, and waiting until it is another one.
 *
 *     int64_t  began = reg_clock_ns(CLOCK_MONOTONIC);
 *     … work …
 *     took = reg_clock_ns(CLOCK_MONOTONIC) - began;
 *
 * A condition that is waited for with an end needs a clock that nobody sets:
 *
 *     reg_clock_cond(&cond);
 *
 *     until = reg_clock_ns(CLOCK_MONOTONIC) + 5 * REG_CLOCK_SECOND;
 *     pthread_mutex_lock(&lock);
 *     while (!ready && reg_clock_wait(&cond, &lock, until)) { }
 *
 * People read the time of day as RFC 3339 writes it:
 *
 *     reg_clock_text(text, time(NULL));        "2026-11-26T02:14:00", UTC
 *
 * A time is a number of nanoseconds: sums and differences need no care, and
 * 64 bits hold 292 years.
 *
 * Blocks: never (but for reg_clock_wait, which is there for that)
 */

#ifndef REG_CLOCK_H
#define REG_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "banned.h"

#define REG_CLOCK_MS      1000000LL
#define REG_CLOCK_SECOND  1000000000LL


int64_t reg_clock_ns(clockid_t clock);

/* Without its last letter: a fraction of the second may follow, then "Z".  A
 * time that no calendar has is a number. */
#define REG_CLOCK_TEXT  32
const char *reg_clock_text(char out[REG_CLOCK_TEXT], time_t when);

/* Initializes a condition whose waits end by CLOCK_MONOTONIC. */
void reg_clock_cond(pthread_cond_t *cond);

/* With the lock, which is given up meanwhile.  Returns when the condition was
 * signalled, or for no reason; false: that time has come. */
bool reg_clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
    int64_t until);

#endif
