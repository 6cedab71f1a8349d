/* reg_dir: directories of the tree, made with all that leads to them. */

#include "reg_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tree.h"


static reg_error_t  err;


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    return tree_renew(state);
}


/* S17: an error, not an endless loop */
static void
a_dangling_link_among_the_directories_is_an_error(void **state)
{
    reg_path_t  path = tree_at("a/_layers/sha256");
    pid_t       pid;
    int         status;

    (void) state;

    assert_int_equal(mkdir(tree_at("a").text, 0755), 0);
    assert_int_equal(symlink("/nowhere/at/all", tree_at("a/_layers").text), 0);

    pid = fork();

    if (pid == 0) {
        (void) alarm(300);
        _exit(reg_dir_mkdir(&tree_store, &path, &err) == -1
              && err.code != REG_OK ? 0 : 1);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}


static void
a_file_among_the_directories_is_an_error(void **state)
{
    reg_path_t  file = tree_at("a"), path = tree_at("a/b/c");

    (void) state;

    assert_int_equal(tree_write(file.text, "1", 1), 0);
    assert_int_equal(reg_dir_mkdir(&tree_store, &path, &err), -1);
    assert_int_not_equal(err.code, REG_OK);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_dangling_link_among_the_directories_is_an_error),
        TEST(a_file_among_the_directories_is_an_error),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
