/* reg_manifest: reads a manifest when it is pushed (SECURITY.md S5). */

#include "reg_manifest.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_revision.h"


#define HEX     "e3b0c44298fc1c149afbf4c8996fb924" \
                "27ae41e4649b934ca495991b7852b855"
#define HEX512  HEX HEX
#define OCI     "application/vnd.oci.image.manifest.v1+json"
#define INDEX   "application/vnd.oci.image.index.v1+json"
#define DOCKER  "application/vnd.docker.distribution.manifest.v2+json"
#define LIST    "application/vnd.docker.distribution.manifest.list.v2+json"
#define OLD     "application/vnd.docker.distribution.manifest.v1+prettyjws"

#define DESC    "{\"mediaType\":\"application/x\",\"digest\":\"sha256:" HEX   \
                "\",\"size\":7}"
#define V2      "\"schemaVersion\":2"
#define CONFIG  "\"config\":" DESC


static reg_manifest_t  m = REG_MANIFEST_INIT;
static reg_error_t     err;


static int
parse_n(const char *body, size_t len, const char *type)
{
    reg_manifest_free(&m);
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_manifest_parse(&m, (reg_str_t) { len, body },
                              reg_str_from(type), &err);
}


static void
expect_good(const char *body, const char *type)
{
    if (parse_n(body, strlen(body), type) == -1) {
        print_message("%s\n%s\n", body, reg_error_message(&err));
        fail();
    }

    assert_int_equal(err.code, REG_OK);
}


static void
expect_bad(const char *body, const char *type)
{
    if (parse_n(body, strlen(body), type) == 0) {
        print_message("%s\n", body);
        fail();
    }

    assert_int_equal(err.code, REG_MANIFEST_INVALID);
    assert_string_not_equal(err.message, "");
    assert_int_equal(m.nrefs, 0);
    assert_null(m.refs);
}


static int
free_it(void **state)
{
    (void) state;
    reg_manifest_free(&m);
    return 0;
}


static void
an_oci_image_is_read(void **state)
{
    (void) state;

    expect_good("{" V2 "," CONFIG ",\"layers\":[" DESC ",{\"digest\":\"sha512:"
                HEX512 "\",\"size\":0}],\"x\":{\"y\":[1,2.5,null,true]}}",
                OCI);

    assert_ptr_equal(m.type, reg_mediatype_oci_image);
    assert_int_equal(m.nrefs, 3);
    assert_int_equal(m.refs[0].kind, REG_REF_BLOB);
    assert_int_equal(m.refs[0].size, 7);
    assert_string_equal(m.refs[0].digest.text, "sha256:" HEX);
    assert_int_equal(m.refs[2].digest.alg, REG_SHA512);
    assert_int_equal(m.refs[2].size, 0);
    assert_false(m.has_subject);
}


static void
an_index_is_read_with_its_platforms(void **state)
{
    (void) state;

    expect_good("{" V2 ",\"manifests\":["
                "{\"digest\":\"sha256:" HEX "\",\"size\":1,\"platform\":"
                "{\"os\":\"linux\",\"architecture\":\"amd64\"}},"
                "{\"digest\":\"sha256:" HEX "\",\"size\":1,\"platform\":"
                "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":"
                "\"v7\"}},"
                "{\"digest\":\"sha256:" HEX "\",\"size\":1},"
                "{\"digest\":\"sha256:" HEX "\",\"size\":1,\"platform\":"
                "\"odd\"}]}", INDEX);

    assert_int_equal(m.nrefs, 4);
    assert_int_equal(m.refs[0].kind, REG_REF_MANIFEST);
    assert_string_equal(m.refs[0].platform, "linux/amd64");
    assert_string_equal(m.refs[1].platform, "linux/arm/v7");
    assert_string_equal(m.refs[2].platform, "");
    assert_string_equal(m.refs[3].platform, "");
}


