/*
 * reg_config_access: the part of config.yml that says who may do what, read
 * into a reg_policy_t.  reg_policy.h shows what it looks like.
 *
 * Blocks: disk
 */

#ifndef REG_CONFIG_ACCESS_H
#define REG_CONFIG_ACCESS_H

#include "reg_config_reader.h"

/* Reads the value that begins with the current event; r->config gets the
 * policy. */
int reg_config_access(reg_config_reader_t *r);

#endif
