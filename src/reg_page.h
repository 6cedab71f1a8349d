/*
 * reg_page: n and last of a list, and the Link header of its next page.
 *
 * Distribution spec 1.1, "Listing Tags": n entries unless fewer remain; n=0
 * an empty list without Link; anything that is not a number from 0 up is
 * PAGINATION_NUMBER_INVALID.  n above the server's limit is cut to it.
 *
 * Blocks: never
 */

#ifndef REG_PAGE_H
#define REG_PAGE_H

#include "reg_error.h"

#define REG_PAGE_LAST_MAX  256

typedef struct {
    bool     given;                      /* the client sent n */
    int64_t  n;
    char     last[REG_PAGE_LAST_MAX];    /* "" if absent */
} reg_page_t;

/* Reads n and last from a query string; without n, n is limit. */
int reg_page_parse(reg_page_t *page, reg_str_t query, int64_t limit,
    reg_error_t *err);

/* Appends </path?last=LAST&n=N>; rel="next". */
void reg_page_link(reg_buf_t *out, reg_str_t path, reg_str_t last, int64_t n);

#endif
