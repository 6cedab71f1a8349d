/*
 * fcgi_cache: bodies of manifests, which never change, by digest.
 *
 * That a body is here gives nobody a right to it: the repository's revision
 * link is asked each time, so a delete is seen at once by every process.
 *
 *     fcgi_cache_entry_t  *entry = fcgi_cache_get(cache, &digest);
 *
 *     if (entry == NULL) {
 *         … read and verify …
 *         entry = fcgi_cache_put(cache, &digest, type, body);
 *     }
 *     … send entry->body, outside of any lock …
 *     fcgi_cache_release(entry);
 *
 * Bounded by bytes, the least recently used goes first; what is larger than the
 * whole cache is handed through.  An entry lives until the last who got it
 * releases it, also when the cache has dropped it.  Safe to call from all
 * threads.
 */

#ifndef FCGI_CACHE_H
#define FCGI_CACHE_H

#include <stdatomic.h>

#include "reg_digest.h"
#include "reg_lru.h"
#include "reg_mediatype.h"

typedef struct fcgi_cache_s  fcgi_cache_t;

typedef struct fcgi_cache_entry_s {
    reg_lru_node_t              lru;        /* the cache's own */
    reg_digest_t                digest;
    const reg_mediatype_t      *type;
    reg_str_t                   body;       /* as long as the entry */

    /* these too */
    atomic_uint                 refs;
    struct fcgi_cache_entry_s  *chain;      /* the next in its bucket */
} fcgi_cache_entry_t;


/* max is in bytes; 0 keeps nothing.  NULL without memory. */
fcgi_cache_t *fcgi_cache_create(size_t max);
void fcgi_cache_free(fcgi_cache_t *cache);

/* NULL if it is not there; else the caller must release it. */
fcgi_cache_entry_t *fcgi_cache_get(fcgi_cache_t *cache,
    const reg_digest_t *digest);

/* Copies body, whose digest the caller has verified.  NULL without memory;
 * else the caller must release what it gets, kept or not. */
fcgi_cache_entry_t *fcgi_cache_put(fcgi_cache_t *cache,
    const reg_digest_t *digest, const reg_mediatype_t *type, reg_str_t body);

/* NULL is allowed. */
void fcgi_cache_release(fcgi_cache_entry_t *entry);

#endif
