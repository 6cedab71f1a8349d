/* reg_order: names that are replaced by one change after the other. */

#include "reg_order.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static int
add(reg_order_names_t *names, int n)
{
    char  path[32];

    (void) snprintf(path, sizeof(path), "repositories/a/%d", n);
    return reg_order_add(names, reg_str_from(path));
}


/* Whoever took them in another order would wait in a circle. */
static void
places_are_sorted_and_taken_once(void **state)
{
    reg_order_names_t  names = { 0 };

    (void) state;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(add(&names, i % 50), 0);
    }

    assert_in_range(names.n, 2, 50);

    for (size_t i = 1; i < names.n; i++) {
        assert_true(names.list[i - 1] < names.list[i]);
    }

    assert_true(names.list[names.n - 1] < REG_LOGFILE_TAGS);
}


static void
too_many_names_are_refused(void **state)
{
    reg_order_names_t  names = { 0 };
    int                n = 0;

    (void) state;

    while (n < 100 * REG_ORDER_NAMES && add(&names, n) == 0) {
        n++;
    }

    assert_int_equal(names.n, REG_ORDER_NAMES);
    assert_int_equal(add(&names, n), -1);
    assert_int_equal(add(&names, 0), 0);         /* is among them */
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(places_are_sorted_and_taken_once),
        cmocka_unit_test(too_many_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
