/* reg_revision: manifests on disk (D1 to D5). */

#include "reg_revision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "faults.h"
#include "reg_blob.h"
#include "reg_repo.h"
#include "reg_tag.h"


#define BODY1  "{\"schemaVersion\":2,\"one\":1}"
#define BODY2  "{\"schemaVersion\":2,\"two\":22}"


static reg_error_t   err;
static reg_name_t    name;
static reg_tag_t     tags[2];
static reg_digest_t  one, two;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


static int
renew(void **state)
{
    no_error();
    name = tree_name("a/b");
    tags[0] = tree_tag("v1");
    tags[1] = tree_tag("latest");
    one = tree_digest(REG_SHA256, REG_STR(BODY1));
    two = tree_digest(REG_SHA512, REG_STR(BODY2));

    return tree_renew(state);
}


static int
put(const reg_digest_t *d, size_t ntags)
{
    no_error();
    return tree_push(&name, d, d == &one ? REG_STR(BODY1) : REG_STR(BODY2),
                     tags, ntags, &err);
}


/* 1, 2 or 0: what the tag points to; -1: to something else. */
static int
tagged(const reg_tag_t *tag)
{
    reg_digest_t  d;

    no_error();

    if (reg_tag_read(&tree_store, &name, tag, &d, &err) == -1) {
        return err.code == REG_MANIFEST_UNKNOWN ? 0 : -1;
    }

    return reg_digest_eq(&d, &one) ? 1 : reg_digest_eq(&d, &two) ? 2 : -1;
}


static bool
exists(const reg_digest_t *d)
{
    reg_buf_t  b = REG_BUF_INIT;
    bool       there;

    no_error();
    there = reg_revision_read(&tree_store, &name, d, &b, &err) == 0
            && reg_str_eq(reg_buf_str(&b), d == &one ? REG_STR(BODY1)
                                                     : REG_STR(BODY2));
    reg_buf_free(&b);

    return there;
}


static void
a_manifest_is_stored_as_received(void **state)
{
    reg_path_t  path;
    char        text[256];

    (void) state;

    assert_int_equal(put(&one, 2), 0);
    assert_true(exists(&one));
    assert_int_equal(tagged(&tags[0]), 1);
    assert_int_equal(tagged(&tags[1]), 1);

    /* Distribution's link: no newline */
    reg_layout_revision(&path, &tree_store.v2, &name, &one);
    assert_int_equal(tree_read(path.text, text, sizeof(text)), 71);
    assert_string_equal(text, one.text);

    reg_layout_tag_index(&path, &tree_store.v2, &name, &tags[0], &one);
    assert_int_equal(tree_read(path.text, text, sizeof(text)), 71);
    assert_null(fault_check_tree());
    assert_int_equal(tree_count(tree_root), 7);    /* with the catalog's */
}


static void
a_manifest_needs_no_tag(void **state)
{
    (void) state;

    assert_int_equal(put(&two, 0), 0);
    assert_true(exists(&two));
    assert_int_equal(tagged(&tags[0]), 0);
}


static void
a_tag_moves(void **state)
{
    reg_path_t  path;

    (void) state;

    assert_int_equal(put(&one, 1), 0);
    assert_int_equal(put(&two, 1), 0);
    assert_int_equal(tagged(&tags[0]), 2);
    assert_true(exists(&one));

    /* what it was stays in its index */
    reg_layout_tag_index(&path, &tree_store.v2, &name, &tags[0], &one);
    assert_true(tree_has(path.text));
    assert_null(fault_check_tree());
}


