/* reg_fence: whatever changes the file is seen, and nothing else is. */

#include "reg_fence.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


static reg_error_t  err;


static uint64_t
look(void)
{
    uint64_t  fence;

    assert_int_equal(reg_fence_read(&tree_store, &fence, &err), 0);
    return fence;
}


static void
each_raise_is_another(void **state)
{
    uint64_t  last = look(), now;

    (void) state;
    assert_true(look() == last);

    for (int i = 0; i < 100; i++) {
        assert_int_equal(reg_fence_raise(&tree_store, &err), 0);
        now = look();
        assert_true(now != last);
        assert_true(look() == now);
        last = now;
    }
}


static void
half_of_a_change_is_a_change(void **state)
{
    reg_path_t  path;
    uint64_t    last;

    (void) state;

    reg_layout_fence(&path, &tree_store.v2);
    assert_int_equal(reg_fence_raise(&tree_store, &err), 0);
    last = look();
    assert_int_equal(tree_write(path.text, "0123", 4), 0);
    assert_true(look() != last);
    last = look();
    assert_int_equal(tree_write(path.text, "", 0), 0);
    assert_true(look() != last);
}


static void
what_is_no_file_cannot_be_relied_on(void **state)
{
    reg_path_t  path;
    uint64_t    fence;

    (void) state;

    reg_layout_fence(&path, &tree_store.v2);
    assert_int_equal(symlink("/etc/passwd", path.text), 0);
    assert_int_equal(reg_fence_read(&tree_store, &fence, &err), -1);

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_fence_raise(&tree_store, &err), -1);
}


#define TEST(f)  cmocka_unit_test_setup(f, tree_renew)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(each_raise_is_another),
        TEST(half_of_a_change_is_a_change),
        TEST(what_is_no_file_cannot_be_relied_on),
    };

    return cmocka_run_group_tests_name("fence", tests, tree_setup,
                                       tree_teardown);
}
