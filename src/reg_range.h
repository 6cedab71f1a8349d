/*
 * reg_range: the Content-Range of a chunk (OCI distribution spec 1.1,
 * "Pushing a blob in chunks"): "first-last", both inclusive.  The form
 * "bytes first-last/size" of RFC 9110 is understood as well; size is a star or
 * more than last.
 *
 * Blocks: never
 */

#ifndef REG_RANGE_H
#define REG_RANGE_H

#include "reg_error.h"

typedef struct {
    int64_t  first;
    int64_t  last;
} reg_range_t;

/* -1 with RANGE_INVALID for what is malformed, overflows or ends before it
 * starts; SIZE_INVALID if length >= 0 and is not the range's. */
int reg_range_parse(reg_range_t *range, reg_str_t s, int64_t length,
    reg_error_t *err);

#endif
