#include "reg_error.h"

#include <errno.h>
#include <stdarg.h>


typedef struct {
    const char  *name;
    int          status;
    const char  *message;
} reg_error_row_t;


static const reg_error_row_t  reg_error_table[] = {

    [REG_OK] = { "UNKNOWN", 500, "no error was recorded" },

    [REG_BLOB_UNKNOWN] = { "BLOB_UNKNOWN", 404,
        "blob unknown to registry" },
    [REG_BLOB_UPLOAD_INVALID] = { "BLOB_UPLOAD_INVALID", 400,
        "blob upload invalid" },
    [REG_BLOB_UPLOAD_UNKNOWN] = { "BLOB_UPLOAD_UNKNOWN", 404,
        "blob upload unknown to registry: it is finished, cancelled or"
        " expired; start a new one" },
    [REG_DIGEST_INVALID] = { "DIGEST_INVALID", 400,
        "provided digest did not match uploaded content" },
    [REG_MANIFEST_BLOB_UNKNOWN] = { "MANIFEST_BLOB_UNKNOWN", 400,
        "manifest references a manifest or blob unknown to registry; push"
        " it first" },
    [REG_MANIFEST_INVALID] = { "MANIFEST_INVALID", 400,
        "manifest invalid" },
    [REG_MANIFEST_UNKNOWN] = { "MANIFEST_UNKNOWN", 404,
        "manifest unknown to registry" },
    [REG_NAME_INVALID] = { "NAME_INVALID", 400,
        "invalid repository name: use lower-case letters, digits and single"
        " separators (. _ __ -) in parts joined by /, 255 bytes at most" },
    [REG_NAME_UNKNOWN] = { "NAME_UNKNOWN", 404,
        "repository name not known to registry" },
    [REG_SIZE_INVALID] = { "SIZE_INVALID", 400,
        "provided length did not match content length" },
    [REG_UNAUTHORIZED] = { "UNAUTHORIZED", 401,
        "authentication required" },
    [REG_DENIED] = { "DENIED", 403,
        "requested access to the resource is denied" },
    [REG_UNSUPPORTED] = { "UNSUPPORTED", 405,
        "the operation is unsupported" },
    [REG_TOOMANYREQUESTS] = { "TOOMANYREQUESTS", 429,
        "too many requests; try again later" },

    [REG_PROTECTED_TAG] = { "PROTECTED_TAG", 401,
        "the tag is protected by the project's rules: your role may not do"
        " this to it" },
    [REG_IMMUTABLE_TAG] = { "IMMUTABLE_TAG", 401,
        "the tag is immutable by the project's rules: choose another one" },
    [REG_PROTECTED_MANIFEST] = { "PROTECTED_MANIFEST", 401,
        "the project has protected tags, which a manifest would take along:"
        " delete tags by name" },
    [REG_TAG_PROTECTION_PATTERN_INVALID] = {
        "TAG_PROTECTION_PATTERN_INVALID", 400,
        "a pattern of the project's protected tags makes no sense" },
    [REG_TAG_PATTERN_COUNT_LIMIT_EXCEEDED] = {
        "TAG_PATTERN_COUNT_LIMIT_EXCEEDED", 400,
        "the project has more patterns of protected tags than 5" },
    [REG_PAGINATION_NUMBER_INVALID] = { "PAGINATION_NUMBER_INVALID", 400,
        "invalid number of results requested: n must be a number from 0 up" },
    [REG_RANGE_INVALID] = { "BLOB_UPLOAD_INVALID", 416,
        "the chunk does not begin where the upload ends; the Range header"
        " says how much has arrived" },
    [REG_RANGE_UNSATISFIABLE] = { "SIZE_INVALID", 416,
        "the requested range lies outside of the blob" },
    [REG_UPLOAD_BUSY] = { "BLOB_UPLOAD_INVALID", 409,
        "another request is writing to this upload; ask for its status and"
        " try again" },
    [REG_MANIFEST_TOO_LARGE] = { "SIZE_INVALID", 413,
        "manifest is larger than 4 MiB" },
    [REG_BODY_TOO_LARGE] = { "SIZE_INVALID", 413,
        "the body is larger than nginx's client_max_body_size allows; set it"
        " to 0 in the registry's location and in every proxy before it" },
    [REG_NOT_FOUND] = { "UNSUPPORTED", 404,
        "there is no such endpoint in the registry API" },
    [REG_BAD_REQUEST] = { "UNSUPPORTED", 400,
        "the request is malformed" },
    [REG_TIMEOUT] = { "BLOB_UPLOAD_INVALID", 408,
        "the request's body did not arrive in time; what has arrived is kept,"
        " ask for the upload's status to go on" },
    [REG_INSUFFICIENT_STORAGE] = { "INSUFFICIENT_STORAGE", 507,
        "the registry's disk is full, of bytes or of inodes; nothing was lost,"
        " ask its operator to make room and push again" },
    [REG_READ_ONLY] = { "UNAVAILABLE", 503,
        "the registry's disk is read-only: pulls go on, but nothing can be"
        " pushed or deleted until its operator has seen to it" },
    [REG_UNAVAILABLE] = { "UNAVAILABLE", 503,
        "the registry cannot answer now: its worker or its disk is away; try"
        " again, and if it stays so ask its operator to look at the logs of"
        " nginx and registry-fcgi" },
    [REG_UNKNOWN] = { "UNKNOWN", 500,
        "unknown error: the registry's log says more" },
};

