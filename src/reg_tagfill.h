/*
 * reg_tagfill: puts the tags of repositories into Redis.
 *
 *     reg_tagfill_t  *fill = reg_tagfill_create(redis, &err);
 *
 *     reg_tagfill_want(fill, &name);
 *
 * A thread of its own does it, after L1 of reg_tagset.h: no request waits for
 * that.  It does one repository after the other, and then rests ten times as
 * long as it worked; what is wanted by more than it can note is wanted again.
 * Somebody else may have been faster.  No failure of Redis is an error of ours.
 *
 * Safe to call from all threads.
 *
 * Blocks: never (its thread: disk, network)
 */

#ifndef REG_TAGFILL_H
#define REG_TAGFILL_H

#include "reg_tagredis.h"

typedef struct reg_tagfill_s  reg_tagfill_t;


/* redis must live as long; its pool is there.  NULL with err filled. */
reg_tagfill_t *reg_tagfill_create(reg_tagredis_t *redis, reg_error_t *err);
void reg_tagfill_free(reg_tagfill_t *fill);              /* NULL is allowed */

/* Notes that the list of a repository is to be put there. */
void reg_tagfill_want(reg_tagfill_t *fill, const reg_name_t *name);

#endif
