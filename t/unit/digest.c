/* reg_digest: the name of content. */

#include "reg_digest.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


#define EMPTY256  "e3b0c44298fc1c149afbf4c8996fb924"                          \
                  "27ae41e4649b934ca495991b7852b855"
#define EMPTY512  "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921"  \
                  "d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81"  \
                  "a538327af927da3e"


static void
both_algorithms_parse(void **state)
{
    reg_digest_t  d;

    (void) state;

    assert_int_equal(reg_digest_parse(&d, REG_STR("sha256:" EMPTY256)), 0);
    assert_int_equal(d.alg, REG_SHA256);
    assert_string_equal(reg_digest_hex(&d), EMPTY256);
    assert_true(reg_str_eq(reg_digest_str(&d), REG_STR("sha256:" EMPTY256)));
    assert_true(reg_digest_is_empty(&d));

    assert_int_equal(reg_digest_parse(&d, REG_STR("sha512:" EMPTY512)), 0);
    assert_int_equal(d.alg, REG_SHA512);
    assert_string_equal(reg_digest_hex(&d), EMPTY512);
    assert_true(reg_str_eq(reg_digest_str(&d), REG_STR("sha512:" EMPTY512)));
    assert_true(reg_digest_is_empty(&d));
}


static void
the_slice_need_not_end_with_a_nul(void **state)
{
    static const char  text[] = "sha256:" EMPTY256 "ffff";

    reg_digest_t  d;
    reg_str_t     s = { 71, text };

    (void) state;

    assert_int_equal(reg_digest_parse(&d, s), 0);
    assert_string_equal(d.text, "sha256:" EMPTY256);
}


/* SECURITY.md S4 */
static void
odd_shapes_are_refused(void **state)
{
    static const reg_str_t  bad[] = {
        { 0, NULL },
        { 1, ":" },
        { 7, "sha256:" },
        { 65, ":" EMPTY256 },
        { 64, EMPTY256 },
        { 70, "sha256:" EMPTY256 },                          /* 63 digits */
        { 72, "sha256:" EMPTY256 "0" },
        { 71, "sha512:" EMPTY256 },
        { 135, "sha256:" EMPTY512 },
        { 136, "sha512:" EMPTY512 "0" },
        { 71, "SHA256:" EMPTY256 },
        { 36, "md5:d41d8cd98f00b204e9800998ecf8427e" },
        { 44, "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709" },
        { 72, "sha256::" EMPTY256 },
        { 72, "sha256: " EMPTY256 },
        { 72, " sha256:" EMPTY256 },
        { 72, "sha256:" EMPTY256 "\n" },
        { 72, "sha256:" EMPTY256 "\0" },
        { 71, "sha256/" EMPTY256 },
        { 70, "sha25:" EMPTY256 },
        { 72, "sha2566:" EMPTY256 },
    };

    reg_digest_t  d;

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(reg_digest_parse(&d, bad[i]), -1);
    }
}


static void
every_byte_of_the_hexadecimal_is_looked_at(void **state)
{
    reg_digest_t  d;
    char          text[] = "sha256:" EMPTY256;

    (void) state;

    for (size_t i = 7; i < sizeof(text) - 1; i++) {
        char  kept = text[i];

        for (int c = 0; c < 256; c++) {
            bool  good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');

            text[i] = (char) c;
            assert_int_equal(reg_digest_parse(&d, (reg_str_t) { 71, text }),
                             good ? 0 : -1);
        }

        text[i] = kept;
    }
}


static void
long_input_is_refused_at_once(void **state)
{
    static char   text[1 << 20];
    reg_digest_t  d;

    (void) state;

    memset(text, 'a', sizeof(text));
    memcpy(text, "sha512:", 7);
    assert_int_equal(reg_digest_parse(&d, (reg_str_t) { sizeof(text), text }),
                     -1);
}


static void
a_binary_digest_is_formatted(void **state)
{
    reg_digest_t   d, e;
    unsigned char  binary[64];

    (void) state;

    for (size_t i = 0; i < sizeof(binary); i++) {
        binary[i] = (unsigned char) (i * 5);
    }

    for (int alg = 0; alg < REG_ALGS; alg++) {
        reg_digest_format(&d, (reg_alg_t) alg, binary);
        assert_int_equal(strlen(d.text), reg_digest_str(&d).len);
        assert_int_equal(reg_digest_parse(&e, reg_digest_str(&d)), 0);
        assert_true(reg_digest_eq(&d, &e));
        assert_false(reg_digest_is_empty(&d));
        assert_memory_equal(reg_digest_hex(&d), "00050a0f", 8);
    }

    assert_int_equal(strlen(d.text), REG_DIGEST_SIZE - 1);
}


static void
digests_of_two_algorithms_differ(void **state)
{
    reg_digest_t  a, b;

    (void) state;

    assert_int_equal(reg_digest_parse(&a, REG_STR("sha256:" EMPTY256)), 0);
    assert_int_equal(reg_digest_parse(&b, REG_STR("sha512:" EMPTY512)), 0);
    assert_false(reg_digest_eq(&a, &b));
}


static void
algorithms_have_names_and_sizes(void **state)
{
    reg_alg_t  alg;

    (void) state;

    assert_int_equal(reg_alg_parse(&alg, REG_STR("sha512")), 0);
    assert_int_equal(alg, REG_SHA512);
    assert_int_equal(reg_alg_size(REG_SHA256), 32);
    assert_int_equal(reg_alg_size(REG_SHA512), 64);
    assert_string_equal(reg_alg_name(REG_SHA256), "sha256");
    assert_int_equal(reg_alg_parse(&alg, REG_STR("sha25")), -1);
    assert_int_equal(reg_alg_parse(&alg, REG_STR("md5")), -1);
    assert_int_equal(reg_alg_parse(&alg, REG_STR_NULL), -1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(both_algorithms_parse),
        cmocka_unit_test(the_slice_need_not_end_with_a_nul),
        cmocka_unit_test(odd_shapes_are_refused),
        cmocka_unit_test(every_byte_of_the_hexadecimal_is_looked_at),
        cmocka_unit_test(long_input_is_refused_at_once),
        cmocka_unit_test(a_binary_digest_is_formatted),
        cmocka_unit_test(digests_of_two_algorithms_differ),
        cmocka_unit_test(algorithms_have_names_and_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
