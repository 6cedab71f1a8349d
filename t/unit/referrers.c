/* reg_referrers: which manifests of a repository have a given subject. */

#include "reg_referrers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "faults.h"
#include "meanwhile.h"


#define BODY  "{\"subject\":1}"


static reg_error_t   err;
static reg_name_t    name;
static reg_digest_t  subject, digest;
static int           seen;


static void
no_error(void)
{
    err = (reg_error_t) REG_ERROR_INIT;
}


/* A manifest and its line in the list of its subject. */
static int
renew(void **state)
{
    int             rc = tree_renew(state);
    reg_referrer_t  ref = REG_REFERRER_INIT;

    no_error();
    name = tree_name("a/b");
    subject = tree_digest(REG_SHA256, REG_STR("{}"));
    digest = tree_digest(REG_SHA256, REG_STR(BODY));

    if (rc == 0
        && reg_referrer_format(&ref, &digest, REG_STR("a/type"),
                               REG_STR("{}"), &err) == 0)
    {
        rc = reg_referrers_add(&tree_store, &name, &subject, &ref, 1, &err);
    }

    reg_buf_free(&ref.line);

    return rc == 1 ? tree_push(&name, &digest, REG_STR(BODY), NULL, 0, &err)
                   : -1;
}


static int
count(void *ctx, const reg_referrer_item_t *referrer)
{
    (void) ctx;

    assert_true(reg_str_eq(referrer->digest, reg_digest_str(&digest)));
    seen++;

    return 0;
}


static int
list(void)
{
    no_error();
    seen = 0;

    return reg_referrers_list(&tree_store, &name, &subject, REG_STR_NULL,
                              count, NULL, &err);
}


static int
clean(void)
{
    no_error();

    return reg_referrers_clean(&tree_store, &name, &subject,
                               time(NULL) + 3600, &err);
}


static void
a_line_goes_after_its_manifest(void **state)
{
    (void) state;

    assert_int_equal(clean(), 0);
    assert_int_equal(list(), 0);
    assert_int_equal(seen, 1);

    no_error();
    assert_int_equal(reg_revision_delete(&tree_store, &name, &digest, NULL,
                                         &err), 0);
    assert_int_equal(list(), 0);
    assert_int_equal(seen, 0);
    assert_int_equal(clean(), 1);
    assert_int_equal(clean(), 0);
}


/* Without descriptors no manifest can be looked for; that is not to say that
 * there is none. */
static void
what_cannot_be_looked_at_stays(void **state)
{
    int  rc, n;

    (void) state;

    for (n = 0, rc = -1; rc == -1; n++) {
        assert_int_equal(tree_leave_descriptors(n), 0);
        rc = clean();
        assert_int_equal(tree_leave_descriptors(-1), 0);
        assert_int_equal(rc, rc == -1 && err.sys == EMFILE ? -1 : 0);
        assert_int_equal(list(), 0);
        assert_int_equal(seen, 1);
    }

    assert_true(n > 1);

    for (n = 0, rc = -1; rc == -1; n++) {
        assert_int_equal(tree_leave_descriptors(n), 0);
        rc = list();
        assert_int_equal(tree_leave_descriptors(-1), 0);
        assert_int_equal(seen, rc == 0);
    }
}


/* ---- what others wrote, and half of a line -------------------------------- */


static reg_path_t
file(void)
{
    reg_path_t  path;

    reg_layout_referrers(&path, &tree_store.v2, &name, &subject);
    return path;
}


static void
append(const char *path, const char *text, size_t len)
{
    int  fd = open(path, O_WRONLY | O_APPEND);

    assert_int_not_equal(fd, -1);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(close(fd), 0);
}


/* The n-th other manifest, and its line: what add says. */
static int
add(int n)
{
    int             rc;
    char            body[64];
    reg_digest_t    d;
    reg_referrer_t  ref = REG_REFERRER_INIT;

    (void) snprintf(body, sizeof(body), "{\"subject\":1,\"n\":%d}", n);
    d = tree_digest(REG_SHA256, reg_str_from(body));
    no_error();
    assert_int_equal(reg_referrer_format(&ref, &d, REG_STR("a/type"),
                                         REG_STR("{\"n\":1}"), &err), 0);
    rc = reg_referrers_add(&tree_store, &name, &subject, &ref, 1, &err);
    reg_buf_free(&ref.line);

    if (rc != -1) {
        assert_int_equal(tree_push(&name, &d, reg_str_from(body), NULL, 0,
                                   &err), 0);
    }

    return rc;
}


static int
count_any(void *ctx, const reg_referrer_item_t *referrer)
{
    (void) ctx;

    assert_int_not_equal(referrer->descriptor.len, 0);
    seen++;

    return 0;
}


static int
all_after(reg_str_t after)
{
    no_error();
    seen = 0;
    assert_int_equal(reg_referrers_list(&tree_store, &name, &subject, after,
                                        count_any, NULL, &err), 0);
    return seen;
}


