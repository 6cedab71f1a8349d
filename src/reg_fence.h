/*
 * reg_fence: says to all that share a tree: what you remember is void.
 *
 * A file of the tree, _fence, holds sixteen hexadecimal digits.  Who keeps
 * something that the tree knows better looks at them often, and forgets all of
 * it when they are others than before.  Who has changed the tree and could not
 * tell the others writes new digits.
 *
 * It is written in place and not synced: half of a change is a change too, and
 * after a crash of the machine nobody remembers anything.  Its times do not
 * matter, so neither do clocks.  No file is a fence as well.
 *
 * Blocks: disk
 */

#ifndef REG_FENCE_H
#define REG_FENCE_H

#include "reg_store.h"

/* Opened anew each time, so that a network file system asks its server.  -1 if
 * it cannot be read: then nothing that is remembered may be used. */
int reg_fence_read(const reg_store_t *store, uint64_t *fence,
    reg_error_t *err);

int reg_fence_raise(reg_store_t *store, reg_error_t *err);

#endif
