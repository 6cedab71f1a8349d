/* reg_protection: patterns of tags that a bearer must leave alone. */

#include "reg_protection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "tree.h"


static reg_protections_t  p;
static reg_error_t        err;
static reg_name_t         here, there;


static int
setup(void **state)
{
    (void) state;
    err = (reg_error_t) REG_ERROR_INIT;
    here = tree_name("group/project");
    there = tree_name("group/other");

    return 0;
}


static int
teardown(void **state)
{
    (void) state;
    reg_protections_free(&p);

    return 0;
}


static void
add(reg_protection_kind_t kind, const char *pattern)
{
    assert_int_equal(reg_protections_add(&p, kind, &here,
                                         reg_str_from(pattern), &err), 0);
}


/* The code that a call ends with. */
static reg_error_code_t
code_of(int (*call)(const reg_protections_t *, const reg_name_t *,
    const reg_tag_t *, reg_error_t *), const reg_name_t *name, const char *tag)
{
    reg_tag_t  t = tree_tag(tag);
    int        rc;

    err = (reg_error_t) REG_ERROR_INIT;
    rc = call(&p, name, &t, &err);
    assert_int_equal(rc, err.code == REG_OK ? 0 : -1);

    return err.code;
}


#define push(tag)    code_of(reg_protections_push, &here, tag)
#define move(tag)    code_of(reg_protections_move, &here, tag)
#define delete(tag)  code_of(reg_protections_delete, &here, tag)


static void
without_patterns_all_is_allowed(void **state)
{
    (void) state;

    assert_int_equal(push("v1"), REG_OK);
    assert_int_equal(move("v1"), REG_OK);
    assert_int_equal(delete("v1"), REG_OK);
    assert_int_equal(reg_protections_delete_manifest(&p, &here, &err), 0);
}


static void
a_pattern_is_for_its_own_actions_and_repository(void **state)
{
    (void) state;

    add(REG_PROTECTION_PUSH, "^v\\d+");
    add(REG_PROTECTION_DELETE, "stable");

    assert_int_equal(push("v1"), REG_PROTECTED_TAG);
    assert_string_equal(err.detail, "v1");
    assert_int_equal(move("v1"), REG_PROTECTED_TAG);
    assert_int_equal(delete("v1"), REG_OK);
    assert_int_equal(push("preview1"), REG_OK);
    assert_int_equal(delete("unstable-2"), REG_PROTECTED_TAG);
    assert_int_equal(push("unstable-2"), REG_OK);

    assert_int_equal(code_of(reg_protections_push, &there, "v1"), REG_OK);
    assert_int_equal(code_of(reg_protections_delete, &there, "stable"),
                     REG_OK);
    assert_int_equal(reg_protections_delete_manifest(&p, &there, &err), 0);
    assert_int_equal(reg_protections_delete_manifest(&p, &here, &err), -1);
    assert_int_equal(err.code, REG_PROTECTED_MANIFEST);
}


static void
what_is_immutable_can_be_made_but_not_changed(void **state)
{
    (void) state;

    add(REG_PROTECTION_IMMUTABLE, "-final$");

    assert_int_equal(push("1-final"), REG_OK);
    assert_int_equal(move("1-final"), REG_IMMUTABLE_TAG);
    assert_int_equal(delete("1-final"), REG_IMMUTABLE_TAG);
    assert_int_equal(move("1-final.2"), REG_OK);
    assert_int_equal(reg_protections_delete_manifest(&p, &here, &err), -1);
    assert_int_equal(err.code, REG_PROTECTED_MANIFEST);
}


static void
push_patterns_do_not_keep_manifests(void **state)
{
    (void) state;

    add(REG_PROTECTION_PUSH, ".");
    assert_int_equal(reg_protections_delete_manifest(&p, &here, &err), 0);
}