static void
docker_s_types_are_read(void **state)
{
    (void) state;

    expect_good("{" V2 ",\"mediaType\":\"" DOCKER "\"," CONFIG ",\"layers\":[]"
                "}", DOCKER);
    expect_good("{" V2 ",\"mediaType\":\"" LIST "\",\"manifests\":[]}", LIST);
    expect_good("{" V2 ",\"mediaType\":\"" LIST "\",\"manifests\":[]}", "");
    expect_good("{" V2 ",\"mediaType\":\"" LIST "\",\"manifests\":[]}",
                LIST "; charset=utf-8");
}


static void
a_subject_is_read(void **state)
{
    (void) state;

    expect_good("{" V2 ",\"mediaType\":\"" OCI "\"," CONFIG ",\"layers\":[],"
                "\"subject\":" DESC "}", OCI);
    assert_true(m.has_subject);
    assert_string_equal(m.subject.text, "sha256:" HEX);

    expect_bad("{" V2 "," CONFIG ",\"layers\":[],\"subject\":{}}", OCI);
    expect_bad("{" V2 "," CONFIG ",\"layers\":[],\"subject\":7}", OCI);
}


static void
foreign_layers_are_told_from_ours(void **state)
{
    (void) state;

    expect_good("{" V2 "," CONFIG ",\"layers\":["
                "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign."
                "diff.tar.gzip\",\"digest\":\"sha256:" HEX "\",\"size\":1},"
                "{\"mediaType\":\"application/vnd.oci.image.layer."
                "nondistributable.v1.tar\",\"digest\":\"sha256:" HEX "\","
                "\"size\":1}," DESC "]}", OCI);

    assert_int_equal(m.refs[1].kind, REG_REF_FOREIGN);
    assert_int_equal(m.refs[2].kind, REG_REF_FOREIGN);
    assert_int_equal(m.refs[3].kind, REG_REF_BLOB);
}


static void
a_nul_byte_is_refused_wherever_it_stands(void **state)
{
    static const char  good[] = "{" V2 "," CONFIG ",\"x\":[1 , true ]}";

    char  body[sizeof(good) + 1];

    (void) state;

    for (size_t i = 0; i < sizeof(good); i++) {
        memcpy(body, good, i);
        body[i] = '\0';
        memcpy(body + i + 1, good + i, sizeof(good) - i);

        assert_int_equal(parse_n(body, sizeof(good), OCI), -1);
        assert_int_equal(err.code, REG_MANIFEST_INVALID);
    }
}


static void
nulls_count_as_absent(void **state)
{
    (void) state;

    expect_good("{" V2 "," CONFIG ",\"layers\":null,\"subject\":null}", OCI);
    expect_good("{" V2 ",\"manifests\":null}", INDEX);
    expect_good("{" V2 "," CONFIG ",\"layers\":[],\"manifests\":null}", OCI);
}


/* CVE-2021-41190 */
static void
what_could_be_read_as_two_kinds_is_refused(void **state)
{
    (void) state;

    expect_bad("{" V2 "," CONFIG ",\"layers\":[],\"manifests\":[]}", OCI);
    expect_bad("{" V2 "," CONFIG ",\"layers\":[],\"manifests\":[]}", INDEX);
    expect_bad("{" V2 ",\"layers\":[],\"manifests\":[]}", INDEX);
    expect_bad("{" V2 "," CONFIG ",\"manifests\":[]}", INDEX);
    expect_bad("{" V2 "," CONFIG ",\"layers\":[]}", INDEX);
    expect_bad("{" V2 ",\"manifests\":[]}", OCI);
    expect_bad("{" V2 "," CONFIG ",\"layers\":[],\"manifests\":{}}", OCI);
    expect_bad("{" V2 ",\"manifests\":[],\"config\":7}", INDEX);
}


