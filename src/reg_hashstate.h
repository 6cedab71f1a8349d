/*
 * reg_hashstate: the running digest of an upload, kept beside its data from one
 * request to the next.
 *
 *     _uploads/UUID/hashstates/ALG/OFFSET     covers the first OFFSET bytes
 *
 *     reg_hashstate_best(&hash, &dir, alg, size)       what was saved, …
 *     reg_hashstate_cover(&hash, fd, size, &dir, err)  … and what that lacks
 *     … more bytes go to the file and to hash …
 *     reg_hashstate_save(store, &dir, &hash, err)
 *     reg_hashstate_remove(store, &dir, alg, the offset before)
 *
 * dir is the session's, as of reg_layout_upload().  The form is that of CNCF
 * Distribution (reg_hash.h), so either may go on with the other's upload.
 *
 * A state is a hint: one that a crash has lost or cut is made again from the
 * data.  It must not claim more than the file is sure to hold, so who saves one
 * syncs the data first.  What is there may be anything; a state that is wrong
 * in its form is not taken, and any other shows as a wrong digest.
 *
 * Blocks: disk
 */

#ifndef REG_HASHSTATE_H
#define REG_HASHSTATE_H

#include "reg_hash.h"
#include "reg_store.h"


/* Writes the state as it is now, and does not sync it. */
int reg_hashstate_save(reg_store_t *store, const reg_path_t *dir,
    const reg_hash_t *hash, reg_error_t *err);

/* Takes up the saved state that covers most of size bytes; nothing hashed, if
 * there is none.  True if there is a directory of states of that algorithm,
 * whatever it holds. */
bool reg_hashstate_best(reg_hash_t *hash, const reg_path_t *dir,
    reg_alg_t alg, int64_t size);

/* Removes one that is not the newest any more, or all of them. */
void reg_hashstate_remove(reg_store_t *store, const reg_path_t *dir,
    reg_alg_t alg, int64_t offset);
void reg_hashstate_discard(const reg_path_t *dir);

/* Hashes what is missing of the file's first size bytes. */
int reg_hashstate_cover(reg_hash_t *hash, int fd, int64_t size,
    const reg_path_t *dir, reg_error_t *err);

#endif
