/* reg_referrer: a line of a subject's list. */

#include "reg_referrer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>


#define DIGEST  "sha256:" \
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"


static reg_error_t          err;
static int                  fd;
static int                  lines;       /* that a scan has called for */
static int                  stop_at;     /* then it is told to stop */
static size_t               longest;     /* descriptor */
static reg_referrer_item_t  last;


static int
renew(void **state)
{
    (void) state;

    err = (reg_error_t) REG_ERROR_INIT;
    fd = memfd_create("list", 0);

    return fd == -1 ? -1 : 0;
}


static int
leave(void **state)
{
    (void) state;
    return close(fd);
}


static void
append(const char *text, size_t len)
{
    assert_int_equal(write(fd, text, len), len);
}


static int
note(void *ctx, const reg_referrer_item_t *item)
{
    assert_ptr_equal(ctx, &last);
    assert_true(reg_str_eq(item->digest, REG_STR(DIGEST)));
    assert_int_equal(item->line.len, item->digest.len + 1 + item->type.len + 1
                                     + item->descriptor.len);

    last = *item;
    lines++;
    longest = item->descriptor.len > longest ? item->descriptor.len : longest;

    return lines == stop_at;
}


static int
scan(void)
{
    lines = 0;
    longest = 0;
    assert_int_equal(reg_referrer_scan(fd, "list", note, &last, &err), 0);

    return lines;
}


/* A line of ours, with a type and so long a descriptor. */
static void
put(const char *type, size_t len)
{
    reg_digest_t    digest;
    reg_referrer_t  ref = REG_REFERRER_INIT;
    char           *descriptor = malloc(len + 1);

    assert_non_null(descriptor);
    memset(descriptor, 'd', len);
    assert_int_equal(reg_digest_parse(&digest, REG_STR(DIGEST)), 0);
    assert_int_equal(reg_referrer_format(&ref, &digest, reg_str_from(type),
                                         (reg_str_t) { len, descriptor },
                                         &err), 0);
    append(ref.line.data, ref.line.len);
    reg_buf_free(&ref.line);
    free(descriptor);
}


static void
what_is_written_is_read(void **state)
{
    (void) state;

    assert_int_equal(scan(), 0);
    put("a/type", 2);
    put("", 3);
    assert_int_equal(scan(), 2);
    assert_int_equal(longest, 3);
    assert_int_equal(last.type.len, 0);
}


static void
a_type_that_is_no_word_is_none(void **state)
{
    static const char *const  types[] = { "a\tb", "a\nb", "\t", "\n", "" };

    char  text[300];

    (void) state;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        put(types[i], 2);
    }

    assert_int_equal(scan(), 5);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(read(fd, text, sizeof(DIGEST "\t\tdd\n") - 1),
                     sizeof(DIGEST "\t\tdd\n") - 1);
    assert_memory_equal(text, DIGEST "\t\tdd\n",
                        sizeof(DIGEST "\t\tdd\n") - 1);
}


static void
lines_are_as_long_as_they_like(void **state)
{
    (void) state;

    put("a/type", 100);
    put("a/type", 200 * 1024);
    put("a/type", 64 * 1024);
    put("a/type", 1);
    assert_int_equal(scan(), 4);
    assert_int_equal(longest, 200 * 1024);
    assert_int_equal(last.descriptor.len, 1);
}


static void
who_is_called_may_stop(void **state)
{
    (void) state;

    for (int i = 0; i < 5; i++) {
        put("a/type", 40 * 1024);
    }

    stop_at = 3;
    assert_int_equal(scan(), 3);
    stop_at = 0;
    assert_int_equal(scan(), 5);
}


static void
lines_that_make_no_sense_are_passed_over(void **state)
{
    static const char  odd[] =
        "\n" "nonsense\n" "\t\t\n" "sha256:0\tx\t{}\n" "\ttype\t{}\n"
        DIGEST "\n" DIGEST "\t\n" DIGEST "\tx\t\n";

    (void) state;

    append(odd, sizeof(odd) - 1);
    put("a/type", 2);
    assert_int_equal(scan(), 1);
}


static void
what_is_cut_off_is_no_line(void **state)
{
    static const size_t  lengths[] = { 0, 1, 4095, 4096, 4097, 100000 };
    static char          half[100000];

    int64_t  whole = 0;

    (void) state;

    memset(half, 'x', sizeof(half));
    memcpy(half, DIGEST "\t\t{", sizeof(DIGEST "\t\t{") - 1);

    for (int i = 0; i < 6; i++) {
        append(half, lengths[i]);
        assert_int_equal(scan(), i);
        assert_int_equal(reg_referrer_mend(fd), whole);
        assert_int_equal(lseek(fd, 0, SEEK_END), whole);
        put("a/type", 2);
        whole = lseek(fd, 0, SEEK_END);
        assert_int_equal(scan(), i + 1);
    }

    assert_int_equal(reg_referrer_mend(fd), whole);
}


static void
what_cannot_be_read_is_an_error(void **state)
{
    int  out = open("/dev/null", O_WRONLY);

    (void) state;

    assert_int_equal(reg_referrer_scan(out, "list", note, &last, &err), -1);
    assert_int_equal(err.sys, EBADF);
    assert_non_null(strstr(err.where, "list"));
    assert_int_equal(close(out), 0);
    assert_int_equal(reg_referrer_mend(out), -1);
}


#define TEST(name)  cmocka_unit_test_setup_teardown(name, renew, leave)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(what_is_written_is_read),
        TEST(a_type_that_is_no_word_is_none),
        TEST(lines_are_as_long_as_they_like),
        TEST(who_is_called_may_stop),
        TEST(lines_that_make_no_sense_are_passed_over),
        TEST(what_is_cut_off_is_no_line),
        TEST(what_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
