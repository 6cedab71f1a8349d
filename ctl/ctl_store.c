#include "ctl_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reg_owner.h"


static void
ctl_store_warn(void *ctx, const char *message)
{
    (void) ctx;
    (void) fprintf(stderr, "registryctl: %s\n", message);
}


void
ctl_store_complain(const char *about, const reg_error_t *err)
{
    bool  where = err->where[0] != '\0';

    (void) fprintf(stderr, "registryctl: %s%s%s%s%s\n", about,
                   about[0] != '\0' ? ": " : "",
                   where ? err->where : reg_error_message(err),
                   err->sys != 0 ? ": " : "",
                   err->sys != 0 ? strerror(err->sys) : "");
}


int
ctl_store_config(reg_config_t *config, const char *file, const char *root,
    reg_error_t *err)
{
    char  here[PATH_MAX];

    reg_config_init(config);

    if ((file != NULL
         && reg_config_read(config, file, ctl_store_warn, NULL, err) == -1)
        || reg_config_environment(config, environ, ctl_store_warn, NULL, err)
           == -1)
    {
        return -1;
    }

    if (root == NULL) {
        return 0;
    }

    if (realpath(root, here) == NULL) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "find", root);
    }

    return reg_str_copy(config->root, sizeof(config->root),
                        reg_str_from(here)) == -1
           ? reg_error_set(err, REG_BAD_REQUEST, "the path %.100s is too long",
                           here)
           : 0;
}


int
ctl_store_open_at(reg_store_t *store, const reg_config_t *config,
    reg_error_t *err)
{
    int          rc;
    reg_store_t  look;                           /* for the path */

    if (reg_store_init(&look, reg_str_from(config->root), err) == -1) {
        return -1;
    }

    rc = reg_owner_become(look.v2.text, err);
    reg_store_close(&look);

    return rc == -1
           ? -1 : reg_store_open(store, reg_str_from(config->root), err);
}


int
ctl_store_open(reg_store_t *store, const char *file, const char *root,
    reg_error_t *err)
{
    int           rc;
    reg_config_t  config;

    rc = ctl_store_config(&config, file, root, err) == -1
         || ctl_store_open_at(store, &config, err) == -1 ? -1 : 0;
    reg_config_free(&config);

    return rc;
}
