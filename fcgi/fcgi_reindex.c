#include "fcgi_reindex.h"

#include "fcgi_metrics.h"
#include "reg_clock.h"


/* seconds from the start to the first look, at most */
#define FCGI_REINDEX_JITTER  1

/* seconds until the next look, while another process walks, or after a walk
 * that took longer than there is between two */
#define FCGI_REINDEX_AGAIN   1


typedef struct {
    const fcgi_service_t  *service;
    fcgi_chore_t          *chore;
    bool                   failed;      /* the last time */
} fcgi_reindex_t;


reg_catalog_t *
fcgi_reindex_catalog(const reg_config_t *config, reg_store_t *store,
    reg_error_t *err)
{
    return reg_catalog_create(store, 2 * config->catalog_refresh, err);
}


static int
fcgi_reindex_step(void *ctx)
{
    fcgi_reindex_t  *reindex = ctx;

    return fcgi_chore_pace(reindex->chore);
}


/* A tree that cannot be written to is told of once. */
static void
fcgi_reindex_log(fcgi_reindex_t *reindex, int rc,
    const reg_catalog_count_t *count, const reg_error_t *err)
{
    fcgi_log_t  *log = reindex->service->log;

    if (rc == -1) {
        fcgi_log(log, reindex->failed ? REG_LOG_DEBUG : REG_LOG_WARN,
                 "catalog: %s (%s: %s); every page walks through the tree",
                 reg_error_message(err), err->where, strerror(err->sys));

    } else if (rc == 0) {
        fcgi_log(log, count->added + count->dropped > 0 ? REG_LOG_INFO
                                                        : REG_LOG_DEBUG,
                 "catalog: %lld directories, %lld repositories added, %lld"
                 " dropped", (long long) count->directories,
                 (long long) count->added, (long long) count->dropped);
    }

    reindex->failed = rc == -1;
}


static void
fcgi_reindex_count(reg_metrics_t *metrics, int rc, int64_t usec)
{
    if (rc == 0) {
        reg_metrics_set(metrics, FCGI_METRICS_WALK_DURATION, 0, usec);
    }

    /* 1: another process is at it, or this one ends */
    if (rc != 1) {
        reg_metrics_add(metrics, FCGI_METRICS_WALKS,
                        rc == 0 ? FCGI_METRICS_DONE : FCGI_METRICS_FAILED, 1);
    }
}


/* Seconds until it is time for a walk; 0: it is. */
static int64_t
fcgi_reindex_left(const fcgi_reindex_t *reindex)
{
    int64_t  refresh = reindex->service->config->catalog_refresh;
    int64_t  age = reg_catalog_age(reindex->service->catalog, time(NULL));

    return age >= 0 && age < refresh ? refresh - age : 0;
}


/* A walk if it is time for one; the seconds to sleep. */
static int64_t
fcgi_reindex_round(fcgi_chore_t *chore, void *state)
{
    fcgi_reindex_t            *reindex = state;
    reg_catalog_t             *catalog = reindex->service->catalog;
    const reg_catalog_watch_t  watch = { fcgi_reindex_step, reindex };
    reg_catalog_count_t        count = { 0, 0, 0 };
    reg_error_t                err = REG_ERROR_INIT;
    int64_t                    left = fcgi_reindex_left(reindex), begin;
    int                        rc;

    if (left > 0) {
        return left;
    }

    if (reg_store_writable(reindex->service->store, &err) == -1) {
        return FCGI_REINDEX_AGAIN;
    }

    reindex->chore = chore;
    begin = reg_clock_ns(CLOCK_MONOTONIC);
    rc = reg_catalog_check(catalog, &watch, &count, &err);
    fcgi_reindex_count(reindex->service->metrics, rc,
                       (reg_clock_ns(CLOCK_MONOTONIC) - begin) / 1000);
    fcgi_reindex_log(reindex, rc, &count, &err);
    left = rc == -1 ? reindex->service->config->catalog_refresh
                    : fcgi_reindex_left(reindex);

    return left > 0 ? left : FCGI_REINDEX_AGAIN;
}


fcgi_chore_t *
fcgi_reindex_start(const fcgi_service_t *service, reg_error_t *err)
{
    const fcgi_reindex_t  reindex = { .service = service };

    return fcgi_chore_start(fcgi_reindex_round, &reindex, sizeof(reindex),
                            FCGI_REINDEX_JITTER, err);
}
