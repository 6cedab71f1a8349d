/* reg_ref: names of repositories, tags, references (SECURITY.md S1, S4). */

#include "reg_ref.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


static void
good_names_are_taken(void **state)
{
    static const char  *good[] = {
        "a", "0", "a/b", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c/d/e/f",
        "library/ubuntu", "blobs", "a/blobs", "manifests/tags", "uploads",
        "v2", "v2/v2", "a0.b1__c2-d3/e"
    };

    reg_name_t  name;

    (void) state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(reg_name_parse(&name, reg_str_from(good[i])), 0);
        assert_string_equal(name.text, good[i]);
        assert_true(reg_str_eq(reg_name_str(&name), reg_str_from(good[i])));
    }
}


static void
hostile_names_are_refused(void **state)
{
    static const char  *bad[] = {
        "", "/", "/a", "a/", "a//b", "//", ".", "..", "a/..", "../a",
        "a/../b", "a/./b", "a/.", ".a", "a.", "a..b", "-a", "a-", "_a", "a_",
        "a___b", "a._b", "a-.b", "_layers", "_uploads", "a/_layers",
        "a/_manifests/tags", "_catalog", "A", "aB", "a/B", "a b", "a%2fb",
        "a%2e", "a\\b", "a:b", "a@b", "a\tb", "a\rb", "a\nb", "a\x7f",
        "a\xc3\xa9", "\xff", "a?b", "a#b", "a~b", "a+b", "a,b", "a/ /b", "*"
    };

    reg_name_t  name;

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(reg_name_parse(&name, reg_str_from(bad[i])), -1);
    }

    assert_int_equal(reg_name_parse(&name, REG_STR_NULL), -1);
    assert_int_equal(reg_name_parse(&name, REG_STR("a\0b")), -1);
    assert_int_equal(reg_name_parse(&name, REG_STR("a\0")), -1);
    assert_int_equal(reg_name_parse(&name, REG_STR("a/\0/b")), -1);
}


static void
no_byte_but_those_of_the_grammar_is_in_a_name(void **state)
{
    reg_name_t  name;
    char        text[3] = "axb";

    (void) state;

    for (int c = 0; c < 256; c++) {
        bool  good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
                     || c == '.' || c == '_' || c == '-' || c == '/';

        text[1] = (char) c;
        assert_int_equal(reg_name_parse(&name, (reg_str_t) { 3, text }),
                         good ? 0 : -1);
    }
}


static void
names_have_255_bytes_at_most(void **state)
{
    static char  text[1 << 16];
    reg_name_t   name;

    (void) state;

    memset(text, 'a', sizeof(text));

    assert_int_equal(reg_name_parse(&name, (reg_str_t) { 255, text }), 0);
    assert_int_equal(name.len, 255);
    assert_int_equal(strlen(name.text), 255);
    assert_int_equal(reg_name_parse(&name, (reg_str_t) { 256, text }), -1);
    assert_int_equal(reg_name_parse(&name, (reg_str_t) { sizeof(text), text }),
                     -1);

    for (size_t i = 1; i < 255; i += 2) {
        text[i] = '/';
    }

    assert_int_equal(reg_name_parse(&name, (reg_str_t) { 255, text }), 0);
}


static void
good_tags_are_taken(void **state)
{
    static const char  *good[] = {
        "latest", "1", "_", "_a", "v1.2.3-rc.1_x", "A", "Z9", "a..b", "a-",
        "a.", "__", "sha256-abc", "list", "uploads"
    };

    reg_tag_t  tag;

    (void) state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(reg_tag_parse(&tag, reg_str_from(good[i])), 0);
        assert_true(reg_str_eq(reg_tag_str(&tag), reg_str_from(good[i])));
    }
}


static void
hostile_tags_are_refused(void **state)
{
    static const char  *bad[] = {
        "", ".", "..", ".a", "-", "-a", "a/b", "/", "a b", "a\r\nX: y", "a%2f",
        "a:b", "a\\", "a+b", "a\xc3\xa9", "a\x7f", "\t"
    };

    reg_tag_t  tag;

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(reg_tag_parse(&tag, reg_str_from(bad[i])), -1);
    }

    assert_int_equal(reg_tag_parse(&tag, REG_STR_NULL), -1);
    assert_int_equal(reg_tag_parse(&tag, REG_STR("a\0")), -1);
}


static void
tags_have_128_bytes_at_most(void **state)
{
    char       text[129];
    reg_tag_t  tag;

    (void) state;

    memset(text, 'T', sizeof(text));
    assert_int_equal(reg_tag_parse(&tag, (reg_str_t) { 128, text }), 0);
    assert_int_equal(strlen(tag.text), 128);
    assert_int_equal(reg_tag_parse(&tag, (reg_str_t) { 129, text }), -1);
}


static void
a_reference_is_a_tag_or_a_digest(void **state)
{
    reg_ref_t  ref;

    (void) state;

    assert_int_equal(reg_ref_parse(&ref, REG_STR("latest")), 0);
    assert_false(ref.is_digest);
    assert_true(reg_str_eq(reg_ref_str(&ref), REG_STR("latest")));

    assert_int_equal(reg_ref_parse(&ref, REG_STR("sha256:" HEX)), 0);
    assert_true(ref.is_digest);
    assert_true(reg_str_eq(reg_ref_str(&ref), REG_STR("sha256:" HEX)));

    /* what has a colon never falls back to a tag */
    assert_int_equal(reg_ref_parse(&ref, REG_STR("md5:abc")), -1);
    assert_int_equal(reg_ref_parse(&ref, REG_STR("sha256:")), -1);
    assert_int_equal(reg_ref_parse(&ref, REG_STR(":")), -1);
    assert_int_equal(reg_ref_parse(&ref, REG_STR("latest:")), -1);
    assert_int_equal(reg_ref_parse(&ref, REG_STR("")), -1);
    assert_int_equal(reg_ref_parse(&ref, REG_STR_NULL), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(good_names_are_taken),
        cmocka_unit_test(hostile_names_are_refused),
        cmocka_unit_test(no_byte_but_those_of_the_grammar_is_in_a_name),
        cmocka_unit_test(names_have_255_bytes_at_most),
        cmocka_unit_test(good_tags_are_taken),
        cmocka_unit_test(hostile_tags_are_refused),
        cmocka_unit_test(tags_have_128_bytes_at_most),
        cmocka_unit_test(a_reference_is_a_tag_or_a_digest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
