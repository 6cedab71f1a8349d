/*
 * What the worker has allowed, in memory that all of nginx's processes share.
 *
 *     key   SHA-256 of what the decision depends on, and of a secret that is
 *           made with the zone: nobody who sees keys can tell a credential
 *     tree  by key                        to find one
 *     queue by use, the latest first      to know who goes when it is full
 *
 * All entries have one size, so that one that goes makes room for one.  The
 * lock is held for one look or one change.  A reload keeps the zone with all
 * that is in it, unless its size is another one.
 */

#include "ngx_http_registry_module.h"

#include <openssl/rand.h>

#include "reg_hash.h"


#define NGX_HTTP_REGISTRY_ZONE_SIZE   (1024 * 1024)
#define NGX_HTTP_REGISTRY_ZONE_PAGES  8

/* seconds: a decision that is younger was of use, and its loss is complained
 * of, as often */
#define NGX_HTTP_REGISTRY_ZONE_MINUTE  60


typedef struct {
    ngx_rbtree_node_t            node;           /* key: its first bytes */
    ngx_queue_t                  queue;
    u_char                       key[NGX_HTTP_REGISTRY_KEY_SIZE];
    ngx_msec_t                   decided;
    time_t                       until;
    uint8_t                      user_len;
    u_char                       user[REG_USER_MAX];
} ngx_http_registry_entry_t;


typedef struct {
    ngx_rbtree_t                 rbtree;
    ngx_rbtree_node_t            sentinel;
    ngx_queue_t                  queue;
    time_t                       complained;
    u_char                       secret[NGX_HTTP_REGISTRY_KEY_SIZE];
} ngx_http_registry_entries_t;


typedef struct {
    ngx_http_registry_entries_t  *sh;
    ngx_slab_pool_t              *shpool;
} ngx_http_registry_zone_t;


static ngx_int_t ngx_http_registry_zone_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size);
static ngx_int_t ngx_http_registry_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static void ngx_http_registry_zone_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_rbtree_key_t ngx_http_registry_zone_node_key(const u_char *key);
static ngx_http_registry_entry_t *ngx_http_registry_zone_lookup(
    ngx_http_registry_entries_t *sh, const u_char *key);
static ngx_http_registry_entry_t *ngx_http_registry_zone_entry(
    ngx_http_registry_zone_t *zone, const u_char *key, ngx_uint_t *lost);


