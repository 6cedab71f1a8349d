/* reg_upload: the session that becomes a blob (SECURITY.md S2, S8, S10, S17;
 * invariants D1 to D5). */

#include "reg_upload.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "faults.h"
#include "meanwhile.h"
#include "reg_blob.h"
#include "reg_publish.h"


#define NOBODY  "0f0e0d0c-0b0a-4908-8706-050403020100"


static char          uuid[REG_UUID_LEN + 1];
static reg_upload_t  up = REG_UPLOAD_INIT;
static reg_error_t   err;
static reg_name_t    name;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


static int
renew(void **state)
{
    reg_upload_close(&up);
    no_error();
    name = tree_name("a/b");

    return tree_renew(state);
}


static reg_path_t
session(const char *part)
{
    reg_path_t  path;

    reg_layout_upload(&path, &tree_store.v2, &name, uuid);
    reg_path_add(&path, part);

    return path;
}


static void
create(reg_alg_t alg)
{
    assert_int_equal(reg_upload_create(&tree_store, &name, alg, uuid, &err),
                     0);
}


static int
open_it(const reg_digest_t *want)
{
    no_error();
    return reg_upload_open(&up, &tree_store, &name, uuid, want, &err);
}


static int
append_n(const char *data, size_t len)
{
    return reg_upload_append(&up, (reg_str_t) { len, data }, &err);
}


static void
append(const char *text)
{
    assert_int_equal(append_n(text, strlen(text)), 0);
}


/* So much that a state is saved of it. */
static const char  much[256 * 1024 + 1] = "much";


/* Of that and the text. */
static reg_digest_t
digest_of_much(const char *text)
{
    reg_hash_t    h;
    reg_digest_t  d;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, much, sizeof(much));
    reg_hash_update(&h, text, strlen(text));
    reg_hash_digest(&h, &d);

    return d;
}


static void
append_much(void)
{
    assert_int_equal(append_n(much, sizeof(much)), 0);
}


static void
a_session_is_made_as_distribution_makes_it(void **state)
{
    char     text[64];
    int64_t  offset = 7;

    (void) state;

    create(REG_SHA256);
    assert_true(reg_uuid_valid(reg_str_from(uuid)));
    assert_int_equal(uuid[14], '4');

    assert_int_equal(tree_read(session("data").text, text, sizeof(text)), 0);
    assert_int_equal(tree_read(session("startedat").text, text, sizeof(text)),
                     20);
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[19], 'Z');

    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &offset, &err),
                     0);
    assert_int_equal(offset, 0);
}


static void
bytes_become_a_blob_that_the_repository_may_serve(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello world"));
    reg_buf_t     b = REG_BUF_INIT;
    int64_t       size;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello ");
    append("world");
    assert_int_equal(up.offset, 11);
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_int_equal(up.fd, -1);

    assert_int_equal(reg_blob_stat(&tree_store, &name, &d, &size, &err), 0);
    assert_int_equal(size, 11);
    assert_int_equal(reg_blob_content_read(&tree_store, &d, 100, &b, &err), 0);
    assert_memory_equal(b.data, "hello world", 11);
    reg_buf_free(&b);

    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &size, &err),
                     -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    assert_false(tree_has(session("startedat").text));
    assert_null(fault_check_tree());
}


static void
an_empty_blob_can_be_pushed(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR(""));
    int64_t       size = 1;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(&d), 0);
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_int_equal(reg_blob_stat(&tree_store, &name, &d, &size, &err), 0);
    assert_int_equal(size, 0);
}


static void
a_wrong_digest_leaves_the_session_as_it_was(void **state)
{
    reg_digest_t  wrong = tree_digest(REG_SHA256, REG_STR("other"));
    reg_digest_t  right = tree_digest(REG_SHA256, REG_STR("hello world"));
    int64_t       n;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_commit(&up, &wrong, &err), -1);
    assert_int_equal(err.code, REG_DIGEST_INVALID);
    assert_int_equal(up.fd, -1);

    no_error();
    assert_int_equal(reg_blob_content_stat(&tree_store, &wrong, &n, &err), -1);
    no_error();
    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &n, &err), 0);
    assert_int_equal(n, 5);

    assert_int_equal(open_it(NULL), 0);
    append(" world");
    assert_int_equal(reg_upload_commit(&up, &right, &err), 0);
    assert_null(fault_check_tree());
}


static void
chunks_may_come_at_any_cuts(void **state)
{
    static char   data[20000];
    uint32_t      random = 7;
    reg_digest_t  d;

    (void) state;

    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char) (i * 31 + i / 7);
    }

    for (int alg = 0; alg < REG_ALGS; alg++) {
        size_t  done = 0, cut;

        d = tree_digest((reg_alg_t) alg, (reg_str_t) { sizeof(data), data });
        create((reg_alg_t) alg);

        while (done < sizeof(data)) {
            random = random * 1664525 + 1013904223;
            cut = (random >> 8) % 3000;
            cut = cut > sizeof(data) - done ? sizeof(data) - done : cut;

            assert_int_equal(open_it(NULL), 0);
            assert_int_equal(up.offset, done);
            assert_int_equal(reg_hash_length(&up.hash), done);
            assert_int_equal(up.hash.alg, alg);
            assert_int_equal(append_n(data + done, cut), 0);
            assert_int_equal(reg_upload_suspend(&up, &err), 0);
            done += cut;
        }

        assert_int_equal(open_it(&d), 0);
        assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    }

    assert_null(fault_check_tree());
}


