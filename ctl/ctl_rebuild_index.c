#include "ctl_rebuild_index.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl_json.h"
#include "ctl_options.h"
#include "ctl_progress.h"
#include "ctl_store.h"
#include "reg_catalog.h"
#include "reg_index.h"
#include "reg_repo.h"


#define CTL_REBUILD_INDEX_STEP  100     /* manifests from line to line */


typedef struct {
    const char  *config;
    const char  *root;
    bool         json;
} ctl_rebuild_index_options_t;

typedef struct {
    reg_store_t        *store;
    ctl_progress_t      progress;
    const char         *name;           /* of the repository under way */
    int64_t             repositories;
    int64_t             failed;
    reg_index_count_t   count;
    reg_catalog_count_t catalog;
} ctl_rebuild_index_t;


static const char  ctl_rebuild_index_help[] =
    "Usage: registryctl rebuild-index [--config FILE | --root DIR] [--json]"
    " [NAME...]\n\n"
    "Rebuilds the lists of referrers (signatures, SBOMs and whatever else has"
    " a\n\"subject\") from the manifests of the repositories NAME, or of all;"
    " and, without\nNAME, the catalog's index of repositories. The registry may"
    " go on serving.\n\n"
    "  --config FILE  the worker's config.yml, for the place of the tree\n"
    "  --root DIR     the tree itself\n"
    "  --json         print the sum as JSON\n"
    "  --help         print this and exit\n\n"
    "Exit status: 0 all is well; 1 a repository could not be rebuilt, or a"
    " manifest\ncould not be read and was left out; 2 wrong usage.\n";


/* ---- where it stands ----------------------------------------------------- */


static void
ctl_rebuild_index_progress(void *ctx, const reg_index_count_t *count)
{
    ctl_rebuild_index_t  *c = ctx;

    if (count->manifests % CTL_REBUILD_INDEX_STEP == 0) {
        ctl_progress_show(&c->progress, "%lld manifests, in %.60s",
                          (long long) (c->count.manifests + count->manifests),
                          c->name);
    }
}


static void
ctl_rebuild_index_odd(void *ctx, const reg_digest_t *manifest,
    const reg_error_t *err)
{
    ctl_rebuild_index_t  *c = ctx;
    char                  about[REG_NAME_MAX + REG_DIGEST_SIZE + 1];

    (void) snprintf(about, sizeof(about), "%s@%s", c->name, manifest->text);
    ctl_progress_wipe(&c->progress);
    ctl_store_complain(about, err);
}


/* ---- the work ------------------------------------------------------------ */


static void
ctl_rebuild_index_sum(ctl_rebuild_index_t *c, const reg_index_count_t *count)
{
    c->repositories++;
    c->count.manifests += count->manifests;
    c->count.referrers += count->referrers;
    c->count.added += count->added;
    c->count.dropped += count->dropped;
    c->count.unreadable += count->unreadable;
}


/* For reg_repo_list(): text is a repository's name.  Goes on after failures. */
static int
ctl_rebuild_index_one(void *ctx, reg_str_t text)
{
    int                   rc = -1;
    char                  about[REG_NAME_MAX + 1];
    reg_name_t            name;
    reg_error_t           err = REG_ERROR_INIT;
    reg_index_count_t     count = { 0 };
    ctl_rebuild_index_t  *c = ctx;
    reg_index_watch_t     watch = {
        ctl_rebuild_index_progress, ctl_rebuild_index_odd, c
    };

    (void) snprintf(about, sizeof(about), "%.*s", REG_STR_ARG(text));
    c->name = about;

    if (reg_name_parse(&name, text) == -1) {
        (void) reg_error_set(&err, REG_NAME_INVALID, NULL);
    } else {
        rc = reg_index_rebuild(c->store, &name, time(NULL), &watch, &count,
                               &err);
    }

    ctl_rebuild_index_sum(c, &count);

    if (rc == -1) {
        c->failed++;
        ctl_progress_wipe(&c->progress);
        ctl_store_complain(about, &err);

    } else if (!c->progress.terminal) {
        (void) fprintf(stderr, "%s: %lld manifests, %lld referrers,"
                       " %lld added, %lld dropped\n", about,
                       (long long) count.manifests,
                       (long long) count.referrers, (long long) count.added,
                       (long long) count.dropped);
    }

    c->name = NULL;

    return 0;
}


