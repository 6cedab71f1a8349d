/* reg_robots: made, shown once, good until a date, revoked. */

#include "reg_robots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "reg_policy.h"
#include "reg_robots_edit.h"
#include "tree.h"

#define NOW  1764000000


static reg_error_t     err;
static char            path[300];
static reg_robots_t   *robots;
static reg_login_t    *login;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    (void) snprintf(path, sizeof(path), "%s/robots.json", tree_root);
    robots = NULL;
    login = NULL;

    return tree_renew(state) == 0
           && reg_robots_open(&robots, path, &err) == 0 ? 0 : -1;
}


static int
leave(void **state)
{
    (void) state;
    reg_login_release(login);
    reg_robots_close(robots);

    return 0;
}


static reg_robot_t
robot(const char *name, time_t expires)
{
    return (reg_robot_t) {
        .name = reg_str_from(name),
        .actions = REG_ACTION_PULL | REG_ACTION_PUSH,
        .npatterns = 2,
        .patterns = { REG_STR("team/*"), REG_STR("tools/**") },
        .created = NOW,
        .expires = expires,
        .description = REG_STR("of the \"pipelines\" \xc3\xa9"),
    };
}


static int
create(const char *name, time_t expires, char *secret)
{
    reg_robot_t  r = robot(name, expires);

    err = (reg_error_t) REG_ERROR_INIT;

    return reg_robots_create(path, &r, secret, &err);
}


static int
verify(const char *user, const char *secret, time_t now)
{
    reg_login_release(login);
    login = NULL;

    return reg_robots_verify(robots, reg_str_from(user), reg_str_from(secret),
                             now, &login, &err);
}


static reg_actions_t
allowed(const char *repository)
{
    static const reg_identity_t  anybody = REG_IDENTITY_ANYBODY;
    reg_name_t                   name = tree_name(repository);

    return reg_policy_allow(login->robot, &anybody, &name, NULL);
}


static void
a_robot_may_what_it_was_given(void **state)
{
    char  secret[REG_ROBOT_SECRET + 1], other[REG_ROBOT_SECRET + 1];
    char  text[4096];

    (void) state;

    assert_int_equal(verify("robot$ci", "x", NOW), 0);   /* no file yet */
    assert_int_equal(create("ci", NOW + 60, secret), 0);
    assert_int_equal(strlen(secret), REG_ROBOT_SECRET);
    assert_memory_equal(secret, "nrr_", 4);
    assert_int_equal(strspn(secret + 4, "abcdefghijklmnopqrstuvwxyz234567"),
                     60);

    assert_int_equal(verify("robot$ci", secret, NOW), 1);
    assert_int_equal(login->identity.who, REG_WHO_ROBOT);
    assert_string_equal(login->identity.name, "robot$ci");
    assert_int_equal(login->expires, NOW + 60);
    assert_false(login->carries);
    assert_int_equal(allowed("team/app"), REG_ACTION_PULL | REG_ACTION_PUSH);
    assert_int_equal(allowed("tools/a/b"), REG_ACTION_PULL | REG_ACTION_PUSH);
    assert_int_equal(allowed("team/app/deep"), 0);
    assert_int_equal(allowed("other"), 0);
    assert_int_equal(reg_policy_allow(login->robot, &login->identity, NULL,
                                      NULL), 0);

    /* each its own; none is in the file */
    assert_int_equal(create("cd", 0, other), 0);
    assert_string_not_equal(secret, other);
    assert_int_equal(verify("robot$cd", other, NOW), 1);
    assert_int_equal(verify("robot$cd", secret, NOW), 0);
    assert_true(tree_read(path, text, sizeof(text)) > 0);
    assert_null(strstr(text, "nrr_"));
    assert_null(strstr(text, secret + 4));
}


