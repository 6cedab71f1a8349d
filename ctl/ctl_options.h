/*
 * ctl_options: the options of a command, from a table.
 *
 *     const ctl_option_t  options[] = {
 *         { "config", .text = &o.config, .place = true },
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
 * take want one.  --help is always there.  Rows that say what is worked on are
 * marked as place: if none of them is given, config is CTL_OPTIONS_CONFIG,
 * where that is there.
 */

#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include <stdbool.h>

#include "ctl_command.h"

#define CTL_OPTIONS_MAX     8

/* where `make install` puts it */
#define CTL_OPTIONS_CONFIG  "/etc/nginx-registry/config.yml"

typedef struct {
    const char    *name;
    const char   **text;
    bool          *flag;
    int          (*take)(void *ctx, const char *text);  /* -1: it has said
                                                           why */
    void          *ctx;
    bool           place;
} ctl_option_t;


/* The index of the first word, or -1 with what the command ends with: help was
 * printed, or what is wrong. */
int ctl_options_read(int argc, char **argv, const ctl_option_t *options,
    const char *help, ctl_exit_t *status);

/* -1, and it was said, if there is no configuration. */
int ctl_options_need(const char *command, const char *config);

/* The words are not of the command: names them, and prints the help's first
 * paragraph. */
ctl_exit_t ctl_options_refuse(const char *command, int n, char **words,
    const char *help);

#endif
