/* reg_bearer: who a token is for, as long as that is somebody, and what it is
 * good for (SECURITY.md S12). */

#include "reg_bearer.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_password.h"
#include "reg_robots_edit.h"
#include "tree.h"


#define NOW       1767225600
#define LIFETIME  300


static reg_error_t       err;
static reg_config_t      config;
static reg_verifiers_t   verifiers;
static reg_keys_t       *theirs;         /* another issuer's keys */
static reg_grants_t      grants;
static reg_login_t      *login;
static char              htpasswd[300], robots[300], jwks[300];
static char              hash[2][256];   /* of passwords of alice */


static int
setup(void **state)
{
    return tree_setup(state) == 0
           && reg_password_hash(hash[0], REG_STR("one"), 8, &err) == 0
           && reg_password_hash(hash[1], REG_STR("two"), 8, &err) == 0
           ? 0 : -1;
}


/* The file of accounts: somebody else, and alice with that password. */
static int
put_accounts(const char *password)
{
    reg_buf_t  text = REG_BUF_INIT;
    int        rc;

    reg_buf_printf(&text, "bob:%s\n", hash[0]);

    if (password != NULL) {
        reg_buf_printf(&text, "alice:%s\n", password);
    }

    rc = tree_write(htpasswd, text.data, text.len);
    reg_buf_free(&text);

    return rc;
}


static int
open_theirs(void)
{
    char       dir[300];
    reg_buf_t  text = REG_BUF_INIT;
    int        rc = -1;

    const reg_trust_sources_t  sources = { "", jwks, "" };

    (void) snprintf(dir, sizeof(dir), "%s/theirs", tree_root);

    if (reg_keys_open(&theirs, dir, REG_JWK_ES256, &err) == 0
        && reg_keys_publish(theirs, &text, &err) == 0
        && tree_write(jwks, text.data, text.len) == 0)
    {
        rc = reg_trust_open(&verifiers.trust, &sources, &err);
    }

    reg_buf_free(&text);

    return rc;
}


static int
renew(void **state)
{
    char               dir[300];
    const reg_scope_t  scope = {
        .kind = REG_SCOPE_REPOSITORY, .name = tree_name("a/b"),
        .actions = REG_ACTION_PULL
    };

    err = (reg_error_t) REG_ERROR_INIT;
    grants = (reg_grants_t) REG_GRANTS_INIT;
    login = NULL;
    theirs = NULL;
    reg_config_init(&config);
    config.tokens_lifetime = LIFETIME;
    (void) snprintf(config.token_issuer, sizeof(config.token_issuer), "them");
    (void) snprintf(config.token_service, sizeof(config.token_service), "us");
    verifiers = (reg_verifiers_t) { .config = &config };

    (void) snprintf(dir, sizeof(dir), "%s/state", tree_root);
    (void) snprintf(htpasswd, sizeof(htpasswd), "%s/htpasswd", tree_root);
    (void) snprintf(robots, sizeof(robots), "%s/robots.json", tree_root);
    (void) snprintf(jwks, sizeof(jwks), "%s/jwks.json", tree_root);

    return tree_renew(state) == 0 && put_accounts(hash[0]) == 0
           && reg_grants_add(&grants, &scope, &err) == 0
           && reg_users_open(&verifiers.users, htpasswd, &err) == 0
           && reg_robots_open(&verifiers.robots, robots, &err) == 0
           && reg_keys_open(&verifiers.keys, dir, REG_JWK_ES256, &err) == 0
           ? open_theirs() : -1;
}


static int
leave(void **state)
{
    (void) state;

    reg_login_release(login);
    reg_grants_free(&grants);
    reg_keys_close(theirs);
    reg_verifiers_close(&verifiers);
    reg_config_free(&config);

    return 0;
}


/* A token of ours for whoever this is; the caller frees it. */
static reg_buf_t
issue(const reg_login_t *of, reg_bearer_use_t use)
{
    reg_buf_t               token = REG_BUF_INIT;
    const reg_bearer_new_t  new = {
        of, use == REG_BEARER_REFRESH ? NULL : &grants, NOW
    };

    assert_int_equal(reg_bearer_issue(&verifiers, &new, &token, &err), 0);
    assert_true(reg_buf_ok(&token));

    return token;
}