_Static_assert(sizeof(reg_error_table) / sizeof(reg_error_table[0])
               == REG_ERROR_CODES, "a code without a row");


int
reg_error_set(reg_error_t *err, reg_error_code_t code, const char *fmt, ...)
{
    va_list  args;

    if (err->code != REG_OK) {
        return -1;
    }

    err->code = code;

    if (fmt != NULL) {
        va_start(args, fmt);
        /* a long sentence is cut: it still says what is wrong */
        (void) vsnprintf(err->message, sizeof(err->message), fmt, args);
        va_end(args);
    }

    return -1;
}


void
reg_error_detail(reg_error_t *err, const char *key, reg_str_t value)
{
    if (err->detail_key != NULL) {
        return;
    }

    if (value.len >= sizeof(err->detail)) {
        value.len = sizeof(err->detail) - 1;
    }

    err->detail_key = key;
    (void) reg_str_copy(err->detail, sizeof(err->detail), value);  /* fits */
}


void
reg_error_where(reg_error_t *err, const char *operation, const char *path)
{
    size_t  room = sizeof(err->where) - 48;
    size_t  len = strlen(path);

    (void) snprintf(err->where, sizeof(err->where), "%.40s %s%.*s", operation,
                    len > room ? "…" : "", (int) room,
                    len > room ? path + len - room : path);
}


bool
reg_error_is_missing(int sys)
{
    return sys == ENOENT || sys == ENOTDIR
           || sys == ELOOP || sys == EISDIR       /* a link, a directory, */
           || sys == ENXIO || sys == ENODEV;      /* a socket, a device */
}


int
reg_error_sys(reg_error_t *err, int sys, reg_error_code_t missing,
    const char *operation, const char *path)
{
    if (err->code != REG_OK) {
        return -1;
    }

    err->code = reg_error_is_missing(sys) ? missing
                : sys == ENOSPC || sys == EDQUOT || sys == EFBIG
                  ? REG_INSUFFICIENT_STORAGE
                : sys == EROFS ? REG_READ_ONLY : REG_UNKNOWN;
    err->sys = sys;
    reg_error_where(err, operation, path);

    return -1;
}


int
reg_error_sync(reg_error_t *err, int sys, const char *operation,
    const char *path)
{
    err->lost = true;

    return reg_error_sys(err, sys, REG_UNKNOWN, operation, path);
}


int
reg_error_status(const reg_error_t *err)
{
    return err->status != 0 ? err->status : reg_error_table[err->code].status;
}


const char *
reg_error_name(const reg_error_t *err)
{
    return reg_error_table[err->code].name;
}


const char *
reg_error_message(const reg_error_t *err)
{
    return err->message[0] != '\0' ? err->message
                                   : reg_error_table[err->code].message;
}


bool
reg_error_is_ours(const reg_error_t *err)
{
    return reg_error_status(err) >= 500;
}


reg_error_code_t
reg_error_of_status(int status)
{
    static const struct {
        int               status;
        reg_error_code_t  code;
    } map[] = {
        { 401, REG_UNAUTHORIZED },
        { 403, REG_DENIED },
        { 404, REG_NOT_FOUND },
        { 405, REG_UNSUPPORTED },
        { 408, REG_TIMEOUT },
        { 413, REG_BODY_TOO_LARGE },
        { 416, REG_RANGE_UNSATISFIABLE },
        { 429, REG_TOOMANYREQUESTS },
        { 502, REG_UNAVAILABLE },
        { 503, REG_UNAVAILABLE },
        { 504, REG_UNAVAILABLE },
        { 507, REG_INSUFFICIENT_STORAGE },
    };

    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
        if (map[i].status == status) {
            return map[i].code;
        }
    }

    return status < 500 ? REG_BAD_REQUEST : REG_UNKNOWN;
}


void
reg_error_json(reg_buf_t *out, const reg_error_t *errs, size_t n)
{
    reg_buf_puts(out, "{\"errors\":[");

    for (size_t i = 0; i < n; i++) {
        reg_buf_printf(out, "%s{\"code\":\"%s\",\"message\":",
                       i == 0 ? "" : ",", reg_error_name(&errs[i]));
        reg_buf_json(out, reg_str_from(reg_error_message(&errs[i])));

        if (errs[i].detail_key != NULL) {
            reg_buf_printf(out, ",\"detail\":{\"%s\":", errs[i].detail_key);
            reg_buf_json(out, reg_str_from(errs[i].detail));
            reg_buf_puts(out, "}");
        }

        reg_buf_puts(out, "}");
    }

    reg_buf_puts(out, "]}\n");
}
