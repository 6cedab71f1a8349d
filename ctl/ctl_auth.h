/*
 * ctl_auth: registryctl auth flush [--config FILE | --root DIR]
 *
 * Makes nginx and the worker forget what they decided about access, at once: a
 * new epoch begins (reg_epoch.h).
 */

#ifndef CTL_AUTH_H
#define CTL_AUTH_H

#include "ctl_command.h"

ctl_exit_t ctl_auth(int argc, char **argv);

#endif
