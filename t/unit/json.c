/* reg_json: what a JSON text holds (SECURITY.md S3, S5). */

#include "reg_json.h"
#include "reg_jws.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <jose/b64.h>


#define DEEP  2000                       /* as far as jansson goes along */


static const reg_json_t  most = { 8, 100 };


static void
count(const char *text, size_t depth, size_t values)
{
    reg_json_t  has = reg_json_count(reg_str_from(text), &most);

    assert_int_equal(has.depth, depth);
    assert_int_equal(has.values, values);
}


static void
levels_and_values_are_counted(void **state)
{
    (void) state;

    count("", 0, 0);
    count("1", 0, 0);
    count("[]", 1, 1);
    count("[1,2,3]", 1, 3);
    count("{\"a\":1,\"b\":[{}]}", 3, 6);
    count("[[[]],[[[[]]]]]", 5, 8);
}


static void
what_is_quoted_is_not(void **state)
{
    (void) state;

    count("\"[[[[{{{{,,,::\"", 0, 0);
    count("[\"\\\"[[[\",\"\\\\\",[]]", 2, 4);
    count("\"[[[", 0, 0);                        /* without an end */
    count("\"\\", 0, 0);
}


static void
what_is_no_json_is_counted_too(void **state)
{
    (void) state;

    count("]]]][", 1, 1);
    count("[}{]", 1, 2);
}


static void
it_ends_where_it_is_too_much(void **state)
{
    static char  text[1024];

    (void) state;

    memset(text, '[', sizeof(text) - 1);
    count(text, 9, 9);
    assert_false(reg_json_within(reg_str_from(text), &most));

    text[8] = '\0';
    assert_true(reg_json_within(reg_str_from(text), &most));

    memset(text, ',', sizeof(text) - 1);
    count(text, 0, 101);
    assert_false(reg_json_within(reg_str_from(text), &most));

    text[100] = '\0';
    assert_true(reg_json_within(reg_str_from(text), &most));
}


/* Whether a token with {"jwk": [[…]]}, so many of them, is taken apart. */
static bool
token_of(size_t depth)
{
    static char  json[2 * DEEP + 32], token[4 * DEEP + 64];
    size_t       n = 0;
    bool         good;
    reg_jws_t    jws;
    reg_error_t  err = REG_ERROR_INIT;

    n += (size_t) snprintf(json, sizeof(json), "{\"alg\":\"x\",\"jwk\":");
    memset(json + n, '[', depth);
    memset(json + n + depth, ']', depth);
    n += 2 * depth;
    json[n++] = '}';

    n = jose_b64_enc_buf(json, n, token, sizeof(token));
    assert_true(n < sizeof(token) - 8);
    (void) snprintf(token + n, sizeof(token) - n, ".e30.e30");

    good = reg_jws_parse(&jws, reg_str_from(token), &err) == 0;
    assert_true(good || err.code == REG_UNAUTHORIZED);
    reg_jws_free(&jws);

    return good;
}


/* Nothing that walks through it comes further than the stack of a thread. */
static void
the_header_of_a_token_is_not_deep(void **state)
{
    (void) state;

    assert_true(token_of(3));
    assert_true(token_of(7));
    assert_false(token_of(8));
    assert_false(token_of(DEEP));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_and_values_are_counted),
        cmocka_unit_test(what_is_quoted_is_not),
        cmocka_unit_test(what_is_no_json_is_counted_too),
        cmocka_unit_test(it_ends_where_it_is_too_much),
        cmocka_unit_test(the_header_of_a_token_is_not_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
