#include "fcgi_worker.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>

#include "fcgi_guard.h"
#include "fcgi_metrics.h"
#include "fcgi_purge.h"
#include "fcgi_reindex.h"
#include "fcgi_server.h"
#include "reg_epoch.h"
#include "reg_journal.h"
#include "reg_lists.h"
#include "reg_redo.h"


/* Whom the cache of tags tells. */
typedef struct {
    fcgi_log_t     *log;
    reg_metrics_t  *metrics;
} fcgi_worker_tags_t;


/* glibc's defaults keep an arena of 64 MiB of address space per thread, and
 * raise the limit from which large blocks go back to the system; ours is to
 * stay small whatever passed through. */
static void
fcgi_worker_memory(void)
{
    (void) mallopt(M_ARENA_MAX, 2);              /* hints: they cannot hurt */
    (void) mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    (void) mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}


static int
fcgi_worker_open(const reg_config_t *config, reg_store_t *store,
    char real[PATH_MAX], reg_error_t *err)
{
    /* the master has made it; what is gone since must not be made again */
    if (reg_store_join(store, reg_str_from(config->root), err) == -1) {
        return -1;
    }

    if (realpath(config->root, real) == NULL) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "realpath",
                             config->root);
    }

    return 0;
}


/* What nginx was told before may be wrong by this configuration.  On a tree
 * that cannot be written to it forgets by itself, a little later. */
static void
fcgi_worker_epoch(reg_store_t *store, fcgi_log_t *log)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (reg_store_writable(store, &err) == 0
        && reg_epoch_bump(store, &err) == -1)
    {
        fcgi_log(log, REG_LOG_WARN, "epoch: %s: %s", err.where,
                 strerror(err.sys));
    }
}


static void
fcgi_worker_journal_say(const reg_config_t *config,
    const reg_journal_t *journal, size_t redone, const reg_error_t *why,
    fcgi_log_t *log)
{
    if (redone > 0) {
        fcgi_log(log, REG_LOG_WARN, "journal: after a crash %zu files of the"
                 " last pushes before it were put in place again", redone);
    }

    if (journal != NULL && reg_journal_has_deserted(journal)) {
        fcgi_log(log, REG_LOG_WARN, "journal: a process of nginx's that stands"
                 " still had it open, and writes to it no more");
    }

    if (why->code == REG_INSUFFICIENT_STORAGE) {
        fcgi_log(log, REG_LOG_WARN, "journal: no room for one, pushes go"
                 " without: %s: %s", why->where, strerror(why->sys));

    } else if (journal != NULL
               && reg_journal_is_used(journal) != config->journal)
    {
        fcgi_log(log, REG_LOG_WARN, "journal: others work on this tree with"
                 " nginx_registry.journal: %s, and so does this worker, until"
                 " all have stopped", config->journal ? "false" : "true");
    }
}


/* What a crash has left in the journal is not served from there. */
static void
fcgi_worker_journal_look(reg_store_t *store, fcgi_log_t *log)
{
    reg_logfile_t  file;
    reg_error_t    err = REG_ERROR_INIT;
    size_t         files = 0;
    int            rc = reg_logfile_peek(&file, store, &err);

    if (rc == 0) {
        rc = reg_redo_look(&file, &files, &err);
        reg_logfile_close(&file);
    }

    if (rc == -1) {
        fcgi_log(log, REG_LOG_ERROR, "journal: what a crash may have left in it"
                 " cannot be read: %s: %s", err.where, strerror(err.sys));

    } else if (files > 0) {
        fcgi_log(log, REG_LOG_ERROR, "journal: %zu files of the last pushes"
                 " before a crash cannot be put in place and are missing, until"
                 " the tree can be written", files);
    }
}


/* What was there before a crash is put in place also where no journal is
 * wanted. */
static int
fcgi_worker_journal(const reg_config_t *config, reg_store_t *store,
    fcgi_log_t *log, reg_journal_t **journal, reg_error_t *err)
{
    reg_error_t  why = REG_ERROR_INIT;
    size_t       redone;

    /* what cannot be written has no place for it; fcgi_guard sees to that */
    if (reg_store_writable(store, &why) == -1) {
        fcgi_worker_journal_look(store, log);
        return 0;
    }

    *journal = reg_journal_open(store, config->journal ? REG_JOURNAL_HALF : 0,
                                &redone, &why);
    fcgi_worker_journal_say(config, *journal, redone, &why, log);

    if (why.code != REG_OK && why.code != REG_INSUFFICIENT_STORAGE) {
        *err = why;
        return -1;
    }

    if (*journal == NULL || !reg_journal_is_used(*journal)) {
        return 0;
    }

    store->journal = *journal;

    return reg_journal_start(*journal, err);
}


static void
fcgi_worker_journal_end(reg_store_t *store, reg_journal_t *journal)
{
    if (store->journal != NULL) {
        reg_journal_stop(store->journal);
    }

    reg_journal_close(journal);
}


