/* reg_journal, reg_logfile, reg_redo, reg_change: one write for many files. */

#include "reg_journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "faults.h"
#include "reg_change.h"
#include "reg_redo.h"
#include "reg_removal.h"
#include "reg_tag.h"


#define HALF  (128 * 1024)


static reg_error_t     err;
static reg_journal_t  *journal;
static size_t          redone;
static reg_name_t      name;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


/* As the next process finds it: nobody else has it open. */
static void
reopen(void)
{
    reg_journal_close(journal);
    no_error();
    tree_store.journal = NULL;
    journal = reg_journal_open(&tree_store, HALF, &redone, &err);
    assert_non_null(journal);
    assert_true(reg_journal_is_used(journal));
    tree_store.journal = journal;
}


static int
renew(void **state)
{
    reg_journal_close(journal);
    journal = NULL;
    name = tree_name("a/b");
    fault_reset(0, 0, FAULT_FAILS);

    if (tree_renew(state) == -1) {
        return -1;
    }

    reopen();
    return 0;
}


static int
give_up(void **state)
{
    reg_journal_close(journal);
    journal = NULL;

    return tree_teardown(state);
}


/* Content and digest that a number stands for. */
static reg_digest_t
content(int n, char text[64])
{
    (void) snprintf(text, 64, "{\"schemaVersion\":2,\"n\":%d}", n);
    return tree_digest(REG_SHA256, reg_str_from(text));
}


static int
push(const char *tag_name, int n)
{
    char          text[64];
    reg_digest_t  d = content(n, text);
    reg_tag_t     tag = tree_tag(tag_name);

    no_error();
    return tree_push(&name, &d, reg_str_from(text), &tag, 1, &err);
}


static bool
points(const char *tag_name, int n)
{
    char          text[64];
    reg_digest_t  now, d = content(n, text);
    reg_tag_t     tag = tree_tag(tag_name);
    reg_error_t   quiet = REG_ERROR_INIT;
    reg_buf_t     body = REG_BUF_INIT;
    bool          right;

    right = reg_tag_read(&tree_store, &name, &tag, &now, &quiet) == 0
            && reg_digest_eq(&now, &d)
            && reg_revision_read(&tree_store, &name, &d, &body, &quiet) == 0
            && reg_str_eq(reg_buf_str(&body), reg_str_from(text));
    reg_buf_free(&body);

    return right;
}


static bool
exists(const char *tag_name)
{
    reg_tag_t     tag = tree_tag(tag_name);
    reg_digest_t  d;
    reg_error_t   quiet = REG_ERROR_INIT;

    return reg_tag_read(&tree_store, &name, &tag, &d, &quiet) == 0;
}


static int
untag(const char *tag_name)
{
    reg_tag_t  tag = tree_tag(tag_name);

    no_error();
    return reg_tag_delete(&tree_store, &name, &tag, &err);
}


static int
log_file(int flags)
{
    reg_path_t  path;

    reg_layout_journal(&path, &tree_store.v2);
    reg_path_add(&path, "log");

    return open(path.text, flags);
}


/* ---- what comes back ----------------------------------------------------- */


static void
what_was_pushed_comes_back(void **state)
{
    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v2", 2), 0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_int_equal(redone, 9);             /* one entry in the catalog */
    assert_true(points("v1", 1));
    assert_true(points("v2", 2));
    assert_null(fault_check_tree());

    /* and is not done again */
    reopen();
    assert_int_equal(redone, 0);
}


/* Files that are not as the log has them. */
static size_t
look(void)
{
    reg_logfile_t  file;
    size_t         files = 99;

    no_error();
    assert_int_equal(reg_logfile_peek(&file, &tree_store, &err), 0);
    assert_int_equal(reg_redo_look(&file, &files, &err), 0);
    reg_logfile_close(&file);

    return files;
}


/* On a tree that can only be read nothing is put in place, but counted. */
static void
what_is_missing_is_counted(void **state)
{
    reg_logfile_t  file;
    reg_path_t     path;
    reg_tag_t      tag = tree_tag("v1");

    (void) state;

    assert_int_equal(look(), 0);
    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v2", 2), 0);
    assert_int_equal(look(), 0);

    reg_layout_tag_current(&path, &tree_store.v2, &name, &tag);
    assert_int_equal(truncate(path.text, 5), 0);
    assert_int_equal(look(), 1);
    assert_int_equal(tree_lose(), 0);
    assert_int_equal(look(), 9);
    assert_false(exists("v1"));
    reopen();
    assert_int_equal(redone, 9);
    assert_int_equal(look(), 0);
    assert_int_equal(untag("v2"), 0);
    assert_int_equal(look(), 0);             /* it is to be missing */

    reg_layout_journal(&path, &tree_store.v2);
    reg_path_add(&path, "log");
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(reg_logfile_peek(&file, &tree_store, &err), 1);
}


/* A layer's link that somebody has just made, and nobody has synced. */
static void
what_a_manifest_needs_comes_back(void **state)
{
    char                text[64];
    reg_path_t          link;
    reg_digest_t        d = content(1, text);
    reg_manifest_ref_t  ref = { .kind = REG_REF_BLOB };

    (void) state;

    ref.digest = tree_digest(REG_SHA256, REG_STR("a layer"));
    reg_layout_layer(&link, &tree_store.v2, &name, &ref.digest);
    assert_int_equal(tree_write(link.text, ref.digest.text, 71), 0);
    no_error();
    assert_int_equal(reg_revision_put(&tree_store, &name,
                                      &(reg_revision_new_t) {
                                          .digest = &d, .refs = &ref,
                                          .body = reg_str_from(text),
                                          .nrefs = 1 }, &err), 0);

    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(tree_has(link.text));
}


