/* reg_hash: a running digest whose state is Go's. */

#include "reg_hash.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


#define BYTES  1001003


/* What MarshalBinary of Go's crypto/sha256 and crypto/sha512 gives after that
 * many bytes of the pattern below, and the digest after 1000 bytes more. */
static const struct {
    reg_alg_t    alg;
    size_t       offset;
    const char  *state;
    const char  *digest;
} vectors[] = {

    { REG_SHA256, 0,
      "736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab"
      "5be0cd1900000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000000",
      "1d9d471927b6f0cbc77aed8969dfc6ef43ff35fdcdd8aa0032630c0063ff95a5" },

    { REG_SHA256, 1,
      "736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab"
      "5be0cd1900000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000001",
      "d370ea4e7b9332cb18f29ec932545535dabccffad1d9c9414cdeb745fb02cd37" },

    { REG_SHA256, 55,
      "736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab"
      "5be0cd1900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a0000000000"
      "000000000000000000000037",
      "c52739bb8db22470931486293c90bc81883562562c3a1ff3ceb31963e9fae3cc" },

    { REG_SHA256, 63,
      "736861036a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab"
      "5be0cd1900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d"
      "a4abb200000000000000003f",
      "d0a517c7183970b1dad32fcceff56df80099672085298176030e61bb70993c8c" },

    { REG_SHA256, 64,
      "736861036c69017d0ec50641de6d1abdce75003d11218e34b3c98da12ff25b89"
      "82156de400000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000040",
      "f203e9247ee12c7e1adde037a2b9366a82c4d9bc56988f78616a407f01a01b44" },

    { REG_SHA256, 65,
      "736861036c69017d0ec50641de6d1abdce75003d11218e34b3c98da12ff25b89"
      "82156de4c0000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000041",
      "043e74ac2b79fe3fe8019c93b1937c970c0186e8125c8fd9f89e212c119c6191" },

    { REG_SHA256, 1000003,
      "73686103a0909e725d09c60a9e5daef909b5c40e25697acb314503dfed314e88"
      "1ea60d1250575e00000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000f4243",
      "362d0f25df8e98942b5a0ef5e7ebf09d5972e59cd31bab7a5ba6c77dd3cb69b4" },

    { REG_SHA512, 0,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000000",
      "f4dfc75e79cbb13e8b3102147c9fab3597019317aa8b5fa44a0d3c15393a8a6a"
      "3311791ab8352ed3d0540730d41738f1fb2742215ebf55ebb25b893fb77b4bda" },

    { REG_SHA512, 1,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000001",
      "c5559c8da25f1f2e09d0294a036517d8c7f829c7c6366d01efdc46fdb3753636"
      "f3f9fbbfd1f8e67ea63455c73bd1cdafea0c5404dfd7b14a13647764cb2e2809" },

    { REG_SHA512, 55,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a0000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000037",
      "ba4ab8e1b840943fef8a8d83c8f8c4f08e6474302e3abe62dd4aed9cf9aa47f0"
      "01a7861a8c805c7c6c02f7d23e565356ef6388502f748e7ded3412b1a042fed1" },

    { REG_SHA512, 63,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d"
      "a4abb20000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "00000000000000000000003f",
      "f02d67ac824c402287d9369fc95054e1e18cb0155f8a6a17bc8f999462af2959"
      "17609f9cb7556d1051b98c8e0a13d5531a5f6895926d63d8d147e4f56a26b6ee" },

    { REG_SHA512, 64,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d"
      "a4abb2b900000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000040",
      "982dd69519647b3669c948240343211e7a6e3b1bb1507e9b0819a10ad343ca3a"
      "398811f1a68076fca26db5ed7438cc3ad0da02cb1747161136f45dca59377425" },

    { REG_SHA512, 65,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d"
      "a4abb2b9c0000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000041",
      "189d08ffb592668fef20a2ce7acf1cfbf2f8f825641be4498c3c8066c3732750"
      "8b34feed1e67bf196d46424bf301a6729313782f98fa9baafe43dfeb8c70e05f" },

    { REG_SHA512, 127,
      "736861076a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a"
      "5f1d36f1510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19"
      "137e217900070e151c232a31383f464d545b626970777e858c939aa1a8afb6bd"
      "c4cbd2d9e0e7eef5fc030a11181f262d343b424950575e656c737a81888f969d"
      "a4abb2b9c0c7ced5dce3eaf1f8ff060d141b222930373e454c535a61686f767d"
      "848b9299a0a7aeb5bcc3cad1d8dfe6edf4fb020910171e252c333a41484f565d"
      "646b7200000000000000007f",
      "6cf6980324e1a74e0cedac0ddddf2c294203fe692b1186b873e9fccd3f35f63f"
      "960c014c7d2e38cf4438dcfc8bf9849f9c964c2e2f3e2baa7707d03110b79d06" },

    { REG_SHA512, 128,
      "7368610717f3cd73af1e98c8e2e43207ae4eedc829753f7c0c0e2887d7ae2b4e"
      "9300d10081ce99044c37a06b2ac658ad3d949ff1856f2367c55d3dbffc7628a0"
      "302e703f00000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "000000000000000000000080",
      "a33b8b643648f1b17d017e50c45e03015627dd544139862aace6d9f93478af58"
      "af7eb5db4e95da6e26bfd58282060f26b4354b6d2e553229386a1c2f9521795b" },

    { REG_SHA512, 1000003,
      "736861072d3b42d9d90a5bf1baa0af275443d9a7c90712d02b174683755a3054"
      "785318c0fe6c1f563669e4fe87dbb4c982c0981de7123de95b795a1b75a553d5"
      "4cdbd64e8f969da4abb2b9c0c7ced5dce3eaf1f8ff060d141b222930373e454c"
      "535a61686f767d848b9299a0a7aeb5bcc3cad1d8e0e7eef5fc030a11181f262d"
      "343b424950575e00000000000000000000000000000000000000000000000000"
      "0000000000000000000000000000000000000000000000000000000000000000"
      "0000000000000000000f4243",
      "b176bfd93e8bfdc96e733075b2fc95b97116042afcafe36fe3d4d7fcfd8811ec"
      "cf84cf280df547bc2c1521e26cda7b05f15d1cb34fa2eb9b08cb97ec3c2dd5e2" },
};

