/*
 * ctl_command: what every command of registryctl keeps to.
 *
 * A command takes its own argc and argv (argv[0] is "registryctl NAME"),
 * writes its result to stdout and everything else to stderr, and returns one
 * of these.
 */

#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

typedef enum {
    CTL_OK = 0,
    CTL_FAILED = 1,          /* all of it, or a part */
    CTL_USAGE = 2            /* nothing was done */
} ctl_exit_t;

typedef ctl_exit_t (*ctl_command_pt)(int argc, char **argv);

#endif