static int
show(const reg_buf_t *token, reg_bearer_use_t use, time_t now)
{
    reg_login_release(login);
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_bearer_login(&verifiers, &(reg_bearer_ask_t) {
                                reg_buf_str(token), use, now }, &login, &err);
}


/* It is no good, and why is said. */
static void
refused(const reg_buf_t *token, reg_bearer_use_t use, time_t now)
{
    assert_int_equal(show(token, use, now), 0);
    assert_null(login);
    assert_int_equal(err.code, REG_UNAUTHORIZED);
    assert_int_not_equal(err.message[0], '\0');
}


static reg_login_t *
alice(void)
{
    reg_login_t  *one = reg_login_create(REG_WHO_USER, REG_STR("alice"), &err);

    assert_non_null(one);
    assert_true(reg_users_has(verifiers.users, REG_STR("alice"), one->print));

    return one;
}


static void
an_account_is_who_it_was_given_to(void **state)
{
    reg_login_t  *one = alice();
    reg_buf_t     token = issue(one, REG_BEARER_ACCESS);
    reg_name_t    name = tree_name("a/b");

    (void) state;

    assert_int_equal(show(&token, REG_BEARER_ACCESS, NOW), 1);
    assert_int_equal(login->identity.who, REG_WHO_USER);
    assert_string_equal(login->identity.name, "alice");
    assert_true(login->carries);
    assert_int_equal(reg_grants_allow(&login->grants, &name),
                     REG_ACTION_PULL);
    assert_in_range(login->expires, NOW + LIFETIME,
                    NOW + LIFETIME + REG_TOKEN_LEEWAY);
    refused(&token, REG_BEARER_ACCESS, NOW + LIFETIME + REG_TOKEN_LEEWAY + 1);

    reg_buf_free(&token);
    reg_login_release(one);
}


static void
nobody_has_tokens_too(void **state)
{
    reg_buf_t  token = issue(NULL, REG_BEARER_ACCESS);

    (void) state;

    assert_int_equal(show(&token, REG_BEARER_ACCESS, NOW), 1);
    assert_int_equal(login->identity.who, REG_WHO_ANYBODY);
    assert_true(login->carries);

    reg_buf_free(&token);
}


static void
each_use_has_tokens_of_its_own(void **state)
{
    reg_login_t  *one = alice();
    reg_buf_t     access = issue(one, REG_BEARER_ACCESS);
    reg_buf_t     refresh = issue(one, REG_BEARER_REFRESH);

    (void) state;

    refused(&access, REG_BEARER_REFRESH, NOW);
    refused(&refresh, REG_BEARER_ACCESS, NOW);
    assert_int_equal(show(&refresh, REG_BEARER_REFRESH, NOW), 1);
    assert_false(login->carries);
    assert_int_equal(login->grants.n, 0);

    reg_buf_free(&access);
    reg_buf_free(&refresh);
    reg_login_release(one);
}


static void
it_is_over_when_the_password_is_another_one(void **state)
{
    reg_login_t  *one = alice();
    reg_buf_t     token = issue(one, REG_BEARER_ACCESS);

    (void) state;

    assert_int_equal(put_accounts(hash[1]), 0);
    refused(&token, REG_BEARER_ACCESS, NOW);
    assert_int_equal(put_accounts(NULL), 0);
    refused(&token, REG_BEARER_ACCESS, NOW);
    assert_int_equal(put_accounts(hash[0]), 0);
    assert_int_equal(show(&token, REG_BEARER_ACCESS, NOW), 1);

    reg_buf_free(&token);
    reg_login_release(one);
}


