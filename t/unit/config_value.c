/* reg_config_value: what each kind of key takes, at its bounds, and that
 * nothing is stored of what it does not. */

#include "reg_config_value.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>


static reg_config_t  config;


static const reg_config_key_t *
key_of(const char *path)
{
    const reg_config_key_t  *key = reg_config_key_find(path);

    assert_non_null(key);
    return key;
}


static int
parse(const char *path, reg_str_t value)
{
    return reg_config_value_parse(key_of(path), value, &config);
}


static int
renew(void **state)
{
    (void) state;
    memset(&config, 0, sizeof(config));

    return 0;
}


/* Where a key's number is. */
static int64_t
number(const char *path)
{
    int64_t  n;

    memcpy(&n, (char *) &config + key_of(path)->offset, sizeof(n));
    return n;
}


static void
numbers_are_within_the_bounds_of_their_key(void **state)
{
    static const struct {
        const char  *path, *value;
        int64_t      want;               /* -1: it is none */
    } tests[] = {
        { "redis.db", "0", 0 },
        { "redis.db", "65535", 65535 },
        { "redis.db", "65536", -1 },
        { "redis.db", "-1", -1 },
        { "redis.db", "", -1 },
        { "redis.pool.maxactive", "0", -1 },
        { "redis.pool.maxactive", "1", 1 },
        { "redis.readtimeout", "1ms", 1 },
        { "redis.readtimeout", "60s", 60000 },
        { "redis.readtimeout", "0", -1 },
        { "redis.readtimeout", "61s", -1 },
        { "storage.maintenance.uploadpurging.age", "60s", 60 },
        { "storage.maintenance.uploadpurging.age", "1h30m", 5400 },
        { "storage.maintenance.uploadpurging.age", "59s", -1 },
        { "storage.maintenance.uploadpurging.age", "87601h", -1 },
        { "nginx_registry.manifest_cache", "512", 512 },
        { "nginx_registry.manifest_cache", "2k", 2048 },
        { "nginx_registry.manifest_cache", "2K", 2048 },
        { "nginx_registry.manifest_cache", "1m", 1048576 },
        { "nginx_registry.manifest_cache", "1t", -1 },
        { "nginx_registry.manifest_cache", "k", -1 },
        { "nginx_registry.manifest_cache", "1kk", -1 },
        { "nginx_registry.manifest_cache", "9223372036854775807g", -1 },
        { "nginx_registry.socket_mode", "0660", 0660 },
        { "nginx_registry.socket_mode", "775", 0775 },
        { "nginx_registry.socket_mode", "0777", -1 },
        { "nginx_registry.socket_mode", "00660", -1 },
        { "nginx_registry.socket_mode", "0668", -1 },
        { "nginx_registry.socket_mode", "", -1 },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        int  rc = parse(tests[i].path, reg_str_from(tests[i].value));

        if (rc != (tests[i].want == -1 ? -1 : 0)
            || (rc == 0 && number(tests[i].path) != tests[i].want))
        {
            fail_msg("%s: \"%s\"", tests[i].path, tests[i].value);
        }
    }
}


static void
what_is_no_number_leaves_the_one_that_was(void **state)
{
    (void) state;

    assert_int_equal(parse("redis.db", REG_STR("7")), 0);
    assert_int_equal(parse("redis.db", REG_STR("x")), -1);
    assert_int_equal(parse("redis.db", REG_STR("65536")), -1);
    assert_int_equal(config.redis_db, 7);
}


static void
yes_and_no_have_three_spellings(void **state)
{
    static const char  *yes[] = { "true", "YES", "on" };
    static const char  *no[] = { "false", "No", "OFF" };

    (void) state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(parse("storage.delete.enabled",
                               reg_str_from(yes[i])), 0);
        assert_true(config.delete_enabled);
        assert_int_equal(parse("storage.delete.enabled",
                               reg_str_from(no[i])), 0);
        assert_false(config.delete_enabled);

        /* of a field that says the opposite */
        assert_int_equal(parse("log.accesslog.disabled",
                               reg_str_from(yes[i])), 0);
        assert_false(config.access_log);
        assert_int_equal(parse("log.accesslog.disabled",
                               reg_str_from(no[i])), 0);
        assert_true(config.access_log);
    }

    assert_int_equal(parse("storage.delete.enabled", REG_STR("1")), -1);
    assert_int_equal(parse("storage.delete.enabled", REG_STR("")), -1);
    assert_int_equal(parse("storage.delete.enabled", REG_STR("true ")), -1);
}


