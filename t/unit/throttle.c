/* reg_throttle: guessing is slow, and nobody is locked out by others
 * (SECURITY.md S12). */

#include "reg_throttle.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>


static reg_throttle_t  *t;


static int
renew(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;
    t = reg_throttle_create(&err);

    return t != NULL ? 0 : -1;
}


static int
leave(void **state)
{
    (void) state;
    reg_throttle_free(t);

    return 0;
}


static reg_throttle_key_t
key(const char *account, const char *address)
{
    return (reg_throttle_key_t) { reg_str_from(account),
                                  reg_str_from(address) };
}


static int64_t
wait_for(const char *account, const char *address, int64_t now)
{
    reg_throttle_key_t  k = key(account, address);

    return reg_throttle_wait(t, &k, now);
}


static void
failed(const char *account, const char *address, int64_t now)
{
    reg_throttle_key_t  k = key(account, address);

    reg_throttle_failed(t, &k, now);
}


static void
passed(const char *account, const char *address, int64_t now)
{
    reg_throttle_key_t  k = key(account, address);

    reg_throttle_passed(t, &k, now);
}


/* How many guesses somebody has who tries as often as he may. */
static int
guesses(const char *account, const char *address, int64_t from, int64_t to)
{
    int  n = 0;

    while (from < to) {
        int64_t  wait = wait_for(account, address, from);

        if (wait == 0) {
            failed(account, address, from);
            n++;
            wait = 1;
        }

        from += wait;
    }

    return n;
}


static void
waits_grow_from_the_sixth_failure_on(void **state)
{
    int64_t  now = 1000;

    (void) state;

    for (int i = 0; i < 5; i++) {
        assert_int_equal(wait_for("alice", "192.0.2.1", now), 0);
        failed("alice", "192.0.2.1", now);
    }

    assert_int_equal(wait_for("alice", "192.0.2.1", now), 1000);
    assert_int_equal(wait_for("alice", "192.0.2.1", now + 400), 600);
    assert_int_equal(wait_for("alice", "192.0.2.1", now + 1000), 0);
    failed("alice", "192.0.2.1", now);
    assert_int_equal(wait_for("alice", "192.0.2.1", now), 2000);

    for (int i = 0; i < 200; i++) {
        failed("alice", "192.0.2.1", now);
    }

    assert_int_equal(wait_for("alice", "192.0.2.1", now), 60000);
    assert_int_equal(wait_for("alice", "192.0.2.1", now - 500), 60000);

    /* somebody else, from elsewhere, and the same from elsewhere */
    assert_int_equal(wait_for("bob", "192.0.2.2", now), 0);
    assert_int_equal(wait_for("alice", "192.0.2.2", now), 0);
}


static void
a_login_ends_the_wait_and_time_does(void **state)
{
    (void) state;

    for (int i = 0; i < 6; i++) {
        failed("alice", "192.0.2.1", 0);
    }

    assert_int_equal(wait_for("alice", "192.0.2.1", 0), 2000);
    passed("alice", "192.0.2.1", 2000);
    assert_int_equal(wait_for("alice", "192.0.2.1", 2000), 0);

    for (int i = 0; i < 4; i++) {
        failed("alice", "192.0.2.1", 2000);
    }

    assert_int_equal(wait_for("alice", "192.0.2.1", 2000), 0);

    /* ten minutes later there is room for five more */
    assert_int_equal(guesses("alice", "192.0.2.1", 602000, 602100), 5);
}


