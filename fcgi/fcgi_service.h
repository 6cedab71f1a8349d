/*
 * fcgi_service: what a handler may use.  Made once per process, then shared
 * by its threads.
 */

#ifndef FCGI_SERVICE_H
#define FCGI_SERVICE_H

#include <pthread.h>

#include "fcgi_audit.h"
#include "fcgi_cache.h"
#include "fcgi_log.h"
#include "reg_access.h"
#include "reg_catalog.h"
#include "reg_config.h"
#include "reg_metrics.h"
#include "reg_store.h"
#include "reg_tagcache.h"

/* a manifest above this size passes through the gate */
#define FCGI_SERVICE_LARGE  (256 * 1024)

typedef struct {
    const reg_config_t  *config;
    reg_store_t         *store;
    reg_catalog_t       *catalog;
    fcgi_cache_t        *cache;
    reg_tagcache_t      *tags;
    fcgi_log_t          *log;
    reg_access_t        *access;
    const fcgi_audit_t  *audit;
    reg_metrics_t       *metrics;   /* fcgi_metrics.h */
    pthread_mutex_t     *gate;      /* one large manifest at a time: parsed,
                                       4 MiB of JSON become tens */
    const char          *root;      /* the tree, by its real path */
} fcgi_service_t;

#endif
