/* reg_target: what a request is about (SECURITY.md S1, S2, S4). */

#include "reg_target.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


#define HEX   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UUID  "0f0e0d0c-0b0a-4908-8706-050403020100"


static reg_target_t  target;


static reg_error_code_t
parse_raw(const char *uri, const char *raw)
{
    reg_error_t  err = REG_ERROR_INIT;
    int          rc;

    rc = reg_target_parse(&target, reg_str_from(uri), reg_str_from(raw), &err);
    assert_int_equal(rc, err.code == REG_OK ? 0 : -1);

    return err.code;
}


static reg_error_code_t
parse(const char *uri)
{
    return parse_raw(uri, uri);
}


static void
the_base_is_found(void **state)
{
    (void) state;

    assert_int_equal(parse("/v2/"), REG_OK);
    assert_int_equal(target.kind, REG_TARGET_BASE);
    assert_int_equal(parse("/v2"), REG_OK);
    assert_int_equal(target.kind, REG_TARGET_BASE);
    assert_int_equal(parse_raw("/v2/", "/v2/?x=../.."), REG_OK);
}


static void
every_kind_is_found(void **state)
{
    static const struct {
        const char         *uri;
        reg_target_kind_t   kind;
        const char         *name;
    } rows[] = {
        { "/v2/_catalog", REG_TARGET_CATALOG, NULL },
        { "/v2/_health", REG_TARGET_HEALTH, NULL },
        { "/v2/a/b/tags/list", REG_TARGET_TAGS, "a/b" },
        { "/v2/a/b/manifests/latest", REG_TARGET_MANIFEST, "a/b" },
        { "/v2/a/b/manifests/sha256:" HEX, REG_TARGET_MANIFEST, "a/b" },
        { "/v2/a/b/blobs/sha256:" HEX, REG_TARGET_BLOB, "a/b" },
        { "/v2/a/b/blobs/uploads/", REG_TARGET_UPLOADS, "a/b" },
        { "/v2/a/b/blobs/uploads", REG_TARGET_UPLOADS, "a/b" },
        { "/v2/a/b/blobs/uploads/" UUID, REG_TARGET_UPLOAD, "a/b" },
        { "/v2/a/b/referrers/sha256:" HEX, REG_TARGET_REFERRERS, "a/b" },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].uri), REG_OK);
        assert_int_equal(target.kind, rows[i].kind);

        if (rows[i].name != NULL) {
            assert_string_equal(target.name.text, rows[i].name);
        }
    }

    assert_int_equal(parse("/v2/a/manifests/v1"), REG_OK);
    assert_false(target.ref.is_digest);
    assert_string_equal(target.ref.tag.text, "v1");

    assert_int_equal(parse("/v2/a/blobs/sha256:" HEX), REG_OK);
    assert_string_equal(target.digest.text, "sha256:" HEX);

    assert_int_equal(parse("/v2/a/blobs/uploads/" UUID), REG_OK);
    assert_string_equal(target.uuid, UUID);
}


static void
words_of_the_api_may_be_parts_of_names(void **state)
{
    static const struct {
        const char         *uri;
        reg_target_kind_t   kind;
        const char         *name;
    } rows[] = {
        { "/v2/blobs/blobs/uploads/", REG_TARGET_UPLOADS, "blobs" },
        { "/v2/tags/list/tags/list", REG_TARGET_TAGS, "tags/list" },
        { "/v2/manifests/manifests/tags/list", REG_TARGET_TAGS,
          "manifests/manifests" },
        { "/v2/a/manifests/manifests/list", REG_TARGET_MANIFEST,
          "a/manifests" },
        { "/v2/a/blobs/uploads/manifests/x", REG_TARGET_MANIFEST,
          "a/blobs/uploads" },
        { "/v2/a/blobs/uploads/blobs/sha256:" HEX, REG_TARGET_BLOB,
          "a/blobs/uploads" },
        { "/v2/a/blobs/uploads/blobs/uploads/" UUID, REG_TARGET_UPLOAD,
          "a/blobs/uploads" },
        { "/v2/v2/tags/list", REG_TARGET_TAGS, "v2" },
        { "/v2/a/referrers/tags/list", REG_TARGET_TAGS, "a/referrers" },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].uri), REG_OK);
        assert_int_equal(target.kind, rows[i].kind);
        assert_string_equal(target.name.text, rows[i].name);
    }
}