static void
the_last_one_of_a_tag_wins(void **state)
{
    (void) state;

    for (int n = 0; n < 20; n++) {
        assert_int_equal(push("v1", n), 0);
    }

    assert_int_equal(push("v1", 3), 0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v1", 3));
    assert_null(fault_check_tree());
}


static void
what_was_deleted_stays_away(void **state)
{
    char          text[64];
    reg_digest_t  d = content(2, text);

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v10", 1), 0);
    assert_int_equal(push("v2", 2), 0);
    assert_int_equal(untag("v1"), 0);
    assert_int_equal(reg_revision_delete(&tree_store, &name, &d, NULL, &err),
                     0);
    reopen();

    assert_false(exists("v1"));
    assert_false(exists("v2"));
    assert_true(points("v10", 1));
    assert_null(fault_check_tree());
}


static int  renames_that_work;


static int
failing_rename(const char *from, const char *to)
{
    if (renames_that_work-- == 0) {
        errno = ENOSPC;
        return -1;
    }

    return rename(from, to);
}


/* A push broke off behind its revision, which was then deleted: the tag must
 * not come to point there. */
static void
a_deleted_manifest_gets_no_tag(void **state)
{
    char          text[64];
    reg_digest_t  d = content(2, text);
    reg_sys_t     sys = reg_sys_kernel;
    reg_path_t    link;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    reg_layout_revision(&link, &tree_store.v2, &name, &d);

    for (renames_that_work = 0; !tree_has(link.text); /* void */) {
        int  most = renames_that_work + 1;

        sys.rename = failing_rename;
        tree_store.sys = &sys;
        assert_int_equal(push("v1", 2), -1);
        tree_store.sys = &reg_sys_kernel;
        renames_that_work = most;
    }

    assert_true(points("v1", 1));
    no_error();
    assert_int_equal(reg_revision_delete(&tree_store, &name, &d, NULL, &err),
                     0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v1", 1));
    assert_null(fault_check_tree());
}


/* Another registry writes it in place. */
static void
a_tag_shares_its_file_with_nobody(void **state)
{
    char          text[64];
    struct stat   st, index;
    reg_path_t    path;
    reg_digest_t  d = content(1, text);
    reg_tag_t     tag = tree_tag("v1");

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    reg_layout_tag_current(&path, &tree_store.v2, &name, &tag);
    assert_int_equal(stat(path.text, &st), 0);
    assert_int_equal(st.st_nlink, 1);
    reg_layout_revision(&path, &tree_store.v2, &name, &d);
    assert_int_equal(stat(path.text, &st), 0);
    reg_layout_tag_index(&path, &tree_store.v2, &name, &tag, &d);
    assert_int_equal(stat(path.text, &index), 0);
    assert_int_equal(st.st_ino, index.st_ino);
}


static int  mkdirs_that_work;


static int
failing_mkdir(const char *path, mode_t mode)
{
    if (mkdirs_that_work-- <= 0) {
        errno = ENOSPC;
        return -1;
    }

    return mkdir(path, mode);
}


static int
push_with_mkdirs(int n, const char *tag_name, int number)
{
    reg_sys_t  sys = reg_sys_kernel;
    int        rc;

    sys.mkdir = failing_mkdir;
    mkdirs_that_work = n;
    tree_store.sys = &sys;
    rc = push(tag_name, number);
    tree_store.sys = &reg_sys_kernel;

    return rc;
}


/* It is in the log before that shows. */
static void
what_there_is_no_room_for_does_not_come(void **state)
{
    int  n;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(reg_journal_checkpoint(journal, &err), 0);

    for (n = 0; push_with_mkdirs(n, "v2", 2) == -1; n++) {
        assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
        reopen();
        assert_int_equal(redone, 0);
        assert_false(exists("v2"));
    }

    assert_true(n > 5);

    /* who comes after it with the same is not meant */
    assert_int_equal(push_with_mkdirs(0, "v3", 3), -1);
    assert_int_equal(push("v3", 3), 0);
    assert_int_equal(push_with_mkdirs(0, "v4", 3), -1);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v2", 2) && points("v3", 3));
    assert_false(exists("v4"));
}


static void
what_was_deleted_may_come_again(void **state)
{
    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(untag("v1"), 0);
    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v1", 1));
}


static void
a_checkpoint_empties_the_journal(void **state)
{
    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    assert_int_equal(push("v2", 2), 0);
    assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    assert_int_equal(push("v3", 3), 0);
    reopen();
    assert_int_equal(redone, 4);
    assert_true(points("v1", 1) && points("v2", 2) && points("v3", 3));
}


/* Who died between the turn and the end of a checkpoint leaves two halves. */
static void
both_halves_are_done_again_in_order(void **state)
{
    (void) state;

    for (int from = 0; from < 2; from++) {
        assert_int_equal(push("v1", 1), 0);
        assert_int_equal(push("v2", 1), 0);

        fault_reset(1, EIO, FAULT_FAILS);        /* the syncfs */
        tree_store.sys = &fault_sys;
        assert_int_equal(reg_journal_checkpoint(journal, &err), -1);
        tree_store.sys = &reg_sys_kernel;

        /* sticky: nobody can know what is on the disk */
        assert_int_equal(push("v1", 5), -1);
        assert_int_equal(tree_lose(), 0);
        reopen();
        assert_true(points("v1", 1) && points("v2", 1));

        /* the other half first, then */
        assert_int_equal(push("x", 1), 0);
        assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    }
}


static void
a_write_that_fails_is_said_to_all(void **state)
{
    int  rc = 0;

    (void) state;

    /* one call after the other, up to the fdatasync; what fails before it is
     * taken back by a second one */
    for (int n = 1; n < 100 && (rc == 0 || fault.fdatasyncs != 1); n++) {
        tree_store.sys = &reg_sys_kernel;
        reopen();
        assert_int_equal(push("v1", 1), 0);
        fault_reset(n, EIO, FAULT_FAILS);
        tree_store.sys = &fault_sys;
        rc = push("v1", n + 1);

        /* a look at what is there already may fail */
        assert_true(rc == -1 || points("v1", n + 1));
    }

    tree_store.sys = &reg_sys_kernel;
    assert_int_equal(fault.fdatasyncs, 1);
    assert_int_equal(push("v2", 2), -1);
    assert_int_equal(err.sys, EIO);
    assert_true(points("v1", 1));
    reopen();
    assert_int_equal(push("v2", 2), 0);
}


static ssize_t
batch_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    if (offset >= REG_LOGFILE_START) {
        errno = ENOSPC;
        return -1;
    }

    return pwrite(fd, data, len, offset);
}


/* Who was told that there is no room has nothing to put in place. */
static void
a_write_that_fails_is_waited_for_by_nobody(void **state)
{
    reg_sys_t  sys = reg_sys_kernel;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    sys.pwrite = batch_pwrite;
    tree_store.sys = &sys;
    assert_int_equal(push("v2", 2), -1);
    assert_int_equal(err.sys, ENOSPC);
    tree_store.sys = &reg_sys_kernel;

    no_error();
    (void) alarm(300);                            /* it would wait for ever */
    assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    (void) alarm(0);
    assert_int_equal(push("v2", 2), 0);
}


static int  syncs_that_fail;


static int
failing_fdatasync(int fd)
{
    if (syncs_that_fail > 0) {
        syncs_that_fail--;
        errno = EIO;
        return -1;
    }

    return fdatasync(fd);
}


/* The kernel says once to each descriptor that a page was lost: what is behind
 * it in the log would never be read again. */
static void
nobody_writes_behind_what_was_lost(void **state)
{
    reg_sys_t       sys = reg_sys_kernel;
    reg_journal_t  *other;
    size_t          n;

    (void) state;

    sys.fdatasync = failing_fdatasync;
    tree_store.sys = &sys;
    syncs_that_fail = 1;
    assert_int_equal(push("v1", 1), -1);
    tree_store.sys = &reg_sys_kernel;

    no_error();
    other = reg_journal_open(&tree_store, HALF, &n, &err);
    assert_non_null(other);
    tree_store.journal = other;
    assert_int_equal(push("v2", 2), -1);
    assert_int_equal(err.sys, EIO);

    reg_journal_close(other);
    reopen();
    assert_int_equal(push("v2", 2), 0);
}


static _Atomic bool  no_room;
static _Atomic int   heads;              /* that were written */


/* As on a file system that never writes in place, and has no room for the head
 * of a half. */
static ssize_t
head_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    bool  head = len > 80                            /* no link, no state */
                 && (offset == 0 || offset == HALF);

    if (head && no_room) {
        errno = ENOSPC;
        return -1;
    }

    heads += head;

    return pwrite(fd, data, len, offset);
}


