/* reg_users: a file of accounts, read and read again (SECURITY.md S12). */

#include "reg_users.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_password.h"
#include "tree.h"


static reg_error_t    err;
static char           path[300];
static char           hash_a[256], hash_b[256];  /* of "a" and "b" */
static unsigned char  print[REG_LOGIN_PRINT];
static reg_users_t   *users;


static int
setup(void **state)
{
    return tree_setup(state) == 0
           && reg_password_hash(hash_a, REG_STR("a"), 8, &err) == 0
           && reg_password_hash(hash_b, REG_STR("b"), 8, &err) == 0 ? 0 : -1;
}


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    users = NULL;
    (void) snprintf(path, sizeof(path), "%s/htpasswd", tree_root);

    return tree_renew(state);
}


static int
leave(void **state)
{
    (void) state;
    reg_users_close(users);

    return 0;
}


static void
put(const char *text)
{
    assert_int_equal(tree_write(path, text, strlen(text)), 0);
}


static void
put_lines(const char *before, const char *user, const char *hash,
    const char *after)
{
    char  text[2048];

    (void) snprintf(text, sizeof(text), "%s%s:%s%s", before, user, hash,
                    after);
    put(text);
}


static void
open_users(void)
{
    assert_int_equal(reg_users_open(&users, path, &err), 0);
}


static int
verify(const char *user, const char *password)
{
    return reg_users_verify(users, reg_str_from(user),
                            reg_str_from(password), print, &err);
}


static bool
has(const char *user)
{
    return reg_users_has(users, reg_str_from(user), print);
}


/* All that is to be said, and that it is said once. */
static const char *
says(void)
{
    static char  all[4096];
    char         line[512];
    size_t       n = 0;

    all[0] = '\0';

    while (reg_users_message(users, line, sizeof(line))) {
        n += (size_t) snprintf(all + n, sizeof(all) - n, "%s\n", line);
        assert_true(n < sizeof(all));
    }

    assert_int_equal(reg_users_message(users, line, sizeof(line)), 0);
    return all;
}


static void
accounts_comments_and_empty_lines(void **state)
{
    (void) state;

    put_lines("# bob:x\n\n  \t\n  ", "alice", hash_a, " \r\n#end");
    open_users();
    assert_string_equal(says(), "");
    assert_int_equal(verify("alice", "a"), 1);
    assert_int_equal(verify("alice", "b"), 0);
    assert_int_equal(verify("alice", ""), 0);
    assert_int_equal(verify("", "a"), 0);
    assert_int_equal(verify("Alice", "a"), 0);
    assert_int_equal(verify("bob", "a"), 0);
    assert_true(has("alice"));
    assert_false(has("bob"));
    assert_false(has(""));
}


static void
bad_lines_are_named_without_their_content(void **state)
{
    const char  *said;

    (void) state;

    put_lines("old:$apr1$secret$BXBqpb9BZcZhXLgbee.0s/\nplain:topsecret\n"
              "nonsense\nrobot$x:topsecret\n:topsecret\n\xff:topsecret\n",
              "alice", hash_a, "\n");
    open_users();
    said = says();
    assert_non_null(strstr(said, "htpasswd:1: not used: an MD5 hash"));
    assert_non_null(strstr(said, "htpasswd:2: not used: DES, or no hash"));
    assert_non_null(strstr(said, "htpasswd:3: "));
    assert_non_null(strstr(said, "htpasswd:4: not used: robot$"));
    assert_non_null(strstr(said, "htpasswd:5: "));
    assert_non_null(strstr(said, "htpasswd:6: "));
    assert_null(strstr(said, "htpasswd:7: "));
    assert_null(strstr(said, "secret"));
    assert_null(strstr(said, "plain:"));

    assert_int_equal(verify("alice", "a"), 1);
    assert_int_equal(verify("plain", "topsecret"), 0);
    assert_false(has("plain"));
}


static void
the_later_of_two_lines_counts(void **state)
{
    char  text[1024];

    (void) state;

    (void) snprintf(text, sizeof(text), "z:%s\na:%s\nz:%s", hash_a, hash_a,
                    hash_b);
    put(text);
    open_users();
    assert_non_null(strstr(says(), "htpasswd:1: not used: a later line"));
    assert_int_equal(verify("z", "b"), 1);
    assert_int_equal(verify("z", "a"), 0);
    assert_int_equal(verify("a", "a"), 1);
}


static void
a_changed_file_is_read_again(void **state)
{
    uint64_t       age;
    unsigned char  before[REG_LOGIN_PRINT];

    (void) state;

    put_lines("", "alice", hash_a, "\n");
    open_users();
    assert_int_equal(verify("alice", "a"), 1);
    memcpy(before, print, sizeof(before));
    age = reg_users_age(users);
    assert_int_equal(reg_users_age(users), age);

    /* the same size, and most likely the same tick of the clock */
    put_lines("", "alice", hash_b, "\n");
    assert_int_equal(verify("alice", "a"), 0);
    assert_int_equal(verify("alice", "b"), 1);
    assert_memory_not_equal(print, before, sizeof(before));
    assert_int_not_equal(reg_users_age(users), age);

    age = reg_users_age(users);
    put_lines("", "alice", hash_b, "\n");                /* the same text */
    assert_int_equal(reg_users_age(users), age);

    put("");
    assert_int_equal(verify("alice", "b"), 0);
    assert_int_not_equal(reg_users_age(users), age);
}


