/*
 * What was allowed a moment ago, in memory that all workers share.
 *
 * An entry is the SHA-256 of everything that the decision depends on, with a
 * secret of the zone before it, so that the memory holds no credentials and
 * nobody can aim at an entry; until when it holds; and the user's name for the
 * log.  Only what was allowed is kept.
 *
 * Entries are found by a tree and ordered by a queue, the least recently used
 * last; when there is no room it makes some.  The lock is held for one lookup.
 */

#include "ngx_http_registry_module.h"

#include <sys/random.h>


#define NGX_HTTP_REGISTRY_ZONE_SECRET  32

/* what one entry that comes may push out, if it is larger */
#define NGX_HTTP_REGISTRY_ZONE_EVICT   4


typedef struct {
    ngx_rbtree_node_t            node;           /* its key: 4 or 8 bytes of: */
    ngx_queue_t                  queue;
    u_char                       key[NGX_HTTP_REGISTRY_KEY];
    time_t                       until;
    u_short                      len;
    u_char                       user[1];
} ngx_http_registry_entry_t;


typedef struct {
    ngx_rbtree_t                 rbtree;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  queue;
    u_char                       secret[NGX_HTTP_REGISTRY_ZONE_SECRET];
} ngx_http_registry_shctx_t;


typedef struct {
    ngx_http_registry_shctx_t   *sh;
    ngx_slab_pool_t             *shpool;
} ngx_http_registry_zone_t;


static ngx_int_t ngx_http_registry_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_registry_zone_cmp(ngx_rbtree_node_t *node,
    const u_char *key);
static void ngx_http_registry_zone_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_http_registry_entry_t *ngx_http_registry_zone_lookup(
    ngx_http_registry_shctx_t *sh, const u_char *key);
static void ngx_http_registry_zone_delete(ngx_http_registry_zone_t *zone,
    ngx_http_registry_entry_t *e);


ngx_shm_zone_t *
ngx_http_registry_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_shm_zone_t            *shm_zone;
    ngx_http_registry_zone_t  *zone;

    shm_zone = ngx_shared_memory_add(cf, name, size, &ngx_http_registry_module);

    if (shm_zone == NULL || shm_zone->data) {
        return shm_zone;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_registry_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_http_registry_zone_init;
    shm_zone->data = zone;

    return shm_zone;
}


static ngx_int_t
ngx_http_registry_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_registry_zone_t  *old = data;
    ngx_http_registry_zone_t  *zone = shm_zone->data;

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old) {
        zone->sh = old->sh;
        return NGX_OK;
    }

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    zone->sh = ngx_slab_calloc(zone->shpool,
                               sizeof(ngx_http_registry_shctx_t));
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    zone->shpool->data = zone->sh;
    zone->shpool->log_nomem = 0;                 /* it makes room */

    ngx_rbtree_init(&zone->sh->rbtree, &zone->sh->sentinel,
                    ngx_http_registry_zone_insert);
    ngx_queue_init(&zone->sh->queue);

    if (getrandom(zone->sh->secret, NGX_HTTP_REGISTRY_ZONE_SECRET, 0)
        != NGX_HTTP_REGISTRY_ZONE_SECRET)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_zone_cmp(ngx_rbtree_node_t *node, const u_char *key)
{
    ngx_http_registry_entry_t  *e = (ngx_http_registry_entry_t *) node;

    return ngx_memcmp(key, e->key, NGX_HTTP_REGISTRY_KEY);
}


