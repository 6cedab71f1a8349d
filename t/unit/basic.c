/* reg_basic: a name and a password, as a header has them. */

#include "reg_basic.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static void
a_pair_is_taken_apart(void **state)
{
    static const struct {
        const char  *value, *user, *password;
    } rows[] = {
        { "YWxpY2U6c2VjcmV0", "alice", "secret" },
        { "YTpi", "a", "b" },
        { "YTpiYw==", "a", "bc" },
        { "YTpiY2Q=", "a", "bcd" },
        { "YTpiOmM=", "a", "b:c" },         /* the first colon counts */
        { "Og==", "", "" },
        { "OmI=", "", "b" },
        { "YTo=", "a", "" },
        { "w6Q6w7Y=", "\303\244", "\303\266" },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reg_basic_t  basic;

        assert_int_equal(reg_basic_parse(&basic,
                                         reg_str_from(rows[i].value)), 0);
        assert_true(reg_str_eq(basic.user, reg_str_from(rows[i].user)));
        assert_true(reg_str_eq(basic.password,
                               reg_str_from(rows[i].password)));
        reg_basic_wipe(&basic);
    }
}


static void
what_is_no_pair_is_refused(void **state)
{
    static const char  *const  wrong[] = {
        "", "=", "====", "YTpi=", "YTp", "YTpiY", "YWxpY2U=",   /* no colon */
        " YTpi", "YTpi ", "YTpi\n", "YT pi", "YTp_", "YTp-", "Y=pi", "\t\t\t\t",
        "\303\244YT",
    };

    (void) state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        reg_basic_t  basic;

        assert_int_equal(reg_basic_parse(&basic, reg_str_from(wrong[i])), -1);
        reg_basic_wipe(&basic);
    }
}


static void
only_so_much_is_looked_at(void **state)
{
    char         value[(REG_BASIC_MAX / 3 + 2) * 4];
    size_t       most = REG_BASIC_MAX / 3 * 4;
    reg_basic_t  basic;

    (void) state;

    memset(value, 'A', sizeof(value));
    memcpy(value, "YTpi", 4);
    assert_int_equal(reg_basic_parse(&basic, (reg_str_t) { most, value }), 0);
    assert_int_equal(basic.password.len, most / 4 * 3 - 2);
    assert_int_equal(reg_basic_parse(&basic, (reg_str_t) { most + 4, value }),
                     -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_pair_is_taken_apart),
        cmocka_unit_test(what_is_no_pair_is_refused),
        cmocka_unit_test(only_so_much_is_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
