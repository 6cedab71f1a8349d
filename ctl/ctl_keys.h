/*
 * ctl_keys: registryctl keys list|rotate|remove --config FILE [--json] [KEY]
 *
 * The keys that tokens of our own token server are signed with (reg_keys.h).
 */

#ifndef CTL_KEYS_H
#define CTL_KEYS_H

#include "ctl_command.h"

ctl_exit_t ctl_keys(int argc, char **argv);

#endif
