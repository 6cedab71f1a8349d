/*
 * reg_taglist: pages of tags from Redis, so that a page costs the page, however
 * many tags there are and however slow the tree is.
 *
 *     reg_taglist_page_t  page = { last, n, item, ctx };
 *
 *     reg_taglist_page(lists, &name, &page, &err)
 *
 * The truth is the tree: a directory below _manifests/tags with a link.  What
 * lies in Redis, and why it is right, says reg_tagset.h.  A list that is not
 * there is wanted of reg_tagfill.h, and the disk answers; so it does, from
 * where the page stands, whenever Redis does not.
 *
 * Safe to call from all threads.
 *
 * Blocks: disk, and network for nginx_registry.tags.timeout
 */

#ifndef REG_TAGLIST_H
#define REG_TAGLIST_H

#include "reg_tagredis.h"

typedef struct reg_taglist_s  reg_taglist_t;

/* The tags after last, in byte order, for an item that takes max of them, and
 * ends the list, without error, by non-zero. */
typedef struct {
    reg_str_t   last;
    int64_t     max;
    int       (*item)(void *ctx, reg_str_t tag);
    void       *ctx;
} reg_taglist_page_t;


/* redis must live as long as the lists; its pool is there.  Starts a thread.
 * NULL with err filled. */
reg_taglist_t *reg_taglist_create(reg_tagredis_t *redis, reg_error_t *err);
void reg_taglist_free(reg_taglist_t *lists);             /* NULL is allowed */

/* -1 with NAME_UNKNOWN if there is no such repository. */
int reg_taglist_page(reg_taglist_t *lists, const reg_name_t *name,
    const reg_taglist_page_t *page, reg_error_t *err);

#endif