static void
a_media_type_unlike_the_content_type_is_refused(void **state)
{
    (void) state;

    expect_bad("{" V2 ",\"mediaType\":\"" OCI "\"," CONFIG ",\"layers\":[]}",
               DOCKER);
    expect_bad("{" V2 ",\"mediaType\":\"" DOCKER "\"," CONFIG ",\"layers\":[]"
               "}", OCI);
    expect_bad("{" V2 ",\"mediaType\":\"application/json\"," CONFIG
               ",\"layers\":[]}", OCI);
    expect_bad("{" V2 ",\"mediaType\":7," CONFIG ",\"layers\":[]}", OCI);
    expect_bad("{" V2 ",\"mediaType\":\"\"," CONFIG ",\"layers\":[]}", OCI);
    expect_bad("{" V2 "," CONFIG ",\"layers\":[]}", DOCKER);
    expect_bad("{" V2 "," CONFIG ",\"layers\":[]}", "application/json");
    expect_bad("{" V2 "," CONFIG ",\"layers\":[]}", "");
}


static void
schema_1_is_refused_with_advice(void **state)
{
    (void) state;

    expect_bad("{\"schemaVersion\":1,\"fsLayers\":[]}", OLD);
    assert_non_null(strstr(err.message, "schema 1"));
    expect_bad("{\"schemaVersion\":1,\"fsLayers\":[]}", "");
    assert_non_null(strstr(err.message, "schema 1"));
    expect_bad("{" V2 "}", OLD);
    assert_non_null(strstr(err.message, "schema 1"));
}


static void
other_versions_are_refused(void **state)
{
    static const char  *versions[] = {
        "0", "3", "-2", "2.0", "\"2\"", "null", "true", "[2]",
        "18446744073709551618"
    };

    char  body[512];

    (void) state;

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        (void) snprintf(body, sizeof(body), "{\"schemaVersion\":%s," CONFIG
                        ",\"layers\":[]}", versions[i]);
        expect_bad(body, OCI);
    }

    expect_bad("{" CONFIG ",\"layers\":[]}", OCI);
}


static void
odd_sizes_are_refused(void **state)
{
    static const char  *sizes[] = {
        "-1", "9223372036854775808", "18446744073709551615", "1.5", "1e3",
        "\"7\"", "null", "[]", "{}", "true", "-9223372036854775809"
    };

    char  body[512];

    (void) state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        (void) snprintf(body, sizeof(body), "{" V2 "," CONFIG ",\"layers\":["
                        "{\"digest\":\"sha256:" HEX "\",\"size\":%s}]}",
                        sizes[i]);
        expect_bad(body, OCI);
    }

    expect_bad("{" V2 ",\"config\":{\"digest\":\"sha256:" HEX "\"}}", OCI);
    expect_good("{" V2 ",\"config\":{\"digest\":\"sha256:" HEX "\",\"size\":"
                "9223372036854775807}}", OCI);
    assert_true(m.refs[0].size == INT64_MAX);
}


static void
odd_digests_are_refused(void **state)
{
    static const char  *digests[] = {
        "\"\"", "\"sha256:\"", "\"md5:d41d8cd98f00b204e9800998ecf8427e\"",
        "\"sha384:" HEX "\"", "\"SHA256:" HEX "\"", "\"sha256:" HEX "0\"",
        "\"sha256:../../../../etc/passwd\"", "7", "null", "[]",
        "\"sha256:" HEX "\\u0000\"", "\"sha256:" HEX "\\n\"",
        ("\"sha256:E3B0C44298FC1C149AFBF4C8996FB924"
         "27AE41E4649B934CA495991B7852B855\"")
    };

    char  body[512];

    (void) state;

    for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
        (void) snprintf(body, sizeof(body), "{" V2 ",\"config\":{\"digest\":"
                        "%s,\"size\":1}}", digests[i]);
        expect_bad(body, OCI);
        (void) snprintf(body, sizeof(body), "{" V2 ",\"manifests\":[" DESC
                        ",{\"digest\":%s,\"size\":1}]}", digests[i]);
        expect_bad(body, INDEX);
    }
}


