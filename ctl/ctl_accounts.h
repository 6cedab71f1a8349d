/*
 * ctl_accounts: what commands that change accounts have in common.
 */

#ifndef CTL_ACCOUNTS_H
#define CTL_ACCOUNTS_H

#include "ctl_command.h"
#include "reg_clock.h"
#include "reg_config.h"

#define CTL_ACCOUNTS_PASSWORD  1024

/* Reads a password: asked for twice on the terminal, without echo, or one line
 * of stdin.  Returns its length, or -1 after it has said why. */
typedef enum {
    CTL_ACCOUNTS_TERMINAL,
    CTL_ACCOUNTS_STDIN
} ctl_accounts_from_t;

ssize_t ctl_accounts_password(char out[CTL_ACCOUNTS_PASSWORD],
    ctl_accounts_from_t from);

/* Makes nginx and the worker forget what they decided, as the tree's owner,
 * whom the process is from then on.  Says what fails. */
ctl_exit_t ctl_accounts_forget(const char *config);

/* Seconds as "2027-01-31T12:00:00Z". */
#define CTL_ACCOUNTS_TIME  (REG_CLOCK_TEXT + 1)
const char *ctl_accounts_time(char out[CTL_ACCOUNTS_TIME], time_t t);

#endif