/* Nobody gets more tries by making them all at once. */
static void
one_try_at_a_time_after_the_free_ones(void **state)
{
    (void) state;

    for (int i = 0; i < 5; i++) {
        failed("alice", "192.0.2.1", 0);
    }

    assert_int_equal(wait_for("alice", "192.0.2.1", 1000), 0);
    assert_int_equal(wait_for("alice", "192.0.2.1", 1000), 1000);
    assert_int_equal(wait_for("alice", "192.0.2.1", 1300), 700);
    passed("alice", "192.0.2.1", 1300);
    assert_int_equal(wait_for("alice", "192.0.2.1", 1300), 0);
    assert_int_equal(wait_for("alice", "192.0.2.1", 1300), 0);

    /* nor by trying many accounts from one address */
    for (int i = 0; i < 30; i++) {
        char  account[16];

        (void) snprintf(account, sizeof(account), "u%d", i);
        failed(account, "192.0.2.2", 0);
    }

    assert_int_equal(wait_for("v1", "192.0.2.2", 1000), 0);
    assert_int_equal(wait_for("v2", "192.0.2.2", 1000), 1000);

    /* who never ended holds nobody up for good */
    assert_int_equal(wait_for("v2", "192.0.2.2", 2000), 0);

    /* and what has fallen is over: many come in at once */
    assert_int_equal(wait_for("v1", "192.0.2.2", 60000), 0);
    assert_int_equal(wait_for("v2", "192.0.2.2", 60000), 0);
}


/* Most directories take Alice for alice. */
static void
another_case_is_no_other_account(void **state)
{
    (void) state;

    failed("alice", "192.0.2.1", 0);
    failed("Alice", "192.0.2.1", 0);
    failed("ALICE", "192.0.2.1", 0);
    failed("aLICE", "192.0.2.1", 0);
    failed("alicE", "192.0.2.1", 0);

    assert_int_equal(wait_for("AlIcE", "192.0.2.1", 0), 1000);
    assert_int_equal(wait_for("alicf", "192.0.2.1", 0), 0);
}


static void
guessing_is_slow(void **state)
{
    int  n;

    (void) state;

    /* an hour of it */
    n = guesses("alice", "192.0.2.1", 0, 3600000);
    assert_in_range(n, 10, 80);

    /* many accounts from one address: an hour, each account twice */
    n = 0;

    for (int64_t now = 0; now < 3600000; ) {
        char     account[16];
        int64_t  wait;

        (void) snprintf(account, sizeof(account), "u%d", n / 2);
        wait = wait_for(account, "192.0.2.2", now);

        if (wait == 0) {
            failed(account, "192.0.2.2", now);
            n++;
        }

        now += wait > 0 ? wait : 1;
    }

    assert_in_range(n, 30, 500);
}


static void
nobody_is_locked_out_from_elsewhere(void **state)
{
    char  address[32];

    (void) state;

    passed("alice", "198.51.100.1", 0);

    /* thousands of addresses guess at once, for minutes */
    for (int i = 0; i < 20000; i++) {
        (void) snprintf(address, sizeof(address), "10.%d.%d.1", i / 250,
                        i % 250);
        failed("alice", address, i * 10);

        if (i % 100 == 0) {
            assert_int_equal(wait_for("alice", "198.51.100.1", i * 10), 0);
            assert_int_equal(wait_for("alice", "198.51.100.2", i * 10), 0);
        }
    }

    /* but each of them is let in once only */
    assert_int_equal(wait_for("alice", "10.79.249.1", 200000), 990);
    failed("alice", "10.79.240.7", 200000);
    assert_int_equal(wait_for("alice", "10.79.240.7", 200000), 1000);

    /* who has been here has five */
    failed("alice", "198.51.100.1", 200000);
    assert_int_equal(wait_for("alice", "198.51.100.1", 200000), 0);
}


static void
neighbours_at_one_address_do_not_lock_out_who_has_been_here(void **state)
{
    (void) state;

    passed("alice", "192.0.2.1", 0);

    for (int i = 0; i < 60; i++) {
        char  account[16];

        (void) snprintf(account, sizeof(account), "u%d", i);
        failed(account, "192.0.2.1", 1000);
    }

    assert_int_equal(wait_for("bob", "192.0.2.1", 1000), 30000);
    assert_int_equal(wait_for("alice", "192.0.2.1", 1000), 0);

    /* one program with an old password is not enough to make others wait */
    (void) guesses("ci", "192.0.2.9", 0, 3600000);
    assert_int_equal(wait_for("bob", "192.0.2.9", 3600000), 0);

    /* trust ends */
    failed("u1", "192.0.2.1", 90000000);
    for (int i = 0; i < 60; i++) {
        failed("u2", "192.0.2.1", 90000000);
    }
    assert_int_equal(wait_for("alice", "192.0.2.1", 90000000), 30000);
}


