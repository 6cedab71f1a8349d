#include "fcgi_purge.h"

#include "fcgi_metrics.h"
#include "reg_clock.h"
#include "reg_purge.h"
#include "reg_removal.h"
#include "reg_turn.h"


/* seconds after which what a crash left in _tmp/ is nobody's */
#define FCGI_PURGE_LITTER  86400

/* seconds between two looks whether the registry is still read-only */
#define FCGI_PURGE_SLEEP   3600


typedef struct {
    const fcgi_service_t  *service;
    fcgi_chore_t          *chore;
    reg_turn_t             turn;
} fcgi_purge_t;


static int
fcgi_purge_step(void *ctx, const reg_purge_count_t *count)
{
    fcgi_purge_t  *p = ctx;

    (void) count;

    return fcgi_chore_pace(p->chore);
}


static void
fcgi_purge_odd(void *ctx, const char *about, const reg_error_t *err)
{
    fcgi_purge_t  *p = ctx;

    fcgi_log(p->service->log, REG_LOG_WARN, "purge: %s: %s (%s: %s)", about,
             reg_error_message(err), err->where, strerror(err->sys));
}


static void
fcgi_purge_count(reg_metrics_t *metrics, const reg_purge_count_t *count,
    bool dry_run)
{
    reg_metrics_add(metrics, FCGI_METRICS_PURGES, 0, 1);
    reg_metrics_add(metrics, FCGI_METRICS_PURGED, FCGI_METRICS_FAILED,
                    count->failed);

    if (!dry_run) {
        reg_metrics_add(metrics, FCGI_METRICS_PURGED, FCGI_METRICS_DONE,
                        count->purged);
        reg_metrics_add(metrics, FCGI_METRICS_PURGED_BYTES, 0, count->bytes);
    }
}


static void
fcgi_purge_uploads(fcgi_purge_t *p, time_t now)
{
    const reg_config_t  *config = p->service->config;
    reg_purge_count_t    count = { 0 };
    reg_error_t          err = REG_ERROR_INIT;
    reg_purge_t          purge = {
        .since = now - (time_t) config->purge_age,
        .dry_run = config->purge_dryrun,
        .step = fcgi_purge_step, .odd = fcgi_purge_odd, .ctx = p,
    };

    if (reg_purge_all(p->service->store, &purge, &count, &err) == -1) {
        fcgi_purge_odd(p, "repositories", &err);
    }

    fcgi_purge_count(p->service->metrics, &count, config->purge_dryrun);
    fcgi_log(p->service->log,
             count.purged + count.failed > 0 ? REG_LOG_INFO : REG_LOG_DEBUG,
             "purge: %lld of %lld uploads %s, %lld bytes, %lld failed",
             (long long) count.purged, (long long) count.uploads,
             config->purge_dryrun ? "would be removed" : "removed",
             (long long) count.bytes, (long long) count.failed);
}


/* A round if it is time for one; the seconds to sleep. */
static int64_t
fcgi_purge_round(fcgi_chore_t *chore, void *state)
{
    fcgi_purge_t        *p = state;
    const reg_config_t  *config = p->service->config;
    reg_turn_clock_t     now;
    reg_path_t           file;
    reg_error_t          err = REG_ERROR_INIT;
    int64_t              wait;

    if (config->readonly
        || reg_store_writable(p->service->store, &err) == -1)
    {
        return FCGI_PURGE_SLEEP;
    }

    p->chore = chore;
    now.interval = config->purge_interval;
    now.wall = time(NULL);
    now.steady = reg_clock_ns(CLOCK_BOOTTIME) / REG_CLOCK_SECOND;

    reg_layout_purge(&file, &p->service->store->v2);
    wait = reg_turn_take(&p->turn, p->service->store, &file, &now, &err);

    if (wait == -1) {
        fcgi_purge_odd(p, "turn", &err);
        return now.interval;
    }

    if (wait > 0) {
        return wait;
    }

    reg_removal_sweep(p->service->store, now.wall, FCGI_PURGE_LITTER);

    if (config->purge_enabled) {
        fcgi_purge_uploads(p, now.wall);
    }

    reg_turn_end(&p->turn);

    return now.interval;
}


fcgi_chore_t *
fcgi_purge_start(const fcgi_service_t *service, reg_error_t *err)
{
    const fcgi_purge_t  purge = { .service = service, .turn = REG_TURN_INIT };
    int64_t             within = service->config->purge_interval / 8;

    within = within < FCGI_PURGE_JITTER ? within : FCGI_PURGE_JITTER;

    return fcgi_chore_start(fcgi_purge_round, &purge, sizeof(purge), within,
                            err);
}
