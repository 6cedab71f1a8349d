/*
 * reg_sync: one sync for everybody who waits for one.
 *
 * A push has a dozen small files and directories to make durable.  fsync for
 * each of them writes the same few metadata blocks again and again and flushes
 * the disk's cache every time.  syncfs(2) writes them once and flushes once,
 * and one call serves every push that is waiting: those that come while a call
 * runs wait for the next one, which begins after all that they have done.
 *
 * syncfs also waits for what other programs have written to the file system.
 * So it is used only while there is little of that (Dirty and Writeback of
 * /proc/meminfo), and only on file systems where it is known to do all that
 * fsync does: ext4, XFS, btrfs.  Otherwise reg_sync_group() says so and the
 * caller syncs file by file.
 *
 * Blocks: disk
 */

#ifndef REG_SYNC_H
#define REG_SYNC_H

#include "reg_store.h"

/* 1: everything that happened on the store's file system before the call is
 * durable.  0: not to be had, sync each file.  -1: it failed, errno says. */
int reg_sync_group(reg_store_t *store);

/* Around the barriers of one commit.  A round waits, for half the time that the
 * last one took and 2 ms at most, while fewer wait for it than have joined:
 * they are between two barriers and about to come.  Without that the first to
 * wake runs a round alone, and each barrier costs the others two. */
void reg_sync_join(reg_store_t *store);
void reg_sync_leave(reg_store_t *store);

/* Whether the store's file system is one on which syncfs is all that fsync is
 * for every file, and says when it fails. */
bool reg_sync_is_known(const reg_store_t *store);

/* Gives the descriptor up. */
void reg_sync_close(reg_store_t *store);

#endif
