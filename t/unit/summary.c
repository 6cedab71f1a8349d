/* reg_summary: what a list of images shows of each. */

#include "reg_summary.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_revision.h"
#include "tree.h"


#define IMAGE  "application/vnd.oci.image.manifest.v1+json"
#define INDEX  "application/vnd.oci.image.index.v1+json"
#define LAYER  "sha256:" \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


static reg_summaries_t  *summaries;
static reg_summary_t     s;
static reg_error_t       err;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    summaries = reg_summary_create(1 << 20, &err);

    return summaries != NULL ? tree_renew(state) : -1;
}


static int
give_up(void **state)
{
    (void) state;

    reg_summary_free(summaries);
    return 0;
}


/* Content, and the repository's right to it. */
static reg_digest_t
store_config(const char *repository, reg_str_t text)
{
    reg_digest_t  d = tree_digest(REG_SHA256, text);
    reg_name_t    name = tree_name(repository);
    reg_path_t    path;

    reg_layout_blob(&path, &tree_store.v2, &d);
    assert_int_equal(tree_write(path.text, text.data, text.len), 0);
    reg_layout_layer(&path, &tree_store.v2, &name, &d);
    assert_int_equal(tree_write(path.text, d.text, strlen(d.text)), 0);

    return d;
}


static reg_digest_t
store_manifest(const char *repository, const char *text)
{
    reg_digest_t  d = tree_digest(REG_SHA256, reg_str_from(text));
    reg_name_t    name = tree_name(repository);

    assert_int_equal(tree_push(&name, &d, reg_str_from(text),
                     NULL, 0, &err), 0);

    return d;
}


static reg_digest_t
store_image(const char *repository, const reg_digest_t *config)
{
    char  text[1024];

    (void) snprintf(text, sizeof(text), "{\"schemaVersion\":2,\"mediaType\":\""
                    IMAGE "\",\"config\":{\"mediaType\":\"x/y\",\"digest\":"
                    "\"%s\",\"size\":100},\"layers\":[{\"mediaType\":\"x/y\","
                    "\"digest\":\"" LAYER "\",\"size\":2000},{\"mediaType\":"
                    "\"x/y\",\"digest\":\"" LAYER "\",\"size\":30000}]}",
                    config->text);

    return store_manifest(repository, text);
}


static int
get(const char *repository, const reg_digest_t *d)
{
    reg_name_t  name = tree_name(repository);

    err = (reg_error_t) REG_ERROR_INIT;

    return reg_summary_get(summaries, &tree_store, &name, d, &s, &err);
}


static void
forget(const reg_digest_t *d)
{
    reg_path_t  path;

    reg_layout_blob(&path, &tree_store.v2, d);
    assert_int_equal(unlink(path.text), 0);
}


static void
an_image_is_summed_up(void **state)
{
    reg_digest_t  config = store_config("a", REG_STR(
        "{\"created\":\"2024-05-06T07:08:09.123456789Z\",\"os\":\"linux\","
        "\"architecture\":\"arm64\",\"variant\":\"v8\",\"x\":[1,{}]}"));
    reg_digest_t  image = store_image("a", &config);

    (void) state;

    assert_int_equal(get("a", &image), 0);
    assert_string_equal(s.type->name.data, IMAGE);
    assert_true(s.size > 32100 && s.size < 32100 + 1024);
    assert_int_equal(s.children, 0);
    assert_true(reg_digest_eq(&s.config, &config));
    assert_string_equal(s.created, "2024-05-06T07:08:09.123456789Z");
    assert_string_equal(s.platforms, "linux/arm64/v8");
}


static void
an_index_names_its_platforms(void **state)
{
    static const char  text[] =
        "{\"schemaVersion\":2,\"mediaType\":\"" INDEX "\",\"manifests\":["
#define CHILD(os, arch)  "{\"mediaType\":\"" IMAGE "\",\"digest\":\"" LAYER   \
        "\",\"size\":7,\"platform\":{\"os\":\"" os "\",\"architecture\":\""   \
        arch "\"}}"
        CHILD("linux", "amd64") "," CHILD("linux", "arm") ","
        CHILD("linux", "amd64") "," CHILD("unknown", "unknown") ","
        CHILD("linux", "arm64") "]}";

    reg_digest_t  index = store_manifest("a", text);

    (void) state;

    assert_int_equal(get("a", &index), 0);
    assert_string_equal(s.type->name.data, INDEX);
    assert_int_equal(s.children, 5);
    assert_int_equal(s.size, sizeof(text) - 1);
    assert_string_equal(s.platforms, "linux/amd64 linux/arm linux/arm64");
    assert_string_equal(s.created, "");
    assert_string_equal(s.config.text, "");
}