/* Until so many heads were written, or it takes too long. */
static bool
wait_for_heads(int n)
{
    const struct timespec  moment = { 0, 1000000 };

    for (int i = 0; i < 200000 && heads < n; i++) {
        (void) nanosleep(&moment, NULL);
    }

    return heads >= n;
}


static void
a_checkpoint_without_room_is_put_off(void **state)
{
    reg_sys_t  sys = reg_sys_kernel;

    (void) state;

    sys.pwrite = head_pwrite;
    tree_store.sys = &sys;
    no_room = true;
    heads = 0;
    assert_int_equal(reg_journal_start(journal, &err), 0);

    /* both halves are full then; who waited for room hears why there is none */
    for (int i = 0; i < 1000 && push("v1", 1) == 0; i++) {
        /* void */
    }

    assert_int_equal(err.sys, ENOSPC);
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
    assert_int_equal(heads, 0);

    /* nobody has to push for it to be made */
    no_room = false;
    assert_true(wait_for_heads(2));
    assert_int_equal(push("v2", 2), 0);

    /* and what was acknowledged is there, with or without it */
    no_room = true;
    assert_int_equal(push("v3", 3), 0);
    reg_journal_stop(journal);
    tree_store.sys = &reg_sys_kernel;
    no_room = false;
    reopen();
    assert_true(redone > 0);
    assert_true(points("v1", 1) && points("v2", 2) && points("v3", 3));
}


/* What was not synced is another matter: nobody can know what is there. */
static void
a_checkpoint_that_is_not_synced_is_the_last(void **state)
{
    /* the state, syncfs, the head of a half, fdatasync */
    static const bool  lasts[] = { false, true, false, true };

    (void) state;

    for (int n = 0; n < 4; n++) {
        reopen();
        assert_int_equal(push("v1", n), 0);
        fault_reset(n + 1, ENOSPC, FAULT_FAILS);
        tree_store.sys = &fault_sys;
        assert_int_equal(reg_journal_checkpoint(journal, &err), -1);
        tree_store.sys = &reg_sys_kernel;
        assert_int_equal(fault.calls, n + 1 + (lasts[n] ? 1 : 0));
        assert_int_equal(push("v1", 5), lasts[n] ? -1 : 0);
    }

    assert_int_equal(fault.fdatasyncs, 1);
}


/* A file system that refuses has lost nothing: it is synced when it does no
 * longer, and the log is kept until then. */
static void
a_checkpoint_that_is_refused_is_put_off(void **state)
{
    (void) state;

    for (int n = 0; n < 3; n++) {
        assert_int_equal(push("v1", n), 0);
        fault_reset(n + 1, EROFS, FAULT_FAILS);
        tree_store.sys = &fault_sys;
        err = (reg_error_t) REG_ERROR_INIT;
        assert_int_equal(reg_journal_checkpoint(journal, &err), -1);
        assert_int_equal(err.code, REG_READ_ONLY);
        tree_store.sys = &reg_sys_kernel;

        assert_int_equal(push("v2", n), 0);
        reopen();
        assert_true(redone > 0);
        assert_true(points("v1", n) && points("v2", n));
    }
}


static _Atomic int  syncs;


static int
counting_syncfs(int fd)
{
    syncs++;
    return syncfs(fd);
}


