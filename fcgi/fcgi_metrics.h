/*
 * fcgi_metrics: what the worker counts, as one table, and the answer that
 * Prometheus asks for.
 *
 *     reg_metrics_add(service->metrics, FCGI_METRICS_TOKENS, 0, 1);
 *
 * Labels are numbers of the table's words, never text of a client's.
 *
 * The answer is at http.debug.prometheus.path, if it is enabled, for a location
 * of nginx's that has no registry directive: a request that comes by one that
 * has, and so everything below /v2/, never gets it.  Nobody is asked who they
 * are: that location says who may.
 */

#ifndef FCGI_METRICS_H
#define FCGI_METRICS_H

#include "fcgi_reply.h"
#include "fcgi_request.h"
#include "fcgi_service.h"

typedef enum {
    FCGI_METRICS_BUILD,
    FCGI_METRICS_START,
    FCGI_METRICS_DEATHS,
    FCGI_METRICS_REQUESTS,
    FCGI_METRICS_DURATION,
    FCGI_METRICS_MANIFEST_BYTES,
    FCGI_METRICS_MANIFEST_CACHE,
    FCGI_METRICS_ACCESS,
    FCGI_METRICS_TOKENS,
    FCGI_METRICS_TAGS,
    FCGI_METRICS_REDIS_CHANGES,
    FCGI_METRICS_LIST_OPENED,
    FCGI_METRICS_LIST_READ,
    FCGI_METRICS_LIST_UPDATED,
    FCGI_METRICS_WALKS,
    FCGI_METRICS_WALK_DURATION,
    FCGI_METRICS_CATALOG_AGE,
    FCGI_METRICS_PURGES,
    FCGI_METRICS_PURGED,
    FCGI_METRICS_PURGED_BYTES,

    /* of each process */
    FCGI_METRICS_PROCESS_START,
    FCGI_METRICS_PROCESS_MEMORY,
    FCGI_METRICS_THREADS,
    FCGI_METRICS_THREADS_BUSY,
    FCGI_METRICS_CONNECTIONS,
    FCGI_METRICS_LIST_BYTES,
    FCGI_METRICS_REDIS_UP,
    FCGI_METRICS_REDIS_FOLLOWS,
    FCGI_METRICS
} fcgi_metrics_t;

/* words of labels */
enum { FCGI_METRICS_IN, FCGI_METRICS_OUT };
enum { FCGI_METRICS_HIT, FCGI_METRICS_MISS };
enum { FCGI_METRICS_DONE, FCGI_METRICS_FAILED };
enum { FCGI_METRICS_TO_UP, FCGI_METRICS_TO_DOWN };
enum { FCGI_METRICS_ACCESS_TOKEN, FCGI_METRICS_REFRESH_TOKEN };


/* For as many processes at a time; before they are made. */
reg_metrics_t *fcgi_metrics_create(size_t processes, reg_error_t *err);

/* In a new process. */
void fcgi_metrics_enter(reg_metrics_t *metrics, size_t process,
    const reg_config_t *config);

/* A request that was answered. */
void fcgi_metrics_request(const fcgi_service_t *service,
    const fcgi_request_t *r, const fcgi_reply_t *reply, int64_t usec);

/* A decision on who may come in. */
void fcgi_metrics_access(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_access_verdict_t *verdict);

/* Redis is used from now on, or no longer. */
void fcgi_metrics_redis(reg_metrics_t *metrics, bool up, bool follows);

/* Whether a request is for what fcgi_metrics_get() answers. */
bool fcgi_metrics_asked(const fcgi_service_t *service,
    const fcgi_request_t *r);

void fcgi_metrics_get(const fcgi_service_t *service, fcgi_reply_t *reply);

#endif
