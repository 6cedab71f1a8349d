/* reg_store: the opened root. */

#include "reg_store.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_dir.h"
#include "tree.h"


static reg_error_t  err;


static int
renew(void **state)
{
    (void) state;

    err = (reg_error_t) REG_ERROR_INIT;
    return tree_empty();
}


static int
open_root(const char *root)
{
    err = (reg_error_t) REG_ERROR_INIT;
    return reg_store_open(&tree_store, reg_str_from(root), &err);
}


static void
what_is_missing_of_the_tree_is_made(void **state)
{
    reg_path_t  path;
    char        root[300];

    (void) state;

    (void) snprintf(root, sizeof(root), "%s/deep/er", tree_root);
    assert_int_equal(open_root(root), 0);
    reg_layout_tmp(&path, &tree_store.v2);
    assert_true(tree_has(path.text));
    assert_int_equal(open_root(root), 0);
}


/* A disk that is not mounted any more must not be written beside. */
static void
what_is_gone_later_is_not_made_again(void **state)
{
    reg_path_t  path;
    char        away[300];

    (void) state;

    assert_int_equal(open_root(tree_root), 0);
    assert_int_equal(reg_store_require(&tree_store, &err), 0);
    (void) snprintf(away, sizeof(away), "%s/away", tree_root);
    path = tree_store.v2;
    reg_path_parent(&path);
    reg_path_parent(&path);
    assert_int_equal(rename(path.text, away), 0);

    assert_int_equal(reg_store_require(&tree_store, &err), -1);
    assert_int_equal(err.code, REG_UNAVAILABLE);
    reg_layout_tmp(&path, &tree_store.v2);
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_dir_mkdir(&tree_store, &path, &err), -1);
    assert_int_equal(err.code, REG_UNAVAILABLE);
    assert_int_equal(tree_count(tree_root), 0);
    assert_false(tree_has(tree_store.v2.text));
}


/* Permissions and read-only mounts do not stop root, or need it: the kernel's
 * answer is what counts. */
static int
refuse(const char *path, int flags, mode_t mode)
{
    if ((flags & O_CREAT) != 0) {
        errno = EROFS;
        return -1;
    }

    return reg_sys_kernel.open(path, flags, mode);
}


static void
a_tree_that_cannot_be_written_says_so_until_it_can(void **state)
{
    reg_sys_t   sys = reg_sys_kernel;
    reg_path_t  path;

    (void) state;

    assert_int_equal(open_root(tree_root), 0);
    assert_int_equal(reg_store_writable(&tree_store, &err), 0);

    sys.open = refuse;
    tree_store.sys = &sys;
    reg_store_try(&tree_store);
    assert_int_equal(reg_store_writable(&tree_store, &err), -1);
    assert_int_equal(err.code, REG_READ_ONLY);
    assert_int_equal(err.sys, EROFS);

    tree_store.sys = &reg_sys_kernel;
    reg_store_try(&tree_store);
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_store_writable(&tree_store, &err), 0);

    reg_layout_tmp(&path, &tree_store.v2);
    assert_int_equal(tree_count(path.text), 0);
}


/* What a disk with an error says of a push, and what the client hears. */
static void
an_error_of_the_disk_is_explained(void **state)
{
    reg_sys_t  sys = reg_sys_kernel;

    (void) state;

    assert_int_equal(open_root(tree_root), 0);
    (void) reg_error_sys(&err, EIO, REG_UNKNOWN, "fsync", "x");
    reg_store_explain(&tree_store, &err);
    assert_int_equal(err.code, REG_UNKNOWN);     /* it can be written */

    sys.open = refuse;
    tree_store.sys = &sys;

    for (int n = 0; n < 2; n++) {
        const int  told[] = { EIO, EROFS };

        err = (reg_error_t) REG_ERROR_INIT;
        (void) reg_error_sys(&err, told[n], REG_UNKNOWN, "fsync", "x");
        reg_store_explain(&tree_store, &err);
        assert_int_equal(err.code, REG_READ_ONLY);
    }

    err = (reg_error_t) REG_ERROR_INIT;
    (void) reg_error_sys(&err, ENOSPC, REG_UNKNOWN, "write", "x");
    reg_store_explain(&tree_store, &err);
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
}


