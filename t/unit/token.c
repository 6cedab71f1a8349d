/* reg_token: what a token says, and what it does not say. */

#include "reg_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tree.h"

#define NOW  1767225600


static reg_claims_t        claims;
static reg_error_t         err;

static const reg_token_expect_t  expect = { "gitlab", "registry", NOW };


static int
parse(const char *payload)
{
    reg_claims_free(&claims);
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_claims_parse(&claims, reg_str_from(payload), &expect, &err);
}


/* The usual claims and these. */
static int
parse_with(const char *more)
{
    char  text[8192];

    assert_true((size_t) snprintf(text, sizeof(text), "{\"iss\":\"gitlab\","
                "\"aud\":\"registry\",\"exp\":%d%s%s}", NOW + 300,
                more[0] == '\0' ? "" : ",", more) < sizeof(text));

    return parse(text);
}


static int
teardown(void **state)
{
    (void) state;
    reg_claims_free(&claims);

    return 0;
}


static reg_actions_t
allow(const char *name)
{
    reg_name_t  n = tree_name(name);

    assert_true(n.len > 0);

    return reg_grants_allow(&claims.grants, &n);
}


static void
gitlab_s_own_form_is_read(void **state)
{
    (void) state;

    assert_int_equal(parse("{\"access\":[{\"type\":\"repository\",\"name\":"
        "\"group/project\",\"actions\":[\"pull\",\"push\"],\"meta\":{"
        "\"project_path\":\"group/project\",\"project_id\":1,"
        "\"root_namespace_id\":2,\"tag_deny_access_patterns\":{\"push\":[\"^v"
        "\"],\"delete\":[]},\"tag_immutable_patterns\":[\"x\"]}}],\"jti\":"
        "\"b1\",\"aud\":\"registry\",\"sub\":\"alice\",\"iss\":\"gitlab\","
        "\"iat\":1767225600,\"nbf\":1767225595,\"exp\":1767225900,"
        "\"auth_type\":\"gitlab_or_ldap\",\"user\":\"a.b.c\"}"), 0);
    assert_string_equal(claims.subject, "alice");
    assert_int_equal(claims.expires, NOW + 300 + REG_TOKEN_LEEWAY);
    assert_int_equal(allow("group/project"), REG_ACTION_PULL
                     | REG_ACTION_PUSH);
    assert_int_equal(allow("group/project/a"), 0);
    assert_int_equal(allow("group"), 0);
    assert_int_equal(claims.protections.n, 2);
    assert_int_equal(claims.protections.list[0].kind, REG_PROTECTION_PUSH);
    assert_string_equal(claims.protections.list[0].text, "^v");
    assert_int_equal(claims.protections.list[1].kind,
                     REG_PROTECTION_IMMUTABLE);
    assert_false(claims.refresh);
}


static void
a_token_of_nobody_is_one(void **state)
{
    (void) state;

    assert_int_equal(parse_with(""), 0);
    assert_string_equal(claims.subject, "");
    assert_int_equal(claims.grants.n, 0);
    assert_int_equal(parse_with("\"access\":[]"), 0);
    assert_int_equal(parse_with("\"access\":null"), 0);
    assert_int_equal(parse_with("\"sub\":\"\",\"access\":[]"), 0);
}


static void
what_gives_nothing_gives_nothing(void **state)
{
    static const char *const  entries[] = {
        "1", "null", "[]", "{}", "\"repository:a:pull\"",
        "{\"type\":\"repository\",\"name\":\"a\"}",
        "{\"type\":\"repository\",\"name\":\"a\",\"actions\":\"pull\"}",
        "{\"type\":\"repository\",\"name\":\"a\",\"actions\":[1,null,{}]}",
        "{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"PULL\"]}",
        "{\"type\":\"repository\",\"name\":\"a/*\",\"actions\":[\"pull\"]}",
        "{\"type\":\"repository\",\"name\":\"*\",\"actions\":[\"*\"]}",
        "{\"type\":\"repository\",\"name\":\"\",\"actions\":[\"*\"]}",
        "{\"type\":\"repository\",\"name\":\"A\",\"actions\":[\"*\"]}",
        "{\"type\":\"repository\",\"name\":\"../a\",\"actions\":[\"*\"]}",
        "{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"pull\"]}",
        "{\"type\":\"registry\",\"name\":\"*\",\"actions\":[\"*\"]}",
        "{\"type\":\"plugin\",\"name\":\"a\",\"actions\":[\"*\"]}",
    };

    (void) state;

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        char  text[512];

        (void) snprintf(text, sizeof(text), "\"access\":[%s]", entries[i]);
        assert_int_equal(parse_with(text), 0);
        assert_int_equal(claims.grants.n, 0);
    }

    assert_int_equal(parse_with("\"access\":[{\"type\":\"repository\","
        "\"name\":\"a\",\"actions\":[\"*\"]},{\"type\":\"registry\","
        "\"name\":\"catalog\",\"actions\":[\"*\"]}]"), 0);
    assert_int_equal(allow("a"), REG_ACTIONS_REPOSITORY);
    assert_int_equal(reg_grants_allow(&claims.grants, NULL),
                     REG_ACTION_CATALOG);
}


