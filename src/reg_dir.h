/*
 * reg_dir: directories of the tree, made with all that leads to them.
 *
 *     fd = reg_dir_need(store, &dir, err);         opened, and made before
 *     if (fd == -1) ...
 *
 * Nothing here is synced: that is for whoever relies on a directory
 * (reg_durable.h); one that need not survive a crash is just made.
 *
 * The tree's own top is made when a store is opened and by nothing else:
 * where it is gone since, a disk may not be mounted, and what is written in its
 * place would be hidden by that disk.  So every other call fails with
 * UNAVAILABLE if the top is not there.
 *
 * Blocks: disk
 */

#ifndef REG_DIR_H
#define REG_DIR_H

#include "reg_store.h"

#define REG_DIR_MODE  0755


/* Makes the tree's top directory and what leads to it. */
int reg_dir_make_top(reg_store_t *store, reg_error_t *err);

/* Opens a directory; -1 with errno. */
int reg_dir_open(reg_store_t *store, const char *path);

/* The same, but makes it and its parents where it is not there. */
int reg_dir_need(reg_store_t *store, const reg_path_t *dir, reg_error_t *err);

/* mkdir -p.  make says whether dir is new (1), and works although it may be a
 * file (0). */
int reg_dir_mkdir(reg_store_t *store, const reg_path_t *dir,
    reg_error_t *err);
int reg_dir_make(reg_store_t *store, const reg_path_t *dir,
    reg_error_t *err);

#endif
