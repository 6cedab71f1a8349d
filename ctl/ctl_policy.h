/*
 * ctl_policy: registryctl policy test --config FILE [--json] USER REPOSITORY
 *             [ACTION…]
 *
 * What the rules of a configuration give somebody, and which line gave it,
 * without asking the registry.  USER is a name, or "anonymous".  With actions:
 * CTL_FAILED if one of them is denied.
 */

#ifndef CTL_POLICY_H
#define CTL_POLICY_H

#include "ctl_command.h"

ctl_exit_t ctl_policy(int argc, char **argv);

#endif