static void
only_the_newest_state_is_kept_and_it_is_go_s(void **state)
{
    static char    part[100 * 1000];
    char           text[256];
    unsigned char  want[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    size_t         n;

    (void) state;

    create(REG_SHA256);
    reg_hash_init(&h, REG_SHA256);

    for (int i = 0; i < 5; i++) {
        memset(part, 'a' + i, sizeof(part));
        reg_hash_update(&h, part, sizeof(part));
        assert_int_equal(open_it(NULL), 0);
        assert_int_equal(append_n(part, sizeof(part)), 0);
        assert_int_equal(reg_upload_suspend(&up, &err), 0);
    }

    assert_int_equal(tree_count(session("hashstates").text), 1);
    n = reg_hash_export(&h, want);
    assert_int_equal(tree_read(session("hashstates/sha256/500000").text, text,
                               sizeof(text)), n);
    assert_memory_equal(text, want, n);
}


static void
what_is_small_has_no_state_and_waits_for_nothing(void **state)
{
    const size_t        len = sizeof(much) - 1;
    const reg_digest_t  d = tree_digest(REG_SHA256, (reg_str_t) { len, much });

    (void) state;

    create(REG_SHA256);

    for (size_t at = 0; at < len; at += len / 2) {
        fault_reset(0, 0, FAULT_FAILS);
        fault_install(FAULT_FSYNC);
        assert_int_equal(open_it(NULL), 0);
        assert_int_equal(append_n(much + at, len / 2), 0);
        assert_int_equal(reg_upload_suspend(&up, &err), 0);
        assert_int_equal(fault.fsyncs + fault.fdatasyncs + fault.syncfss, 0);
        assert_false(tree_has(session("hashstates").text));
    }

    assert_int_equal(open_it(NULL), 0);
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_null(fault.broken);
    assert_null(fault_check_tree());
    tree_store.sys = &reg_sys_kernel;
}


static void
what_no_state_covers_is_hashed_again(void **state)
{
    reg_digest_t  d = digest_of_much("hello world!");

    (void) state;

    /* a writer that died after its data, before its state */
    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append_much();
    assert_int_equal(reg_upload_suspend(&up, &err), 0);
    assert_int_equal(open_it(NULL), 0);
    append("hello world");
    reg_upload_close(&up);

    assert_int_equal(open_it(NULL), 0);
    assert_int_equal(up.offset, sizeof(much) + 11);
    assert_int_equal(reg_hash_length(&up.hash),
                     sizeof(much) + 11);
    append("!");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
}


static void
broken_states_are_not_believed(void **state)
{
    static const char  *names[] = {
        "5", "05", "0", "-1", "3", "6", "99999999999999999999", "x", ".x",
        "18446744073709551621"
    };

    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));
    char          junk[300], part[64];

    (void) state;

    memset(junk, 'j', sizeof(junk));

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t len = 0; len <= sizeof(junk); len += 100) {
            create(REG_SHA256);
            assert_int_equal(open_it(NULL), 0);
            append("hello");
            reg_upload_close(&up);

            (void) snprintf(part, sizeof(part), "hashstates/sha256/%s",
                            names[i]);
            assert_int_equal(tree_write(session(part).text, junk, len), 0);

            assert_int_equal(open_it(NULL), 0);
            assert_int_equal(reg_hash_length(&up.hash), 5);
            assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
        }
    }
}


static void
a_state_of_another_offset_is_not_believed(void **state)
{
    reg_digest_t   d = tree_digest(REG_SHA256, REG_STR("hello"));
    unsigned char  bytes[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    size_t         n;

    (void) state;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, "abc", 3);
    n = reg_hash_export(&h, bytes);

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    reg_upload_close(&up);

    /* of 3 bytes, under the name of 4; and of more than there is data */
    assert_int_equal(tree_write(session("hashstates/sha256/4").text, bytes, n),
                     0);
    assert_int_equal(tree_write(session("hashstates/sha256/50").text, bytes,
                                n), 0);

    assert_int_equal(open_it(NULL), 0);
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
}


static void
a_state_that_lies_ends_in_a_wrong_digest_not_a_wrong_blob(void **state)
{
    reg_digest_t   lie = tree_digest(REG_SHA256, REG_STR("HELLO!"));
    unsigned char  bytes[REG_HASH_STATE_MAX];
    reg_hash_t     h;
    size_t         n;

    (void) state;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, "WORLD", 5);
    n = reg_hash_export(&h, bytes);

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    reg_upload_close(&up);
    assert_int_equal(tree_write(session("hashstates/sha256/5").text, bytes, n),
                     0);

    assert_int_equal(open_it(NULL), 0);
    append("!");
    assert_int_equal(reg_upload_commit(&up, &lie, &err), -1);
    assert_int_equal(err.code, REG_DIGEST_INVALID);
}


static void
the_other_algorithm_may_be_asked_for_at_any_time(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA512, REG_STR("hello"));
    reg_digest_t  e = tree_digest(REG_SHA256, REG_STR("hello"));

    (void) state;

    /* before the first byte: hashed once */
    create(REG_SHA256);
    assert_int_equal(open_it(&d), 0);
    assert_int_equal(up.hash.alg, REG_SHA512);
    append("hello");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);

    /* at the end: read again, either way */
    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_suspend(&up, &err), 0);
    assert_int_equal(open_it(&d), 0);
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);

    create(REG_SHA512);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_commit(&up, &e, &err), 0);

    assert_null(fault_check_tree());
}


