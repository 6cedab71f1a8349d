/* reg_pattern: patterns of repositories' names. */

#include "reg_pattern.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


static bool
match(const char *pattern, const char *name, const char *user)
{
    return reg_pattern_match(reg_str_from(pattern), reg_str_from(name),
                             reg_str_from(user));
}


static void
patterns_match(void **state)
{
    static const char  *pairs[][2] = {
        { "a", "a" }, { "a/b", "a/b" }, { "*", "a" }, { "**", "a" },
        { "**", "a/b/c" }, { "a/*", "a/b" }, { "a/**", "a/b" },
        { "a/**", "a/b/c" }, { "a/**", "a" }, { "**/c", "c" },
        { "**/c", "a/b/c" }, { "a/**/z", "a/z" }, { "a/**/z", "a/b/c/z" },
        { "a/**/m/**/z", "a/m/m/z" }, { "app-*", "app-x" }, { "*-x", "a-b-x" },
        { "a*c*e", "abcde" }, { "*/*", "a/b" }, { "**/**", "a" }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(match(pairs[i][0], pairs[i][1], ""));
    }
}


static void
patterns_do_not_match(void **state)
{
    static const char  *pairs[][2] = {
        { "a", "b" }, { "a", "a/b" }, { "a/b", "a" }, { "*", "a/b" },
        { "a/*", "a" }, { "a/*", "a/b/c" }, { "a/**", "ab" },
        { "a/**", "b/a" }, { "**/c", "a/cc" }, { "a/**/z", "a/b" },
        { "app-*", "app" }, { "a*c", "ab" }, { "a", "" }, { "**", "" }
    };

    (void) state;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_false(match(pairs[i][0], pairs[i][1], ""));
    }
}


static void
a_user_has_a_place_of_their_own(void **state)
{
    (void) state;

    assert_true(match("home/${user}/**", "home/alice/app", "alice"));
    assert_true(match("x-${user}", "x-alice", "alice"));
    assert_false(match("home/${user}/**", "home/bob/app", "alice"));

    /* names that would be something else there */
    assert_false(match("home/${user}/**", "home/app", ""));
    assert_false(match("home/${user}/**", "home/a/b", "a/b"));
    assert_false(match("home/${user}/**", "home/bob/x", "*"));
    assert_false(match("home/${user}/**", "home/bob/x", "**"));
    assert_false(match("home/${user}/**", "home/bob/x", "Bob"));
}


static void
odd_patterns_are_refused(void **state)
{
    static const char  *bad[] = {
        "", "/", "/a", "a/", "a//b", "a/**b", "***", "A", "a b", "${usr}",
        "a/$", "a?", "[a]", "a\n"
    };

    char  text[REG_PATTERN_MAX + 1];

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(reg_pattern_valid(reg_str_from(bad[i])));
        assert_false(match(bad[i], "a", "a"));
    }

    memset(text, 'a', sizeof(text));
    assert_true(reg_pattern_valid((reg_str_t) { REG_PATTERN_MAX, text }));
    assert_false(reg_pattern_valid((reg_str_t) { REG_PATTERN_MAX + 1, text }));
}


static void
time_is_bounded(void **state)
{
    (void) state;

    /* what makes a matcher that tries every way run for ever */
    assert_false(match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                       ""));
    assert_false(match("**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b",
                       "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", ""));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(patterns_match),
        cmocka_unit_test(patterns_do_not_match),
        cmocka_unit_test(a_user_has_a_place_of_their_own),
        cmocka_unit_test(odd_patterns_are_refused),
        cmocka_unit_test(time_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
