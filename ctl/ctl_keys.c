#include "ctl_keys.h"

#include <stdio.h>

#include "ctl_options.h"
#include "ctl_store.h"
#include "reg_epoch.h"
#include "reg_keys.h"
#include "reg_owner.h"


typedef struct {
    reg_config_t   config;
    const char    *file;
    const char    *key;                  /* NULL: none was named */
    bool           json;
    bool           first;                /* of a list in JSON */
} ctl_keys_t;

typedef int (*ctl_keys_run_pt)(ctl_keys_t *k, reg_error_t *err);


static const char  ctl_keys_help[] =
    "Usage: registryctl keys list       [--config FILE] [--json]\n"
    "       registryctl keys rotate     [--config FILE]\n"
    "       registryctl keys remove KEY [--config FILE]\n"
    "\n"
    "The keys of our token server: the first one signs, all of them verify.\n"
    "\n"
    "  list         each key's name, by RFC 7638 and as libtrust writes it\n"
    "  rotate       a new key signs from now on; the others still verify\n"
    "  remove KEY   tokens that this key has signed are over; do it when the\n"
    "               last of them has ended (tokens.lifetime, and\n"
    "               tokens.refresh_lifetime for docker's own logins)\n"
    "\n"
    "  --config FILE  the worker's config.yml, which names the state\n"
    "  --json         for list: as JSON\n";


static void
ctl_keys_item(void *ctx, const reg_jwk_t *key, bool signs)
{
    ctl_keys_t  *k = ctx;

    if (!k->json) {
        printf("%s  %s  %s\n", reg_jwk_thumbprint(key), reg_jwk_libtrust(key),
               signs ? "signs" : "verifies");
        return;
    }

    /* names of both kinds have no character that needs escaping */
    printf("%s{\"kid\":\"%s\",\"libtrust\":\"%s\",\"signs\":%s}",
           k->first ? "" : ",", reg_jwk_thumbprint(key),
           reg_jwk_libtrust(key), signs ? "true" : "false");
    k->first = false;
}


static int
ctl_keys_list(ctl_keys_t *k, reg_error_t *err)
{
    int  rc;

    if (k->json) {
        (void) fputs("[", stdout);
    }

    rc = reg_keys_list(k->config.state, ctl_keys_item, k, err);

    if (k->json) {
        (void) fputs("]\n", stdout);
    }

    return rc;
}


static int
ctl_keys_rotate(ctl_keys_t *k, reg_error_t *err)
{
    char  id[REG_JWK_ID];

    if (reg_keys_rotate(k->config.state,
                        k->config.tokens_algorithm == REG_TOKENS_RS256
                        ? REG_JWK_RS256 : REG_JWK_ES256, id, err) == -1)
    {
        return -1;
    }

    printf("%s signs from now on\n", id);

    return 0;
}


static int
ctl_keys_remove(ctl_keys_t *k, reg_error_t *err)
{
    if (reg_keys_remove(k->config.state, reg_str_from(k->key), err) == -1) {
        return -1;
    }

    printf("%s is removed, its tokens are over\n", k->key);

    return 0;
}


static const struct {
    const char       *name;
    ctl_keys_run_pt   run;
    bool              named;             /* wants a KEY */
    bool              changes;
} ctl_keys_verbs[] = {
    { "list", ctl_keys_list, false, false },
    { "rotate", ctl_keys_rotate, false, true },
    { "remove", ctl_keys_remove, true, true },
};


/* What nginx decided by a key that is gone is forgotten. */
static int
ctl_keys_forget(const ctl_keys_t *k, reg_error_t *err)
{
    int                 rc;
    static reg_store_t  store;                   /* large */

    if (reg_store_open(&store, reg_str_from(k->config.root), err) == -1) {
        return -1;
    }

    rc = reg_epoch_bump(&store, err);
    reg_store_close(&store);

    return rc;
}


static ctl_exit_t
ctl_keys_run(ctl_keys_t *k, ctl_keys_run_pt run, bool changes)
{
    int          rc;
    reg_error_t  err = REG_ERROR_INIT;

    rc = ctl_store_config(&k->config, k->file, NULL, &err) == -1
         || reg_owner_become(k->config.state, &err) == -1
         || run(k, &err) == -1
         || (changes && ctl_keys_forget(k, &err) == -1) ? -1 : 0;

    if (rc == -1) {
        ctl_store_complain("", &err);
    }

    reg_config_free(&k->config);

    return rc == 0 && fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}


ctl_exit_t
ctl_keys(int argc, char **argv)
{
    int         first, n;
    ctl_exit_t  status;
    ctl_keys_t  k = { .first = true };

    const ctl_option_t  options[] = {
        { "config", .text = &k.file, .place = true },
        { "json", .flag = &k.json },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_keys_help, &status);

    if (first == -1) {
        return status;
    }

    n = argc - first;
    k.key = n > 1 ? argv[first + 1] : NULL;

    for (size_t i = 0;
         i < sizeof(ctl_keys_verbs) / sizeof(ctl_keys_verbs[0]); i++)
    {
        if (n == (ctl_keys_verbs[i].named ? 2 : 1)
            && strcmp(argv[first], ctl_keys_verbs[i].name) == 0)
        {
            return ctl_options_need("keys", k.file) == -1
                   ? CTL_USAGE
                   : ctl_keys_run(&k, ctl_keys_verbs[i].run,
                                  ctl_keys_verbs[i].changes);
        }
    }

    return ctl_options_refuse("keys", n, argv + first, ctl_keys_help);
}