static void
a_pattern_that_makes_no_sense_refuses(void **state)
{
    char  longer[REG_PROTECTION_PATTERN + 2];

    static const char *const  odd[] = {
        "(", "[", "*", "a{2,1}", "\\", "(?P<x", "[z-a]", "\\C",
    };

    (void) state;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        add(REG_PROTECTION_PUSH, odd[i]);
        assert_int_equal(push("v1"), REG_TAG_PROTECTION_PATTERN_INVALID);
        assert_int_equal(delete("v1"), REG_OK);
        reg_protections_free(&p);
    }

    memset(longer, 'a', sizeof(longer));
    longer[REG_PROTECTION_PATTERN + 1] = '\0';
    add(REG_PROTECTION_PUSH, longer);
    assert_int_equal(push("v1"), REG_TAG_PROTECTION_PATTERN_INVALID);
    reg_protections_free(&p);

    longer[REG_PROTECTION_PATTERN] = '\0';
    add(REG_PROTECTION_PUSH, longer);
    assert_int_equal(push("v1"), REG_OK);
}


/* An empty one is found everywhere. */
static void
an_empty_pattern_protects_everything(void **state)
{
    (void) state;

    add(REG_PROTECTION_PUSH, "");
    assert_int_equal(push("v1"), REG_PROTECTED_TAG);
}


static void
too_many_for_a_request_are_refused(void **state)
{
    (void) state;

    for (int i = 0; i < REG_PROTECTION_ASKED; i++) {
        add(REG_PROTECTION_PUSH, "x");
        add(REG_PROTECTION_DELETE, "x");
    }

    assert_int_equal(push("v1"), REG_OK);
    assert_int_equal(delete("v1"), REG_OK);
    add(REG_PROTECTION_IMMUTABLE, "x");
    assert_int_equal(push("v1"), REG_TAG_PATTERN_COUNT_LIMIT_EXCEEDED);
    assert_int_equal(delete("v1"), REG_TAG_PATTERN_COUNT_LIMIT_EXCEEDED);
}


static void
too_many_for_a_token_are_refused(void **state)
{
    (void) state;

    for (int i = 0; i < REG_PROTECTION_MAX; i++) {
        add(REG_PROTECTION_PUSH, "x");
    }

    assert_int_equal(reg_protections_add(&p, REG_PROTECTION_PUSH, &here,
                                         REG_STR("x"), &err), -1);
    assert_int_equal(err.code, REG_UNAUTHORIZED);
}


/* Those that take a backtracking engine for ever: each ends soon, and the tag
 * counts as protected. */
static void
no_pattern_takes_long(void **state)
{
    static const char *const  slow[] = {
        "^(a+)+$", "(a*)*b", "(a|a)*b$", "(a|aa)+$b", "((a*)*)*b",
        "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b$",
        "(((((((((a{1,9}){1,9}){1,9}){1,9}){1,9}){1,9}){1,9})*)*)*b",
    };

    struct timespec  from, to;
    char             tag[129];

    (void) state;
    memset(tag, 'a', 128);
    tag[127] = 'c';
    tag[128] = '\0';

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);

    for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++) {
        reg_error_code_t  code;

        add(REG_PROTECTION_PUSH, slow[i]);
        code = push(tag);
        assert_true(code == REG_PROTECTED_TAG || code == REG_OK
                    || code == REG_TAG_PROTECTION_PATTERN_INVALID);
        reg_protections_free(&p);
    }

    add(REG_PROTECTION_PUSH, "^(a+)+$");
    assert_int_equal(push(tag), REG_PROTECTED_TAG);

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    assert_true(to.tv_sec - from.tv_sec < 5);
    print_message("%zu slow patterns: %ld ms\n", sizeof(slow)
                  / sizeof(slow[0]) + 1, (to.tv_sec - from.tv_sec) * 1000
                  + (to.tv_nsec - from.tv_nsec) / 1000000);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(without_patterns_all_is_allowed),
        TEST(a_pattern_is_for_its_own_actions_and_repository),
        TEST(what_is_immutable_can_be_made_but_not_changed),
        TEST(push_patterns_do_not_keep_manifests),
        TEST(a_pattern_that_makes_no_sense_refuses),
        TEST(an_empty_pattern_protects_everything),
        TEST(too_many_for_a_request_are_refused),
        TEST(too_many_for_a_token_are_refused),
        TEST(no_pattern_takes_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
