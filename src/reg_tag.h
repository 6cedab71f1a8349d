/*
 * reg_tag: names for manifests within a repository.
 *
 * A tag is a directory with a link in it (reg_layout.h); a push makes it
 * together with its manifest (reg_revision.h).  OCI distribution spec 1.1,
 * "Listing Tags", "Deleting tags".
 *
 * Blocks: disk
 */

#ifndef REG_TAG_H
#define REG_TAG_H

#include "reg_store.h"

/* The digest that a tag points to.  -1 with MANIFEST_UNKNOWN. */
int reg_tag_read(reg_store_t *store, const reg_name_t *name,
    const reg_tag_t *tag, reg_digest_t *d, reg_error_t *err);

/* Removes the tag, durably; the manifest and its other tags stay.  -1 with
 * MANIFEST_UNKNOWN. */
int reg_tag_delete(reg_store_t *store, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err);

/* The same, for who holds the repository's lock. */
int reg_tag_remove(reg_store_t *store, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err);

/* Calls item for each tag after last (exclusive; empty: from the start), in
 * byte order, until item returns non-zero, which ends the list without error.
 * The names are kept between calls (reg_lists.h); that a tag points to
 * something is read from disk for each one that is passed on, and for no
 * other.  -1 with NAME_UNKNOWN if there is no such repository; also for a link
 * that cannot be read, after which there may be more tags. */
int reg_tag_list(reg_store_t *store, const reg_name_t *name, reg_str_t last,
    int (*item)(void *ctx, reg_str_t tag), void *ctx, reg_error_t *err);

/* The same, with what each tag points to. */
typedef int (*reg_tag_item_pt)(void *ctx, const reg_tag_t *tag,
    const reg_digest_t *to);

int reg_tag_each(reg_store_t *store, const reg_name_t *name, reg_str_t last,
    reg_tag_item_pt item, void *ctx, reg_error_t *err);

#endif
