#include "fcgi_cache.h"

#include <pthread.h>


#define FCGI_CACHE_BUCKETS  4096


struct fcgi_cache_s {
    pthread_mutex_t      lock;
    size_t               max;
    size_t               used;
    reg_lru_t            lru;
    fcgi_cache_entry_t  *buckets[FCGI_CACHE_BUCKETS];
};


fcgi_cache_t *
fcgi_cache_create(size_t max)
{
    fcgi_cache_t  *cache = calloc(1, sizeof(*cache));

    if (cache == NULL) {
        return NULL;
    }

    if (pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }

    cache->max = max;
    return cache;
}


void
fcgi_cache_free(fcgi_cache_t *cache)
{
    if (cache == NULL) {
        return;
    }

    while (cache->lru.newest != NULL) {
        fcgi_cache_entry_t  *entry = (void *) cache->lru.newest;

        reg_lru_remove(&cache->lru, &entry->lru);
        fcgi_cache_release(entry);
    }

    (void) pthread_mutex_destroy(&cache->lock);      /* nobody holds it */
    free(cache);
}


/* Three hexadecimal digits of what is a hash already. */
static fcgi_cache_entry_t **
fcgi_cache_bucket(fcgi_cache_t *cache, const reg_digest_t *digest)
{
    const char  *hex = reg_digest_hex(digest);
    unsigned     n = 0;

    for (int i = 0; i < 3; i++) {
        unsigned  c = (unsigned char) hex[i];

        n = n << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }

    return &cache->buckets[n % FCGI_CACHE_BUCKETS];
}


static fcgi_cache_entry_t *
fcgi_cache_find(fcgi_cache_t *cache, const reg_digest_t *digest)
{
    fcgi_cache_entry_t  *entry = *fcgi_cache_bucket(cache, digest);

    while (entry != NULL && !reg_digest_eq(&entry->digest, digest)) {
        entry = entry->chain;
    }

    return entry;
}


static size_t
fcgi_cache_size(const fcgi_cache_entry_t *entry)
{
    return sizeof(*entry) + entry->body.len;
}


static void
fcgi_cache_evict(fcgi_cache_t *cache, fcgi_cache_entry_t *entry)
{
    fcgi_cache_entry_t  **p = fcgi_cache_bucket(cache, &entry->digest);

    while (*p != entry) {
        p = &(*p)->chain;
    }

    *p = entry->chain;
    reg_lru_remove(&cache->lru, &entry->lru);
    cache->used -= fcgi_cache_size(entry);
    fcgi_cache_release(entry);
}


fcgi_cache_entry_t *
fcgi_cache_get(fcgi_cache_t *cache, const reg_digest_t *digest)
{
    fcgi_cache_entry_t  *entry;

    (void) pthread_mutex_lock(&cache->lock);      /* fails for misuse only */

    entry = fcgi_cache_find(cache, digest);

    if (entry != NULL) {
        (void) atomic_fetch_add(&entry->refs, 1);
        reg_lru_use(&cache->lru, &entry->lru);
    }

    (void) pthread_mutex_unlock(&cache->lock);

    return entry;
}


fcgi_cache_entry_t *
fcgi_cache_put(fcgi_cache_t *cache, const reg_digest_t *digest,
    const reg_mediatype_t *type, reg_str_t body)
{
    fcgi_cache_entry_t   *entry = malloc(sizeof(*entry) + body.len);
    fcgi_cache_entry_t  **bucket;
    char                 *copy;

    if (entry == NULL) {
        return NULL;
    }

    copy = (char *) (entry + 1);
    memcpy(copy, body.data, body.len);

    entry->digest = *digest;
    entry->type = type;
    entry->body = (reg_str_t) { body.len, copy };
    atomic_init(&entry->refs, 1);

    if (fcgi_cache_size(entry) > cache->max) {
        return entry;
    }

    (void) pthread_mutex_lock(&cache->lock);      /* fails for misuse only */

    /* another thread may have read the same: ours serves this request only */
    if (fcgi_cache_find(cache, digest) == NULL) {
        while (cache->used + fcgi_cache_size(entry) > cache->max) {
            fcgi_cache_evict(cache, (void *) cache->lru.oldest);
        }

        bucket = fcgi_cache_bucket(cache, digest);
        entry->chain = *bucket;
        *bucket = entry;
        reg_lru_add(&cache->lru, &entry->lru);
        cache->used += fcgi_cache_size(entry);
        (void) atomic_fetch_add(&entry->refs, 1);
    }

    (void) pthread_mutex_unlock(&cache->lock);

    return entry;
}


void
fcgi_cache_release(fcgi_cache_entry_t *entry)
{
    if (entry != NULL && atomic_fetch_sub(&entry->refs, 1) == 1) {
        free(entry);
    }
}