static void
what_is_no_route_is_not_found(void **state)
{
    static const char  *bad[] = {
        "", "/", "/v1/", "/v2x", "v2/", "/V2/", "/v2/a", "/v2/a/b", "/v2/tags",
        "/v2/a/tags", "/v2/a/tags/", "/v2/a/tags/list/", "/v2/a/tags/lists",
        "/v2/_catalog/", "/v2/a/uploads/" UUID, "/v2/a/b/uploads/", "/v2//",
        "/v2/a/blob/sha256:" HEX, "/v3/a/tags/list", "/v2/_catalo"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reg_error_code_t  code = parse(bad[i]);

        assert_true(code == REG_NOT_FOUND || code == REG_NAME_INVALID);
    }

    assert_int_equal(parse("/v1/a/tags/list"), REG_NOT_FOUND);
    assert_int_equal(parse("/v2/a/b"), REG_NOT_FOUND);
}


static void
hostile_names_are_invalid(void **state)
{
    static const char  *names[] = {
        "A", "a/../b", "..", ".", "a//b", "-a", "_layers", "a/_layers",
        "_uploads", "a/_uploads/x", "a%00b", "a b", "a\rb", "a\nb", "/etc",
        "a/", "", "a:b", "a..b", "\xc3\xa9"
    };
    static const char  *ends[] = {
        "tags/list", "manifests/x", "manifests/sha256:" HEX,
        "blobs/sha256:" HEX, "blobs/uploads/", "blobs/uploads/" UUID,
        "referrers/sha256:" HEX
    };

    char  uri[512];

    (void) state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
            (void) snprintf(uri, sizeof(uri), "/v2/%s/%s", names[i], ends[k]);
            assert_int_equal(parse(uri), REG_NAME_INVALID);
        }
    }

    /* without the name's slash too */
    assert_int_equal(parse("/v2/tags/list"), REG_NAME_INVALID);
    assert_int_equal(parse("/v2/manifests/x"), REG_NAME_INVALID);
    assert_int_equal(parse("/v2/blobs/uploads/"), REG_NAME_INVALID);
}


static void
a_nul_in_the_path_is_no_end_of_it(void **state)
{
    static const char  uri[] = "/v2/a/tags/list\0/../../b";
    static const char  name[] = "/v2/a\0b/tags/list";

    reg_error_t  err = REG_ERROR_INIT;

    (void) state;

    assert_int_equal(reg_target_parse(&target,
                                      (reg_str_t) { sizeof(uri) - 1, uri },
                                      REG_STR("/v2/a/tags/list"), &err), -1);

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_target_parse(&target,
                                      (reg_str_t) { sizeof(name) - 1, name },
                                      REG_STR("/v2/a"), &err), -1);
    assert_int_equal(err.code, REG_NAME_INVALID);
}


static void
a_name_of_256_bytes_is_invalid(void **state)
{
    char  uri[300];

    (void) state;

    memset(uri, 'a', sizeof(uri));
    memcpy(uri, "/v2/", 4);
    memcpy(uri + 4 + 255, "/tags/list", 11);
    assert_int_equal(parse(uri), REG_OK);
    assert_int_equal(target.name.len, 255);

    memset(uri, 'a', sizeof(uri));
    memcpy(uri, "/v2/", 4);
    memcpy(uri + 4 + 256, "/tags/list", 11);
    assert_int_equal(parse(uri), REG_NAME_INVALID);
}


