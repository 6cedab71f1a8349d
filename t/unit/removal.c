/* reg_removal: what is taken out of the tree. */

#include "reg_removal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


static reg_error_t  err;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    return tree_renew(state);
}


static void
unlink_removes_empty_directories_up_to_a_stop(void **state)
{
    reg_path_t  path = tree_at("a/b/c/x"), stop = tree_at("a");

    (void) state;

    assert_int_equal(tree_write(path.text, "1", 1), 0);
    assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                        REG_BLOB_UNKNOWN, &err), 0);
    assert_false(tree_has(tree_at("a/b").text));
    assert_true(tree_has(tree_at("a").text));

    assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                        REG_BLOB_UNKNOWN, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UNKNOWN);
}


static void
unlink_leaves_directories_that_are_in_use(void **state)
{
    reg_path_t  path = tree_at("a/b/c/x"), other = tree_at("a/b/y");
    reg_path_t  stop = tree_at("a");

    (void) state;

    assert_int_equal(tree_write(path.text, "1", 1), 0);
    assert_int_equal(tree_write(other.text, "1", 1), 0);
    assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                        REG_BLOB_UNKNOWN, &err), 0);
    assert_false(tree_has(tree_at("a/b/c").text));
    assert_true(tree_has(other.text));
}


static void
a_tree_is_removed_but_nothing_that_it_points_to(void **state)
{
    reg_path_t  dir = tree_at("a/tree"), file = tree_at("a/tree/b/c/d/x");
    reg_path_t  kept = tree_at("kept/x"), link = tree_at("a/tree/b/out");

    (void) state;

    assert_int_equal(tree_write(file.text, "1", 1), 0);
    assert_int_equal(tree_write(kept.text, "1", 1), 0);
    assert_int_equal(symlink(tree_at("kept").text, link.text), 0);
    assert_int_equal(mkfifo(tree_at("a/tree/fifo").text, 0600), 0);

    assert_int_equal(reg_removal_rmtree(&tree_store, &dir, REG_NAME_UNKNOWN,
                                        &err), 0);
    assert_false(tree_has(dir.text));
    assert_true(tree_has(kept.text));
    assert_int_equal(tree_litter(), 0);

    assert_int_equal(reg_removal_rmtree(&tree_store, &dir, REG_NAME_UNKNOWN,
                                        &err), -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);
}


/* What is there must not be called missing. */
static void
a_missing_tmp_is_made_again(void **state)
{
    reg_path_t  tmp, dir = tree_at("a"), file = tree_at("a/x");

    (void) state;

    assert_int_equal(tree_write(file.text, "1", 1), 0);
    reg_layout_tmp(&tmp, &tree_store.v2);
    assert_int_equal(rmdir(tmp.text), 0);
    assert_int_equal(reg_removal_rmtree(&tree_store, &dir, REG_NAME_UNKNOWN,
                                        &err), 0);
    assert_false(tree_has(dir.text));
}


static void
the_sweep_takes_only_what_is_old(void **state)
{
    reg_path_t       tmp, path;
    struct timespec  old[2] = { { 1000, 0 }, { 1000, 0 } };

    (void) state;

    reg_layout_tmp(&tmp, &tree_store.v2);

    path = tmp;
    reg_path_add(&path, "olddir");
    reg_path_add(&path, "x");
    assert_int_equal(tree_write(path.text, "1", 1), 0);
    reg_path_parent(&path);
    assert_int_equal(utimensat(AT_FDCWD, path.text, old, 0), 0);

    path = tmp;
    reg_path_add(&path, "old");
    assert_int_equal(tree_write(path.text, "1", 1), 0);
    assert_int_equal(utimensat(AT_FDCWD, path.text, old, 0), 0);

    path = tmp;
    reg_path_add(&path, "new");
    assert_int_equal(tree_write(path.text, "1", 1), 0);

    reg_removal_sweep(&tree_store, time(NULL), 3600);
    assert_int_equal(tree_litter(), 1);
    assert_true(tree_has(path.text));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(unlink_removes_empty_directories_up_to_a_stop),
        TEST(unlink_leaves_directories_that_are_in_use),
        TEST(a_tree_is_removed_but_nothing_that_it_points_to),
        TEST(a_missing_tmp_is_made_again),
        TEST(the_sweep_takes_only_what_is_old),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