static void
a_robot_s_ends_with_the_robot(void **state)
{
    const reg_robot_t  robot = {
        .name = REG_STR("ci"), .actions = REG_ACTION_PULL, .npatterns = 1,
        .patterns = { REG_STR("a/*") }, .created = NOW, .expires = NOW + 10
    };

    char          secret[REG_ROBOT_SECRET + 1];
    reg_login_t  *one = NULL;
    reg_buf_t     token;

    (void) state;

    assert_int_equal(reg_robots_create(robots, &robot, secret, &err), 0);
    assert_int_equal(reg_robots_login(verifiers.robots,
                                      REG_STR("robot$ci"), NOW,
                                      &one, &err), 1);
    token = issue(one, REG_BEARER_ACCESS);

    /* sooner than the token */
    assert_int_equal(show(&token, REG_BEARER_ACCESS, NOW), 1);
    assert_int_equal(login->identity.who, REG_WHO_ROBOT);
    assert_int_equal(login->expires, NOW + 10);
    refused(&token, REG_BEARER_ACCESS, NOW + 11);

    assert_int_equal(reg_robots_revoke(robots, robot.name, &err), 0);
    refused(&token, REG_BEARER_ACCESS, NOW);

    /* another one by the same name */
    assert_int_equal(reg_robots_create(robots, &robot, secret, &err), 0);
    refused(&token, REG_BEARER_ACCESS, NOW);

    reg_buf_free(&token);
    reg_login_release(one);
}


/* A token that somebody has signed; the caller frees it. */
static reg_buf_t
sign(reg_keys_t *keys, const char *payload)
{
    reg_buf_t  token = REG_BUF_INIT;

    assert_int_equal(reg_keys_sign(keys, reg_str_from(payload), &token, &err),
                     0);

    return token;
}


static void
another_issuer_s_word_counts(void **state)
{
    static const char  claims[] =
        "{\"iss\":\"them\",\"aud\":\"us\",\"sub\":\"carol\","
        "\"exp\":1767225900,\"access\":[{\"type\":\"repository\","
        "\"name\":\"a/b\",\"actions\":[\"push\"]}]}";

    reg_buf_t   token = sign(theirs, claims);
    reg_buf_t   ours = sign(verifiers.keys, claims);
    reg_name_t  name = tree_name("a/b");

    (void) state;

    assert_int_equal(show(&token, REG_BEARER_ACCESS, NOW), 1);
    assert_int_equal(login->identity.who, REG_WHO_BEARER);
    assert_string_equal(login->identity.name, "carol");
    assert_true(login->carries);
    assert_int_equal(reg_grants_allow(&login->grants, &name),
                     REG_ACTION_PUSH);

    /* ours are not theirs, and theirs get no new tokens */
    refused(&ours, REG_BEARER_ACCESS, NOW);
    refused(&token, REG_BEARER_REFRESH, NOW);

    /* and without them there is no one to believe */
    reg_trust_close(verifiers.trust);
    verifiers.trust = NULL;
    refused(&token, REG_BEARER_ACCESS, NOW);

    reg_buf_free(&token);
    reg_buf_free(&ours);
}


static void
what_another_signs_as_ours_is_not(void **state)
{
    reg_buf_t  token = sign(theirs,
        "{\"iss\":\"nginx-registry\",\"aud\":\"nginx-registry\","
        "\"sub\":\"alice\",\"exp\":1767225900,\"access\":[]}");
    reg_buf_t  none = REG_BUF_INIT;

    (void) state;

    refused(&token, REG_BEARER_ACCESS, NOW);
    refused(&token, REG_BEARER_REFRESH, NOW);
    reg_buf_puts(&none, "no.token.at.all");
    refused(&none, REG_BEARER_ACCESS, NOW);

    reg_buf_free(&token);
    reg_buf_free(&none);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, renew, leave)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(an_account_is_who_it_was_given_to),
        TEST(nobody_has_tokens_too),
        TEST(each_use_has_tokens_of_its_own),
        TEST(it_is_over_when_the_password_is_another_one),
        TEST(a_robot_s_ends_with_the_robot),
        TEST(another_issuer_s_word_counts),
        TEST(what_another_signs_as_ours_is_not),
    };

    return cmocka_run_group_tests(tests, setup, tree_teardown);
}
