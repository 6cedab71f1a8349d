/* reg_tagkey: what keys and values are ours. */

#include "reg_tagkey.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static reg_name_t    name;
static reg_tag_t     tag;
static reg_digest_t  d;


static void
keys_are_parsed_whole(void **state)
{
    static const char  *wrong[] = {
        "", "nginx-registry:", "nginx-registry:v:", "nginx-registry:v:{a}",
        "nginx-registry:v:{a}:", "nginx-registry:v:{}:t",
        "nginx-registry:v:{a:t", "nginx-registry:v:a}:t",
        "nginx-registry:x:{a}:t", "nginx-registry:v:{A}:t",
        "nginx-registry:v:{a/../b}:t", "nginx-registry:v:{a}:.t",
        "nginx-registry:v:{a}:t\n", "nginx-registry:v:{a}t",
        "xnginx-registry:v:{a}:t", "nginx-registry:v:{a}:t:u",
    };

    (void) state;

    assert_int_equal(reg_tagkey_parse(
                         REG_STR("nginx-registry:v:{a/b-c}:V1._x"), &name,
                         &tag), 0);
    assert_string_equal(name.text, "a/b-c");
    assert_string_equal(tag.text, "V1._x");
    assert_int_equal(reg_tagkey_parse(
                         REG_STR("nginx-registry:w:{a}:t"), &name, &tag), 0);

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(reg_tagkey_parse(reg_str_from(wrong[i]), &name,
                                                &tag), -1);
    }
}


#define HEX64  "0123456789abcdef0123456789abcdef" \
               "0123456789abcdef0123456789abcdef"

static void
values_are_parsed_whole(void **state)
{
    static const char  *wrong[] = {
        "", " ", "sha256:" HEX64, "0123456789abcdef", "0123456789abcdef ",
        "0123456789abcde sha256:" HEX64, "0123456789abcdeg sha256:" HEX64,
        "0123456789ABCDEF sha256:" HEX64, "0123456789abcdef  sha256:" HEX64,
        "0123456789abcdef sha256:" HEX64 "0", "0123456789abcdef md5:" HEX64,
        "0123456789abcdef sha256:" HEX64 " ", "0123456789abcdef0 sha256:" HEX64,
    };

    uint64_t  fence;

    (void) state;

    assert_int_equal(reg_tagkey_parse_value(
                         REG_STR("0123456789abcdef sha256:" HEX64), &fence,
                         &d), 1);
    assert_true(fence == 0x0123456789abcdef);
    assert_string_equal(d.text, "sha256:" HEX64);
    assert_int_equal(reg_tagkey_parse_value(REG_STR("?0123"), &fence, &d),
                     0);

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(reg_tagkey_parse_value(reg_str_from(wrong[i]),
                                                  &fence, &d), -1);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_are_parsed_whole),
        cmocka_unit_test(values_are_parsed_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
