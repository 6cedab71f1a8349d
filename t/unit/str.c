/* reg_str: slices, buffers, numbers from outside, JSON strings. */

#include "reg_str.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static void
slices_compare_by_length_and_bytes(void **state)
{
    (void) state;

    assert_true(reg_str_eq(REG_STR("abc"), REG_STR("abc")));
    assert_false(reg_str_eq(REG_STR("abc"), REG_STR("abd")));
    assert_false(reg_str_eq(REG_STR("abc"), REG_STR("ab")));
    assert_true(reg_str_eq(REG_STR_NULL, REG_STR("")));
    assert_false(reg_str_eq(REG_STR("a\0b"), REG_STR("a\0c")));
    assert_false(reg_str_eq(REG_STR("a\0"), REG_STR("a")));
    assert_int_equal(reg_str_from(NULL).len, 0);
    assert_int_equal(reg_str_from("four").len, 4);
}


static void
case_is_ignored_for_letters_only(void **state)
{
    (void) state;

    assert_true(reg_str_eq_nocase(REG_STR("Q=0 Ab"), REG_STR("q=0 aB")));
    assert_false(reg_str_eq_nocase(REG_STR("@"), REG_STR("`")));
    assert_false(reg_str_eq_nocase(REG_STR("["), REG_STR("{")));
    assert_false(reg_str_eq_nocase(REG_STR("\xc1"), REG_STR("\xe1")));
    assert_false(reg_str_eq_nocase(REG_STR("abc"), REG_STR("ab")));
    assert_true(reg_str_eq_nocase(REG_STR_NULL, REG_STR("")));
}


static void
prefixes_are_found(void **state)
{
    (void) state;

    assert_true(reg_str_starts(REG_STR("/v2/a"), REG_STR("/v2/")));
    assert_true(reg_str_starts(REG_STR("/v2/"), REG_STR("/v2/")));
    assert_false(reg_str_starts(REG_STR("/v2"), REG_STR("/v2/")));
    assert_true(reg_str_starts(REG_STR_NULL, REG_STR("")));
    assert_false(reg_str_starts(REG_STR_NULL, REG_STR("a")));
}


static void
the_order_is_that_of_bytes(void **state)
{
    /* each is before all that follow it */
    const reg_str_t  order[] = {
        REG_STR_NULL, REG_STR("\0"), REG_STR("A"), REG_STR("a"),
        REG_STR("a\0"), REG_STR("a-b"), REG_STR("a/b"), REG_STR("aa"),
        REG_STR("b"), REG_STR("\xc3\xa4"), REG_STR("\xff")
    };
    const size_t     n = sizeof(order) / sizeof(order[0]);

    (void) state;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            int  got = reg_str_compare(order[i], order[k]);

            assert_int_equal((got > 0) - (got < 0), (i > k) - (i < k));
        }
    }

    assert_int_equal(reg_str_compare(REG_STR_NULL, REG_STR("")), 0);
}


static void
blanks_are_cut_off_both_ends(void **state)
{
    (void) state;

    assert_true(reg_str_eq(reg_str_trim(REG_STR(" \t a b \t")),
                           REG_STR("a b")));
    assert_int_equal(reg_str_trim(REG_STR(" \t ")).len, 0);
    assert_int_equal(reg_str_trim(REG_STR_NULL).len, 0);
    assert_true(reg_str_eq(reg_str_trim(REG_STR("\na\r")), REG_STR("\na\r")));
}


static void
cut_splits_at_the_first_separator(void **state)
{
    reg_str_t  s = REG_STR("a=b=c");

    (void) state;

    assert_true(reg_str_eq(reg_str_cut(&s, '='), REG_STR("a")));
    assert_true(reg_str_eq(s, REG_STR("b=c")));
    assert_true(reg_str_eq(reg_str_cut(&s, '='), REG_STR("b")));
    assert_true(reg_str_eq(reg_str_cut(&s, '='), REG_STR("c")));
    assert_int_equal(s.len, 0);
    assert_int_equal(reg_str_cut(&s, '=').len, 0);

    s = REG_STR("=x");
    assert_int_equal(reg_str_cut(&s, '=').len, 0);
    assert_true(reg_str_eq(s, REG_STR("x")));

    s = REG_STR("x=");
    assert_true(reg_str_eq(reg_str_cut(&s, '='), REG_STR("x")));
    assert_int_equal(s.len, 0);
}