static void
the_second_writer_is_told_that_it_is_busy(void **state)
{
    reg_upload_t  second = REG_UPLOAD_INIT;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);

    assert_int_equal(reg_upload_open(&second, &tree_store, &name, uuid, NULL,
                                     &err), -1);
    assert_int_equal(err.code, REG_UPLOAD_BUSY);
    assert_int_equal(second.fd, -1);

    reg_upload_close(&up);
    no_error();
    assert_int_equal(reg_upload_open(&second, &tree_store, &name, uuid, NULL,
                                     &err), 0);
    reg_upload_close(&second);
    reg_upload_close(&second);
}


static void
a_committed_session_cannot_be_written_to(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);

    assert_int_equal(open_it(NULL), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    assert_null(fault_check_tree());
}


/* D1: what a power cut can leave on a file system without a journal */
static void
a_session_that_still_names_a_blob_is_unknown(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));
    reg_path_t    blob;
    int64_t       n;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);

    create(REG_SHA256);
    reg_layout_blob(&blob, &tree_store.v2, &d);
    assert_int_equal(unlink(session("data").text), 0);
    assert_int_equal(link(blob.text, session("data").text), 0);

    assert_int_equal(open_it(NULL), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    assert_string_equal(err.detail, uuid);
    no_error();
    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &n, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    assert_string_equal(err.detail, uuid);
    no_error();
    assert_int_equal(reg_upload_cancel(&tree_store, &name, uuid, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);

    assert_true(tree_has(session("data").text));
    assert_null(fault_check_tree());

    /* with one name it would be a session like any other */
    assert_int_equal(unlink(blob.text), 0);
    assert_int_equal(open_it(NULL), 0);
    assert_int_equal(up.offset, 5);
}


/* S2 */
static void
sessions_of_others_and_of_none_are_unknown(void **state)
{
    reg_name_t  other = tree_name("a/c");
    int64_t     n;

    (void) state;

    create(REG_SHA256);

    assert_int_equal(reg_upload_open(&up, &tree_store, &other, uuid, NULL,
                                     &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    no_error();
    assert_int_equal(reg_upload_stat(&tree_store, &other, uuid, &n, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    no_error();
    assert_int_equal(reg_upload_cancel(&tree_store, &other, uuid, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    no_error();
    assert_int_equal(reg_upload_cancel(&tree_store, &name, NOBODY, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);

    assert_true(tree_has(session("data").text));
}


/* S2: whoever calls, nothing outside _uploads is touched */
static void
a_uuid_that_is_none_is_unknown(void **state)
{
    static char  long_one[4097];
    const char  *bad[] = { "", ".", "..", "../_uploads/" NOBODY, "../../a",
                           "x/y", NOBODY "/..", NOBODY "0", long_one };
    int64_t      n;

    (void) state;

    memset(long_one, 'a', sizeof(long_one) - 1);
    create(REG_SHA256);
    assert_int_equal(tree_write(session("../../data").text, "x", 1), 0);
    assert_int_equal(tree_write(session("../../../data").text, "x", 1), 0);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        no_error();
        assert_int_equal(reg_upload_open(&up, &tree_store, &name, bad[i], NULL,
                                         &err), -1);
        assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);

        no_error();
        assert_int_equal(reg_upload_stat(&tree_store, &name, bad[i], &n, &err),
                         -1);
        assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);

        no_error();
        assert_int_equal(reg_upload_cancel(&tree_store, &name, bad[i], &err),
                         -1);
        assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    }

    assert_true(tree_has(session("data").text));
    assert_true(tree_has(session("../../data").text));
}


static void
a_cancelled_session_is_gone(void **state)
{
    (void) state;

    create(REG_SHA512);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_suspend(&up, &err), 0);

    assert_int_equal(reg_upload_cancel(&tree_store, &name, uuid, &err), 0);
    assert_false(tree_has(session("data").text));
    assert_int_equal(tree_count(tree_root), 0);

    assert_int_equal(open_it(NULL), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
}


static void
a_session_that_somebody_writes_to_is_not_cancelled(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));
    int64_t       n;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_cancel(&tree_store, &name, uuid, &err), -1);
    assert_int_equal(err.code, REG_UPLOAD_BUSY);

    no_error();
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_int_equal(reg_blob_stat(&tree_store, &name, &d, &n, &err), 0);
    assert_null(fault_check_tree());
}


/* S17 */
static void
a_data_file_that_is_something_else_is_no_session(void **state)
{
    reg_path_t  path;
    int64_t     n;

    (void) state;

    for (int kind = 0; kind < TREE_ODD; kind++) {
        create(REG_SHA256);
        path = session("data");
        assert_int_equal(unlink(path.text), 0);
        assert_int_equal(tree_odd(path.text, kind), 0);

        no_error();
        assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &n, &err),
                         -1);
        assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
        assert_int_equal(open_it(NULL), -1);
        assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    }
}


static void
two_pushes_of_one_content_both_succeed(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));

    (void) state;

    for (int i = 0; i < 3; i++) {
        create(REG_SHA256);
        assert_int_equal(open_it(NULL), 0);
        append("hello");
        assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
        assert_null(fault_check_tree());
    }
}


static void
a_push_heals_a_damaged_blob(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));
    reg_path_t    blob;

    (void) state;

    reg_layout_blob(&blob, &tree_store.v2, &d);
    assert_int_equal(tree_write(blob.text, "hel", 3), 0);
    assert_non_null(fault_check_tree());

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_null(fault_check_tree());
}