static int
fcgi_worker_serve(const fcgi_service_t *service,
    const reg_journal_t *journal, int listener, reg_error_t *err)
{
    int            rc = -1;
    fcgi_chore_t  *purge = fcgi_purge_start(service, err);
    fcgi_chore_t  *reindex = fcgi_reindex_start(service, err);
    fcgi_chore_t  *guard = fcgi_guard_start(service, journal, err);

    if (purge != NULL && reindex != NULL && guard != NULL) {
        rc = fcgi_server_run(service, listener, err);
    }

    fcgi_chore_stop(guard);
    fcgi_chore_stop(reindex);
    fcgi_chore_stop(purge);

    return rc;
}


static void
fcgi_worker_line(void *ctx, reg_log_level_t level, const char *message)
{
    const fcgi_worker_tags_t  *tags = ctx;

    fcgi_log(tags->log, level, "%s", message);
}


static void
fcgi_worker_count(void *ctx, reg_tagcache_count_t what)
{
    const fcgi_worker_tags_t  *tags = ctx;

    reg_metrics_add(tags->metrics, FCGI_METRICS_TAGS, what, 1);
}


static void
fcgi_worker_state(void *ctx, bool up, bool follows)
{
    const fcgi_worker_tags_t  *tags = ctx;

    fcgi_metrics_redis(tags->metrics, up, follows);
}


/* What the tags cost, for who does not ask for metrics. */
static void
fcgi_worker_sum(reg_tagcache_t *tags, fcgi_log_t *log)
{
    reg_tagcache_stats_t  stats;
    reg_buf_t             line = REG_BUF_INIT;

    reg_tagcache_stats(tags, &stats);

    for (int i = 0; i < REG_TAGCACHE_COUNTS; i++) {
        reg_buf_printf(&line, "%s%s %lld", i == 0 ? "" : ", ",
                       reg_tagcache_count_name((reg_tagcache_count_t) i),
                       (long long) stats.counts[i]);
    }

    if (stats.used && reg_buf_ok(&line)) {
        fcgi_log(log, REG_LOG_INFO, "redis: tags: %.*s",
                 REG_STR_ARG(reg_buf_str(&line)));
    }

    reg_buf_free(&line);
}


int
fcgi_worker_run(const reg_config_t *config, int listener, fcgi_log_t *log,
    reg_throttle_t *throttle, reg_metrics_t *metrics)
{
    static reg_store_t  store;               /* large; one a process */

    int              rc = -1;
    char             root[PATH_MAX];
    pthread_mutex_t  gate = PTHREAD_MUTEX_INITIALIZER;
    fcgi_cache_t    *cache;
    reg_lists_t     *lists;
    reg_journal_t   *journal = NULL;
    reg_catalog_t   *catalog = NULL;
    reg_access_t    *access = NULL;
    reg_tagcache_t  *tags = NULL;
    fcgi_audit_t     audit = { -1 };
    reg_error_t      err = REG_ERROR_INIT;

    fcgi_worker_tags_t        tags_ctx = { log, metrics };
    const reg_tagcache_log_t  tags_log = {
        .line = fcgi_worker_line, .count = fcgi_worker_count,
        .state = fcgi_worker_state, .ctx = &tags_ctx,
    };

    fcgi_worker_memory();

    cache = fcgi_cache_create((size_t) config->manifest_cache);
    lists = reg_lists_create((size_t) config->list_cache, NULL);

    if (cache == NULL || lists == NULL) {
        (void) reg_error_set(&err, REG_UNKNOWN, "out of memory");

    } else if (fcgi_worker_open(config, &store, root, &err) == 0
               && fcgi_worker_journal(config, &store, log, &journal, &err)
                  == 0
               && (catalog = fcgi_reindex_catalog(config, &store, &err))
                  != NULL
               && reg_access_open(&access, config, &store, throttle, &err)
                  == 0
               && fcgi_audit_open(&audit, config->audit_path, &err) == 0
               && reg_tagcache_open(&tags, &store, config, &tags_log, &err)
                  == 0)
    {
        fcgi_service_t  service = {
            .config = config, .store = &store, .catalog = catalog,
            .cache = cache, .tags = tags, .log = log, .access = access,
            .audit = &audit, .metrics = metrics, .gate = &gate, .root = root,
        };

        fcgi_worker_epoch(&store, log);
        store.lists = lists;
        rc = fcgi_worker_serve(&service, journal, listener, &err);
    }

    if (rc == -1) {
        fcgi_log(log, REG_LOG_ERROR, err.sys == 0 ? "worker: %s"
                 : "worker: %s (%s: %s)", reg_error_message(&err), err.where,
                 strerror(err.sys));
    }

    if (rc == 0) {
        fcgi_worker_journal_end(&store, journal);
        fcgi_worker_sum(tags, log);
        reg_tagcache_close(tags);
        fcgi_audit_close(&audit);
        reg_access_close(access);
        reg_catalog_free(catalog);
    }

    if (rc == 0 || tags == NULL) {           /* no thread has them, or had */
        reg_lists_free(lists);
        fcgi_cache_free(cache);
    }

    return rc == 0 ? 0 : 1;
}
