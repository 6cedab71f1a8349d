/*
 * ctl_robot: registryctl robot create|revoke NAME, registryctl robot list
 *
 * Accounts for programs, in robots.json of nginx_registry.state; see
 * reg_robot.h.  The secret is shown once, when it is made.  --json:
 *
 *     create  {"user": "robot$ci", "secret": "nrr_…", "expires": 1771776000}
 *     list    {"robots": [{"user": "robot$ci", "repositories": ["team/app"],
 *              "actions": "pull,push", "created": 1764000000,
 *              "expires": 1771776000, "expired": false,
 *              "description": "…"}]}
 *
 * expires is null for one that does not.
 */

#ifndef CTL_ROBOT_H
#define CTL_ROBOT_H

#include "ctl_command.h"

ctl_exit_t ctl_robot(int argc, char **argv);

#endif