static void
addresses_are_what_one_client_has(void **state)
{
    (void) state;

    for (int i = 0; i < 6; i++) {
        char  address[64];

        (void) snprintf(address, sizeof(address), "2001:db8:1:2:%d::5", i);
        failed("alice", address, 0);
        (void) snprintf(address, sizeof(address), "%s192.0.2.1",
                        i % 2 ? "::ffff:" : "");
        failed("alice", address, 0);
    }

    assert_int_equal(wait_for("alice", "2001:db8:1:2:ffff::", 0), 2000);
    assert_int_equal(wait_for("alice", "2001:db8:1:3::5", 0), 0);
    assert_int_equal(wait_for("alice", "192.0.2.1", 0), 2000);
    assert_int_equal(wait_for("alice", "::ffff:192.0.2.1", 0), 2000);

    /* no address is an address too, and a long one harmless */
    assert_int_equal(guesses("alice", "", 0, 10), 5);
    assert_int_equal(guesses("alice", "unix:/a/very/long/path/of/a/socket/that"
                             "/is/no/address", 0, 10), 5);
}


/* A full table forgets who failed once before who failed often. */
static void
a_full_table_keeps_what_matters(void **state)
{
    (void) state;

    for (int i = 0; i < 20; i++) {
        failed("alice", "192.0.2.1", 0);
    }

    passed("carol", "192.0.2.3", 0);

    for (int i = 0; i < 100000; i++) {
        char  account[16], address[32];

        (void) snprintf(account, sizeof(account), "u%d", i);
        (void) snprintf(address, sizeof(address), "2001:db8:%x:%x::1",
                        i / 65536, i % 65536);
        failed(account, address, 10);
    }

    assert_int_equal(wait_for("alice", "192.0.2.1", 10), 60000 - 10);

    for (int i = 0; i < 60; i++) {
        failed("u", "192.0.2.3", 20);
    }

    assert_int_equal(wait_for("carol", "192.0.2.3", 20), 0);
}


static void
processes_share_it_and_one_may_die_with_it(void **state)
{
    int    status;
    pid_t  pid;

    (void) state;

    pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 6; i++) {
            failed("alice", "192.0.2.1", 0);
        }

        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(wait_for("alice", "192.0.2.1", 0), 2000);

    /* killed somewhere: most likely with the lock */
    for (int round = 0; round < 20; round++) {
        int  ready[2];
        char byte = 'x';

        assert_int_equal(pipe(ready), 0);
        pid = fork();

        if (pid == 0) {
            for (int64_t now = 1; ; now++) {
                failed("bob", "192.0.2.4", now);

                if (now == 50) {
                    (void) !write(ready[1], &byte, 1);
                }
            }
        }

        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void) close(ready[0]);
        (void) close(ready[1]);

        (void) alarm(300);                /* a lock that nobody gives back */
        assert_int_equal(wait_for("alice", "192.0.2.1", 0), 2000);
        (void) alarm(0);
    }
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, leave)

    const struct CMUnitTest  tests[] = {
        TEST(waits_grow_from_the_sixth_failure_on),
        TEST(a_login_ends_the_wait_and_time_does),
        TEST(one_try_at_a_time_after_the_free_ones),
        TEST(another_case_is_no_other_account),
        TEST(guessing_is_slow),
        TEST(nobody_is_locked_out_from_elsewhere),
        TEST(neighbours_at_one_address_do_not_lock_out_who_has_been_here),
        TEST(addresses_are_what_one_client_has),
        TEST(a_full_table_keeps_what_matters),
        TEST(processes_share_it_and_one_may_die_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
