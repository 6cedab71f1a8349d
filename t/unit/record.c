/* reg_record: the bytes of the journal. */

#include "reg_record.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LINK  "repositories/a/b/_manifests/tags/v1/current/link"


static void
add(reg_buf_t *out, reg_record_kind_t kind, const char *path,
    const char *content)
{
    reg_record_add(out, &(reg_record_t) {
        .kind = kind, .rank = kind == REG_RECORD_PUT ? 2 : 0,
        .path = reg_str_from(path), .content = reg_str_from(content) });
}


static void
records_come_back(void **state)
{
    reg_buf_t     buf = REG_BUF_INIT;
    reg_str_t     rest;
    reg_record_t  r;

    (void) state;

    add(&buf, REG_RECORD_PUT, LINK, "sha256:1");
    add(&buf, REG_RECORD_GONE, "repositories/a", "");
    add(&buf, REG_RECORD_PUT, "_catalog/a+b", "");
    reg_record_add(&buf, &(reg_record_t) {
        .kind = REG_RECORD_PUT, .path = REG_STR(LINK), .known = true,
        .ahead = true });
    rest = reg_buf_str(&buf);

    assert_int_equal(reg_record_next(&rest, &r), 1);
    assert_int_equal(r.kind, REG_RECORD_PUT);
    assert_int_equal(r.rank, 2);
    assert_false(r.known || r.ahead);
    assert_true(reg_str_eq(r.path, REG_STR(LINK)));
    assert_true(reg_str_eq(r.content, REG_STR("sha256:1")));

    assert_int_equal(reg_record_next(&rest, &r), 1);
    assert_int_equal(r.kind, REG_RECORD_GONE);
    assert_int_equal(reg_record_next(&rest, &r), 1);
    assert_int_equal(r.content.len, 0);
    assert_int_equal(reg_record_next(&rest, &r), 1);
    assert_true(r.known && r.ahead);
    assert_int_equal(reg_record_next(&rest, &r), 0);

    reg_buf_free(&buf);
}


/* None leads out of the tree, or to what is no business of the journal's. */
static void
a_path_stays_in_its_rooms(void **state)
{
    static const char *const  bad[] = {
        "", "/", "blobs", "blobs/", "/blobs/x", "blobs//x", "blobs/./x",
        "blobs/../x", "blobs/..", "_auth/epoch", "_journal/log", "blobsx/y",
        "repositories/a/../../../../etc/passwd", "blobs/x/",
    };

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reg_buf_t     buf = REG_BUF_INIT;
        reg_record_t  r;
        reg_str_t     rest;

        add(&buf, REG_RECORD_PUT, bad[i], "x");
        rest = reg_buf_str(&buf);

        assert_int_equal(reg_record_next(&rest, &r), -1);
        reg_buf_free(&buf);
    }
}


/* Nor is any other value taken for one that is known. */
static void
what_no_version_writes_is_no_record(void **state)
{
    static const struct {
        size_t  at;
        char    value;
    } odd[] = {
        { 0, 0 }, { 0, 77 }, { 1, 77 }, { 2, 2 }, { 3, 2 }
    };

    char          path[1100];
    reg_record_t  r;
    reg_str_t     rest;
    reg_buf_t     buf = REG_BUF_INIT;

    (void) state;

    add(&buf, REG_RECORD_PUT, LINK, "sha256:1");

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        char  was = buf.data[odd[i].at];

        buf.data[odd[i].at] = odd[i].value;
        rest = reg_buf_str(&buf);
        assert_int_equal(reg_record_next(&rest, &r), -1);
        buf.data[odd[i].at] = was;
    }

    for (size_t len = 1; len < buf.len; len++) {
        rest = (reg_str_t) { len, buf.data };
        assert_int_equal(reg_record_next(&rest, &r), -1);
    }

    reg_buf_free(&buf);

    memset(path, 'x', sizeof(path));
    memcpy(path, "blobs/", 6);
    reg_record_add(&buf, &(reg_record_t) {
        .kind = REG_RECORD_PUT, .path = { sizeof(path), path } });
    rest = reg_buf_str(&buf);
    assert_int_equal(reg_record_next(&rest, &r), -1);
    reg_buf_free(&buf);

    reg_record_add(&buf, &(reg_record_t) {
        .kind = REG_RECORD_PUT, .path = { 9, "blobs/a\0b" } });
    rest = reg_buf_str(&buf);
    assert_int_equal(reg_record_next(&rest, &r), -1);
    reg_buf_free(&buf);
}


