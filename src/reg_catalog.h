/*
 * reg_catalog: an index of repositories, so that a page of the catalog needs
 * no walk of the tree.
 *
 *     catalog = reg_catalog_create(store, 600, err);
 *     reg_catalog_list(catalog, last, item, ctx, err);    GET /v2/_catalog
 *
 *     reg_catalog_add(&change, &name);        a push of a manifest, rank 0
 *     reg_catalog_drop(store, &name);         a delete of one, with the lock
 *
 *     reg_catalog_check(catalog, &watch, &count, err);    now and then
 *
 * On disk it is one directory, docker/registry/v2/_catalog/, which Distribution
 * does not look at:
 *
 *     _catalog/team+app       an empty file for the repository team/app: no
 *                             name has a '+'
 *     _catalog/.whole         its time of change is when the last complete
 *                             check began
 *
 * The index names at least the repositories that there are: a file is made
 * before the first manifest of a repository becomes visible, and removed after
 * the last one has gone.  It may name more, after a crash, or when another
 * program removed a manifest.  So each name that is passed on is looked at
 * first: there must be a manifest, by the rule of reg_repo.h.  One that was
 * found once is looked for first, which costs one lstat.
 *
 * What another program added is not in the index until a check has walked
 * through the tree.  An index whose last check began more than max_age seconds
 * ago, or that was never checked, is not used: then the tree is walked for
 * every page, as if there were none.  So what another program added is in the
 * list after max_age seconds at the latest.
 *
 * Blocks: disk
 */

#ifndef REG_CATALOG_H
#define REG_CATALOG_H

#include "reg_change.h"

typedef struct reg_catalog_s  reg_catalog_t;

typedef struct {
    int64_t  directories;               /* that could be repositories */
    int64_t  added;
    int64_t  dropped;
} reg_catalog_count_t;

/* Called for each directory; non-zero ends the check. */
typedef struct {
    int   (*step)(void *ctx);           /* may be NULL */
    void   *ctx;
} reg_catalog_watch_t;


/* The store must live longer.  NULL with err filled. */
reg_catalog_t *reg_catalog_create(reg_store_t *store, int64_t max_age,
    reg_error_t *err);
void reg_catalog_free(reg_catalog_t *catalog);           /* NULL is allowed */

/* As reg_repo_list().  Safe to call from all threads. */
int reg_catalog_list(reg_catalog_t *catalog, reg_str_t last,
    int (*item)(void *ctx, reg_str_t name), void *ctx, reg_error_t *err);

/* Adds NAME's file to a change, unless it is there, in rank 0. */
void reg_catalog_add(reg_change_t *c, const reg_name_t *name);

/* Removes NAME's file if no manifest is left.  The caller holds the
 * repository's lock alone (reg_lock.h). */
void reg_catalog_drop(reg_store_t *store, const reg_name_t *name);

/* Walks through the tree and puts the index right.  1 if somebody else is at
 * it, or the watch has ended it. */
int reg_catalog_check(reg_catalog_t *catalog, const reg_catalog_watch_t *watch,
    reg_catalog_count_t *count, reg_error_t *err);

/* Seconds since the last complete check began; -1: there was none, or it lies
 * in the future. */
int64_t reg_catalog_age(const reg_catalog_t *catalog, time_t now);

#endif
