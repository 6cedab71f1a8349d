/*
 * reg_index: rebuilds the lists of referrers from the manifests.
 *
 * For a tree that another registry wrote, or whose _referrers/ was lost.  It
 * drops the lines of manifests that are gone, reads every manifest of a
 * repository, and adds the lines that are missing: one write for each subject,
 * or a few beyond REG_INDEX_BATCH referrers.
 *
 * Safe while the registry serves: lines are added under reg_referrers.h's lock
 * and dropped only from files that nobody wrote to for REG_INDEX_GRACE
 * seconds, since a push makes its line before its manifest.
 *
 *     reg_index_watch_t  watch = { progress, odd, ctx };
 *     reg_index_count_t  count = { 0 };
 *
 *     if (reg_index_rebuild(store, &name, time(NULL), &watch, &count, &err)
 *         == -1) ...
 *
 * Blocks: disk
 */

#ifndef REG_INDEX_H
#define REG_INDEX_H

#include "reg_referrers.h"

#define REG_INDEX_BATCH  65536
#define REG_INDEX_GRACE  600

typedef struct {
    int64_t  manifests;        /* that were read */
    int64_t  referrers;        /* of them, those with a subject */
    int64_t  added;            /* lines */
    int64_t  dropped;          /* lines */
    int64_t  unreadable;       /* manifests, left out */
} reg_index_count_t;

/* Both may be NULL. */
typedef struct {
    void   (*progress)(void *ctx, const reg_index_count_t *count);
    void   (*odd)(void *ctx, const reg_digest_t *manifest,
                  const reg_error_t *err);
    void    *ctx;
} reg_index_watch_t;


/* Rebuilds the lists of one repository, adding to count.  A manifest that
 * cannot be read is told to watch->odd and left out; -1 for what ends the
 * work. */
int reg_index_rebuild(reg_store_t *store, const reg_name_t *name, time_t now,
    const reg_index_watch_t *watch, reg_index_count_t *count,
    reg_error_t *err);

#endif
