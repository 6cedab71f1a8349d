/* reg_clock: time as one number, and waits that end by the clock that nobody
 * sets. */

#include "reg_clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>


static pthread_cond_t   cond;
static pthread_mutex_t  lock = PTHREAD_MUTEX_INITIALIZER;
static bool             ready;          /* under the lock */


static void
a_clock_goes_on(void **state)
{
    int64_t  now = reg_clock_ns(CLOCK_MONOTONIC);

    (void) state;

    for (int i = 0; i < 1000; i++) {
        int64_t  then = now;

        now = reg_clock_ns(CLOCK_MONOTONIC);
        assert_true(now >= then);
    }
}


static void
seconds_are_those_of_time(void **state)
{
    time_t   first = time(NULL);
    int64_t  now = reg_clock_ns(CLOCK_REALTIME) / REG_CLOCK_SECOND;

    (void) state;

    /* time(2) is of the last tick */
    assert_true(now >= first);
    assert_true(now <= time(NULL) + 1);
}


static void
a_date_is_written_as_rfc_3339_writes_it(void **state)
{
    char  text[REG_CLOCK_TEXT];

    (void) state;

    assert_string_equal(reg_clock_text(text, 0), "1970-01-01T00:00:00");
    assert_string_equal(reg_clock_text(text, 951782399),
                        "2000-02-28T23:59:59");
    assert_string_equal(reg_clock_text(text, 951782400),
                        "2000-02-29T00:00:00");
    assert_string_equal(reg_clock_text(text, 4102444799),
                        "2099-12-31T23:59:59");
    assert_string_equal(reg_clock_text(text, -1), "1969-12-31T23:59:59");

    /* years of struct tm are an int */
    assert_string_equal(reg_clock_text(text, INT64_MAX),
                        "9223372036854775807");
}


/* With another clock it would end at once: that of the day is past any time of
 * this one. */
static void
a_wait_ends_when_its_time_has_come(void **state)
{
    int64_t  until = reg_clock_ns(CLOCK_MONOTONIC) + 5 * REG_CLOCK_MS;

    (void) state;

    reg_clock_cond(&cond);
    assert_int_equal(pthread_mutex_lock(&lock), 0);

    while (reg_clock_wait(&cond, &lock, until)) {
        /* for no reason */
    }

    assert_true(reg_clock_ns(CLOCK_MONOTONIC) >= until);

    /* and for one that has come before, there is none */
    while (reg_clock_wait(&cond, &lock, until)) {
        /* for no reason */
    }

    assert_int_equal(pthread_mutex_unlock(&lock), 0);
    assert_int_equal(pthread_cond_destroy(&cond), 0);
}


static void *
become_ready(void *data)
{
    (void) pthread_mutex_lock(&lock);
    ready = true;
    (void) pthread_cond_signal(&cond);
    (void) pthread_mutex_unlock(&lock);

    return data;
}


static void
a_wait_ends_with_a_signal(void **state)
{
    pthread_t  other;
    int64_t    until = reg_clock_ns(CLOCK_MONOTONIC) + 3600 * REG_CLOCK_SECOND;

    (void) state;

    reg_clock_cond(&cond);
    assert_int_equal(pthread_mutex_lock(&lock), 0);
    assert_int_equal(pthread_create(&other, NULL, become_ready, NULL), 0);

    while (!ready) {
        assert_true(reg_clock_wait(&cond, &lock, until));
    }

    assert_int_equal(pthread_mutex_unlock(&lock), 0);
    assert_int_equal(pthread_join(other, NULL), 0);
    assert_int_equal(pthread_cond_destroy(&cond), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_clock_goes_on),
        cmocka_unit_test(seconds_are_those_of_time),
        cmocka_unit_test(a_date_is_written_as_rfc_3339_writes_it),
        cmocka_unit_test(a_wait_ends_when_its_time_has_come),
        cmocka_unit_test(a_wait_ends_with_a_signal),
    };

    (void) alarm(300);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