static void
any_bytes_may_be_read(void **state)
{
    reg_buf_t  buf = REG_BUF_INIT;
    unsigned   seed = 1;

    (void) state;

    add(&buf, REG_RECORD_PUT, LINK, "sha256:1");
    add(&buf, REG_RECORD_PUT, "blobs/sha256/ab/abcd/data", "content");

    for (int round = 0; round < 20000; round++) {
        size_t        len = (size_t) rand_r(&seed) % (buf.len + 1);
        char         *copy = malloc(len + 1);      /* ASan sees its end */
        reg_str_t     rest = { len, copy };
        reg_record_t  r;
        int           n = 0;

        assert_non_null(copy);
        memcpy(copy, buf.data, len);

        for (int i = 0; len > 0 && i < 3; i++) {
            copy[(size_t) rand_r(&seed) % len] = (char) rand_r(&seed);
        }

        while (reg_record_next(&rest, &r) == 1) {
            assert_true(r.path.data >= copy
                        && r.content.data + r.content.len <= copy + len);
            assert_true(++n < 100);
        }

        free(copy);
    }

    reg_buf_free(&buf);
}


/* ---- seals --------------------------------------------------------------- */


static reg_record_seal_t
some_seal(void)
{
    reg_record_seal_t  seal = { .generation = 7, .offset = 8192, .time = 99 };

    memset(seal.key, 'k', sizeof(seal.key));
    return seal;
}


static size_t
sealed(char out[256])
{
    reg_record_seal_t  seal = some_seal();
    reg_str_t          records = REG_STR("some records of a batch");

    memset(out, 0, 256);
    memcpy(out + REG_RECORD_SEAL, records.data, records.len);
    reg_record_seal(&seal, records, (unsigned char *) out);

    return REG_RECORD_SEAL + records.len;
}


static int
opened(const char *bytes, size_t len, reg_record_seal_t want)
{
    reg_str_t  records;

    want.time = 0;

    return reg_record_open(&want, (reg_str_t) { len, bytes }, &records);
}


static void
a_batch_is_whole_or_none(void **state)
{
    char               bytes[256];
    size_t             len = sealed(bytes);
    reg_record_seal_t  want = some_seal();
    reg_str_t          records;

    (void) state;

    assert_int_equal(reg_record_open(&want, (reg_str_t) { len, bytes },
                                     &records), 0);
    assert_true(reg_str_eq(records, REG_STR("some records of a batch")));
    assert_int_equal(want.time, 99);

    for (size_t i = 0; i < len; i++) {
        assert_int_equal(opened(bytes, i, some_seal()), -1);
    }

    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        assert_int_equal(opened(bytes, len, some_seal()), -1);
        bytes[i] ^= 1;
    }

    assert_int_equal(opened(bytes, len, some_seal()), 0);
}


static void
a_batch_belongs_to_its_place(void **state)
{
    char               bytes[256];
    size_t             len = sealed(bytes);
    reg_record_seal_t  want = some_seal();

    (void) state;

    want.generation++;
    assert_int_equal(opened(bytes, len, want), -1);

    want = some_seal();
    want.offset += REG_RECORD_ALIGN;
    assert_int_equal(opened(bytes, len, want), -1);

    want = some_seal();
    want.key[0] ^= 1;
    assert_int_equal(opened(bytes, len, want), -1);
}


static void
a_batch_takes_whole_blocks(void **state)
{
    (void) state;

    assert_int_equal(reg_record_size(0), 4096);
    assert_int_equal(reg_record_size(4096 - REG_RECORD_SEAL), 4096);
    assert_int_equal(reg_record_size(4096 - REG_RECORD_SEAL + 1), 8192);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(a_path_stays_in_its_rooms),
        cmocka_unit_test(what_no_version_writes_is_no_record),
        cmocka_unit_test(any_bytes_may_be_read),
        cmocka_unit_test(a_batch_is_whole_or_none),
        cmocka_unit_test(a_batch_belongs_to_its_place),
        cmocka_unit_test(a_batch_takes_whole_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
