/*
 * reg_revision: manifests on disk.
 *
 * A manifest is content like any other (blobs/), which NAME has if its
 * revision link exists.  Bytes are stored as received.
 *
 * Blocks: disk
 */

#ifndef REG_REVISION_H
#define REG_REVISION_H

#include "reg_manifest.h"
#include "reg_store.h"

#define REG_MANIFEST_MAX  (4 * 1024 * 1024)

/* A manifest that is pushed.  All of it is borrowed. */
typedef struct {
    const reg_digest_t        *digest;
    reg_str_t                  body;
    const reg_tag_t           *tags;         /* that are to point to it */
    size_t                     ntags;
    const reg_manifest_ref_t  *refs;         /* required; NAME has them */
    size_t                     nrefs;
} reg_revision_new_t;

/* Stores a manifest in NAME, and points its tags at it; all of it durable when
 * 0 is returned, with what it requires (D2, D3, D4).  The caller has
 * validated. */
int reg_revision_put(reg_store_t *store, const reg_name_t *name,
    const reg_revision_new_t *new, reg_error_t *err);

/* 0 if NAME has the manifest, else -1 with MANIFEST_UNKNOWN. */
int reg_revision_require(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, reg_error_t *err);

/* The same, and appends its bytes to out. */
int reg_revision_read(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, reg_buf_t *out, reg_error_t *err);

/* Called for each tag that goes with its manifest, before it goes. */
typedef struct {
    void  (*untag)(void *ctx, const reg_tag_t *tag);
    void   *ctx;
} reg_revision_watch_t;

/* Takes the manifest from NAME, and before it every tag that points to it.
 * watch may be NULL. */
int reg_revision_delete(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, const reg_revision_watch_t *watch,
    reg_error_t *err);

#endif