static void
a_write_that_fails_in_the_middle_does_not_count(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello world"));
    int64_t       n;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello ");

    fault_reset(1, ENOSPC, FAULT_FAILS);
    fault_install(FAULT_FSYNC);
    assert_int_equal(reg_upload_append(&up, REG_STR("WORLD"), &err), -1);
    assert_int_equal(err.code, REG_INSUFFICIENT_STORAGE);
    tree_store.sys = &reg_sys_kernel;

    no_error();
    assert_int_equal(reg_upload_suspend(&up, &err), 0);
    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &n, &err), 0);
    assert_int_equal(n, 6);

    assert_int_equal(open_it(NULL), 0);
    append("world");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
}


/* ---- a disk that fails ---------------------------------------------------- */


static int  write_back_error;            /* what is told to who waits for it */


/* In place of libc's. */
int
sync_file_range(int fd, off64_t offset, off64_t count, unsigned flags)
{
    (void) fd;
    (void) offset;
    (void) count;

    if (write_back_error == 0 || (flags & SYNC_FILE_RANGE_WAIT_BEFORE) == 0) {
        return 0;
    }

    errno = write_back_error;
    write_back_error = 0;                /* as the kernel: once */

    return -1;
}


static int
fail_to_sync(int fd)
{
    (void) fd;

    errno = EIO;
    return -1;
}


static void
assert_no_session(void)
{
    int64_t  n;

    no_error();
    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &n, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
}


/* Of a large one that goes through the page cache the disk's error comes while
 * it is written, and nobody hears of it again. */
static void
what_could_not_be_written_back_is_no_session(void **state)
{
    static char  piece[1024 * 1024 + 1];
    int          rc = 0, n;

    (void) state;

    for (int sys = EIO; sys != 0; sys = sys == EIO ? ENOSPC : 0) {
        create(REG_SHA256);
        assert_int_equal(open_it(NULL), 0);
        up.cached = INT64_MAX;
        write_back_error = sys;

        for (n = 0; rc == 0 && n < 80; n++) {
            rc = append_n(piece + 1, sizeof(piece) - 1);
        }

        assert_int_equal(rc, -1);
        assert_int_equal(err.sys, sys);
        assert_true(err.lost);
        no_error();
        assert_int_equal(reg_upload_suspend(&up, &err), 0);
        assert_no_session();
        rc = 0;
    }

    /* a file system that has no such thing is none that fails */
    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    up.cached = INT64_MAX;
    write_back_error = EINVAL;

    for (n = 0; n < 80; n++) {
        assert_int_equal(append_n(piece + 1, sizeof(piece) - 1), 0);
    }

    assert_int_equal(write_back_error, 0);
    reg_upload_close(&up);
}


/* A second try of the client's would be told that all is well. */
static void
what_could_not_be_synced_is_no_session(void **state)
{
    static const fault_way_t  ways[] = { FAULT_FSYNC, FAULT_SYNCFS };
    static const char         zeros[1024 * 1024];

    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));
    reg_sys_t     sys = fault_sys;

    (void) state;

    sys.fsync = fail_to_sync;
    sys.syncfs = fail_to_sync;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        fault_reset(0, 0, FAULT_FAILS);
        fault_install(ways[i]);
        tree_store.sys = &sys;
        create(REG_SHA256);
        assert_int_equal(open_it(NULL), 0);
        append("hello");
        assert_int_equal(reg_upload_commit(&up, &d, &err), -1);
        assert_true(err.lost);
        assert_no_session();

        /* a small one is not synced before its end */
        create(REG_SHA256);
        assert_int_equal(open_it(NULL), 0);
        assert_int_equal(append_n(zeros, sizeof(zeros)), 0);
        assert_int_equal(reg_upload_suspend(&up, &err), -1);
        assert_no_session();
    }

    /* with the barrier that is told of all but what was told before */
    fault_install(FAULT_SYNCFS);
    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello");
    write_back_error = EIO;
    assert_int_equal(reg_upload_commit(&up, &d, &err), -1);
    assert_no_session();
    assert_null(fault_check_tree());
}


/* whole blocks, at and beyond the size that the page cache is left with, and
 * from memory and offsets where a direct write can and cannot be */
static void
a_large_upload_is_what_was_written(void **state)
{
    static const struct {
        size_t  first;              /* bytes of the first append */
        size_t  shift;              /* of the data in memory */
        size_t  step;
    } ways[] = {
        { 0, 0, 1024 * 1024 },
        { 0, 0, 1024 * 1024 + 1 },
        { 1, 0, 1024 * 1024 },
        { 1, 1, 1024 * 1024 },
        { 0, 8, 1024 * 1024 },
        { 5 * REG_UPLOAD_BLOCK, 0, 64 * 1024 + 100 },
    };
    const size_t  size = 12 * 1024 * 1024 + 777;
    reg_digest_t  d;
    char         *data;

    (void) state;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        data = aligned_alloc(REG_UPLOAD_BLOCK,
                             size + 2 * REG_UPLOAD_BLOCK - 777);
        assert_non_null(data);
        data += ways[i].shift;

        for (size_t k = 0; k < size; k++) {
            data[k] = (char) (k * 7 + k / 4099 + i);
        }

        d = tree_digest(REG_SHA256, (reg_str_t) { size, data });

        create(REG_SHA256);
        assert_int_equal(open_it(NULL), 0);
        assert_int_equal(append_n(data, ways[i].first), 0);

        for (size_t done = ways[i].first; done < size; ) {
            size_t  n = size - done < ways[i].step ? size - done
                                                   : ways[i].step;

            assert_int_equal(append_n(data + done, n), 0);
            done += n;
        }

        assert_int_equal(up.offset, size);

        /* the digest again, from what is on disk */
        reg_hash_init(&up.hash, REG_SHA256);
        assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
        assert_null(fault_check_tree());

        free(data - ways[i].shift);
    }
}