static void *
checkpoint(void *data)
{
    reg_error_t  e = REG_ERROR_INIT;

    (void) data;

    return (void *) (intptr_t) reg_journal_checkpoint(journal, &e);
}


static uint64_t
generation(void)
{
    reg_path_t           path;
    reg_logfile_state_t  now = { 0 };

    reg_layout_journal(&path, &tree_store.v2);
    reg_path_add(&path, "state");
    assert_true(tree_read(path.text, (char *) &now, sizeof(now)) > 8);

    return now.generation;
}


/* What is not in place yet, and would be lost without its half. */
static void
a_checkpoint_waits_for_what_is_appended(void **state)
{
    const struct timespec  moment = { 0, 50000000 };

    reg_sys_t  sys = reg_sys_kernel;
    uint64_t   before = generation();
    reg_buf_t  records = REG_BUF_INIT;
    pthread_t  thread;
    void      *rc;
    int        half;

    (void) state;

    sys.syncfs = counting_syncfs;
    tree_store.sys = &sys;
    syncs = 0;
    reg_record_add(&records, &(reg_record_t) {
        .kind = REG_RECORD_GONE, .path = REG_STR("repositories/a/x"),
    });
    assert_int_equal(reg_journal_append(journal, reg_buf_str(&records), &half,
                                        &err), 0);

    assert_int_equal(pthread_create(&thread, NULL, checkpoint, NULL), 0);

    for (int i = 0; i < 4000 && generation() == before; i++) {
        (void) nanosleep(&moment, NULL);
    }

    assert_int_equal(generation(), before + 1);
    (void) nanosleep(&moment, NULL);             /* time to do it wrong */
    assert_int_equal(syncs, 0);

    reg_journal_applied(journal, half);
    assert_int_equal(pthread_join(thread, &rc), 0);
    assert_int_equal((intptr_t) rc, 0);
    assert_int_equal(syncs, 1);

    tree_store.sys = &reg_sys_kernel;
    reg_buf_free(&records);
}


static pthread_t     second;
static _Atomic int   second_tid;


static void *
push_second(void *data)
{
    char          text[64];
    reg_digest_t  d = content(2, text);
    reg_tag_t     tag = tree_tag("v2");
    reg_error_t   quiet = REG_ERROR_INIT;

    (void) data;

    second_tid = gettid();

    return tree_push(&name, &d, reg_str_from(text), &tag, 1, &quiet) == 0
           ? NULL : &second;
}


static bool
sleeps(int tid)
{
    char  path[64], line[256];
    FILE  *f;
    bool  yes = false;

    (void) snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
    f = fopen(path, "r");

    if (f != NULL) {
        yes = fgets(line, sizeof(line), f) != NULL
              && strstr(line, ") S ") != NULL;
        (void) fclose(f);
    }

    return yes;
}


/* Fails only when the second one waits for its turn. */
static int
late_fdatasync(int fd)
{
    if (syncs_that_fail == 0) {
        return fdatasync(fd);
    }

    syncs_that_fail = 0;

    if (pthread_create(&second, NULL, push_second, NULL) == 0) {
        while (second_tid == 0 || !sleeps(second_tid)) {
            (void) sched_yield();
        }
    }

    errno = EIO;
    return -1;
}


static void
who_waited_for_a_write_that_failed_fails(void **state)
{
    reg_sys_t  sys = reg_sys_kernel;
    void      *failed = NULL;

    (void) state;

    second_tid = 0;
    sys.fdatasync = late_fdatasync;
    tree_store.sys = &sys;
    syncs_that_fail = 1;
    assert_int_equal(push("v1", 1), -1);
    assert_int_equal(pthread_join(second, &failed), 0);
    tree_store.sys = &reg_sys_kernel;
    assert_non_null(failed);
}


static int    told;                     /* the first descriptor that was */
static void  *second_failed;


/* A page of the log was lost, which is said once to each descriptor.  Between
 * that it is said to a checkpoint and that this gives up, somebody pushes. */
static int
lossy_fdatasync(int fd)
{
    if (told == -1) {
        told = fd;

        if (pthread_create(&second, NULL, push_second, NULL) == 0) {
            (void) pthread_join(second, &second_failed);
        }

    } else if (told == fd) {
        return 0;
    }

    errno = EIO;
    return -1;
}


static void
a_checkpoint_hears_nothing_for_others(void **state)
{
    reg_sys_t  sys = reg_sys_kernel;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    sys.fdatasync = lossy_fdatasync;
    tree_store.sys = &sys;
    told = -1;
    second_failed = NULL;
    assert_int_equal(reg_journal_checkpoint(journal, &err), -1);
    tree_store.sys = &reg_sys_kernel;
    assert_non_null(second_failed);
}


static ssize_t
full_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    (void) fd;
    (void) data;
    (void) len;
    (void) offset;

    errno = ENOSPC;
    return -1;
}


/* Nothing was lost: what was not written is not counted. */
static void
a_disk_that_was_full_may_be_used_again(void **state)
{
    reg_sys_t  sys = reg_sys_kernel;

    (void) state;

    sys.pwrite = full_pwrite;
    tree_store.sys = &sys;
    assert_int_equal(push("v1", 1), -1);
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
    tree_store.sys = &reg_sys_kernel;

    assert_int_equal(push("v1", 2), 0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v1", 2));
}


/* At a start, as where nothing is written in place: the log cannot be emptied.
 * The tree becomes another one then, and the log must not be done again. */
static ssize_t
full_log_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    char     link[64], path[REG_PATH_MAX];
    ssize_t  n;

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    assert_true(n > 0);
    path[n] = '\0';

    return strstr(path, "/_journal/") == NULL
           ? pwrite(fd, data, len, offset)
           : full_pwrite(fd, data, len, offset);
}


