/* reg_query: parameters of a query string (SECURITY.md S6). */

#include "reg_query.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static char  value[64];


static int
get(const char *query, const char *key)
{
    memset(value, 'x', sizeof(value));
    return reg_query_get(reg_str_from(query), key, value, sizeof(value));
}


static void
values_are_found_and_decoded(void **state)
{
    (void) state;

    assert_int_equal(get("digest=sha256%3Aab&from=a%2Fb", "digest"), 1);
    assert_string_equal(value, "sha256:ab");
    assert_int_equal(get("digest=sha256%3aab&from=a%2fb", "from"), 1);
    assert_string_equal(value, "a/b");
    assert_int_equal(get("n=5&last=v1%20x", "last"), 1);
    assert_string_equal(value, "v1 x");
    assert_int_equal(get("a=b=c", "a"), 1);
    assert_string_equal(value, "b=c");
}


static void
a_plus_stays_a_plus(void **state)
{
    (void) state;

    assert_int_equal(get("t=a+json", "t"), 1);
    assert_string_equal(value, "a+json");
}


static void
what_is_absent_is_told_from_what_is_empty(void **state)
{
    (void) state;

    assert_int_equal(get("", "n"), 0);
    assert_string_equal(value, "");
    assert_int_equal(get("&&&", "n"), 0);
    assert_int_equal(get("nn=1&=2&last", "n"), 0);
    assert_int_equal(get("n", "n"), 1);
    assert_string_equal(value, "");
    assert_int_equal(get("n=", "n"), 1);
    assert_string_equal(value, "");
    assert_int_equal(reg_query_get(REG_STR_NULL, "n", value, sizeof(value)),
                     0);
}


static void
the_first_of_many_counts_and_each_can_be_had(void **state)
{
    reg_str_t  q = REG_STR("a=1&b=2&a=3&a=%zz&a=5");

    (void) state;

    assert_int_equal(reg_query_get(q, "a", value, sizeof(value)), 1);
    assert_string_equal(value, "1");
    assert_int_equal(reg_query_get_nth(q, "a", 1, value, sizeof(value)), 1);
    assert_string_equal(value, "3");
    assert_int_equal(reg_query_get_nth(q, "a", 2, value, sizeof(value)), -1);
    assert_int_equal(reg_query_get_nth(q, "a", 3, value, sizeof(value)), 1);
    assert_string_equal(value, "5");
    assert_int_equal(reg_query_get_nth(q, "a", 4, value, sizeof(value)), 0);
    assert_int_equal(reg_query_get_nth(q, "b", 1, value, sizeof(value)), 0);
}


static void
broken_escapes_are_malformed(void **state)
{
    static const char  *bad[] = {
        "a=%", "a=%4", "a=%zz", "a=%4z", "a=%z4", "a=x%", "a=%%41", "a=%4&b",
        "a=% 1", "a=%-1", "a=%0x41", ("a=%\xc1" "1")
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(get(bad[i], "a"), -1);
    }
}


static void
control_characters_never_come_out(void **state)
{
    char  query[16];

    (void) state;

    for (int c = 0; c < 256; c++) {
        (void) snprintf(query, sizeof(query), "a=x%%%02Xy", (unsigned) c);
        assert_int_equal(get(query, "a"), c < 0x20 || c == 0x7f ? -1 : 1);

        /* and not decoded */
        if (c != 0 && c != '&' && c != '%') {
            (void) snprintf(query, sizeof(query), "a=x%cy", c);
            assert_int_equal(get(query, "a"), c < 0x20 || c == 0x7f ? -1 : 1);
        }
    }

    assert_int_equal(get("a=x%0d%0aSet-Cookie:%20y", "a"), -1);
    assert_int_equal(reg_query_get(REG_STR("a=x\0y"), "a", value,
                                   sizeof(value)), -1);
}


static void
a_value_that_does_not_fit_is_malformed(void **state)
{
    char  small[4];

    (void) state;

    assert_int_equal(reg_query_get(REG_STR("a=123"), "a", small, 4), 1);
    assert_string_equal(small, "123");
    assert_int_equal(reg_query_get(REG_STR("a=1234"), "a", small, 4), -1);
    assert_int_equal(reg_query_get(REG_STR("a=%31%32%33%34"), "a", small, 4),
                     -1);
    assert_int_equal(reg_query_get(REG_STR("a=%31%32%33"), "a", small, 4), 1);
    assert_string_equal(small, "123");
}


static void
keys_are_compared_whole_and_undecoded(void **state)
{
    (void) state;

    assert_int_equal(get("%6e=1", "n"), 0);
    assert_int_equal(get("N=1", "n"), 0);
    assert_int_equal(get("x=&n=1", "n"), 1);
    assert_int_equal(get("x=n=1", "n"), 0);
}


static void
encoding_leaves_nothing_that_could_end_a_value_or_a_header(void **state)
{
    reg_buf_t  b = REG_BUF_INIT;
    char       all[256];

    (void) state;

    for (int c = 0; c < 256; c++) {
        all[c] = (char) c;
    }

    reg_query_encode(&b, (reg_str_t) { sizeof(all), all });
    assert_true(reg_buf_ok(&b));

    for (size_t i = 0; i < b.len; i++) {
        assert_true(b.data[i] > ' ' && b.data[i] < 0x7f);
        assert_null(strchr("&=?#<>\"';,+\\", b.data[i]));
    }

    reg_buf_free(&b);
}


static void
what_is_encoded_decodes_to_itself(void **state)
{
    reg_buf_t  b = REG_BUF_INIT;
    char       out[256];

    (void) state;

    reg_buf_puts(&b, "a=");
    reg_query_encode(&b, REG_STR("x y&z=1%41+\xc3\xa9/:~"));
    assert_int_equal(reg_query_get(reg_buf_str(&b), "a", out, sizeof(out)), 1);
    assert_string_equal(out, "x y&z=1%41+\xc3\xa9/:~");
    reg_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(values_are_found_and_decoded),
        cmocka_unit_test(a_plus_stays_a_plus),
        cmocka_unit_test(what_is_absent_is_told_from_what_is_empty),
        cmocka_unit_test(the_first_of_many_counts_and_each_can_be_had),
        cmocka_unit_test(broken_escapes_are_malformed),
        cmocka_unit_test(control_characters_never_come_out),
        cmocka_unit_test(a_value_that_does_not_fit_is_malformed),
        cmocka_unit_test(keys_are_compared_whole_and_undecoded),
        cmocka_unit_test(
            encoding_leaves_nothing_that_could_end_a_value_or_a_header),
        cmocka_unit_test(what_is_encoded_decodes_to_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