/* as nginx's buffers are when there are none */
static void
no_bytes_need_no_memory(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("a"));

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("a");
    assert_int_equal(reg_upload_append(&up, REG_STR_NULL, &err), 0);
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
}


static reg_upload_t  first_writer = REG_UPLOAD_INIT;


static void
first_writer_commits(const char *path)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello"));

    (void) path;
    assert_int_equal(reg_upload_commit(&first_writer, &d, &err), 0);
}


/* D1: the file that is opened is a blob when it is locked */
static void
a_session_that_is_committed_while_it_is_opened_is_unknown(void **state)
{
    (void) state;

    create(REG_SHA256);
    assert_int_equal(reg_upload_open(&first_writer, &tree_store, &name, uuid,
                                     NULL, &err), 0);
    assert_int_equal(reg_upload_append(&first_writer, REG_STR("hello"), &err),
                     0);

    do_meanwhile(first_writer_commits, session("data"));
    assert_int_equal(open_it(NULL), -1);
    assert_int_equal(opened, 1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
    assert_int_equal(up.fd, -1);
    assert_null(fault_check_tree());
}


static void
becomes_another_file(const char *path)
{
    assert_int_equal(unlink(path), 0);
    assert_int_equal(tree_write(path, "another", 7), 0);
}


static void
a_session_whose_file_is_replaced_while_it_is_opened_is_unknown(void **state)
{
    (void) state;

    create(REG_SHA256);
    do_meanwhile(becomes_another_file, session("data"));
    assert_int_equal(open_it(NULL), -1);
    assert_int_equal(err.code, REG_BLOB_UPLOAD_UNKNOWN);
}


static void
grows(const char *path)
{
    assert_int_equal(tree_write(path, "more", 4), 0);
}


/* Makes a session that nobody has gone on with for an hour. */
static void
create_old(void)
{
    static const char  *parts[] = { "data", "startedat", "" };

    const struct timespec  then[2] = {
        { time(NULL) - 3600, 0 }, { time(NULL) - 3600, 0 }
    };

    create(REG_SHA256);

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        assert_int_equal(utimensat(AT_FDCWD, session(parts[i]).text, then, 0),
                         0);
    }
}


static int
claim(time_t ago)
{
    int  rc;

    no_error();
    rc = reg_upload_claim(&up, &tree_store, &name, uuid, time(NULL) - ago,
                          &err);
    reg_upload_close(&up);

    return rc;
}


static void
a_session_that_grows_while_it_is_claimed_is_not(void **state)
{
    (void) state;

    create_old();
    assert_int_equal(claim(1800), 1);
    do_meanwhile(grows, session("data"));
    assert_int_equal(claim(1800), 0);
    assert_int_equal(opened, 1);
}


/* Its writer would be told that another one is busy with it. */
static void
a_young_session_is_not_even_locked_to_be_claimed(void **state)
{
    (void) state;

    create_old();
    do_meanwhile(grows, session("data"));
    assert_int_equal(claim(7200), 0);
    assert_int_equal(opened, 0);
}


static void
what_was_taken_back_does_not_count(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello world"));
    int64_t       n;

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello ");
    assert_int_equal(reg_upload_suspend(&up, &err), 0);

    assert_int_equal(open_it(NULL), 0);
    append("earth");
    assert_int_equal(reg_upload_rewind(&up, 6, &err), 0);
    assert_int_equal(reg_upload_suspend(&up, &err), 0);
    assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &n, &err), 0);
    assert_int_equal(n, 6);

    assert_int_equal(open_it(NULL), 0);
    append("world");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_null(fault_check_tree());
}


/* D1: the hash must not go further than the file */
static void
nothing_that_was_taken_back_is_published(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello earth"));

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello earth");
    assert_int_equal(reg_upload_rewind(&up, 6, &err), 0);
    assert_int_equal(reg_upload_commit(&up, &d, &err), -1);
    assert_int_equal(err.code, REG_DIGEST_INVALID);
    assert_null(fault_check_tree());
}


static void
a_session_goes_on_after_it_was_taken_back(void **state)
{
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("hello world"));

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append("hello earth");
    assert_int_equal(reg_upload_rewind(&up, 6, &err), 0);
    append("world");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
    assert_null(fault_check_tree());
}


/* A state of what was taken back would be one of other bytes. */
static void
no_state_is_left_of_what_was_taken_back(void **state)
{
    reg_digest_t  d = digest_of_much("hello world, again");

    (void) state;

    create(REG_SHA256);
    assert_int_equal(open_it(NULL), 0);
    append_much();
    append("hello earth");
    assert_int_equal(reg_upload_rewind(&up, sizeof(much) + 6, &err), 0);
    assert_int_equal(reg_upload_suspend(&up, &err), 0);

    /* a writer that dies */
    assert_int_equal(open_it(NULL), 0);
    append("world, ");
    reg_upload_close(&up);

    assert_int_equal(open_it(NULL), 0);
    append("again");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);
}


static int
push_text(const char *text)
{
    reg_digest_t  d = tree_digest(REG_SHA256, reg_str_from(text));

    return open_it(NULL) == -1 || append_n(text, strlen(text)) == -1
           ? -1 : reg_upload_commit(&up, &d, &err);
}


static ino_t
session_inode(void)
{
    reg_path_t  dir = session("data");

    reg_path_parent(&dir);
    return fault_inode(dir.text);
}