static void
a_full_disk_leaves_nothing_to_be_done_again(void **state)
{
    reg_sys_t       sys = reg_sys_kernel;
    reg_journal_t  *other;
    size_t          n;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v2", 2), 0);
    reg_journal_close(journal);
    tree_store.journal = NULL;
    assert_int_equal(tree_lose(), 0);

    sys.pwrite = full_log_pwrite;
    tree_store.sys = &sys;
    journal = reg_journal_open(&tree_store, HALF, &n, &err);
    tree_store.sys = &reg_sys_kernel;
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
    assert_int_equal(n, 9);
    assert_true(points("v1", 1) && points("v2", 2));

    /* who comes when there is room again goes with the first */
    no_error();
    other = reg_journal_open(&tree_store, HALF, &n, &err);
    assert_true(other != NULL && !reg_journal_is_used(other));

    assert_int_equal(untag("v1"), 0);
    assert_int_equal(push("v2", 3), 0);
    reg_journal_close(other);
    reopen();
    assert_int_equal(redone, 0);
    assert_false(exists("v1"));
    assert_true(points("v2", 3));
}


/* A journal that has no name is not found after a crash. */
static void
a_journal_that_was_removed_is_none(void **state)
{
    char  command[REG_PATH_MAX + 64];

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    (void) snprintf(command, sizeof(command), "rm -rf '%s/_journal'",
                    tree_store.v2.text);
    assert_int_equal(system(command), 0);
    assert_int_equal(push("v1", 2), -1);
    reopen();
    assert_int_equal(push("v1", 2), 0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v1", 2));
}


static int  pushes_meanwhile;


static int
busy_syncfs(int fd)
{
    if (pushes_meanwhile < 50) {
        pushes_meanwhile++;
        (void) push("busy", pushes_meanwhile);
    }

    return syncfs(fd);
}


/* Who ends makes one checkpoint, whatever others push meanwhile. */
static void
others_keep_no_checkpoint_going(void **state)
{
    reg_sys_t       sys = reg_sys_kernel;
    reg_journal_t  *other;
    size_t          n;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    other = reg_journal_open(&tree_store, HALF, &n, &err);
    assert_non_null(other);

    sys.syncfs = busy_syncfs;
    tree_store.sys = &sys;
    pushes_meanwhile = 0;
    assert_int_equal(reg_journal_checkpoint(other, &err), 0);
    tree_store.sys = &reg_sys_kernel;
    assert_int_equal(pushes_meanwhile, 1);

    reg_journal_close(other);
    reopen();
    assert_int_equal(redone, 4);
    assert_true(points("busy", 1) && points("v1", 1));
}


/* ---- with and without ---------------------------------------------------- */


/* Opens one more; whether it is used. */
static bool
joins(reg_journal_t **j, size_t half)
{
    size_t  n;
    bool    used;

    no_error();
    *j = reg_journal_open(&tree_store, half, &n, &err);
    assert_non_null(*j);
    assert_int_equal(err.code, REG_OK);
    used = reg_journal_is_used(*j);

    return used;
}


/* What one of them did without the log, it would undo. */
static void
the_first_decides_for_all(void **state)
{
    reg_journal_t  *other, *another;

    (void) state;

    assert_true(joins(&other, 0));
    reg_journal_close(journal);

    /* the first has gone, and still somebody writes to it */
    assert_true(joins(&journal, 0));
    reg_journal_close(other);
    assert_true(joins(&another, HALF));
    tree_store.journal = another;
    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(untag("v1"), 0);
    reg_journal_close(journal);
    reg_journal_close(another);

    /* nobody is left: what was written is done again, without it or not */
    tree_store.journal = NULL;
    assert_false(joins(&journal, 0));
    assert_int_equal(push("v2", 2), 0);
    assert_false(joins(&other, HALF));
    reg_journal_close(journal);
    assert_false(joins(&journal, HALF));
    assert_int_equal(untag("v2"), 0);
    reg_journal_close(other);
    reopen();
    assert_int_equal(redone, 0);
    assert_false(exists("v1"));
    assert_false(exists("v2"));
}


/* Without it what is in it is done again all the same, and only once. */
static void
who_wants_none_does_it_again(void **state)
{
    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v2", 2), 0);
    assert_int_equal(tree_lose(), 0);
    reg_journal_close(journal);
    tree_store.journal = NULL;
    assert_false(joins(&journal, 0));
    assert_true(points("v1", 1) && points("v2", 2));

    assert_int_equal(untag("v1"), 0);
    assert_int_equal(push("v2", 3), 0);
    reopen();
    assert_int_equal(redone, 0);
    assert_false(exists("v1"));
    assert_true(points("v2", 3));
}


/* ---- other programs ------------------------------------------------------ */


/* Writes a tag's link, of so many bytes, with a time so far ahead. */
static void
leave_link(const char *tag_name, int n, size_t len, time_t ahead)
{
    char             text[64];
    reg_digest_t     d = content(n, text);
    reg_tag_t        tag = tree_tag(tag_name);
    reg_path_t       path;
    struct timespec  times[2] = { { time(NULL) + ahead, 0 } };

    times[1] = times[0];
    reg_layout_tag_current(&path, &tree_store.v2, &name, &tag);
    assert_int_equal(tree_write(path.text, d.text, len), 0);
    assert_int_equal(utimensat(AT_FDCWD, path.text, times, 0), 0);
}


static void
a_tag_that_others_moved_later_is_theirs(void **state)
{
    (void) state;

    assert_int_equal(push("v1", 2), 0);
    assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    assert_int_equal(push("v1", 1), 0);
    leave_link("v1", 2, 71, 60);
    assert_int_equal(look(), 0);             /* nor is it missing */
    reopen();
    assert_true(points("v1", 2));

    /* but not one that is torn */
    leave_link("v1", 2, 71, 0);
    assert_int_equal(push("v1", 1), 0);
    leave_link("v1", 2, 5, 60);
    assert_int_equal(look(), 1);
    reopen();
    assert_true(points("v1", 1));
}


/* The clock was set back, and then the power was cut before a rename was on
 * disk: what is found there is older than the record, whatever its time. */
static void
a_clock_may_be_set_back(void **state)
{
    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    leave_link("v1", 1, 71, 3600);
    assert_int_equal(push("v1", 2), 0);
    leave_link("v1", 1, 71, 3600);
    reopen();
    assert_true(points("v1", 2));
}


/* By rsync, say, or by hard links: files were copied as they were in place, the
 * log is of another moment. */
static void
the_log_of_a_copied_tree_is_not_ours(void **state)
{
    char         command[3 * REG_PATH_MAX], other[sizeof(tree_root) + 8];
    struct stat  st;
    reg_path_t   path;

    (void) state;

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v1", 2), 0);

    (void) snprintf(other, sizeof(other), "%s/copy", tree_root);
    (void) snprintf(command, sizeof(command), "mkdir '%s' && cp -al '%s/docker'"
                    " '%s'", other, tree_root, other);
    assert_int_equal(system(command), 0);

    /* ours goes on; the copy has one of its own */
    assert_int_equal(push("v1", 3), 0);

    {
        static reg_store_t  copy;

        size_t          n;
        reg_journal_t  *j;

        assert_int_equal(reg_store_open(&copy, reg_str_from(other), &err), 0);
        j = reg_journal_open(&copy, HALF, &n, &err);
        assert_non_null(j);
        assert_int_equal(n, 0);
        reg_layout_journal(&path, &copy.v2);
        reg_path_add(&path, "log");
        assert_int_equal(stat(path.text, &st), 0);
        assert_int_equal(st.st_nlink, 1);
        reg_journal_close(j);
        reg_store_close(&copy);
    }

    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_true(points("v1", 3));
}


/* What a check of the file system may leave. */
static void
what_stands_in_the_way_is_moved(void **state)
{
    reg_path_t   path, away;
    reg_tag_t    tag = tree_tag("v1");
    struct stat  st;

    (void) state;

    /* the tree's blobs are on another disk */
    assert_int_equal(push("v0", 0), 0);
    reg_layout_blobs(&path, &tree_store.v2);
    away = path;
    reg_path_parent(&away);
    reg_path_parent(&away);
    reg_path_add(&away, "elsewhere");
    assert_int_equal(rename(path.text, away.text), 0);
    assert_int_equal(symlink(away.text, path.text), 0);

    assert_int_equal(push("v1", 1), 0);
    reg_layout_tag_current(&path, &tree_store.v2, &name, &tag);
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(mkdir(path.text, 0755), 0);
    reopen();
    assert_true(points("v1", 1));

    assert_int_equal(push("v1", 2), 0);
    reg_layout_tag(&path, &tree_store.v2, &name, &tag);
    reg_removal_discard(&path);
    assert_int_equal(tree_write(path.text, "x", 1), 0);
    reopen();
    assert_true(points("v1", 2));
    assert_null(fault_check_tree());

    reg_layout_blobs(&path, &tree_store.v2);
    assert_int_equal(lstat(path.text, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}


/* ---- hostile logs -------------------------------------------------------- */


static void
any_log_may_be_opened(void **state)
{
    static char  whole[2 * HALF], bad[2 * HALF];
    unsigned     seed = 3;
    int          fd;

    (void) state;

    for (int n = 0; n < 5; n++) {
        assert_int_equal(push("v1", n), 0);
    }

    fd = log_file(O_RDWR);
    assert_int_equal(pread(fd, whole, sizeof(whole), 0), sizeof(whole));

    for (int round = 0; round < 60; round++) {
        size_t  len = round % 3 == 0 ? (size_t) rand_r(&seed) % sizeof(bad)
                                     : sizeof(bad);

        reg_journal_close(journal);
        journal = NULL;
        memcpy(bad, whole, sizeof(bad));

        for (int i = 0; i < 1 + round; i++) {
            size_t  at = (size_t) rand_r(&seed) % (6 * 4096);

            bad[at] = (char) rand_r(&seed);
        }

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, bad, len, 0), len);
        reopen();
        assert_null(fault_check_tree());
        assert_int_equal(push("v9", round), 0);
        assert_true(points("v9", round));
    }

    (void) close(fd);
}


/* A manifest that looks like a batch, on a block's border. */
static void
content_is_no_batch(void **state)
{
    static char   body[3 * REG_RECORD_ALIGN];
    reg_digest_t  d;
    reg_tag_t     tag = tree_tag("v1");
    char          whole[2 * REG_RECORD_ALIGN];
    int           fd = log_file(O_RDONLY);
    size_t        at = REG_LOGFILE_START;

    (void) state;

    assert_int_equal(push("v0", 7), 0);
    assert_int_equal(pread(fd, whole, sizeof(whole), 0), sizeof(whole));
    (void) close(fd);

    for (size_t i = 0; i + 512 < sizeof(body); i += 8) {
        memcpy(body + i, whole + at, 8);           /* its magic, everywhere */
    }

    d = tree_digest(REG_SHA256, (reg_str_t) { sizeof(body), body });
    assert_int_equal(tree_push(&name, &d, (reg_str_t) { sizeof(body), body },
                               &tag, 1, &err), 0);
    assert_int_equal(tree_lose(), 0);
    reopen();
    assert_int_equal(redone, 9);
    assert_null(fault_check_tree());
}


/* ---- many at a time ------------------------------------------------------ */


#define THREADS  8
#define PUSHES   60


static void *
push_many(void *data)
{
    int  thread = *(int *) data;
    int  failed = 0;

    for (int i = 0; i < PUSHES; i++) {
        char          text[64], own[32];
        int           n = thread * 1000 + i;
        reg_digest_t  d = content(n, text);
        reg_tag_t     tags[2] = { tree_tag("latest") };
        reg_error_t   quiet = REG_ERROR_INIT;

        (void) snprintf(own, sizeof(own), "t%d-%d", thread, i);
        tags[1] = tree_tag(own);
        failed |= tree_push(&name, &d, reg_str_from(text), tags, 2, &quiet);
    }

    return failed == 0 ? NULL : data;
}


static void
push_together(void)
{
    pthread_t  threads[THREADS];
    int        numbers[THREADS];
    void      *failed;

    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, push_many,
                                        &numbers[i]), 0);
    }

    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}


