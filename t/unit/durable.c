/* reg_durable: write, sync, rename, sync (D1 to D5). */

#include "reg_durable.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "faults.h"
#include "reg_dir.h"
#include "reg_removal.h"


static reg_error_t    err;
static reg_durable_t  t;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


static int
renew(void **state)
{
    no_error();
    return tree_renew(state);
}


static void
expect_content(const char *part, const char *want)
{
    reg_path_t  path = tree_at(part);
    char        text[256];

    assert_int_not_equal(tree_read(path.text, text, sizeof(text)), -1);
    assert_string_equal(text, want);
}


static void
put(int rank, const char *part, const char *content)
{
    reg_path_t  path = tree_at(part);

    assert_int_equal(reg_durable_put(&t, rank, &path, reg_str_from(content),
                                     &err), 0);
}


static void
nothing_is_visible_before_commit(void **state)
{
    (void) state;

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "1");
    put(1, "a/b/y", "2");
    assert_false(tree_has(tree_at("a/x").text));
    assert_false(tree_has(tree_at("a/b/y").text));

    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    expect_content("a/x", "1");
    expect_content("a/b/y", "2");
    assert_int_equal(tree_litter(), 0);
}


static void
what_is_given_up_leaves_nothing(void **state)
{
    (void) state;

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "1");
    reg_durable_free(&t);
    reg_durable_free(&t);

    assert_int_equal(tree_count(tree_root), 0);
}


static void
an_old_content_is_replaced(void **state)
{
    (void) state;

    for (int i = 0; i < 3; i++) {
        char  text[] = { (char) ('0' + i), '\0' };

        reg_durable_init(&t, &tree_store);
        put(0, "a/x", text);
        assert_int_equal(reg_durable_commit(&t, &err), 0);
        reg_durable_free(&t);
        expect_content("a/x", text);
    }
}


static void
the_same_content_is_not_written_again_but_synced(void **state)
{
    reg_path_t  path = tree_at("a/x");
    ino_t       before;

    (void) state;

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "same");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);
    before = fault_inode(path.text);

    /* another process: it knows of no directory */
    assert_int_equal(tree_open(), 0);
    fault_reset(0, 0, FAULT_FAILS);
    fault_install(FAULT_FSYNC);
    fault_soil(&fault.files, before);
    reg_path_parent(&path);
    fault_soil(&fault.dirs, fault_inode(path.text));

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "same");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    assert_int_equal(fault_inode(tree_at("a/x").text), before);
    assert_int_equal(fault.files.n, 0);
    assert_int_equal(fault.dirs.n, 0);
}


static void
directories_that_others_made_are_synced_all_the_way(void **state)
{
    static const char  *dirs[] = { "a", "a/b", "a/b/c" };

    reg_path_t  path;

    (void) state;

    /* made, but not synced: as mkdir for an upload leaves it */
    path = tree_at("a/b/c");
    assert_int_equal(reg_dir_mkdir(&tree_store, &path, &err), 0);

    fault_reset(0, 0, FAULT_FAILS);
    fault_install(FAULT_FSYNC);

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        fault_soil_parent(tree_at(dirs[i]).text);
    }

    reg_durable_init(&t, &tree_store);
    put(0, "a/b/c/x", "1");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    assert_int_equal(fault.dirs.n, 0);
    assert_null(fault.broken);
}


static void
a_directory_that_is_made_again_is_synced_again(void **state)
{
    reg_path_t  path = tree_at("a/b/x"), stop = tree_at("");

    (void) state;

    stop.len--;
    stop.text[stop.len] = '\0';

    for (int i = 0; i < 5; i++) {
        fault_reset(0, 0, FAULT_FAILS);
        fault_install(FAULT_FSYNC);

        reg_durable_init(&t, &tree_store);
        put(0, "a/b/x", "1");
        assert_int_equal(reg_durable_commit(&t, &err), 0);
        reg_durable_free(&t);
        assert_int_equal(fault.dirs.n, 0);

        assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                            REG_BLOB_UNKNOWN, &err), 0);
        assert_int_equal(fault.dirs.n, 0);
        assert_false(tree_has(tree_at("a").text));
    }
}


static void
more_directories_than_one_barrier_holds_are_synced(void **state)
{
    char  part[64];

    (void) state;

    fault_reset(0, 0, FAULT_FAILS);
    fault_install(FAULT_FSYNC);
    reg_durable_init(&t, &tree_store);

    for (int i = 0; i < 2 * REG_DURABLE_SYNCS; i++) {
        (void) snprintf(part, sizeof(part), "d%d/e/x", i);
        put(i % REG_DURABLE_RANKS, part, "1");
    }

    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    assert_int_equal(fault.dirs.n, 0);
    assert_int_equal(tree_count(tree_root), 2 * REG_DURABLE_SYNCS);
}


static void
a_moved_file_is_replaced_and_its_descriptor_stays(void **state)
{
    reg_path_t  from = tree_at("_uploads/data"), to = tree_at("a/data");
    int         fd;

    (void) state;

    assert_int_equal(tree_write(from.text, "new", 3), 0);
    assert_int_equal(tree_write(to.text, "old and longer", 14), 0);
    fd = open(from.text, O_RDWR);
    assert_int_not_equal(fd, -1);

    reg_durable_init(&t, &tree_store);
    assert_int_equal(reg_durable_move(&t, 0, &from, fd, &to, &err), 0);
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    expect_content("a/data", "new");
    assert_false(tree_has(from.text));
    assert_int_equal(fcntl(fd, F_GETFD) & ~FD_CLOEXEC, 0);
    (void) close(fd);
}


