/*
 * ctl_user: registryctl user add|passwd|del NAME, registryctl user list
 *
 * Accounts in the file of auth.htpasswd.path, see reg_users.h.  A password is
 * never an argument: others could see it.  --json of list:
 *
 *     {"users": ["alice"],
 *      "not_used": [{"line": 3, "name": "bob", "why": "…"}]}
 */

#ifndef CTL_USER_H
#define CTL_USER_H

#include "ctl_command.h"

ctl_exit_t ctl_user(int argc, char **argv);

#endif
