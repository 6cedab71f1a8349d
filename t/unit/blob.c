/* reg_blob: content, and the right of a repository to serve it (S3, S17). */

#include "reg_blob.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "faults.h"


static reg_error_t   err;
static reg_name_t    name, other;
static reg_digest_t  digest;


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
    other = tree_name("a/c");
    digest = tree_digest(REG_SHA256, REG_STR("content"));

    return tree_renew(state);
}


static void
write_content(void)
{
    reg_path_t  path;

    reg_layout_blob(&path, &tree_store.v2, &digest);
    assert_int_equal(tree_write(path.text, "content", 7), 0);
}


static void
write_link(const reg_name_t *to)
{
    reg_path_t  path;

    reg_layout_layer(&path, &tree_store.v2, to, &digest);
    assert_int_equal(tree_write(path.text, digest.text, 71), 0);
}


static int
stat_of(const reg_name_t *of)
{
    int64_t  size = -1;
    int      rc;

    no_error();
    rc = reg_blob_stat(&tree_store, of, &digest, &size, &err);
    assert_int_equal(rc == 0 ? 7 : -1, size);

    if (rc == -1) {
        assert_int_equal(err.code, REG_BLOB_UNKNOWN);
        assert_string_equal(err.detail, digest.text);
    }

    return rc;
}


static void
content_without_a_link_is_not_served(void **state)
{
    int64_t  size;

    (void) state;

    assert_int_equal(stat_of(&name), -1);
    write_content();
    assert_int_equal(stat_of(&name), -1);
    no_error();
    assert_int_equal(reg_blob_content_stat(&tree_store, &digest, &size, &err),
                     0);
    assert_int_equal(size, 7);

    write_link(&name);
    assert_int_equal(stat_of(&name), 0);
    assert_int_equal(stat_of(&other), -1);
}


static void
a_link_without_content_is_not_served(void **state)
{
    (void) state;

    write_link(&name);
    assert_int_equal(stat_of(&name), -1);
}


static void
content_that_is_no_regular_file_is_absent(void **state)
{
    reg_path_t  path;
    reg_buf_t   b = REG_BUF_INIT;

    (void) state;

    write_content();
    write_link(&name);
    reg_layout_blob(&path, &tree_store.v2, &digest);

    for (int kind = 0; kind < TREE_ODD; kind++) {
        assert_int_equal(remove(path.text), 0);
        assert_int_equal(tree_odd(path.text, kind), 0);

        assert_int_equal(stat_of(&name), -1);
        no_error();
        assert_int_equal(reg_blob_content_read(&tree_store, &digest, 100, &b,
                                               &err), -1);
        assert_int_equal(err.code, REG_BLOB_UNKNOWN);
        assert_int_equal(b.len, 0);
    }

    reg_buf_free(&b);
}


static void
content_is_read_up_to_a_bound(void **state)
{
    reg_buf_t  b = REG_BUF_INIT;

    (void) state;

    write_content();
    reg_buf_puts(&b, "before ");
    assert_int_equal(reg_blob_content_read(&tree_store, &digest, 7, &b, &err),
                     0);
    assert_int_equal(b.len, 14);
    assert_memory_equal(b.data, "before content", 14);

    assert_int_equal(reg_blob_content_read(&tree_store, &digest, 6, &b, &err),
                     -1);
    assert_int_equal(err.code, REG_SIZE_INVALID);
    assert_int_equal(b.len, 14);
    reg_buf_free(&b);
}


static void
a_mount_needs_the_source_to_have_it(void **state)
{
    (void) state;

    write_content();
    assert_int_equal(reg_blob_mount(&tree_store, &name, &other, &digest, &err),
                     -1);
    assert_int_equal(err.code, REG_BLOB_UNKNOWN);
    assert_int_equal(stat_of(&name), -1);

    write_link(&other);
    no_error();
    assert_int_equal(reg_blob_mount(&tree_store, &name, &other, &digest, &err),
                     0);
    assert_int_equal(stat_of(&name), 0);
    no_error();
    assert_int_equal(reg_blob_mount(&tree_store, &name, &other, &digest, &err),
                     0);
    assert_null(fault_check_tree());
}


static void
a_delete_takes_the_link_and_leaves_the_content(void **state)
{
    int64_t  size;

    (void) state;

    write_content();
    write_link(&name);
    write_link(&other);

    assert_int_equal(reg_blob_delete(&tree_store, &name, &digest, &err), 0);
    assert_int_equal(stat_of(&name), -1);
    assert_int_equal(stat_of(&other), 0);
    no_error();
    assert_int_equal(reg_blob_content_stat(&tree_store, &digest, &size, &err),
                     0);

    assert_int_equal(reg_blob_delete(&tree_store, &name, &digest, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UNKNOWN);
    assert_null(fault_check_tree());
}


/* ---- the crash loops ----------------------------------------------------- */


static int
prepare(void)
{
    write_content();
    write_link(&other);
    return 0;
}


static int
run_mount(void)
{
    no_error();
    return reg_blob_mount(&tree_store, &name, &other, &digest, &err);
}


static const char *
check_mount(bool done)
{
    return stat_of(&other) == -1 ? "the source lost it"
           : done && stat_of(&name) == -1 ? "acknowledged, but not there"
           : NULL;
}


static int
run_delete(void)
{
    no_error();

    if (reg_blob_delete(&tree_store, &other, &digest, &err) == 0) {
        return 0;
    }

    return err.code == REG_BLOB_UNKNOWN ? 0 : -1;
}


static const char *
check_delete(bool done)
{
    return done && stat_of(&other) == 0 ? "deleted, but still there" : NULL;
}


static void
no_fault_breaks_a_mount(void **state)
{
    int  rounds = fault_loop(&(fault_loop_t) { "a mount", prepare, run_mount,
                                               check_mount });

    (void) state;

    assert_int_not_equal(rounds, -1);
    print_message("a mount: %d rounds\n", rounds);
}


static void
no_fault_breaks_a_delete(void **state)
{
    int  rounds = fault_loop(&(fault_loop_t) { "a delete", prepare, run_delete,
                                               check_delete });

    (void) state;

    assert_int_not_equal(rounds, -1);
    print_message("a delete: %d rounds\n", rounds);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(content_without_a_link_is_not_served),
        TEST(a_link_without_content_is_not_served),
        TEST(content_that_is_no_regular_file_is_absent),
        TEST(content_is_read_up_to_a_bound),
        TEST(a_mount_needs_the_source_to_have_it),
        TEST(a_delete_takes_the_link_and_leaves_the_content),
        TEST(no_fault_breaks_a_mount),
        TEST(no_fault_breaks_a_delete),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
