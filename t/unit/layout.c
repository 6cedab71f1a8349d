/* reg_layout: names on disk, which are CNCF Distribution's. */

#include "reg_layout.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


#define HEX   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UUID  "0f0e0d0c-0b0a-4908-8706-050403020100"


static reg_path_t    v2, path;
static reg_name_t    name;
static reg_tag_t     tag;
static reg_digest_t  digest;


static int
make_nouns(void **state)
{
    (void) state;

    v2.len = (size_t) snprintf(v2.text, sizeof(v2.text), "/r/v2");

    return reg_name_parse(&name, REG_STR("a/b")) == 0
           && reg_tag_parse(&tag, REG_STR("v1")) == 0
           && reg_digest_parse(&digest, REG_STR("sha256:" HEX)) == 0
           ? 0 : -1;
}


static void
expect(const char *want)
{
    assert_string_equal(path.text, want);
    assert_int_equal(path.len, strlen(want));
}


static void
blobs_lie_where_distribution_puts_them(void **state)
{
    (void) state;

    reg_layout_blobs(&path, &v2);
    expect("/r/v2/blobs");
    reg_layout_blob(&path, &v2, &digest);
    expect("/r/v2/blobs/sha256/e3/" HEX "/data");
}


static void
links_lie_where_distribution_puts_them(void **state)
{
    (void) state;

    reg_layout_repositories(&path, &v2);
    expect("/r/v2/repositories");
    reg_layout_repository(&path, &v2, &name);
    expect("/r/v2/repositories/a/b");
    reg_layout_layers(&path, &v2, &name);
    expect("/r/v2/repositories/a/b/_layers");
    reg_layout_layer(&path, &v2, &name, &digest);
    expect("/r/v2/repositories/a/b/_layers/sha256/" HEX "/link");
    reg_layout_manifests(&path, &v2, &name);
    expect("/r/v2/repositories/a/b/_manifests");
    reg_layout_revisions(&path, &v2, &name, REG_SHA512);
    expect("/r/v2/repositories/a/b/_manifests/revisions/sha512");
    reg_layout_revision(&path, &v2, &name, &digest);
    expect("/r/v2/repositories/a/b/_manifests/revisions/sha256/" HEX "/link");
    reg_layout_tags(&path, &v2, &name);
    expect("/r/v2/repositories/a/b/_manifests/tags");
    reg_layout_tag(&path, &v2, &name, &tag);
    expect("/r/v2/repositories/a/b/_manifests/tags/v1");
    reg_layout_tag_current(&path, &v2, &name, &tag);
    expect("/r/v2/repositories/a/b/_manifests/tags/v1/current/link");
    reg_layout_tag_index(&path, &v2, &name, &tag, &digest);
    expect("/r/v2/repositories/a/b/_manifests/tags/v1/index/sha256/" HEX
           "/link");
}


static void
uploads_and_temporary_files_have_their_places(void **state)
{
    (void) state;

    reg_layout_uploads(&path, &v2, &name);
    expect("/r/v2/repositories/a/b/_uploads");
    reg_layout_upload(&path, &v2, &name, UUID);
    expect("/r/v2/repositories/a/b/_uploads/" UUID);
    reg_layout_tmp(&path, &v2);
    expect("/r/v2/_tmp");
    reg_layout_purge(&path, &v2);
    expect("/r/v2/_purge");
    reg_layout_fence(&path, &v2);
    expect("/r/v2/_fence");
}


static void
the_longest_of_all_still_fits(void **state)
{
    reg_path_t    root;
    reg_name_t    long_name;
    reg_tag_t     long_tag;
    reg_digest_t  long_digest;
    char          text[256];

    (void) state;

    memset(root.text, 'r', REG_ROOT_MAX);
    root.text[0] = '/';
    root.text[REG_ROOT_MAX] = '\0';
    root.len = REG_ROOT_MAX;

    memset(text, 'n', sizeof(text));
    assert_int_equal(reg_name_parse(&long_name,
                                    (reg_str_t) { REG_NAME_MAX, text }), 0);
    assert_int_equal(reg_tag_parse(&long_tag,
                                   (reg_str_t) { REG_TAG_MAX, text }), 0);
    memset(text, 'a', sizeof(text));
    memcpy(text, "sha512:", 7);
    assert_int_equal(reg_digest_parse(&long_digest,
                                      (reg_str_t) { 135, text }), 0);

    reg_layout_tag_index(&path, &root, &long_name, &long_tag, &long_digest);
    reg_path_add(&path, UUID);
    assert_int_equal(strlen(path.text), path.len);
    assert_true(path.len < REG_PATH_MAX);

    reg_layout_upload(&path, &root, &long_name, UUID);
    reg_path_add(&path, "hashstates");
    reg_path_add(&path, "sha512");
    reg_path_add(&path, "9223372036854775807");
    assert_true(path.len < REG_PATH_MAX);
}


static void
the_parent_is_the_path_without_its_last_part(void **state)
{
    (void) state;

    path.len = (size_t) snprintf(path.text, sizeof(path.text), "/a/bc/d");
    reg_path_parent(&path);
    expect("/a/bc");
    reg_path_parent(&path);
    expect("/a");
    reg_path_parent(&path);
    expect("/");
    reg_path_parent(&path);
    expect("/");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(blobs_lie_where_distribution_puts_them),
        cmocka_unit_test(links_lie_where_distribution_puts_them),
        cmocka_unit_test(uploads_and_temporary_files_have_their_places),
        cmocka_unit_test(the_longest_of_all_still_fits),
        cmocka_unit_test(the_parent_is_the_path_without_its_last_part),
    };

    return cmocka_run_group_tests(tests, make_nouns, NULL);
}
