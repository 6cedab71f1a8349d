/*
 * registryctl: what an operator does to a registry, by hand or from cron.
 */

#include <stdio.h>
#include <string.h>

#include "ctl_auth.h"
#include "ctl_cache.h"
#include "ctl_keys.h"
#include "ctl_options.h"
#include "ctl_policy.h"
#include "ctl_purge_uploads.h"
#include "ctl_rebuild_index.h"
#include "ctl_robot.h"
#include "ctl_user.h"


#ifndef REG_VERSION
#define REG_VERSION  "0.1.0"
#endif


static const struct {
    const char      *name;
    ctl_command_pt   run;
    const char      *help;
} main_commands[] = {

    { "auth", ctl_auth,
      "make nginx and the worker forget whom they let in" },
    { "cache", ctl_cache,
      "what Redis remembers of tags: count, compare, make it void" },
    { "keys", ctl_keys,
      "the keys that our token server signs with" },
    { "policy", ctl_policy,
      "what the rules of a configuration give to whom, and which rule" },
    { "purge-uploads", ctl_purge_uploads,
      "remove the uploads that nobody goes on with" },
    { "rebuild-index", ctl_rebuild_index,
      "rebuild the lists of referrers and of repositories" },
    { "robot", ctl_robot,
      "make, list and revoke accounts for programs" },
    { "user", ctl_user,
      "add, change, remove and list accounts with passwords" },
};

#define MAIN_COMMANDS  (sizeof(main_commands) / sizeof(main_commands[0]))


static void
main_help(FILE *out)
{
    (void) fputs("Usage: registryctl COMMAND [options]\n\n", out);

    for (size_t i = 0; i < MAIN_COMMANDS; i++) {
        (void) fprintf(out, "  %-14s  %s\n", main_commands[i].name,
                       main_commands[i].help);
    }

    (void) fputs("\nregistryctl COMMAND --help tells more. What is worked on is"
                 " named by\n--config FILE, by default "
                 CTL_OPTIONS_CONFIG ", or --root DIR.\n"
                 "Exit status: 0 all is well, 1 something failed, 2 wrong"
                 " usage.\n", out);
}


int
main(int argc, char **argv)
{
    char         title[64];                      /* for getopt's messages */
    const char  *name = argc > 1 ? argv[1] : "";

    if (strcmp(name, "--help") == 0) {
        main_help(stdout);
        return CTL_OK;
    }

    if (strcmp(name, "--version") == 0) {
        printf("registryctl %s\n", REG_VERSION);
        return CTL_OK;
    }

    for (size_t i = 0; i < MAIN_COMMANDS; i++) {
        if (strcmp(name, main_commands[i].name) == 0) {
            (void) snprintf(title, sizeof(title), "registryctl %s", name);
            argv[1] = title;
            return (int) main_commands[i].run(argc - 1, argv + 1);
        }
    }

    if (argc > 1) {
        (void) fprintf(stderr, "registryctl: there is no command \"%s\"\n\n",
                       name);
    }

    main_help(stderr);

    return CTL_USAGE;
}
