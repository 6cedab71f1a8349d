/*
 * ctl_options: the options of a command, from a table.
 *
 *     const ctl_option_t  options[] = {
 *         { "config", .text = &o.config },
 *         { "json", .flag = &o.json },
 *         { "expires", .take = ctl_robot_expires, .ctx = &o },
 *         { .name = NULL }
 *     };
 *
 *     first = ctl_options_read(argc, argv, options, help, &status);
 *     if (first == -1) return status;
 *     … argv[first] …                     the words that are no options
 *
 * Exactly one of text, flag and take says where a row's value goes; text and
 * take want one.  --help is always there.
 */

#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>

#include "ctl_command.h"

#define CTL_OPTIONS_MAX  8

typedef struct {
    const char    *name;
    const char   **text;
    bool          *flag;
    int          (*take)(void *ctx, const char *text);  /* -1: it has said
                                                           why */
    void          *ctx;
} ctl_option_t;


/* The index of the first word, or -1 with what the command ends with: help was
 * printed, or what is wrong. */
int ctl_options_read(int argc, char **argv, const ctl_option_t *options,
    const char *help, ctl_exit_t *status);

#endif
