/*
 * reg_thread: a thread that works now and then, sleeps in between, and ends
 * when it is told to.
 *
 *     static void *
 *     run(void *data)
 *     {
 *         while (!reg_thread_sleep(&thing->thread, ns)) {
 *             … work …
 *         }
 *
 *         return NULL;
 *     }
 *
 *     if (reg_thread_start(&thing->thread, run, thing, "what for", err) == -1)
 *     …
 *     reg_thread_stop(&thing->thread);
 *
 * Whoever has something to do for it may note that under its lock and signal
 * wake; the thread then waits for that, or for stopping, on wake.
 *
 * Blocks: never (but for sleeping, and for the end of its work)
 */

#ifndef REG_THREAD_H
#define REG_THREAD_H

#include "reg_clock.h"
#include "reg_error.h"

typedef struct {
    pthread_t        id;
    pthread_mutex_t  lock;
    pthread_cond_t   wake;              /* reg_clock.h */
    bool             stopping;          /* under the lock */
} reg_thread_t;


/* The thread may use all that is in `thread` at once.  -1: there is none. */
int reg_thread_start(reg_thread_t *thread, void *(*run)(void *data),
    void *data, const char *what, reg_error_t *err);

/* By the thread: true as soon as it is time to stop. */
bool reg_thread_sleep(reg_thread_t *thread, int64_t ns);

/* By anybody, without the lock: whether it is time to stop. */
bool reg_thread_stops(reg_thread_t *thread);

/* Wakes it, and waits for its end. */
void reg_thread_stop(reg_thread_t *thread);

#endif
