/* reg_turn: one at a time, at most once in an interval, and no belief in a
 * clock that jumps (SECURITY.md F10). */

#include "reg_turn.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tree.h"


#define DAY   86400
#define YEAR  (365 * DAY)


static reg_error_t       err;
static reg_turn_t        turn;
static reg_turn_clock_t  now;


static int
renew(void **state)
{
    reg_turn_end(&turn);
    turn = (reg_turn_t) REG_TURN_INIT;
    err = (reg_error_t) REG_ERROR_INIT;
    now = (reg_turn_clock_t) { DAY, time(NULL), 1000 };

    return tree_renew(state);
}


static int64_t
take(void)
{
    reg_path_t  file;

    reg_layout_purge(&file, &tree_store.v2);
    return reg_turn_take(&turn, &tree_store, &file, &now, &err);
}


/* Both clocks go on. */
static void
pass(int64_t seconds)
{
    now.wall += (time_t) seconds;
    now.steady += seconds;
}


/* A first turn, so that there was a last one. */
static void
begin(void)
{
    assert_in_range(take(), DAY - 1, DAY + 1);
    pass(DAY + 1);
    assert_int_equal(take(), 0);
    reg_turn_end(&turn);
}


static void
the_first_turn_is_an_interval_away(void **state)
{
    (void) state;

    assert_in_range(take(), DAY - 1, DAY + 1);
    assert_int_equal(turn.fd, -1);
    pass(DAY - 10);
    assert_in_range(take(), 9, 11);
    pass(20);
    assert_int_equal(take(), 0);
    assert_int_not_equal(turn.fd, -1);
}


static void
a_turn_is_followed_by_an_interval_for_all(void **state)
{
    (void) state;

    begin();
    assert_int_equal(take(), DAY);

    /* another process */
    turn = (reg_turn_t) REG_TURN_INIT;
    pass(100);
    assert_int_equal(take(), DAY - 100);
}


static void
one_at_a_time_and_it_dies_with_its_process(void **state)
{
    int    ready[2], status;
    char   byte;
    pid_t  pid;

    (void) state;

    begin();
    pass(DAY);
    assert_int_equal(pipe(ready), 0);
    pid = fork();

    if (pid == 0) {
        (void) alarm(300);
        if (take() != 0 || write(ready[1], "x", 1) != 1) {
            _exit(1);
        }
        (void) pause();
        _exit(1);
    }

    assert_int_equal(read(ready[0], &byte, 1), 1);
    pass(DAY);
    assert_int_equal(take(), DAY);
    assert_int_equal(turn.fd, -1);

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(take(), 0);

    (void) close(ready[0]);
    (void) close(ready[1]);
}


static void
a_clock_that_jumps_forward_is_not_believed_at_once(void **state)
{
    (void) state;

    begin();
    now.wall += YEAR;
    assert_int_equal(take(), REG_TURN_DOUBT);
    pass(REG_TURN_DOUBT / 2);
    assert_int_equal(take(), REG_TURN_DOUBT / 2);

    /* it is set right again: nothing has happened */
    now.wall -= YEAR;
    assert_int_equal(take(), DAY - REG_TURN_DOUBT / 2);

    /* and a new doubt is a whole one */
    now.wall += YEAR;
    assert_int_equal(take(), REG_TURN_DOUBT);

    /* it stays so: then it is the time */
    pass(REG_TURN_DOUBT);
    assert_int_equal(take(), 0);
    reg_turn_end(&turn);
    assert_int_equal(take(), DAY);
}


static void
a_jump_before_the_start_is_not_believed_either(void **state)
{
    (void) state;

    begin();
    turn = (reg_turn_t) REG_TURN_INIT;
    now.wall += YEAR;
    now.steady = 5;
    assert_int_equal(take(), REG_TURN_DOUBT);
}


static void
a_short_interval_has_short_doubts(void **state)
{
    (void) state;

    begin();
    now.interval = 10;
    now.wall += YEAR;
    assert_int_equal(take(), 10);
    pass(10);
    assert_int_equal(take(), 0);
}


static void
a_clock_that_is_set_back_does_not_stop_the_turns(void **state)
{
    (void) state;

    begin();
    now.wall -= YEAR;
    assert_int_equal(take(), 0);
    reg_turn_end(&turn);
    assert_int_equal(take(), DAY);
}


static void
a_file_that_cannot_be_is_an_error(void **state)
{
    reg_path_t  file;

    (void) state;

    reg_layout_purge(&file, &tree_store.v2);
    assert_int_equal(mkdir(file.text, 0755), 0);
    assert_int_equal(take(), -1);
    assert_int_not_equal(err.code, REG_OK);
    assert_int_equal(turn.fd, -1);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(the_first_turn_is_an_interval_away),
        TEST(a_turn_is_followed_by_an_interval_for_all),
        TEST(one_at_a_time_and_it_dies_with_its_process),
        TEST(a_clock_that_jumps_forward_is_not_believed_at_once),
        TEST(a_jump_before_the_start_is_not_believed_either),
        TEST(a_short_interval_has_short_doubts),
        TEST(a_clock_that_is_set_back_does_not_stop_the_turns),
        TEST(a_file_that_cannot_be_is_an_error),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