static void
odd_shapes_are_refused(void **state)
{
    static const char  *bodies[] = {
        "", " ", "{", "}", "[]", "null", "7", "\"x\"", "{}", "{" V2 "}",
        "{" V2 ",}", "{" V2 "," CONFIG ",\"layers\":{}}",
        "{" V2 "," CONFIG ",\"layers\":\"x\"}",
        "{" V2 "," CONFIG ",\"layers\":[7]}",
        "{" V2 "," CONFIG ",\"layers\":[null]}",
        "{" V2 "," CONFIG ",\"layers\":[[]]}",
        "{" V2 ",\"config\":[],\"layers\":[]}",
        "{" V2 ",\"config\":null,\"layers\":[]}",
        "{" V2 ",\"layers\":[]}", "{" V2 "," CONFIG "} trailing",
        "{" V2 "," CONFIG "}{}", "{'" V2 "'}", "{schemaVersion:2}",
        "{" V2 "," CONFIG ",\"x\":NaN}", "{" V2 "," CONFIG ",\"x\":01}",
        "// c\n{" V2 "," CONFIG "}"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        expect_bad(bodies[i], OCI);
    }

    expect_bad("{" V2 "}", INDEX);
    expect_bad("{" V2 ",\"manifests\":7}", INDEX);
    expect_bad("{" V2 ",\"manifests\":{}}", INDEX);
}


static void
duplicate_keys_are_refused(void **state)
{
    (void) state;

    expect_bad("{" V2 "," V2 "," CONFIG "}", OCI);
    expect_bad("{" V2 "," CONFIG "," CONFIG "}", OCI);
    expect_bad("{" V2 "," CONFIG ",\"x\":{\"a\":1,\"a\":2}}", OCI);
    expect_bad("{" V2 "," CONFIG ",\"x\":{\"a\":1,\"\\u0061\":2}}", OCI);
}


static void
what_is_not_utf8_is_refused(void **state)
{
    static const char  *odd[] = {
        "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
        "\x80", "\\ud800", "\\udc00\\ud800", "\x01", "\n"
    };

    char  body[512];

    (void) state;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        (void) snprintf(body, sizeof(body), "{" V2 "," CONFIG ",\"x\":\"%s\"}",
                        odd[i]);
        expect_bad(body, OCI);
    }

    /* jansson has no place for a NUL in a key */
    expect_bad("{" V2 "," CONFIG ",\"a\\u0000b\":1}", OCI);
    expect_good("{" V2 "," CONFIG ",\"x\":\"a\\u0000\xe2\x82\xac\"}", OCI);
}


/* {"schemaVersion":2,"config":{…},"x":[[…]]} */
static size_t
nested(char *out, size_t size, size_t depth)
{
    size_t  n = (size_t) snprintf(out, size, "{" V2 "," CONFIG ",\"x\":");

    memset(out + n, '[', depth);
    memset(out + n + depth, ']', depth);
    out[n + 2 * depth] = '}';

    return n + 2 * depth + 1;
}


static void
depth_is_bounded(void **state)
{
    size_t  len = REG_MANIFEST_MAX;
    char   *body = malloc(len + 1);

    (void) state;

    assert_non_null(body);

    for (size_t depth = 28; depth <= 36; depth++) {
        size_t  n = nested(body, len, depth);

        /* the object is a level too */
        assert_int_equal(parse_n(body, n, OCI), depth + 1 <= 32 ? 0 : -1);
    }

    memset(body, '[', len);
    assert_int_equal(parse_n(body, len, OCI), -1);
    assert_int_equal(err.code, REG_MANIFEST_INVALID);

    for (size_t i = 0; i + 5 <= len; i += 5) {
        memcpy(body + i, "{\"a\":", 5);
    }

    assert_int_equal(parse_n(body, len, OCI), -1);
    free(body);
}


/* Memory that is in use now. */
static size_t
in_use(void)
{
    struct mallinfo2  info = mallinfo2();

    return info.uordblks + info.hblkhd;
}


static void
a_million_values_are_refused_and_cost_nothing(void **state)
{
    static const char  *units[] = { "1,", "[],", "\"\",", "{},", "{\"a\":1}," };

    size_t  len = REG_MANIFEST_MAX, before;
    char   *body = malloc(len + 1);

    (void) state;

    assert_non_null(body);
    before = in_use();

    for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
        size_t  n = (size_t) snprintf(body, len, "{" V2 "," CONFIG ",\"x\":[");
        size_t  step = strlen(units[u]);

        while (n + step + 4 < len) {
            memcpy(body + n, units[u], step);
            n += step;
        }

        memcpy(body + n, "0]}", 3);
        assert_int_equal(parse_n(body, n + 3, OCI), -1);
        assert_int_equal(err.code, REG_MANIFEST_INVALID);
        assert_non_null(strstr(err.message, "values"));
        assert_true(in_use() <= before + 65536);
    }

    free(body);
}


