/* reg_durable: write, sync, rename, sync (D1 to D5). */

#include "reg_durable.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "faults.h"
#include "reg_dir.h"
#include "reg_file.h"
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


/* v2 + "/repositories/" + part */
static reg_path_t
at(const char *part)
{
    reg_path_t  path;

    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, part);

    return path;
}


static void
expect_content(const char *part, const char *want)
{
    reg_path_t  path = at(part);
    char        text[256];

    assert_int_not_equal(tree_read(path.text, text, sizeof(text)), -1);
    assert_string_equal(text, want);
}


static size_t
litter(void)
{
    reg_path_t  tmp;

    reg_layout_tmp(&tmp, &tree_store.v2);
    return tree_count(tmp.text);
}


static void
put(int rank, const char *part, const char *content)
{
    reg_path_t  path = at(part);

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
    assert_false(tree_has(at("a/x").text));
    assert_false(tree_has(at("a/b/y").text));

    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    expect_content("a/x", "1");
    expect_content("a/b/y", "2");
    assert_int_equal(litter(), 0);
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
    reg_path_t  path = at("a/x");
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

    assert_int_equal(fault_inode(at("a/x").text), before);
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
    path = at("a/b/c");
    assert_int_equal(reg_dir_mkdir(&tree_store, &path, &err), 0);

    fault_reset(0, 0, FAULT_FAILS);
    fault_install(FAULT_FSYNC);

    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        fault_soil_parent(at(dirs[i]).text);
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
    reg_path_t  path = at("a/b/x"), stop = at("");

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
        assert_false(tree_has(at("a").text));
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
    reg_path_t  from = at("_uploads/data"), to = at("a/data");
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
    reg_path_t  from = at("_uploads/data"), to = at("a/data");
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
unlink_removes_empty_directories_up_to_a_stop(void **state)
{
    reg_path_t  path = at("a/b/c/x"), stop = at("a");

    (void) state;

    assert_int_equal(tree_write(path.text, "1", 1), 0);
    assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                        REG_BLOB_UNKNOWN, &err), 0);
    assert_false(tree_has(at("a/b").text));
    assert_true(tree_has(at("a").text));

    assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                        REG_BLOB_UNKNOWN, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UNKNOWN);
}


static void
unlink_leaves_directories_that_are_in_use(void **state)
{
    reg_path_t  path = at("a/b/c/x"), other = at("a/b/y"), stop = at("a");

    (void) state;

    assert_int_equal(tree_write(path.text, "1", 1), 0);
    assert_int_equal(tree_write(other.text, "1", 1), 0);
    assert_int_equal(reg_removal_unlink(&tree_store, &path, &stop,
                                        REG_BLOB_UNKNOWN, &err), 0);
    assert_false(tree_has(at("a/b/c").text));
    assert_true(tree_has(other.text));
}


static void
a_tree_is_removed_but_nothing_that_it_points_to(void **state)
{
    reg_path_t  dir = at("a/tree"), file = at("a/tree/b/c/d/x");
    reg_path_t  kept = at("kept/x"), link = at("a/tree/b/out");

    (void) state;

    assert_int_equal(tree_write(file.text, "1", 1), 0);
    assert_int_equal(tree_write(kept.text, "1", 1), 0);
    assert_int_equal(symlink(at("kept").text, link.text), 0);
    assert_int_equal(mkfifo(at("a/tree/fifo").text, 0600), 0);

    assert_int_equal(reg_removal_rmtree(&tree_store, &dir, REG_NAME_UNKNOWN,
                                        &err), 0);
    assert_false(tree_has(dir.text));
    assert_true(tree_has(kept.text));
    assert_int_equal(litter(), 0);

    assert_int_equal(reg_removal_rmtree(&tree_store, &dir, REG_NAME_UNKNOWN,
                                        &err), -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);
}


static void
a_missing_tmp_is_made_again(void **state)
{
    reg_path_t  tmp, dir = at("a");

    (void) state;

    reg_layout_tmp(&tmp, &tree_store.v2);
    assert_int_equal(rmdir(tmp.text), 0);

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "1");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    /* for removals too: what is there must not be called missing */
    assert_int_equal(rmdir(tmp.text), 0);
    assert_int_equal(reg_removal_rmtree(&tree_store, &dir, REG_NAME_UNKNOWN,
                                        &err), 0);
    assert_false(tree_has(dir.text));
}


