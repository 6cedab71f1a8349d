/* reg_file: the bytes of a file. */

#include "reg_file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "faults.h"


static reg_error_t  err;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    return tree_renew(state);
}


/* A file outside of the tree is the old one or the new one, whatever fails and
 * wherever the process dies. */
static void
a_replaced_file_is_never_half(void **state)
{
    char         path[300], text[64];
    struct stat  st, like;

    (void) state;

    (void) snprintf(path, sizeof(path), "%s/accounts", tree_root);

    for (int n = 1, calls = n; n <= calls; n++) {
        for (int kind = FAULT_FAILS; kind <= FAULT_DIES; kind++) {
            pid_t  pid;
            int    status = 0;
            bool   done;

            assert_int_equal(tree_write(path, "old", 3), 0);
            assert_int_equal(chmod(path, 0604), 0);
            assert_int_equal(stat(path, &like), 0);

            fault_reset(n, EIO, (fault_kind_t) kind);
            err = (reg_error_t) REG_ERROR_INIT;

            if (kind == FAULT_DIES && (pid = fork()) == 0) {
                (void) reg_file_replace(&fault_sys, path, &like,
                                        REG_STR("new!"), &err);
                _exit(0);
            } else if (kind == FAULT_DIES) {
                assert_int_equal(waitpid(pid, &status, 0), pid);
                done = status == 0;
            } else {
                done = reg_file_replace(&fault_sys, path, &like,
                                        REG_STR("new!"), &err) == 0;
                calls = fault.calls < n ? 0 : n + 1;
                assert_true(!done || fault.dirs.n == 0);
            }

            assert_null(fault.broken);
            assert_true(tree_read(path, text, sizeof(text)) > 0);
            assert_true(strcmp(text, "new!") == 0
                        || (!done && strcmp(text, "old") == 0));
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & 07777, 0604);
        }
    }

    fault_reset(0, 0, FAULT_FAILS);
    assert_int_equal(reg_file_replace(&fault_sys, path, &like,
                                      REG_STR("new!"), &err), 0);
    (void) snprintf(path, sizeof(path), "%s/accounts.new", tree_root);
    assert_false(tree_has(path));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_replaced_file_is_never_half),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