static void
a_file_that_vanishes_changes_nothing(void **state)
{
    uint64_t  age;

    (void) state;

    put_lines("", "alice", hash_a, "\n");
    open_users();
    age = reg_users_age(users);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(verify("alice", "a"), 1);
    assert_int_equal(verify("alice", "a"), 1);
    assert_non_null(strstr(says(), "No such file"));
    assert_int_equal(verify("alice", "a"), 1);
    assert_string_equal(says(), "");

    /* something that is not a file, and would keep a reader waiting */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(verify("alice", "a"), 1);
    assert_non_null(strstr(says(), "not a file"));
    assert_int_equal(reg_users_age(users), age);
    assert_string_equal(says(), "");

    assert_int_equal(unlink(path), 0);
    put_lines("", "alice", hash_b, "\n");
    assert_int_equal(verify("alice", "a"), 0);
    assert_int_equal(verify("alice", "b"), 1);
}


static void
a_file_without_bounds_is_refused(void **state)
{
    size_t  n = REG_USERS_FILE_MAX + 1;
    char   *much = malloc(n);

    (void) state;

    assert_non_null(much);
    memset(much, '#', n);
    assert_int_equal(tree_write(path, much, n), 0);
    assert_int_equal(reg_users_open(&users, path, &err), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_non_null(strstr(err.message, "larger than"));

    err = (reg_error_t) REG_ERROR_INIT;
    memset(much, '\n', n);
    assert_int_equal(tree_write(path, much, REG_USERS_MAX + 2), 0);
    assert_int_equal(reg_users_open(&users, path, &err), -1);
    assert_non_null(strstr(err.message, "lines"));

    free(much);

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(reg_users_open(&users, path, &err), -1);
    assert_non_null(strstr(err.message, "No such file"));
}


static int64_t
cpu(const char *user, const char *password)
{
    struct timespec  from, to;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from), 0);

    for (int i = 0; i < 8; i++) {
        assert_int_equal(verify(user, password), 0);
    }

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to), 0);

    return (to.tv_sec - from.tv_sec) * 1000000000
           + (to.tv_nsec - from.tv_nsec);
}


static void
an_unknown_account_costs_what_a_wrong_password_costs(void **state)
{
    double  ratio = 0;

    (void) state;

    put_lines("", "alice", hash_a, "\n");
    open_users();
    (void) verify("alice", "a");                         /* warms up */

    /* a processor may be slower for a while, but not for the same one each
     * time */
    for (int i = 0; i < 20 && !(ratio > 0.5 && ratio < 2); i++) {
        ratio = (double) cpu("mallory", "b") / (double) cpu("alice", "b");
    }

    assert_true(ratio > 0.5 && ratio < 2);

    /* also the one whose password is the first account's */
    assert_int_equal(verify("mallory", "a"), 0);
}


static void *
verify_often(void *arg)
{
    unsigned char  mine[REG_LOGIN_PRINT];
    reg_error_t    why = REG_ERROR_INIT;
    intptr_t       bad = 0;

    (void) arg;

    for (int i = 0; i < 10; i++) {
        bad += !reg_users_has(users, REG_STR("alice"), mine);
        bad += reg_users_verify(users, REG_STR("alice"), REG_STR("x"), mine,
                                &why) != 0;
    }

    return (void *) bad;
}


static void
threads_share_it_while_it_changes(void **state)
{
    pthread_t  threads[4];
    void      *bad;

    (void) state;

    put_lines("", "alice", hash_a, "\n");
    open_users();

    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often,
                                        NULL), 0);
    }

    for (int i = 0; i < 200; i++) {
        char  next[320], text[300];

        /* as registryctl does it: never half a file under the name */
        (void) snprintf(next, sizeof(next), "%s.next", path);
        (void) snprintf(text, sizeof(text), "alice:%s\n%.*s", hash_a, i % 7,
                        "######");
        assert_int_equal(tree_write(next, text, strlen(text)), 0);
        assert_int_equal(rename(next, path), 0);
    }

    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &bad), 0);
        assert_null(bad);
    }

    put_lines("", "alice", hash_b, "\n");
    assert_int_equal(verify("alice", "b"), 1);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, leave)

    const struct CMUnitTest  tests[] = {
        TEST(accounts_comments_and_empty_lines),
        TEST(bad_lines_are_named_without_their_content),
        TEST(the_later_of_two_lines_counts),
        TEST(a_changed_file_is_read_again),
        TEST(a_file_that_vanishes_changes_nothing),
        TEST(a_file_without_bounds_is_refused),
        TEST(an_unknown_account_costs_what_a_wrong_password_costs),
        TEST(threads_share_it_while_it_changes),
    };

    return cmocka_run_group_tests(tests, setup, tree_teardown);
}
