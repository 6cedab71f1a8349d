/*
 * ctl_store: the tree that a command works on.
 *
 * Named by --root, or by a config.yml (--config) as the worker has it, with the
 * same REGISTRY_… variables.  A tree that is not there is an error, not made.
 *
 * A command that root starts goes on as the tree's owner (reg_owner.h).
 */

#ifndef CTL_STORE_H
#define CTL_STORE_H

#include "reg_config.h"
#include "reg_store.h"

/* The configuration: file may be NULL, root (which then is meant) too. */
int ctl_store_config(reg_config_t *config, const char *file, const char *root,
    reg_error_t *err);

/* The tree of a configuration.  -1 with err filled. */
int ctl_store_open_at(reg_store_t *store, const reg_config_t *config,
    reg_error_t *err);

/* Both at once; either may be NULL. */
int ctl_store_open(reg_store_t *store, const char *config, const char *root,
    reg_error_t *err);

/* What is wrong, for a person: "open /path: Permission denied". */
void ctl_store_complain(const char *about, const reg_error_t *err);

#endif