static void
a_hundred_thousand_distinct_keys_are_read_in_time(void **state)
{
    size_t   len = REG_MANIFEST_MAX;
    char    *body = malloc(len + 1);
    size_t   n;
    clock_t  start = clock();

    (void) state;

    assert_non_null(body);
    n = (size_t) snprintf(body, len, "{" V2 "," CONFIG ",\"x\":{\"k\":0");

    for (int i = 0; i < 100000; i++) {
        n += (size_t) snprintf(body + n, len - n, ",\"k%d\":%d", i, i);
    }

    n += (size_t) snprintf(body + n, len - n, "}}");

    assert_int_equal(parse_n(body, n, OCI), 0);
    assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
    free(body);
}


static void
brackets_in_strings_are_no_depth(void **state)
{
    (void) state;

    expect_good("{" V2 "," CONFIG ",\"x\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                "[[[[[[[[[\\\"[[[[{{{{\\\\\"}", OCI);
}


static void
the_type_of_stored_bytes_is_found(void **state)
{
    static const struct {
        const char  *body;
        const char  *type;
    } rows[] = {
        { "{" V2 ",\"mediaType\":\"" DOCKER "\"," CONFIG "}", DOCKER },
        { "{" V2 ",\"mediaType\":\"" LIST "\",\"manifests\":[]}", LIST },
        { "{" V2 "," CONFIG ",\"layers\":[]}", OCI },
        { "{" V2 ",\"manifests\":[]}", INDEX },
        { "{\"schemaVersion\":1,\"fsLayers\":[]}", OLD },
        { "{" V2 "}", NULL },
        { "[]", NULL },
        { "", NULL },
        { "\x7f" "ELF", NULL },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const reg_mediatype_t  *type;

        type = reg_manifest_type(reg_str_from(rows[i].body));

        if (rows[i].type == NULL) {
            assert_null(type);
        } else {
            assert_ptr_equal(type,
                             reg_mediatype_find(reg_str_from(rows[i].type)));
        }
    }

    assert_null(reg_manifest_type(REG_STR_NULL));
}


static void
a_manifest_may_be_freed_twice(void **state)
{
    (void) state;

    expect_good("{" V2 "," CONFIG ",\"layers\":[" DESC "]}", OCI);
    reg_manifest_free(&m);
    reg_manifest_free(&m);
    assert_null(m.refs);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(an_oci_image_is_read),
        cmocka_unit_test(an_index_is_read_with_its_platforms),
        cmocka_unit_test(docker_s_types_are_read),
        cmocka_unit_test(a_subject_is_read),
        cmocka_unit_test(foreign_layers_are_told_from_ours),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_stands),
        cmocka_unit_test(nulls_count_as_absent),
        cmocka_unit_test(what_could_be_read_as_two_kinds_is_refused),
        cmocka_unit_test(a_media_type_unlike_the_content_type_is_refused),
        cmocka_unit_test(schema_1_is_refused_with_advice),
        cmocka_unit_test(other_versions_are_refused),
        cmocka_unit_test(odd_sizes_are_refused),
        cmocka_unit_test(odd_digests_are_refused),
        cmocka_unit_test(odd_shapes_are_refused),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_million_values_are_refused_and_cost_nothing),
        cmocka_unit_test(a_hundred_thousand_distinct_keys_are_read_in_time),
        cmocka_unit_test(brackets_in_strings_are_no_depth),
        cmocka_unit_test(the_type_of_stored_bytes_is_found),
        cmocka_unit_test(a_manifest_may_be_freed_twice),
    };

    return cmocka_run_group_tests(tests, NULL, free_it);
}