static void
a_manifest_of_another_repository_is_unknown(void **state)
{
    reg_name_t  other = tree_name("a/c");
    reg_buf_t   b = REG_BUF_INIT;

    (void) state;

    assert_int_equal(put(&one, 1), 0);
    assert_int_equal(reg_revision_require(&tree_store, &other, &one, &err),
                     -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
    no_error();
    assert_int_equal(reg_revision_read(&tree_store, &other, &one, &b, &err),
                     -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
    reg_buf_free(&b);
}


static void
a_layer_is_no_manifest(void **state)
{
    reg_path_t  path;

    (void) state;

    reg_layout_blob(&path, &tree_store.v2, &one);
    assert_int_equal(tree_write(path.text, BODY1, sizeof(BODY1) - 1), 0);
    reg_layout_layer(&path, &tree_store.v2, &name, &one);
    assert_int_equal(tree_write(path.text, one.text, 71), 0);

    assert_int_equal(reg_revision_require(&tree_store, &name, &one, &err), -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
}


/* S17 */
static void
a_link_without_a_blob_is_no_manifest(void **state)
{
    reg_path_t  path;

    (void) state;

    reg_layout_revision(&path, &tree_store.v2, &name, &one);
    assert_int_equal(tree_write(path.text, one.text, 71), 0);
    assert_false(exists(&one));
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);

    reg_layout_blob(&path, &tree_store.v2, &one);
    assert_int_equal(tree_write(path.text, "", 0), 0);
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(symlink("/etc/passwd", path.text), 0);
    assert_false(exists(&one));
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
}


static void
a_deleted_manifest_takes_its_tags_with_it(void **state)
{
    reg_tag_t  other = tree_tag("other");

    (void) state;

    assert_int_equal(put(&one, 2), 0);
    assert_int_equal(tree_push(&name, &two, REG_STR(BODY2),
                     &other, 1, &err), 0);

    assert_int_equal(reg_revision_delete(&tree_store, &name, &one, NULL, &err),
                     0);
    assert_false(exists(&one));
    assert_int_equal(tagged(&tags[0]), 0);
    assert_int_equal(tagged(&tags[1]), 0);
    assert_int_equal(tagged(&other), 2);
    assert_null(fault_check_tree());

    no_error();
    assert_int_equal(reg_revision_delete(&tree_store, &name, &one, NULL, &err),
                     -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
}


static void
a_manifest_can_come_back(void **state)
{
    (void) state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(&one, 2), 0);
        assert_int_equal(tagged(&tags[0]), 1);
        no_error();
        assert_int_equal(reg_revision_delete(&tree_store, &name, &one, NULL,
                                             &err), 0);
        assert_int_equal(tagged(&tags[0]), 0);
    }

    assert_int_equal(put(&one, 2), 0);
    assert_true(exists(&one));
}


static int
pass_over(void *ctx, const reg_tag_t *tag, const reg_digest_t *to)
{
    (void) ctx;
    (void) tag;
    (void) to;

    return 0;
}


static void
many_tags_fit_in_one_put(void **state)
{
    static reg_tag_t  many[100];

    (void) state;

    for (int i = 0; i < 100; i++) {
        char  text[16];

        (void) snprintf(text, sizeof(text), "t%d", i);
        many[i] = tree_tag(text);
    }

    assert_int_equal(tree_push(&name, &one, REG_STR(BODY1),
                     many, 100, &err), 0);

    for (int i = 0; i < 100; i++) {
        assert_int_equal(tagged(&many[i]), 1);
    }

    assert_null(fault_check_tree());
}


/* No tag may be left that could not be looked at (D4). */
static void
a_delete_takes_all_tags_or_fails(void **state)
{
    int  n, rc;

    (void) state;

    tree_store.lists = reg_lists_create(1 << 20, &tree_hourly);
    assert_int_equal(put(&one, 2), 0);

    for (n = 0, rc = -1; rc == -1; n++) {
        for (int i = 0; i < 2; i++) {        /* the second time it is kept */
            no_error();
            assert_int_equal(reg_tag_each(&tree_store, &name, REG_STR_NULL,
                                          pass_over, NULL, &err), 0);
        }

        assert_int_equal(tree_leave_descriptors(n), 0);
        rc = reg_revision_delete(&tree_store, &name, &one, NULL, &err);
        assert_int_equal(tree_leave_descriptors(-1), 0);
        assert_true(rc == 0 || err.sys == EMFILE);
        assert_null(fault_check_tree());
    }

    assert_false(exists(&one));
    assert_int_equal(tagged(&tags[0]), 0);
    assert_int_equal(tagged(&tags[1]), 0);
    reg_lists_free(tree_store.lists);
    tree_store.lists = NULL;
}


/* ---- the crash loops ----------------------------------------------------- */


static int
prepare_nothing(void)
{
    return 0;
}


static int
prepare_old(void)
{
    return put(&one, 2);
}


static int
run_put(void)
{
    return put(&two, 2);
}


static const char *
check_put(bool done)
{
    for (int i = 0; i < 2; i++) {
        int  now = tagged(&tags[i]);

        if (now != 2 && (done || now != 0)) {
            return "acknowledged, but a tag is not there";
        }
    }

    return done && !exists(&two) ? "acknowledged, but not there" : NULL;
}


static const char *
check_move(bool done)
{
    for (int i = 0; i < 2; i++) {
        int  now = tagged(&tags[i]);

        if (now != 2 && (done || now != 1)) {
            return "a tag is neither old nor new";
        }
    }

    return !exists(&one) ? "the old manifest is gone"
           : done && !exists(&two) ? "acknowledged, but not there" : NULL;
}


static int
run_delete(void)
{
    no_error();

    if (reg_revision_delete(&tree_store, &name, &one, NULL, &err) == 0) {
        return 0;
    }

    /* tried again after it failed when all was done but the sync */
    return err.code == REG_MANIFEST_UNKNOWN ? 0 : -1;
}


static const char *
check_delete(bool done)
{
    if (done && (exists(&one) || tagged(&tags[0]) != 0
                 || tagged(&tags[1]) != 0))
    {
        return "deleted, but still there";
    }

    return NULL;
}


static void
loop(const fault_loop_t *l)
{
    int  rounds = fault_loop(l);

    assert_int_not_equal(rounds, -1);
    print_message("%s: %d rounds\n", l->title, rounds);
}


static void
no_fault_breaks_a_put(void **state)
{
    (void) state;

    loop(&(fault_loop_t) { "a manifest put", prepare_nothing, run_put,
                           check_put });
}


static void
no_fault_breaks_a_tag_that_moves(void **state)
{
    (void) state;

    loop(&(fault_loop_t) { "a tag that moves", prepare_old, run_put,
                           check_move });
}


static void
no_fault_breaks_a_delete(void **state)
{
    (void) state;

    loop(&(fault_loop_t) { "a manifest delete", prepare_old, run_delete,
                           check_delete });
}


static int
run_put_one(void)
{
    return put(&two, 1);
}


static const char *
check_one(bool done)
{
    return done && tagged(&tags[0]) != 2 ? "a tag is not there" : NULL;
}


/* What one manifest names must not take the descriptors of all. */
/* The caller has seen it, but had no lock then. */
static void
what_was_deleted_since_is_not_relied_on(void **state)
{
    reg_manifest_ref_t  ref = {
        .kind = REG_REF_BLOB, .digest = tree_digest(REG_SHA256,
                                                    REG_STR("layer")),
    };
    reg_revision_new_t  new = {
        .digest = &one, .body = REG_STR(BODY1), .tags = tags, .ntags = 1,
        .refs = &ref, .nrefs = 1,
    };
    reg_path_t          path;

    (void) state;

    assert_int_equal(reg_revision_put(&tree_store, &name, &new, &err), -1);
    assert_int_equal(err.code, REG_MANIFEST_BLOB_UNKNOWN);
    assert_false(exists(&one));
    assert_int_equal(tagged(&tags[0]), 0);

    reg_layout_layer(&path, &tree_store.v2, &name, &ref.digest);
    assert_int_equal(tree_write(path.text, ref.digest.text, 71), 0);
    no_error();
    assert_int_equal(reg_revision_put(&tree_store, &name, &new, &err), 0);
    assert_int_equal(tagged(&tags[0]), 1);
}


static void
a_manifest_of_many_parts_opens_few_files(void **state)
{
    static reg_manifest_ref_t  refs[2000];

    struct rlimit  limit, few;
    reg_digest_t   layer = tree_digest(REG_SHA256, REG_STR("layer"));
    reg_path_t     path;
    int            rc;

    (void) state;

    reg_layout_layer(&path, &tree_store.v2, &name, &layer);
    assert_int_equal(tree_write(path.text, layer.text, strlen(layer.text)), 0);

    for (size_t i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        refs[i].kind = REG_REF_BLOB;
        refs[i].digest = layer;
    }

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = 256;

    for (fault_way_t way = FAULT_FSYNC; way <= FAULT_JOURNAL; way++) {
        fault_way = way;
        fault_reset(0, 0, FAULT_FAILS);
        fault_install(way);

        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        no_error();
        rc = reg_revision_put(&tree_store, &name, &(reg_revision_new_t) {
                                  .digest = &one, .body = REG_STR(BODY1),
                                  .tags = tags, .ntags = 1, .refs = refs,
                                  .nrefs = sizeof(refs) / sizeof(refs[0]),
                              }, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(rc, 0);
        assert_null(fault.broken);
        assert_int_equal(renew(NULL), 0);
        assert_int_equal(tree_write(path.text, layer.text,
                                    strlen(layer.text)), 0);
    }

    fault_way = FAULT_FSYNC;
}


static void
the_syncs_of_a_put_are_few(void **state)
{
    (void) state;

    assert_in_range(fault_count_syncs(&(fault_loop_t) {
                        "a manifest put, two tags, new tree", prepare_nothing,
                        run_put, check_put }), 1, 34);
    assert_in_range(fault_count_syncs(&(fault_loop_t) {
                        "moving two tags", prepare_old, run_put, check_move }),
                    1, 24);
    assert_in_range(fault_count_syncs(&(fault_loop_t) {
                        "moving one tag", prepare_old, run_put_one,
                        check_one }), 1, 16);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_manifest_is_stored_as_received),
        TEST(a_manifest_needs_no_tag),
        TEST(a_tag_moves),
        TEST(a_manifest_of_another_repository_is_unknown),
        TEST(a_layer_is_no_manifest),
        TEST(a_link_without_a_blob_is_no_manifest),
        TEST(a_deleted_manifest_takes_its_tags_with_it),
        TEST(a_manifest_can_come_back),
        TEST(a_delete_takes_all_tags_or_fails),
        TEST(many_tags_fit_in_one_put),
        TEST(what_was_deleted_since_is_not_relied_on),
        TEST(a_manifest_of_many_parts_opens_few_files),
        TEST(no_fault_breaks_a_put),
        TEST(no_fault_breaks_a_tag_that_moves),
        TEST(no_fault_breaks_a_delete),
        TEST(the_syncs_of_a_put_are_few),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