static void
a_session_s_directory_serves_another_one(void **state)
{
    reg_path_t  spare;
    char        first[REG_UUID_LEN + 1];
    ino_t       before;
    char        text[64];

    const reg_digest_t  d = digest_of_much("one");

    (void) state;

    create(REG_SHA256);
    memcpy(first, uuid, sizeof(first));
    before = session_inode();
    assert_int_equal(open_it(NULL), 0);
    append_much();
    assert_int_equal(reg_upload_suspend(&up, &err), 0);   /* leaves a state */
    assert_int_equal(open_it(NULL), 0);
    append("one");
    assert_int_equal(reg_upload_commit(&up, &d, &err), 0);

    reg_layout_spare(&spare, &tree_store.v2);
    assert_int_equal(tree_count(spare.text), 1);          /* startedat */

    /* in another repository, from another place in the row */
    for (int i = 0; i < 64 && tree_count(spare.text) == 1; i++) {
        name = tree_name("c/d");
        create(REG_SHA256);
    }

    assert_int_equal(tree_count(spare.text), 0);
    assert_int_equal(session_inode(), before);
    assert_string_not_equal(uuid, first);
    assert_int_equal(tree_read(session("startedat").text, text, sizeof(text)),
                     20);
    assert_int_equal(tree_read(session("data").text, text, sizeof(text)), 0);
    assert_false(tree_has(session("hashstates").text));
    assert_int_equal(push_text("two"), 0);
    assert_null(fault_check_tree());
}


/* Puts something into a directory that another session would be given. */
static void
spoil_spare(int slot, const char *blob)
{
    char        name_of_slot[16];
    reg_path_t  dir, data, started;

    (void) snprintf(name_of_slot, sizeof(name_of_slot), "%d", slot);
    reg_layout_spare(&dir, &tree_store.v2);
    reg_path_add(&dir, name_of_slot);
    data = started = dir;
    reg_path_add(&data, "data");
    reg_path_add(&started, "startedat");

    switch (slot % 4) {

    case 0:
        assert_int_equal(tree_write(data.text, "stranger", 8), 0);
        break;

    case 1:                                 /* empty, and somebody else's */
        assert_int_equal(tree_way(data.text), 0);
        assert_int_equal(link(blob, data.text), 0);
        break;

    case 2:
        assert_int_equal(tree_write(started.text, "longer than a time is", 21),
                         0);
        break;

    case 3:
        assert_int_equal(tree_way(started.text), 0);
        assert_int_equal(symlink(blob, started.text), 0);
        break;
    }
}


/* What another registry or a hand has left in it is not shown to a client. */
static void
a_spare_directory_with_something_else_in_it_is_thrown_away(void **state)
{
    reg_digest_t  empty = tree_digest(REG_SHA256, REG_STR(""));
    reg_path_t    spare, blob;
    char          text[64];
    int64_t       offset;

    (void) state;

    create(REG_SHA256);                     /* makes _uploads */
    reg_layout_spare(&spare, &tree_store.v2);
    reg_layout_blob(&blob, &tree_store.v2, &empty);
    assert_int_equal(tree_write(blob.text, "", 0), 0);

    for (int i = 0; i < 64; i++) {
        spoil_spare(i, blob.text);
    }

    for (int i = 0; i < 64; i++) {
        create(REG_SHA256);
        assert_int_equal(tree_read(session("startedat").text, text,
                                   sizeof(text)), 20);
        assert_int_equal(reg_upload_stat(&tree_store, &name, uuid, &offset,
                                         &err), 0);
        assert_int_equal(offset, 0);
        (void) snprintf(text, sizeof(text), "mine %d", i);
        assert_int_equal(open_it(NULL), 0);
        append(text);
        reg_upload_close(&up);
    }

    assert_int_equal(tree_count(spare.text), 0);
    assert_int_equal(tree_read(blob.text, text, sizeof(text)), 0);
    assert_null(fault_check_tree());
}


static void
only_so_many_directories_are_kept(void **state)
{
    char        uuids[100][REG_UUID_LEN + 1];
    char        text[16];
    reg_path_t  dir;

    (void) state;

    for (int i = 0; i < 100; i++) {
        create(REG_SHA256);
        memcpy(uuids[i], uuid, sizeof(uuids[i]));
    }

    for (int i = 0; i < 100; i++) {
        memcpy(uuid, uuids[i], sizeof(uuid));
        (void) snprintf(text, sizeof(text), "blob %d", i);
        assert_int_equal(push_text(text), 0);
        assert_false(tree_has(session("startedat").text));
    }

    reg_layout_spare(&dir, &tree_store.v2);
    assert_int_equal(tree_count(dir.text), 64);
    assert_null(fault_check_tree());
}


/* ---- the crash loops ----------------------------------------------------- */


/* What is pushed, all but the last bytes at first: so little that no state is
 * saved of it, or more. */
#define PUSHED_LAST  11

static char  pushed_bytes[256 * 1024 + 2 * PUSHED_LAST];

static reg_str_t     pushed = { 21, "what is pushed here .." };
static reg_digest_t  pushed_digest;


static int
prepare_nothing(void)
{
    pushed_digest = tree_digest(REG_SHA256, pushed);
    return 0;
}


