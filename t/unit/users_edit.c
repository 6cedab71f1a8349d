/* reg_users_edit, and reg_edit below it: nothing is lost, nothing else is
 * touched. */

#include "reg_users_edit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "reg_edit.h"
#include "tree.h"

#define HASH   "$6$salt$" DIGITS DIGITS "12345678901234567890123456"
#define OTHER  "$6$pepp$" DIGITS DIGITS "12345678901234567890123456"
#define DIGITS "123456789012345678901234567890"


static reg_error_t  err;
static char         path[300];


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    (void) snprintf(path, sizeof(path), "%s/htpasswd", tree_root);

    return tree_renew(state);
}


static int
edit(reg_users_change_t change, const char *user, const char *hash)
{
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_users_edit(path, change, reg_str_from(user), hash, &err);
}


static void
put(const char *text)
{
    assert_int_equal(tree_write(path, text, strlen(text)), 0);
}


static void
expect(const char *want)
{
    static char  text[64 * 1024];

    assert_int_not_equal(tree_read(path, text, sizeof(text)), -1);
    assert_string_equal(text, want);
}


static void
a_new_file_is_made_for_the_first_account(void **state)
{
    struct stat  st;

    (void) state;

    assert_int_equal(edit(REG_USERS_CHANGE, "alice", HASH), -1);
    assert_int_equal(edit(REG_USERS_REMOVE, "alice", NULL), -1);
    assert_false(tree_has(path));

    assert_int_equal(edit(REG_USERS_ADD, "alice", HASH), 0);
    expect("alice:" HASH "\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}


static void
what_is_not_about_the_account_stays(void **state)
{
    struct stat  st;

    (void) state;

    put("# Staff\n\nbob:$apr1$x$y\r\n alice:" OTHER "\nnonsense\n"
        "alice:$1$a$b\ncarol:" OTHER);
    assert_int_equal(chmod(path, 0604), 0);

    assert_int_equal(edit(REG_USERS_CHANGE, "alice", HASH), 0);
    expect("# Staff\n\nbob:$apr1$x$y\r\nalice:" HASH "\nnonsense\ncarol:"
           OTHER);

    assert_int_equal(edit(REG_USERS_ADD, "dave", HASH), 0);
    expect("# Staff\n\nbob:$apr1$x$y\r\nalice:" HASH "\nnonsense\ncarol:"
           OTHER "\ndave:" HASH "\n");

    assert_int_equal(edit(REG_USERS_REMOVE, "alice", NULL), 0);
    assert_int_equal(edit(REG_USERS_REMOVE, "bob", NULL), 0);
    expect("# Staff\n\nnonsense\ncarol:" OTHER "\ndave:" HASH "\n");

    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
}


static void
what_cannot_be_is_refused(void **state)
{
    static const char  *names[] = {
        "", "a:b", "robot$x", "#x", " x", "a\nb", "\xff"
    };

    (void) state;

    put("alice:" HASH "\n");
    assert_int_equal(edit(REG_USERS_ADD, "alice", OTHER), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_int_equal(edit(REG_USERS_CHANGE, "bob", OTHER), -1);
    assert_int_equal(err.code, REG_BAD_REQUEST);
    assert_int_equal(edit(REG_USERS_REMOVE, "bob", NULL), -1);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(edit(REG_USERS_ADD, names[i], OTHER), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
    }

    expect("alice:" HASH "\n");
}


static void
a_link_stays_a_link(void **state)
{
    char         real[320];
    struct stat  st;

    (void) state;

    (void) snprintf(real, sizeof(real), "%s.real", path);
    assert_int_equal(tree_write(real, "", 0), 0);
    assert_int_equal(symlink(real, path), 0);
    assert_int_equal(edit(REG_USERS_ADD, "alice", HASH), 0);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    expect("alice:" HASH "\n");
}


#define PROCESSES  4
#define EACH       25

static void
many_at_once_lose_nothing(void **state)
{
    pid_t        pids[PROCESSES];
    int          status;
    char         text[64 * 1024], want[320];
    struct stat  st;

    (void) state;

    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        assert_int_not_equal(pids[p], -1);

        if (pids[p] == 0) {
            int  bad = 0;

            for (int i = 0; i < EACH; i++) {
                char  name[16];

                (void) snprintf(name, sizeof(name), "u%d-%d", p, i);
                bad |= edit(REG_USERS_ADD, name, HASH);
            }

            _exit(bad != 0);
        }
    }

    for (int p = 0; p < PROCESSES; p++) {
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_int_equal(status, 0);
    }

    assert_int_not_equal(tree_read(path, text, sizeof(text)), -1);

    for (int p = 0; p < PROCESSES; p++) {
        for (int i = 0; i < EACH; i++) {
            (void) snprintf(want, sizeof(want), "u%d-%d:" HASH "\n", p, i);
            assert_non_null(strstr(text, want));
        }
    }

    /* and leave nothing */
    (void) snprintf(want, sizeof(want), "%s.new", path);
    assert_int_equal(lstat(want, &st), -1);
}


static int
note(void *ctx, size_t number, reg_str_t name, const char *why)
{
    reg_buf_printf(ctx, "%zu %.*s %s\n", number, REG_STR_ARG(name),
                   why == NULL ? "ok" : why);
    return 0;
}


static void
a_list_has_also_what_is_not_used(void **state)
{
    reg_buf_t  out = REG_BUF_INIT;

    (void) state;

    put("# x\nalice:" HASH "\n\nbob:plain\n");
    assert_int_equal(reg_users_list(path, note, &out, &err), 0);
    reg_buf_put(&out, "", 1);
    assert_string_equal(out.data, "2 alice ok\n4 bob DES, or no hash at"
                        " all: not safe\n");
    reg_buf_free(&out);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(reg_users_list(path, note, &out, &err), -1);
    assert_int_equal(err.sys, ENOENT);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_new_file_is_made_for_the_first_account),
        TEST(what_is_not_about_the_account_stays),
        TEST(what_cannot_be_is_refused),
        TEST(a_link_stays_a_link),
        TEST(many_at_once_lose_nothing),
        TEST(a_list_has_also_what_is_not_used),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
