/*
 * reg_str: two string types for everything in src/.
 *
 * reg_str_t is a borrowed slice: a pointer and a length, passed by value, laid
 * out like nginx's ngx_str_t.  No NUL is promised; print it with "%.*s".
 *
 * reg_buf_t is an owned, growing buffer with sticky failure: append as often
 * as you like, then ask reg_buf_ok() once.  It never grows beyond REG_BUF_MAX.
 *
 *     reg_buf_t  b = REG_BUF_INIT;
 *
 *     reg_buf_puts(&b, "/v2/");
 *     reg_buf_put(&b, name.data, name.len);
 *     if (!reg_buf_ok(&b)) ...
 *     reg_buf_free(&b);
 *
 * Every number that comes from outside passes through reg_str_int().
 *
 * Blocks: never
 */

#ifndef REG_STR_H
#define REG_STR_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include "banned.h"

typedef struct {
    size_t       len;
    const char  *data;
} reg_str_t;

#define REG_STR(literal)  ((reg_str_t) { sizeof(literal) - 1, (literal) })
#define REG_STR_NULL      ((reg_str_t) { 0, NULL })
#define REG_STR_ARG(s)    (int) (s).len, (s).data

#define REG_BUF_MAX  (64 * 1024 * 1024)

typedef struct {
    char    *data;
    size_t   len;
    size_t   size;
    bool     failed;
} reg_buf_t;

#define REG_BUF_INIT  { NULL, 0, 0, false }


/* A slice of a NUL-terminated string; NULL gives the empty slice. */
reg_str_t reg_str_from(const char *s);

bool reg_str_eq(reg_str_t a, reg_str_t b);
bool reg_str_eq_nocase(reg_str_t a, reg_str_t b);
bool reg_str_starts(reg_str_t s, reg_str_t prefix);

/* The order of their bytes: less than 0, 0, or more; what another one begins
 * with is before it. */
int reg_str_compare(reg_str_t a, reg_str_t b);

/* Cuts white space (blank, tab) off both ends. */
reg_str_t reg_str_trim(reg_str_t s);

/* Splits at the first c: returns what is before it and leaves what is after
 * in *s (empty if there was no c). */
reg_str_t reg_str_cut(reg_str_t *s, char c);

/* Parses all of s as a decimal number in 0..max.  -1 if it is empty, has
 * another character (a sign too), or is larger. */
int reg_str_int(reg_str_t s, int64_t max, int64_t *out);

/* Parses all of s as a duration as Go writes it ("168h", "1h30m", "1.5h",
 * "90s", "500ms", "0"), in seconds, rounded up.  -1 if it is none, has a sign,
 * or is more than max seconds, of which there may be 10^12. */
int reg_str_duration(reg_str_t s, int64_t max, int64_t *seconds);

/* The same in milliseconds; max as well. */
int reg_str_milliseconds(reg_str_t s, int64_t max, int64_t *ms);

/* Copies s and a NUL into dst.  -1, with dst empty, if it does not fit. */
int reg_str_copy(char *dst, size_t size, reg_str_t s);

/* For tables (FNV-1a, folded).  Whoever chooses s can make two alike. */
uint64_t reg_str_hash(reg_str_t s);

/* True for the digits and a-f. */
bool reg_str_is_hex(reg_str_t s);

/* The length of the character that s begins with; 0 if it is empty or not UTF-8
 * (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
size_t reg_str_utf8(reg_str_t s);
bool reg_str_is_utf8(reg_str_t s);


void reg_buf_put(reg_buf_t *b, const void *data, size_t len);
void reg_buf_puts(reg_buf_t *b, const char *s);
void reg_buf_putstr(reg_buf_t *b, reg_str_t s);
void reg_buf_printf(reg_buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends s as a JSON string, quotes included.  What is not UTF-8 becomes
 * U+FFFD: the output is always valid JSON. */
void reg_buf_json(reg_buf_t *b, reg_str_t s);

/* Makes room for len more bytes and returns where they go, or NULL.  The
 * caller adds what it wrote to b->len. */
char *reg_buf_reserve(reg_buf_t *b, size_t len);

bool reg_buf_ok(const reg_buf_t *b);
reg_str_t reg_buf_str(const reg_buf_t *b);
void reg_buf_free(reg_buf_t *b);

#endif
