/* reg_purge: what nobody goes on with goes, and nothing else (conformance.md
 * 32, SECURITY.md S9, F10). */

#include "reg_purge.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_upload.h"
#include "faults.h"


#define DAY  86400

typedef struct {
    char  uuid[REG_UUID_LEN + 1];
} purge_session_t;


static reg_error_t        err;
static reg_purge_t        purge;
static reg_purge_count_t  count;
static int                steps, most, odd;
static char               complaint[512];


static int
step(void *ctx, const reg_purge_count_t *c)
{
    (void) ctx;
    assert_ptr_equal(c, &count);

    return ++steps == most;
}


static void
complain(void *ctx, const char *about, const reg_error_t *e)
{
    (void) ctx;
    (void) e;
    odd++;
    (void) snprintf(complaint, sizeof(complaint), "%s", about);
}


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    count = (reg_purge_count_t) { 0 };
    purge = (reg_purge_t) { .since = time(NULL) - DAY, .step = step,
                            .odd = complain };
    steps = 0;
    most = -1;
    odd = 0;

    return tree_renew(state);
}


static reg_path_t
path_of(const char *repository, const purge_session_t *s, const char *part)
{
    reg_path_t  path;
    reg_name_t  name = tree_name(repository);

    reg_layout_upload(&path, &tree_store.v2, &name, s->uuid);

    if (part != NULL) {
        reg_path_add(&path, part);
    }

    return path;
}


static void
age(const reg_path_t *path, int64_t seconds)
{
    const struct timespec  then[2] = {
        { time(NULL) - seconds, 0 }, { time(NULL) - seconds, 0 }
    };

    assert_int_equal(utimensat(AT_FDCWD, path->text, then, 0), 0);
}


/* A session with some bytes, to which nothing was added for so many seconds. */
static purge_session_t
session(const char *repository, const char *bytes, int64_t seconds)
{
    static const char  *parts[] = { "data", "startedat", NULL };

    purge_session_t  s;
    reg_name_t       name = tree_name(repository);
    reg_upload_t     up = REG_UPLOAD_INIT;
    reg_str_t        all = reg_str_from(bytes);

    assert_int_equal(reg_upload_create(&tree_store, &name, REG_SHA256, s.uuid,
                                       &err), 0);
    assert_int_equal(reg_upload_open(&up, &tree_store, &name, s.uuid, NULL,
                                     &err), 0);
    assert_int_equal(reg_upload_append(&up, all, &err), 0);
    assert_int_equal(reg_upload_suspend(&up, &err), 0);

    for (size_t i = 0; i < 3; i++) {
        reg_path_t  path = path_of(repository, &s, parts[i]);

        age(&path, seconds);
    }

    return s;
}


static bool
is_there(const char *repository, const purge_session_t *s)
{
    return tree_has(path_of(repository, s, NULL).text);
}


static void
run(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
    count = (reg_purge_count_t) { 0 };
    assert_int_equal(reg_purge_all(&tree_store, &purge, &count, &err), 0);
}


static void
what_is_old_goes_and_what_is_young_stays(void **state)
{
    purge_session_t  old = session("a/b", "12345", DAY + 1);
    purge_session_t  other = session("c", "", 2 * DAY);
    purge_session_t  young = session("a/b", "123", DAY - 60);
    reg_path_t       tmp;

    (void) state;

    run();

    assert_false(is_there("a/b", &old));
    assert_false(is_there("c", &other));
    assert_true(is_there("a/b", &young));

    assert_int_equal(count.repositories, 2);
    assert_int_equal(count.uploads, 3);
    assert_int_equal(count.purged, 2);
    assert_int_equal(count.bytes, 5);
    assert_int_equal(count.failed, 0);

    reg_layout_tmp(&tmp, &tree_store.v2);
    assert_int_equal(tree_count(tmp.text), 0);
}


static void
a_dry_run_only_counts(void **state)
{
    purge_session_t  old = session("a/b", "12345", DAY + 1);

    (void) state;

    purge.dry_run = true;
    run();

    assert_int_equal(count.purged, 1);
    assert_int_equal(count.bytes, 5);
    assert_true(is_there("a/b", &old));
}


/* a slow upload: it began long ago, and a byte came just now */
static void
an_upload_is_as_young_as_its_last_byte(void **state)
{
    static const char  *parts[] = { "data", "startedat", NULL };

    (void) state;

    for (size_t i = 0; i < 3; i++) {
        purge_session_t  s = session("a/b", "12345", 100 * DAY);
        reg_path_t       path = path_of("a/b", &s, parts[i]);

        age(&path, 10);
        run();
        assert_int_equal(count.purged, 0);
        assert_true(is_there("a/b", &s));
        age(&path, 100 * DAY);
        run();
        assert_int_equal(count.purged, 1);
    }
}


