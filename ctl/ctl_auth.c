#include "ctl_auth.h"

#include <stdio.h>

#include "ctl_options.h"
#include "ctl_store.h"
#include "reg_epoch.h"


static const char  ctl_auth_help[] =
    "Usage: registryctl auth flush [--config FILE | --root DIR]\n"
    "\n"
    "Makes nginx and the worker forget, at once, what they decided about\n"
    "access. Run it after you changed a file of accounts by hand; the other\n"
    "commands of registryctl and a reload of the worker do it by themselves.\n"
    "\n"
    "  --config FILE  the worker's config.yml, which names the tree\n"
    "  --root DIR     the tree\n";


static ctl_exit_t
ctl_auth_flush(const char *config, const char *root)
{
    int                  rc;
    static reg_store_t   store;                  /* large */
    reg_error_t          err = REG_ERROR_INIT;

    if (ctl_store_open(&store, config, root, &err) == -1) {
        ctl_store_complain("", &err);
        return CTL_FAILED;
    }

    rc = reg_epoch_bump(&store, &err);

    if (rc == -1) {
        ctl_store_complain("", &err);
    } else {
        (void) puts("decisions about access are forgotten");
    }

    reg_store_close(&store);

    return rc == 0 ? CTL_OK : CTL_FAILED;
}


ctl_exit_t
ctl_auth(int argc, char **argv)
{
    int          first;
    ctl_exit_t   status;
    const char  *config = NULL, *root = NULL;

    const ctl_option_t  options[] = {
        { "config", .text = &config, .place = true },
        { "root", .text = &root, .place = true },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_auth_help, &status);

    if (first == -1) {
        return status;
    }

    if (argc - first != 1 || strcmp(argv[first], "flush") != 0) {
        return ctl_options_refuse("auth", argc - first, argv + first,
                                  ctl_auth_help);
    }

    return ctl_auth_flush(config, root);
}
