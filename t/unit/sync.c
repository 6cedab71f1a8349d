/* reg_sync: one round for all that wait, and none that began too early. */

#include "reg_sync.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"

#define SYNC_THREADS  6
#define SYNC_BARRIERS 200


/* rounds of the kernel that is watched: at most one at a time */
static _Atomic unsigned  begun;
static _Atomic unsigned  ended;
static _Atomic unsigned  at_once;
static _Atomic bool      overlap;
static reg_sys_t         watched;


static int
watched_syncfs(int fd)
{
    int  rc;

    atomic_fetch_add(&begun, 1);

    if (atomic_fetch_add(&at_once, 1) != 0) {
        atomic_store(&overlap, true);
    }

    rc = syncfs(fd);

    (void) atomic_fetch_sub(&at_once, 1);
    atomic_fetch_add(&ended, 1);

    return rc;
}


static int
renew(void **state)
{
    if (tree_renew(state) == -1) {
        return -1;
    }

    watched = reg_sys_kernel;
    watched.syncfs = watched_syncfs;
    tree_store.sys = &watched;

    /* whatever else this machine writes, and wherever */
    atomic_store(&tree_store.sync_looked, INT64_MAX / 2);
    atomic_store(&tree_store.sync_cheap, true);
    tree_store.sync_fd = open(tree_store.v2.text, O_RDONLY | O_CLOEXEC);

    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    atomic_store(&overlap, false);

    return tree_store.sync_fd == -1 ? -1 : 0;
}


/* Passes barriers as a commit does; NULL if each was a whole round. */
static void *
commits(void *data)
{
    void  *bad = NULL;

    for (int i = 0; i < SYNC_BARRIERS; i++) {
        reg_sync_join(&tree_store);

        for (int rank = 0; rank < 3; rank++) {
            unsigned  before = atomic_load(&begun);

            /* one that had begun before the call may end in it, not count */
            if (reg_sync_group(&tree_store) != 1
                || atomic_load(&ended) <= before)
            {
                bad = data;
            }
        }

        reg_sync_leave(&tree_store);
    }

    return bad;
}


static void
everybody_waits_for_a_round_that_began_after_the_call(void **state)
{
    pthread_t  threads[SYNC_THREADS];
    void      *bad;

    (void) state;

    for (int i = 0; i < SYNC_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, commits, &begun),
                         0);
    }

    for (int i = 0; i < SYNC_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }

    assert_false(atomic_load(&overlap));
    assert_true(atomic_load(&begun) <= SYNC_THREADS * SYNC_BARRIERS * 3);
    assert_int_equal(tree_store.sync_members, 0);
    print_message("%d barriers, %u rounds\n",
                  SYNC_THREADS * SYNC_BARRIERS * 3, atomic_load(&begun));
}


/* What is under way, but comes to no barrier, holds nobody up for ever. */
static void
a_round_does_not_wait_for_who_never_comes(void **state)
{
    (void) state;

    for (int i = 0; i < 5; i++) {
        reg_sync_join(&tree_store);
    }

    for (int i = 0; i < 20; i++) {
        assert_int_equal(reg_sync_group(&tree_store), 1);
    }

    assert_int_equal(atomic_load(&begun), 20);

    for (int i = 0; i < 5; i++) {
        reg_sync_leave(&tree_store);
    }
}


static int
failing_syncfs(int fd)
{
    (void) fd;

    errno = EIO;
    return -1;
}


static void
a_round_that_fails_is_an_error_for_each(void **state)
{
    (void) state;

    watched.syncfs = failing_syncfs;
    assert_int_equal(reg_sync_group(&tree_store), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(reg_sync_group(&tree_store), -1);

    watched.syncfs = watched_syncfs;
    assert_int_equal(reg_sync_group(&tree_store), 1);
}


/* A disk that was mounted over the tree has a descriptor of its own: a sync of
 * the old one would sync something else. */
static void
another_file_system_is_synced_by_itself(void **state)
{
    struct stat  tree, fd;
    int          rc;

    (void) state;

    assert_int_equal(stat(tree_store.v2.text, &tree), 0);
    (void) close(tree_store.sync_fd);
    tree_store.sync_fd = open("/proc", O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(tree_store.sync_fd, &fd), 0);
    tree_store.sync_dev = fd.st_dev;

    rc = reg_sync_group(&tree_store);

    if (rc == 1) {
        assert_int_equal(fstat(tree_store.sync_fd, &fd), 0);
        assert_int_equal(fd.st_dev, tree.st_dev);

    } else {                    /* of which it is not known what it promises */
        assert_int_equal(rc, 0);
        assert_int_equal(tree_store.sync_fd, -1);
    }

    assert_int_equal(tree_store.sync_dev, tree.st_dev);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(everybody_waits_for_a_round_that_began_after_the_call),
        TEST(a_round_does_not_wait_for_who_never_comes),
        TEST(a_round_that_fails_is_an_error_for_each),
        TEST(another_file_system_is_synced_by_itself),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