static void
the_sweep_takes_only_what_is_old(void **state)
{
    reg_path_t       tmp, path;
    struct timespec  old[2] = { { 1000, 0 }, { 1000, 0 } };

    (void) state;

    reg_layout_tmp(&tmp, &tree_store.v2);

    path = tmp;
    reg_path_add(&path, "olddir");
    reg_path_add(&path, "x");
    assert_int_equal(tree_write(path.text, "1", 1), 0);
    reg_path_parent(&path);
    assert_int_equal(utimensat(AT_FDCWD, path.text, old, 0), 0);

    path = tmp;
    reg_path_add(&path, "old");
    assert_int_equal(tree_write(path.text, "1", 1), 0);
    assert_int_equal(utimensat(AT_FDCWD, path.text, old, 0), 0);

    path = tmp;
    reg_path_add(&path, "new");
    assert_int_equal(tree_write(path.text, "1", 1), 0);

    reg_removal_sweep(&tree_store, time(NULL), 3600);
    assert_int_equal(litter(), 1);
    assert_true(tree_has(path.text));
}


/* S17: an error, not an endless loop */
static void
a_dangling_link_among_the_directories_is_an_error(void **state)
{
    reg_path_t  path = at("a/_layers/sha256");
    pid_t       pid;
    int         status;

    (void) state;

    assert_int_equal(mkdir(at("a").text, 0755), 0);
    assert_int_equal(symlink("/nowhere/at/all", at("a/_layers").text), 0);

    pid = fork();

    if (pid == 0) {
        (void) alarm(2);
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
    reg_path_t  file = at("a"), path = at("a/b/c");

    (void) state;

    assert_int_equal(tree_write(file.text, "1", 1), 0);
    assert_int_equal(reg_dir_mkdir(&tree_store, &path, &err), -1);
    assert_int_not_equal(err.code, REG_OK);
}


/* S17: it is replaced, not written through */
static void
a_link_in_the_place_of_a_file_is_replaced(void **state)
{
    reg_path_t  outside = at("outside");
    char        text[16];

    (void) state;

    assert_int_equal(tree_write(outside.text, "1", 1), 0);
    assert_int_equal(mkdir(at("a").text, 0755), 0);
    assert_int_equal(symlink(outside.text, at("a/x").text), 0);

    reg_durable_init(&t, &tree_store);
    put(0, "a/x", "1");
    assert_int_equal(reg_durable_commit(&t, &err), 0);
    reg_durable_free(&t);

    assert_int_equal(readlink(at("a/x").text, text, sizeof(text)), -1);
    expect_content("a/x", "1");
    expect_content("outside", "1");
}


/* ---- the crash loop: no rank is seen without the one before ------------- */


static int
prepare_old(void)
{
    reg_path_t  path = at("r/2");

    return tree_write(path.text, "old", 3);
}


static int
run_ranks(void)
{
    reg_path_t  paths[] = { at("r/0"), at("q/1"), at("r/2") };
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

    (void) tree_read(at("r/0").text, zero, sizeof(zero));
    (void) tree_read(at("q/1").text, one, sizeof(one));
    (void) tree_read(at("r/2").text, two, sizeof(two));

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
            assert_true(litter() <= 1);

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
            no_error();

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
        TEST(nothing_is_visible_before_commit),
        TEST(what_is_given_up_leaves_nothing),
        TEST(an_old_content_is_replaced),
        TEST(the_same_content_is_not_written_again_but_synced),
        TEST(directories_that_others_made_are_synced_all_the_way),
        TEST(a_directory_that_is_made_again_is_synced_again),
        TEST(more_directories_than_one_barrier_holds_are_synced),
        TEST(a_moved_file_is_replaced_and_its_descriptor_stays),
        TEST(a_move_that_is_given_up_keeps_its_file),
        TEST(unlink_removes_empty_directories_up_to_a_stop),
        TEST(unlink_leaves_directories_that_are_in_use),
        TEST(a_tree_is_removed_but_nothing_that_it_points_to),
        TEST(a_missing_tmp_is_made_again),
        TEST(the_sweep_takes_only_what_is_old),
        TEST(a_file_among_the_directories_is_an_error),
        TEST(a_link_in_the_place_of_a_file_is_replaced),
        TEST(no_fault_shows_a_rank_without_the_one_before),
        TEST(a_replaced_file_is_never_half),
        TEST(a_dangling_link_among_the_directories_is_an_error),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
