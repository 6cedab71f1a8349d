/*
 * The bytes of an upload: PATCH, PUT, and POST of a whole blob.
 *
 *     body ──▶ ring ──▶ legs (write)  ┐ in the thread pool, each at its own
 *                  └──▶ pieces (hash) ┘ pace, while the body comes
 *                  …
 *              last leg (suspend or commit) ──▶ answer
 *
 * The body is read unbuffered, into a ring (ngx_http_registry_body.c).  Whoever
 * of the two is idle gets what there is for it: the socket, the hash and the
 * disk overlap.  With the ring full, reading stops, and TCP holds the client.
 */

#include "ngx_http_registry_module.h"


/* bytes that are worth a leg, while more are to come */
#define NGX_HTTP_REGISTRY_LEG        (128 * 1024)

/* seconds after which fewer are: a client that is slow holds the session's
 * lock, and a broken connection costs it little */
#define NGX_HTTP_REGISTRY_LEG_TIME   5


static ngx_int_t ngx_http_registry_upload_handler(ngx_http_request_t *r);
static void ngx_http_registry_upload_cleanup(void *data);
static void ngx_http_registry_upload_start(ngx_http_request_t *r);
static void ngx_http_registry_upload_run(ngx_http_request_t *r);
static ngx_uint_t ngx_http_registry_upload_stops(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_collect(ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_fail(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_read(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_work(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_wait(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_waited(ngx_event_t *ev);
static ngx_uint_t ngx_http_registry_upload_late(ngx_http_registry_ctx_t *ctx);
static ngx_uint_t ngx_http_registry_upload_may_wait(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_uint_t ngx_http_registry_upload_may_be_large(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static reg_str_t ngx_http_registry_upload_piece(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, uint64_t from, size_t most);
static ngx_int_t ngx_http_registry_upload_write(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_upload_digest(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_upload_open(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_uint_t ngx_http_registry_upload_is_last(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_upload_last(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_finish(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);


ngx_int_t
ngx_http_registry_upload_take(ngx_http_request_t *r,
    const reg_target_t *target)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_registry_ctx_t       *ctx;
    ngx_http_registry_job_t       *job;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    ctx = ngx_http_registry_ctx(r);
    cln = ngx_pool_cleanup_add(r->pool, 0);

    if (ctx == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    job = ngx_calloc(sizeof(ngx_http_registry_job_t), r->connection->log);

    if (job == NULL) {
        return NGX_ERROR;
    }

    job->request = r;
    job->store = rlcf->store;
    job->target = *target;
    job->upload.fd = -1;
    job->upload.cached = rlcf->upload_directio;
    job->large = ngx_min((int64_t) rlcf->upload_buffer,
                         (int64_t) rlcf->upload_directio);

    ctx->job = job;
    ctx->thread_pool = rlcf->thread_pool;

    cln->handler = ngx_http_registry_upload_cleanup;
    cln->data = ctx;

    r->content_handler = ngx_http_registry_upload_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_upload_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ngx_http_registry_session_read(r, ctx->job) != NGX_OK) {
        rc = ngx_http_discard_request_body(r);

        return rc != NGX_OK ? rc
                            : ngx_http_registry_session_refuse(r, ctx->job);
    }

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_registry_upload_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_registry_upload_cleanup(void *data)
{
    ngx_http_registry_ctx_t *ctx = data;

    if (ctx->wait.timer_set) {
        ngx_del_timer(&ctx->wait);
    }

    ngx_http_registry_task_release(ctx->job, ctx->thread_pool);
}


static void
ngx_http_registry_upload_start(ngx_http_request_t *r)
{
    ngx_chain_t              *cl;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    r->read_event_handler = ngx_http_registry_upload_run;
    r->write_event_handler = ngx_http_registry_upload_run;

    ctx->left = ngx_time();
    ctx->wait.handler = ngx_http_registry_upload_waited;
    ctx->wait.data = r;
    ctx->wait.log = r->connection->log;
    cl = r->request_body->bufs;

    if (cl && cl->buf->in_file) {
        (void) reg_error_set(&ctx->job->error, REG_UNKNOWN,
                             "another module of nginx has read the body "
                             "(mirror_request_body?): it must not");

    } else if (ngx_http_registry_body_start(r, &ctx->ring) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_registry_upload_run(r);
}


/* Entered by every event of the request: bytes to read, a task that is back.
 * Who is idle gets something to do before reading goes on. */

static void
ngx_http_registry_upload_run(ngx_http_request_t *r)
{
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    ngx_http_registry_upload_collect(ctx);

    if (ngx_http_registry_upload_stops(r, ctx)) {
        return;
    }

    ngx_http_registry_upload_work(r, ctx);
    ngx_http_registry_upload_read(r, ctx);
    ngx_http_registry_upload_work(r, ctx);
    ngx_http_registry_upload_wait(r, ctx);

    if (ctx->leg || ctx->hashing) {
        return;
    }

    if (ctx->failed) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);

    } else if (ctx->broken && ctx->job->create) {

        /* nobody knows this session: the clean-up cancels it */

        ngx_http_finalize_request(r, ctx->broken);
    }
}


/* Whether it is over, one way or the other. */

static ngx_uint_t
ngx_http_registry_upload_stops(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    if (ctx->leg) {
        return 0;
    }

    if (ctx->job->done) {
        ngx_http_registry_upload_finish(r, ctx);
        return 1;
    }

    if (ctx->job->error.code == REG_OK) {
        return 0;
    }

    if (!ctx->hashing) {
        ngx_http_registry_upload_fail(r, ctx);
    }

    return 1;
}


/* What is back from the thread pool has left the ring. */

static void
ngx_http_registry_upload_collect(ngx_http_registry_ctx_t *ctx)
{
    ngx_http_registry_job_t *job = ctx->job;

    if (!ctx->leg) {
        ctx->ring.written += job->data.len;
        job->data.len = 0;

        if (job->opened) {
            ngx_http_registry_body_place(&ctx->ring, job->upload.offset);
        }
    }

    if (!ctx->hashing) {
        ctx->ring.hashed += job->hash_data.len;
        job->hash_data.len = 0;
    }
}


/* A leg that was not the last one has failed: the last one cleans up. */

static void
ngx_http_registry_upload_fail(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ctx->job->last = 1;
    ctx->ending = 1;

    r->read_event_handler = ngx_http_block_reading;

    if (ngx_http_registry_task_leg(r, ctx) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


static void
ngx_http_registry_upload_read(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_registry_job_t  *job = ctx->job;

    rc = ngx_http_registry_body_read(r, &ctx->ring,
                                     job->data.len || job->hash_data.len);

    if (rc != NGX_OK) {

        /* the client is gone, or too slow: what has arrived is kept */

        ctx->broken = rc;
        r->reading_body = 0;
    }

    if (!r->reading_body) {

        /* a client that goes away now has said all: the upload goes on */

        r->read_event_handler = ngx_http_block_reading;
    }
}


/* Gives each who is idle what there is for it. */

static void
ngx_http_registry_upload_work(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_int_t  rc = NGX_OK;

    if (ctx->ending || ctx->failed || (ctx->broken && ctx->job->create)) {
        return;
    }

    if (ngx_http_registry_upload_is_last(r, ctx)) {
        rc = ngx_http_registry_upload_last(r, ctx);

    } else if (!ctx->ring.placed) {
        rc = ctx->leg ? NGX_OK : ngx_http_registry_upload_open(r, ctx);

    } else {
        if (!ctx->leg) {
            rc = ngx_http_registry_upload_write(r, ctx);
        }

        if (rc == NGX_OK && !ctx->hashing) {
            rc = ngx_http_registry_upload_digest(r, ctx);
        }
    }

    if (rc != NGX_OK) {
        ctx->failed = 1;
    }
}


/* What is too little for a leg becomes one in time, also if the client sends
 * no more. */

static void
ngx_http_registry_upload_wait(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    time_t  left = ctx->left + NGX_HTTP_REGISTRY_LEG_TIME - ngx_time();

    if (ctx->leg || ctx->failed || ctx->broken || ctx->wait.timer_set
        || ctx->ring.in == ctx->ring.written
        || ngx_http_registry_body_ended(r))
    {
        return;
    }

    ngx_add_timer(&ctx->wait, (ngx_msec_t) ngx_max(left, 1) * 1000);
}


static void
ngx_http_registry_upload_waited(ngx_event_t *ev)
{
    ngx_http_request_t       *r = ev->data;
    ngx_connection_t         *c = r->connection;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    ngx_http_set_log_request(c->log, r);

    /* a task that is out will be back, and what is over needs nothing */

    if (ctx && !ctx->leg && !ctx->hashing && !ctx->ending && !ctx->failed
        && !ctx->broken)
    {
        ngx_http_registry_upload_run(r);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_uint_t
ngx_http_registry_upload_late(ngx_http_registry_ctx_t *ctx)
{
    return ngx_time() - ctx->left >= NGX_HTTP_REGISTRY_LEG_TIME;
}


/* Whether more may come before what is there must be worked on. */

static ngx_uint_t
ngx_http_registry_upload_may_wait(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    return !ngx_http_registry_body_ended(r)
           && !ngx_http_registry_upload_late(ctx);
}


/* What of the ring is to be worked on now, from a position on.  Large pieces
 * cost less, and the small memory that a body begins with is exchanged for
 * larger when nobody works on it. */

static reg_str_t
ngx_http_registry_upload_piece(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, uint64_t from, size_t most)
{
    size_t                     leg;
    reg_str_t                  piece;
    ngx_http_registry_ring_t  *ring = &ctx->ring;

    piece = ngx_http_registry_body_piece(ring, from);
    leg = ngx_min(NGX_HTTP_REGISTRY_LEG, ring->size / 4);

    if (ngx_http_registry_upload_may_wait(r, ctx)
        && (ring->first
            || (piece.len < leg && (from + piece.len) % ring->size != 0)))
    {
        return REG_STR_NULL;
    }

    piece.len = ngx_min(piece.len, ngx_max(leg, most));

    return piece;
}


/* Whether it is still open if this is a large body: nobody has told. */

static ngx_uint_t
ngx_http_registry_upload_may_be_large(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    return ctx->job->length == -1 && ctx->job->received == 0
           && ngx_http_registry_upload_may_wait(r, ctx);
}


/* A leg.  While more is to come, it ends with a block of the file, but for a
 * client that is slow: then the next one begins within a block, and ends at
 * one. */

static ngx_int_t
ngx_http_registry_upload_write(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    size_t                     tail;
    reg_str_t                  piece;
    ngx_http_registry_ring_t  *ring = &ctx->ring;

    piece = ngx_http_registry_upload_piece(r, ctx, ring->written,
                                           ring->size / 2);

    if (piece.len < (size_t) ctx->job->large
        && ngx_http_registry_upload_may_be_large(r, ctx))
    {
        return NGX_OK;
    }

    if (ngx_http_registry_upload_may_wait(r, ctx)) {
        tail = (size_t) ((ring->written + piece.len) % REG_UPLOAD_BLOCK);
        piece.len -= ngx_min(tail, piece.len);
    }

    if (piece.len == 0) {
        return NGX_OK;
    }

    ctx->job->data = piece;
    ctx->left = ngx_time();

    return ngx_http_registry_task_leg(r, ctx);
}


static ngx_int_t
ngx_http_registry_upload_digest(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    reg_str_t  piece;

    piece = ngx_http_registry_upload_piece(r, ctx, ctx->ring.hashed,
                                           ctx->ring.size / 4);

    if (piece.len == 0) {
        return NGX_OK;
    }

    ctx->job->hash_data = piece;

    return ngx_http_registry_task_hash(r, ctx);
}


/* A body that is a large one, or slow: the leg that opens the session has no
 * bytes, and runs while the body comes. */

static ngx_int_t
ngx_http_registry_upload_open(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    size_t  leg = ngx_min(NGX_HTTP_REGISTRY_LEG, ctx->ring.size / 4);

    if (ngx_http_registry_body_ended(r) || ctx->ring.in >= leg
        || (ctx->ring.in > 0 && ngx_http_registry_upload_late(ctx)))
    {
        return ngx_http_registry_task_leg(r, ctx);
    }

    return NGX_OK;
}


/* Whether what is left is for the leg that ends the upload: a small body is
 * one leg. */

static ngx_uint_t
ngx_http_registry_upload_is_last(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    size_t                     left;
    ngx_http_registry_ring_t  *ring = &ctx->ring;

    if (ctx->leg || ctx->hashing || !ngx_http_registry_body_ended(r)) {
        return 0;
    }

    left = (size_t) (ring->in - ring->written);

    return ring->hashed == ring->written && left <= NGX_HTTP_REGISTRY_LEG
           && left == ngx_http_registry_body_piece(ring, ring->written).len;
}


static ngx_int_t
ngx_http_registry_upload_last(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_http_registry_job_t *job = ctx->job;

    if (ctx->broken) {
        job->commit = 0;
        job->has_range = 0;
    }

    job->data = ngx_http_registry_body_piece(&ctx->ring, ctx->ring.written);
    job->last = 1;
    ctx->ending = 1;

    return ngx_http_registry_task_leg(r, ctx);
}


static void
ngx_http_registry_upload_finish(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_int_t  rc = ctx->broken;

    if (rc == 0) {
        rc = ngx_http_registry_session_reply(r, ctx->job);
    }

    ngx_http_finalize_request(r, rc);
}