static void
ngx_http_registry_zone_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t          **p;
    ngx_http_registry_entry_t   *e = (ngx_http_registry_entry_t *) node;

    for ( ;; ) {
        p = ngx_http_registry_zone_cmp(temp, e->key) < 0 ? &temp->left
                                                         : &temp->right;
        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_http_registry_entry_t *
ngx_http_registry_zone_lookup(ngx_http_registry_shctx_t *sh, const u_char *key)
{
    ngx_int_t           rc;
    ngx_rbtree_node_t  *node;

    node = sh->rbtree.root;

    while (node != &sh->sentinel) {
        rc = ngx_http_registry_zone_cmp(node, key);

        if (rc == 0) {
            return (ngx_http_registry_entry_t *) node;
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_http_registry_zone_delete(ngx_http_registry_zone_t *zone,
    ngx_http_registry_entry_t *e)
{
    ngx_queue_remove(&e->queue);
    ngx_rbtree_delete(&zone->sh->rbtree, &e->node);
    ngx_slab_free_locked(zone->shpool, e);
}


void
ngx_http_registry_zone_key(ngx_shm_zone_t *shm_zone, const ngx_str_t *parts,
    size_t n, u_char *key)
{
    size_t                     i, len;
    reg_hash_t                 hash;
    ngx_http_registry_zone_t  *zone = shm_zone->data;

    reg_hash_init(&hash, REG_SHA256);
    reg_hash_update(&hash, zone->sh->secret, NGX_HTTP_REGISTRY_ZONE_SECRET);

    for (i = 0; i < n; i++) {
        len = parts[i].len;
        reg_hash_update(&hash, &len, sizeof(len));
        reg_hash_update(&hash, parts[i].data, len);
    }

    reg_hash_binary(&hash, key);
}


ngx_int_t
ngx_http_registry_zone_get(ngx_shm_zone_t *shm_zone, const u_char *key,
    ngx_pool_t *pool, ngx_str_t *user)
{
    ngx_int_t                   rc;
    ngx_http_registry_zone_t   *zone = shm_zone->data;
    ngx_http_registry_entry_t  *e;

    rc = NGX_DECLINED;

    ngx_shmtx_lock(&zone->shpool->mutex);

    e = ngx_http_registry_zone_lookup(zone->sh, key);

    if (e && ngx_time() >= e->until) {
        ngx_http_registry_zone_delete(zone, e);
        e = NULL;
    }

    if (e) {
        ngx_queue_remove(&e->queue);
        ngx_queue_insert_head(&zone->sh->queue, &e->queue);

        rc = NGX_OK;
        user->len = e->len;
        user->data = ngx_pnalloc(pool, e->len + 1);

        if (user->data) {
            ngx_memcpy(user->data, e->user, e->len);
        } else {
            user->len = 0;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


void
ngx_http_registry_zone_put(ngx_shm_zone_t *shm_zone, const u_char *key,
    time_t until, const ngx_str_t *user)
{
    size_t                      size;
    ngx_uint_t                  i;
    ngx_queue_t                *q;
    ngx_http_registry_zone_t   *zone = shm_zone->data;
    ngx_http_registry_entry_t  *e;

    size = offsetof(ngx_http_registry_entry_t, user) + user->len;

    ngx_shmtx_lock(&zone->shpool->mutex);

    e = ngx_http_registry_zone_lookup(zone->sh, key);

    if (e) {
        ngx_http_registry_zone_delete(zone, e);
    }

    e = ngx_slab_alloc_locked(zone->shpool, size);

    for (i = 0; e == NULL && i < NGX_HTTP_REGISTRY_ZONE_EVICT; i++) {

        if (ngx_queue_empty(&zone->sh->queue)) {
            break;
        }

        q = ngx_queue_last(&zone->sh->queue);
        ngx_http_registry_zone_delete(zone,
                      ngx_queue_data(q, ngx_http_registry_entry_t, queue));

        e = ngx_slab_alloc_locked(zone->shpool, size);
    }

    if (e) {
        ngx_memcpy(e->key, key, NGX_HTTP_REGISTRY_KEY);
        ngx_memcpy(&e->node.key, key, sizeof(e->node.key));
        e->until = until;
        e->len = (u_short) user->len;
        ngx_memcpy(e->user, user->data, user->len);

        ngx_rbtree_insert(&zone->sh->rbtree, &e->node);
        ngx_queue_insert_head(&zone->sh->queue, &e->queue);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}
