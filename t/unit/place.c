/* reg_place: what is prepared, put and abandoned. */

#include "reg_place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tree.h"


static reg_error_t  err;
static reg_place_t  places[2];
static const char  *twin;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    memset(places, 0, sizeof(places));
    twin = NULL;

    return tree_renew(state);
}


static reg_path_t
at(const char *rest)
{
    reg_path_t  path;

    assert_int_equal(reg_path_below(&path, &tree_store.v2,
                                    reg_str_from(rest)), 0);
    return path;
}


static int
prepare_after(const reg_place_t *before, int n, const char *rest,
    const char *content, const char *whole)
{
    reg_path_t        path = at(rest);
    reg_place_file_t  file = {
        &path, reg_str_from(content), whole == NULL ? 0 : at(whole).len, twin
    };

    return reg_place_prepare(&tree_store, &file, before, &places[n], &err);
}


static int
prepare(int n, const char *rest, const char *content, const char *whole)
{
    return prepare_after(n > 0 && whole != NULL ? &places[n - 1] : NULL, n,
                         rest, content, whole);
}


static int
put(int n, const char *rest)
{
    reg_path_t  path = at(rest);

    return reg_place_put(&tree_store, &places[n], &path, &err);
}


static bool
holds(const char *rest, const char *content)
{
    reg_path_t  path = at(rest);
    char        text[64];

    return tree_read(path.text, text, sizeof(text)) != -1
           && strcmp(text, content) == 0;
}


static bool
has(const char *rest)
{
    reg_path_t  path = at(rest);

    return tree_has(path.text);
}


/* Abandons all; nothing is left of it. */
static void
assert_tidy(void)
{
    reg_path_t  tmp;

    for (int i = 0; i < 2; i++) {
        reg_place_abandon(&tree_store, &places[i]);
    }

    /* a directory that is removed like this is empty */
    reg_layout_tmp(&tmp, &tree_store.v2);
    assert_int_equal(rmdir(tmp.text), 0);
}


static void
nobody_sees_what_is_prepared(void **state)
{
    (void) state;

    assert_int_equal(prepare(0, "a/b/link", "one", NULL), 0);
    assert_true(has("a/b") && !has("a/b/link"));
    assert_int_equal(put(0, "a/b/link"), 0);
    assert_true(holds("a/b/link", "one"));
    assert_tidy();
    assert_true(holds("a/b/link", "one"));
}


static void
what_is_there_is_not_written_again(void **state)
{
    reg_path_t   path = at("a/link");
    struct stat  before, after;

    (void) state;

    assert_int_equal(tree_write(path.text, "one", 3), 0);
    assert_int_equal(stat(path.text, &before), 0);
    assert_int_equal(prepare(0, "a/link", "one", NULL), 0);
    assert_string_equal(places[0].name, "");
    assert_int_equal(put(0, "a/link"), 0);
    assert_int_equal(stat(path.text, &after), 0);
    assert_true(before.st_ino == after.st_ino);

    assert_int_equal(prepare(0, "a/link", "two", NULL), 0);
    assert_int_equal(put(0, "a/link"), 0);
    assert_true(holds("a/link", "two"));
    assert_tidy();
}


static void
a_new_directory_comes_as_a_whole(void **state)
{
    (void) state;

    assert_int_equal(prepare(0, "t/v1/index/link", "one", "t/v1"), 0);
    assert_int_equal(prepare(1, "t/v1/current/link", "two", "t/v1"), 0);
    assert_false(has("t"));
    assert_int_equal(put(0, "t/v1/index/link"), 1);
    assert_true(holds("t/v1/index/link", "one"));
    assert_true(holds("t/v1/current/link", "two"));
    assert_tidy();
    assert_true(holds("t/v1/current/link", "two"));
}


