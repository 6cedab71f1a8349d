/*
 * reg_tmp: what is made in _tmp/ until rename(2) gives it its place (D5 of
 * reg_durable.h).
 *
 * A crash leaves it there as litter (reg_removal_sweep()).
 *
 * Blocks: disk
 */

#ifndef REG_TMP_H
#define REG_TMP_H

#include "reg_store.h"

#define REG_TMP_NAME  33

/* A name in _tmp/ that nobody has, and the path of one. */
int reg_tmp_name(char name[REG_TMP_NAME], reg_error_t *err);
void reg_tmp_path(reg_path_t *path, const reg_store_t *store,
    const char *name);

/* Both. */
int reg_tmp_new(reg_path_t *path, const reg_store_t *store, reg_error_t *err);

/* Makes a file of this content; its descriptor, or -1 with nothing there. */
int reg_tmp_create(reg_store_t *store, const reg_path_t *path,
    reg_str_t content, reg_error_t *err);

#endif
