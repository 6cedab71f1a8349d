/* reg_guest, reg_publish: who does not live in the journal writes to it. */

#include "reg_guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "reg_blob.h"
#include "reg_publish.h"
#include "reg_upload.h"
#include "tree.h"


#define HALF  (128 * 1024)


static reg_error_t     err;
static reg_journal_t  *resident;         /* the worker's */
static size_t          redone;
static reg_name_t      name;


static void
leave(void)
{
    reg_journal_close(resident);
    resident = NULL;
}


/* As the next worker does. */
static void
live(size_t half)
{
    leave();
    err = (reg_error_t) REG_ERROR_INIT;
    resident = reg_journal_open(&tree_store, half, &redone, &err);
    assert_non_null(resident);
}


static int
renew(void **state)
{
    reg_guest_end(&tree_store);
    leave();
    name = tree_name("a/b");
    err = (reg_error_t) REG_ERROR_INIT;

    return tree_renew(state);
}


static int
give_up(void **state)
{
    reg_guest_end(&tree_store);
    leave();

    return tree_teardown(state);
}


/* Content that a number stands for, of so many bytes. */
static reg_str_t
content(int n, size_t len, char *text)
{
    for (size_t i = 0; i < len; i++) {
        text[i] = (char) ('a' + ((size_t) n + i * i) % 23);
    }

    (void) snprintf(text, len, "%d", n);

    return (reg_str_t) { len, text };
}


static int
push(int n, size_t len)
{
    char          text[2 * REG_PUBLISH_SMALL], uuid[REG_UUID_LEN + 1];
    reg_str_t     bytes = content(n, len, text);
    reg_digest_t  d = tree_digest(REG_SHA256, bytes);
    reg_upload_t  up = REG_UPLOAD_INIT;
    reg_error_t   why = REG_ERROR_INIT;
    int           rc;

    rc = reg_upload_create(&tree_store, &name, REG_SHA256, uuid, &why) == -1
         || reg_upload_open(&up, &tree_store, &name, uuid, NULL, &why) == -1
         || reg_upload_append(&up, bytes, &why) == -1
         || reg_upload_commit(&up, &d, &why) == -1 ? -1 : 0;
    reg_upload_close(&up);

    return rc;
}


static bool
is_there(int n, size_t len)
{
    char          text[2 * REG_PUBLISH_SMALL];
    reg_str_t     bytes = content(n, len, text);
    reg_digest_t  d = tree_digest(REG_SHA256, bytes);
    reg_buf_t     out = REG_BUF_INIT;
    reg_error_t   quiet = REG_ERROR_INIT;
    int64_t       size;
    bool          right;

    right = reg_blob_stat(&tree_store, &name, &d, &size, &quiet) == 0
            && reg_blob_content_read(&tree_store, &d, sizeof(text), &out,
                                     &quiet) == 0
            && reg_str_eq(reg_buf_str(&out), bytes);
    reg_buf_free(&out);

    return right;
}


static reg_path_t
blob(int n, size_t len)
{
    char          text[2 * REG_PUBLISH_SMALL];
    reg_digest_t  d = tree_digest(REG_SHA256, content(n, len, text));
    reg_path_t    path;

    reg_layout_blob(&path, &tree_store.v2, &d);

    return path;
}


/* ---- where there is none ------------------------------------------------- */


static void
nobody_visits_an_empty_house(void **state)
{
    (void) state;

    /* no journal at all */
    assert_true(reg_logfile_is_settled(&tree_store));
    assert_null(reg_guest_enter(&tree_store));
    assert_int_equal(push(1, 10), 0);

    /* one that those who live there do not write to */
    live(0);
    assert_true(reg_logfile_is_settled(&tree_store));
    assert_null(reg_guest_enter(&tree_store));
    assert_int_equal(push(2, 10), 0);

    /* one that nobody lives in, as after a power cut */
    leave();
    live(HALF);
    assert_true(reg_logfile_is_settled(&tree_store));
    leave();
    assert_false(reg_logfile_is_settled(&tree_store));
    assert_null(reg_guest_enter(&tree_store));
    assert_int_equal(push(3, 10), 0);

    assert_true(is_there(1, 10) && is_there(2, 10) && is_there(3, 10));
}


