/*
 * reg_durable: write, sync, rename, sync.  What is removed is reg_removal.h's,
 * what the journal makes durable reg_place.h's; nothing else in the project
 * makes a file of the tree visible.
 *
 * A transaction stages new files, and existing ones that are to move, then
 * makes them visible in the order of their ranks.  A crash at any instruction
 * leaves a prefix of that order, plus litter in _tmp/ and empty directories:
 * never a link to something that is not there.
 *
 *     reg_durable_t  t;
 *
 *     reg_durable_init(&t, store);
 *
 *     if (reg_durable_move(&t, 0, &data, fd, &blob, err) == -1
 *         || reg_durable_put(&t, 1, &layer_link, text, err) == -1
 *         || reg_durable_commit(&t, err) == -1)
 *     ...
 *     reg_durable_free(&t);            unlinks what was not committed
 *
 * The invariants of the tree, cited where they are kept:
 *
 *   D1  a name under blobs/ always holds content that matches its digest;
 *   D2  bytes are synced before the rename that makes them visible;
 *   D3  the directory is synced before the client hears 201, and before a
 *       rename of the next rank;
 *   D4  a tag points only to a durable manifest, accepted only after what it
 *       requires;
 *   D5  temporary files share a file system with their destination;
 *   D6  gc removes only what was unreachable and untouched for a whole grace
 *       period.
 *
 * The directory that a moved file leaves is synced with the one that it comes
 * to: after a power cut nobody may find a session that still names a blob.
 *
 * What is there already with the same content is not written again, but it is
 * synced: whoever wrote it may not have come to that yet.
 *
 * The cost is one barrier over contents and new directories and one after each
 * rank.  A barrier is one round of reg_sync.h, shared with all that wait for
 * one, or else an fsync for each file and directory.  A directory's own
 * entry is synced when a transaction first relies on it, by whoever made it;
 * the store remembers which ones were (identified by device, inode and birth
 * time, so that one which is removed and made again is a new one).
 *
 * Blocks: disk
 */

#ifndef REG_DURABLE_H
#define REG_DURABLE_H

#include "reg_store.h"

#define REG_DURABLE_RANKS  3
#define REG_DURABLE_SYNCS  32

typedef struct {
    int          rank;
    int          fd;                /* synced by the first barrier */
    bool         owned;             /* fd is ours to close */
    reg_path_t   from;              /* "" if it is in place already */
    reg_path_t   to;
} reg_durable_file_t;

typedef struct {
    int          fd;
    dev_t        dev;
    ino_t        ino;
} reg_durable_dir_t;

typedef struct {
    reg_store_t         *store;
    size_t               nfiles;
    reg_durable_file_t  *files;                      /* owned */
    size_t               ndirs;                      /* to be synced */
    reg_durable_dir_t    dirs[REG_DURABLE_SYNCS];
    size_t               nmarks;                     /* durable after that */
    uint64_t             marks[REG_DURABLE_SYNCS];
} reg_durable_t;


void reg_durable_init(reg_durable_t *t, reg_store_t *store);

/* Stages a new file with this content, replacing what is there at commit. */
int reg_durable_put(reg_durable_t *t, int rank, const reg_path_t *to,
    reg_str_t content, reg_error_t *err);

/* Stages an existing file: at commit fd is synced and from becomes to,
 * replacing what is there.  fd stays the caller's, open until commit. */
int reg_durable_move(reg_durable_t *t, int rank, const reg_path_t *from,
    int fd, const reg_path_t *to, reg_error_t *err);

/* Stages a file that is in place already and was just written to: fd, which
 * stays the caller's, and its name are synced at commit. */
int reg_durable_keep(reg_durable_t *t, int rank, int fd, const reg_path_t *at,
    reg_error_t *err);

/* Makes all visible, rank by rank.  After -1 some lower ranks may be. */
int reg_durable_commit(reg_durable_t *t, reg_error_t *err);

void reg_durable_free(reg_durable_t *t);

#endif