#define VECTORS  (sizeof(vectors) / sizeof(vectors[0]))

static unsigned char  data[BYTES];


static int
make_data(void **state)
{
    (void) state;

    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (unsigned char) (i * 7 + i / 251);
    }

    return 0;
}


static size_t
unhex(const char *hex, unsigned char *out)
{
    size_t  n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char  byte[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

        out[i] = (unsigned char) strtoul(byte, NULL, 16);
    }

    return n;
}


static void
exported_states_are_those_of_go(void **state)
{
    unsigned char  want[REG_HASH_STATE_MAX], got[REG_HASH_STATE_MAX];
    reg_hash_t     h;

    (void) state;

    for (size_t i = 0; i < VECTORS; i++) {
        size_t  n = unhex(vectors[i].state, want);

        reg_hash_init(&h, vectors[i].alg);
        reg_hash_update(&h, data, vectors[i].offset);

        assert_int_equal(reg_hash_length(&h), vectors[i].offset);
        assert_int_equal(reg_hash_export(&h, got), n);
        assert_memory_equal(got, want, n);
    }
}


static void
states_of_go_are_taken_up_and_end_in_the_right_digest(void **state)
{
    unsigned char  bytes[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    reg_digest_t   d;

    (void) state;

    for (size_t i = 0; i < VECTORS; i++) {
        size_t  n = unhex(vectors[i].state, bytes);

        assert_int_equal(reg_hash_import(&h, vectors[i].alg, bytes, n), 0);
        assert_int_equal(reg_hash_length(&h), vectors[i].offset);

        reg_hash_update(&h, data + vectors[i].offset, 1000);
        reg_hash_digest(&h, &d);
        assert_string_equal(reg_digest_hex(&d), vectors[i].digest);
    }
}


static void
a_digest_resumed_at_any_cuts_is_the_same(void **state)
{
    unsigned char  bytes[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    reg_digest_t   whole, pieces;
    uint32_t       random = 12345;

    (void) state;

    for (int alg = 0; alg < REG_ALGS; alg++) {
        for (int round = 0; round < 300; round++) {
            size_t  len, done = 0, cut, n;

            random = random * 1664525 + 1013904223;
            len = (random >> 8) % 5000;

            reg_hash_init(&h, (reg_alg_t) alg);
            reg_hash_update(&h, data, len);
            reg_hash_digest(&h, &whole);

            reg_hash_init(&h, (reg_alg_t) alg);

            while (done < len) {
                random = random * 1664525 + 1013904223;
                cut = (random >> 8) % 300;
                cut = cut > len - done ? len - done : cut;

                reg_hash_update(&h, data + done, cut);
                done += cut;

                n = reg_hash_export(&h, bytes);
                memset(&h, 0xa5, sizeof(h));
                assert_int_equal(reg_hash_import(&h, (reg_alg_t) alg, bytes,
                                                 n), 0);
                assert_int_equal(reg_hash_length(&h), done);
            }

            reg_hash_digest(&h, &pieces);
            assert_true(reg_digest_eq(&whole, &pieces));
        }
    }
}


static void
asking_for_the_digest_does_not_end_the_hash(void **state)
{
    reg_hash_t    h;
    reg_digest_t  early, late, whole;

    (void) state;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_digest(&h, &early);
    assert_true(reg_digest_is_empty(&early));

    reg_hash_update(&h, data, 100);
    reg_hash_digest(&h, &early);
    reg_hash_update(&h, data + 100, 100);
    reg_hash_digest(&h, &late);

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, data, 200);
    reg_hash_digest(&h, &whole);

    assert_true(reg_digest_eq(&late, &whole));
    assert_false(reg_digest_eq(&late, &early));
}


static void
empty_updates_change_nothing(void **state)
{
    reg_hash_t    h;
    reg_digest_t  d;

    (void) state;

    reg_hash_init(&h, REG_SHA512);
    reg_hash_update(&h, NULL, 0);
    reg_hash_digest(&h, &d);
    assert_true(reg_digest_is_empty(&d));
    assert_int_equal(reg_hash_length(&h), 0);
}


static void
expect_refused(reg_alg_t alg, const unsigned char *bytes, size_t len)
{
    reg_hash_t    h;
    reg_digest_t  d;

    memset(&h, 0xa5, sizeof(h));
    assert_int_equal(reg_hash_import(&h, alg, bytes, len), -1);

    /* as after init */
    reg_hash_digest(&h, &d);
    assert_int_equal(d.alg, alg);
    assert_true(reg_digest_is_empty(&d));
    assert_int_equal(reg_hash_length(&h), 0);
}


static void
what_is_no_state_is_refused(void **state)
{
    unsigned char  bytes[REG_HASH_STATE_MAX + 1] = { 0 };
    reg_hash_t     h;
    size_t         n;

    (void) state;

    for (int alg = 0; alg < REG_ALGS; alg++) {
        reg_hash_init(&h, (reg_alg_t) alg);
        reg_hash_update(&h, data, 77);
        n = reg_hash_export(&h, bytes);

        for (size_t len = 0; len < n; len++) {
            expect_refused((reg_alg_t) alg, bytes, len);
        }

        expect_refused((reg_alg_t) alg, bytes, n + 1);
        expect_refused((reg_alg_t) (1 - alg), bytes, n);
        expect_refused((reg_alg_t) alg, NULL, 0);

        for (int i = 0; i < 4; i++) {
            bytes[i] ^= 1;
            expect_refused((reg_alg_t) alg, bytes, n);
            bytes[i] ^= 1;
        }

        memset(bytes + n - 8, 0xff, 8);
        expect_refused((reg_alg_t) alg, bytes, n);
    }
}


static void
a_length_beyond_all_files_is_refused(void **state)
{
    unsigned char  bytes[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    size_t         n;

    (void) state;

    for (int alg = 0; alg < REG_ALGS; alg++) {
        reg_hash_init(&h, (reg_alg_t) alg);
        n = reg_hash_export(&h, bytes);

        bytes[n - 8] = 0x10;                    /* 2^60 bytes are 2^63 bits */
        expect_refused((reg_alg_t) alg, bytes, n);

        bytes[n - 8] = 0x0f;
        assert_int_equal(reg_hash_import(&h, (reg_alg_t) alg, bytes, n), 0);
        assert_true(reg_hash_length(&h) == (int64_t) 0x0f << 56);
    }
}


static void
lengths_above_4_gib_survive(void **state)
{
    unsigned char  bytes[REG_HASH_STATE_MAX], again[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    size_t         n;

    (void) state;

    for (int alg = 0; alg < REG_ALGS; alg++) {
        reg_hash_init(&h, (reg_alg_t) alg);
        n = reg_hash_export(&h, bytes);
        memcpy(bytes + n - 8, "\x00\x00\x01\x23\x45\x67\x89\x80", 8);

        assert_int_equal(reg_hash_import(&h, (reg_alg_t) alg, bytes, n), 0);
        assert_true(reg_hash_length(&h) == 0x12345678980);
        reg_hash_update(&h, data, 256);
        assert_true(reg_hash_length(&h) == 0x12345678a80);
        assert_int_equal(reg_hash_export(&h, again), n);
        assert_memory_equal(again + n - 8,
                            "\x00\x00\x01\x23\x45\x67\x8a\x80", 8);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(exported_states_are_those_of_go),
        cmocka_unit_test(states_of_go_are_taken_up_and_end_in_the_right_digest),
        cmocka_unit_test(a_digest_resumed_at_any_cuts_is_the_same),
        cmocka_unit_test(asking_for_the_digest_does_not_end_the_hash),
        cmocka_unit_test(empty_updates_change_nothing),
        cmocka_unit_test(what_is_no_state_is_refused),
        cmocka_unit_test(a_length_beyond_all_files_is_refused),
        cmocka_unit_test(lengths_above_4_gib_survive),
    };

    return cmocka_run_group_tests(tests, make_data, NULL);
}
