/*
 * reg_robots_edit: changes the file of robots, for registryctl.
 *
 * What else is in the file stays.  See reg_robot.h for the format and
 * reg_edit.h for how a file is changed, by one at a time.
 *
 * Blocks: disk
 */

#ifndef REG_ROBOTS_EDIT_H
#define REG_ROBOTS_EDIT_H

#include "reg_robot.h"

/* Adds one, of which all but the secret is said, and makes a secret.  -1 with
 * BAD_REQUEST and a sentence if it cannot be. */
int reg_robots_create(const char *path, const reg_robot_t *robot,
    char secret[REG_ROBOT_SECRET + 1], reg_error_t *err);

/* -1 with BAD_REQUEST if there is none of that name. */
int reg_robots_revoke(const char *path, reg_str_t name, reg_error_t *err);

#endif