char *
ngx_http_registry_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_registry_main_conf_t *rmcf = conf;

    u_char     *colon;
    ssize_t     size;
    ngx_str_t  *value, name, s;

    if (rmcf->zone != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    name = value[1];
    colon = ngx_strlchr(name.data, name.data + name.len, ':');

    if (colon == NULL || colon == name.data) {
        return "must be NAME:SIZE";
    }

    s.data = colon + 1;
    s.len = name.data + name.len - s.data;
    name.len = colon - name.data;

    size = ngx_parse_size(&s);

    if (size == NGX_ERROR) {
        return "must be NAME:SIZE";
    }

    if (size < (ssize_t) (NGX_HTTP_REGISTRY_ZONE_PAGES * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small: %uz bytes are the least",
                           &name,
                           NGX_HTTP_REGISTRY_ZONE_PAGES * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    return ngx_http_registry_zone_add(cf, &name, size) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_registry_zone_default(ngx_conf_t *cf)
{
    ngx_http_registry_main_conf_t  *rmcf;

    static ngx_str_t  name = ngx_string("registry_auth");

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_registry_module);

    if (rmcf->zone != NULL || rmcf->places == 0) {
        return NGX_OK;
    }

    return ngx_http_registry_zone_add(cf, &name, NGX_HTTP_REGISTRY_ZONE_SIZE);
}


static ngx_int_t
ngx_http_registry_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size)
{
    ngx_http_registry_zone_t       *zone;
    ngx_http_registry_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_registry_module);

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_registry_zone_t));
    if (zone == NULL) {
        return NGX_ERROR;
    }

    rmcf->zone = ngx_shared_memory_add(cf, name, size,
                                       &ngx_http_registry_module);
    if (rmcf->zone == NULL) {
        return NGX_ERROR;
    }

    rmcf->zone->init = ngx_http_registry_zone_init;
    rmcf->zone->data = zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_registry_zone_t *old = data;
    ngx_http_registry_zone_t *zone = shm_zone->data;

    if (old != NULL) {
        *zone = *old;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    zone->sh = ngx_slab_calloc(zone->shpool,
                               sizeof(ngx_http_registry_entries_t));
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    if (RAND_bytes(zone->sh->secret, sizeof(zone->sh->secret)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "no random bytes for zone \"%V\"", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    ngx_rbtree_init(&zone->sh->rbtree, &zone->sh->sentinel,
                    ngx_http_registry_zone_insert);
    ngx_queue_init(&zone->sh->queue);

    zone->shpool->data = zone->sh;
    zone->shpool->log_nomem = 0;                 /* it is meant to be full */

    return NGX_OK;
}


static void
ngx_http_registry_zone_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t          **p;
    ngx_http_registry_entry_t   *entry, *other;

    entry = (ngx_http_registry_entry_t *) node;

    for ( ;; ) {
        other = (ngx_http_registry_entry_t *) temp;

        if (node->key != temp->key) {
            p = node->key < temp->key ? &temp->left : &temp->right;

        } else {
            p = ngx_memcmp(entry->key, other->key, sizeof(entry->key)) < 0
                ? &temp->left : &temp->right;
        }

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


static ngx_rbtree_key_t
ngx_http_registry_zone_node_key(const u_char *key)
{
    ngx_rbtree_key_t  node_key;

    ngx_memcpy(&node_key, key, sizeof(node_key));

    return node_key;
}


/* Under the lock, as all that follows with an entry in its result. */

static ngx_http_registry_entry_t *
ngx_http_registry_zone_lookup(ngx_http_registry_entries_t *sh,
    const u_char *key)
{
    ngx_int_t                   rc;
    ngx_rbtree_key_t            node_key;
    ngx_rbtree_node_t          *node;
    ngx_http_registry_entry_t  *entry;

    node_key = ngx_http_registry_zone_node_key(key);
    node = sh->rbtree.root;

    while (node != &sh->sentinel) {

        if (node_key != node->key) {
            node = node_key < node->key ? node->left : node->right;
            continue;
        }

        entry = (ngx_http_registry_entry_t *) node;
        rc = ngx_memcmp(key, entry->key, sizeof(entry->key));

        if (rc == 0) {
            ngx_queue_remove(&entry->queue);
            ngx_queue_insert_head(&sh->queue, &entry->queue);
            return entry;
        }

        node = rc < 0 ? node->left : node->right;
    }

    return NULL;
}


/* The entry of the key, a new one if there is none.  LOST: another one that was
 * still of use went for it.  NULL is for a zone that is smaller than an entry,
 * which the least size excludes. */

static ngx_http_registry_entry_t *
ngx_http_registry_zone_entry(ngx_http_registry_zone_t *zone,
    const u_char *key, ngx_uint_t *lost)
{
    ngx_queue_t                *q;
    ngx_http_registry_entry_t  *entry;

    entry = ngx_http_registry_zone_lookup(zone->sh, key);

    if (entry != NULL) {
        return entry;
    }

    entry = ngx_slab_alloc_locked(zone->shpool,
                                  sizeof(ngx_http_registry_entry_t));

    if (entry == NULL) {

        if (ngx_queue_empty(&zone->sh->queue)) {
            return NULL;
        }

        q = ngx_queue_last(&zone->sh->queue);
        entry = ngx_queue_data(q, ngx_http_registry_entry_t, queue);

        ngx_queue_remove(q);
        ngx_rbtree_delete(&zone->sh->rbtree, &entry->node);

        *lost = ngx_current_msec - entry->decided
                < NGX_HTTP_REGISTRY_ZONE_MINUTE * 1000;
    }

    entry->node.key = ngx_http_registry_zone_node_key(key);
    ngx_memcpy(entry->key, key, sizeof(entry->key));

    ngx_rbtree_insert(&zone->sh->rbtree, &entry->node);
    ngx_queue_insert_head(&zone->sh->queue, &entry->queue);

    return entry;
}


void
ngx_http_registry_zone_key(ngx_shm_zone_t *shm_zone,
    const ngx_http_registry_ask_t *ask, u_char *key)
{
    u_char                     binary[SHA512_DIGEST_LENGTH];
    uint32_t                   lens[3];
    reg_hash_t                 h;
    ngx_http_registry_zone_t  *zone;

    zone = shm_zone->data;

    /* what is no client's first, and lengths before what is: no two questions
     * are the same bytes */

    lens[0] = (uint32_t) ask->action;
    lens[1] = (uint32_t) ask->name.len;
    lens[2] = (uint32_t) ask->authorization.len;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, zone->sh->secret, sizeof(zone->sh->secret));
    reg_hash_update(&h, ask->place, NGX_HTTP_REGISTRY_KEY_SIZE);
    reg_hash_update(&h, &ask->epoch, sizeof(ask->epoch));
    reg_hash_update(&h, lens, sizeof(lens));
    reg_hash_update(&h, ask->name.data, ask->name.len);
    reg_hash_update(&h, ask->authorization.data, ask->authorization.len);
    reg_hash_binary(&h, binary);

    ngx_memcpy(key, binary, NGX_HTTP_REGISTRY_KEY_SIZE);
}


ngx_uint_t
ngx_http_registry_zone_fresh(const ngx_http_registry_allow_t *allow,
    ngx_msec_t valid)
{
    /* another process' clock may be some milliseconds ahead */

    return (ngx_msec_int_t) (ngx_current_msec - allow->decided)
           < (ngx_msec_int_t) valid
           && (allow->until == 0 || allow->until > ngx_time());
}


ngx_int_t
ngx_http_registry_zone_find(ngx_shm_zone_t *shm_zone, const u_char *key,
    ngx_msec_t valid, ngx_http_registry_allow_t *allow)
{
    ngx_http_registry_zone_t   *zone;
    ngx_http_registry_entry_t  *entry;

    zone = shm_zone->data;

    ngx_shmtx_lock(&zone->shpool->mutex);

    entry = ngx_http_registry_zone_lookup(zone->sh, key);

    if (entry != NULL) {
        allow->decided = entry->decided;
        allow->until = entry->until;
        allow->user_len = entry->user_len;
        ngx_memcpy(allow->user, entry->user, entry->user_len);
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return entry != NULL && ngx_http_registry_zone_fresh(allow, valid)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_registry_zone_keep(ngx_shm_zone_t *shm_zone, const u_char *key,
    const ngx_http_registry_allow_t *allow, ngx_log_t *log)
{
    ngx_uint_t                  lost, complain;
    ngx_http_registry_zone_t   *zone;
    ngx_http_registry_entry_t  *entry;

    zone = shm_zone->data;
    lost = 0;

    ngx_shmtx_lock(&zone->shpool->mutex);

    entry = ngx_http_registry_zone_entry(zone, key, &lost);

    if (entry != NULL) {
        entry->decided = allow->decided;
        entry->until = allow->until;
        entry->user_len = (uint8_t) allow->user_len;
        ngx_memcpy(entry->user, allow->user, allow->user_len);
    }

    complain = lost && ngx_time() - zone->sh->complained
                       >= NGX_HTTP_REGISTRY_ZONE_MINUTE;

    if (complain) {
        zone->sh->complained = ngx_time();
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    if (complain) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "zone \"%V\" is full: the decisions that were not used "
                      "for the longest time make room; a larger "
                      "registry_auth_zone keeps more",
                      &shm_zone->shm.name);
    }
}
