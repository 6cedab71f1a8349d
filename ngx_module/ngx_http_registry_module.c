#include "ngx_http_registry_module.h"

#include "reg_hash.h"


#define NGX_HTTP_REGISTRY_UPLOAD_BUFFER  (2 * 1024 * 1024)
#define NGX_HTTP_REGISTRY_MIN_FREE       (64 * 1024 * 1024)
#define NGX_HTTP_REGISTRY_AUTH_CACHE     60000
#define NGX_HTTP_REGISTRY_FORM           (64 * 1024)


static ngx_int_t ngx_http_registry_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_take(ngx_http_request_t *r,
    off_t *body);
static ngx_uint_t ngx_http_registry_whole_blob(ngx_http_request_t *r);

static ngx_int_t ngx_http_registry_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_registry_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_registry_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_registry_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void ngx_http_registry_exit_process(ngx_cycle_t *cycle);
static void ngx_http_registry_place(ngx_conf_t *cf,
    ngx_http_registry_loc_conf_t *conf);
static char *ngx_http_registry(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_registry_thread_pool(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_registry_directio(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_registry_check_buffer(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_post_t  ngx_http_registry_buffer_post = {
    ngx_http_registry_check_buffer
};


static ngx_command_t  ngx_http_registry_commands[] = {

    { ngx_string("registry"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_registry,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("registry_upload_buffer"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_registry_loc_conf_t, upload_buffer),
      &ngx_http_registry_buffer_post },

    { ngx_string("registry_upload_directio"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_registry_directio,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("registry_min_free"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_registry_loc_conf_t, min_free),
      NULL },

    { ngx_string("registry_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_registry_thread_pool,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("registry_auth"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_registry_loc_conf_t, auth),
      NULL },

    { ngx_string("registry_auth_cache"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_registry_loc_conf_t, auth_cache),
      NULL },

    { ngx_string("registry_auth_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_registry_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_registry_module_ctx = {
    ngx_http_registry_variables_add,           /* preconfiguration */
    ngx_http_registry_postconfiguration,   /* postconfiguration */

    ngx_http_registry_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_registry_create_loc_conf,     /* create location configuration */
    ngx_http_registry_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_registry_module = {
    NGX_MODULE_V1,
    &ngx_http_registry_module_ctx,         /* module context */
    ngx_http_registry_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_registry_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* Every request of a registry's location comes by here, and once more when the
 * worker was asked about it. */

static ngx_int_t
ngx_http_registry_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    off_t                          body;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    if (rlcf->store == NULL || r != r->main) {
        return NGX_DECLINED;
    }

#if (NGX_HTTP_GZIP)
    /* a compressed body would lose its Content-Length and its digest */
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    body = 0;
    rc = ngx_http_registry_take(r, &body);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_registry_filter_limit(r, body);
    }

    return rc == NGX_ERROR ? NGX_HTTP_INTERNAL_SERVER_ERROR
           : rc == NGX_OK ? NGX_DECLINED : rc;
}


/* NGX_OK: the request is the module's.  NGX_DECLINED: the worker's, and how
 * large a body it may bring.  NGX_AGAIN: the worker is being asked. */

static ngx_int_t
ngx_http_registry_take(ngx_http_request_t *r, off_t *body)
{
    ngx_int_t     rc;
    ngx_uint_t    i;
    reg_target_t  target;

    static const struct {
        ngx_uint_t           methods;
        reg_target_kind_t    kind;
        ngx_uint_t         (*also)(ngx_http_request_t *r);
        ngx_int_t          (*take)(ngx_http_request_t *r,
                                   const reg_target_t *target);
    } routes[] = {

        { NGX_HTTP_GET|NGX_HTTP_HEAD, REG_TARGET_BLOB, NULL,
          ngx_http_registry_blob_take },

        { NGX_HTTP_PATCH|NGX_HTTP_PUT, REG_TARGET_UPLOAD, NULL,
          ngx_http_registry_upload_take },

        { NGX_HTTP_POST, REG_TARGET_UPLOADS, ngx_http_registry_whole_blob,
          ngx_http_registry_upload_take },
    };

    /* what cannot be parsed is refused by the worker, with a reason */

    if (ngx_http_registry_target(r, &target) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (target.kind == routes[i].kind && (r->method & routes[i].methods)
            && (routes[i].also == NULL || routes[i].also(r)))
        {
            /* first who may, then what is there */

            rc = ngx_http_registry_access(r, &target);

            return rc == NGX_OK ? routes[i].take(r, &target) : rc;
        }
    }

    if (target.kind == REG_TARGET_MANIFEST && r->method == NGX_HTTP_PUT) {
        *body = REG_MANIFEST_MAX;

    } else if (target.kind == REG_TARGET_TOKEN && r->method == NGX_HTTP_POST) {
        *body = NGX_HTTP_REGISTRY_FORM;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_registry_target(ngx_http_request_t *r, reg_target_t *target)
{
    reg_error_t  err;

    err.code = REG_OK;
    err.detail_key = NULL;

    return reg_target_parse(target, ngx_http_registry_str(&r->uri),
                            ngx_http_registry_str(&r->unparsed_uri), &err)
           == -1 ? NGX_DECLINED : NGX_OK;
}


ngx_http_registry_ctx_t *
ngx_http_registry_ctx(ngx_http_request_t *r)
{
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_registry_ctx_t));

        if (ctx != NULL) {
            ngx_http_set_ctx(r, ctx, ngx_http_registry_module);
        }
    }

    return ctx;
}


/* A POST that brings a whole blob with it.  One without a body only says what
 * will come: that starts a session, which is the worker's. */

static ngx_uint_t
ngx_http_registry_whole_blob(ngx_http_request_t *r)
{
    char          value[REG_QUERY_VALUE_MAX];
    reg_str_t     query = ngx_http_registry_str(&r->args);
    reg_digest_t  digest;

    if (reg_query_get(query, "mount", value, sizeof(value)) != 0
        || reg_query_get(query, "digest", value, sizeof(value)) != 1)
    {
        return 0;
    }

    return r->headers_in.chunked || r->headers_in.content_length_n > 0
           || (reg_digest_parse(&digest, reg_str_from(value)) == 0
               && reg_digest_is_empty(&digest));
}


static ngx_int_t
ngx_http_registry_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_registry_handler;

    if (ngx_http_registry_zone_default(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_registry_filter_init(cf);
}


static void *
ngx_http_registry_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_registry_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_registry_main_conf_t));

    if (conf == NULL
        || ngx_array_init(&conf->stores, cf->pool, 4, sizeof(reg_store_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return conf;
}


static void *
ngx_http_registry_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_registry_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_registry_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->root = { 0, NULL };
     *     conf->file = { 0, NULL };
     *     conf->presence = NULL;
     *     conf->settled = 0;
     *     conf->looked_at_all = 0;
     *     conf->open = 0;
     */

    conf->store = NGX_CONF_UNSET_PTR;
    conf->thread_pool = NGX_CONF_UNSET_PTR;
    conf->upload_buffer = NGX_CONF_UNSET_SIZE;
    conf->upload_directio = NGX_CONF_UNSET;
    conf->min_free = NGX_CONF_UNSET;
    conf->auth = NGX_CONF_UNSET;
    conf->auth_cache = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_registry_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_registry_loc_conf_t *prev = parent;
    ngx_http_registry_loc_conf_t *conf = child;

    reg_error_t                     err = REG_ERROR_INIT;
    reg_store_t                   **store;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_registry_main_conf_t  *rmcf;

    ngx_conf_merge_ptr_value(conf->store, prev->store, NULL);
    ngx_conf_merge_str_value(conf->root, prev->root, "");
    ngx_conf_merge_ptr_value(conf->thread_pool, prev->thread_pool, NULL);
    ngx_conf_merge_size_value(conf->upload_buffer, prev->upload_buffer,
                              NGX_HTTP_REGISTRY_UPLOAD_BUFFER);
    ngx_conf_merge_off_value(conf->upload_directio, prev->upload_directio,
                             REG_UPLOAD_CACHED);
    ngx_conf_merge_off_value(conf->min_free, prev->min_free,
                             NGX_HTTP_REGISTRY_MIN_FREE);
    ngx_conf_merge_value(conf->auth, prev->auth, 1);
    ngx_conf_merge_msec_value(conf->auth_cache, prev->auth_cache,
                              NGX_HTTP_REGISTRY_AUTH_CACHE);

    if (conf->file.data == NULL) {
        conf->file = prev->file;
        conf->line = prev->line;
    }

    if (conf->store == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->store == prev->store && conf->min_free != prev->min_free) {

        /* a nested location with a limit of its own */

        conf->store = ngx_palloc(cf->pool, sizeof(reg_store_t));
        if (conf->store == NULL
            || reg_store_init(conf->store, ngx_http_registry_str(&conf->root),
                              &err) == -1)
        {
            return NGX_CONF_ERROR;
        }
    }

    conf->store->min_free = conf->min_free;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_registry_module);
    store = ngx_array_push(&rmcf->stores);

    if (store == NULL) {
        return NGX_CONF_ERROR;
    }

    *store = conf->store;

    ngx_http_registry_place(cf, conf);

    if (conf->thread_pool == NULL) {
        conf->thread_pool = ngx_thread_pool_add(cf, NULL);
        if (conf->thread_pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    /* what a registry's location needs and people forget */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->absolute_redirect = 0;

    if (clcf->client_max_body_size == 1024 * 1024) {

        /* nginx's default: nobody means it for a registry */
        clcf->client_max_body_size = 0;

    } else if (clcf->client_max_body_size != 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"client_max_body_size %O\" limits the layers "
                           "that can be pushed to the registry in \"%V\"",
                           clcf->client_max_body_size, &clcf->name);
    }

    return NGX_CONF_OK;
}


/* What uploads have left in the journal gets its checkpoint. */

static void
ngx_http_registry_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    reg_store_t                   **stores;
    ngx_http_registry_main_conf_t  *rmcf;

    rmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_registry_module);
    if (rmcf == NULL) {
        return;
    }

    stores = rmcf->stores.elts;

    for (i = 0; i < rmcf->stores.nelts; i++) {
        reg_guest_end(stores[i]);
    }
}


/* Which location this is.  Two of them may have one tree and workers that
 * decide differently, so neither uses what the other was told; and after a
 * reload the same location goes on with what it knew. */

static void
ngx_http_registry_place(ngx_conf_t *cf, ngx_http_registry_loc_conf_t *conf)
{
    u_char                          binary[SHA512_DIGEST_LENGTH];
    ngx_str_t                      *texts[4];
    ngx_uint_t                      i, numbers[3];
    reg_hash_t                      h;
    ngx_http_core_srv_conf_t       *cscf;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_registry_main_conf_t  *rmcf;

    rmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_registry_module);
    cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    texts[0] = &conf->root;
    texts[1] = &conf->file;
    texts[2] = &cscf->server_name;
    texts[3] = &clcf->name;

    numbers[0] = rmcf->places++;
    numbers[1] = conf->line;
    numbers[2] = cscf->line;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, numbers, sizeof(numbers));

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        reg_hash_update(&h, &texts[i]->len, sizeof(texts[i]->len));
        reg_hash_update(&h, texts[i]->data, texts[i]->len);
    }

    reg_hash_binary(&h, binary);
    ngx_memcpy(conf->place, binary, sizeof(conf->place));
}


static char *
ngx_http_registry(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_registry_loc_conf_t *rlcf = conf;

    ngx_str_t    *value;
    reg_error_t   err = REG_ERROR_INIT;

    if (rlcf->store != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->store = NULL;
        return NGX_CONF_OK;
    }

    rlcf->root = value[1];
    rlcf->file = cf->conf_file->file.name;
    rlcf->line = cf->conf_file->line;

    if (ngx_conf_full_name(cf->cycle, &rlcf->root, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rlcf->store = ngx_palloc(cf->pool, sizeof(reg_store_t));
    if (rlcf->store == NULL) {
        return NGX_CONF_ERROR;
    }

    if (reg_store_init(rlcf->store, ngx_http_registry_str(&rlcf->root), &err)
        == -1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %s", &cmd->name,
                           err.message);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_registry_thread_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_registry_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->thread_pool != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    rlcf->thread_pool = ngx_thread_pool_add(cf, &value[1]);

    return rlcf->thread_pool == NULL ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static char *
ngx_http_registry_directio(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_registry_loc_conf_t *rlcf = conf;

    ngx_str_t  *value;

    if (rlcf->upload_directio != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->upload_directio = NGX_MAX_OFF_T_VALUE;
        return NGX_CONF_OK;
    }

    rlcf->upload_directio = ngx_parse_offset(&value[1]);

    return rlcf->upload_directio == (off_t) NGX_ERROR ? "invalid value"
                                                      : NGX_CONF_OK;
}


static char *
ngx_http_registry_check_buffer(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    if (*size < 4096 || *size > 64 * 1024 * 1024) {
        return "must be between 4k and 64m";
    }

    return NGX_CONF_OK;
}