/* F10: the clock was a year ahead when the bytes came */
static void
what_lies_in_the_future_is_young(void **state)
{
    purge_session_t  s = session("a/b", "12345", -365 * DAY);

    (void) state;

    purge.since = time(NULL);
    run();
    assert_int_equal(count.purged, 0);
    assert_true(is_there("a/b", &s));
}


static void
an_upload_that_is_being_written_to_stays(void **state)
{
    purge_session_t  s = session("a/b", "12345", 100 * DAY);
    reg_name_t       name = tree_name("a/b");
    reg_upload_t     up = REG_UPLOAD_INIT;
    reg_digest_t     d = tree_digest(REG_SHA256, REG_STR("12345"));

    (void) state;

    assert_int_equal(reg_upload_open(&up, &tree_store, &name, s.uuid, NULL,
                                     &err), 0);
    run();
    assert_int_equal(count.uploads, 1);
    assert_int_equal(count.purged, 0);
    assert_int_equal(count.failed, 0);

    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_null(fault_check_tree());
}


/* who opened it before, and comes to write after: never half */
static void
a_purged_upload_is_unknown(void **state)
{
    purge_session_t  s = session("a/b", "12345", 2 * DAY);
    reg_name_t       name = tree_name("a/b");
    reg_upload_t     up = REG_UPLOAD_INIT;
    int64_t          offset;

    (void) state;

    run();
    assert_int_equal(count.purged, 1);

    assert_int_equal(reg_upload_open(&up, &tree_store, &name, s.uuid, NULL,
                                     &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    assert_string_equal(err.detail, s.uuid);

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_upload_stat(&tree_store, &name, s.uuid, &offset,
                                     &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
}


static void
a_session_without_data_is_left_to_its_maker_for_an_hour(void **state)
{
    purge_session_t  s = session("a/b", "12345", DAY + 60);
    reg_path_t       data = path_of("a/b", &s, "data");
    reg_path_t       dir = path_of("a/b", &s, NULL);

    (void) state;

    assert_int_equal(remove(data.text), 0);
    age(&dir, DAY + 60);
    run();
    assert_int_equal(count.purged, 0);
    assert_true(is_there("a/b", &s));

    data = path_of("a/b", &s, "startedat");
    age(&data, DAY + 3700);
    age(&dir, DAY + 3700);
    run();
    assert_int_equal(count.purged, 1);
    assert_int_equal(count.bytes, 0);
}


/* the session goes, the blob stays as it is */
static void
a_session_that_still_names_a_blob_goes_without_it(void **state)
{
    purge_session_t  s = session("a/b", "12345", 2 * DAY);
    reg_path_t       data = path_of("a/b", &s, "data");
    reg_path_t       dir = path_of("a/b", &s, NULL);
    reg_digest_t     d = tree_digest(REG_SHA256, REG_STR("12345"));
    reg_path_t       blob;
    struct stat      st;
    char             text[16];

    (void) state;

    reg_layout_blob(&blob, &tree_store.v2, &d);
    assert_int_equal(tree_write(blob.text, "", 0), 0);
    assert_int_equal(unlink(blob.text), 0);
    assert_int_equal(link(data.text, blob.text), 0);

    age(&dir, 2 * DAY);
    run();
    assert_int_equal(count.purged, 1);
    assert_int_equal(count.bytes, 0);
    assert_int_equal(count.failed, 0);
    assert_false(is_there("a/b", &s));

    assert_int_equal(tree_read(blob.text, text, sizeof(text)), 5);
    assert_string_equal(text, "12345");
    assert_int_equal(stat(blob.text, &st), 0);
    assert_int_equal(st.st_nlink, 1);
}


static void
empty_directories_go_others_stay(void **state)
{
    reg_path_t  path;

    (void) state;

    (void) session("a/only", "1", 2 * DAY);
    (void) session("a/b", "1", 2 * DAY);
    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, "a/b/_layers/x");
    assert_int_equal(tree_write(path.text, "", 0), 0);

    run();
    assert_int_equal(count.purged, 2);

    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, "a/only");
    assert_false(tree_has(path.text));
    reg_path_parent(&path);
    reg_path_add(&path, "b/_uploads");
    assert_false(tree_has(path.text));
    reg_path_parent(&path);
    assert_true(tree_has(path.text));

    /* an _uploads in which nothing ever was */
    reg_path_add(&path, "_uploads");
    assert_int_equal(mkdir(path.text, 0755), 0);
    run();
    assert_false(tree_has(path.text));

    (void) session("a/only", "1", 2 * DAY);
    run();
    assert_int_equal(count.purged, 1);
    reg_layout_repositories(&path, &tree_store.v2);
    assert_true(tree_has(path.text));
}


/* S17 */
static void
what_is_no_session_is_left_alone(void **state)
{
    purge_session_t  s = session("a/b", "12345", 2 * DAY);
    reg_path_t       data = path_of("a/b", &s, "data"), path;

    (void) state;

    /* a link for a data file: named, and left */
    assert_int_equal(remove(data.text), 0);
    assert_int_equal(symlink("/etc/passwd", data.text), 0);
    path = path_of("a/b", &s, NULL);
    age(&path, 2 * DAY);

    reg_path_parent(&path);
    reg_path_add(&path, "readme");
    assert_int_equal(tree_write(path.text, "", 0), 0);

    purge.since = time(NULL) + 1;
    run();
    assert_int_equal(count.purged, 0);
    assert_int_equal(count.failed, 1);
    assert_int_equal(odd, 1);
    assert_memory_equal(complaint, "a/b/", 4);
    assert_true(tree_has(path.text));
    assert_true(tree_has(data.text));

    /* an _uploads that leads elsewhere is not followed */
    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, "z");
    assert_int_equal(mkdir(path.text, 0755), 0);
    reg_path_add(&path, "_uploads");
    data = path_of("a/b", &s, NULL);
    reg_path_parent(&data);
    assert_int_equal(symlink(data.text, path.text), 0);
    run();
    assert_int_equal(count.repositories, 1);
    assert_int_equal(count.failed, 2);
}


