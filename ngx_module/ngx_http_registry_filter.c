/*
 * What passes through, in a registry's location.
 *
 * Errors that nginx itself makes (413, 416, 502, 504 and the rest) leave as the
 * registry's JSON: a docker client shows its message, while an HTML page
 * becomes "invalid character '<'".  nginx marks them with r->err_status; what
 * the worker answers has none.
 *
 * The worker gets no body but a manifest, or the form of a login: a larger one
 * is refused with the byte that is too much, before it fills the disk on its
 * way.  Any other body is thrown away as it comes.
 *
 * After the header of an answer to HEAD, nginx closes the connection to the
 * upstream without reading on, though nothing but FastCGI's end of the request
 * follows.  A HEAD of a manifest would cost a new connection each time, so the
 * end is read here and the connection kept.
 *
 * What the worker tells nginx (Registry-User and the like) does not reach a
 * client, and neither does any of the answer to a question of nginx's own.
 */

#include "ngx_http_registry_module.h"


static ngx_int_t ngx_http_registry_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_decision_header(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_hide_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_head_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_error_header(ngx_http_request_t *r);
static void ngx_http_registry_error_of(ngx_http_request_t *r,
    const ngx_http_registry_ctx_t *ctx, reg_error_t *err);
static ngx_uint_t ngx_http_registry_is_limited(ngx_http_request_t *r);
static void ngx_http_registry_drop_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_int_t ngx_http_registry_refuse_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_request_body_filter_pt   ngx_http_next_request_body_filter;
static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_registry_header_filter(ngx_http_request_t *r)
{
    ngx_http_registry_ctx_t       *ctx;
    ngx_http_registry_loc_conf_t  *rlcf;

    if (r != r->main) {
        ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

        return ctx && ctx->decides
               ? ngx_http_registry_decision_header(r, ctx)
               : ngx_http_next_header_filter(r);
    }

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    if (rlcf->store == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (r->upstream && ngx_http_registry_hide_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (r->err_status >= NGX_HTTP_BAD_REQUEST
        && r->headers_out.status >= NGX_HTTP_BAD_REQUEST)
    {
        return ngx_http_registry_error_header(r);
    }

    if (r->upstream && r->method == NGX_HTTP_HEAD) {
        return ngx_http_registry_head_header(r);
    }

    return ngx_http_next_header_filter(r);
}


/* Was read from the upstream; goes nowhere.  The end of it is read as after
 * HEAD. */

static ngx_int_t
ngx_http_registry_decision_header(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    r->header_only = 0;
    ctx->silent = 1;

    return NGX_OK;
}


/* What the worker says to us stays here. */

static ngx_int_t
ngx_http_registry_hide_headers(ngx_http_request_t *r)
{
    ngx_uint_t                i;
    ngx_list_part_t          *part;
    ngx_table_elt_t          *h;
    ngx_http_registry_ctx_t  *ctx;

    static ngx_str_t  prefix = ngx_string("Registry-");
    static ngx_str_t  user = ngx_string("Registry-User");

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len < prefix.len
                || ngx_strncasecmp(h[i].key.data, prefix.data, prefix.len)
                   != 0)
            {
                continue;
            }

            h[i].hash = 0;

            if (h[i].key.len != user.len
                || ngx_strncasecmp(h[i].key.data, user.data, user.len) != 0)
            {
                continue;
            }

            ctx = ngx_http_registry_ctx(r);

            if (ctx == NULL
                || ngx_http_registry_access_name(r, &h[i].value, &ctx->user)
                   == NGX_ERROR)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_head_header(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_registry_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_next_header_filter(r);

    if (rc != NGX_ERROR && rc <= NGX_OK && r->header_only) {
        r->header_only = 0;
        ctx->silent = 1;
    }

    return rc;
}


static ngx_int_t
ngx_http_registry_error_header(ngx_http_request_t *r)
{
    reg_error_t               err = REG_ERROR_INIT;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_registry_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_registry_error_of(r, ctx, &err);

    ctx->json = ngx_http_registry_error_body(r, &err);
    if (ctx->json == NULL) {
        return NGX_ERROR;
    }

    ngx_http_registry_drop_headers(r);
    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = ctx->json->last - ctx->json->pos;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    if (ngx_http_registry_header_common(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static void
ngx_http_registry_error_of(ngx_http_request_t *r,
    const ngx_http_registry_ctx_t *ctx, reg_error_t *err)
{
    if (ngx_http_registry_is_limited(r)) {
        (void) reg_error_set(err, REG_TOOMANYREQUESTS,
                             "nginx takes no more requests from you now "
                             "(limit_req or limit_conn); wait a little and "
                             "try again");

    } else if (ctx->body_left < 0) {
        (void) reg_error_set(err, REG_MANIFEST_TOO_LARGE,
                             ctx->body_max == REG_MANIFEST_MAX
                             ? NULL : "the form is too large");

    } else {
        (void) reg_error_set(err, reg_error_of_status(r->headers_out.status),
                             NULL);
    }
}


/* A refusal by limit_req or limit_conn has the status of an absent worker,
 * unless limit_req_status says otherwise.  What they did is told by variables
 * only. */

static ngx_uint_t
ngx_http_registry_is_limited(ngx_http_request_t *r)
{
    ngx_uint_t                  i;
    ngx_http_variable_value_t  *vv;

    static ngx_str_t  names[] = {
        ngx_string("limit_req_status"),
        ngx_string("limit_conn_status"),
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        vv = ngx_http_get_variable(r, &names[i],
                                   ngx_hash_key(names[i].data, names[i].len));

        if (vv && !vv->not_found && vv->len == sizeof("REJECTED") - 1
            && ngx_strncmp(vv->data, "REJECTED", vv->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* What was said of the blob that was to be sent does not hold for an error: it
 * must not be kept for a year.  Other headers stay: a challenge, an Allow. */

static void
ngx_http_registry_drop_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i, k;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  ours[] = {
        ngx_string("ETag"),
        ngx_string("Cache-Control"),
        ngx_string("Docker-Content-Digest"),
        ngx_string("Docker-Distribution-Api-Version"),
        ngx_string("X-Content-Type-Options"),
    };

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; k < sizeof(ours) / sizeof(ours[0]); k++) {
                if (h[i].key.len == ours[k].len
                    && ngx_strncasecmp(h[i].key.data, ours[k].data,
                                       ours[k].len) == 0)
                {
                    h[i].hash = 0;
                }
            }
        }
    }
}


/* nginx's page is swallowed, and in its place goes the JSON, once.  So is the
 * empty end of an answer to HEAD, which has been said with the header. */

static ngx_int_t
ngx_http_registry_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t               out, *cl;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ctx == NULL || in == NULL || (ctx->json == NULL && !ctx->silent)) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        if (ngx_buf_in_memory(cl->buf)) {
            cl->buf->pos = cl->buf->last;
        }
    }

    if (ctx->silent) {
        return NGX_OK;
    }

    ctx->silent = 1;

    out.buf = ctx->json;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


ngx_int_t
ngx_http_registry_filter_limit(ngx_http_request_t *r, off_t max)
{
    ngx_http_registry_ctx_t  *ctx;

    if (max == 0) {
        return ngx_http_discard_request_body(r);
    }

    ctx = ngx_http_registry_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->body_max = max;
    ctx->body_left = max;

    if (r->headers_in.content_length_n > ctx->body_left) {
        ctx->body_left = -1;
        r->content_handler = ngx_http_registry_refuse_handler;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_refuse_handler(ngx_http_request_t *r)
{
    return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
}


static ngx_int_t
ngx_http_registry_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t              *cl;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ctx && ctx->job) {
        ngx_http_registry_body_cut(r, in);
    }

    if (ctx == NULL || ctx->body_max == 0) {
        return ngx_http_next_request_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        ctx->body_left -= cl->buf->last - cl->buf->pos;
    }

    if (ctx->body_left < 0) {
        ctx->body_left = -1;
        r->lingering_close = 1;
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    return ngx_http_next_request_body_filter(r, in);
}


ngx_int_t
ngx_http_registry_filter_init(ngx_conf_t *cf)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_registry_request_body_filter;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_registry_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_registry_body_filter;

    return NGX_OK;
}