static void
numbers_are_digits_within_the_bound(void **state)
{
    static const char  *bad[] = {
        "", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "a", "1a", "--",
        "9223372036854775808", "9999999999999999999999999999",
        "18446744073709551616", "\xb2"
    };

    int64_t  n = 77;

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(reg_str_int(reg_str_from(bad[i]), INT64_MAX, &n), -1);
        assert_int_equal(n, 77);
    }

    assert_int_equal(reg_str_int(REG_STR("1\0"), INT64_MAX, &n), -1);
    assert_int_equal(reg_str_int(REG_STR("0"), 0, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(reg_str_int(REG_STR("0000000000000000000000000012"), 12,
                                 &n), 0);
    assert_int_equal(n, 12);
    assert_int_equal(reg_str_int(REG_STR("9223372036854775807"), INT64_MAX,
                                 &n), 0);
    assert_true(n == INT64_MAX);
}


static void
durations_are_written_as_go_writes_them(void **state)
{
    static const struct {
        const char  *text;
        int64_t      seconds;
    } good[] = {
        { "168h", 604800 }, { "24h", 86400 }, { "1h30m", 5400 },
        { "1.5h", 5400 }, { "90s", 90 }, { "0", 0 }, { "0s", 0 },
        { "1m", 60 }, { "500ms", 1 }, { "1us", 1 }, { "1h0m0.5s", 3601 },
        { ".5m", 30 }, { "1.m", 60 }, { "0.0000000000001h", 0 },
        { "1000000s", 1000000 },
    };
    static const char  *bad[] = {
        "", "1", "60", "h", ".h", "-1h", "+1h", "1 h", "1h ", "1H", "1d",
        "1h30", "1000001s", "277.7781h", "999999s2s", "9223372036854775807h",
        "99999999999999999999h", "1h\x01", "1..5h",
    };

    int64_t  n;

    (void) state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        n = -7;
        assert_int_equal(reg_str_duration(reg_str_from(good[i].text), 1000000,
                                          &n), 0);
        assert_int_equal(n, good[i].seconds);
    }

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        n = -7;
        assert_int_equal(reg_str_duration(reg_str_from(bad[i]), 1000000, &n),
                         -1);
        assert_int_equal(n, -7);
    }

    assert_int_equal(reg_str_duration(REG_STR("1000000000000s"),
                                      1000000000000, &n), 0);
    assert_int_equal(n, 1000000000000);
    assert_int_equal(reg_str_duration(REG_STR_NULL, 1, &n), -1);
}


static void
no_number_exceeds_its_bound_however_small_that_is(void **state)
{
    char     text[16];
    int64_t  n;

    (void) state;

    for (int64_t max = 0; max <= 130; max++) {
        for (int value = 0; value <= 140; value++) {
            (void) snprintf(text, sizeof(text), "%d", value);
            n = -7;

            if (value <= max) {
                assert_int_equal(reg_str_int(reg_str_from(text), max, &n), 0);
                assert_int_equal(n, value);
            } else {
                assert_int_equal(reg_str_int(reg_str_from(text), max, &n), -1);
                assert_int_equal(n, -7);
            }
        }
    }
}


static void
copy_is_whole_or_empty(void **state)
{
    char  dst[4] = "zzz";

    (void) state;

    assert_int_equal(reg_str_copy(dst, sizeof(dst), REG_STR("abc")), 0);
    assert_string_equal(dst, "abc");
    assert_int_equal(reg_str_copy(dst, sizeof(dst), REG_STR("abcd")), -1);
    assert_string_equal(dst, "");
    assert_int_equal(reg_str_copy(dst, sizeof(dst), REG_STR_NULL), 0);
    assert_string_equal(dst, "");
    assert_int_equal(reg_str_copy(dst, 0, REG_STR("a")), -1);
}


static void
hashes_are_of_bytes_and_their_order(void **state)
{
    (void) state;

    assert_true(reg_str_hash(REG_STR("ab")) == reg_str_hash(REG_STR("ab")));
    assert_true(reg_str_hash(REG_STR("ab")) != reg_str_hash(REG_STR("ba")));
    assert_true(reg_str_hash(REG_STR("a")) != reg_str_hash(REG_STR("a\0")));
    assert_true(reg_str_hash(REG_STR_NULL) == reg_str_hash(REG_STR("")));

    /* FNV-1a of "a" is af63dc4c8601ec8c */
    assert_true(reg_str_hash(REG_STR("a"))
                == (0xaf63dc4c8601ec8cu ^ 0xaf63dc4cu));
}


static void
hexadecimal_is_lower_case(void **state)
{
    (void) state;

    assert_true(reg_str_is_hex(REG_STR("0123456789abcdef")));
    assert_false(reg_str_is_hex(REG_STR("ABCDEF")));
    assert_false(reg_str_is_hex(REG_STR("g")));
    assert_false(reg_str_is_hex(REG_STR("0\0")));
    assert_false(reg_str_is_hex(REG_STR("/")));
    assert_false(reg_str_is_hex(REG_STR(":")));
    assert_false(reg_str_is_hex(REG_STR("`")));
}


