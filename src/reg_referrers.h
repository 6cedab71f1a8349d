/*
 * reg_referrers: which manifests of a repository have a given subject.
 *
 * An index of ours beside Distribution's tree, rebuilt from the manifests by
 * reg_index.h (registryctl rebuild-index).  One file for each subject,
 * _referrers/ALG/HEX, so that a page is read from one file however many
 * referrers there are, with a line for each (reg_referrer.h).  A line is
 * written and synced before its manifest's link is made, so no manifest is
 * missing; one whose manifest is not there (a crash between the two, or a
 * delete), or that a crash cut, is passed over by who reads.
 *
 * Who writes holds a lock on the file and then looks whether the name is still
 * this file, since a clean-up replaces it.
 *
 * OCI distribution spec 1.1, "Listing Referrers".
 *
 * Blocks: disk
 */

#ifndef REG_REFERRERS_H
#define REG_REFERRERS_H

#include "reg_referrer.h"
#include "reg_store.h"


/* Sees to it that the n referrers, no two alike, are in the subject's file,
 * durably.  How many were not there, or -1. */
int reg_referrers_add(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, const reg_referrer_t *refs, size_t n,
    reg_error_t *err);

/* Calls item for each referrer of subject that exists, after the one with the
 * digest `after` (empty: from the start), until item returns non-zero. */
int reg_referrers_list(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, reg_str_t after, reg_referrer_pt item,
    void *ctx, reg_error_t *err);

/* Drops the lines of what is gone from a subject's file, if nobody wrote to it
 * since `before`: the manifest of a younger line may be about to come.  How
 * many lines, or -1. */
int reg_referrers_clean(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, time_t before, reg_error_t *err);

#endif