static void
each_is_listed_once_while_it_is_there(void **state)
{
    (void) state;

    assert_int_equal(add(1), 1);
    assert_int_equal(add(2), 1);
    assert_int_equal(add(1), 0);
    assert_int_equal(all_after(REG_STR_NULL), 3);
    assert_int_equal(all_after(reg_digest_str(&digest)), 2);

    assert_int_equal(reg_revision_delete(&tree_store, &name, &digest, NULL,
                                         &err), 0);
    assert_int_equal(all_after(REG_STR_NULL), 2);
    assert_int_equal(clean(), 1);
    assert_int_equal(all_after(REG_STR_NULL), 2);
}


static void
many_are_added_at_a_time(void **state)
{
    enum { MANY = 40 };

    static reg_referrer_t  refs[MANY];

    (void) state;

    for (int i = 0; i < MANY; i++) {
        char          body[16];
        reg_digest_t  d;

        (void) snprintf(body, sizeof(body), "%d", i);
        d = tree_digest(REG_SHA256, reg_str_from(body));
        refs[i].line = (reg_buf_t) REG_BUF_INIT;
        assert_int_equal(reg_referrer_format(&refs[i], &d, REG_STR("a/type"),
                                             REG_STR("{}"), &err), 0);
        assert_int_equal(tree_push(&name, &d, reg_str_from(body), NULL, 0,
                                   &err), 0);
    }

    assert_int_equal(reg_referrers_add(&tree_store, &name, &subject, refs, 10,
                                       &err), 10);
    assert_int_equal(reg_referrers_add(&tree_store, &name, &subject, refs,
                                       MANY, &err), MANY - 10);
    assert_int_equal(all_after(REG_STR_NULL), MANY + 1);

    for (int i = 0; i < MANY; i++) {
        reg_buf_free(&refs[i].line);
    }
}


/* A crash or a full disk may have left any part of the last line. */
static void
half_a_line_is_taken_back(void **state)
{
    static const size_t  lengths[] = { 1, 4095, 4096, 10000 };
    static char          half[10000];

    (void) state;

    memset(half, 'x', sizeof(half));
    memcpy(half, "sha256:", 7);

    for (int i = 0; i < 4; i++) {
        append(file().text, half, lengths[i]);
        assert_int_equal(all_after(REG_STR_NULL), i + 1);
        assert_int_equal(add(i), 1);
        assert_int_equal(all_after(REG_STR_NULL), i + 2);
    }
}


/* S17 */
static void
what_is_no_file_has_no_lines_and_gets_none(void **state)
{
    char  elsewhere[sizeof(tree_root) + 16], text[8];

    (void) state;

    (void) snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", tree_root);
    assert_int_equal(rename(file().text, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, file().text), 0);
    assert_int_equal(all_after(REG_STR_NULL), 0);
    assert_int_equal(add(1), -1);

    assert_int_equal(unlink(file().text), 0);
    assert_int_equal(mkfifo(file().text, 0600), 0);
    assert_int_equal(all_after(REG_STR_NULL), 0);

    assert_int_equal(unlink(file().text), 0);
    assert_int_equal(tree_write(elsewhere, "", 0), 0);
    assert_int_equal(tree_read(elsewhere, text, sizeof(text)), 0);
}


/* ---- somebody else comes between our open and our lock -------------------- */


static void
is_cleaned(const char *path)
{
    char  text[1024], tmp[REG_PATH_MAX];

    (void) snprintf(tmp, sizeof(tmp), "%s.new", path);
    assert_true(tree_read(path, text, sizeof(text)) > 0);
    assert_int_equal(tree_write(tmp, text, strlen(text)), 0);
    assert_int_equal(rename(tmp, path), 0);
}


static void
a_line_goes_to_the_file_that_has_the_name(void **state)
{
    (void) state;

    do_meanwhile(is_cleaned, file());
    assert_int_equal(add(1), 1);
    assert_null(meanwhile);
    assert_int_equal(all_after(REG_STR_NULL), 2);
}


static void
gets_a_line(const char *path)
{
    append(path, "\n", 1);
}


static void
a_list_that_grows_is_not_cleaned(void **state)
{
    const struct timespec  then[2] = {
        { time(NULL) - 3600, 0 }, { time(NULL) - 3600, 0 }
    };

    (void) state;

    assert_int_equal(reg_revision_delete(&tree_store, &name, &digest, NULL,
                                         &err), 0);
    assert_int_equal(utimensat(AT_FDCWD, file().text, then, 0), 0);

    assert_int_equal(reg_referrers_clean(&tree_store, &name, &subject,
                                         time(NULL) - 7200, &err), 0);
    do_meanwhile(gets_a_line, file());
    assert_int_equal(reg_referrers_clean(&tree_store, &name, &subject,
                                         time(NULL) - 1800, &err), 0);
    assert_null(meanwhile);
    assert_true(tree_has(file().text));
    assert_int_equal(clean(), 1);
    assert_false(tree_has(file().text));
}