static void
a_directory_that_has_come_since_gets_the_files(void **state)
{
    reg_path_t  other = at("t/v1/index/other"), old = at("t/v1/current/link");

    (void) state;

    assert_int_equal(prepare(0, "t/v1/index/link", "one", "t/v1"), 0);
    assert_int_equal(prepare(1, "t/v1/current/link", "two", "t/v1"), 0);
    assert_int_equal(tree_write(other.text, "other", 5), 0);
    assert_int_equal(tree_write(old.text, "old", 3), 0);

    assert_int_equal(put(0, "t/v1/index/link"), 0);
    assert_int_equal(put(1, "t/v1/current/link"), 0);
    assert_true(holds("t/v1/index/link", "one"));
    assert_true(holds("t/v1/index/other", "other"));
    assert_true(holds("t/v1/current/link", "two"));
    assert_tidy();
}


static void
a_directory_that_was_removed_is_made_again(void **state)
{
    reg_path_t  dir = at("a/b");

    (void) state;

    assert_int_equal(prepare(0, "a/b/link", "one", NULL), 0);
    assert_int_equal(rmdir(dir.text), 0);
    assert_int_equal(put(0, "a/b/link"), 0);
    assert_true(holds("a/b/link", "one"));
    assert_tidy();
}


static void
what_is_abandoned_is_gone(void **state)
{
    (void) state;

    assert_int_equal(prepare(0, "a/link", "one", NULL), 0);
    assert_tidy();
    assert_false(has("a/link"));

    assert_int_equal(prepare(0, "t/v1/index/link", "one", "t/v1"), 0);
    assert_int_equal(prepare(1, "t/v1/current/link", "two", "t/v1"), 0);
    assert_tidy();
    assert_false(has("t"));
}


static int
no_link(const char *from, const char *to)
{
    (void) from;
    (void) to;

    errno = EOPNOTSUPP;
    return -1;
}


/* Two names of one file, where the file system has that. */
static void
a_twin_is_a_second_name(void **state)
{
    reg_sys_t     sys = reg_sys_kernel;
    struct stat   one, other;

    (void) state;

    for (int i = 0; i < 2; i++) {
        const char  *file = i == 0 ? "a/link" : "b/link";
        const char  *dir = i == 0 ? "t/x" : "t/y";
        const char  *second = i == 0 ? "t/x/link" : "t/y/link";

        twin = NULL;
        sys.link = i == 0 ? link : no_link;
        tree_store.sys = &sys;
        assert_int_equal(prepare(0, file, "one", NULL), 0);
        twin = places[0].name;
        assert_int_equal(prepare_after(NULL, 1, second, "one", dir), 0);
        tree_store.sys = &reg_sys_kernel;

        assert_int_equal(put(0, file), 0);
        assert_int_equal(put(1, second), 1);
        assert_true(holds(file, "one") && holds(second, "one"));
        assert_int_equal(stat(at(file).text, &one), 0);
        assert_int_equal(stat(at(second).text, &other), 0);
        assert_int_equal(one.st_ino == other.st_ino, i == 0);
        assert_tidy();
    }
}


static void
a_file_in_the_way_is_an_error(void **state)
{
    reg_path_t  file = at("a"), link = at("a/link");

    (void) state;

    assert_int_equal(tree_write(file.text, "x", 1), 0);
    assert_int_equal(prepare(0, "a/link", "one", NULL), -1);
    assert_int_equal(err.sys, ENOTDIR);
    assert_int_equal(prepare(0, "a/v1/link", "one", "a/v1"), 0);
    assert_int_equal(put(0, "a/v1/link"), -1);
    assert_tidy();
    assert_true(holds("a", "x"));

    /* after a crash it is moved away */
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_place_restore(&tree_store, &link, REG_STR("one"),
                                       &err), 0);
    assert_true(holds("a/link", "one"));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(nobody_sees_what_is_prepared),
        TEST(what_is_there_is_not_written_again),
        TEST(a_new_directory_comes_as_a_whole),
        TEST(a_directory_that_has_come_since_gets_the_files),
        TEST(a_directory_that_was_removed_is_made_again),
        TEST(what_is_abandoned_is_gone),
        TEST(a_twin_is_a_second_name),
        TEST(a_file_in_the_way_is_an_error),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
