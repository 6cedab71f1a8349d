/* reg_range: the Content-Range of a chunk (SECURITY.md S6, S8). */

#include "reg_range.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static reg_range_t  range;


static reg_error_code_t
parse(const char *s, int64_t length)
{
    reg_error_t  err = REG_ERROR_INIT;
    int          rc = reg_range_parse(&range, reg_str_from(s), length, &err);

    assert_int_equal(rc, err.code == REG_OK ? 0 : -1);
    return err.code;
}


static void
both_forms_are_understood(void **state)
{
    (void) state;

    assert_int_equal(parse("0-0", 1), REG_OK);
    assert_int_equal(range.first, 0);
    assert_int_equal(range.last, 0);

    assert_int_equal(parse("10-19", 10), REG_OK);
    assert_int_equal(range.first, 10);
    assert_int_equal(range.last, 19);

    assert_int_equal(parse("bytes 10-19/100", 10), REG_OK);
    assert_int_equal(range.first, 10);
    assert_int_equal(range.last, 19);

    assert_int_equal(parse("bytes 10-19/*", 10), REG_OK);
    assert_int_equal(parse("bytes=10-19", 10), REG_OK);
    assert_int_equal(parse(" 10-19\t", 10), REG_OK);
}


static void
an_unknown_length_is_not_compared(void **state)
{
    (void) state;

    assert_int_equal(parse("10-19", -1), REG_OK);
}


static void
what_is_malformed_is_refused(void **state)
{
    static const char  *bad[] = {
        "", "-", "0-", "-0", "-5", "5", "a-b", "0-1-2", "0--1", "+0-1",
        "0-+1", "0 - 1", "0x0-0x1", "bytes", "bytes ", "bytes 0-",
        "bytes */10", "bytes 0-1 2", "0-1,3-4", "1e1-20", "0.0-1", "0-1\r\nX:",
        "\xff-1", "octets 0-1", "bytes  0-1"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i], -1), REG_RANGE_INVALID);
    }

    reg_error_t  err = REG_ERROR_INIT;

    assert_int_equal(reg_range_parse(&range, REG_STR("0-1\0"), -1, &err), -1);
}


static void
what_ends_before_it_starts_is_refused(void **state)
{
    (void) state;

    assert_int_equal(parse("1-0", -1), REG_RANGE_INVALID);
    assert_int_equal(parse("1-0", 0), REG_RANGE_INVALID);
    assert_int_equal(parse("100-99", 0), REG_RANGE_INVALID);
}


static void
what_overflows_is_refused(void **state)
{
    (void) state;

    assert_int_equal(parse("0-9223372036854775807", -1), REG_RANGE_INVALID);
    assert_int_equal(parse("0-9223372036854775808", -1), REG_RANGE_INVALID);
    assert_int_equal(parse("9223372036854775807-9223372036854775807", -1),
                     REG_RANGE_INVALID);
    assert_int_equal(parse("0-18446744073709551615", 0), REG_RANGE_INVALID);
    assert_int_equal(parse("18446744073709551616-18446744073709551617", 2),
                     REG_RANGE_INVALID);
    assert_int_equal(parse("0-9223372036854775806", INT64_MAX), REG_OK);
}


static void
a_length_that_differs_is_a_wrong_size(void **state)
{
    (void) state;

    assert_int_equal(parse("0-9", 9), REG_SIZE_INVALID);
    assert_int_equal(parse("0-9", 11), REG_SIZE_INVALID);
    assert_int_equal(parse("0-0", 0), REG_SIZE_INVALID);
}


/* RFC 9110, 14.4: a complete length has to be greater than the last byte's
 * position, and such a field must not be used */
static void
a_whole_that_ends_before_its_part_is_refused(void **state)
{
    (void) state;

    assert_int_equal(parse("bytes 10-19/20", 10), REG_OK);
    assert_int_equal(parse("bytes 10-19/19", 10), REG_RANGE_INVALID);
    assert_int_equal(parse("bytes 10-19/0", 10), REG_RANGE_INVALID);
    assert_int_equal(parse("bytes 10-19/", 10), REG_RANGE_INVALID);
    assert_int_equal(parse("bytes 10-19/x", 10), REG_RANGE_INVALID);
    assert_int_equal(parse("bytes 10-19/20/30", 10), REG_RANGE_INVALID);
    assert_int_equal(parse("bytes 10-19/**", 10), REG_RANGE_INVALID);
    assert_int_equal(parse("bytes 0-1/99999999999999999999", 2),
                     REG_RANGE_INVALID);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(both_forms_are_understood),
        cmocka_unit_test(an_unknown_length_is_not_compared),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(what_ends_before_it_starts_is_refused),
        cmocka_unit_test(what_overflows_is_refused),
        cmocka_unit_test(a_length_that_differs_is_a_wrong_size),
        cmocka_unit_test(a_whole_that_ends_before_its_part_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
