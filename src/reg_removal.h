/*
 * reg_removal: what is taken out of the tree.
 *
 * What a client is told of is removed for good: when the call returns, the
 * directory that it was in is synced.
 *
 *     reg_removal_unlink(store, &link, &stop, REG_BLOB_UNKNOWN, err)
 *     reg_removal_rmtree(store, &dir, REG_MANIFEST_UNKNOWN, err)
 *
 * The rest is for what nobody is told of, and syncs nothing: after a crash it
 * may be there again, or a part of it.
 *
 * A directory vanishes as a whole, by a rename into _tmp/ (reg_tmp.h), and is
 * taken apart there.  A crash leaves litter, which the sweep removes.  No
 * symbolic link is followed.
 *
 * missing is the code of the error if there is nothing to remove.
 *
 * Blocks: disk
 */

#ifndef REG_REMOVAL_H
#define REG_REMOVAL_H

#include "reg_store.h"

/* Removes a file and, while they are empty, its directories up to stop (which
 * stays). */
int reg_removal_unlink(reg_store_t *store, const reg_path_t *path,
    const reg_path_t *stop, reg_error_code_t missing, reg_error_t *err);

/* Removes a directory with all that is in it. */
int reg_removal_rmtree(reg_store_t *store, const reg_path_t *dir,
    reg_error_code_t missing, reg_error_t *err);

/* The same, not synced. */
int reg_removal_drop(reg_store_t *store, const reg_path_t *dir,
    reg_error_code_t missing, reg_error_t *err);

/* Moves something to tmp, not synced. */
int reg_removal_set_aside(reg_store_t *store, const reg_path_t *dir,
    const reg_path_t *tmp, reg_error_code_t missing, reg_error_t *err);

/* Removes *dir if it is empty, and so the directories above it up to stop
 * (which stays); *dir is then the deepest that is left.  Not synced. */
void reg_removal_prune(reg_store_t *store, reg_path_t *dir,
    const reg_path_t *stop);

/* Takes a directory apart in place, not synced.  Best effort: what cannot be
 * removed is litter. */
void reg_removal_discard(const reg_path_t *dir);

/* Removes what a crash left in _tmp/ more than age seconds before now. */
void reg_removal_sweep(reg_store_t *store, time_t now, time_t age);

#endif