/* What the client wrote is looked at, not only what nginx made of it. */
static void
what_normalization_would_hide_is_invalid(void **state)
{
    static const char  *raws[] = {
        "/v2/a/../a/tags/list", "/v2/x/../a/tags/list", "/v2/./a/tags/list",
        "/v2/a/./tags/list", "/v2//a/tags/list", "/v2/a//tags/list",
        "//v2/a/tags/list", "/v2/x/%2e%2e/a/tags/list",
        "/v2/x/%2E%2e/a/tags/list", "/v2/x/.%2e/a/tags/list",
        "/v2/%2fa/tags/list", "/v2%2Fa/tags/list", "/v2/a%5C/tags/list",
        "/v2/a%00/tags/list", "/v2/a/tags/list/..", "/v2/a/tags/list/.",
        "/v2/a/tags/list//", "/v2/a/tags/list/x/..?n=1", "/../v2/a/tags/list",
        "/v2/a/tags/list#/../..", "/v2/a/tags//list?"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(raws) / sizeof(raws[0]); i++) {
        assert_int_equal(parse_raw("/v2/a/tags/list", raws[i]),
                         REG_NAME_INVALID);
    }
}


static void
what_is_encoded_needlessly_is_taken(void **state)
{
    (void) state;

    assert_int_equal(parse_raw("/v2/a/tags/list", "/v2/%61/tags/list"),
                     REG_OK);
    assert_int_equal(parse_raw("/v2/a/blobs/sha256:" HEX,
                               "/v2/a/blobs/sha256%3A" HEX), REG_OK);
    assert_int_equal(parse_raw("/v2/a.b/tags/list", "/v2/a.b/tags/list"),
                     REG_OK);
}


static void
the_query_is_no_part_of_the_path(void **state)
{
    (void) state;

    assert_int_equal(parse_raw("/v2/a/tags/list",
                               "/v2/a/tags/list?last=..%2f//&x=/../%00"),
                     REG_OK);
    assert_int_equal(parse_raw("/v2/a/blobs/uploads/",
                               "/v2/a/blobs/uploads/?digest=sha256%3A&from="
                               "b%2Fc"), REG_OK);
    assert_int_equal(parse_raw("/v2/a/blobs/uploads/", ""), REG_OK);
}


static void
odd_references_have_the_codes_of_the_spec(void **state)
{
    static const struct {
        const char        *uri;
        reg_error_code_t   code;
    } rows[] = {
        { "/v2/a/manifests/", REG_MANIFEST_INVALID },
        { "/v2/a/manifests/.x", REG_MANIFEST_INVALID },
        { "/v2/a/manifests/-x", REG_MANIFEST_INVALID },
        { "/v2/a/manifests/x y", REG_MANIFEST_INVALID },
        { "/v2/a/manifests/x\r\ny", REG_MANIFEST_INVALID },
        { "/v2/a/manifests/sha256:", REG_DIGEST_INVALID },
        { "/v2/a/manifests/sha256:E3B0", REG_DIGEST_INVALID },
        { "/v2/a/manifests/md5:d41d8cd98f00b204e9800998ecf8427e",
          REG_DIGEST_INVALID },
        { "/v2/a/blobs/", REG_DIGEST_INVALID },
        { "/v2/a/blobs/latest", REG_DIGEST_INVALID },
        { "/v2/a/blobs/sha256:" HEX "0", REG_DIGEST_INVALID },
        { "/v2/a/blobs/SHA256:" HEX, REG_DIGEST_INVALID },
        { "/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e",
          REG_DIGEST_INVALID },
        { "/v2/a/referrers/latest", REG_DIGEST_INVALID },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].uri), rows[i].code);
    }
}


static void
a_tag_of_129_bytes_is_invalid(void **state)
{
    char  uri[200] = "/v2/a/manifests/";

    (void) state;

    memset(uri + 16, 't', 129);
    assert_int_equal(parse(uri), REG_MANIFEST_INVALID);
    uri[16 + 128] = '\0';
    assert_int_equal(parse(uri), REG_OK);
}


static void
odd_uuids_are_unknown_uploads(void **state)
{
    static const char  *bad[] = {
        "x", "..", "0f0e0d0c-0b0a-4908-8706-05040302010",
        "0f0e0d0c-0b0a-4908-8706-0504030201000",
        "0F0E0D0C-0B0A-4908-8706-050403020100",
        "0f0e0d0c00b0a-4908-8706-050403020100",
        "0f0e0d0c-0b0a-4908-8706-05040302010g",
        "------------------------------------", "_state", ("sha256:" HEX)
    };

    char  uri[256];

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) snprintf(uri, sizeof(uri), "/v2/a/blobs/uploads/%s", bad[i]);
        assert_int_equal(parse_raw(uri, "/v2/a"), REG_BLOB_UPLOAD_UNKNOWN);
    }
}


