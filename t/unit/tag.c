/* reg_tag: names for manifests within a repository. */

#include "reg_tag.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "faults.h"
#include "reg_revision.h"


#define BODY  "{\"schemaVersion\":2}"


static reg_error_t   err;
static reg_name_t    name;
static reg_digest_t  digest;
static reg_buf_t     listed;
static int           most;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


static int
renew(void **state)
{
    no_error();
    name = tree_name("a/b");
    digest = tree_digest(REG_SHA256, REG_STR(BODY));

    return tree_renew(state);
}


static void
put(const char *text)
{
    reg_tag_t  tag = tree_tag(text);

    no_error();
    assert_int_equal(tree_push(&name, &digest, REG_STR(BODY),
                     &tag, 1, &err), 0);
}


static int
collect(void *ctx, reg_str_t tag)
{
    reg_buf_putstr(ctx, tag);
    reg_buf_puts(ctx, " ");

    return --most == 0;
}


/* Lists at most n (0: all) after last. */
static void
expect_list(const char *last, int n, const char *want)
{
    no_error();
    most = n;
    assert_int_equal(reg_tag_list(&tree_store, &name, reg_str_from(last),
                                  collect, &listed, &err), 0);
    reg_buf_put(&listed, "", 1);
    assert_string_equal(listed.data, want);
    reg_buf_free(&listed);
}


static void
tags_are_listed_in_byte_order(void **state)
{
    (void) state;

    put("b");
    put("a");
    put("B");
    put("_x");
    put("a.1");
    put("a-1");
    put("10");
    put("9");

    expect_list("", 0, "10 9 B _x a a-1 a.1 b ");
}


static void
a_page_begins_after_last_and_ends_when_told(void **state)
{
    (void) state;

    put("a");
    put("b");
    put("c");
    put("d");

    expect_list("", 2, "a b ");
    expect_list("b", 2, "c d ");
    expect_list("d", 2, "");
    expect_list("b0", 1, "c ");           /* last need not exist */
    expect_list("zzz", 0, "");
    expect_list("A", 1, "a ");
}


static void
what_is_no_tag_is_not_listed(void **state)
{
    static const char  *odd[] = {
        ".hidden/current/link", "-x/current/link", "nolink/index/x",
        "file", "sp ace/current/link"
    };

    reg_path_t  tags, path;

    (void) state;

    put("good");
    reg_layout_tags(&tags, &tree_store.v2, &name);

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        path = tags;
        reg_path_add(&path, odd[i]);
        assert_int_equal(tree_write(path.text, digest.text, 71), 0);
    }

    path = tags;
    reg_path_add(&path, "linked");
    assert_int_equal(symlink("/etc", path.text), 0);

    path = tags;
    reg_path_add(&path, "broken/current/link");
    assert_int_equal(tree_write(path.text, "sha256:", 7), 0);

    expect_list("", 0, "good ");
}


static void
a_repository_without_tags_has_an_empty_list(void **state)
{
    reg_path_t  path;

    (void) state;

    assert_int_equal(reg_tag_list(&tree_store, &name, REG_STR_NULL, collect,
                                  &listed, &err), -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);

    reg_layout_layer(&path, &tree_store.v2, &name, &digest);
    assert_int_equal(tree_write(path.text, digest.text, 71), 0);
    expect_list("", 0, "");
}


static void
a_deleted_tag_is_gone_and_its_manifest_stays(void **state)
{
    reg_tag_t     tag = tree_tag("a");
    reg_digest_t  d;

    (void) state;

    put("a");
    put("b");
    assert_int_equal(reg_tag_read(&tree_store, &name, &tag, &d, &err), 0);
    assert_true(reg_digest_eq(&d, &digest));

    assert_int_equal(reg_tag_delete(&tree_store, &name, &tag, &err), 0);
    expect_list("", 0, "b ");
    assert_int_equal(reg_revision_require(&tree_store, &name, &digest, &err),
                     0);

    assert_int_equal(reg_tag_read(&tree_store, &name, &tag, &d, &err), -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
    no_error();
    assert_int_equal(reg_tag_delete(&tree_store, &name, &tag, &err), -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
    assert_null(fault_check_tree());
}


/* What cannot be looked at may be there. */
static void
a_list_is_whole_or_fails(void **state)
{
    int  n, rc;

    (void) state;

    tree_store.lists = reg_lists_create(1 << 20, &tree_hourly);
    put("a");
    put("b");
    expect_list("", 0, "a b ");
    expect_list("", 0, "a b ");              /* from here on it is kept */

    for (n = 0, rc = -1; rc == -1; n++) {
        no_error();
        most = 0;
        assert_int_equal(tree_leave_descriptors(n), 0);
        rc = reg_tag_list(&tree_store, &name, REG_STR_NULL, collect, &listed,
                          &err);
        assert_int_equal(tree_leave_descriptors(-1), 0);
        assert_true(rc == 0 || err.sys == EMFILE);
        reg_buf_put(&listed, "", 1);
        assert_string_equal(listed.data, rc == 0 ? "a b " : "");
        reg_buf_free(&listed);
    }

    assert_int_equal(n, 3);                  /* the directory, and one link */
    reg_lists_free(tree_store.lists);
    tree_store.lists = NULL;
}


/* ---- the crash loop ------------------------------------------------------ */


static int
prepare(void)
{
    put("a");
    put("b");
    return 0;
}


static int
run_delete(void)
{
    reg_tag_t  tag = tree_tag("a");

    no_error();

    if (reg_tag_delete(&tree_store, &name, &tag, &err) == 0) {
        return 0;
    }

    return err.code == REG_MANIFEST_UNKNOWN ? 0 : -1;
}


static const char *
check_delete(bool done)
{
    reg_tag_t     a = tree_tag("a"), b = tree_tag("b");
    reg_digest_t  d;

    no_error();

    if (reg_tag_read(&tree_store, &name, &b, &d, &err) == -1) {
        return "another tag is gone";
    }

    return done && reg_tag_read(&tree_store, &name, &a, &d, &err) == 0
           ? "deleted, but still there" : NULL;
}


static void
no_fault_breaks_a_delete(void **state)
{
    int  rounds = fault_loop(&(fault_loop_t) { "a tag delete", prepare,
                                               run_delete, check_delete });

    (void) state;

    assert_int_not_equal(rounds, -1);
    print_message("a tag delete: %d rounds\n", rounds);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(tags_are_listed_in_byte_order),
        TEST(a_page_begins_after_last_and_ends_when_told),
        TEST(what_is_no_tag_is_not_listed),
        TEST(a_repository_without_tags_has_an_empty_list),
        TEST(a_deleted_tag_is_gone_and_its_manifest_stays),
        TEST(a_list_is_whole_or_fails),
        TEST(no_fault_breaks_a_delete),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