static int
run_push(void)
{
    int  rc;

    no_error();
    rc = reg_upload_create(&tree_store, &name, REG_SHA256, uuid, &err) == -1
         || reg_upload_open(&up, &tree_store, &name, uuid, NULL, &err) == -1
         || append_n(pushed.data, pushed.len - PUSHED_LAST) == -1
         || reg_upload_suspend(&up, &err) == -1
         || reg_upload_open(&up, &tree_store, &name, uuid, NULL, &err) == -1
         || append_n(pushed.data + pushed.len - PUSHED_LAST, PUSHED_LAST) == -1
         || reg_upload_commit(&up, &pushed_digest, &err) == -1 ? -1 : 0;

    reg_upload_close(&up);

    return rc;
}


/* A push as most are, of which nothing is synced before its end. */
static int
run_push_at_once(void)
{
    int  rc;

    no_error();
    rc = reg_upload_create(&tree_store, &name, REG_SHA256, uuid, &err) == -1
         || open_it(NULL) == -1
         || append_n(pushed.data, pushed.len) == -1
         || reg_upload_commit(&up, &pushed_digest, &err) == -1 ? -1 : 0;

    reg_upload_close(&up);

    return rc;
}


static const char *
check_push(bool done)
{
    int64_t  size;

    no_error();

    if (reg_blob_stat(&tree_store, &name, &pushed_digest, &size, &err) == -1) {
        return done ? "acknowledged, but not there" : NULL;
    }

    return size == (int64_t) pushed.len ? NULL : "half a blob";
}


static int
prepare_resumable(void)
{
    pushed_digest = tree_digest(REG_SHA256, pushed);
    no_error();

    if (reg_upload_create(&tree_store, &name, REG_SHA256, uuid, &err) == -1
        || reg_upload_open(&up, &tree_store, &name, uuid, NULL, &err) == -1
        || append_n(pushed.data, pushed.len - PUSHED_LAST) == -1
        || reg_upload_suspend(&up, &err) == -1)
    {
        return -1;
    }

    return 0;
}


/* Goes on wherever the session is; a client that got no answer to its last
 * request finds the blob there, or starts again. */
static int
run_resume(void)
{
    int64_t  size;
    int      rc = 0;

    no_error();

    if (open_it(NULL) == -1) {
        if (err.code != REG_BLOB_UPLOAD_UNKNOWN) {
            return -1;
        }

        no_error();
        return reg_blob_stat(&tree_store, &name, &pushed_digest, &size, &err)
               == 0 ? 0 : run_push();
    }

    if (up.offset < (int64_t) pushed.len) {
        rc = append_n(pushed.data + up.offset,
                      pushed.len - (size_t) up.offset);
    }

    if (rc == 0) {
        rc = reg_upload_commit(&up, &pushed_digest, &err);
    }

    reg_upload_close(&up);

    return rc;
}


static const char *
check_resume(bool done)
{
    const char  *bad = check_push(done);
    int64_t      offset;

    no_error();

    if (bad == NULL && !done
        && reg_upload_stat(&tree_store, &name, uuid, &offset, &err) == 0
        && offset < (int64_t) pushed.len - PUSHED_LAST)
    {
        return "bytes that had been acknowledged are gone";
    }

    return bad;
}


static int
prepare_pushed(void)
{
    return prepare_nothing() == 0 ? run_push() : -1;
}


static const char *
check_pushed(bool done)
{
    (void) done;
    return check_push(true);
}


static int
prepare_session(void)
{
    no_error();
    return reg_upload_create(&tree_store, &name, REG_SHA512, uuid, &err);
}


static int
run_cancel(void)
{
    no_error();

    if (reg_upload_cancel(&tree_store, &name, uuid, &err) == 0) {
        return 0;
    }

    return err.code == REG_BLOB_UPLOAD_UNKNOWN ? 0 : -1;
}


static const char *
check_cancel(bool done)
{
    int64_t  offset;

    no_error();

    return done && reg_upload_stat(&tree_store, &name, uuid, &offset, &err) == 0
           ? "cancelled, but still there" : NULL;
}


static void
loop(const fault_loop_t *l)
{
    int  rounds = fault_loop(l);

    reg_upload_close(&up);
    assert_int_not_equal(rounds, -1);
    print_message("%s: %d rounds\n", l->title, rounds);
}


/* Without a state, and with one. */
static void
loop_both(const fault_loop_t *l)
{
    const reg_str_t  before = pushed;

    loop(l);

    memset(pushed_bytes, 'p', sizeof(pushed_bytes));
    pushed = (reg_str_t) { sizeof(pushed_bytes), pushed_bytes };
    loop(l);
    pushed = before;
}


static void
no_fault_breaks_a_push(void **state)
{
    (void) state;

    loop_both(&(fault_loop_t) { "a push", prepare_nothing, run_push,
                                check_push });
}


static void
no_fault_breaks_a_push_of_what_is_there(void **state)
{
    (void) state;

    loop_both(&(fault_loop_t) { "a second push", prepare_pushed, run_push,
                                check_pushed });
}


static void
no_fault_breaks_a_push_at_once(void **state)
{
    (void) state;

    loop(&(fault_loop_t) { "a push at once", prepare_nothing,
                           run_push_at_once, check_push });
    loop(&(fault_loop_t) { "a second push at once", prepare_pushed,
                           run_push_at_once, check_pushed });
}


static void
no_fault_takes_what_a_resumed_push_had(void **state)
{
    (void) state;

    loop_both(&(fault_loop_t) { "a resumed push", prepare_resumable,
                                run_resume, check_resume });
}


static void
no_fault_breaks_a_cancel(void **state)
{
    (void) state;

    loop(&(fault_loop_t) { "a cancel", prepare_session, run_cancel,
                           check_cancel });
}