static void
who_does_not_fit_is_refused(void **state)
{
    static const char *const  payloads[] = {
        "", "1", "null", "[]", "{", "\"x\"", "{}", "\xff\xfe",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\"}",
        "{\"iss\":\"other\",\"aud\":\"registry\",\"exp\":1767225900}",
        "{\"iss\":\"gitlab \",\"aud\":\"registry\",\"exp\":1767225900}",
        "{\"iss\":[\"gitlab\"],\"aud\":\"registry\",\"exp\":1767225900}",
        "{\"aud\":\"registry\",\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"aud\":\"Registry\",\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"aud\":[],\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"aud\":[[\"registry\"]],\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"aud\":{\"a\":\"registry\"},"
            "\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"aud\":\"registry\","
            "\"exp\":1767225900}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":1767225540}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":0}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":-1}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":1e300}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":1e15}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":"
            "9223372036854775807}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":\"1767225900\"}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":true}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":null}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":1767225900,"
            "\"nbf\":1767225661}",
        "{\"iss\":\"gitlab\",\"aud\":\"registry\",\"exp\":1767225900,"
            "\"nbf\":\"x\"}",
    };

    static const char *const  more[] = {
        "\"sub\":\"a:b\"", "\"sub\":\"a\\nb\"", "\"sub\":\" a\"",
        "\"access\":{}", "\"access\":\"repository:a:pull\"",
        "\"print\":\"00\"", "\"print\":\"zz\"",
        "\"access\":[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[],"
            "\"meta\":1}]",
        "\"access\":[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[],"
            "\"meta\":{\"tag_deny_access_patterns\":[\"x\"]}}]",
        "\"access\":[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[],"
            "\"meta\":{\"tag_deny_access_patterns\":{\"push\":\"x\"}}}]",
        "\"access\":[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[],"
            "\"meta\":{\"tag_immutable_patterns\":[1]}}]",
    };

    (void) state;

    for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
        assert_int_equal(parse(payloads[i]), -1);
        assert_int_equal(err.code, REG_UNAUTHORIZED);
        assert_int_equal(claims.grants.n, 0);
    }

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        assert_int_equal(parse_with(more[i]), -1);
        assert_int_equal(err.code, REG_UNAUTHORIZED);
    }
}


static void
clocks_may_differ_by_a_minute(void **state)
{
    static const struct {
        const char  *times;
        int          rc;
    } rows[] = {
        { "\"exp\":1767225541", 0 },             /* 59 s ago */
        { "\"exp\":1767225540", -1 },
        { "\"exp\":1767225541.9", 0 },
        { "\"exp\":1767225900,\"nbf\":1767225660", 0 },      /* in 60 s */
        { "\"exp\":1767225900,\"nbf\":1767225661", -1 },
        { "\"exp\":1767225900,\"iat\":1767999999", 0 },
        { "\"exp\":1767225900,\"nbf\":0", 0 },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char  text[256];

        (void) snprintf(text, sizeof(text), "{\"iss\":\"gitlab\",\"aud\":"
                        "[\"x\",\"registry\"],%s}", rows[i].times);
        assert_int_equal(parse(text), rows[i].rc);
    }
}


static void
a_list_has_its_bound(void **state)
{
    reg_buf_t  text = REG_BUF_INIT;

    (void) state;

    reg_buf_printf(&text, "{\"iss\":\"gitlab\",\"aud\":\"registry\","
                   "\"exp\":%d,\"access\":[", NOW + 300);

    for (int i = 0; i <= REG_GRANTS_MAX; i++) {
        reg_buf_printf(&text, "%s{\"type\":\"repository\",\"name\":\"r%d\","
                       "\"actions\":[\"pull\"]}", i == 0 ? "" : ",", i);
    }

    reg_buf_puts(&text, "]}");
    reg_buf_put(&text, "", 1);
    assert_true(reg_buf_ok(&text));
    assert_int_equal(parse(text.data), -1);
    reg_buf_free(&text);
}


/* As deep as 16 KiB can be. */
static void
depth_does_no_harm(void **state)
{
    static char  text[16 * 1024 + 1];

    (void) state;

    memset(text, '[', sizeof(text) - 1);
    assert_int_equal(parse(text), -1);

    for (size_t i = 0; i + 6 < sizeof(text); i += 5) {
        memcpy(text + i, "{\"a\":", 5);
    }

    assert_int_equal(parse(text), -1);
}


static void
what_is_written_is_read(void **state)
{
    reg_claims_t  out = { .subject = "robot$ci", .expires = NOW + 60 };
    reg_buf_t     text = REG_BUF_INIT;
    reg_name_t    name;

    (void) state;

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_grants_parse(&out.grants, REG_STR("repository:a/b:"
        "pull,delete registry:catalog:*"), &err), 0);
    out.has_print = true;
    out.refresh = true;

    for (int i = 0; i < REG_TOKEN_PRINT; i++) {
        out.print[i] = (unsigned char) (i * 37);
    }

    assert_int_equal(reg_claims_format(&out, &expect, &text, &err), 0);
    reg_buf_put(&text, "", 1);
    assert_int_equal(parse(text.data), 0);
    assert_string_equal(claims.subject, "robot$ci");
    assert_true(claims.refresh);
    assert_true(claims.has_print);
    assert_memory_equal(claims.print, out.print, REG_TOKEN_PRINT);
    name = tree_name("a/b");
    assert_int_equal(reg_grants_allow(&claims.grants, &name),
                     REG_ACTION_PULL | REG_ACTION_DELETE);
    assert_int_equal(reg_grants_allow(&claims.grants, NULL),
                     REG_ACTION_CATALOG);
    reg_buf_free(&text);
    reg_claims_free(&out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(gitlab_s_own_form_is_read, teardown),
        cmocka_unit_test_teardown(a_token_of_nobody_is_one, teardown),
        cmocka_unit_test_teardown(what_gives_nothing_gives_nothing, teardown),
        cmocka_unit_test_teardown(who_does_not_fit_is_refused, teardown),
        cmocka_unit_test_teardown(clocks_may_differ_by_a_minute, teardown),
        cmocka_unit_test_teardown(a_list_has_its_bound, teardown),
        cmocka_unit_test_teardown(depth_does_no_harm, teardown),
        cmocka_unit_test_teardown(what_is_written_is_read, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
