/* reg_scope, reg_identity: what is asked and carried, and names of users
 * (SECURITY.md S11, S12). */

#include "reg_identity.h"
#include "reg_scope.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static reg_name_t
name_of(const char *text)
{
    reg_name_t  name;

    assert_int_equal(reg_name_parse(&name, reg_str_from(text)), 0);

    return name;
}


static void
a_scope_is_read_and_written(void **state)
{
    static const struct {
        const char     *text;
        const char     *again;
        reg_actions_t   actions;
    } good[] = {
        { "repository:a:pull", "repository:a:pull", REG_ACTION_PULL },
        { "repository:a/b:push,pull", "repository:a/b:pull,push",
          REG_ACTION_PULL | REG_ACTION_PUSH },
        { "repository:a:*", "repository:a:pull,push,delete",
          REG_ACTIONS_REPOSITORY },
        { "repository(plugin):a:pull", "repository:a:pull", REG_ACTION_PULL },
        { "repository:a:fly,pull", "repository:a:pull", REG_ACTION_PULL },
        { "repository:a:", "repository:a:", 0 },
        { "repository:a:catalog,admin", "repository:a:", 0 },
        { "registry:catalog:*", "registry:catalog:*", REG_ACTION_CATALOG },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        reg_scope_t  scope;
        reg_buf_t    out = REG_BUF_INIT;

        assert_int_equal(reg_scope_parse(&scope, reg_str_from(good[i].text)),
                         0);
        assert_int_equal(scope.actions, good[i].actions);

        reg_scope_format(&out, &scope);
        assert_true(reg_str_eq(reg_buf_str(&out),
                               reg_str_from(good[i].again)));
        reg_buf_free(&out);
    }
}


static void
what_is_no_scope_is_refused(void **state)
{
    static const char  *bad[] = {
        "", ":", "::", "repository", "repository:a", "repository::pull",
        "repository:A:pull", "repository:../a:pull", "repository:a/*:pull",
        "registry:x:*", "registry:catalog:", "user:a:pull", "a:b:c:d"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reg_scope_t  scope;

        assert_int_equal(reg_scope_parse(&scope, reg_str_from(bad[i])), -1);
    }
}


static void
grants_are_literal_and_add_up(void **state)
{
    reg_grants_t  grants = REG_GRANTS_INIT;
    reg_error_t   err = REG_ERROR_INIT;
    reg_name_t    a = name_of("a"), ab = name_of("a/b"), abc = name_of("a/b/c");

    (void) state;

    assert_int_equal(reg_grants_parse(&grants, REG_STR("repository:a/b:pull"
                     " junk  registry:catalog:* repository:a/b:push"), &err),
                     0);
    assert_int_equal(grants.n, 2);
    assert_int_equal(reg_grants_allow(&grants, &ab),
                     REG_ACTION_PULL | REG_ACTION_PUSH);
    assert_int_equal(reg_grants_allow(&grants, &a), 0);
    assert_int_equal(reg_grants_allow(&grants, &abc), 0);
    assert_int_equal(reg_grants_allow(&grants, NULL), REG_ACTION_CATALOG);

    reg_grants_free(&grants);
    assert_int_equal(reg_grants_allow(&grants, &ab), 0);
}


static void
grants_are_bounded(void **state)
{
    reg_grants_t  grants = REG_GRANTS_INIT;
    reg_error_t   err = REG_ERROR_INIT;
    reg_scope_t   scope;
    char          text[64];

    (void) state;

    for (int i = 0; i < REG_GRANTS_MAX; i++) {
        snprintf(text, sizeof(text), "repository:a%d:pull", i);
        assert_int_equal(reg_scope_parse(&scope, reg_str_from(text)), 0);
        assert_int_equal(reg_grants_add(&grants, &scope, &err), 0);
    }

    /* what is there already needs no place */
    assert_int_equal(reg_grants_add(&grants, &scope, &err), 0);
    assert_int_equal(reg_grants_parse(&grants, REG_STR("repository:z:pull"),
                                      &err), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);

    reg_grants_free(&grants);
}


static void
names_of_users(void **state)
{
    static const char  *good[] = {
        "a", "alice", "robot$ci", "Alice Smith", "j\xc3\xb6rg",
        "alice@example.org", "\xf0\x9f\x90\xb3"
    };
    static const char  *bad[] = {
        "", "a:b", "a\nb", "\x01", "a\x7f", " a", "a ", "\xff", "\xc0\xaf",
        "\xed\xa0\x80", "\xc3", "\xc2\x85", "\xf4\x90\x80\x80"
    };

    char  text[REG_USER_MAX + 2];

    (void) state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(reg_user_valid(reg_str_from(good[i])));
    }

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(reg_user_valid(reg_str_from(bad[i])));
    }

    assert_false(reg_user_valid(REG_STR("a\0b")));

    memset(text, 'a', sizeof(text));
    assert_true(reg_user_valid((reg_str_t) { REG_USER_MAX, text }));
    assert_false(reg_user_valid((reg_str_t) { REG_USER_MAX + 1, text }));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_scope_is_read_and_written),
        cmocka_unit_test(what_is_no_scope_is_refused),
        cmocka_unit_test(grants_are_literal_and_add_up),
        cmocka_unit_test(grants_are_bounded),
        cmocka_unit_test(names_of_users),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
