#include "ctl_options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>


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
    }

    return optind;
}
