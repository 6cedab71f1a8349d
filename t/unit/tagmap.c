/* reg_tagmap: what is remembered, for how long, and what a late reader may not
 * put back. */

#include "reg_tagmap.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


#define SECOND  1000000000LL

static reg_error_t          err;
static reg_tagmap_t        *map;
static reg_tagmap_ticket_t  ticket;
static reg_digest_t         d, found;
static reg_name_t           name;
static reg_tag_t            tag;


static int
make(void **state)
{
    (void) state;

    map = reg_tagmap_create(1024 * 1024, &err);
    name = tree_name("a/b");
    tag = tree_tag("v1");
    d = tree_digest(REG_SHA256, REG_STR("one"));

    return map == NULL ? -1 : 0;
}


static int
unmake(void **state)
{
    (void) state;

    reg_tagmap_free(map);
    return 0;
}


static void
put(const reg_digest_t *digest, int64_t until)
{
    (void) reg_tagmap_get(map, &name, &tag, 0, &found, &ticket);
    reg_tagmap_put(map, &ticket, digest, until);
}


static bool
get(int64_t now)
{
    reg_tagmap_ticket_t  other;

    return reg_tagmap_get(map, &name, &tag, now, &found, &other);
}


static void
a_tag_is_remembered_until_its_time(void **state)
{
    (void) state;

    assert_false(get(0));
    put(&d, SECOND);
    assert_true(get(SECOND - 1));
    assert_true(reg_digest_eq(&found, &d));
    assert_false(get(SECOND));
}


static void
both_algorithms_come_back_as_they_went_in(void **state)
{
    (void) state;

    d = tree_digest(REG_SHA512, REG_STR("two"));
    put(&d, SECOND);
    assert_true(get(1));
    assert_string_equal(found.text, d.text);

    d = tree_digest(REG_SHA256, REG_STR("three"));
    put(&d, SECOND);
    assert_true(get(1));
    assert_string_equal(found.text, d.text);
}


static void
other_names_are_other_tags(void **state)
{
    (void) state;

    put(&d, SECOND);
    tag = tree_tag("v2");
    assert_false(get(1));
    tag = tree_tag("v1");
    name = tree_name("a/c");
    assert_false(get(1));

    /* the parts cannot be taken one for the other */
    name = tree_name("a/bv");
    tag = tree_tag("1");
    assert_false(get(1));
}


static void
what_was_dropped_does_not_come_back(void **state)
{
    (void) state;

    put(&d, SECOND);
    reg_tagmap_drop(map, &name, &tag);
    assert_false(get(1));

    /* a reader who began before the drop */
    (void) reg_tagmap_get(map, &name, &tag, 1, &found, &ticket);
    reg_tagmap_drop(map, &name, &tag);
    reg_tagmap_put(map, &ticket, &d, SECOND);
    assert_false(get(1));

    /* and before a flush */
    (void) reg_tagmap_get(map, &name, &tag, 1, &found, &ticket);
    reg_tagmap_flush(map);
    reg_tagmap_put(map, &ticket, &d, SECOND);
    assert_false(get(1));

    put(&d, SECOND);
    assert_true(get(1));
    reg_tagmap_flush(map);
    assert_false(get(1));
}


static void
memory_is_bounded_and_what_ends_first_goes(void **state)
{
    char    text[16];
    size_t  n = 0, kept = 0;

    (void) state;

    for (int i = 0; i < 100000; i++) {
        (void) snprintf(text, sizeof(text), "t%d", i);
        tag = tree_tag(text);
        put(&d, SECOND + i);
    }

    for (int i = 0; i < 100000; i++) {
        (void) snprintf(text, sizeof(text), "t%d", i);
        tag = tree_tag(text);

        if (get(1)) {
            n++;
            kept += i >= 99000;
        }
    }

    assert_true(n > 8000 && n * 97 <= 1024 * 1024);
    assert_true(kept > 990);

    /* what is void makes room first */
    reg_tagmap_flush(map);
    tag = tree_tag("new");
    put(&d, 1000);
    assert_true(get(1));
}


static void
no_memory_keeps_nothing(void **state)
{
    (void) state;

    reg_tagmap_free(map);
    map = reg_tagmap_create(100, &err);
    assert_non_null(map);
    put(&d, SECOND);
    assert_false(get(1));
    reg_tagmap_drop(map, &name, &tag);
    reg_tagmap_flush(map);
}


#define TEST(f)  cmocka_unit_test_setup_teardown(f, make, unmake)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(a_tag_is_remembered_until_its_time),
        TEST(both_algorithms_come_back_as_they_went_in),
        TEST(other_names_are_other_tags),
        TEST(what_was_dropped_does_not_come_back),
        TEST(memory_is_bounded_and_what_ends_first_goes),
        TEST(no_memory_keeps_nothing),
    };

    return cmocka_run_group_tests_name("tagmap", tests, NULL, NULL);
}
