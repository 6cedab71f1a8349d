/*
 * reg_listed: names of a directory that several hold at once.
 *
 *     listed = reg_listed_read(fd, path, kind, err);       held once
 *     other = reg_listed_hold(listed);
 *     … listed->names …
 *     reg_listed_release(listed);                          the last frees them
 *
 * They do not change any more, except by who knows that nobody else holds them
 * (reg_listed_is_alone()) and lets nobody else have them meanwhile.
 *
 * Safe to call from all threads.
 *
 * Blocks: disk
 */

#ifndef REG_LISTED_H
#define REG_LISTED_H

#include <stdatomic.h>

#include "reg_names.h"

typedef struct {
    atomic_uint  refs;
    reg_names_t  names;
} reg_listed_t;


/* Reads an open directory; path is for errors.  NULL with err filled. */
reg_listed_t *reg_listed_read(int fd, const char *path,
    reg_names_kind_t kind, reg_error_t *err);

/* NULL without memory. */
reg_listed_t *reg_listed_copy(const reg_listed_t *from);

reg_listed_t *reg_listed_hold(reg_listed_t *listed);
void reg_listed_release(reg_listed_t *listed);           /* NULL is allowed */

bool reg_listed_is_alone(reg_listed_t *listed);

/* Bytes that it takes. */
size_t reg_listed_size(const reg_listed_t *listed);

#endif
