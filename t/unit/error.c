/* reg_error: what went wrong, for the client and for the log. */

#include "reg_error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>


static void
the_first_error_wins(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;

    assert_int_equal(reg_error_set(&err, REG_DIGEST_INVALID, "is %d", 7), -1);
    assert_int_equal(reg_error_set(&err, REG_UNKNOWN, "later"), -1);
    assert_int_equal(reg_error_sys(&err, EIO, REG_UNKNOWN, "write", "/x"), -1);

    assert_int_equal(err.code, REG_DIGEST_INVALID);
    assert_string_equal(reg_error_message(&err), "is 7");
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.where, "");
}


static void
the_first_detail_wins(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;

    reg_error_detail(&err, "name", REG_STR("a"));
    reg_error_detail(&err, "digest", REG_STR("b"));
    assert_string_equal(err.detail_key, "name");
    assert_string_equal(err.detail, "a");
}


static void
without_a_message_the_table_speaks(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;

    (void) reg_error_set(&err, REG_BLOB_UNKNOWN, NULL);
    assert_string_equal(err.message, "");
    assert_string_equal(reg_error_message(&err), "blob unknown to registry");
    assert_string_equal(reg_error_name(&err), "BLOB_UNKNOWN");
    assert_int_equal(reg_error_status(&err), 404);
}


static void
a_status_may_be_another_than_the_table_s(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;

    (void) reg_error_set(&err, REG_BLOB_UNKNOWN, NULL);
    err.status = 502;
    assert_int_equal(reg_error_status(&err), 502);
    assert_true(reg_error_is_ours(&err));
}


