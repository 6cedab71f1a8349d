/* reg_lru: the order is that of use, whatever comes, goes, or is used again. */

#include "reg_lru.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>


#define THINGS  6


typedef struct {
    reg_lru_node_t  lru;
    char            name;
} thing_t;

static reg_lru_t  all;
static thing_t    things[THINGS];       /* "a", "b", … */


static int
renew(void **state)
{
    (void) state;
    all = (reg_lru_t) REG_LRU_INIT;

    for (int i = 0; i < THINGS; i++) {
        things[i] = (thing_t) { .name = (char) ('a' + i) };
    }

    return 0;
}


static void
add(char name)
{
    reg_lru_add(&all, &things[name - 'a'].lru);
}


static void
use(char name)
{
    reg_lru_use(&all, &things[name - 'a'].lru);
}


static void
take_out(char name)
{
    reg_lru_remove(&all, &things[name - 'a'].lru);
}


/* From the newest on, and the same from the other end. */
static void
expect(const char *names)
{
    size_t                 n = strlen(names), i = 0;
    const reg_lru_node_t  *node;

    for (node = all.newest; node != NULL; node = node->older) {
        assert_true(i < n);
        assert_int_equal(((const thing_t *) (const void *) node)->name,
                         names[i++]);
    }

    assert_int_equal(i, n);

    for (node = all.oldest; node != NULL; node = node->newer) {
        assert_true(i > 0);
        assert_int_equal(((const thing_t *) (const void *) node)->name,
                         names[--i]);
    }

    assert_int_equal(i, 0);
}


static void
what_comes_is_the_newest(void **state)
{
    (void) state;

    expect("");
    add('a');
    expect("a");
    add('b');
    add('c');
    expect("cba");
}


static void
what_is_used_is_the_newest_again(void **state)
{
    (void) state;

    for (char c = 'a'; c <= 'd'; c++) {
        add(c);
    }

    use('d');
    expect("dcba");
    use('a');
    expect("adcb");
    use('c');
    expect("cadb");
    take_out('c');
    take_out('a');
    take_out('b');
    use('d');
    expect("d");
}


static void
what_goes_leaves_the_others_in_order(void **state)
{
    (void) state;

    for (char c = 'a'; c <= 'f'; c++) {
        add(c);
    }

    take_out('c');
    expect("fedba");
    take_out('a');
    expect("fedb");
    take_out('f');
    expect("edb");
    add('a');
    expect("aedb");

    while (all.oldest != NULL) {
        reg_lru_remove(&all, all.oldest);
    }

    expect("");
    add('b');
    expect("b");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(what_comes_is_the_newest, renew),
        cmocka_unit_test_setup(what_is_used_is_the_newest_again, renew),
        cmocka_unit_test_setup(what_goes_leaves_the_others_in_order, renew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
