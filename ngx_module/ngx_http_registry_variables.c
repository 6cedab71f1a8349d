/*
 * Variables: what a request is about and who makes it, for logs, and what
 * registry_params tells the worker.
 */

#include "ngx_http_registry_module.h"


static ngx_int_t ngx_http_registry_root_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_purpose_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_user_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_repository_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_digest_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_registry_action_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


/* A subrequest shares what was evaluated with its request, so what is not the
 * same for both must not be kept. */

static ngx_http_variable_t  ngx_http_registry_vars[] = {

    { ngx_string("registry_root"), NULL, ngx_http_registry_root_variable,
      0, 0, 0 },

    { ngx_string("registry_purpose"), NULL,
      ngx_http_registry_purpose_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_user"), NULL, ngx_http_registry_user_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_cache"), NULL, ngx_http_registry_cache_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_repository"), NULL,
      ngx_http_registry_repository_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_digest"), NULL, ngx_http_registry_digest_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("registry_action"), NULL, ngx_http_registry_action_variable,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


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


/* Text that lives as long as the request; an empty one is no value. */

static ngx_int_t
ngx_http_registry_variable_set(ngx_http_variable_value_t *v, u_char *data,
    size_t len)
{
    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = data;
    v->len = (unsigned) len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* The same of text that does not. */

static ngx_int_t
ngx_http_registry_variable_copy(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, reg_str_t s)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, s.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, s.data, s.len);

    return ngx_http_registry_variable_set(v, p, s.len);
}


static ngx_int_t
ngx_http_registry_root_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    return ngx_http_registry_variable_set(v, rlcf->root.data,
                                          rlcf->store ? rlcf->root.len : 0);
}


static ngx_int_t
ngx_http_registry_purpose_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_ctx_t  *ctx;

    static ngx_str_t  decide = ngx_string("decide");

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    return ngx_http_registry_variable_set(v, decide.data,
                                          r != r->main && ctx && ctx->decides
                                          ? decide.len : 0);
}


static ngx_int_t
ngx_http_registry_user_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_registry_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_registry_module);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_registry_variable_set(v, ctx->user.data, ctx->user.len);
}


static ngx_int_t
ngx_http_registry_cache_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                *name;
    ngx_http_registry_ctx_t  *ctx;

    static ngx_str_t  names[] = {
        ngx_null_string,                 /* NGX_HTTP_REGISTRY_UNASKED */
        ngx_string("MISS"),
        ngx_string("HIT"),
        ngx_string("OPEN"),
        ngx_string("OFF"),
    };

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_registry_module);
    name = &names[ctx ? ctx->cache : NGX_HTTP_REGISTRY_UNASKED];

    return ngx_http_registry_variable_set(v, name->data, name->len);
}


static ngx_int_t
ngx_http_registry_repository_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    reg_target_t  target;

    if (ngx_http_registry_target(r->main, &target) != NGX_OK
        || !reg_target_has_name(target.kind))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_registry_variable_copy(r, v, reg_name_str(&target.name));
}


/* Of the path, or of the digest that an upload is to have. */

static ngx_int_t
ngx_http_registry_digest_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char           value[REG_QUERY_VALUE_MAX];
    reg_target_t   target;
    reg_digest_t  *digest;

    digest = &target.digest;

    if (ngx_http_registry_target(r->main, &target) != NGX_OK) {
        v->not_found = 1;
        return NGX_OK;
    }

    switch (target.kind) {

    case REG_TARGET_BLOB:
    case REG_TARGET_REFERRERS:
        break;

    case REG_TARGET_MANIFEST:
        if (reg_digest_parse(digest, reg_ref_str(&target.ref)) == 0) {
            break;
        }

        v->not_found = 1;
        return NGX_OK;

    default:
        if (reg_query_get(ngx_http_registry_str(&r->main->args), "digest",
                          value, sizeof(value)) == 1
            && reg_digest_parse(digest, reg_str_from(value)) == 0)
        {
            break;
        }

        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_registry_variable_copy(r, v, reg_digest_str(digest));
}


/* As the worker's policy has it: see the worker's route table. */

ngx_http_registry_action_e
ngx_http_registry_action(ngx_http_request_t *r, const reg_target_t *target)
{
    switch (target->kind) {

    case REG_TARGET_BASE:
    case REG_TARGET_TOKEN:
    case REG_TARGET_KEYS:
    case REG_TARGET_HEALTH:
        return NGX_HTTP_REGISTRY_NOTHING;

    case REG_TARGET_CATALOG:
        return NGX_HTTP_REGISTRY_CATALOG;

    case REG_TARGET_UPLOADS:
    case REG_TARGET_UPLOAD:
        return NGX_HTTP_REGISTRY_PUSH;

    default:
        break;
    }

    return r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD) ? NGX_HTTP_REGISTRY_PULL
           : r->method == NGX_HTTP_DELETE ? NGX_HTTP_REGISTRY_DELETE
           : NGX_HTTP_REGISTRY_PUSH;
}


static ngx_int_t
ngx_http_registry_action_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t     *name;
    reg_target_t   target;

    static ngx_str_t  names[] = {
        ngx_null_string,                 /* NGX_HTTP_REGISTRY_NOTHING */
        ngx_string("pull"),
        ngx_string("push"),
        ngx_string("delete"),
        ngx_string("catalog"),
    };

    name = &names[ngx_http_registry_target(r->main, &target) == NGX_OK
                  ? ngx_http_registry_action(r->main, &target)
                  : NGX_HTTP_REGISTRY_NOTHING];

    return ngx_http_registry_variable_set(v, name->data, name->len);
}