static void
what_was_read_once_is_not_read_again(void **state)
{
    reg_digest_t  config = store_config("a", REG_STR(
        "{\"created\":\"2024-05-06T07:08:09Z\",\"os\":\"linux\","
        "\"architecture\":\"amd64\"}"));
    reg_digest_t  image = store_image("a", &config);

    (void) state;

    assert_int_equal(get("a", &image), 0);
    forget(&image);
    forget(&config);
    assert_int_equal(get("a", &image), 0);
    assert_string_equal(s.platforms, "linux/amd64");
    assert_string_equal(s.created, "2024-05-06T07:08:09Z");

    reg_summary_free(summaries);
    summaries = reg_summary_create(0, &err);
    assert_non_null(summaries);
    assert_int_equal(get("a", &image), -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
}


static void
to_remember_is_no_permission(void **state)
{
    reg_digest_t  config = store_config("a", REG_STR(
        "{\"created\":\"2024-05-06T07:08:09Z\",\"os\":\"linux\","
        "\"architecture\":\"amd64\"}"));
    reg_digest_t  image = store_image("a", &config);

    (void) state;

    assert_int_equal(get("a", &image), 0);
    assert_int_equal(get("b", &image), -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);

    /* the manifest alone gives nobody what the config says */
    (void) store_image("b", &config);
    assert_int_equal(get("b", &image), 0);
    assert_true(s.size > 32100);
    assert_string_equal(s.platforms, "");
    assert_string_equal(s.created, "");
    assert_int_equal(get("a", &image), 0);
    assert_string_equal(s.platforms, "linux/amd64");
}


static void
a_config_that_comes_later_is_read_then(void **state)
{
    static const char  text[] = "{\"os\":\"linux\",\"architecture\":\"s390x\"}";

    reg_digest_t  config = tree_digest(REG_SHA256, REG_STR(text));
    reg_digest_t  image = store_image("a", &config);

    (void) state;

    assert_int_equal(get("a", &image), 0);
    assert_string_equal(s.platforms, "");
    (void) store_config("a", REG_STR(text));
    assert_int_equal(get("a", &image), 0);
    assert_string_equal(s.platforms, "linux/s390x");
}


static void
a_strange_config_says_nothing(void **state)
{
    static const char  *strange[] = {
        "", "x", "[]", "null", "{\"os\":1,\"architecture\":2,\"created\":3}",
        "{\"os\":\"li\\nnux\",\"architecture\":\"amd64\"}",
        "{\"os\":\"<b>\",\"architecture\":\"amd64\",\"created\":\"<i>\"}",
        "{\"os\":\"linux\"}", "{\"created\":\"\"}",
        "{\"os\":\"a-word-that-is-longer-than-any-os\",\"architecture\":\"x\"}",
        "{\"created\":\"2024-05-06T07:08:09.000000000000000000000000000000Z\"}"
    };

    reg_digest_t   config, image;
    char          *deep = malloc(REG_SUMMARY_CONFIG_MAX + 1);

    (void) state;

    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        config = store_config("a", reg_str_from(strange[i]));
        image = store_image("a", &config);
        assert_int_equal(get("a", &image), 0);
        assert_string_equal(s.platforms, "");
        assert_string_equal(s.created, "");
    }

    assert_non_null(deep);

    for (size_t n = REG_SUMMARY_CONFIG_MAX;
         n <= REG_SUMMARY_CONFIG_MAX + 1;
         n++)
    {
        memset(deep, '[', n);
        config = store_config("a", (reg_str_t) { n, deep });
        image = store_image("a", &config);
        assert_int_equal(get("a", &image), 0);
        assert_string_equal(s.platforms, "");
    }

    free(deep);
}


static void
what_is_no_manifest_has_no_summary(void **state)
{
    reg_digest_t  d = store_manifest("a", "{\"schemaVersion\":2}");

    (void) state;

    assert_int_equal(get("a", &d), -1);
    assert_int_equal(err.code, REG_MANIFEST_INVALID);
}


static void
many_share_a_small_memory(void **state)
{
    reg_digest_t  images[40];

    (void) state;

    reg_summary_free(summaries);
    summaries = reg_summary_create(8 * 1024, &err);
    assert_non_null(summaries);

    for (int i = 0; i < 40; i++) {
        char          text[64];
        reg_digest_t  config;

        (void) snprintf(text, sizeof(text), "{\"os\":\"os%d\","
                        "\"architecture\":\"a\"}", i);
        config = store_config("a", reg_str_from(text));
        images[i] = store_image("a", &config);
    }

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++) {
            char  want[16];

            (void) snprintf(want, sizeof(want), "os%d/a", i);
            assert_int_equal(get("a", &images[i]), 0);
            assert_string_equal(s.platforms, want);
        }
    }
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, give_up)

    const struct CMUnitTest  tests[] = {
        TEST(an_image_is_summed_up),
        TEST(an_index_names_its_platforms),
        TEST(what_was_read_once_is_not_read_again),
        TEST(to_remember_is_no_permission),
        TEST(a_config_that_comes_later_is_read_then),
        TEST(a_strange_config_says_nothing),
        TEST(what_is_no_manifest_has_no_summary),
        TEST(many_share_a_small_memory),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
