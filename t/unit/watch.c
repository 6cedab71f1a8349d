/* reg_watch: which entries of directories have changed. */

#include "reg_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tree.h"


/* in memory: it can be watched, whatever the tests run on */
static char         dir[32];
static int          fd;
static reg_watch_t  watch;
static reg_buf_t    told;


static int
renew(void **state)
{
    (void) state;

    (void) snprintf(dir, sizeof(dir), "/dev/shm/unit-XXXXXX");

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    fd = open(dir, O_RDONLY | O_DIRECTORY);
    watch = (reg_watch_t) REG_WATCH_INIT;

    return fd == -1 ? -1 : 0;
}


static int
give_up(void **state)
{
    (void) state;

    reg_watch_close(&watch);
    (void) close(fd);
    (void) nftw(dir, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    (void) rmdir(dir);                  /* a test may have removed it */

    return 0;
}


static void
heard(void *ctx, int id, const char *name)
{
    (void) ctx;

    reg_buf_printf(&told, "%d %s, ", id, name != NULL ? name : "-");
}


static void
expect(const char *want)
{
    reg_watch_read(&watch, heard, NULL);
    reg_buf_put(&told, "", 1);
    assert_string_equal(told.data, want);
    reg_buf_free(&told);
}


static void
make_at(int at, const char *name)
{
    assert_int_equal(mkdirat(at, name, 0755), 0);
}


static void
what_changes_is_told_once(void **state)
{
    int  id = reg_watch_add(&watch, fd);

    (void) state;

    assert_int_equal(id, 1);
    expect("");
    make_at(fd, "a");
    make_at(fd, "a/below");
    expect("1 a, ");
    expect("");
    assert_int_equal(renameat(fd, "a/below", fd, "b"), 0);
    expect("1 b, ");
    assert_int_equal(renameat(fd, "b", fd, "c"), 0);
    expect("1 b, 1 c, ");
    assert_int_equal(unlinkat(fd, "c", AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("x", fd, "d"), 0);
    expect("1 c, 1 d, ");
}


static void
what_is_watched_is_not_watched_twice(void **state)
{
    int  other = open(dir, O_RDONLY | O_DIRECTORY);

    (void) state;

    assert_int_equal(reg_watch_add(&watch, fd), 1);
    assert_int_equal(reg_watch_add(&watch, other), REG_WATCH_NONE);
    make_at(fd, "a");
    expect("1 a, ");
    assert_int_equal(close(other), 0);
}


static void
files_are_watched_for_all_who_want(void **state)
{
    int  other = open(dir, O_RDONLY | O_DIRECTORY);

    (void) state;

    assert_int_equal(reg_watch_add_files(&watch, fd), 1);
    make_at(fd, "a");
    assert_int_equal(reg_watch_add_files(&watch, other), 1);
    expect("1 a, ");
    reg_watch_remove(&watch, 1);
    make_at(fd, "b");
    expect("1 -, ");
    assert_int_equal(reg_watch_add_files(&watch, other), 2);

    assert_int_equal(close(other), 0);
}


static void
what_is_written_to_files_is_told(void **state)
{
    int  file = openat(fd, "a", O_WRONLY | O_CREAT, 0644);

    (void) state;

    assert_int_not_equal(file, -1);
    assert_int_equal(reg_watch_add_files(&watch, fd), 1);
    assert_int_equal(write(file, "x", 1), 1);
    expect("1 a, ");
    assert_int_equal(ftruncate(file, 0), 0);
    expect("1 a, ");
    assert_int_equal(close(file), 0);
    expect("");
}


static void
whether_something_was_told_is_known(void **state)
{
    (void) state;

    assert_false(reg_watch_told(&watch));
    assert_int_equal(reg_watch_add(&watch, fd), 1);
    assert_false(reg_watch_told(&watch));
    make_at(fd, "a");
    assert_true(reg_watch_told(&watch));
    assert_true(reg_watch_told(&watch));
    expect("1 a, ");
    assert_false(reg_watch_told(&watch));
    make_at(fd, "b");
    assert_true(reg_watch_told(&watch));
    expect("1 b, ");
}


static void
what_is_not_watched_any_more_is_told_of_once(void **state)
{
    (void) state;

    assert_int_equal(reg_watch_add(&watch, fd), 1);
    reg_watch_remove(&watch, 1);
    make_at(fd, "a");
    expect("1 -, ");
    assert_int_equal(reg_watch_add(&watch, fd), 2);
    make_at(fd, "b");
    expect("2 b, ");
    assert_int_equal(unlinkat(fd, "a", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(fd, "b", AT_REMOVEDIR), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(close(fd), 0);
    expect("2 a, 2 b, 2 -, ");
    reg_watch_remove(&watch, 2);
    fd = -1;
}


/* A file system whose changes others could make. */
static void
what_cannot_be_heard_of_is_not_watched(void **state)
{
    int  proc = open("/proc", O_RDONLY | O_DIRECTORY);

    (void) state;

    assert_int_not_equal(proc, -1);
    assert_int_equal(reg_watch_add(&watch, proc), REG_WATCH_NONE);
    expect("");
    assert_int_equal(close(proc), 0);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, give_up)

    const struct CMUnitTest  tests[] = {
        TEST(what_changes_is_told_once),
        TEST(what_is_watched_is_not_watched_twice),
        TEST(files_are_watched_for_all_who_want),
        TEST(what_is_written_to_files_is_told),
        TEST(whether_something_was_told_is_known),
        TEST(what_is_not_watched_any_more_is_told_of_once),
        TEST(what_cannot_be_heard_of_is_not_watched),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