/* What they do not write to is not made by a visit either. */
static void
a_visit_makes_nothing(void **state)
{
    reg_path_t  path;

    (void) state;

    assert_null(reg_guest_enter(&tree_store));
    reg_layout_journal(&path, &tree_store.v2);
    assert_false(tree_has(path.text));

    live(HALF);
    reg_path_add(&path, "log");
    assert_int_equal(unlink(path.text), 0);
    assert_null(reg_guest_enter(&tree_store));
    assert_false(tree_has(path.text));
    assert_int_equal(push(1, 10), 0);
}


/* ---- what comes back ----------------------------------------------------- */


static void
a_visit_ends_with_a_checkpoint(void **state)
{
    (void) state;

    live(HALF);
    assert_int_equal(push(1, 0), 0);
    assert_int_equal(push(2, REG_PUBLISH_SMALL), 0);
    assert_int_equal(push(2, REG_PUBLISH_SMALL), 0);
    reg_guest_end(&tree_store);
    live(HALF);
    assert_int_equal(redone, 0);
    assert_true(is_there(1, 0) && is_there(2, REG_PUBLISH_SMALL));
}


static int
endless_syncfs(int fd)
{
    while (fd != -1) {
        (void) pause();
    }

    return -1;
}


static void
what_no_checkpoint_covers_comes_back(void **state)
{
    int        status;
    pid_t      pid;
    reg_sys_t  sys = reg_sys_kernel;

    (void) state;

    live(HALF);
    pid = fork();

    if (pid == 0) {
        sys.syncfs = endless_syncfs;     /* it dies in its checkpoint */
        tree_store.sys = &sys;
        _exit(push(1, 0) == 0 && push(2, 30000) == 0 && push(2, 30000) == 0
              ? 0 : 1);
    }

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(tree_lose(), 0);
    live(HALF);
    assert_int_equal(redone, 4);                 /* two blobs, two links */
    assert_true(is_there(1, 0) && is_there(2, 30000));
}


/* What is there and whole keeps its inode, with all that it is on disk. */
static void
only_what_is_damaged_is_replaced(void **state)
{
    reg_path_t   path = blob(1, 100);
    struct stat  before, after;

    (void) state;

    live(HALF);
    assert_int_equal(push(1, 100), 0);
    assert_int_equal(lstat(path.text, &before), 0);
    assert_int_equal(push(1, 100), 0);
    assert_int_equal(lstat(path.text, &after), 0);
    assert_true(before.st_ino == after.st_ino);

    assert_int_equal(truncate(path.text, 50), 0);
    assert_int_equal(push(1, 100), 0);
    assert_true(is_there(1, 100));
}


/* ---- those who live there ------------------------------------------------ */


/* A log that is much smaller than what is pushed: nobody else makes room. */
static void
a_full_journal_is_emptied(void **state)
{
    (void) state;

    live(HALF);

    for (int n = 0; n < 40; n++) {
        assert_int_equal(push(n, 20000), 0);
    }

    for (int n = 0; n < 40; n++) {
        assert_true(is_there(n, 20000));
    }
}


static reg_error_t  opened_err = REG_ERROR_INIT;


static void *
open_journal(void *data)
{
    (void) data;

    resident = reg_journal_open(&tree_store, HALF, &redone, &opened_err);
    return resident;
}


/* Until somebody holds LIVE alone, who then waits for visits to end. */
static void
wait_for_who_opens(void)
{
    const struct timespec  moment = { 0, 1000000 };

    reg_path_t    path;
    struct flock  fl;
    int           fd;

    reg_layout_journal(&path, &tree_store.v2);
    reg_path_add(&path, "state");
    fd = open(path.text, O_RDWR);
    assert_int_not_equal(fd, -1);

    do {
        (void) nanosleep(&moment, NULL);
        fl = (struct flock) {
            .l_type = F_RDLCK, .l_whence = SEEK_SET,
            .l_start = REG_LOGFILE_LIVE, .l_len = 1
        };
        assert_int_equal(fcntl(fd, F_OFD_GETLK, &fl), 0);
    } while (fl.l_type != F_WRLCK);

    (void) close(fd);
}


