#include "ctl_options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>


static void
ctl_options_installed(const ctl_option_t *options)
{
    for ( ; options->name != NULL; options++) {
        if (strcmp(options->name, "config") == 0
            && access(CTL_OPTIONS_CONFIG, F_OK) == 0)
        {
            *options->text = CTL_OPTIONS_CONFIG;
        }
    }
}


static int
ctl_options_take(const ctl_option_t *option, const char *text)
{
    if (option->take != NULL) {
        return option->take(option->ctx, text);
    }

    if (option->flag != NULL) {
        *option->flag = true;
    } else {
        *option->text = text;
    }

    return 0;
}


int
ctl_options_read(int argc, char **argv, const ctl_option_t *options,
    const char *help, ctl_exit_t *status)
{
    int            c, n = 0;
    bool           placed = false;
    struct option  longs[CTL_OPTIONS_MAX + 2] = { { 0 } };

    for ( ; options[n].name != NULL; n++) {
        assert(n < CTL_OPTIONS_MAX);
        longs[n].name = options[n].name;
        longs[n].has_arg = options[n].flag != NULL ? no_argument
                                                   : required_argument;
        longs[n].val = n;
    }

    longs[n].name = "help";
    longs[n].val = n;

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == n) {
            (void) fputs(help, stdout);
            *status = CTL_OK;
            return -1;
        }

        if (c == '?' || ctl_options_take(&options[c], optarg) == -1) {
            *status = CTL_USAGE;                 /* and it was said why */
            return -1;
        }

        placed = placed || options[c].place;
    }

    if (!placed) {
        ctl_options_installed(options);
    }

    return optind;
}


int
ctl_options_need(const char *command, const char *config)
{
    if (config != NULL) {
        return 0;
    }

    (void) fprintf(stderr, "registryctl: %s needs --config FILE: there is no "
                   CTL_OPTIONS_CONFIG "\n", command);

    return -1;
}


ctl_exit_t
ctl_options_refuse(const char *command, int n, char **words, const char *help)
{
    (void) fprintf(stderr, "registryctl %s: %s", command,
                   n == 0 ? "say what to do"
                          : "there is no such command, or it takes other"
                            " words:");

    for (int i = 0; i < n; i++) {
        (void) fprintf(stderr, " %s", words[i]);
    }

    (void) fprintf(stderr, "\n\n%.*s\n\nregistryctl %s --help tells more.\n",
                   (int) (strstr(help, "\n\n") - help), help, command);

    return CTL_USAGE;
}