static void
wrong_over_and_revoked_are_the_same(void **state)
{
    char           secret[REG_ROBOT_SECRET + 1];
    char           bad[REG_ROBOT_SECRET + 1];
    unsigned char  print[REG_LOGIN_PRINT];

    (void) state;

    assert_int_equal(create("ci", NOW + 60, secret), 0);

    memcpy(bad, secret, sizeof(bad));
    bad[10] = bad[10] == 'a' ? 'b' : 'a';
    assert_int_equal(verify("robot$ci", bad, NOW), 0);
    assert_int_equal(verify("robot$ci", "", NOW), 0);
    assert_int_equal(verify("ci", secret, NOW), 0);
    assert_int_equal(verify("robot$c", secret, NOW), 0);
    assert_int_equal(verify("robot$", secret, NOW), 0);
    assert_int_equal(verify("", secret, NOW), 0);
    assert_null(login);

    assert_int_equal(verify("robot$ci", secret, NOW + 59), 1);
    memcpy(print, login->print, sizeof(print));
    assert_int_equal(verify("robot$ci", secret, NOW + 60), 0);
    assert_int_equal(verify("robot$ci", secret, NOW + 1000000), 0);

    /* a token of ours instead of the secret */
    assert_int_equal(reg_robots_login(robots, REG_STR("robot$ci"), NOW, &login,
                                      &err), 1);
    assert_memory_equal(login->print, print, sizeof(print));
    reg_login_release(login);
    login = NULL;
    assert_int_equal(reg_robots_login(robots, REG_STR("robot$ci"), NOW + 60,
                                      &login, &err), 0);

    assert_int_equal(reg_robots_revoke(path, REG_STR("ci"), &err), 0);
    assert_int_equal(verify("robot$ci", secret, NOW), 0);
    assert_int_equal(reg_robots_login(robots, REG_STR("robot$ci"), NOW, &login,
                                      &err), 0);
    assert_int_equal(reg_robots_revoke(path, REG_STR("ci"), &err), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);

    /* the name again is not the secret again */
    assert_int_equal(create("ci", 0, bad), 0);
    assert_int_equal(verify("robot$ci", secret, NOW), 0);
    assert_int_equal(verify("robot$ci", bad, NOW), 1);
    assert_memory_not_equal(login->print, print, sizeof(print));
}


static void
what_makes_no_robot_is_refused(void **state)
{
    static const char *const  names[] = { "", "a b", "a$b", "a:b", "\xff" };
    char                      secret[REG_ROBOT_SECRET + 1];
    reg_robot_t               r;

    (void) state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(create(names[i], 0, secret), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
    }

#define REFUSED(change)                                                       \
    r = robot("ci", 0);                                                       \
    change;                                                                   \
    err = (reg_error_t) REG_ERROR_INIT;                                       \
    assert_int_equal(reg_robots_create(path, &r, secret, &err), -1);          \
    assert_int_equal(err.code, REG_BAD_REQUEST)

    REFUSED(r.actions = 0);
    REFUSED(r.npatterns = 0);
    REFUSED(r.npatterns = REG_ROBOT_PATTERNS + 1);
    REFUSED(r.patterns[0] = REG_STR("A"));
    REFUSED(r.patterns[1] = REG_STR("${user}/x"));
    REFUSED(r.expires = -1);
    REFUSED(r.description = REG_STR("a\nb"));

    assert_false(tree_has(path));
    assert_int_equal(create("ci", 0, secret), 0);
    assert_int_equal(create("ci", 0, secret), -1);
    assert_non_null(strstr(err.message, "already"));
}


