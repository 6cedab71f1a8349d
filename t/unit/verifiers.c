/* reg_verifiers: what a configuration says that credentials are verified by. */

#include "reg_verifiers.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_password.h"
#include "tree.h"


#define NOW  1767225600


static reg_error_t      err;
static reg_config_t     config;
static reg_verifiers_t  v;
static char             hash[256];       /* of "one" */


static int
setup(void **state)
{
    return tree_setup(state) == 0
           ? reg_password_hash(hash, REG_STR("one"), 8, &err) : -1;
}


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    v = (reg_verifiers_t) { .config = NULL };
    reg_config_init(&config);
    (void) snprintf(config.state, sizeof(config.state), "%s/state", tree_root);

    return tree_renew(state);
}


static int
leave(void **state)
{
    (void) state;

    reg_verifiers_close(&v);
    reg_config_free(&config);

    return 0;
}


/* Names a file of accounts, in which these are. */
static void
have_accounts(const char *who)
{
    char  text[300];
    int   n = snprintf(text, sizeof(text), "%s:%s\n", who, hash);

    (void) snprintf(config.htpasswd_path, sizeof(config.htpasswd_path),
                    "%s/htpasswd", tree_root);
    assert_int_equal(tree_write(config.htpasswd_path, text, (size_t) n), 0);
}


/* What an operator reads begins with the key. */
static void
is_told_of(const char *key)
{
    assert_int_equal(reg_verifiers_check(&config, &err), -1);
    assert_memory_equal(err.message, key, strlen(key));
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_verifiers_open(&v, &config, &err), -1);
    assert_memory_equal(err.message, key, strlen(key));
}


static int
verify(const char *user, const char *password)
{
    int           rc;
    reg_login_t  *login;

    rc = reg_verifiers_password(&v, &(reg_verifiers_ask_t) {
                                    reg_str_from(user),
                                    reg_str_from(password), NOW },
                                &login, &err);
    assert_int_equal(login != NULL, rc == 1);
    reg_login_release(login);

    return rc;
}


static void
nothing_is_configured(void **state)
{
    uint64_t  age;
    char      line[200];

    (void) state;

    assert_int_equal(reg_verifiers_check(&config, &err), 0);
    assert_int_equal(reg_verifiers_open(&v, &config, &err), 0);
    assert_null(v.users);
    assert_null(v.robots);
    assert_null(v.keys);
    assert_null(v.trust);

    age = reg_verifiers_age(&v);
    assert_int_equal(reg_verifiers_age(&v), age);
    assert_int_equal(reg_verifiers_message(&v, line, sizeof(line)), 0);
}


static void
a_file_that_is_wrong_is_told_by_its_key(void **state)
{
    (void) state;

    (void) snprintf(config.htpasswd_path, sizeof(config.htpasswd_path),
                    "%s/absent", tree_root);
    is_told_of("auth.htpasswd.path: ");
    reg_verifiers_close(&v);

    config.htpasswd_path[0] = '\0';
    (void) snprintf(config.token_issuer, sizeof(config.token_issuer), "them");
    (void) snprintf(config.token_jwks, sizeof(config.token_jwks),
                    "%s/absent", tree_root);
    is_told_of("auth.token: ");
}


static void
keys_are_made_by_who_opens(void **state)
{
    (void) state;

    config.tokens_enabled = true;
    assert_int_equal(reg_verifiers_check(&config, &err), 0);
    assert_false(tree_has(config.state));

    assert_int_equal(reg_verifiers_open(&v, &config, &err), 0);
    assert_non_null(v.keys);
    assert_true(tree_has(config.state));
}


static void
passwords(void **state)
{
    (void) state;

    have_accounts("alice");
    assert_int_equal(reg_verifiers_open(&v, &config, &err), 0);
    assert_int_equal(verify("alice", "one"), 1);
    assert_int_equal(verify("alice", "two"), 0);
    assert_int_equal(verify("bob", "one"), 0);
    assert_int_equal(verify("robot$alice", "one"), 0);
    assert_int_equal(verify("", ""), 0);
}


static void
another_file_is_another_age(void **state)
{
    uint64_t  age;

    (void) state;

    have_accounts("alice");
    assert_int_equal(reg_verifiers_open(&v, &config, &err), 0);
    age = reg_verifiers_age(&v);
    assert_int_equal(reg_verifiers_age(&v), age);

    have_accounts("alice_and_others");
    assert_int_not_equal(reg_verifiers_age(&v), age);
    assert_int_equal(verify("alice", "one"), 0);
    assert_int_equal(verify("alice_and_others", "one"), 1);
}


static void
what_is_odd_is_said(void **state)
{
    char  line[300];

    (void) state;

    have_accounts("robot$x");
    assert_int_equal(reg_verifiers_open(&v, &config, &err), 0);
    assert_int_equal(reg_verifiers_message(&v, line, sizeof(line)), 1);
    assert_non_null(strstr(line, "htpasswd"));
    assert_int_equal(reg_verifiers_message(&v, line, sizeof(line)), 0);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, renew, leave)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(nothing_is_configured),
        TEST(a_file_that_is_wrong_is_told_by_its_key),
        TEST(keys_are_made_by_who_opens),
        TEST(passwords),
        TEST(another_file_is_another_age),
        TEST(what_is_odd_is_said),
    };

    return cmocka_run_group_tests(tests, setup, tree_teardown);
}