/* A layer that is new, in a repository that this process knows. */
static int
prepare_known(void)
{
    int  rc;

    pushed_digest = tree_digest(REG_SHA256, REG_STR("another"));
    no_error();
    rc = reg_upload_create(&tree_store, &name, REG_SHA256, uuid, &err) == -1
         || open_it(NULL) == -1
         || append_n("another", 7) == -1
         || reg_upload_commit(&up, &pushed_digest, &err) == -1 ? -1 : 0;

    return prepare_nothing() == 0 ? rc : -1;
}


static void
the_syncs_of_a_small_push_are_few(void **state)
{
    (void) state;

    assert_in_range(fault_count_syncs(&(fault_loop_t) {
                        "a small push, new tree", prepare_nothing, run_push,
                        check_push }), 1, 15);
    assert_in_range(fault_count_syncs(&(fault_loop_t) {
                        "a small push, known repository", prepare_known,
                        run_push, check_push }), 1, 10);
    assert_in_range(fault_count_syncs(&(fault_loop_t) {
                        "a small push of what is there", prepare_pushed,
                        run_push, check_push }), 1, 6);
}


/* Content that has to be written anyway, and so is written where it belongs. */
static char  large[REG_PUBLISH_SMALL + 1];


static int
prepare_large(void)
{
    memset(large, 'l', sizeof(large));
    return 0;
}


static int
push_large(size_t len)
{
    reg_digest_t  d = tree_digest(REG_SHA256, (reg_str_t) { len, large });
    int           rc;

    no_error();
    rc = reg_upload_create(&tree_store, &name, REG_SHA256, uuid, &err) == -1
         || open_it(NULL) == -1
         || append_n(large, len) == -1
         || reg_upload_commit(&up, &d, &err) == -1 ? -1 : 0;

    reg_upload_close(&up);

    return rc;
}


static int
run_small(void)
{
    return push_large(16 * 1024);
}


static int
run_large(void)
{
    return push_large(sizeof(large));
}


static const char *
check_nothing(bool done)
{
    (void) done;
    return NULL;
}


static void
what_is_small_goes_by_the_journal(void **state)
{
    const char  *bad;

    (void) state;

    fault_way = FAULT_CUT;
    assert_int_not_equal(fault_run_whole(&(fault_loop_t) {
        "small", prepare_large, run_small, check_nothing }, &bad), -1);
    assert_int_equal(fault.fsyncs + fault.syncfss, 0);
    assert_int_equal(fault.fdatasyncs, 1);

    assert_int_not_equal(fault_run_whole(&(fault_loop_t) {
        "large", prepare_large, run_large, check_nothing }, &bad), -1);
    assert_in_range(fault.fsyncs + fault.syncfss, 3, 15);
    assert_int_equal(fault.fdatasyncs, 0);

    fault_forget();
    fault_way = FAULT_FSYNC;
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_session_is_made_as_distribution_makes_it),
        TEST(bytes_become_a_blob_that_the_repository_may_serve),
        TEST(an_empty_blob_can_be_pushed),
        TEST(a_wrong_digest_leaves_the_session_as_it_was),
        TEST(chunks_may_come_at_any_cuts),
        TEST(only_the_newest_state_is_kept_and_it_is_go_s),
        TEST(what_is_small_has_no_state_and_waits_for_nothing),
        TEST(what_no_state_covers_is_hashed_again),
        TEST(broken_states_are_not_believed),
        TEST(a_state_of_another_offset_is_not_believed),
        TEST(a_state_that_lies_ends_in_a_wrong_digest_not_a_wrong_blob),
        TEST(the_other_algorithm_may_be_asked_for_at_any_time),
        TEST(the_second_writer_is_told_that_it_is_busy),
        TEST(a_committed_session_cannot_be_written_to),
        TEST(a_session_that_still_names_a_blob_is_unknown),
        TEST(sessions_of_others_and_of_none_are_unknown),
        TEST(a_uuid_that_is_none_is_unknown),
        TEST(a_cancelled_session_is_gone),
        TEST(a_session_that_somebody_writes_to_is_not_cancelled),
        TEST(a_data_file_that_is_something_else_is_no_session),
        TEST(two_pushes_of_one_content_both_succeed),
        TEST(a_push_heals_a_damaged_blob),
        TEST(a_write_that_fails_in_the_middle_does_not_count),
        TEST(what_could_not_be_written_back_is_no_session),
        TEST(what_could_not_be_synced_is_no_session),
        TEST(a_large_upload_is_what_was_written),
        TEST(no_bytes_need_no_memory),
        TEST(a_session_that_is_committed_while_it_is_opened_is_unknown),
        TEST(a_session_whose_file_is_replaced_while_it_is_opened_is_unknown),
        TEST(a_session_that_grows_while_it_is_claimed_is_not),
        TEST(a_young_session_is_not_even_locked_to_be_claimed),
        TEST(what_was_taken_back_does_not_count),
        TEST(nothing_that_was_taken_back_is_published),
        TEST(a_session_goes_on_after_it_was_taken_back),
        TEST(no_state_is_left_of_what_was_taken_back),
        TEST(a_session_s_directory_serves_another_one),
        TEST(a_spare_directory_with_something_else_in_it_is_thrown_away),
        TEST(only_so_many_directories_are_kept),
        TEST(no_fault_breaks_a_push),
        TEST(no_fault_breaks_a_push_of_what_is_there),
        TEST(no_fault_breaks_a_push_at_once),
        TEST(no_fault_takes_what_a_resumed_push_had),
        TEST(no_fault_breaks_a_cancel),
        TEST(the_syncs_of_a_small_push_are_few),
        TEST(what_is_small_goes_by_the_journal),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
