/*
 * reg_owner: root goes on as the owner of a tree.
 *
 * nginx and the worker could not write to files of root's, and what root may
 * do says nothing about them.  So a program that root starts by hand takes the
 * owner and the group of the directory that it is about, for good, and the
 * owner's other groups.
 *
 *     if (reg_owner_become(path, &err) == -1) ...
 *
 * Nothing happens if the process is not root's, or the directory is.
 *
 * Blocks: disk
 */

#ifndef REG_OWNER_H
#define REG_OWNER_H

#include "reg_error.h"

int reg_owner_become(const char *path, reg_error_t *err);

#endif