static void
nothing_gone_is_nothing_written(void **state)
{
    ino_t  before = fault_inode(file().text);

    (void) state;

    assert_int_equal(clean(), 0);
    assert_int_equal(fault_inode(file().text), before);
}


/* ---- the crash loop ------------------------------------------------------ */


static int
prepare_list(void)
{
    reg_referrer_t  ref = REG_REFERRER_INIT;
    int             rc;

    no_error();
    rc = reg_referrer_format(&ref, &digest, REG_STR("a/type"), REG_STR("{}"),
                             &err) == 0
         && reg_referrers_add(&tree_store, &name, &subject, &ref, 1, &err) != -1
         && tree_push(&name, &digest, REG_STR(BODY), NULL, 0, &err) == 0
         ? 0 : -1;
    reg_buf_free(&ref.line);

    return rc;
}


static int
run_add(void)
{
    reg_digest_t    other = tree_digest(REG_SHA256, REG_STR("other"));
    reg_referrer_t  ref = REG_REFERRER_INIT;
    int             rc;

    no_error();
    rc = reg_referrer_format(&ref, &other, REG_STR("a/type"), REG_STR("{}"),
                             &err) == 0
         && reg_referrers_add(&tree_store, &name, &subject, &ref, 1, &err) != -1
         && tree_push(&name, &other, REG_STR("other"), NULL, 0, &err) == 0
         ? 0 : -1;
    reg_buf_free(&ref.line);

    return rc;
}


static const char *
check_add(bool done)
{
    int  n = all_after(REG_STR_NULL);

    return n < 1 ? "what was there is lost"
           : done && n < 2 ? "acknowledged, but not there" : NULL;
}


static void
no_fault_loses_a_line(void **state)
{
    (void) state;

    assert_int_not_equal(fault_loop(&(fault_loop_t) {
        "a referrer", prepare_list, run_add, check_add }), -1);
}


static int
prepare_none(void)
{
    return 0;
}


static const char *
check_first(bool done)
{
    return done && all_after(REG_STR_NULL) != 1 ? "acknowledged, but not there"
                                                : NULL;
}


static void
no_fault_loses_the_first_line(void **state)
{
    (void) state;

    assert_int_not_equal(fault_loop(&(fault_loop_t) {
        "a first referrer", prepare_none, run_add, check_first }), -1);
}


/* ---- a disk that fails ---------------------------------------------------- */


static size_t  written;


static int
fail_to_sync(int fd)
{
    (void) fd;

    written = 0;
    errno = EIO;

    return -1;
}


static ssize_t
count_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    written += len;
    return pwrite(fd, data, len, offset);
}


/* A client that tries again finds its line there: it must be written, or the
 * sync that follows has nothing to do. */
static void
what_could_not_be_synced_is_written_again(void **state)
{
    reg_sys_t       sys = reg_sys_kernel;
    reg_referrer_t  ref = { .line = REG_BUF_INIT };
    reg_path_t      path;
    reg_digest_t    other = tree_digest(REG_SHA256, REG_STR("other"));
    struct stat     st;

    (void) state;

    no_error();
    assert_int_equal(reg_referrer_format(&ref, &other, REG_STR("a/type"),
                                         REG_STR("{}"), &err), 0);
    sys.fsync = fail_to_sync;
    sys.syncfs = fail_to_sync;
    sys.pwrite = count_pwrite;
    tree_store.sys = &sys;
    assert_int_equal(reg_referrers_add(&tree_store, &name, &subject, &ref, 1,
                                       &err), -1);
    reg_layout_referrers(&path, &tree_store.v2, &name, &subject);
    assert_int_equal(lstat(path.text, &st), 0);
    assert_int_equal(written, st.st_size);

    tree_store.sys = &reg_sys_kernel;
    no_error();
    assert_int_equal(reg_referrers_add(&tree_store, &name, &subject, &ref, 1,
                                       &err), 0);
    reg_buf_free(&ref.line);
    assert_int_equal(list(), 0);
    assert_int_equal(seen, 1);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_line_goes_after_its_manifest),
        TEST(what_cannot_be_looked_at_stays),
        TEST(each_is_listed_once_while_it_is_there),
        TEST(many_are_added_at_a_time),
        TEST(half_a_line_is_taken_back),
        TEST(what_is_no_file_has_no_lines_and_gets_none),
        TEST(a_line_goes_to_the_file_that_has_the_name),
        TEST(a_list_that_grows_is_not_cleaned),
        TEST(nothing_gone_is_nothing_written),
        TEST(what_could_not_be_synced_is_written_again),
        TEST(no_fault_loses_a_line),
        TEST(no_fault_loses_the_first_line),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
