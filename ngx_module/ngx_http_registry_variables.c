/*
 * What of a registry's request may be written into a log, and what tells the
 * worker what it is asked for.
 */

#include "ngx_http_registry_module.h"


typedef enum {
    NGX_HTTP_REGISTRY_VAR_REPOSITORY,
    NGX_HTTP_REGISTRY_VAR_DIGEST
} ngx_http_registry_var_e;


static ngx_int_t ngx_http_registry_variable_root(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_variable_purpose(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_variable_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_variable_cache(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_variable_action(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_variable_target(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* None is kept: a subrequest has its parent's values, and what is known of a
 * request grows. */

static ngx_http_variable_t  ngx_http_registry_vars[] = {

    { ngx_string("registry_root"), NULL, ngx_http_registry_variable_root,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_purpose"), NULL,
      ngx_http_registry_variable_purpose, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_user"), NULL, ngx_http_registry_variable_user,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_cache"), NULL, ngx_http_registry_variable_cache,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_action"), NULL, ngx_http_registry_variable_action,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_repository"), NULL,
      ngx_http_registry_variable_target, NGX_HTTP_REGISTRY_VAR_REPOSITORY,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_digest"), NULL,
      ngx_http_registry_variable_target, NGX_HTTP_REGISTRY_VAR_DIGEST,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_registry_variable_set(ngx_http_variable_value_t *v,
    const ngx_str_t *value)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = value->len;
    v->data = value->data;

    return NGX_OK;
}


static ngx_http_registry_ctx_t *
ngx_http_registry_variable_ctx(ngx_http_request_t *r)
{
    return ngx_http_get_module_ctx(r->main, ngx_http_registry_module);
}


static ngx_int_t
ngx_http_registry_variable_root(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    if (rlcf->store == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_registry_variable_set(v, &rlcf->root);
}


static ngx_int_t
ngx_http_registry_variable_purpose(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_ctx_t  *ctx = ngx_http_registry_variable_ctx(r);

    static ngx_str_t  decide = ngx_string("decide");
    static ngx_str_t  none = ngx_string("");

    return ngx_http_registry_variable_set(v,
               r != r->main && ctx && ctx->asking == r ? &decide : &none);
}


static ngx_int_t
ngx_http_registry_variable_user(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_ctx_t  *ctx = ngx_http_registry_variable_ctx(r);

    if (ctx == NULL || ctx->user.len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_registry_variable_set(v, &ctx->user);
}


static ngx_int_t
ngx_http_registry_variable_cache(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_ctx_t  *ctx = ngx_http_registry_variable_ctx(r);

    static ngx_str_t  words[] = {
        ngx_null_string,                         /* NONE */
        ngx_string("MISS"),                      /* ASKING */
        ngx_string("MISS"),                      /* DENIED */
        ngx_string("OFF"),
        ngx_string("OPEN"),
        ngx_string("HIT"),
        ngx_string("MISS"),
    };

    if (ctx == NULL || words[ctx->access].len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_registry_variable_set(v, &words[ctx->access]);
}


static ngx_int_t
ngx_http_registry_variable_action(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    static ngx_str_t  delete = ngx_string("delete");

    return ngx_http_registry_variable_set(v,
               r->method == NGX_HTTP_DELETE
               ? &delete : ngx_http_registry_access_action(r));
}


static ngx_int_t
ngx_http_registry_variable_target(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char        *p;
    ngx_str_t      value;
    reg_str_t      text;
    reg_error_t    err;
    reg_target_t   target;

    err.code = REG_OK;
    err.detail_key = NULL;

    if (reg_target_parse(&target, ngx_http_registry_str(&r->main->uri),
                         ngx_http_registry_str(&r->main->unparsed_uri), &err)
        == -1
        || !reg_target_has_name(target.kind))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    text = reg_name_str(&target.name);

    if (data == NGX_HTTP_REGISTRY_VAR_DIGEST) {
        if (target.kind != REG_TARGET_BLOB
            && (target.kind != REG_TARGET_MANIFEST || !target.ref.is_digest))
        {
            v->not_found = 1;
            return NGX_OK;
        }

        text = reg_digest_str(target.kind == REG_TARGET_BLOB
                              ? &target.digest : &target.ref.digest);
    }

    p = ngx_pnalloc(r->pool, text.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, text.data, text.len);
    value.data = p;
    value.len = text.len;

    return ngx_http_registry_variable_set(v, &value);
}


ngx_int_t
ngx_http_registry_variables_add(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_registry_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
