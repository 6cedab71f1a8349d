/*
 * reg_blob: immutable content, and the right of a repository to serve it.
 *
 * A blob is served under NAME only if NAME's layer link exists: that content
 * is somewhere on the disk is no permission.
 *
 * What a call changes is durable when it returns 0.  OCI distribution spec 1.1,
 * "Pulling blobs", "Mounting a blob from another repository", "Deleting Blobs".
 *
 * Blocks: disk
 */

#ifndef REG_BLOB_H
#define REG_BLOB_H

#include "reg_store.h"

/* The size of a blob that NAME may serve.  -1 with BLOB_UNKNOWN. */
int reg_blob_stat(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, int64_t *size, reg_error_t *err);

/* Whether content exists at all, whoever may serve it; its size. */
int reg_blob_content_stat(reg_store_t *store, const reg_digest_t *d,
    int64_t *size, reg_error_t *err);

/* Reads content of at most max bytes into out (appended).  -1 with
 * BLOB_UNKNOWN if absent, SIZE_INVALID if larger. */
int reg_blob_content_read(reg_store_t *store, const reg_digest_t *d,
    size_t max, reg_buf_t *out, reg_error_t *err);

/* Gives NAME the blob that `from` has (a cross-repository mount).  -1 with
 * BLOB_UNKNOWN if `from` has it not. */
int reg_blob_mount(reg_store_t *store, const reg_name_t *name,
    const reg_name_t *from, const reg_digest_t *d, reg_error_t *err);

/* Takes the blob from NAME; the content stays, for a collection.  -1 with
 * BLOB_UNKNOWN if NAME has it not. */
int reg_blob_delete(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, reg_error_t *err);

#endif
