/*
 * Answers of the module's own: headers, empty responses, errors as JSON.
 */

#include "ngx_http_registry_module.h"


ngx_int_t
ngx_http_registry_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_registry_header_format(ngx_http_request_t *r, const char *name,
    const char *fmt, ...)
{
    va_list  args;
    u_char  *p, *last;
    u_char   value[512];

    va_start(args, fmt);
    last = ngx_vslprintf(value, value + sizeof(value), fmt, args);
    va_end(args);

    p = ngx_pnalloc(r->pool, last - value);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, value, last - value);

    return ngx_http_registry_header(r, name, (char *) p, last - value);
}


ngx_int_t
ngx_http_registry_header_common(ngx_http_request_t *r)
{
    if (ngx_http_registry_header(r, "Docker-Distribution-Api-Version",
                                 "registry/2.0", sizeof("registry/2.0") - 1)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_registry_header(r, "X-Content-Type-Options", "nosniff",
                                    sizeof("nosniff") - 1);
}


ngx_int_t
ngx_http_registry_reply_empty(ngx_http_request_t *r, ngx_uint_t status)
{
    if (ngx_http_registry_header_common(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


ngx_buf_t *
ngx_http_registry_error_body(ngx_http_request_t *r, const reg_error_t *err)
{
    ngx_buf_t  *b;
    reg_buf_t   json = REG_BUF_INIT;

    reg_error_json(&json, err, 1);

    if (!reg_buf_ok(&json)) {
        reg_buf_free(&json);
        return NULL;
    }

    b = ngx_create_temp_buf(r->pool, json.len);

    if (b != NULL) {
        b->last = ngx_cpymem(b->last, json.data, json.len);
        b->last_buf = 1;
        b->last_in_chain = 1;
    }

    reg_buf_free(&json);

    return b;
}


ngx_int_t
ngx_http_registry_reply_error(ngx_http_request_t *r, const reg_error_t *err)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_uint_t   level;
    ngx_chain_t  out;

    level = !reg_error_is_ours(err) ? NGX_LOG_INFO
            : err->sys ? NGX_LOG_CRIT : NGX_LOG_ERR;

    ngx_log_error(level, r->connection->log, err->sys, "registry: %s: %s (%s)",
                  reg_error_name(err), reg_error_message(err), err->where);

    b = ngx_http_registry_error_body(r, err);

    if (b == NULL || ngx_http_registry_header_common(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = reg_error_status(err);
    r->headers_out.content_length_n = b->last - b->pos;

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
