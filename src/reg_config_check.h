/*
 * reg_config_check: whether the parts of a configuration fit together.
 *
 * What no key alone can be blamed for: a way in that is only half described, or
 * one through which nobody could come.  To be asked after all was read, from
 * the file and from the environment.
 *
 * Blocks: never
 */

#ifndef REG_CONFIG_CHECK_H
#define REG_CONFIG_CHECK_H

#include "reg_config.h"

/* -1 with BAD_REQUEST and a sentence for the operator. */
int reg_config_check(const reg_config_t *config, reg_error_t *err);

#endif