static void
all_are_there(void)
{
    for (int thread = 0; thread < THREADS; thread++) {
        for (int i = 0; i < PUSHES; i++) {
            char  own[32];

            (void) snprintf(own, sizeof(own), "t%d-%d", thread, i);
            assert_true(points(own, thread * 1000 + i));
        }
    }

    assert_null(fault_check_tree());
}


/* Who needs the second of two that do not fit into one batch has asked for
 * both. */
static void
what_does_not_fit_into_a_batch_is_next(void **state)
{
    static char          large[150 * 1024];
    char                 command[REG_PATH_MAX + 64];
    reg_buf_t            records = REG_BUF_INIT;
    reg_journal_entry_t  entries[2];
    int                  half;

    (void) state;

    reg_journal_close(journal);
    tree_store.journal = NULL;
    (void) snprintf(command, sizeof(command), "rm -r '%s/_journal'",
                    tree_store.v2.text);
    assert_int_equal(system(command), 0);
    journal = reg_journal_open(&tree_store, 1024 * 1024, &redone, &err);
    assert_non_null(journal);
    assert_int_equal(reg_journal_start(journal, &err), 0);

    reg_record_add(&records, &(reg_record_t) {
        .kind = REG_RECORD_PUT, .path = REG_STR("blobs/x"),
        .content = { sizeof(large), large },
    });

    (void) alarm(300);                            /* it would wait for ever */

    for (int n = 0; n < 2; n++) {
        reg_journal_submit(journal, &entries[n], reg_buf_str(&records));
    }

    for (int n = 2; n-- > 0; /* void */) {
        assert_int_equal(reg_journal_await(journal, &entries[n], &half, &err),
                         0);
        reg_journal_applied(journal, half);
    }

    (void) alarm(0);
    reg_journal_stop(journal);
    reg_buf_free(&records);
}


