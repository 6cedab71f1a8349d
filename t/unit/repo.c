/* reg_repo: the repositories of a store. */

#include "reg_repo.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


static reg_error_t  err;
static reg_buf_t    listed;
static int          most;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    return tree_renew(state);
}


/* A file below a repository's directory. */
static void
make(const char *repository, const char *part)
{
    reg_path_t  path;

    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, repository);
    reg_path_add(&path, part);
    assert_int_equal(tree_write(path.text, "sha256:" HEX, 71), 0);
}


static void
make_manifest(const char *repository)
{
    make(repository, "_manifests/revisions/sha256/" HEX "/link");
}


static int
collect(void *ctx, reg_str_t name)
{
    reg_buf_putstr(ctx, name);
    reg_buf_puts(ctx, " ");

    return --most == 0;
}


static void
expect_list(const char *last, int n, const char *want)
{
    err = (reg_error_t) REG_ERROR_INIT;
    most = n;
    assert_int_equal(reg_repo_list(&tree_store, reg_str_from(last), collect,
                                   &listed, &err), 0);
    reg_buf_put(&listed, "", 1);
    assert_string_equal(listed.data, want);
    reg_buf_free(&listed);
}


static void
an_empty_store_has_no_repositories(void **state)
{
    (void) state;

    expect_list("", 0, "");
}


static void
names_come_in_byte_order_of_the_whole(void **state)
{
    static const char  *names[] = {
        "b", "a/b", "a", "a-b", "a.b", "a_b", "a/b/c", "a/b-c", "a0", "a-b/c"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        make_manifest(names[i]);
    }

    expect_list("", 0, "a a-b a-b/c a.b a/b a/b-c a/b/c a0 a_b b ");
    expect_list("a", 2, "a-b a-b/c ");
    expect_list("a-b/c", 3, "a.b a/b a/b-c ");
    expect_list("a/", 1, "a/b ");
    expect_list("a/b", 2, "a/b-c a/b/c ");
    expect_list("a/zzz", 1, "a0 ");
    expect_list("b", 0, "");
    expect_list("0", 1, "a ");
}


static void
every_directory_with_a_name_can_be_listed(void **state)
{
    (void) state;

    make_manifest("a/b");
    make("c", "_uploads/x");
    make("d/e", "_layers/x");

    assert_int_equal(reg_repo_list_all(&tree_store, collect, &listed, &err),
                     0);
    reg_buf_put(&listed, "", 1);
    assert_string_equal(listed.data, "a a/b c d d/e ");
    reg_buf_free(&listed);

    most = 2;
    assert_int_equal(reg_repo_list_all(&tree_store, collect, &listed, &err),
                     0);
    reg_buf_put(&listed, "", 1);
    assert_string_equal(listed.data, "a a/b ");
    reg_buf_free(&listed);
}


static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}


static void
every_page_of_a_random_store_is_right(void **state)
{
    static const char  *parts[] = { "a", "b", "a-b", "a.b", "a0", "a_b", "z" };

    char       *names[60];
    size_t      n = 0;
    uint32_t    random = 99;
    reg_buf_t   want = REG_BUF_INIT;

    (void) state;

    for (int i = 0; i < 60; i++) {
        char  text[128] = "";
        bool  known = false;

        random = random * 1664525 + 1013904223;

        for (uint32_t k = 0; k <= (random >> 8) % 4; k++) {
            size_t  len = strlen(text);

            (void) snprintf(text + len, sizeof(text) - len, "%s%s",
                            k > 0 ? "/" : "",
                            parts[(random >> (12 + 3 * k)) % 7]);
        }

        for (size_t k = 0; k < n; k++) {
            known = known || strcmp(names[k], text) == 0;
        }

        if (!known) {
            names[n] = strdup(text);
            assert_non_null(names[n]);
            make_manifest(names[n++]);
        }
    }

    qsort(names, n, sizeof(names[0]), compare);

    for (size_t from = 0; from <= n; from++) {
        for (size_t i = from; i < n && i < from + 5; i++) {
            reg_buf_printf(&want, "%s ", names[i]);
        }

        reg_buf_put(&want, "", 1);
        expect_list(from == 0 ? "" : names[from - 1], 5, want.data);
        want.len = 0;
    }

    for (size_t i = 0; i < n; i++) {
        free(names[i]);
    }

    reg_buf_free(&want);
}


static void
only_repositories_with_a_manifest_are_listed(void **state)
{
    (void) state;

    make("layers", "_layers/sha256/" HEX "/link");
    make("tags", "_manifests/tags/v1/current/link");
    make("uploads", "_uploads/x/data");
    make("emptied", "_manifests/revisions/sha256/x");
    make_manifest("good");
    make("long", "_manifests/revisions/sha512/" HEX HEX "/link");

    expect_list("", 0, "good long ");
}


static void
what_is_no_name_is_not_listed(void **state)
{
    reg_path_t  path;
    char        deep[600];

    (void) state;

    make_manifest("good");
    make_manifest("Upper");
    make_manifest("_under");
    make_manifest(".dot");
    make_manifest("sp ace");
    make("file", "x");

    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, "zlink");
    assert_int_equal(symlink("good", path.text), 0);

    /* longer than any name, and deeper */
    for (size_t i = 0; i < 400; i += 2) {
        memcpy(deep + i, "a/", 3);
    }

    make_manifest(deep);
    expect_list("", 0, "good ");
}


static void
a_name_is_known_if_anything_was_pushed(void **state)
{
    reg_name_t  name = tree_name("a/b"), parent = tree_name("a");

    (void) state;

    assert_int_equal(reg_repo_require(&tree_store, &name, &err), -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);
    assert_string_equal(err.detail, "a/b");

    make("a/b", "_layers/sha256/" HEX "/link");
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_repo_require(&tree_store, &name, &err), 0);
    assert_int_equal(reg_repo_require(&tree_store, &parent, &err), -1);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(an_empty_store_has_no_repositories),
        TEST(names_come_in_byte_order_of_the_whole),
        TEST(every_directory_with_a_name_can_be_listed),
        TEST(every_page_of_a_random_store_is_right),
        TEST(only_repositories_with_a_manifest_are_listed),
        TEST(what_is_no_name_is_not_listed),
        TEST(a_name_is_known_if_anything_was_pushed),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
