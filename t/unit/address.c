/* reg_address: whom X-Forwarded-… is believed (SECURITY.md S14). */

#include "reg_address.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static bool
in(const char *list, const char *address)
{
    return reg_address_in(reg_str_from(list), reg_str_from(address));
}


static void
addresses_and_networks(void **state)
{
    (void) state;

    assert_true(in("127.0.0.1 ::1", "127.0.0.1"));
    assert_true(in("127.0.0.1 ::1", "::1"));
    assert_true(in("127.0.0.1", "::ffff:127.0.0.1"));
    assert_true(in("10.0.0.0/8", "10.255.1.2"));
    assert_true(in("10.128.0.0/9", "10.128.0.1"));
    assert_true(in("fd00::/8", "fd12::1"));
    assert_true(in("0.0.0.0/0", "192.0.2.1"));
    assert_true(in("::/0", "192.0.2.1"));
    assert_true(in("10.0.0.1 unix:", "unix:"));

    assert_false(in("", "127.0.0.1"));
    assert_false(in("127.0.0.1", "127.0.0.2"));
    assert_false(in("10.128.0.0/9", "10.127.255.255"));
    assert_false(in("fd00::/8", "fe00::1"));
    assert_false(in("0.0.0.0/0", "2001:db8::1"));
    assert_false(in("0.0.0.0/0 ::/0", "unix:"));
    assert_false(in("unix:", "127.0.0.1"));
    assert_false(in("0.0.0.0/0", ""));
    assert_false(in("0.0.0.0/0", "127.0.0.1/8x"));
}


static void
what_is_no_list_is_named(void **state)
{
    static const char  *bad[] = {
        "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129",
        "1.2.3", "127.0.0.1 nobody", "10.0.0.0/8/8"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reg_error_t  err = REG_ERROR_INIT;

        assert_int_equal(reg_address_check(reg_str_from(bad[i]), &err), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(addresses_and_networks),
        cmocka_unit_test(what_is_no_list_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
