/*
 * reg_durable: write, sync, rename, sync.  Nothing else in the project makes
 * a file visible or removes one.
 *
 * A transaction stages any number of small files and at most a few existing
 * ones, then makes them visible in the order of their ranks.  A crash at any
 * instruction leaves a prefix of that order, plus litter in _tmp/ and empty
 * directories: never a link to something that is not there.
 *
 *     reg_durable_t  t;
 *
 *     reg_durable_init(&t, store);
 *
 *     if (reg_durable_move(&t, 0, data, data_fd, blob, err) == -1
 *         || reg_durable_put(&t, 1, layer_link, text, err) == -1
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
 * What is there already with the same content is not written again, but it is
 * synced: whoever wrote it may not have come to that yet.
 *
 * What a small push costs (ranks 0 and 1): one barrier over contents and new
 * directories, one after each rank; fsync calls within one barrier share the
 * file system's commit.
 *
 * Blocks: disk
 */

#ifndef REG_DURABLE_H
#define REG_DURABLE_H

#include "reg_store.h"

#define REG_DURABLE_FILES  8
#define REG_DURABLE_RANKS  3
#define REG_DURABLE_SYNCS  64

typedef struct {
    int          rank;
    int          fd;               /* synced by the first barrier; or -1 */
    bool         present;          /* content is in place already */
    reg_path_t   from;             /* "" if present */
    reg_path_t   to;
} reg_durable_file_t;

typedef struct {
    reg_store_t         *store;
    int                  nfiles;
    reg_durable_file_t  *files;     /* REG_DURABLE_FILES, or NULL */
    int                  nsyncs;
    int                  syncs[REG_DURABLE_SYNCS];   /* owned descriptors */
} reg_durable_t;


void reg_durable_init(reg_durable_t *t, reg_store_t *store);

/* Stages a new file with this content, replacing what is there at commit. */
int reg_durable_put(reg_durable_t *t, int rank, const reg_path_t *to,
    reg_str_t content, reg_error_t *err);

/* Stages an existing file: at commit fd is synced and from becomes to.  fd
 * stays the caller's. */
int reg_durable_move(reg_durable_t *t, int rank, const reg_path_t *from,
    int fd, const reg_path_t *to, reg_error_t *err);

/* Makes all visible, rank by rank.  After -1 some lower ranks may be. */
int reg_durable_commit(reg_durable_t *t, reg_error_t *err);

void reg_durable_free(reg_durable_t *t);


/* mkdir -p below v2, not synced: for what need not survive a crash. */
int reg_durable_mkdir(reg_store_t *store, const reg_path_t *dir,
    reg_error_t *err);

/* Removes a file and, while they are empty, its directories up to stop (not
 * itself), and syncs the removal of the file.  A file that is not there
 * gives -1 with the missing code. */
int reg_durable_unlink(reg_store_t *store, const reg_path_t *path,
    const reg_path_t *stop, reg_error_code_t missing, reg_error_t *err);

/* Removes a directory with all that is in it, at most depth levels deep,
 * following no symbolic link, and syncs the removal from its parent. */
int reg_durable_rmtree(reg_store_t *store, const reg_path_t *dir, int depth,
    reg_error_code_t missing, reg_error_t *err);

#endif
