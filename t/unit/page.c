/* reg_page: n and last of a list, the Link header (SECURITY.md S6). */

#include "reg_page.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static reg_page_t  page;


static reg_error_code_t
parse(const char *query)
{
    reg_error_t  err = REG_ERROR_INIT;
    int          rc = reg_page_parse(&page, reg_str_from(query), 100, &err);

    assert_int_equal(rc, err.code == REG_OK ? 0 : -1);
    return err.code;
}


static void
without_n_a_page_has_the_limit(void **state)
{
    (void) state;

    assert_int_equal(parse(""), REG_OK);
    assert_false(page.given);
    assert_int_equal(page.n, 100);
    assert_string_equal(page.last, "");
}


static void
n_and_last_are_read(void **state)
{
    (void) state;

    assert_int_equal(parse("n=7&last=a%2Fb"), REG_OK);
    assert_true(page.given);
    assert_int_equal(page.n, 7);
    assert_string_equal(page.last, "a/b");

    assert_int_equal(parse("last=&n=0"), REG_OK);
    assert_true(page.given);
    assert_int_equal(page.n, 0);
    assert_string_equal(page.last, "");
}


static void
a_large_n_is_cut_to_the_limit(void **state)
{
    (void) state;

    assert_int_equal(parse("n=101"), REG_OK);
    assert_int_equal(page.n, 100);
    assert_int_equal(parse("n=1000000000"), REG_OK);
    assert_int_equal(page.n, 100);
    assert_int_equal(parse("n=9223372036854775807"), REG_OK);
    assert_int_equal(page.n, 100);
}


static void
an_n_that_is_no_number_is_refused(void **state)
{
    static const char  *bad[] = {
        "n=", "n", "n=-1", "n=+1", "n=%2B1", "n=1.5", "n=1e3", "n=0x10",
        "n=ten", "n=%20 1", "n=1%20", "n=1%00", "n=%0d%0a", "n=%zz",
        "n=9223372036854775808", "n=99999999999999999999999999999999999999999"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i]), REG_PAGINATION_NUMBER_INVALID);
    }
}


static void
a_hostile_last_is_refused(void **state)
{
    static char  query[1000] = "last=";

    (void) state;

    assert_int_equal(parse("last=a%0d%0aX:%20y"),
                     REG_PAGINATION_NUMBER_INVALID);
    assert_int_equal(parse("last=%00"), REG_PAGINATION_NUMBER_INVALID);
    assert_int_equal(parse("last=%"), REG_PAGINATION_NUMBER_INVALID);

    memset(query + 5, 'a', 255);
    assert_int_equal(parse(query), REG_OK);
    assert_int_equal(strlen(page.last), 255);
    memset(query + 5, 'a', 256);
    assert_int_equal(parse(query), REG_PAGINATION_NUMBER_INVALID);
}


static void
expect_link(reg_str_t path, reg_str_t last, int64_t n, const char *want)
{
    reg_buf_t  b = REG_BUF_INIT;

    reg_page_link(&b, path, last, n);
    reg_buf_put(&b, "", 1);
    assert_true(reg_buf_ok(&b));
    assert_string_equal(b.data, want);
    reg_buf_free(&b);
}


static void
the_link_leads_to_the_next_page(void **state)
{
    (void) state;

    expect_link(REG_STR("/v2/a/b/tags/list"), REG_STR("v1"), 5,
                "</v2/a/b/tags/list?last=v1&n=5>; rel=\"next\"");
    expect_link(REG_STR("/v2/_catalog"), REG_STR("a/b"), 100,
                "</v2/_catalog?last=a/b&n=100>; rel=\"next\"");
}


static void
nothing_splits_the_link_header(void **state)
{
    (void) state;

    expect_link(REG_STR("/v2/_catalog"), REG_STR("a\r\nX: y>;\"&n=9"), 1,
                "</v2/_catalog?last=a%0D%0AX:%20y%3E%3B%22%26n%3D9&n=1>;"
                " rel=\"next\"");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(without_n_a_page_has_the_limit),
        cmocka_unit_test(n_and_last_are_read),
        cmocka_unit_test(a_large_n_is_cut_to_the_limit),
        cmocka_unit_test(an_n_that_is_no_number_is_refused),
        cmocka_unit_test(a_hostile_last_is_refused),
        cmocka_unit_test(the_link_leads_to_the_next_page),
        cmocka_unit_test(nothing_splits_the_link_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