static void
a_move_that_is_given_up_keeps_its_file(void **state)
{
    reg_path_t  from = tree_at("_uploads/data"), to = tree_at("a/data");
    int         fd;

    (void) state;

    assert_int_equal(tree_write(from.text, "new", 3), 0);
    fd = open(from.text, O_RDWR);

    reg_durable_init(&t, &tree_store);
    assert_int_equal(reg_durable_move(&t, 0, &from, fd, &to, &err), 0);
    reg_durable_free(&t);
    (void) close(fd);

    expect_content("_uploads/data", "new");
}


static void
a_missing_tmp_is_made_again(void **state)
{
    reg_path_t  tmp;

    (void) state;

    reg_layout_tmp(&tmp, &tree_store.v2);
    assert_int_equal(rmdir(tmp.text), 0);

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "1");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);
}


/* S17: it is replaced, not written through */
static void
a_link_in_the_place_of_a_file_is_replaced(void **state)
{
    reg_path_t  outside = tree_at("outside");
    char        text[16];

    (void) state;

    assert_int_equal(tree_write(outside.text, "1", 1), 0);
    assert_int_equal(mkdir(tree_at("a").text, 0755), 0);
    assert_int_equal(symlink(outside.text, tree_at("a/x").text), 0);

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "1");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    assert_int_equal(readlink(tree_at("a/x").text, text, sizeof(text)), -1);
    expect_content("a/x", "1");
    expect_content("outside", "1");
}


/* ---- the crash loop: no rank is seen without the one before ------------- */


static int
prepare_old(void)
{
    reg_path_t  path = tree_at("r/2");

    return tree_write(path.text, "old", 3);
}


static int
run_ranks(void)
{
    reg_path_t  paths[] = { tree_at("r/0"), tree_at("q/1"), tree_at("r/2") };
    int         rc = -1;

    no_error();
    reg_durable_init(&t, &tree_store);

    if (reg_durable_put(&t, 2, &paths[2], REG_STR("new"), &err) == 0
        && reg_durable_put(&t, 0, &paths[0], REG_STR("zero"), &err) == 0
        && reg_durable_put(&t, 1, &paths[1], REG_STR("one"), &err) == 0)
    {
        rc = reg_durable_commit(&t, &err);
    }

    reg_durable_free(&t);

    return rc;
}


static const char *
check_ranks(bool done)
{
    char  zero[16] = "", one[16] = "", two[16] = "";
    bool  a, b, c;

    (void) tree_read(tree_at("r/0").text, zero, sizeof(zero));
    (void) tree_read(tree_at("q/1").text, one, sizeof(one));
    (void) tree_read(tree_at("r/2").text, two, sizeof(two));

    a = strcmp(zero, "zero") == 0;
    b = strcmp(one, "one") == 0;
    c = strcmp(two, "new") == 0;

    if ((!a && zero[0] != '\0') || (!b && one[0] != '\0')
        || (!c && strcmp(two, "old") != 0))
    {
        return "half a file";
    }

    if ((b && !a) || (c && !b)) {
        return "a rank without the one before";
    }

    return done && !c ? "acknowledged, but not there" : NULL;
}


/* Not by fault_loop(): these are no links, so the tree's own promises do not
 * hold for them. */
static int
loop_ranks(fault_way_t way)
{
    const fault_loop_t   loop = { "ranks", prepare_old, run_ranks,
                                  check_ranks };
    static const int     errnos[] = { ENOSPC, EIO };
    int                  calls, rounds = 0, status;
    pid_t                pid;

    fault_way = way;

    assert_int_equal(fault_begin(&loop), 0);
    fault_reset(0, 0, FAULT_FAILS);
    assert_int_equal(run_ranks(), 0);
    assert_int_equal(fault.dirs.n, 0);
    assert_null(fault.broken);
    calls = fault.calls;

    for (int n = 1; n <= calls; n++) {
        for (size_t i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++) {
            int  rc;

            assert_int_equal(fault_begin(&loop), 0);
            fault_reset(n, errnos[i], FAULT_FAILS);
            rc = run_ranks();
            assert_null(fault.broken);
            assert_null(check_ranks(rc == 0));
            assert_true(rc == 0 || err.code != REG_OK);

            /* litter only where the removal itself was what failed */
            assert_true(tree_litter() <= 1);

            fault_reset(0, 0, FAULT_FAILS);
            assert_int_equal(run_ranks(), 0);
            assert_null(check_ranks(true));
            rounds++;
        }

        assert_int_equal(fault_begin(&loop), 0);
        fault_reset(n, 0, FAULT_DIES);
        pid = fork();

        if (pid == 0) {
            _exit(run_ranks() == 0 ? 0 : 1);
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
        assert_null(check_ranks(WEXITSTATUS(status) == 0));
        rounds++;
    }

    fault_way = FAULT_FSYNC;

    return rounds;
}


static void
no_fault_shows_a_rank_without_the_one_before(void **state)
{
    (void) state;

    print_message("ranks: %d rounds\n",
                  loop_ranks(FAULT_FSYNC) + loop_ranks(FAULT_SYNCFS));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(nothing_is_visible_before_commit),
        TEST(what_is_given_up_leaves_nothing),
        TEST(an_old_content_is_replaced),
        TEST(the_same_content_is_not_written_again_but_synced),
        TEST(directories_that_others_made_are_synced_all_the_way),
        TEST(a_directory_that_is_made_again_is_synced_again),
        TEST(more_directories_than_one_barrier_holds_are_synced),
        TEST(a_moved_file_is_replaced_and_its_descriptor_stays),
        TEST(a_move_that_is_given_up_keeps_its_file),
        TEST(a_missing_tmp_is_made_again),
        TEST(a_link_in_the_place_of_a_file_is_replaced),
        TEST(no_fault_shows_a_rank_without_the_one_before),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
