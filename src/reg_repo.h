/*
 * reg_repo: the repositories of a store.
 *
 * A repository is a directory with at least one manifest: one whose last
 * manifest is gone leaves the catalog.  Its name is the path below
 * repositories/ (reg_layout.h), so a list is a walk of the tree; reg_catalog.h
 * spares it.
 *
 * Blocks: disk
 */

#ifndef REG_REPO_H
#define REG_REPO_H

#include "reg_store.h"

/* 0 if anything was ever pushed to NAME, else -1 with NAME_UNKNOWN. */
int reg_repo_require(reg_store_t *store, const reg_name_t *name,
    reg_error_t *err);

/* 1 if NAME is a repository, 0 if not, -1 if that cannot be said.  which may be
 * NULL: else it gets one of its manifests, or "" if that is no digest. */
int reg_repo_has_manifest(reg_store_t *store, const reg_name_t *name,
    reg_digest_t *which, reg_error_t *err);

/* Calls item for each repository after last (exclusive; empty: from the
 * start), in byte order, until item returns non-zero. */
int reg_repo_list(reg_store_t *store, reg_str_t last,
    int (*item)(void *ctx, reg_str_t name), void *ctx, reg_error_t *err);

/* The same for every directory that could be a repository's, whatever is in
 * it, from the start. */
int reg_repo_list_all(reg_store_t *store,
    int (*item)(void *ctx, reg_str_t name), void *ctx, reg_error_t *err);

/* Whose blobs count. */
typedef struct {
    bool  (*may)(void *ctx, const reg_name_t *name);
    void   *ctx;
} reg_repo_filter_t;

/* Finds a repository that may serve the blob d and passes the filter, whichever
 * comes first: 1 and its name, or 0.  Looks into every repository until it
 * finds one. */
int reg_repo_find_blob(reg_store_t *store, const reg_digest_t *d,
    const reg_repo_filter_t *filter, reg_name_t *name, reg_error_t *err);

#endif
