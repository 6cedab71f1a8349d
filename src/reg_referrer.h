/*
 * reg_referrer: a line of a subject's list (reg_referrers.h): a manifest that
 * names the subject.
 *
 *     DIGEST ⇥ ARTIFACT-TYPE ⇥ DESCRIPTOR ⏎
 *
 * DESCRIPTOR is what the client gets, as JSON without line breaks.  A line that
 * a crash cut has no ⏎, and is none.
 *
 *     reg_referrer_t  ref = REG_REFERRER_INIT;
 *
 *     if (reg_referrer_format(&ref, &digest, type, descriptor, err) == -1) …
 *     … ref.line …
 *     reg_buf_free(&ref.line);
 *
 *     if (reg_referrer_scan(fd, path, each, ctx, err) == -1) …
 *
 * Blocks: disk
 */

#ifndef REG_REFERRER_H
#define REG_REFERRER_H

#include "reg_digest.h"
#include "reg_error.h"

typedef struct {
    reg_digest_t  digest;
    reg_buf_t     line;          /* owned; with its ⏎ */
} reg_referrer_t;

#define REG_REFERRER_INIT  { .line = REG_BUF_INIT }

/* What a line says; slices of it. */
typedef struct {
    reg_str_t     line;          /* without its ⏎ */
    reg_str_t     digest;
    reg_str_t     type;          /* artifact type; may be empty */
    reg_str_t     descriptor;    /* JSON */
} reg_referrer_item_t;

/* Other than 0 ends a scan.  What item points to is good until it returns. */
typedef int (*reg_referrer_pt)(void *ctx, const reg_referrer_item_t *item);


/* Appends the line of a referrer to ref->line.  A type that is no word is left
 * out: no filter finds it.  -1 without memory. */
int reg_referrer_format(reg_referrer_t *ref, const reg_digest_t *digest,
    reg_str_t type, reg_str_t descriptor, reg_error_t *err);

/* Calls each for every line of the file open at fd that is whole and
 * well-formed, until it returns other than 0; path is for errors.  Memory is
 * bounded by the longest line. */
int reg_referrer_scan(int fd, const char *path, reg_referrer_pt each,
    void *ctx, reg_error_t *err);

/* Takes back what a crash or a full disk cut, from a file that nobody else
 * writes to: ended by a line break it would look like a line.  The size that
 * is left, or -1 with errno. */
int64_t reg_referrer_mend(int fd);

#endif
