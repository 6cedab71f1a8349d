/* reg_password: which hashes count, and what is right (SECURITY.md S12). */

#include "reg_password.h"

#include <crypt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>


static reg_error_t  err;


/* A cheap hash of libcrypt's own making. */
static const char *
made(const char *prefix, const char *password)
{
    static char               hash[CRYPT_OUTPUT_SIZE];
    static struct crypt_data  data;
    char                      salt[CRYPT_GENSALT_OUTPUT_SIZE];

    memset(&data, 0, sizeof(data));
    assert_non_null(crypt_gensalt_rn(prefix, 0, NULL, 0, salt, sizeof(salt)));
    assert_non_null(crypt_r(password, salt, &data));
    (void) snprintf(hash, sizeof(hash), "%s", data.output);

    return hash;
}


static int
verify(const char *hash, const char *password)
{
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_password_verify(reg_str_from(hash), reg_str_from(password),
                               &err);
}


static void
each_kind_of_libcrypt_works(void **state)
{
    static const char  *kinds[] = {
        "$2a$", "$2b$", "$2y$", "$y$", "$gy$", "$7$", "$6$", "$5$"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char  *hash = made(kinds[i], "a:b c\xc3\xa9");

        assert_null(reg_password_refuse(reg_str_from(hash)));
        assert_int_equal(verify(hash, "a:b c\xc3\xa9"), 1);
        assert_int_equal(verify(hash, "a:b c"), 0);
        assert_int_equal(verify(hash, "A:b c\xc3\xa9"), 0);
        assert_int_equal(verify(hash, ""), 0);
    }
}


static void
weak_and_broken_hashes_are_refused(void **state)
{
    static const char  *bad[] = {
        "", "secret", "rl.3StKT.4T8M", "$1$abc$BXBqpb9BZcZhXLgbee.0s/",
        "$apr1$abc$BXBqpb9BZcZhXLgbee.0s/",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "$2x$05$abcdefghijklmnopqrstuu",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "!", "*", "*0", "$",
        "$2y$05$short", "$2y$99$abcdefghijklmnopqrstuuWVSX1ZVZ7IUvYyQ9oD8rWRXn"
        "mYzT5CK", "$2y$31$abcdefghijklmnopqrstuuWVSX1ZVZ7IUvYyQ9oD8rWRXnmYzT"
        "5CK", "$6$salt$tooshort", "$y$j9T$",
        "$2y$05$abcdefghijklmnopqrstuuWVSX1ZVZ7IUvYyQ9oD8rWRXnmYz:5C",
    };
    char  lots[1024] = "$6$";

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char  *why = reg_password_refuse(reg_str_from(bad[i]));

        assert_non_null(why);
        assert_true(bad[i][0] == '\0' || bad[i][1] == '\0'
                    || strstr(why, bad[i]) == NULL);
    }

    memset(lots + 3, 'x', sizeof(lots) - 4);
    lots[sizeof(lots) - 1] = '\0';
    assert_non_null(reg_password_refuse(reg_str_from(lots)));
    assert_int_equal(verify(lots, "x"), 0);
}


/* bcrypt cuts at 72 bytes: a longer password is not right because its
 * beginning is. */
static void
bcrypt_and_longer_passwords(void **state)
{
    char         password[81];
    char         hash[REG_PASSWORD_HASH_MAX + 1];
    const char  *stored;

    (void) state;

    memset(password, 'p', sizeof(password) - 1);
    password[80] = '\0';
    stored = made("$2y$", password);
    assert_int_equal(verify(stored, password), 0);
    password[72] = '\0';
    assert_int_equal(verify(stored, password), 1);

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_password_hash(hash, reg_str_from(password), 8, &err),
                     0);
    assert_int_equal(verify(hash, password), 1);

    password[72] = 'p';
    password[73] = '\0';
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_password_hash(hash, reg_str_from(password), 8, &err),
                     -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_non_null(strstr(err.message, "73 bytes"));

    /* others take all of it */
    stored = made("$6$", password);
    assert_int_equal(verify(stored, password), 1);
    password[72] = 'q';
    assert_int_equal(verify(stored, password), 0);
}


static void
what_is_no_text_is_wrong(void **state)
{
    char        hash[CRYPT_OUTPUT_SIZE];
    char        nul[] = "abc\0def";
    char        much[REG_PASSWORD_MAX + 2];
    reg_str_t   with_nul = { sizeof(nul) - 1, nul };
    static const char  *bad[] = { "\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80" };

    (void) state;

    (void) snprintf(hash, sizeof(hash), "%s", made("$5$", "abc"));
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_password_verify(reg_str_from(hash), with_nul, &err),
                     0);
    assert_int_equal(reg_password_hash(hash, with_nul, 8, &err), -1);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(verify(made("$5$", bad[i]), bad[i]), 0);
    }

    memset(much, 'a', sizeof(much) - 1);
    much[sizeof(much) - 1] = '\0';
    assert_int_equal(verify(hash, much), 0);
}


static void
a_hash_is_bcrypt_with_a_salt_of_its_own(void **state)
{
    char  a[REG_PASSWORD_HASH_MAX + 1], b[REG_PASSWORD_HASH_MAX + 1];

    (void) state;

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_password_hash(a, REG_STR("x"), 8, &err), 0);
    assert_int_equal(reg_password_hash(b, REG_STR("x"), 8, &err), 0);
    assert_string_not_equal(a, b);
    assert_memory_equal(a, "$2y$08$", 7);
    assert_null(reg_password_refuse(reg_str_from(a)));
    assert_int_equal(verify(a, "x"), 1);

    assert_int_equal(reg_password_hash(a, REG_STR("x"), 7, &err), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_password_hash(a, REG_STR("x"), 17, &err), -1);
    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_password_hash(a, REG_STR(""), 8, &err), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(each_kind_of_libcrypt_works),
        cmocka_unit_test(weak_and_broken_hashes_are_refused),
        cmocka_unit_test(bcrypt_and_longer_passwords),
        cmocka_unit_test(what_is_no_text_is_wrong),
        cmocka_unit_test(a_hash_is_bcrypt_with_a_salt_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
