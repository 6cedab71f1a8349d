/*
 * A body on its way from the socket to the thread pool: a ring.
 *
 *      ┌─────────────┬───────────────────┬──────────────┐
 *      │ free        │ hashed, or        │ arrived      │ free
 *      │             │ written, not both │              │
 *      └─────────────┴───────────────────┴──────────────┘
 *              min(hashed, written)  max          in
 *
 * The socket fills it, and two empty it, each at its own pace: who hashes and
 * who writes.  Positions are counted from the block of the file in which the
 * body begins.  So what lies at a multiple of a block in the file does so in
 * memory too, which is what a write past the page cache asks for
 * (reg_upload.h).
 *
 * nginx reads right into the ring.  What the frame of a chunked body leaves as
 * gaps is closed up, and of HTTP/2, which accounts for its flow control in
 * buffers of its own, the bytes are copied.
 */

#include "ngx_http_registry_module.h"


/* for a body of which little is known yet */
#define NGX_HTTP_REGISTRY_FIRST    (256 * 1024)

/* read before others have their turn: other connections, and what is back
 * from the thread pool */
#define NGX_HTTP_REGISTRY_QUANTUM  (512 * 1024)


static size_t ngx_http_registry_body_most(ngx_http_request_t *r);
static size_t ngx_http_registry_body_size(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring);
static ngx_int_t ngx_http_registry_body_memory(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring, size_t size);
static uint64_t ngx_http_registry_body_done(
    const ngx_http_registry_ring_t *ring);
static size_t ngx_http_registry_body_room(
    const ngx_http_registry_ring_t *ring);
static ngx_int_t ngx_http_registry_body_grow(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring);
static ngx_int_t ngx_http_registry_body_receive(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring);
static ngx_int_t ngx_http_registry_body_aim(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring);
static ngx_int_t ngx_http_registry_body_hold(ngx_http_request_t *r);
static size_t ngx_http_registry_body_take(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring);


ngx_int_t
ngx_http_registry_body_start(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring)
{
    ngx_chain_t  *cl = r->request_body->bufs;

    if (r->reading_body || (cl && cl->next)) {
        return ngx_http_registry_body_memory(r, ring,
                                          ngx_http_registry_body_size(r, ring));
    }

    /* it is here as a whole, and stays where it is */

    if (cl) {
        ring->start = cl->buf->pos;
        ring->size = cl->buf->last - cl->buf->pos;
        ring->in = ring->size;

        r->request_body->bufs = NULL;
    }

    return NGX_OK;
}


static size_t
ngx_http_registry_body_most(ngx_http_request_t *r)
{
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    return ngx_align(2 * rlcf->upload_buffer, ngx_pagesize);
}


/* One of three sizes, so that memory can be used again. */

static size_t
ngx_http_registry_body_size(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring)
{
    off_t   length = r->headers_in.content_length_n;
    size_t  most = ngx_http_registry_body_most(r);

    if (r->headers_in.chunked || length < 0) {
        ring->first = most > NGX_HTTP_REGISTRY_FIRST;
        length = 0;
    }

    if (length <= NGX_HTTP_REGISTRY_FIRST - REG_UPLOAD_BLOCK) {
        return ngx_min(most, NGX_HTTP_REGISTRY_FIRST);
    }

    return length <= (off_t) most / 2 ? most / 2 + REG_UPLOAD_BLOCK : most;
}


static ngx_int_t
ngx_http_registry_body_memory(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring, size_t size)
{
    ring->memory = ngx_http_registry_memory(r, size);

    if (ring->memory == NULL) {
        return NGX_ERROR;
    }

    ring->start = ring->memory->data;
    ring->size = ring->memory->size;

    return NGX_OK;
}


static uint64_t
ngx_http_registry_body_done(const ngx_http_registry_ring_t *ring)
{
    return ngx_min(ring->hashed, ring->written);
}


/* What can be read in one piece.  Until it is known where in a block of the
 * file the body begins, there is room for it to be moved there. */

static size_t
ngx_http_registry_body_room(const ngx_http_registry_ring_t *ring)
{
    size_t  room;

    room = ring->size - (size_t) (ring->in - ngx_http_registry_body_done(ring));

    if (!ring->placed) {
        room -= ngx_min(room, REG_UPLOAD_BLOCK);
    }

    return ngx_min(room, ring->size - (size_t) (ring->in % ring->size));
}


void
ngx_http_registry_body_place(ngx_http_registry_ring_t *ring, int64_t offset)
{
    size_t  skew = (size_t) (offset % REG_UPLOAD_BLOCK);

    if (ring->placed) {
        return;
    }

    ring->placed = 1;

    if (ring->memory && skew) {
        ngx_memmove(ring->start + skew, ring->start, (size_t) ring->in);

        ring->in += skew;
        ring->hashed = skew;
        ring->written = skew;
    }
}


reg_str_t
ngx_http_registry_body_piece(const ngx_http_registry_ring_t *ring,
    uint64_t from)
{
    size_t  at, len;

    if (ring->in == from) {
        return REG_STR_NULL;
    }

    at = (size_t) (from % ring->size);
    len = ngx_min((size_t) (ring->in - from), ring->size - at);

    return (reg_str_t) { len, (const char *) ring->start + at };
}