static void
a_buffer_grows_and_keeps_what_it_has(void **state)
{
    reg_buf_t  b = REG_BUF_INIT;

    (void) state;

    reg_buf_put(&b, "", 0);
    reg_buf_putstr(&b, REG_STR_NULL);
    assert_true(reg_buf_ok(&b));
    assert_int_equal(reg_buf_str(&b).len, 0);

    for (int i = 0; i < 10000; i++) {
        reg_buf_printf(&b, "%04d", i);
    }

    reg_buf_puts(&b, "end");

    assert_true(reg_buf_ok(&b));
    assert_int_equal(b.len, 40003);
    assert_memory_equal(b.data, "00000001", 8);
    assert_memory_equal(b.data + 39996, "9999end", 7);

    reg_buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    reg_buf_free(&b);
}


static void
a_buffer_fails_for_good_at_its_limit(void **state)
{
    reg_buf_t  b = REG_BUF_INIT;

    (void) state;

    reg_buf_puts(&b, "kept");
    assert_null(reg_buf_reserve(&b, REG_BUF_MAX));
    assert_false(reg_buf_ok(&b));
    reg_buf_puts(&b, "lost");
    assert_int_equal(b.len, 4);
    assert_null(reg_buf_reserve(&b, SIZE_MAX));
    reg_buf_free(&b);

    assert_null(reg_buf_reserve(&b, SIZE_MAX));
    assert_false(reg_buf_ok(&b));
    reg_buf_free(&b);
    assert_true(reg_buf_ok(&b));
}


static void
a_buffer_never_takes_more_memory_than_its_limit(void **state)
{
    reg_buf_t  b = REG_BUF_INIT;

    (void) state;

    assert_non_null(reg_buf_reserve(&b, REG_BUF_MAX / 2 + 1));
    b.len = REG_BUF_MAX / 2 + 1;
    b.data[0] = 'x';
    assert_non_null(reg_buf_reserve(&b, 16));
    assert_true(b.size <= REG_BUF_MAX);
    reg_buf_free(&b);
}


static void
expect_json(reg_str_t in, const char *out)
{
    reg_buf_t  b = REG_BUF_INIT;

    reg_buf_json(&b, in);
    reg_buf_put(&b, "", 1);
    assert_true(reg_buf_ok(&b));
    assert_string_equal(b.data, out);
    reg_buf_free(&b);
}


static void
json_strings_are_escaped(void **state)
{
    (void) state;

    expect_json(REG_STR(""), "\"\"");
    expect_json(REG_STR_NULL, "\"\"");
    expect_json(REG_STR("a/b"), "\"a/b\"");
    expect_json(REG_STR("\"\\"), "\"\\\"\\\\\"");
    expect_json(REG_STR("\r\n\t\0\x1f\x7f"),
                "\"\\u000d\\u000a\\u0009\\u0000\\u001f\\u007f\"");
    expect_json(REG_STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3"),
                "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3\"");
}


static void
json_strings_hide_what_is_not_utf8(void **state)
{
    (void) state;

    expect_json(REG_STR("\xff"), "\"\\ufffd\"");
    expect_json(REG_STR("\xc0\x80"), "\"\\ufffd\\ufffd\"");      /* overlong */
    expect_json(REG_STR("\xe0\x80\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
    expect_json(REG_STR("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
    expect_json(REG_STR("\xf4\x90\x80\x80"),
                "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    expect_json(REG_STR("\xf5"), "\"\\ufffd\"");
    expect_json(REG_STR("\xe2\x82"), "\"\\ufffd\\ufffd\"");           /* cut */
    expect_json(REG_STR("\xc3\""), "\"\\ufffd\\\"\"");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(slices_compare_by_length_and_bytes),
        cmocka_unit_test(case_is_ignored_for_letters_only),
        cmocka_unit_test(prefixes_are_found),
        cmocka_unit_test(the_order_is_that_of_bytes),
        cmocka_unit_test(blanks_are_cut_off_both_ends),
        cmocka_unit_test(cut_splits_at_the_first_separator),
        cmocka_unit_test(numbers_are_digits_within_the_bound),
        cmocka_unit_test(durations_are_written_as_go_writes_them),
        cmocka_unit_test(no_number_exceeds_its_bound_however_small_that_is),
        cmocka_unit_test(copy_is_whole_or_empty),
        cmocka_unit_test(hashes_are_of_bytes_and_their_order),
        cmocka_unit_test(hexadecimal_is_lower_case),
        cmocka_unit_test(a_buffer_grows_and_keeps_what_it_has),
        cmocka_unit_test(a_buffer_fails_for_good_at_its_limit),
        cmocka_unit_test(a_buffer_never_takes_more_memory_than_its_limit),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(json_strings_hide_what_is_not_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