/* The log is much smaller than what they push: the thread makes room. */
static void
many_threads_share_a_journal(void **state)
{
    reg_digest_t  before, after;
    reg_tag_t     latest = tree_tag("latest");

    (void) state;

    assert_int_equal(reg_journal_start(journal, &err), 0);
    push_together();
    reg_journal_stop(journal);
    all_are_there();

    /* the order of files is that of records */
    reopen();
    assert_int_equal(redone, 0);
    assert_int_equal(reg_tag_read(&tree_store, &name, &latest, &before, &err),
                     0);

    for (int n = 0; n < 8; n++) {
        assert_int_equal(push("latest", n), 0);
    }

    assert_int_equal(reg_tag_read(&tree_store, &name, &latest, &before, &err),
                     0);
    reopen();
    assert_int_equal(reg_tag_read(&tree_store, &name, &latest, &after, &err),
                     0);
    assert_true(reg_digest_eq(&before, &after));
}


/* Of several who move one tag at the same time, in several processes, the log
 * has the last one last. */
static void
processes_share_a_journal(void **state)
{
    pid_t         pids[3];
    int           status;
    reg_digest_t  before, after;
    reg_tag_t     latest = tree_tag("latest");

    (void) state;

    for (int p = 0; p < 3; p++) {
        pids[p] = fork();

        if (pids[p] == 0) {
            size_t          n;
            reg_error_t     e = REG_ERROR_INIT;
            reg_journal_t  *own = reg_journal_open(&tree_store, HALF, &n, &e);
            int             number = p;
            void           *bad = own;

            if (own != NULL && reg_journal_start(own, &e) == 0) {
                tree_store.journal = own;
                bad = push_many(&number);
                reg_journal_stop(own);
            }

            _exit(own == NULL || bad != NULL);
        }

        assert_true(pids[p] > 0);
    }

    for (int p = 0; p < 3; p++) {
        assert_int_equal(waitpid(pids[p], &status, 0), pids[p]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    assert_int_equal(reg_tag_read(&tree_store, &name, &latest, &before, &err),
                     0);
    reopen();
    assert_int_equal(reg_tag_read(&tree_store, &name, &latest, &after, &err),
                     0);
    assert_true(reg_digest_eq(&before, &after));

    for (int thread = 0; thread < 3; thread++) {
        assert_true(points(thread == 0 ? "t0-59" : thread == 1 ? "t1-59"
                           : "t2-59", thread * 1000 + 59));
    }

    assert_null(fault_check_tree());
}


/* Killed at any moment, with others alive: they go on, their checkpoints too,
 * and in the end the log says what the tree does. */
static void
a_killed_process_stops_nobody(void **state)
{
    (void) state;

    assert_int_equal(reg_journal_start(journal, &err), 0);

    for (int round = 0; round < 25; round++) {
        int              status;
        struct timespec  nap = { 0, 1000000 + round * 700000 };
        pid_t            pid = fork();

        if (pid == 0) {
            size_t          n;
            reg_error_t     e = REG_ERROR_INIT;
            reg_journal_t  *own = reg_journal_open(&tree_store, HALF, &n, &e);

            if (own == NULL || reg_journal_start(own, &e) == -1) {
                _exit(1);
            }

            tree_store.journal = own;

            for (int number = 5; push_many(&number) == NULL; number = 6) {
                /* until it is killed */
            }

            _exit(1);
        }

        assert_true(pid > 0);
        (void) nanosleep(&nap, NULL);
        assert_int_equal(push("mine", round), 0);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(push("mine", 100 + round), 0);
        assert_true(points("mine", 100 + round));
    }

    reg_journal_stop(journal);
    reopen();
    assert_true(points("mine", 124));
    assert_null(fault_check_tree());
}


/* ---- recovery that is broken off ----------------------------------------- */


/* Another process turns to the other half, and dies before it syncs. */
static void
begin_a_checkpoint(void)
{
    int    status;
    pid_t  pid = fork();

    if (pid == 0) {
        size_t          n;
        reg_error_t     e = REG_ERROR_INIT;
        reg_journal_t  *own = reg_journal_open(&tree_store, HALF, &n, &e);

        if (own != NULL) {
            fault_reset(2, 0, FAULT_DIES);
            tree_store.sys = &fault_sys;
            (void) reg_journal_checkpoint(own, &e);
        }

        _exit(1);
    }

    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == FAULT_DIED);
}


/* Two halves, of which the first or the second is the older one. */
static void
leave_two_halves(bool second_is_older)
{
    assert_int_equal(renew(NULL), 0);

    if (second_is_older) {
        assert_int_equal(push("x", 1), 0);
        assert_int_equal(reg_journal_checkpoint(journal, &err), 0);
    }

    assert_int_equal(push("v1", 1), 0);
    assert_int_equal(push("v2", 1), 0);
    begin_a_checkpoint();
    assert_int_equal(push("v1", 2), 0);
    assert_int_equal(untag("v2"), 0);
    reg_journal_close(journal);
    journal = NULL;
}


/* What is older must not be there alone. */
static void
halves_are_forgotten_in_order(void **state)
{
    (void) state;

    for (int way = 0; way < 4; way++) {
        for (int calls = 1; calls < 500; calls++) {
            reg_error_t  why = REG_ERROR_INIT;
            size_t       n;
            int          status;
            pid_t        pid;

            leave_two_halves(way & 1);
            pid = fork();

            if (pid == 0) {
                tree_store.sys = &fault_sys;
                fault_reset(calls, 0, FAULT_DIES);
                _exit(reg_journal_open(&tree_store, way & 2 ? 2 * HALF : HALF,
                                       &n, &why) == NULL);
            }

            assert_true(pid > 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_true(WIFEXITED(status));
            reopen();
            assert_true(points("v1", 2));
            assert_false(exists("v2"));

            if (WEXITSTATUS(status) == 0) {
                assert_in_range(calls, 20, 499);
                break;
            }
        }
    }
}


static void
no_fault_breaks_a_recovery(void **state)
{
    int  calls;

    (void) state;

    for (calls = 1; calls < 500; calls++) {
        reg_error_t     why = REG_ERROR_INIT;
        reg_journal_t  *j;
        size_t          n;
        int             status;
        pid_t           pid;

        assert_int_equal(renew(NULL), 0);
        assert_int_equal(push("v1", 1), 0);
        assert_int_equal(push("v1", 2), 0);
        assert_int_equal(tree_lose(), 0);
        reg_journal_close(journal);
        journal = NULL;

        /* fails, then dies */
        tree_store.sys = &fault_sys;
        fault_reset(calls, ENOSPC, FAULT_FAILS);
        j = reg_journal_open(&tree_store, HALF, &n, &why);
        assert_true(j != NULL || why.code != REG_OK);
        reg_journal_close(j);

        if (fault.calls < calls) {
            break;
        }

        pid = fork();

        if (pid == 0) {
            fault_reset(calls, 0, FAULT_DIES);
            _exit(reg_journal_open(&tree_store, HALF, &n, &why) == NULL);
        }

        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        tree_store.sys = &reg_sys_kernel;

        reopen();
        assert_true(points("v1", 2));
        assert_null(fault_check_tree());
    }

    print_message("a recovery: %d calls\n", calls - 1);
    assert_in_range(calls, 20, 499);
    tree_store.sys = &reg_sys_kernel;
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(what_was_pushed_comes_back),
        TEST(what_is_missing_is_counted),
        TEST(what_a_manifest_needs_comes_back),
        TEST(the_last_one_of_a_tag_wins),
        TEST(what_was_deleted_stays_away),
        TEST(a_deleted_manifest_gets_no_tag),
        TEST(a_tag_shares_its_file_with_nobody),
        TEST(what_there_is_no_room_for_does_not_come),
        TEST(what_was_deleted_may_come_again),
        TEST(a_checkpoint_empties_the_journal),
        TEST(both_halves_are_done_again_in_order),
        TEST(a_write_that_fails_is_said_to_all),
        TEST(a_write_that_fails_is_waited_for_by_nobody),
        TEST(nobody_writes_behind_what_was_lost),
        TEST(a_checkpoint_waits_for_what_is_appended),
        TEST(a_checkpoint_without_room_is_put_off),
        TEST(a_checkpoint_that_is_not_synced_is_the_last),
        TEST(a_checkpoint_that_is_refused_is_put_off),
        TEST(who_waited_for_a_write_that_failed_fails),
        TEST(a_checkpoint_hears_nothing_for_others),
        TEST(a_disk_that_was_full_may_be_used_again),
        TEST(a_journal_that_was_removed_is_none),
        TEST(others_keep_no_checkpoint_going),
        TEST(the_first_decides_for_all),
        TEST(who_wants_none_does_it_again),
        TEST(a_full_disk_leaves_nothing_to_be_done_again),
        TEST(a_tag_that_others_moved_later_is_theirs),
        TEST(a_clock_may_be_set_back),
        TEST(the_log_of_a_copied_tree_is_not_ours),
        TEST(what_stands_in_the_way_is_moved),
        TEST(any_log_may_be_opened),
        TEST(content_is_no_batch),
        TEST(what_does_not_fit_into_a_batch_is_next),
        TEST(many_threads_share_a_journal),
        TEST(processes_share_a_journal),
        TEST(a_killed_process_stops_nobody),
        TEST(no_fault_breaks_a_recovery),
        TEST(halves_are_forgotten_in_order),
    };

    return cmocka_run_group_tests(tests, tree_setup, give_up);
}