static void
a_hostile_file_gives_nothing(void **state)
{
#define HEX8   "01234567"
#define HEX    HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8 HEX8
    static const char  odd[] =
        "{\"robots\": [1, null, {}, {\"name\": 5},"
        "{\"name\": \"a\", \"secret\": \"sha256:x\", \"repositories\": [\"a\"],"
        " \"actions\": \"pull\", \"expires\": 0},"
        "{\"name\": \"b\", \"secret\": \"sha256:" HEX "\", \"repositories\":"
        " [\"a\"], \"actions\": \"pull\", \"expires\": \"soon\"},"
        "{\"name\": \"c\", \"secret\": \"sha256:" HEX "\", \"repositories\":"
        " [\"a\", 7], \"actions\": \"pull\", \"expires\": 0},"
        "{\"name\": \"d\", \"secret\": \"sha256:" HEX "\", \"repositories\":"
        " \"a\", \"actions\": \"pull\", \"expires\": 0},"
        "{\"name\": \"e\", \"secret\": \"sha256:" HEX "\", \"repositories\":"
        " [\"a\"], \"actions\": \"pull,fly\", \"expires\": 0},"
        "{\"name\": \"good\", \"secret\": \"sha256:" HEX "\","
        " \"repositories\": [\"a\"], \"actions\": \"pull\", \"expires\": 0}]}";
    static const char *const  broken[] = {
        "{", "[]", "{\"robots\": 5}", "{\"robots\": [}", "x", "null"
    };
    char    line[512];
    size_t  n = 0;

    (void) state;

    assert_int_equal(tree_write(path, odd, strlen(odd)), 0);
    assert_int_equal(reg_robots_login(robots, REG_STR("robot$good"), NOW,
                                      &login, &err), 1);

    for (char name[] = "robot$a"; name[6] <= 'e'; name[6]++) {
        reg_login_t  *none = NULL;

        assert_int_equal(reg_robots_login(robots, reg_str_from(name), NOW,
                                          &none, &err), 0);
    }

    while (reg_robots_message(robots, line, sizeof(line))) {
        assert_non_null(strstr(line, "robots.json: robot "));
        assert_null(strstr(line, HEX8));
        n++;
    }

    assert_int_equal(n, 9);

    /* what is no list of robots changes nothing */
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        reg_login_t  *same = NULL;

        assert_int_equal(tree_write(path, broken[i], strlen(broken[i])), 0);
        assert_int_equal(reg_robots_login(robots, REG_STR("robot$good"), NOW,
                                          &same, &err), 1);
        reg_login_release(same);
        assert_int_equal(reg_robots_message(robots, line, sizeof(line)), 1);
        assert_non_null(strstr(line, "stays in force"));
        assert_int_equal(reg_robots_message(robots, line, sizeof(line)), 0);
    }
}


static int
count(void *ctx, const reg_robot_t *r)
{
    size_t  *n = ctx;

    assert_true(reg_str_starts(r->name, REG_STR("r")));
    assert_int_equal(r->npatterns, 2);
    assert_true(reg_str_eq(r->description, robot("x", 0).description));
    (*n)++;

    return 0;
}


static void
nothing_odd(void *ctx, const char *message)
{
    (void) ctx;
    fail_msg("%s", message);
}


static void
two_at_once_lose_nothing(void **state)
{
    pid_t              pids[3];
    int                status;
    size_t             n = 0;
    reg_robots_list_t  list = { count, nothing_odd, &n };

    (void) state;

    for (int p = 0; p < 3; p++) {
        pids[p] = fork();

        if (pids[p] == 0) {
            int  bad = 0;

            for (int i = 0; i < 10; i++) {
                char  name[16], secret[REG_ROBOT_SECRET + 1];

                (void) snprintf(name, sizeof(name), "r%d-%d", p, i);
                bad |= create(name, 0, secret);
            }

            _exit(bad != 0);
        }
    }

    for (int p = 0; p < 3; p++) {
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
    }

    assert_int_equal(reg_robots_list(path, &list, &err), 0);
    assert_int_equal(n, 30);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, leave)

    const struct CMUnitTest  tests[] = {
        TEST(a_robot_may_what_it_was_given),
        TEST(wrong_over_and_revoked_are_the_same),
        TEST(what_makes_no_robot_is_refused),
        TEST(a_hostile_file_gives_nothing),
        TEST(two_at_once_lose_nothing),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
