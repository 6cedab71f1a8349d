/*
 * fcgi_reindex: a chore that keeps the index of repositories right, whatever
 * other programs do to the tree (reg_catalog.h).
 *
 * nginx_registry.catalog_refresh says how often it walks through the tree; of
 * all processes that share the tree one does.  The index is good for twice
 * that time.
 */

#ifndef FCGI_REINDEX_H
#define FCGI_REINDEX_H

#include "fcgi_chore.h"
#include "fcgi_service.h"

/* The catalog as the configuration wants it.  NULL with err filled. */
reg_catalog_t *fcgi_reindex_catalog(const reg_config_t *config,
    reg_store_t *store, reg_error_t *err);

/* NULL with err filled. */
fcgi_chore_t *fcgi_reindex_start(const fcgi_service_t *service,
    reg_error_t *err);

#endif
