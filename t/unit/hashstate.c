/* reg_hashstate: the best state is taken, whatever else lies there, and the
 * rest is read. */

#include "reg_hashstate.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


#define DATA  "0123456789"


static reg_error_t  err;
static reg_path_t   dir;                 /* of a session */


static int
renew(void **state)
{
    const reg_name_t  name = tree_name("a/b");

    err = (reg_error_t) REG_ERROR_INIT;

    if (tree_renew(state) == -1) {
        return -1;
    }

    reg_layout_upload(&dir, &tree_store.v2, &name,
                      "01234567-89ab-4cde-8f01-23456789abcd");

    return 0;
}


/* The state after the first bytes of DATA. */
static reg_hash_t
after(reg_alg_t alg, size_t n)
{
    reg_hash_t  h;

    reg_hash_init(&h, alg);
    reg_hash_update(&h, DATA, n);

    return h;
}


static void
save(reg_alg_t alg, size_t n)
{
    const reg_hash_t  h = after(alg, n);

    assert_int_equal(reg_hashstate_save(&tree_store, &dir, &h, &err), 0);
}


static char *
path_of(const char *name)
{
    static reg_path_t  path;

    path = dir;
    reg_path_add(&path, "hashstates");
    reg_path_add(&path, name);

    return path.text;
}


static void
is_digest_of(const reg_hash_t *h, size_t n)
{
    const reg_hash_t  want = after(h->alg, n);
    reg_digest_t      a, b;

    assert_int_equal(reg_hash_length(h), n);
    reg_hash_digest(h, &a);
    reg_hash_digest(&want, &b);
    assert_string_equal(a.text, b.text);
}


static void
nothing_saved_is_nothing_hashed(void **state)
{
    reg_hash_t  h;

    (void) state;

    assert_false(reg_hashstate_best(&h, &dir, REG_SHA256, 10));
    is_digest_of(&h, 0);
}


static void
the_one_that_covers_most_is_taken(void **state)
{
    reg_hash_t  h;

    (void) state;

    save(REG_SHA256, 3);
    save(REG_SHA256, 7);
    save(REG_SHA256, 5);
    save(REG_SHA512, 9);

    assert_true(reg_hashstate_best(&h, &dir, REG_SHA256, 10));
    is_digest_of(&h, 7);

    /* but none that covers more than there is */
    assert_true(reg_hashstate_best(&h, &dir, REG_SHA256, 6));
    is_digest_of(&h, 5);
    assert_true(reg_hashstate_best(&h, &dir, REG_SHA256, 2));
    is_digest_of(&h, 0);

    assert_true(reg_hashstate_best(&h, &dir, REG_SHA512, 10));
    is_digest_of(&h, 9);
}


static void
what_is_no_state_is_passed_over(void **state)
{
    unsigned char  bytes[REG_HASH_STATE_MAX];
    reg_hash_t     h = after(REG_SHA256, 4);
    size_t         len = reg_hash_export(&h, bytes);

    (void) state;

    save(REG_SHA256, 3);

    /* not of the offset that it is named by, cut, of no number, of the other
     * algorithm, empty, a directory, a link */
    assert_int_equal(tree_write(path_of("sha256/6"), bytes, len), 0);
    assert_int_equal(tree_write(path_of("sha256/4"), bytes, len - 1), 0);
    assert_int_equal(tree_write(path_of("sha256/04x"), bytes, len), 0);
    h = after(REG_SHA512, 8);
    len = reg_hash_export(&h, bytes);
    assert_int_equal(tree_write(path_of("sha256/8"), bytes, len), 0);
    assert_int_equal(tree_write(path_of("sha256/7"), "", 0), 0);
    assert_int_equal(mkdir(path_of("sha256/9"), 0755), 0);
    assert_int_equal(symlink("3", path_of("sha256/10")), 0);

    assert_true(reg_hashstate_best(&h, &dir, REG_SHA256, 10));
    is_digest_of(&h, 3);
}


static void
the_older_one_goes_and_then_all(void **state)
{
    reg_hash_t  h;

    (void) state;

    save(REG_SHA256, 3);
    save(REG_SHA256, 7);
    reg_hashstate_remove(&tree_store, &dir, REG_SHA256, 7);
    assert_true(reg_hashstate_best(&h, &dir, REG_SHA256, 10));
    is_digest_of(&h, 3);

    /* one that is not there is gone */
    reg_hashstate_remove(&tree_store, &dir, REG_SHA256, 7);

    reg_hashstate_discard(&dir);
    assert_false(reg_hashstate_best(&h, &dir, REG_SHA256, 10));
    assert_true(tree_has(dir.text));
}


static void
what_a_state_lacks_is_read(void **state)
{
    reg_path_t  data = dir;
    reg_hash_t  h;
    int         fd;

    (void) state;

    reg_path_add(&data, "data");
    assert_int_equal(tree_write(data.text, DATA, 10), 0);
    fd = open(data.text, O_RDONLY);
    assert_int_not_equal(fd, -1);

    for (size_t n = 0; n <= 10; n++) {
        h = after(REG_SHA256, n);
        assert_int_equal(reg_hashstate_cover(&h, fd, 10, &dir, &err), 0);
        is_digest_of(&h, 10);
    }

    /* no more than was asked for */
    h = after(REG_SHA512, 2);
    assert_int_equal(reg_hashstate_cover(&h, fd, 6, &dir, &err), 0);
    is_digest_of(&h, 6);

    /* a file that has become shorter */
    assert_int_equal(reg_hashstate_cover(&h, fd, 11, &dir, &err), -1);
    assert_int_equal(err.sys, EIO);
    (void) close(fd);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(nothing_saved_is_nothing_hashed, renew),
        cmocka_unit_test_setup(the_one_that_covers_most_is_taken, renew),
        cmocka_unit_test_setup(what_is_no_state_is_passed_over, renew),
        cmocka_unit_test_setup(the_older_one_goes_and_then_all, renew),
        cmocka_unit_test_setup(what_a_state_lacks_is_read, renew),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
