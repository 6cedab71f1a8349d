/*
 * The bytes of an upload: PATCH, PUT, and POST of a whole blob.
 *
 *     body ──▶ buffer A ──▶ leg (append)  ┐ in the thread pool
 *              buffer B ◀── body          ┘ at the same time
 *                 …
 *              last    ──▶ leg (append, then suspend or commit) ──▶ answer
 *
 * The body is read unbuffered.  When the job is idle, what has arrived is
 * handed to it as one leg, and nginx goes on reading into the other buffer:
 * the socket, the hash and the disk overlap.  With both buffers full, reading
 * stops, and TCP holds the client.
 *
 * The bytes are copied from the small buffer that nginx reads them into, where
 * HTTP/2 accounts for its flow control and where the frame of a chunked body
 * has left gaps.  So a leg is one piece, and it ends where a block of the file
 * ends, which is what a write past the page cache asks for (reg_upload.h).
 */

#include "ngx_http_registry_module.h"


/* bytes that are worth a leg, while more are to come */
#define NGX_HTTP_REGISTRY_LEG        (128 * 1024)

/* seconds after which fewer are: a client that is slow holds the session's
 * lock, and a broken connection costs it little */
#define NGX_HTTP_REGISTRY_LEG_TIME   5

/* read from the socket at a time: still in the processor's cache when it is
 * copied */
#define NGX_HTTP_REGISTRY_READ       (256 * 1024)

/* how often the free space is asked for while a body goes on and on */
#define NGX_HTTP_REGISTRY_ROOM_STEP  (16 * 1024 * 1024)


