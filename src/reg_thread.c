#include "reg_thread.h"


/* The calls on a lock fail for misuse only. */

static void
reg_thread_free(reg_thread_t *thread)
{
    (void) pthread_cond_destroy(&thread->wake);
    (void) pthread_mutex_destroy(&thread->lock);
}


int
reg_thread_start(reg_thread_t *thread, void *(*run)(void *data), void *data,
    const char *what, reg_error_t *err)
{
    int  sys;

    thread->stopping = false;
    (void) pthread_mutex_init(&thread->lock, NULL);     /* cannot fail */
    reg_clock_cond(&thread->wake);

    sys = pthread_create(&thread->id, NULL, run, data);

    if (sys != 0) {
        reg_thread_free(thread);
        return reg_error_sys(err, sys, REG_UNKNOWN, "pthread_create", what);
    }

    return 0;
}


bool
reg_thread_sleep(reg_thread_t *thread, int64_t ns)
{
    bool     stopping;
    int64_t  until = reg_clock_ns(CLOCK_MONOTONIC) + ns;

    (void) pthread_mutex_lock(&thread->lock);

    while (!thread->stopping
           && reg_clock_wait(&thread->wake, &thread->lock, until))
    {
        /* woken for nothing */
    }

    stopping = thread->stopping;
    (void) pthread_mutex_unlock(&thread->lock);

    return stopping;
}


bool
reg_thread_stops(reg_thread_t *thread)
{
    bool  stopping;

    (void) pthread_mutex_lock(&thread->lock);
    stopping = thread->stopping;
    (void) pthread_mutex_unlock(&thread->lock);

    return stopping;
}


void
reg_thread_stop(reg_thread_t *thread)
{
    (void) pthread_mutex_lock(&thread->lock);
    thread->stopping = true;
    (void) pthread_cond_signal(&thread->wake);
    (void) pthread_mutex_unlock(&thread->lock);

    (void) pthread_join(thread->id, NULL);              /* it is joinable */
    reg_thread_free(thread);
}
