/*
 * reg_error: what went wrong, for the client and for the log.
 *
 * The caller supplies a reg_error_t; what can fail returns 0 or -1, and -1
 * means that it was filled by whoever first understood the failure.  The first
 * error wins: setting a second one changes nothing, so a failing clean-up
 * cannot bury the cause.
 *
 *     reg_error_t  err = REG_ERROR_INIT;
 *
 *     if (reg_upload_commit(&up, &want, &err) == -1) {
 *         status = reg_error_status(&err);
 *         reg_error_json(&body, &err, 1);          what the client reads
 *         log(..., err.where, strerror(err.sys));  what the operator reads
 *     }
 *
 * Codes are those of the OCI distribution specification 1.1, "Error Codes",
 * and of Docker's registry API; the few of ours follow them.  The body is
 * {"errors":[{"code":…,"message":…,"detail":{…}}]}.
 *
 * Blocks: never
 */

#ifndef REG_ERROR_H
#define REG_ERROR_H

#include "reg_str.h"

typedef enum {
    REG_OK = 0,

    REG_BLOB_UNKNOWN,
    REG_BLOB_UPLOAD_INVALID,
    REG_BLOB_UPLOAD_UNKNOWN,
    REG_DIGEST_INVALID,
    REG_MANIFEST_BLOB_UNKNOWN,
    REG_MANIFEST_INVALID,
    REG_MANIFEST_UNKNOWN,
    REG_NAME_INVALID,
    REG_NAME_UNKNOWN,
    REG_SIZE_INVALID,
    REG_UNAUTHORIZED,
    REG_DENIED,
    REG_UNSUPPORTED,
    REG_TOOMANYREQUESTS,

    REG_PROTECTED_TAG,               /* GitLab: see reg_protection.h */
    REG_IMMUTABLE_TAG,
    REG_PROTECTED_MANIFEST,
    REG_TAG_PROTECTION_PATTERN_INVALID,
    REG_TAG_PATTERN_COUNT_LIMIT_EXCEEDED,
    REG_PAGINATION_NUMBER_INVALID,   /* Docker: n of a list */
    REG_RANGE_INVALID,               /* a chunk out of order: 416 */
    REG_RANGE_UNSATISFIABLE,         /* of a download: 416 */
    REG_UPLOAD_BUSY,                 /* a second writer: 409 */
    REG_MANIFEST_TOO_LARGE,          /* 413 */
    REG_BODY_TOO_LARGE,              /* 413, nginx's own limit */
    REG_NOT_FOUND,                   /* no such route */
    REG_BAD_REQUEST,                 /* 400 that nginx made */
    REG_TIMEOUT,                     /* 408 that nginx made */
    REG_INSUFFICIENT_STORAGE,        /* 507 */
    REG_READ_ONLY,                   /* the tree cannot be written: 503 */
    REG_UNAVAILABLE,                 /* 502, 503, 504: the worker is away */
    REG_UNKNOWN,                     /* 500 */

    REG_ERROR_CODES
} reg_error_code_t;

typedef struct {
    reg_error_code_t   code;
    int                status;          /* 0: the one of the table */
    int                sys;             /* errno, or 0; for the log only */
    const char        *detail_key;      /* a literal, or NULL */
    char               message[256];    /* empty: the table's sentence */
    char               detail[288];
    char               where[288];      /* operation and path; log only */
    bool               lost;            /* a sync failed: what was written may
                                           be gone, though it can be read, and
                                           no later sync says so again */
} reg_error_t;

#define REG_ERROR_INIT  { REG_OK, 0, 0, NULL, "", "", "", false }


/* Sets code and message, unless an error is set already.  Returns -1 so that
 * one can write: return reg_error_set(err, …).  fmt NULL: the table's own
 * sentence. */
int reg_error_set(reg_error_t *err, reg_error_code_t code,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Names what the error is about: {"digest": "sha256:…"}.  key is a literal. */
void reg_error_detail(reg_error_t *err, const char *key, reg_str_t value);

/* Notes the operation and the path, of which the end is kept if it is long. */
void reg_error_where(reg_error_t *err, const char *operation,
    const char *path);

/* Whether errno says of a path that nothing is there, or what is no file or
 * directory of ours. */
bool reg_error_is_missing(int sys);

/* The one place where errno becomes a code: no space, quota or file too large
 * 507, a read-only file system 503, what is missing the given code, the rest
 * 500.  Returns -1. */
int reg_error_sys(reg_error_t *err, int sys, reg_error_code_t missing,
    const char *operation, const char *path);

/* The same, of a sync. */
int reg_error_sync(reg_error_t *err, int sys, const char *operation,
    const char *path);

/* The HTTP status, and the code as the wire spells it. */
int reg_error_status(const reg_error_t *err);
const char *reg_error_name(const reg_error_t *err);
const char *reg_error_message(const reg_error_t *err);

/* True for what an operator must see: 5xx. */
bool reg_error_is_ours(const reg_error_t *err);

/* The code that stands for an HTTP status that nginx itself made. */
reg_error_code_t reg_error_of_status(int status);

/* Appends the JSON body for n errors. */
void reg_error_json(reg_buf_t *out, const reg_error_t *errs, size_t n);

#endif
