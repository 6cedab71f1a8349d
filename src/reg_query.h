/*
 * reg_query: parameters of a query string, percent-decoded.
 *
 * Clients send digest=sha256%3A… and from=a%2Fb; a literal '+' stays a '+',
 * since no value of this protocol has a blank in it and media types have
 * pluses.  Control characters never come out: they make the value invalid.
 *
 * Blocks: never
 */

#ifndef REG_QUERY_H
#define REG_QUERY_H

#include "reg_str.h"

#define REG_QUERY_VALUE_MAX  512

/* Copies the first value of key, decoded, into out with a NUL.  Returns 1 if
 * it is there, 0 if it is not, -1 if it is malformed or too long. */
int reg_query_get(reg_str_t query, const char *key, char *out, size_t size);

/* The same for the n-th value (from 0) of a key that may be repeated. */
int reg_query_get_nth(reg_str_t query, const char *key, size_t n, char *out,
    size_t size);

/* Appends s percent-encoded for use as a query value or path part. */
void reg_query_encode(reg_buf_t *out, reg_str_t s);

#endif