/* Who comes after the last worker is alone only when visits have ended, with
 * all that they had to put in place; and nobody visits meanwhile. */
static void
who_is_alone_has_no_guests(void **state)
{
    reg_guest_t  *guest;
    pthread_t     thread;
    void         *opened;

    (void) state;

    live(HALF);
    assert_int_equal(push(1, 100), 0);
    guest = reg_guest_enter(&tree_store);
    assert_non_null(guest);
    leave();

    assert_int_equal(pthread_create(&thread, NULL, open_journal, NULL), 0);
    wait_for_who_opens();
    assert_int_equal(push(2, 100), 0);           /* who is in may go on */
    reg_guest_leave(guest);
    reg_guest_end(&tree_store);
    assert_int_equal(pthread_join(thread, &opened), 0);
    assert_non_null(opened);

    /* it had nothing to do again: a visit leaves nothing behind */
    assert_int_equal(redone, 0);
    assert_true(is_there(1, 100) && is_there(2, 100));
}


/* Of a visit that does not end by itself the second one knows nothing. */
static void
nobody_visits_another_guest(void **state)
{
    int           status;
    reg_guest_t  *guest;
    pid_t         pid;

    (void) state;

    live(HALF);
    guest = reg_guest_enter(&tree_store);
    assert_non_null(guest);
    leave();
    pid = fork();

    if (pid == 0) {
        reg_error_t  quiet = REG_ERROR_INIT;

        _exit(reg_journal_visit(&tree_store, &quiet) == NULL ? 0 : 1);
    }

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    reg_guest_leave(guest);
}


/* ---- one that stands still ----------------------------------------------- */


typedef enum {
    STILL_BEFORE_BATCH,                  /* it has the lock of all appends */
    STILL_BEFORE_RENAME,                 /* the record is there, the blob not */
    STILL_AFTER_RENAME,
    STILL_PLACES
} still_t;

static still_t  still;
static int      still_syncs;


/* Stands still until it is told to go on, once. */
static void
stand_still(still_t place)
{
    if (still == place) {
        still = STILL_PLACES;
        (void) raise(SIGSTOP);
        still_syncs = 0;
    }
}


static ssize_t
still_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    struct stat  log, st;
    reg_path_t   path;

    reg_layout_journal(&path, &tree_store.v2);
    reg_path_add(&path, "log");

    if (stat(path.text, &log) == 0 && fstat(fd, &st) == 0
        && st.st_ino == log.st_ino)
    {
        stand_still(STILL_BEFORE_BATCH);
    }

    return pwrite(fd, data, len, offset);
}


static int
still_rename(const char *from, const char *to)
{
    bool  is_blob = strstr(to, "/blobs/") != NULL;
    int   rc;

    if (is_blob) {
        stand_still(STILL_BEFORE_RENAME);
    }

    rc = rename(from, to);

    if (is_blob) {
        stand_still(STILL_AFTER_RENAME);
    }

    return rc;
}


static int
still_syncfs(int fd)
{
    still_syncs++;
    return syncfs(fd);
}


static int
still_fsync(int fd)
{
    still_syncs++;
    return fsync(fd);
}


/* In a process of its own: pushes one blob, and stands still in between. */
static void
be_still(still_t place)
{
    reg_sys_t  sys = reg_sys_kernel;

    sys.pwrite = still_pwrite;
    sys.rename = still_rename;
    sys.syncfs = still_syncfs;
    sys.fsync = still_fsync;
    tree_store.sys = &sys;
    still = place;
    leave();                             /* to the parent, which has it too */

    /* 2: pushed, but nobody has made that durable since */
    _exit(push(1, 9000) == -1 ? 1 : still_syncs == 0 ? 2 : 0);
}


/* The worker that comes does not wait for it for ever; and when it goes on, it
 * neither hurts what others have written nor believes in what it had. */