ngx_uint_t
ngx_http_registry_body_ended(ngx_http_request_t *r)
{
    return !r->reading_body && r->request_body->bufs == NULL;
}


/* Reads what there is, and returns how the body ended, if it ended early. */

ngx_int_t
ngx_http_registry_body_read(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring, ngx_uint_t busy)
{
    size_t     n, all = 0;
    ngx_int_t  rc = NGX_OK;

    do {
        if (!busy && !ngx_http_registry_body_ended(r)
            && ngx_http_registry_body_room(ring) == 0
            && ngx_http_registry_body_grow(r, ring) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (r->reading_body) {
            rc = ngx_http_registry_body_receive(r, ring);

            if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
                r->reading_body = 0;
            }
        }

        n = ngx_http_registry_body_take(r, ring);
        all += n;

    } while (n > 0 && !ngx_http_registry_body_ended(r)
             && all < NGX_HTTP_REGISTRY_QUANTUM);

    if (n > 0 && r->reading_body && r->http_version <= NGX_HTTP_VERSION_11) {
        ngx_post_event(r->connection->read, &ngx_posted_next_events);
    }

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_OK;
}


/* A body of unknown length that has filled its first memory is a large one. */

static ngx_int_t
ngx_http_registry_body_grow(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring)
{
    size_t                    n, to;
    uint64_t                  pos;
    reg_str_t                 piece;
    ngx_http_registry_ring_t  small = *ring;

    if (!ring->first) {
        return NGX_OK;
    }

    ring->first = 0;

    if (ngx_http_registry_body_memory(r, ring, ngx_http_registry_body_most(r))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (pos = ngx_http_registry_body_done(ring); pos < ring->in; pos += n) {
        piece = ngx_http_registry_body_piece(&small, pos);
        to = (size_t) (pos % ring->size);
        n = ngx_min(piece.len, ring->size - to);
        ngx_memcpy(ring->start + to, piece.data, n);
    }

    ngx_http_registry_memory_free(small.memory);

    return NGX_OK;
}


/* Has nginx read, where that can be right into the ring. */

static ngx_int_t
ngx_http_registry_body_receive(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring)
{
    ngx_int_t  rc;

    if (r->http_version <= NGX_HTTP_VERSION_11 && r->request_body->bufs == NULL)
    {
        rc = ngx_http_registry_body_aim(r, ring);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_read_unbuffered_request_body(r);
}


/* What nginx has read into its buffer is taken: from now on its buffer is what
 * is free of the ring.  Data of a chunked body then moves by the size of the
 * frames between; any other stays where it is. */

static ngx_int_t
ngx_http_registry_body_aim(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring)
{
    size_t                    room = ngx_http_registry_body_room(ring);
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb = r->request_body;

    if (room == 0) {
        return ngx_http_registry_body_hold(r);
    }

    for (cl = rb->busy; cl; cl = cl->next) {
        if (cl->buf->pos != cl->buf->last) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "registry: another module keeps parts of the body");
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    b = rb->buf;

    if (b == NULL || b->pos != b->last) {
        return NGX_OK;
    }

    b->start = ring->start + ring->in % ring->size;
    b->pos = b->start;
    b->last = b->start;
    b->end = b->start + ngx_min(room, NGX_HTTP_REGISTRY_QUANTUM);

    /* nginx would read a chunked body chunk by chunk, as it can keep only so
     * much of what comes after it: see ngx_http_registry_body_cut() */

    if (rb->chunked && rb->rest > 0) {
        rb->rest = NGX_HTTP_REGISTRY_QUANTUM;
    }

    return NGX_OK;
}


/* More than nginx keeps of what comes after a body is dropped, and the
 * connection closed after the answer: who sends requests without waiting for
 * answers has to send them again then (RFC 9112, 9.3.2). */

void
ngx_http_registry_body_cut(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_buf_t                 *b = r->request_body->buf;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    while (in && !in->buf->last_buf) {
        in = in->next;
    }

    if (in && b && r->request_body->chunked
        && (size_t) (b->last - b->pos)
           > cscf->large_client_header_buffers.size)
    {
        b->last = b->pos;
        r->keepalive = 0;
        r->lingering_close = 1;
    }
}


/* Leaves what comes to the kernel, and the client without a time limit. */

static ngx_int_t
ngx_http_registry_body_hold(ngx_http_request_t *r)
{
    ngx_event_t  *rev = r->connection->read;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    return ngx_handle_read_event(rev, 0) == NGX_OK
           ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* Takes what nginx has read, as far as there is room; returns how much. */

static size_t
ngx_http_registry_body_take(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring)
{
    u_char                   *to;
    size_t                    n, all = 0;
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb = r->request_body;

    while (rb->bufs) {
        cl = rb->bufs;
        b = cl->buf;
        n = ngx_min((size_t) (b->last - b->pos),
                    ngx_http_registry_body_room(ring));

        if (n > 0) {                             /* the last may be nowhere */
            to = ring->start + ring->in % ring->size;

            if (b->pos != to) {
                ngx_memmove(to, b->pos, n);
            }

            b->pos += n;                         /* nginx recycles it by this */
            ring->in += n;
            all += n;
        }

        if (b->pos == b->last) {
            rb->bufs = cl->next;
            ngx_free_chain(r->pool, cl);

        } else if (n == 0) {
            break;
        }
    }

    return all;
}
