/* reg_referrers: which manifests of a repository have a given subject. */

#include "reg_referrers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "tree.h"


#define BODY  "{\"subject\":1}"


static reg_error_t   err;
static reg_name_t    name;
static reg_digest_t  subject, digest;
static int           seen;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


/* A manifest and its line in the list of its subject. */
static int
renew(void **state)
{
    int             rc = tree_renew(state);
    reg_referrer_t  ref = { .line = REG_BUF_INIT };

    no_error();
    name = tree_name("a/b");
    subject = tree_digest(REG_SHA256, REG_STR("{}"));
    digest = tree_digest(REG_SHA256, REG_STR(BODY));

    if (rc == 0
        && reg_referrer_format(&ref, &digest, REG_STR("a/type"),
                               REG_STR("{}"), &err) == 0)
    {
        rc = reg_referrers_add(&tree_store, &name, &subject, &ref, 1, &err);
    }

    reg_buf_free(&ref.line);

    return rc == 1 ? tree_push(&name, &digest, REG_STR(BODY), NULL, 0, &err)
                   : -1;
}


static int
count(void *ctx, const reg_referrers_item_t *referrer)
{
    (void) ctx;

    assert_true(reg_str_eq(referrer->digest, reg_digest_str(&digest)));
    seen++;

    return 0;
}


static int
list(void)
{
    no_error();
    seen = 0;

    return reg_referrers_list(&tree_store, &name, &subject, REG_STR_NULL,
                              count, NULL, &err);
}


static int
clean(void)
{
    no_error();

    return reg_referrers_clean(&tree_store, &name, &subject,
                               time(NULL) + 3600, &err);
}


static void
a_line_goes_after_its_manifest(void **state)
{
    (void) state;

    assert_int_equal(clean(), 0);
    assert_int_equal(list(), 0);
    assert_int_equal(seen, 1);

    no_error();
    assert_int_equal(reg_revision_delete(&tree_store, &name, &digest, NULL,
                                         &err), 0);
    assert_int_equal(list(), 0);
    assert_int_equal(seen, 0);
    assert_int_equal(clean(), 1);
    assert_int_equal(clean(), 0);
}


/* Without descriptors no manifest can be looked for; that is not to say that
 * there is none. */
static void
what_cannot_be_looked_at_stays(void **state)
{
    int  rc, n;

    (void) state;

    for (n = 0, rc = -1; rc == -1; n++) {
        assert_int_equal(tree_leave_descriptors(n), 0);
        rc = clean();
        assert_int_equal(tree_leave_descriptors(-1), 0);
        assert_int_equal(rc, rc == -1 && err.sys == EMFILE ? -1 : 0);
        assert_int_equal(list(), 0);
        assert_int_equal(seen, 1);
    }

    assert_true(n > 1);

    for (n = 0, rc = -1; rc == -1; n++) {
        assert_int_equal(tree_leave_descriptors(n), 0);
        rc = list();
        assert_int_equal(tree_leave_descriptors(-1), 0);
        assert_int_equal(seen, rc == 0);
    }
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_line_goes_after_its_manifest),
        TEST(what_cannot_be_looked_at_stays),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