/* Names: OCI distribution spec 1.1, "Error Codes". */
static void
the_codes_of_the_spec_have_its_names(void **state)
{
    static const struct {
        reg_error_code_t   code;
        const char        *name;
        int                status;
    } rows[] = {
        { REG_BLOB_UNKNOWN, "BLOB_UNKNOWN", 404 },
        { REG_BLOB_UPLOAD_INVALID, "BLOB_UPLOAD_INVALID", 400 },
        { REG_BLOB_UPLOAD_UNKNOWN, "BLOB_UPLOAD_UNKNOWN", 404 },
        { REG_DIGEST_INVALID, "DIGEST_INVALID", 400 },
        { REG_MANIFEST_BLOB_UNKNOWN, "MANIFEST_BLOB_UNKNOWN", 400 },
        { REG_MANIFEST_INVALID, "MANIFEST_INVALID", 400 },
        { REG_MANIFEST_UNKNOWN, "MANIFEST_UNKNOWN", 404 },
        { REG_NAME_INVALID, "NAME_INVALID", 400 },
        { REG_NAME_UNKNOWN, "NAME_UNKNOWN", 404 },
        { REG_SIZE_INVALID, "SIZE_INVALID", 400 },
        { REG_UNAUTHORIZED, "UNAUTHORIZED", 401 },
        { REG_DENIED, "DENIED", 403 },
        { REG_UNSUPPORTED, "UNSUPPORTED", 405 },
        { REG_TOOMANYREQUESTS, "TOOMANYREQUESTS", 429 },
        { REG_PROTECTED_TAG, "PROTECTED_TAG", 401 },
        { REG_IMMUTABLE_TAG, "IMMUTABLE_TAG", 401 },
        { REG_PROTECTED_MANIFEST, "PROTECTED_MANIFEST", 401 },
        { REG_PAGINATION_NUMBER_INVALID, "PAGINATION_NUMBER_INVALID", 400 },
        { REG_RANGE_INVALID, "BLOB_UPLOAD_INVALID", 416 },
        { REG_UPLOAD_BUSY, "BLOB_UPLOAD_INVALID", 409 },
        { REG_MANIFEST_TOO_LARGE, "SIZE_INVALID", 413 },
        { REG_INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE", 507 },
        { REG_READ_ONLY, "UNAVAILABLE", 503 },
        { REG_UNKNOWN, "UNKNOWN", 500 },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reg_error_t  err = REG_ERROR_INIT;

        (void) reg_error_set(&err, rows[i].code, NULL);
        assert_string_equal(reg_error_name(&err), rows[i].name);
        assert_int_equal(reg_error_status(&err), rows[i].status);
        assert_int_equal(reg_error_is_ours(&err), rows[i].status >= 500);
    }
}


static void
every_code_has_a_sentence(void **state)
{
    (void) state;

    for (int code = REG_OK; code < REG_ERROR_CODES; code++) {
        reg_error_t  err = REG_ERROR_INIT;

        err.code = (reg_error_code_t) code;
        assert_non_null(reg_error_name(&err));
        assert_true(strlen(reg_error_message(&err)) > 5);
        assert_in_range(reg_error_status(&err), 400, 599);
    }
}


static void
errno_becomes_a_code_in_one_place(void **state)
{
    static const struct {
        int               sys;
        reg_error_code_t  code;
    } rows[] = {
        { ENOSPC, REG_INSUFFICIENT_STORAGE },
        { EDQUOT, REG_INSUFFICIENT_STORAGE },
        { EFBIG, REG_INSUFFICIENT_STORAGE },
        { ENOENT, REG_BLOB_UNKNOWN },
        { ENOTDIR, REG_BLOB_UNKNOWN },
        { ELOOP, REG_BLOB_UNKNOWN },
        { EIO, REG_UNKNOWN },
        { EACCES, REG_UNKNOWN },
        { EROFS, REG_READ_ONLY },
        { EMFILE, REG_UNKNOWN },
        { ENOMEM, REG_UNKNOWN },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        reg_error_t  err = REG_ERROR_INIT;

        assert_int_equal(reg_error_sys(&err, rows[i].sys, REG_BLOB_UNKNOWN,
                                       "open", "/a/b"), -1);
        assert_int_equal(err.code, rows[i].code);
        assert_int_equal(err.sys, rows[i].sys);
        assert_string_equal(err.where, "open /a/b");

        /* paths are for the log, never for the wire */
        assert_null(strstr(reg_error_message(&err), "/a/b"));
    }
}


static void
the_place_of_a_long_path_ends_with_its_end(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;
    char         path[1000];

    (void) state;

    memset(path, 'p', sizeof(path));
    memcpy(path + sizeof(path) - 5, "/end", 5);
    (void) reg_error_sys(&err, EIO, REG_UNKNOWN, "open", path);

    assert_true(strlen(err.where) < sizeof(err.where));
    assert_int_equal(strncmp(err.where, "open ", 5), 0);
    assert_string_equal(err.where + strlen(err.where) - 4, "/end");
}


static void
long_messages_and_details_are_cut(void **state)
{
    static char  text[4096];
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;

    memset(text, 'm', sizeof(text) - 1);
    reg_error_detail(&err, "name", reg_str_from(text));
    (void) reg_error_set(&err, REG_NAME_INVALID, "%s", text);

    assert_int_equal(strlen(err.detail), sizeof(err.detail) - 1);
    assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
}


static void
nginx_s_statuses_have_codes(void **state)
{
    (void) state;

    assert_int_equal(reg_error_of_status(413), REG_BODY_TOO_LARGE);
    assert_int_equal(reg_error_of_status(408), REG_TIMEOUT);
    assert_int_equal(reg_error_of_status(502), REG_UNAVAILABLE);
    assert_int_equal(reg_error_of_status(503), REG_UNAVAILABLE);
    assert_int_equal(reg_error_of_status(504), REG_UNAVAILABLE);
    assert_int_equal(reg_error_of_status(507), REG_INSUFFICIENT_STORAGE);
    assert_int_equal(reg_error_of_status(400), REG_BAD_REQUEST);
    assert_int_equal(reg_error_of_status(494), REG_BAD_REQUEST);
    assert_int_equal(reg_error_of_status(500), REG_UNKNOWN);
    assert_int_equal(reg_error_of_status(599), REG_UNKNOWN);
}


static void
the_body_is_json_whatever_the_client_sent(void **state)
{
    reg_buf_t    b = REG_BUF_INIT;
    reg_error_t  errs[2] = { REG_ERROR_INIT, REG_ERROR_INIT };
    json_t      *root, *list, *one;

    (void) state;

    reg_error_detail(&errs[0], "name",
                     REG_STR("a\"},{\\\r\n\x01\xff\xc0</script>"));
    (void) reg_error_set(&errs[0], REG_NAME_INVALID, NULL);
    (void) reg_error_set(&errs[1], REG_BLOB_UNKNOWN, "no \"%s\"", "x\xe2");

    reg_error_json(&b, errs, 2);
    assert_true(reg_buf_ok(&b));

    root = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    list = json_object_get(root, "errors");
    assert_int_equal(json_array_size(list), 2);

    one = json_array_get(list, 0);
    assert_string_equal(json_string_value(json_object_get(one, "code")),
                        "NAME_INVALID");
    assert_true(json_is_string(json_object_get(one, "message")));
    assert_true(json_is_string(json_object_get(json_object_get(one, "detail"),
                                               "name")));

    one = json_array_get(list, 1);
    assert_string_equal(json_string_value(json_object_get(one, "code")),
                        "BLOB_UNKNOWN");
    assert_null(json_object_get(one, "detail"));

    json_decref(root);
    reg_buf_free(&b);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(the_first_error_wins),
        cmocka_unit_test(the_first_detail_wins),
        cmocka_unit_test(without_a_message_the_table_speaks),
        cmocka_unit_test(a_status_may_be_another_than_the_table_s),
        cmocka_unit_test(the_codes_of_the_spec_have_its_names),
        cmocka_unit_test(every_code_has_a_sentence),
        cmocka_unit_test(errno_becomes_a_code_in_one_place),
        cmocka_unit_test(the_place_of_a_long_path_ends_with_its_end),
        cmocka_unit_test(long_messages_and_details_are_cut),
        cmocka_unit_test(nginx_s_statuses_have_codes),
        cmocka_unit_test(the_body_is_json_whatever_the_client_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
