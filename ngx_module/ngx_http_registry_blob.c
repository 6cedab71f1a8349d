/*
 * GET and HEAD of a blob: one lstat of the repository's link, then a file of
 * nginx's own, through its open file cache, with its ranges and conditions.
 * A blob that is asked for again and again is known to be there, without the
 * lstat, and without the file for HEAD: see reg_presence.h.
 */

#include "ngx_http_registry_module.h"


/* up to this size a copy costs less than a second system call and packet */
#define NGX_HTTP_REGISTRY_BLOB_SMALL  (32 * 1024)

/* from this size on the header does not travel alone */
#define NGX_HTTP_REGISTRY_BLOB_LARGE  (1024 * 1024)


static reg_presence_t *ngx_http_registry_blob_presence(
    ngx_http_registry_loc_conf_t *rlcf);
static void ngx_http_registry_blob_forget(void *data);
static ngx_uint_t ngx_http_registry_blob_is_settled(
    ngx_http_registry_loc_conf_t *rlcf);
static ngx_int_t ngx_http_registry_blob_etag(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_digest_t *digest);
static ngx_int_t ngx_http_registry_blob_open(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_target_t *target,
    const reg_presence_blob_t *known);
static ngx_int_t ngx_http_registry_blob_cached(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_presence_blob_t *known);
static ngx_uint_t ngx_http_registry_blob_replaced(
    const ngx_open_file_info_t *of, const reg_presence_blob_t *known);