static void
a_tree_that_is_gone_says_nothing_of_writing(void **state)
{
    (void) state;

    assert_int_equal(open_root(tree_root), 0);
    assert_int_equal(tree_empty(), 0);
    reg_store_try(&tree_store);
    assert_int_equal(reg_store_writable(&tree_store, &err), 0);
    assert_int_equal(tree_count(tree_root), 0);
}


static void
slashes_at_the_end_do_not_matter(void **state)
{
    char        root[300];
    reg_path_t  v2;

    (void) state;

    assert_int_equal(open_root(tree_root), 0);
    v2 = tree_store.v2;
    (void) snprintf(root, sizeof(root), "%s///", tree_root);
    assert_int_equal(open_root(root), 0);
    assert_string_equal(tree_store.v2.text, v2.text);
}


static void
init_touches_no_disk(void **state)
{
    (void) state;

    assert_int_equal(reg_store_init(&tree_store, REG_STR("/nowhere/at/all"),
                                    &err), 0);
    assert_string_equal(tree_store.v2.text,
                        "/nowhere/at/all/docker/registry/v2");
    assert_int_equal(tree_store.v2.len, strlen(tree_store.v2.text));
    assert_false(tree_has("/nowhere"));

    assert_int_equal(reg_store_init(&tree_store, REG_STR("/"), &err), 0);
    assert_string_equal(tree_store.v2.text, "/docker/registry/v2");
}


static void
a_root_that_is_not_absolute_or_too_long_is_refused(void **state)
{
    char  root[1024];

    (void) state;

    assert_int_equal(open_root(""), -1);
    assert_int_equal(open_root("data"), -1);
    assert_int_equal(open_root("./data"), -1);

    memset(root, 'r', sizeof(root));
    root[0] = '/';
    root[600] = '\0';
    assert_int_equal(open_root(root), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
}


static void
a_root_below_a_file_is_refused(void **state)
{
    char  path[300];

    (void) state;

    (void) snprintf(path, sizeof(path), "%s/file", tree_root);
    assert_int_equal(tree_write(path, "x", 1), 0);
    assert_int_equal(open_root(path), -1);
    assert_int_not_equal(err.code, REG_OK);
}


static void
a_tree_of_gitlab_s_database_is_refused(void **state)
{
    char  path[400];

    (void) state;

    (void) snprintf(path, sizeof(path),
                    "%s/docker/registry/lockfiles/database-in-use", tree_root);
    assert_int_equal(tree_write(path, "", 0), 0);
    assert_int_equal(open_root(tree_root), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_non_null(strstr(err.message, "GitLab"));

    assert_int_equal(unlink(path), 0);
    assert_int_equal(open_root(tree_root), 0);
}


static void
gitlab_s_other_lock_is_no_reason_to_refuse(void **state)
{
    char  path[400];

    (void) state;

    (void) snprintf(path, sizeof(path),
                    "%s/docker/registry/lockfiles/filesystem-in-use",
                    tree_root);
    assert_int_equal(tree_write(path, "", 0), 0);
    assert_int_equal(open_root(tree_root), 0);
}


static void
room_is_what_a_push_must_leave(void **state)
{
    (void) state;

    assert_int_equal(open_root(tree_root), 0);
    assert_int_equal(reg_store_room(&tree_store, INT64_MAX, &err), 0);

    tree_store.min_free = 1;
    assert_int_equal(reg_store_room(&tree_store, 1, &err), 0);
    assert_int_equal(reg_store_room(&tree_store, INT64_MAX, &err), -1);
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
    assert_int_equal(reg_error_status(&err), 507);

    err = (reg_error_t) REG_ERROR_INIT;
    tree_store.min_free = INT64_MAX;
    assert_int_equal(reg_store_room(&tree_store, 0, &err), -1);
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(what_is_missing_of_the_tree_is_made),
        TEST(slashes_at_the_end_do_not_matter),
        TEST(init_touches_no_disk),
        TEST(a_root_that_is_not_absolute_or_too_long_is_refused),
        TEST(what_is_gone_later_is_not_made_again),
        TEST(a_tree_that_cannot_be_written_says_so_until_it_can),
        TEST(an_error_of_the_disk_is_explained),
        TEST(a_tree_that_is_gone_says_nothing_of_writing),
        TEST(a_root_below_a_file_is_refused),
        TEST(a_tree_of_gitlab_s_database_is_refused),
        TEST(gitlab_s_other_lock_is_no_reason_to_refuse),
        TEST(room_is_what_a_push_must_leave),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
