/*
 * reg_purge: removes the uploads that nobody goes on with.
 *
 *     reg_purge_t        purge = { .since = now - age, … };
 *     reg_purge_count_t  count = { 0 };
 *
 *     reg_purge_all(store, &purge, &count, err)
 *
 * An upload's age counts from the last byte that arrived, not from its start,
 * so that a slow one is safe; and one that is being written to is left alone
 * whatever its age (reg_upload.h).  A time that lies in the future is young.
 * Whoever comes for an upload that is gone hears BLOB_UPLOAD_UNKNOWN.
 *
 * A repository's _uploads that nothing is left in goes as well, and so do the
 * directories above it that are empty then.
 *
 * The work is done in steps: an upload, or the look into a repository.  After
 * each, step() may wait, so that others have the disk, or end it.
 *
 * Blocks: disk
 */

#ifndef REG_PURGE_H
#define REG_PURGE_H

#include "reg_store.h"

typedef struct {
    int64_t  repositories;              /* looked into */
    int64_t  uploads;                   /* found there */
    int64_t  purged;
    int64_t  bytes;                     /* that these held */
    int64_t  failed;                    /* uploads, and repositories */
} reg_purge_count_t;

typedef struct {
    time_t   since;                     /* nothing was added after this */
    bool     dry_run;                   /* counts as if, and removes nothing */

    /* after each step; non-zero ends the work */
    int    (*step)(void *ctx, const reg_purge_count_t *count);

    /* for each failure: "NAME" or "NAME/UUID" */
    void   (*odd)(void *ctx, const char *about, const reg_error_t *err);
    void    *ctx;
} reg_purge_t;


/* What failed in between is counted.  1 if step() ended it.  -1 if the
 * repository is not there (NAME_UNKNOWN). */
int reg_purge_repository(reg_store_t *store, const reg_name_t *name,
    const reg_purge_t *purge, reg_purge_count_t *count, reg_error_t *err);

/* -1 if the walk itself failed; otherwise the same. */
int reg_purge_all(reg_store_t *store, const reg_purge_t *purge,
    reg_purge_count_t *count, reg_error_t *err);

#endif