static ngx_int_t ngx_http_registry_blob_file(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, ngx_open_file_cache_t *cache);
static ngx_int_t ngx_http_registry_blob_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_blob_headers(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_blob_output(ngx_http_request_t *r,
    ngx_chain_t *out);


ngx_int_t
ngx_http_registry_blob_take(ngx_http_request_t *r, const reg_target_t *target)
{
    ngx_int_t                      rc;
    reg_presence_t                *presence;
    ngx_http_registry_ctx_t       *ctx;
    const reg_presence_blob_t     *known;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    ctx = ngx_http_registry_ctx(r);
    presence = ngx_http_registry_blob_presence(rlcf);

    if (ctx == NULL || presence == NULL) {
        return NGX_ERROR;
    }

    if (!ngx_http_registry_blob_is_settled(rlcf)) {
        return NGX_DECLINED;
    }

    /* a delete is seen at once by every process */

    known = reg_presence_find(presence, &target->name, &target->digest,
                              ngx_time());

    if (known == NULL
        && !reg_presence_look(presence, &target->name, &target->digest,
                              ngx_time()))
    {
        return NGX_DECLINED;
    }

    if (ngx_http_registry_blob_etag(r, ctx, &target->digest) != NGX_OK) {
        return NGX_ERROR;
    }

    if (known != NULL && r->method == NGX_HTTP_HEAD) {
        ctx->of.fd = NGX_INVALID_FILE;           /* only its size is needed */
        ctx->of.size = known->size;
        rc = NGX_OK;

    } else {
        rc = ngx_http_registry_blob_open(r, ctx, target, known);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (known == NULL) {
        reg_presence_note(presence, &target->name, &target->digest,
                          ngx_time());
    }

    r->content_handler = ngx_http_registry_blob_handler;

    return NGX_OK;
}


/* Of this process, made when it is first asked for. */

static reg_presence_t *
ngx_http_registry_blob_presence(ngx_http_registry_loc_conf_t *rlcf)
{
    ngx_pool_cleanup_t  *cln;

    if (rlcf->presence != NULL) {
        return rlcf->presence;
    }

    cln = ngx_pool_cleanup_add(ngx_cycle->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    rlcf->presence = reg_presence_create(&rlcf->store->v2);

    cln->handler = ngx_http_registry_blob_forget;
    cln->data = rlcf->presence;

    return rlcf->presence;
}


static void
ngx_http_registry_blob_forget(void *data)
{
    reg_presence_free(data);
}


/* Blobs of the last moment before a power cut are not what they should be until
 * a worker has started, which lets nobody in before.  Where no worker is asked
 * who may, a look must do, and one that was good is good for ever. */

static ngx_uint_t
ngx_http_registry_blob_is_settled(ngx_http_registry_loc_conf_t *rlcf)
{
    if (!rlcf->settled) {
        rlcf->settled = rlcf->auth || reg_logfile_is_settled(rlcf->store);
    }

    return rlcf->settled;
}


static ngx_int_t
ngx_http_registry_blob_etag(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_digest_t *digest)
{
    u_char     *p;
    reg_str_t   text = reg_digest_str(digest);

    p = ngx_pnalloc(r->pool, text.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->etag.data = p;
    ctx->etag.len = text.len + 2;

    *p++ = '"';
    p = ngx_cpymem(p, text.data, text.len);
    *p = '"';

    return NGX_OK;
}


/* NGX_DECLINED: it is not there, or not as it should be. */

static ngx_int_t
ngx_http_registry_blob_open(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_target_t *target,
    const reg_presence_blob_t *known)
{
    reg_path_t                     path;
    ngx_open_file_info_t          *of = &ctx->of;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    reg_layout_blob(&path, &rlcf->store->v2, &target->digest);

    ctx->path.len = path.len;
    ctx->path.data = ngx_pnalloc(r->pool, path.len + 1);

    if (ctx->path.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(ctx->path.data, path.text, path.len + 1);

    if (ngx_http_registry_blob_cached(r, ctx, known) != NGX_OK) {
        if (of->err == 0) {
            return NGX_ERROR;
        }

        ngx_log_error(NGX_LOG_ERR, r->connection->log, of->err,
                      "%s \"%V\" failed: the repository links to it",
                      of->failed, &ctx->path);
        return NGX_DECLINED;
    }

    if (!of->is_file) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"%V\" is not a regular file", &ctx->path);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* The cache looks at a file again after open_file_cache_valid only.  A push
 * that heals a damaged blob puts a new file in the place of the one that it
 * holds open.  Then, and where it remembers that there was none, the cache is
 * not asked. */

static ngx_int_t
ngx_http_registry_blob_cached(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_presence_blob_t *known)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    rc = ngx_http_registry_blob_file(r, ctx, clcf->open_file_cache);

    if (clcf->open_file_cache == NULL
        || (rc != NGX_OK && ctx->of.err == 0)
        || (rc == NGX_OK
            && !ngx_http_registry_blob_replaced(&ctx->of, known)))
    {
        return rc;
    }

    return ngx_http_registry_blob_file(r, ctx, NULL);
}


/* It is another file than what is known, or has no name any more: one look at
 * what is open tells. */

static ngx_uint_t
ngx_http_registry_blob_replaced(const ngx_open_file_info_t *of,
    const reg_presence_blob_t *known)
{
    ngx_file_info_t  fi;

    if (known != NULL) {
        return of->uniq != known->inode;
    }

    return of->is_file && ngx_fd_info(of->fd, &fi) != NGX_FILE_ERROR
           && fi.st_nlink == 0;
}


static ngx_int_t
ngx_http_registry_blob_file(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, ngx_open_file_cache_t *cache)
{
    ngx_open_file_info_t      *of = &ctx->of;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_memzero(of, sizeof(ngx_open_file_info_t));

    of->read_ahead = clcf->read_ahead;
    of->directio = clcf->directio;
    of->valid = clcf->open_file_cache_valid;
    of->min_uses = clcf->open_file_cache_min_uses;
    of->errors = clcf->open_file_cache_errors;
    of->events = clcf->open_file_cache_events;

#if (NGX_HAVE_OPENAT)
    /* the file itself must be one: a symbolic link could lead out of ROOT */
    of->disable_symlinks = NGX_DISABLE_SYMLINKS_ON;
    of->disable_symlinks_from = ctx->path.len - (sizeof("/data") - 1);
#endif

    return ngx_open_cached_file(cache, &ctx->path, of, r->pool);
}


static ngx_int_t
ngx_http_registry_blob_headers(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_table_elt_t  *etag;

    etag = ngx_list_push(&r->headers_out.headers);
    if (etag == NULL) {
        return NGX_ERROR;
    }

    etag->hash = 1;
#if (nginx_version >= 1023000)
    etag->next = NULL;
#endif
    ngx_str_set(&etag->key, "ETag");
    etag->value = ctx->etag;

    r->headers_out.etag = etag;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = ctx->of.size;

    ngx_str_set(&r->headers_out.content_type, "application/octet-stream");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    r->allow_ranges = 1;

    if (ngx_http_registry_header(r, "Docker-Content-Digest",
                                 (char *) ctx->etag.data + 1,
                                 ctx->etag.len - 2) != NGX_OK
        || ngx_http_registry_header(r, "Cache-Control",
                                    "max-age=31536000, immutable",
                                    sizeof("max-age=31536000, immutable") - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_registry_header_common(r);
}


static ngx_int_t
ngx_http_registry_blob_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_chain_t               out;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    /* all that is needed, before the header leaves */

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t));
    if (b->file == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_registry_blob_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only
        || ctx->of.fd == NGX_INVALID_FILE)
    {
        return rc;
    }

    if (ctx->of.size <= NGX_HTTP_REGISTRY_BLOB_SMALL) {
        r->connection->sendfile = 0;             /* of this request only */
    }

    b->file_pos = 0;
    b->file_last = ctx->of.size;

    b->in_file = b->file_last ? 1 : 0;
    b->last_buf = 1;
    b->last_in_chain = 1;

    b->file->fd = ctx->of.fd;
    b->file->name = ctx->path;
    b->file->log = r->connection->log;
    b->file->directio = ctx->of.is_directio;

    out.buf = b;
    out.next = NULL;

    return ngx_http_registry_blob_output(r, &out);
}


/* Holds a large file's header back until the first bytes follow it.  By itself
 * it is a packet that wakes the client for nothing and, where the kernel paces
 * what is sent (BBR), delays all that comes after it.  Unlike tcp_nopush this
 * lets go at once, so the end of the file never waits. */

static ngx_int_t
ngx_http_registry_blob_output(ngx_http_request_t *r, ngx_chain_t *out)
{
    ngx_int_t          rc;
    ngx_uint_t         corked;
    ngx_connection_t  *c = r->connection;

    corked = out->buf->file_last >= NGX_HTTP_REGISTRY_BLOB_LARGE
             && r->headers_in.range == NULL
             && c->sendfile
             && c->tcp_nopush == NGX_TCP_NOPUSH_DISABLED  /* or nginx does */
             && ngx_tcp_nopush(c->fd) == 0;               /* TCP only */

    rc = ngx_http_output_filter(r, out);

    if (corked && ngx_tcp_push(c->fd) == -1) {
        ngx_connection_error(c, ngx_socket_errno, ngx_tcp_push_n " failed");
        return NGX_ERROR;
    }

    return rc;
}