/* The list of repositories itself. */
static void
ctl_rebuild_index_catalog(ctl_rebuild_index_t *c)
{
    int                        rc = -1;
    reg_error_t                err = REG_ERROR_INIT;
    const reg_catalog_watch_t  watch = { NULL, NULL };
    reg_catalog_t             *catalog;

    catalog = reg_catalog_create(c->store, 0, &err);

    if (catalog != NULL) {
        rc = reg_catalog_check(catalog, &watch, &c->catalog, &err);
    }

    /* 1: the worker is at it, and will see the same */
    if (rc == -1) {
        c->failed++;
        ctl_store_complain("", &err);
    }

    reg_catalog_free(catalog);
}


static int
ctl_rebuild_index_print_json(const ctl_rebuild_index_t *c)
{
    return ctl_json_print_new(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
                  "repositories", (json_int_t) c->repositories,
                  "manifests", (json_int_t) c->count.manifests,
                  "referrers", (json_int_t) c->count.referrers,
                  "added", (json_int_t) c->count.added,
                  "dropped", (json_int_t) c->count.dropped,
                  "unreadable", (json_int_t) c->count.unreadable,
                  "catalog_added", (json_int_t) c->catalog.added,
                  "catalog_dropped", (json_int_t) c->catalog.dropped,
                  "failed", (json_int_t) c->failed));
}


static int
ctl_rebuild_index_print(const ctl_rebuild_index_t *c)
{
    int  n;

    n = printf("%lld repositories, %lld manifests, %lld of them referrers:"
               " %lld lines added, %lld dropped\n"
               "catalog: %lld repositories added, %lld dropped\n",
               (long long) c->repositories, (long long) c->count.manifests,
               (long long) c->count.referrers, (long long) c->count.added,
               (long long) c->count.dropped, (long long) c->catalog.added,
               (long long) c->catalog.dropped);

    if (n >= 0 && (c->failed > 0 || c->count.unreadable > 0)) {
        n = printf("NOT DONE: %lld repositories failed, %lld manifests are"
                   " unreadable\n", (long long) c->failed,
                   (long long) c->count.unreadable);
    }

    return n < 0 ? -1 : 0;
}


static ctl_exit_t
ctl_rebuild_index_run(const ctl_rebuild_index_options_t *o, char **names)
{
    int                   rc;
    static reg_store_t    store;                 /* large */
    reg_error_t           err = REG_ERROR_INIT;
    ctl_rebuild_index_t   c = { .store = &store };

    ctl_progress_init(&c.progress);

    if (ctl_store_open(&store, o->config, o->root, &err) == -1) {
        ctl_store_complain("", &err);
        return CTL_FAILED;
    }

    if (*names == NULL) {
        ctl_rebuild_index_catalog(&c);

        if (reg_repo_list(&store, REG_STR_NULL, ctl_rebuild_index_one, &c,
                          &err) == -1)
        {
            c.failed++;
            ctl_store_complain("", &err);
        }
    }

    for ( ; *names != NULL; names++) {
        (void) ctl_rebuild_index_one(&c, reg_str_from(*names));
    }

    reg_store_close(&store);
    ctl_progress_wipe(&c.progress);

    rc = o->json ? ctl_rebuild_index_print_json(&c)
                 : ctl_rebuild_index_print(&c);

    return rc == 0 && fflush(stdout) == 0 && c.failed == 0
           && c.count.unreadable == 0 ? CTL_OK : CTL_FAILED;
}


ctl_exit_t
ctl_rebuild_index(int argc, char **argv)
{
    int                          first;
    ctl_exit_t                   status;
    ctl_rebuild_index_options_t  o = { NULL, NULL, false };

    const ctl_option_t  options[] = {
        { "config", .text = &o.config, .place = true },
        { "root", .text = &o.root, .place = true },
        { "json", .flag = &o.json },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_rebuild_index_help,
                             &status);

    if (first == -1) {
        return status;
    }

    return ctl_rebuild_index_run(&o, argv + first);
}
