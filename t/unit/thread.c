/* reg_thread: it sleeps as long as it should, and ends when it is told to,
 * wherever it is. */

#include "reg_thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

#include <cmocka.h>


#define HOUR  (3600 * REG_CLOCK_SECOND)


static reg_thread_t  thread;
static reg_error_t   err;
static _Atomic int   rounds;            /* that it has begun with */
static int           tasks;             /* under its lock */


static int
renew(void **state)
{
    (void) state;
    err = (reg_error_t) REG_ERROR_INIT;
    atomic_store(&rounds, 0);
    tasks = 0;

    return 0;
}


/* Waits for the thread's part of a test. */
static void
until_round(int n)
{
    while (atomic_load(&rounds) < n) {
        (void) usleep(100);
    }
}


static void *
works_hourly(void *data)
{
    do {
        (void) atomic_fetch_add(&rounds, 1);
    } while (!reg_thread_sleep(&thread, HOUR));

    return data;
}


static void
its_sleep_ends_with_it(void **state)
{
    (void) state;

    assert_int_equal(reg_thread_start(&thread, works_hourly, NULL, "a test",
                                      &err), 0);
    until_round(1);
    reg_thread_stop(&thread);
    assert_int_equal(atomic_load(&rounds), 1);
}


static void *
works_until_told(void *data)
{
    (void) atomic_fetch_add(&rounds, 1);

    while (!reg_thread_stops(&thread)) {
        (void) usleep(100);
    }

    /* who is told while it works does not fall asleep after that */
    *(bool *) data = reg_thread_sleep(&thread, HOUR);

    return NULL;
}


static void
what_it_is_told_at_work_is_not_lost(void **state)
{
    bool  stopped = false;

    (void) state;

    assert_int_equal(reg_thread_start(&thread, works_until_told, &stopped,
                                      "a test", &err), 0);
    until_round(1);
    assert_false(reg_thread_stops(&thread));
    reg_thread_stop(&thread);
    assert_true(stopped);
}


static void *
sleeps_a_moment(void *data)
{
    int64_t  begin = reg_clock_ns(CLOCK_MONOTONIC);

    *(bool *) data = !reg_thread_sleep(&thread, 20 * REG_CLOCK_MS)
                     && reg_clock_ns(CLOCK_MONOTONIC) - begin
                        >= 20 * REG_CLOCK_MS;
    (void) atomic_fetch_add(&rounds, 1);

    return NULL;
}


static void
woken_for_nothing_it_sleeps_on(void **state)
{
    bool  slept = false;

    (void) state;

    assert_int_equal(reg_thread_start(&thread, sleeps_a_moment, &slept,
                                      "a test", &err), 0);

    while (atomic_load(&rounds) == 0) {
        assert_int_equal(pthread_cond_signal(&thread.wake), 0);
        (void) usleep(100);
    }

    reg_thread_stop(&thread);
    assert_true(slept);
}


static void *
does_tasks(void *data)
{
    (void) pthread_mutex_lock(&thread.lock);

    while (!thread.stopping) {
        if (tasks == 0) {
            (void) pthread_cond_wait(&thread.wake, &thread.lock);
        } else {
            tasks--;
            (void) atomic_fetch_add(&rounds, 1);
        }
    }

    (void) pthread_mutex_unlock(&thread.lock);

    return data;
}


static void
what_is_noted_for_it_wakes_it(void **state)
{
    (void) state;

    assert_int_equal(reg_thread_start(&thread, does_tasks, NULL, "a test",
                                      &err), 0);

    for (int i = 1; i <= 100; i++) {
        assert_int_equal(pthread_mutex_lock(&thread.lock), 0);
        tasks++;
        assert_int_equal(pthread_cond_signal(&thread.wake), 0);
        assert_int_equal(pthread_mutex_unlock(&thread.lock), 0);
        until_round(i);
    }

    reg_thread_stop(&thread);
    assert_int_equal(atomic_load(&rounds), 100);
}


/* More of a stack than there are addresses. */
static void
that_there_is_none_is_said(void **state)
{
    pthread_attr_t  before, huge;

    (void) state;

    assert_int_equal(pthread_getattr_default_np(&before), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t) 1 << 48), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);

    assert_int_equal(reg_thread_start(&thread, works_hourly, NULL, "a test",
                                      &err), -1);
    assert_int_equal(err.code, REG_UNKNOWN);
    assert_int_not_equal(err.sys, 0);
    assert_non_null(strstr(err.where, "a test"));

    assert_int_equal(pthread_setattr_default_np(&before), 0);
    assert_int_equal(pthread_attr_destroy(&huge), 0);
    assert_int_equal(pthread_attr_destroy(&before), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(its_sleep_ends_with_it, renew),
        cmocka_unit_test_setup(what_it_is_told_at_work_is_not_lost, renew),
        cmocka_unit_test_setup(woken_for_nothing_it_sleeps_on, renew),
        cmocka_unit_test_setup(what_is_noted_for_it_wakes_it, renew),
        cmocka_unit_test_setup(that_there_is_none_is_said, renew),
    };

    (void) alarm(300);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
