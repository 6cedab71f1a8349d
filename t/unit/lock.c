/* reg_lock: pushes together, a delete alone, and nobody starves. */

#include "reg_lock.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tree.h"


static reg_error_t  err;
static reg_name_t   name;


/* Somebody else, who asks for the lock at once and tells when he has it. */
typedef struct {
    pid_t  pid;
    int    has;                 /* readable when it has the lock */
    int    go;                  /* closed: let it go */
} lock_other_t;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    name = tree_name("a/b");

    return tree_renew(state);
}


static lock_other_t
other(bool alone)
{
    int           has[2], go[2];
    char          byte = 'x';
    lock_other_t  o;

    assert_int_equal(pipe(has), 0);
    assert_int_equal(pipe(go), 0);

    o = (lock_other_t) { fork(), has[0], go[1] };
    assert_int_not_equal(o.pid, -1);

    if (o.pid == 0) {
        int  fd;

        /* a copy of a descriptor would hold its lock as well */
        for (fd = 3; fd < 64; fd++) {
            if (fd != has[1] && fd != go[0]) {
                (void) close(fd);
            }
        }

        (void) alarm(300);
        fd = alone ? reg_lock_alone(&tree_store, &name, REG_UNKNOWN, &err)
                   : reg_lock_shared(&tree_store, &name, &err);

        if (fd == -1 || write(has[1], &byte, 1) != 1) {
            _exit(1);
        }

        (void) !read(go[0], &byte, 1);
        _exit(0);
    }

    (void) close(has[1]);
    (void) close(go[0]);

    return o;
}


static bool
has_it(const lock_other_t *o, int ms)
{
    struct pollfd  p = { o->has, POLLIN, 0 };

    return poll(&p, 1, ms) == 1;
}


static void
let_go(lock_other_t *o)
{
    int  status;

    (void) close(o->go);
    assert_int_equal(waitpid(o->pid, &status, 0), o->pid);
    assert_int_equal(status, 0);
    (void) close(o->has);
}


static void
pushes_hold_it_together(void **state)
{
    int           fd = reg_lock_shared(&tree_store, &name, &err);
    lock_other_t  push = other(false);

    (void) state;

    assert_int_not_equal(fd, -1);
    assert_true(has_it(&push, 5000));

    let_go(&push);
    reg_lock_release(fd);
}


static void
a_delete_waits_for_a_push_and_keeps_the_next_one_out(void **state)
{
    int           fd = reg_lock_shared(&tree_store, &name, &err);
    lock_other_t  removal = other(true);
    lock_other_t  push;

    (void) state;

    assert_int_not_equal(fd, -1);
    assert_false(has_it(&removal, 200));

    /* who comes now stands behind it: pushes cannot starve a delete */
    push = other(false);
    assert_false(has_it(&push, 200));

    reg_lock_release(fd);
    assert_true(has_it(&removal, 5000));
    assert_false(has_it(&push, 200));

    let_go(&removal);
    assert_true(has_it(&push, 5000));
    let_go(&push);
}


static void
a_lock_dies_with_its_process(void **state)
{
    lock_other_t  push = other(false);
    lock_other_t  removal;
    int           status;

    (void) state;

    assert_true(has_it(&push, 5000));
    removal = other(true);
    assert_false(has_it(&removal, 200));

    assert_int_equal(kill(push.pid, SIGKILL), 0);
    assert_int_equal(waitpid(push.pid, &status, 0), push.pid);
    assert_true(has_it(&removal, 5000));

    let_go(&removal);
    (void) close(push.has);
    (void) close(push.go);
}


static void
a_repository_that_is_not_there_is_told(void **state)
{
    (void) state;

    assert_int_equal(reg_lock_alone(&tree_store, &name, REG_NAME_UNKNOWN,
                                    &err), -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(pushes_hold_it_together),
        TEST(a_delete_waits_for_a_push_and_keeps_the_next_one_out),
        TEST(a_lock_dies_with_its_process),
        TEST(a_repository_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
