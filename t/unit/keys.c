/* reg_keys: one set for all processes, from the first start to the last key. */

#include "reg_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tree.h"

#define PROCESSES  8


static char         dir[300], path[320];
static reg_error_t  err;
static reg_keys_t  *keys;


static int
setup(void **state)
{
    (void) state;
    err = (reg_error_t) REG_ERROR_INIT;
    (void) snprintf(dir, sizeof(dir), "%s/state", tree_root);
    (void) snprintf(path, sizeof(path), "%s/%s", dir, REG_KEYS_FILE);

    return tree_empty();
}


static int
teardown(void **state)
{
    (void) state;
    reg_keys_close(keys);
    keys = NULL;

    return 0;
}


static void
open_keys(reg_jwk_kind_t kind)
{
    if (reg_keys_open(&keys, dir, kind, &err) == -1) {
        print_error("%s\n", err.message);
        fail();
    }
}


/* A token that is signed now; the caller frees it. */
static reg_buf_t
sign(void)
{
    reg_buf_t  token = REG_BUF_INIT;

    assert_int_equal(reg_keys_sign(keys, REG_STR("{\"a\":1}"), &token, &err),
                     0);
    assert_true(reg_buf_ok(&token));

    return token;
}


static bool
is_good(const reg_buf_t *token)
{
    bool       good;
    reg_jws_t  jws;

    assert_int_equal(reg_jws_parse(&jws, reg_buf_str(token), &err), 0);
    good = reg_keys_verify(keys, &jws);
    reg_jws_free(&jws);

    return good;
}


static void
count_one(void *ctx, const reg_jwk_t *key, bool signs)
{
    int  *n = ctx;

    assert_true(signs == (*n == 0));
    assert_int_equal(strlen(reg_jwk_thumbprint(key)), 43);
    (*n)++;
}


static int
count(void)
{
    int  n = 0;

    assert_int_equal(reg_keys_list(dir, count_one, &n, &err), 0);

    return n;
}


static void
the_first_start_makes_a_key_for_us_alone(void **state)
{
    struct stat  st;
    reg_buf_t    token;

    (void) state;
    open_keys(REG_JWK_ES256);

    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(count(), 1);

    token = sign();
    assert_true(is_good(&token));
    reg_keys_close(keys);
    open_keys(REG_JWK_RS256);                    /* there is one already */
    assert_int_equal(count(), 1);
    assert_true(is_good(&token));
    reg_buf_free(&token);
}


static void
rs256_by_choice(void **state)
{
    reg_buf_t  token;

    (void) state;
    open_keys(REG_JWK_RS256);
    token = sign();
    assert_true(token.len > 340);                /* 256 bytes of signature */
    assert_true(is_good(&token));
    reg_buf_free(&token);
}


static void
many_that_start_at_once_have_one_key(void **state)
{
    int  status;

    (void) state;

    for (int i = 0; i < PROCESSES; i++) {
        pid_t  pid = fork();

        assert_int_not_equal(pid, -1);

        if (pid == 0) {
            _exit(reg_keys_open(&keys, dir, REG_JWK_ES256, &err) == 0 ? 0 : 1);
        }
    }

    for (int i = 0; i < PROCESSES; i++) {
        assert_int_not_equal(wait(&status), -1);
        assert_int_equal(status, 0);
    }

    assert_int_equal(count(), 1);
}


static void
after_a_rotation_old_tokens_are_good_until_the_key_goes(void **state)
{
    char         id[REG_JWK_ID];
    struct stat  st;
    reg_buf_t    old, new;
    reg_jws_t    jws;

    (void) state;
    open_keys(REG_JWK_ES256);
    old = sign();
    assert_int_equal(reg_keys_rotate(dir, REG_JWK_ES256, id, &err), 0);
    assert_int_equal(count(), 2);
    new = sign();
    assert_int_equal(reg_jws_parse(&jws, reg_buf_str(&new), &err), 0);
    assert_int_equal(strlen(jws.kid), 8);       /* a short name of it */
    assert_memory_equal(jws.kid, id, 8);
    reg_jws_free(&jws);
    assert_true(is_good(&old));
    assert_true(is_good(&new));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    assert_int_equal(reg_jws_parse(&jws, reg_buf_str(&old), &err), 0);
    assert_int_equal(reg_keys_remove(dir, reg_str_from(jws.kid), &err), 0);
    reg_jws_free(&jws);
    assert_false(is_good(&old));
    assert_true(is_good(&new));

    /* the last one stays, and one that is not there cannot go */
    assert_int_equal(reg_keys_remove(dir, reg_str_from(id), &err), -1);
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_keys_remove(dir, REG_STR("nobody"), &err), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_true(is_good(&new));
    reg_buf_free(&old);
    reg_buf_free(&new);
}


static void
what_is_published_is_public(void **state)
{
    reg_buf_t  text = REG_BUF_INIT;

    (void) state;
    open_keys(REG_JWK_ES256);
    assert_int_equal(reg_keys_publish(keys, &text, &err), 0);
    reg_buf_put(&text, "", 1);
    assert_true(reg_buf_ok(&text));
    assert_non_null(strstr(text.data, "\"kty\":\"EC\""));
    assert_non_null(strstr(text.data, "\"x\":"));
    assert_null(strstr(text.data, "\"d\":"));
    reg_buf_free(&text);
}


static void
a_file_that_makes_no_sense_changes_nothing(void **state)
{
    char       line[512];
    reg_buf_t  token;

    (void) state;
    open_keys(REG_JWK_ES256);
    token = sign();
    assert_int_equal(tree_write(path, "{\"keys\":[]}", 11), 0);
    assert_true(is_good(&token));
    assert_int_equal(reg_keys_message(keys, line, sizeof(line)), 1);
    assert_non_null(strstr(line, path));
    assert_int_equal(reg_keys_message(keys, line, sizeof(line)), 0);
    reg_buf_free(&token);
}


static void
without_a_directory_there_are_none(void **state)
{
    (void) state;
    assert_int_equal(reg_keys_open(&keys, "/nowhere/at/all", REG_JWK_ES256,
                                   &err), -1);
    assert_non_null(strstr(reg_error_message(&err), "/nowhere/at/all"));
    keys = NULL;
}


/* One of 64 would, by chance. */
static void
no_key_s_name_looks_like_an_option(void **state)
{
    reg_jwk_t  *key;

    (void) state;

    for (int i = 0; i < 1000; i++) {
        key = reg_jwk_generate(REG_JWK_ES256, &err);
        assert_non_null(key);
        assert_int_not_equal(reg_jwk_thumbprint(key)[0], '-');
        reg_jwk_free(key);
    }
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(the_first_start_makes_a_key_for_us_alone),
        TEST(rs256_by_choice),
        TEST(many_that_start_at_once_have_one_key),
        TEST(after_a_rotation_old_tokens_are_good_until_the_key_goes),
        TEST(what_is_published_is_public),
        TEST(a_file_that_makes_no_sense_changes_nothing),
        TEST(without_a_directory_there_are_none),
        TEST(no_key_s_name_looks_like_an_option),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