static void
a_step_may_end_it(void **state)
{
    (void) state;

    for (int i = 0; i < 5; i++) {
        (void) session("a", "1", 2 * DAY);
        (void) session("b", "1", 2 * DAY);
    }

    most = 3;
    assert_int_equal(reg_purge_all(&tree_store, &purge, &count, &err), 1);
    assert_int_equal(count.uploads, 3);
    assert_int_equal(count.purged, 3);
    assert_int_equal(steps, 3);

    run();
    assert_int_equal(count.purged, 7);
}


static void
one_repository_alone(void **state)
{
    reg_name_t       name = tree_name("a");
    purge_session_t  s = session("b", "1", 2 * DAY);

    (void) state;

    (void) session("a", "1", 2 * DAY);
    assert_int_equal(reg_purge_repository(&tree_store, &name, &purge, &count,
                                          &err), 0);
    assert_int_equal(count.purged, 1);
    assert_true(is_there("b", &s));

    assert_int_equal(reg_purge_repository(&tree_store, &name, &purge, &count,
                                          &err), -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);
}


/* ---- faults -------------------------------------------------------------- */


static int
prepare_three(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
    count = (reg_purge_count_t) { 0 };
    (void) session("a/b", "12345", 2 * DAY);
    (void) session("a/b", "12", 2 * DAY);
    (void) session("a/b", "123", 10);

    return 0;
}


/* The files of sessions that are left; a whole one has two. */
static size_t
left(void)
{
    reg_path_t  path;
    reg_name_t  name = tree_name("a/b");

    reg_layout_uploads(&path, &tree_store.v2, &name);
    return tree_count(path.text);
}


/* Removals are not synced, so this is no loop of faults.h's.  Whatever fails,
 * and wherever it dies: the young one stays, and the next round ends it. */
static void
no_fault_takes_what_is_young(void **state)
{
    const fault_loop_t  begin = { "a purge", prepare_three, NULL, NULL };

    int  n = 0, calls = 0, status;

    (void) state;

    do {
        n++;

        for (int dies = 0; dies < 2; dies++) {
            pid_t  pid;

            assert_int_equal(fault_begin(&begin), 0);
            fault_reset(n, EIO, dies ? FAULT_DIES : FAULT_FAILS);
            pid = dies ? fork() : 0;

            if (pid == 0) {
                (void) reg_purge_all(&tree_store, &purge, &count, &err);
                calls = fault.calls;

                if (dies) {
                    _exit(0);
                }

            } else {
                assert_int_equal(waitpid(pid, &status, 0), pid);
            }

            fault_reset(0, 0, FAULT_FAILS);
            assert_true(left() >= 2);
            run();
            assert_int_equal(left(), 2);
        }
    } while (calls >= n);

    assert_true(n > 5);
    assert_int_equal(tree_open(), 0);           /* the kernel's own again */
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(what_is_old_goes_and_what_is_young_stays),
        TEST(a_dry_run_only_counts),
        TEST(an_upload_is_as_young_as_its_last_byte),
        TEST(what_lies_in_the_future_is_young),
        TEST(an_upload_that_is_being_written_to_stays),
        TEST(a_purged_upload_is_unknown),
        TEST(a_session_without_data_is_left_to_its_maker_for_an_hour),
        TEST(a_session_that_still_names_a_blob_goes_without_it),
        TEST(empty_directories_go_others_stay),
        TEST(what_is_no_session_is_left_alone),
        TEST(a_step_may_end_it),
        TEST(one_repository_alone),
        TEST(no_fault_takes_what_is_young),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
