/*
 * reg_change: small files that become visible together, in order.
 *
 * What a push of a manifest writes: it knows names and contents from the
 * beginning, and all of it is small.  With a journal (reg_journal.h) it costs
 * one sync, without one it is a transaction of reg_durable.h; the promises
 * are the same (D1 to D4), and so is what a crash leaves.
 *
 *     reg_change_t  c;
 *
 *     reg_change_init(&c, store);
 *     reg_change_put(&c, 0, &blob, body);
 *     reg_change_put(&c, 1, &revision, text);
 *     reg_change_enter(&c, &tag);
 *     reg_change_replace(&c, 2, &current, text);
 *     if (reg_change_commit(&c, err) == -1) …
 *     reg_change_free(&c);
 *
 * Failures are kept until the commit.  Ranks are given in ascending order.
 *
 * Blocks: disk
 */

#ifndef REG_CHANGE_H
#define REG_CHANGE_H

#include "reg_journal.h"

typedef struct {
    reg_store_t           *store;
    reg_buf_t              records;     /* owned */
    reg_buf_t              wholes;      /* owned: reg_change_whole_t of each */
    size_t                 n;           /* of them */
    size_t                 nlowest;     /* of rank 0, */
    size_t                 lowest;      /* and their bytes */
    size_t                 whole;       /* of those that come */
    uint32_t               group;
    reg_order_names_t      replaced;
    uint64_t               number;      /* random: this change */
    bool                   failed;
} reg_change_t;


void reg_change_init(reg_change_t *c, reg_store_t *store);

/* A file whose name says what is in it. */
void reg_change_put(reg_change_t *c, int rank, const reg_path_t *path,
    reg_str_t content);

/* From here on files are put into this directory, which may not be there yet:
 * then all of it becomes visible at once. */
void reg_change_enter(reg_change_t *c, const reg_path_t *dir);

/* One whose content changes, as a tag's. */
void reg_change_replace(reg_change_t *c, int rank, const reg_path_t *path,
    reg_str_t content);

/* One that is there and that the change relies on, in rank 0.  Whoever made it
 * a moment ago may not have synced it yet.  False: it is not there. */
bool reg_change_need(reg_change_t *c, const reg_path_t *path,
    reg_str_t content);

int reg_change_commit(reg_change_t *c, reg_error_t *err);
void reg_change_free(reg_change_t *c);

/* After a durable removal of path, or of all that is below it, and before
 * anybody is told: no crash brings it back. */
int reg_change_gone(reg_store_t *store, const reg_path_t *path,
    reg_error_t *err);

#endif