static ngx_int_t ngx_http_registry_upload_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_upload_prepare(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);
static ngx_str_t *ngx_http_registry_content_range(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_upload_refuse(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);
static void ngx_http_registry_upload_cleanup(void *data);
static void ngx_http_registry_upload_start(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_upload_widen(ngx_http_request_t *r);
static void ngx_http_registry_upload_run(ngx_http_request_t *r);
static void ngx_http_registry_upload_fail(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_read(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static size_t ngx_http_registry_upload_copy(ngx_http_request_t *r,
    ngx_buf_t *to);
static ngx_uint_t ngx_http_registry_upload_waits(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_upload_fill(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_buf_t *ngx_http_registry_upload_buffer(ngx_http_request_t *r);
static void ngx_http_registry_upload_give_back(ngx_http_registry_ctx_t *ctx);
static void ngx_http_registry_upload_finish(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_upload_headers(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);

static void ngx_http_registry_leg_fail(ngx_http_registry_job_t *job);
static int ngx_http_registry_leg_open(ngx_http_registry_job_t *job);
static int ngx_http_registry_leg_append(ngx_http_registry_job_t *job);
static int ngx_http_registry_leg_end(ngx_http_registry_job_t *job);


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

    if (ngx_http_registry_upload_prepare(r, ctx->job) != NGX_OK) {
        rc = ngx_http_discard_request_body(r);

        return rc != NGX_OK ? rc
                            : ngx_http_registry_upload_refuse(r, ctx->job);
    }

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_registry_upload_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


/* What the request line and the header say. */

static ngx_int_t
ngx_http_registry_upload_prepare(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    char        value[REG_QUERY_VALUE_MAX];
    ngx_str_t  *range;

    job->length = r->headers_in.chunked ? -1 : r->headers_in.content_length_n;
    job->create = (job->target.kind == REG_TARGET_UPLOADS);
    job->commit = (r->method != NGX_HTTP_PATCH);

    if (job->create) {
        job->target.uuid[0] = '\0';
    }

    if (job->commit
        && (reg_query_get(ngx_http_registry_str(&r->args), "digest", value,
                          sizeof(value)) != 1
            || reg_digest_parse(&job->digest, reg_str_from(value)) == -1))
    {
        reg_error_detail(&job->error, "digest", reg_str_from(value));
        (void) reg_error_set(&job->error, REG_DIGEST_INVALID,
                             "the digest parameter is missing or is not a "
                             "digest: add digest=sha256: and 64 lower-case "
                             "hexadecimal digits to the Location");
        return NGX_ERROR;
    }

    range = ngx_http_registry_content_range(r);

    if (range == NULL) {
        return NGX_OK;
    }

    job->has_range = 1;

    return reg_range_parse(&job->range, ngx_http_registry_str(range),
                           job->length, &job->error) == -1
           ? NGX_ERROR : NGX_OK;
}


static ngx_str_t *
ngx_http_registry_content_range(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Content-Range");

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


/* Before the first byte: one stat, so that a client learns where it is. */

static ngx_int_t
ngx_http_registry_upload_refuse(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    reg_error_t  unknown = REG_ERROR_INIT;

    if (!job->create
        && reg_upload_stat(job->store, &job->target.name, job->target.uuid,
                           &job->offset, &unknown) == -1)
    {
        job->error = unknown;
    }

    if (ngx_http_registry_upload_headers(r, job) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_registry_reply_error(r, &job->error);
}


static void
ngx_http_registry_upload_cleanup(void *data)
{
    ngx_http_registry_ctx_t *ctx = data;

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
    cl = r->request_body->bufs;

    if (cl && cl->buf->in_file) {
        (void) reg_error_set(&ctx->job->error, REG_UNKNOWN,
                             "another module of nginx has read the body "
                             "(mirror_request_body?): it must not");

    } else if (!r->reading_body && cl && cl->next == NULL) {

        /* it is here as a whole, and stays where it is */

        ctx->fill = cl->buf;
        r->request_body->bufs = NULL;

    } else if (r->reading_body || cl) {
        ctx->fill = ngx_http_registry_upload_buffer(r);

        if (ctx->fill == NULL
            || ngx_http_registry_upload_widen(r) != NGX_OK)
        {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }
    }

    ngx_http_registry_upload_run(r);
}


/* nginx's own buffer fits a small body, and is small for a large one; what is
 * in it stays where it is. */

static ngx_int_t
ngx_http_registry_upload_widen(ngx_http_request_t *r)
{
    ngx_buf_t  *b;

    if (!r->reading_body || r->http_version > NGX_HTTP_VERSION_11
        || (!r->headers_in.chunked
            && r->request_body->rest <= NGX_HTTP_REGISTRY_LEG))
    {
        return NGX_OK;
    }

    b = ngx_http_registry_upload_buffer(r);

    if (b == NULL) {
        return NGX_ERROR;
    }

    b->end = ngx_min(b->end, b->start + NGX_HTTP_REGISTRY_READ);
    r->request_body->buf = b;

    return NGX_OK;
}


/* Entered by every event of the request: bytes to read, a leg that is back.
 * After a leg was sent off, reading goes on at once, into the other buffer. */

static void
ngx_http_registry_upload_run(ngx_http_request_t *r)
{
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    for ( ;; ) {

        if (!ctx->busy) {
            ngx_http_registry_upload_give_back(ctx);

            if (ctx->job->done) {
                ngx_http_registry_upload_finish(r, ctx);
                return;
            }

            if (ctx->job->error.code != REG_OK) {
                ngx_http_registry_upload_fail(r, ctx);
                return;
            }
        }

        ngx_http_registry_upload_read(r, ctx);

        if (ctx->busy || ngx_http_registry_upload_waits(r, ctx)) {
            return;
        }

        if (ctx->broken && ctx->job->create) {

            /* nobody knows this session: the clean-up cancels it */

            ngx_http_finalize_request(r, ctx->broken);
            return;
        }

        if (ngx_http_registry_upload_fill(r, ctx) != NGX_OK
            || ngx_http_registry_task_post(r, ctx) != NGX_OK)
        {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return;
        }
    }
}


/* One half of a split leg has failed: a whole one cleans up. */

static void
ngx_http_registry_upload_fail(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ctx->job->split = 0;

    r->read_event_handler = ngx_http_block_reading;

    if (ngx_http_registry_task_post(r, ctx) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
}


static void
ngx_http_registry_upload_read(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    size_t     n;
    ngx_int_t  rc;

    do {
        if (r->reading_body) {
            rc = ngx_http_read_unbuffered_request_body(r);

            if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

                /* the client is gone, or too slow: what has arrived is kept */

                ctx->broken = rc;
                r->reading_body = 0;
            }
        }

        n = ngx_http_registry_upload_copy(r, ctx->fill);

    } while (n > 0 && r->reading_body && ctx->fill->last < ctx->fill->end);

    if (!r->reading_body) {

        /* a client that goes away now has said all: the upload goes on */

        r->read_event_handler = ngx_http_block_reading;
    }
}


/* Takes what nginx has read, as far as there is room; returns how much. */

static size_t
ngx_http_registry_upload_copy(ngx_http_request_t *r, ngx_buf_t *to)
{
    size_t                    n, all = 0;
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb = r->request_body;

    while (rb->bufs && to && to->last < to->end) {
        cl = rb->bufs;
        b = cl->buf;
        n = ngx_min(b->last - b->pos, to->end - to->last);

        if (n > 0) {                             /* the last may be nowhere */
            to->last = ngx_cpymem(to->last, b->pos, n);
            b->pos += n;                         /* nginx recycles it by this */
            all += n;
        }

        if (b->pos == b->last) {
            rb->bufs = cl->next;
            ngx_free_chain(r->pool, cl);
        }
    }

    return all;
}


/* Whether a leg should wait for more bytes: large ones cost less. */

static ngx_uint_t
ngx_http_registry_upload_waits(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    size_t  len;

    if (!r->reading_body || ctx->fill->last == ctx->fill->end) {
        return 0;
    }

    len = ctx->fill->last - ctx->fill->pos;

    return len < NGX_HTTP_REGISTRY_LEG
           && (len == 0
               || ngx_time() - ctx->left < NGX_HTTP_REGISTRY_LEG_TIME);
}


/* Gives the job what has arrived.  While more is to come, a leg ends with a
 * block of the file, and what is left begins the next one. */

static ngx_int_t
ngx_http_registry_upload_fill(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    size_t                    len, left;
    ngx_buf_t                *b = ctx->fill, *next = NULL;
    ngx_http_registry_job_t  *job = ctx->job;

    len = b ? b->last - b->pos : 0;
    ctx->left = ngx_time();

    if (r->reading_body || r->request_body->bufs) {
        next = ctx->spare ? ctx->spare : ngx_http_registry_upload_buffer(r);

        if (next == NULL) {
            return NGX_ERROR;
        }

        left = (job->upload.offset + len) % REG_UPLOAD_BLOCK;

        if (left < len) {
            len -= left;
            next->last = ngx_cpymem(next->last, b->pos + len, left);
        }
    }

    job->data.data = b ? (const char *) b->pos : NULL;
    job->data.len = len;

    ctx->in_flight = b;
    ctx->spare = NULL;
    ctx->fill = next;

    if (ctx->broken) {
        job->commit = 0;
        job->has_range = 0;
    }

    /* the first leg opens the session, the last one ends it: these are whole;
     * between them the disk and the processor have work at the same time */

    job->split = job->opened && len >= NGX_HTTP_REGISTRY_LEG;
    job->last = next == NULL && !job->split;

    return NGX_OK;
}


static ngx_buf_t *
ngx_http_registry_upload_buffer(ngx_http_request_t *r)
{
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    return ngx_http_registry_buffer(r, rlcf->upload_buffer);
}


/* A leg is back: its bytes are on disk, its buffer is free. */

static void
ngx_http_registry_upload_give_back(ngx_http_registry_ctx_t *ctx)
{
    ctx->job->data.len = 0;

    if (ctx->in_flight) {
        ctx->in_flight->pos = ctx->in_flight->start;
        ctx->in_flight->last = ctx->in_flight->start;

        ctx->spare = ctx->in_flight;
        ctx->in_flight = NULL;
    }
}


static void
ngx_http_registry_upload_finish(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_registry_job_t  *job = ctx->job;

    if (ctx->broken) {
        rc = ctx->broken;

    } else if (ngx_http_registry_upload_headers(r, job) != NGX_OK) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else if (job->error.code != REG_OK) {
        rc = ngx_http_registry_reply_error(r, &job->error);

    } else {
        rc = ngx_http_registry_reply_empty(r, job->commit ? NGX_HTTP_CREATED
                                                       : NGX_HTTP_ACCEPTED);
    }

    ngx_http_finalize_request(r, rc);
}


static ngx_int_t
ngx_http_registry_upload_headers(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    const char  *name = job->target.name.text;

    if (job->error.code == REG_OK && job->commit) {
        if (ngx_http_registry_header_format(r, "Location", "/v2/%s/blobs/%s",
                                            name, job->digest.text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_registry_header_format(r, "Docker-Content-Digest",
                                               "%s", job->digest.text);
    }

    /* an error: the session is told only if there is one to go on with */

    if (job->create
        || (job->error.code != REG_OK
            && job->error.code != REG_RANGE_INVALID
            && job->error.code != REG_SIZE_INVALID))
    {
        return NGX_OK;
    }

    if (ngx_http_registry_header_format(r, "Location",
                                        "/v2/%s/blobs/uploads/%s", name,
                                        job->target.uuid) != NGX_OK
        || ngx_http_registry_header_format(r, "Docker-Upload-UUID", "%s",
                                           job->target.uuid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_registry_header_format(r, "Range", "0-%L",
                                           job->offset > 0 ? job->offset - 1
                                                           : 0);
}


/* ---- in the thread pool -------------------------------------------------- */


void
ngx_http_registry_upload_leg(ngx_http_registry_job_t *job)
{
    if (job->error.code == REG_OK
        && ngx_http_registry_leg_open(job) == 0
        && ngx_http_registry_leg_append(job) == 0)
    {
        (void) ngx_http_registry_leg_end(job);      /* job->error says */
    }

    /* what is hashed meanwhile must come to its end first */

    if (job->error.code != REG_OK && !job->split) {
        ngx_http_registry_leg_fail(job);
    }
}


void
ngx_http_registry_upload_hash(ngx_http_registry_job_t *job)
{
    reg_upload_hash(&job->upload, job->data);
}


/* A failed session waits for its next request; one of a single POST is known
 * to nobody. */

static void
ngx_http_registry_leg_fail(ngx_http_registry_job_t *job)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (job->upload.fd != -1) {

        /* a chunk that is not what its Content-Range says leaves no trace */

        if (job->error.code == REG_SIZE_INVALID && job->has_range) {
            (void) reg_upload_rewind(&job->upload, job->range.first, &err);
        }

        job->offset = job->upload.offset;
        (void) reg_upload_suspend(&job->upload, &err);  /* the state is a
                                                           hint */
    }

    if (job->create && job->target.uuid[0] != '\0') {
        err = (reg_error_t) REG_ERROR_INIT;
        (void) reg_upload_cancel(job->store, &job->target.name,
                                 job->target.uuid, &err);   /* else purged */
    }

    job->done = 1;
}


static int
ngx_http_registry_leg_open(ngx_http_registry_job_t *job)
{
    reg_error_t         *err = &job->error;
    const reg_digest_t  *want = job->commit ? &job->digest : NULL;

    if (job->opened) {
        return 0;
    }

    if (reg_store_room(job->store, job->length > 0 ? job->length : 0, err)
        == -1)
    {
        return -1;
    }

    if (job->create
        && reg_upload_create(job->store, &job->target.name, job->digest.alg,
                             job->target.uuid, err) == -1)
    {
        return -1;
    }

    if (reg_upload_open(&job->upload, job->store, &job->target.name,
                        job->target.uuid, want, err) == -1)
    {
        return -1;
    }

    job->opened = 1;
    job->offset = job->upload.offset;
    job->roomed = job->upload.offset;

    if (job->has_range && job->range.first != job->upload.offset) {
        return reg_error_set(err, REG_RANGE_INVALID, NULL);
    }

    return 0;
}


static int
ngx_http_registry_leg_append(ngx_http_registry_job_t *job)
{
    if (job->data.len == 0) {
        return 0;
    }

    if (job->has_range
        && (int64_t) job->data.len > job->range.last + 1 - job->upload.offset)
    {
        return reg_error_set(&job->error, REG_SIZE_INVALID,
                             "the chunk is longer than its Content-Range");
    }

    if ((job->split
         ? reg_upload_write(&job->upload, job->data, &job->error)
         : reg_upload_append(&job->upload, job->data, &job->error)) == -1)
    {
        return -1;
    }

    /* the guard for bodies whose length nobody told */

    if (job->length == -1
        && job->upload.offset - job->roomed > NGX_HTTP_REGISTRY_ROOM_STEP)
    {
        job->roomed = job->upload.offset;
        return reg_store_room(job->store, NGX_HTTP_REGISTRY_ROOM_STEP,
                              &job->error);
    }

    return 0;
}


static int
ngx_http_registry_leg_end(ngx_http_registry_job_t *job)
{
    job->offset = job->upload.offset;

    if (!job->last) {
        return 0;
    }

    if (job->has_range && job->upload.offset != job->range.last + 1) {
        return reg_error_set(&job->error, REG_SIZE_INVALID,
                             "the chunk is shorter than its Content-Range");
    }

    if ((job->commit ? reg_upload_commit(&job->upload, &job->digest,
                                         &job->error)
                     : reg_upload_suspend(&job->upload, &job->error)) == -1)
    {
        return -1;
    }

    job->done = 1;

    return 0;
}