static void
who_stands_still_is_left_behind(void **state)
{
    (void) state;

    for (int place = 0; place < STILL_PLACES; place++) {
        int    status;
        pid_t  pid;

        assert_int_equal(renew(NULL), 0);
        live(HALF);
        pid = fork();

        if (pid == 0) {
            be_still((still_t) place);
        }

        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(WIFSTOPPED(status));
        (void) alarm(60);                /* it is killed if it waits */
        live(HALF);
        (void) alarm(0);
        assert_true(reg_journal_has_deserted(resident));
        assert_int_equal(redone, place == STILL_BEFORE_BATCH ? 0 : 2);

        tree_store.journal = resident;
        assert_int_equal(push(2, 500), 0);
        tree_store.journal = NULL;
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_true(is_there(1, 9000));

        assert_int_equal(tree_lose(), 0);
        live(HALF);
        assert_false(reg_journal_has_deserted(resident));
        assert_int_equal(redone, 2);
        assert_true(is_there(2, 500));
    }
}


/* ---- another tree in the same place -------------------------------------- */


/* The visit that was begun before knows nothing of it. */
static void
a_visit_to_another_tree_is_none(void **state)
{
    reg_guest_t  *guest;
    reg_path_t    path;

    (void) state;

    live(HALF);
    guest = reg_guest_enter(&tree_store);
    assert_non_null(guest);
    leave();
    reg_layout_journal(&path, &tree_store.v2);
    reg_path_add(&path, "state");
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(push(1, 100), 0);
    assert_true(is_there(1, 100));
    reg_guest_leave(guest);
}


/* ---- many at a time ------------------------------------------------------ */


#define THREADS  6
#define PUSHES   50


static void *
push_many(void *data)
{
    int  thread = *(int *) data;

    for (int i = 0; i < PUSHES; i++) {
        if (push(thread * 1000 + i, 3000) == -1
            || !is_there(thread * 1000 + i, 3000))
        {
            return data;
        }
    }

    return NULL;
}


/* The log is smaller than what they push, and the worker empties it too. */
static void
many_push_in_one_visit(void **state)
{
    pthread_t  threads[THREADS];
    int        numbers[THREADS];
    void      *failed;

    (void) state;

    live(HALF);
    assert_int_equal(reg_journal_start(resident, &err), 0);

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, push_many,
                                        &numbers[i]), 0);
    }

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }

    reg_journal_stop(resident);
    reg_guest_end(&tree_store);
    live(HALF);
    assert_int_equal(redone, 0);
}


/* Killed at any moment: the worker goes on, and the next one has it all. */
static void
a_killed_guest_stops_nobody(void **state)
{
    (void) state;

    live(HALF);

    for (int round = 0; round < 15; round++) {
        int              status;
        struct timespec  nap = { 0, 1000000 + round * 900000 };
        pid_t            pid;

        reg_guest_end(&tree_store);      /* no process shares a visit */
        pid = fork();

        if (pid == 0) {
            for (int number = 7; push_many(&number) == NULL; number++) {
                /* until it is killed */
            }

            _exit(1);
        }

        assert_true(pid > 0);
        (void) nanosleep(&nap, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(reg_journal_checkpoint(resident, &err), 0);
        assert_int_equal(push(round, 500), 0);
    }

    reg_guest_end(&tree_store);
    live(HALF);

    for (int round = 0; round < 15; round++) {
        assert_true(is_there(round, 500));
    }
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(nobody_visits_an_empty_house),
        TEST(a_visit_makes_nothing),
        TEST(a_visit_ends_with_a_checkpoint),
        TEST(what_no_checkpoint_covers_comes_back),
        TEST(only_what_is_damaged_is_replaced),
        TEST(a_full_journal_is_emptied),
        TEST(who_is_alone_has_no_guests),
        TEST(nobody_visits_another_guest),
        TEST(who_stands_still_is_left_behind),
        TEST(a_visit_to_another_tree_is_none),
        TEST(many_push_in_one_visit),
        TEST(a_killed_guest_stops_nobody),
    };

    return cmocka_run_group_tests(tests, tree_setup, give_up);
}
