/*
 * reg_spare: directories that are kept in _spare/ to be used again.
 *
 * A directory that would be removed is given, with what is in it, and taken by
 * whatever process comes for one.  An inode that is not freed and made again is
 * written less often, and ext4 without a journal passes over freed ones, one by
 * one, for minutes.
 *
 *     if (!reg_spare_take(store, &dir)) {           else it is at dir now
 *         ... make dir ...
 *     }
 *     ...
 *     if (!reg_spare_give(store, &dir)) {
 *         ... remove dir ...
 *     }
 *
 * Whoever takes one looks at what is in it: other programs can write there.
 * Nothing is synced.  64 directories are kept at most.
 *
 * Blocks: disk
 */

#ifndef REG_SPARE_H
#define REG_SPARE_H

#include "reg_store.h"

/* False: there is none to take, or enough are kept. */
bool reg_spare_take(reg_store_t *store, const reg_path_t *dir);
bool reg_spare_give(reg_store_t *store, const reg_path_t *dir);

#endif