static void
words_of_a_list_are_what_they_stand_for(void **state)
{
    (void) state;

    assert_int_equal(parse("log.level", REG_STR("Debug")), 0);
    assert_int_equal(config.log_level, REG_LOG_DEBUG);
    assert_int_equal(parse("log.level", REG_STR("loud")), -1);
    assert_int_equal(config.log_level, REG_LOG_DEBUG);

    /* one that is stored nowhere is looked at all the same */
    assert_int_equal(parse("version", REG_STR("0.1")), 0);
    assert_int_equal(parse("version", REG_STR("0.2")), -1);
}


static void
text_is_one_line_within_its_bounds(void **state)
{
    static char  many[REG_CONFIG_TEXT + 1];

    (void) state;

    memset(many, 'x', sizeof(many));

    assert_int_equal(parse("auth.htpasswd.realm", REG_STR("a b")), 0);
    assert_string_equal(config.htpasswd_realm, "a b");
    assert_int_equal(parse("auth.htpasswd.realm", REG_STR("")), -1);
    assert_int_equal(parse("auth.htpasswd.realm",
                           (reg_str_t) { 128, many }), -1);
    assert_int_equal(parse("auth.htpasswd.realm", REG_STR("a\nb")), -1);
    assert_int_equal(parse("auth.htpasswd.realm", REG_STR("a\0b")), -1);
    assert_int_equal(parse("auth.htpasswd.realm", REG_STR("a\x7f")), -1);
    assert_string_equal(config.htpasswd_realm, "a b");
    assert_int_equal(parse("auth.htpasswd.realm",
                           (reg_str_t) { 127, many }), 0);
    assert_int_equal(strlen(config.htpasswd_realm), 127);

    many[0] = '/';
    assert_int_equal(parse("auth.htpasswd.path", REG_STR("etc")), -1);
    assert_int_equal(parse("auth.htpasswd.path", REG_STR("")), -1);
    assert_int_equal(parse("auth.htpasswd.path",
                           (reg_str_t) { REG_CONFIG_TEXT, many }), -1);
    assert_int_equal(parse("auth.htpasswd.path",
                           (reg_str_t) { REG_CONFIG_TEXT - 1, many }), 0);
    assert_int_equal(strlen(config.htpasswd_path), REG_CONFIG_TEXT - 1);
}


static void
several_words_are_put_together_with_one_blank(void **state)
{
    static char  many[REG_CONFIG_TEXT + 1];

    (void) state;

    memset(many, 'x', sizeof(many));

    assert_int_equal(parse("redis.addrs", REG_STR(" ,a:1,, b:2  c:3 ,")), 0);
    assert_string_equal(config.redis_addrs, "a:1 b:2 c:3");
    assert_int_equal(parse("redis.addrs", (reg_str_t) { sizeof(many), many }),
                     -1);
    assert_string_equal(config.redis_addrs, "a:1 b:2 c:3");
    assert_int_equal(parse("redis.addrs", REG_STR(" , ")), 0);
    assert_string_equal(config.redis_addrs, "");
}


/* Whatever is not of a key is told in a sentence that names it. */
static void
every_key_says_what_it_expects(void **state)
{
    const reg_config_key_t  *key;
    char                     text[96];

    (void) state;

    for (size_t i = 0; (key = reg_config_key_at(i)) != NULL; i++) {
        reg_config_value_expected(key, text, sizeof(text));
        assert_in_range(strlen(text), 1, sizeof(text) - 2);
    }

    reg_config_value_expected(key_of("redis.db"), text, sizeof(text));
    assert_string_equal(text, "a number from 0 to 65535");
    reg_config_value_expected(key_of("log.formatter"), text, sizeof(text));
    assert_string_equal(text, "text or json");
    reg_config_value_expected(key_of("redis.readtimeout"), text,
                              sizeof(text));
    assert_string_equal(text, "a duration such as 5ms or 1m, from 1ms to 60s");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(numbers_are_within_the_bounds_of_their_key,
                               renew),
        cmocka_unit_test_setup(what_is_no_number_leaves_the_one_that_was,
                               renew),
        cmocka_unit_test_setup(yes_and_no_have_three_spellings, renew),
        cmocka_unit_test_setup(words_of_a_list_are_what_they_stand_for, renew),
        cmocka_unit_test_setup(text_is_one_line_within_its_bounds, renew),
        cmocka_unit_test_setup(several_words_are_put_together_with_one_blank,
                               renew),
        cmocka_unit_test_setup(every_key_says_what_it_expects, renew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
