/*
 * Errors that nginx itself makes in a registry's location (413, 416, 502, 504
 * and the rest) leave as the registry's JSON: a docker client shows its
 * message, while an HTML page becomes "invalid character '<'".
 *
 * nginx marks them with r->err_status; what the worker answers has none.
 */

#include "ngx_http_registry_module.h"


static ngx_int_t ngx_http_registry_header_filter(ngx_http_request_t *r);
static void ngx_http_registry_drop_headers(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_registry_header_filter(ngx_http_request_t *r)
{
    reg_error_t                    err = REG_ERROR_INIT;
    ngx_http_registry_ctx_t       *ctx;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    if (rlcf->store == NULL || r != r->main
        || r->err_status < NGX_HTTP_BAD_REQUEST
        || r->headers_out.status < NGX_HTTP_BAD_REQUEST)
    {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_registry_ctx_t));
        if (ctx == NULL) {
            return NGX_ERROR;
        }

        ngx_http_set_ctx(r, ctx, ngx_http_registry_module);
    }

    (void) reg_error_set(&err, reg_error_of_status(r->headers_out.status),
                         NULL);

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


/* What was said of the blob that was to be sent does not hold for an error:
 * it must not be kept for a year. */

static void
ngx_http_registry_drop_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  range = ngx_string("Content-Range");

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len != range.len
                || ngx_strncasecmp(h[i].key.data, range.data, range.len) != 0)
            {
                h[i].hash = 0;
            }
        }
    }
}


/* The page is swallowed, and in its place goes the JSON, once. */

static ngx_int_t
ngx_http_registry_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t               out, *cl;
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ctx == NULL || ctx->json == NULL || in == NULL) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        if (ngx_buf_in_memory(cl->buf)) {
            cl->buf->pos = cl->buf->last;
        }
    }

    if (ctx->replaced) {
        return NGX_OK;
    }

    ctx->replaced = 1;

    out.buf = ctx->json;
    out.next = NULL;

    return ngx_http_next_body_filter(r, &out);
}


ngx_int_t
ngx_http_registry_error_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_registry_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_registry_body_filter;

    return NGX_OK;
}
