#include "ctl_purge_uploads.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl_json.h"
#include "ctl_options.h"
#include "ctl_progress.h"
#include "ctl_store.h"
#include "reg_purge.h"


/* uploads from line to line: rewritten on a terminal, and elsewhere */
#define CTL_PURGE_UPLOADS_STEP  100
#define CTL_PURGE_UPLOADS_LINE  10000

/* as the worker's own default */
#define CTL_PURGE_UPLOADS_AGE   (168 * 3600)

#define CTL_PURGE_UPLOADS_MAX   (87600LL * 3600)


typedef struct {
    const char  *config;
    const char  *root;
    int64_t      age;                   /* seconds */
    bool         dry_run;
    bool         json;
} ctl_purge_uploads_options_t;

typedef struct {
    reg_store_t        *store;
    ctl_progress_t      progress;
    reg_purge_t         purge;
    reg_purge_count_t   count;
    int64_t             told;           /* uploads */
} ctl_purge_uploads_t;


static const char  ctl_purge_uploads_help[] =
    "Usage: registryctl purge-uploads [--config FILE | --root DIR]\n"
    "                                 [--older-than TIME] [--dry-run]"
    " [--json]\n"
    "                                 [NAME...]\n\n"
    "Removes the uploads of the repositories NAME, or of all, that nobody goes"
    " on\nwith, and frees their space. An upload's age counts from the last"
    " byte that\narrived; one that is being written to is left alone. The"
    " registry may go on\nserving: it does the same by itself, as"
    " storage.maintenance.uploadpurging says.\n\n"
    "  --config FILE      the worker's config.yml, for the place of the tree\n"
    "  --root DIR         the tree itself\n"
    "  --older-than TIME  how long nothing was added: 90m, 24h ...; default"
    " 168h\n"
    "  --dry-run          count only, remove nothing\n"
    "  --json             print the sum as JSON\n"
    "  --help             print this and exit\n\n"
    "Exit status: 0 all is well; 1 something could not be removed; 2 wrong"
    " usage.\n";


static int
ctl_purge_uploads_step(void *ctx, const reg_purge_count_t *count)
{
    ctl_purge_uploads_t  *c = ctx;
    bool                  tell;

    tell = count->uploads % (c->progress.terminal ? CTL_PURGE_UPLOADS_STEP
                                                  : CTL_PURGE_UPLOADS_LINE)
           == 0;

    if (!tell || count->uploads == c->told) {
        return 0;
    }

    c->told = count->uploads;
    ctl_progress_show(&c->progress, "%lld uploads, %lld to be purged",
                      (long long) count->uploads, (long long) count->purged);

    if (!c->progress.terminal) {
        (void) fprintf(stderr, "%lld uploads, %lld to be purged\n",
                       (long long) count->uploads, (long long) count->purged);
    }

    return 0;
}


static void
ctl_purge_uploads_odd(void *ctx, const char *about, const reg_error_t *err)
{
    ctl_purge_uploads_t  *c = ctx;

    ctl_progress_wipe(&c->progress);
    ctl_store_complain(about, err);
}


static void
ctl_purge_uploads_one(ctl_purge_uploads_t *c, const char *text)
{
    reg_name_t   name;
    reg_error_t  err = REG_ERROR_INIT;

    if (reg_name_parse(&name, reg_str_from(text)) == -1) {
        (void) reg_error_set(&err, REG_NAME_INVALID, NULL);
    } else {
        (void) reg_purge_repository(c->store, &name, &c->purge, &c->count,
                                    &err);           /* err says */
    }

    if (err.code == REG_NAME_UNKNOWN) {
        err = (reg_error_t) { .code = REG_NAME_UNKNOWN };   /* not where */
    }

    if (err.code != REG_OK) {
        c->count.failed++;
        ctl_purge_uploads_odd(c, text, &err);
    }
}


static void
ctl_purge_uploads_work(ctl_purge_uploads_t *c, char **names)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (*names == NULL
        && reg_purge_all(c->store, &c->purge, &c->count, &err) == -1)
    {
        c->count.failed++;
        ctl_purge_uploads_odd(c, "", &err);
    }

    for ( ; *names != NULL; names++) {
        ctl_purge_uploads_one(c, *names);
    }

    ctl_progress_wipe(&c->progress);
}


/* ---- the sum ------------------------------------------------------------- */


static int
ctl_purge_uploads_print_json(const ctl_purge_uploads_t *c)
{
    return ctl_json_print_new(
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:b}",
                  "repositories", (json_int_t) c->count.repositories,
                  "uploads", (json_int_t) c->count.uploads,
                  "purged", (json_int_t) c->count.purged,
                  "bytes", (json_int_t) c->count.bytes,
                  "failed", (json_int_t) c->count.failed,
                  "dry_run", (int) c->purge.dry_run));
}


static int
ctl_purge_uploads_print(const ctl_purge_uploads_t *c)
{
    int  n;

    n = printf("%lld of %lld uploads in %lld repositories %s: %lld bytes %s\n",
               (long long) c->count.purged, (long long) c->count.uploads,
               (long long) c->count.repositories,
               c->purge.dry_run ? "would be removed" : "removed",
               (long long) c->count.bytes,
               c->purge.dry_run ? "would be free" : "freed");

    if (n >= 0 && c->count.failed > 0) {
        n = printf("NOT DONE: %lld failed\n", (long long) c->count.failed);
    }

    return n < 0 ? -1 : 0;
}


/* ---- the whole ----------------------------------------------------------- */


static ctl_exit_t
ctl_purge_uploads_run(const ctl_purge_uploads_options_t *o, char **names)
{
    int                   rc;
    static reg_store_t    store;                 /* large */
    reg_error_t           err = REG_ERROR_INIT;
    ctl_purge_uploads_t   c = {
        .store = &store,
        .purge = {
            .since = time(NULL) - (time_t) o->age, .dry_run = o->dry_run,
            .step = ctl_purge_uploads_step, .odd = ctl_purge_uploads_odd,
        },
    };

    c.purge.ctx = &c;
    ctl_progress_init(&c.progress);

    if (ctl_store_open(&store, o->config, o->root, &err) == -1) {
        ctl_store_complain("", &err);
        return CTL_FAILED;
    }

    ctl_purge_uploads_work(&c, names);
    reg_store_close(&store);

    rc = o->json ? ctl_purge_uploads_print_json(&c)
                 : ctl_purge_uploads_print(&c);

    return rc == 0 && fflush(stdout) == 0 && c.count.failed == 0
           ? CTL_OK : CTL_FAILED;
}


static int
ctl_purge_uploads_age(void *age, const char *text)
{
    if (reg_str_duration(reg_str_from(text), CTL_PURGE_UPLOADS_MAX, age) == 0)
    {
        return 0;
    }

    (void) fprintf(stderr, "registryctl: --older-than \"%s\": write a duration"
                   " such as 90m or 168h\n", text);
    return -1;
}


ctl_exit_t
ctl_purge_uploads(int argc, char **argv)
{
    int                          first;
    ctl_exit_t                   status;
    ctl_purge_uploads_options_t  o = { .age = CTL_PURGE_UPLOADS_AGE };

    const ctl_option_t  options[] = {
        { "config", .text = &o.config, .place = true },
        { "root", .text = &o.root, .place = true },
        { "older-than", .take = ctl_purge_uploads_age, .ctx = &o.age },
        { "dry-run", .flag = &o.dry_run },
        { "json", .flag = &o.json },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_purge_uploads_help,
                             &status);

    if (first == -1) {
        return status;
    }

    return ctl_purge_uploads_run(&o, argv + first);
}
