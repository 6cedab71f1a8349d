/*
 * Whether a request may have what the module serves by itself.
 *
 * The worker knows; it is asked by a subrequest, which is the request itself
 * once more: the same URI, in the same location, with the same headers.  Only
 * $registry_purpose, which no client can set, tells the worker that it is to
 * decide and not to answer.  What it allows is kept in shared memory, by
 * credentials, repository and action, for a while that the answer and
 * registry_auth_cache bound.
 *
 *     first entry     remembered: go on.  Else the subrequest leaves, and the
 *                     phase waits
 *     second entry    what it brought: go on, or leave it to the worker, which
 *                     refuses with all that belongs to a refusal
 *
 * Everything else than a clear "allow" is left to the worker: a refusal, an
 * absent worker, an answer that is not understood.
 */

#include "ngx_http_registry_module.h"

#include "reg_epoch.h"


/* ms between two looks at the epoch */
#define NGX_HTTP_REGISTRY_EPOCH_GRAIN  100


static ngx_int_t ngx_http_registry_access_remembered(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_target_t *target,
    const ngx_str_t *action);
static ngx_int_t ngx_http_registry_access_ask(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
static ngx_int_t ngx_http_registry_access_done(ngx_http_request_t *r,
    void *data, ngx_int_t rc);
static ngx_int_t ngx_http_registry_access_read(ngx_http_request_t *sr,
    ngx_http_registry_answer_t *answer);
static void ngx_http_registry_access_remember(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const ngx_http_registry_answer_t *answer);


static ngx_str_t  ngx_http_registry_actions[] = {
    ngx_string("pull"),
    ngx_string("push"),
};


ngx_str_t *
ngx_http_registry_access_action(ngx_http_request_t *r)
{
    return &ngx_http_registry_actions[!(r->method
                                        & (NGX_HTTP_GET|NGX_HTTP_HEAD))];
}


ngx_int_t
ngx_http_registry_access(ngx_http_request_t *r, const reg_target_t *target)
{
    ngx_http_registry_ctx_t       *ctx;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    ctx = ngx_http_registry_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (!rlcf->auth) {
        ctx->access = NGX_HTTP_REGISTRY_ACCESS_OFF;
        return NGX_OK;
    }

    switch (ctx->access) {

    case NGX_HTTP_REGISTRY_ACCESS_NONE:
        break;

    case NGX_HTTP_REGISTRY_ACCESS_ASKING:
        return NGX_AGAIN;

    case NGX_HTTP_REGISTRY_ACCESS_DENIED:
        return NGX_DECLINED;

    default:
        return NGX_OK;
    }

    if (ngx_http_registry_access_remembered(r, ctx, target,
                                        ngx_http_registry_access_action(r))
        == NGX_OK)
    {
        return NGX_OK;
    }

    return ngx_http_registry_access_ask(r, ctx);
}


/* The epoch's number, from the disk now and then only. */

static uint64_t
ngx_http_registry_access_epoch(ngx_http_registry_loc_conf_t *rlcf)
{
    if (!rlcf->epoch_known
        || ngx_current_msec - rlcf->epoch_looked
           >= NGX_HTTP_REGISTRY_EPOCH_GRAIN)
    {
        rlcf->epoch = reg_epoch_look(rlcf->store);
        rlcf->epoch_looked = ngx_current_msec;
        rlcf->epoch_known = 1;
    }

    return rlcf->epoch;
}


static ngx_int_t
ngx_http_registry_access_remembered(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const reg_target_t *target,
    const ngx_str_t *action)
{
    uint64_t                       epoch;
    ngx_str_t                      parts[5];
    ngx_table_elt_t               *authorization;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    epoch = ngx_http_registry_access_epoch(rlcf);

    if (epoch == rlcf->open_epoch && ngx_time() < rlcf->open_until) {
        ctx->access = NGX_HTTP_REGISTRY_ACCESS_OPEN;
        return NGX_OK;
    }

    authorization = r->headers_in.authorization;

    parts[0] = rlcf->root;
    parts[1].len = sizeof(epoch);
    parts[1].data = (u_char *) &epoch;
    ngx_str_null(&parts[2]);
    parts[3].len = target->name.len;
    parts[3].data = (u_char *) target->name.text;
    parts[4] = *action;

    if (authorization) {
        parts[2] = authorization->value;
    }

    ngx_http_registry_zone_key(rlcf->auth_zone, parts, 5, ctx->key);
    ctx->epoch = epoch;

    if (rlcf->auth_cache == 0
        || ngx_http_registry_zone_get(rlcf->auth_zone, ctx->key, r->pool,
                                      &ctx->user) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ctx->access = NGX_HTTP_REGISTRY_ACCESS_HIT;

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_access_ask(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_http_request_t          *sr;
    ngx_http_post_subrequest_t  *ps;

    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));
    if (ps == NULL) {
        return NGX_ERROR;
    }

    ps->handler = ngx_http_registry_access_done;
    ps->data = ctx;

    /* in memory: its answer is read to the end, which keeps the connection to
     * the worker, and is nobody else's */

    if (ngx_http_subrequest(r, &r->uri, &r->args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_WAITED
                            |NGX_HTTP_SUBREQUEST_IN_MEMORY)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the body is the request's own: the subrequest has an empty one */

    sr->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (sr->request_body == NULL) {
        return NGX_ERROR;
    }

    /* no page of nginx's for what fails */
    sr->header_only = 1;

    ctx->asking = sr;
    ctx->access = NGX_HTTP_REGISTRY_ACCESS_ASKING;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_registry_access_done(ngx_http_request_t *r, void *data, ngx_int_t rc)
{
    ngx_http_registry_ctx_t     *ctx = data;
    ngx_http_registry_answer_t   answer;

    if (ctx->access != NGX_HTTP_REGISTRY_ACCESS_ASKING) {
        return rc;
    }

    ctx->access = NGX_HTTP_REGISTRY_ACCESS_DENIED;

    if (rc != NGX_OK || r->headers_out.status != NGX_HTTP_NO_CONTENT
        || ngx_http_registry_access_read(r, &answer) != NGX_OK)
    {
        return rc;
    }

    ctx->access = answer.open ? NGX_HTTP_REGISTRY_ACCESS_OPEN
                              : NGX_HTTP_REGISTRY_ACCESS_MISS;
    ctx->user = answer.user;

    ngx_http_registry_access_remember(r->main, ctx, &answer);

    return rc;
}


static ngx_int_t
ngx_http_registry_access_read(ngx_http_request_t *sr,
    ngx_http_registry_answer_t *answer)
{
    ngx_uint_t        i, k, n;
    ngx_str_t         values[3];
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("Registry-Decision"),
        ngx_string("Registry-Until"),
        ngx_string("Registry-User"),
    };

    ngx_memzero(answer, sizeof(ngx_http_registry_answer_t));
    ngx_memzero(values, sizeof(values));
    n = 0;

    for (part = &sr->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; k < sizeof(names) / sizeof(names[0]); k++) {

                if (h[i].hash == 0 || h[i].key.len != names[k].len
                    || ngx_strncasecmp(h[i].key.data, names[k].data,
                                       names[k].len) != 0)
                {
                    continue;
                }

                n += (k == 0);
                values[k] = h[i].value;
            }
        }
    }

    answer->open = (values[0].len == 4
                    && ngx_strncmp(values[0].data, "open", 4) == 0);

    if (n != 1 || (!answer->open
                   && (values[0].len != 5
                       || ngx_strncmp(values[0].data, "allow", 5) != 0)))
    {
        return NGX_DECLINED;
    }

    if (values[1].len) {
        answer->until = ngx_atotm(values[1].data, values[1].len);

        if (answer->until == NGX_ERROR) {
            return NGX_DECLINED;
        }
    }

    if (values[2].len <= NGX_HTTP_REGISTRY_USER) {
        answer->user = values[2];
    }

    return NGX_OK;
}


static void
ngx_http_registry_access_remember(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const ngx_http_registry_answer_t *answer)
{
    time_t                         until;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    until = ngx_time() + rlcf->auth_cache;

    if (answer->until && answer->until < until) {
        until = answer->until;
    }

    if (until <= ngx_time()) {
        return;
    }

    if (answer->open) {
        rlcf->open_epoch = ctx->epoch;
        rlcf->open_until = until;
        return;
    }

    ngx_http_registry_zone_put(rlcf->auth_zone, ctx->key, until,
                               &answer->user);
}