static void
a_uuid_of_4_kib_is_an_unknown_upload(void **state)
{
    static char  uri[5000] = "/v2/a/blobs/uploads/";

    (void) state;

    memset(uri + strlen(uri), 'a', 4096);
    assert_int_equal(parse(uri), REG_BLOB_UPLOAD_UNKNOWN);
}


static void
uuids_are_lower_case_hexadecimal_in_five_groups(void **state)
{
    char  text[] = UUID;

    (void) state;

    assert_true(reg_uuid_valid(REG_STR(UUID)));
    assert_false(reg_uuid_valid(REG_STR_NULL));

    for (size_t i = 0; i < REG_UUID_LEN; i++) {
        char  kept = text[i];

        text[i] = kept == '-' ? '0' : '-';
        assert_false(reg_uuid_valid(reg_str_from(text)));
        text[i] = '/';
        assert_false(reg_uuid_valid(reg_str_from(text)));
        text[i] = '\0';
        assert_false(reg_uuid_valid((reg_str_t) { REG_UUID_LEN, text }));
        text[i] = kept;
    }
}


static void
random_paths_never_confuse_the_parser(void **state)
{
    static const char  *words[] = {
        "/", "/v2/", "a", "blobs", "uploads", "manifests", "tags", "list",
        "..", ".", "_catalog", "%2e", "%", "?", "#", "referrers", UUID,
        ("sha256:" HEX), "sha512:", ":", "-", "_", "\r\n", "\xff", "A"
    };

    uint32_t     random = 1;
    char         uri[1024];
    size_t       len;

    (void) state;

    for (int i = 0; i < 200000; i++) {
        reg_error_t  err = REG_ERROR_INIT;
        reg_name_t   again;

        len = (size_t) snprintf(uri, sizeof(uri), "/v2/");

        for (int k = 0; k < 8; k++) {
            const char  *word;

            random = random * 1664525 + 1013904223;
            word = words[(random >> 8) % (sizeof(words) / sizeof(words[0]))];

            if (len + strlen(word) < sizeof(uri)) {
                memcpy(uri + len, word, strlen(word));
                len += strlen(word);
            }
        }

        if (reg_target_parse(&target, (reg_str_t) { len, uri },
                             (reg_str_t) { len, uri }, &err) == -1)
        {
            assert_true(err.code == REG_NAME_INVALID
                        || err.code == REG_DIGEST_INVALID
                        || err.code == REG_MANIFEST_INVALID
                        || err.code == REG_BLOB_UPLOAD_UNKNOWN
                        || err.code == REG_NOT_FOUND);

        } else if (target.kind != REG_TARGET_BASE
                   && target.kind != REG_TARGET_CATALOG)
        {
            assert_int_equal(reg_name_parse(&again,
                                            reg_name_str(&target.name)), 0);
            assert_memory_equal(uri + 4, target.name.text, target.name.len);
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_base_is_found),
        cmocka_unit_test(every_kind_is_found),
        cmocka_unit_test(words_of_the_api_may_be_parts_of_names),
        cmocka_unit_test(what_is_no_route_is_not_found),
        cmocka_unit_test(hostile_names_are_invalid),
        cmocka_unit_test(a_nul_in_the_path_is_no_end_of_it),
        cmocka_unit_test(a_name_of_256_bytes_is_invalid),
        cmocka_unit_test(what_normalization_would_hide_is_invalid),
        cmocka_unit_test(what_is_encoded_needlessly_is_taken),
        cmocka_unit_test(the_query_is_no_part_of_the_path),
        cmocka_unit_test(odd_references_have_the_codes_of_the_spec),
        cmocka_unit_test(a_tag_of_129_bytes_is_invalid),
        cmocka_unit_test(odd_uuids_are_unknown_uploads),
        cmocka_unit_test(a_uuid_of_4_kib_is_an_unknown_upload),
        cmocka_unit_test(uuids_are_lower_case_hexadecimal_in_five_groups),
        cmocka_unit_test(random_paths_never_confuse_the_parser),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
