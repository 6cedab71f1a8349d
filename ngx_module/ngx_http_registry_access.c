/*
 * Who may: asked of the worker once, by a subrequest, and then remembered.
 *
 *     handler ─▶ registry_auth off? everybody may? remembered? ──▶ go on
 *        │ no
 *        └─▶ subrequest ─▶ fastcgi_pass, REGISTRY_PURPOSE "decide"
 *                                 │
 *     handler again ◀─ done ◀─ 204 Registry-Decision: allow    ──▶ go on
 *                              anything else                   ──▶ the worker
 *
 * The subrequest is a clone of the request, from this phase on: it has the
 * same location, URI and credentials, and nothing that a client sends makes a
 * request one or changes what it asks.  It has no body, and its answer goes
 * nowhere but here.  What it does not allow is left to the worker, which
 * decides again and writes the whole answer; only allows are remembered.
 */

#include "ngx_http_registry_module.h"

#include "reg_epoch.h"


/* milliseconds that a look at the epoch is good for: how long a change of
 * accounts may go unnoticed */
#define NGX_HTTP_REGISTRY_EPOCH_LOOK  100


struct ngx_http_registry_question_s {
    u_char                       key[NGX_HTTP_REGISTRY_KEY_SIZE];
    ngx_http_registry_ask_t      everybody;      /* the key of "open" */
    ngx_http_registry_allow_t    allow;
    ngx_uint_t                   answered;
    ngx_uint_t                   allowed;
    ngx_uint_t                   open;
};


/* headers of the worker's answer; each may be there once */
typedef struct {
    ngx_str_t                    decision;
    ngx_str_t                    until;
    ngx_str_t                    user;
} ngx_http_registry_answer_t;


static void ngx_http_registry_access_look(ngx_http_registry_loc_conf_t *rlcf);
static ngx_http_registry_ask_t ngx_http_registry_access_everybody(
    ngx_http_registry_loc_conf_t *rlcf);
static ngx_uint_t ngx_http_registry_access_open(ngx_shm_zone_t *zone,
    ngx_http_registry_loc_conf_t *rlcf);
static ngx_int_t ngx_http_registry_access_credentials(ngx_http_request_t *r,
    ngx_str_t *authorization);
static ngx_int_t ngx_http_registry_access_user(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const ngx_http_registry_allow_t *allow);
static ngx_int_t ngx_http_registry_access_ask(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const u_char *key);
static ngx_int_t ngx_http_registry_access_done(ngx_http_request_t *sr,
    void *data, ngx_int_t rc);
static ngx_int_t ngx_http_registry_access_read(ngx_http_request_t *sr,
    ngx_http_registry_question_t *q);
static ngx_int_t ngx_http_registry_access_headers(ngx_http_request_t *sr,
    ngx_http_registry_answer_t *answer);
static void ngx_http_registry_access_keep(ngx_http_request_t *sr,
    ngx_http_registry_question_t *q);


ngx_int_t
ngx_http_registry_access(ngx_http_request_t *r, const reg_target_t *target)
{
    u_char                          key[NGX_HTTP_REGISTRY_KEY_SIZE];
    ngx_http_registry_ask_t         ask;
    ngx_http_registry_ctx_t        *ctx;
    ngx_http_registry_allow_t       allow;
    ngx_http_registry_loc_conf_t   *rlcf;
    ngx_http_registry_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(r, ngx_http_registry_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    ctx = ngx_http_registry_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (ctx->question != NULL) {
        return !ctx->question->answered ? NGX_AGAIN
               : !ctx->question->allowed ? NGX_DECLINED
               : ngx_http_registry_access_user(r, ctx, &ctx->question->allow);
    }

    if (!rlcf->auth) {
        ctx->cache = NGX_HTTP_REGISTRY_OFF;
        return NGX_OK;
    }

    ngx_http_registry_access_look(rlcf);

    if (rlcf->open
        && ngx_http_registry_zone_fresh(&rlcf->opened, rlcf->auth_cache))
    {
        ctx->cache = NGX_HTTP_REGISTRY_OPEN;
        return NGX_OK;
    }

    ask.place = rlcf->place;
    ask.epoch = rlcf->epoch;
    ask.action = ngx_http_registry_action(r, target);
    ask.name = reg_name_str(&target->name);

    if (ngx_http_registry_access_credentials(r, &ask.authorization)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_http_registry_zone_key(rmcf->zone, &ask, key);

    if (ngx_http_registry_zone_find(rmcf->zone, key, rlcf->auth_cache, &allow)
        == NGX_OK)
    {
        ctx->cache = NGX_HTTP_REGISTRY_HIT;
        return ngx_http_registry_access_user(r, ctx, &allow);
    }

    if (ngx_http_registry_access_open(rmcf->zone, rlcf)) {
        ctx->cache = NGX_HTTP_REGISTRY_OPEN;
        return NGX_OK;
    }

    ctx->cache = NGX_HTTP_REGISTRY_MISS;

    return ngx_http_registry_access_ask(r, ctx, key);
}


/* One stat now and then: what was decided in another epoch is over. */

static void
ngx_http_registry_access_look(ngx_http_registry_loc_conf_t *rlcf)
{
    uint64_t  epoch;

    if (rlcf->looked_at_all && ngx_current_msec - rlcf->looked
                               < NGX_HTTP_REGISTRY_EPOCH_LOOK)
    {
        return;
    }

    epoch = reg_epoch_look(rlcf->store);

    if (epoch != rlcf->epoch) {
        rlcf->epoch = epoch;
        rlcf->open = 0;
    }

    rlcf->looked = ngx_current_msec;
    rlcf->looked_at_all = 1;
}


static ngx_http_registry_ask_t
ngx_http_registry_access_everybody(ngx_http_registry_loc_conf_t *rlcf)
{
    ngx_http_registry_ask_t  ask;

    ngx_memzero(&ask, sizeof(ngx_http_registry_ask_t));

    ask.place = rlcf->place;
    ask.epoch = rlcf->epoch;
    ask.action = NGX_HTTP_REGISTRY_NOTHING;

    return ask;
}


/* Another process may have learned that everybody may. */

static ngx_uint_t
ngx_http_registry_access_open(ngx_shm_zone_t *zone,
    ngx_http_registry_loc_conf_t *rlcf)
{
    u_char                   key[NGX_HTTP_REGISTRY_KEY_SIZE];
    ngx_http_registry_ask_t  ask;

    ask = ngx_http_registry_access_everybody(rlcf);
    ngx_http_registry_zone_key(zone, &ask, key);

    rlcf->open = ngx_http_registry_zone_find(zone, key, rlcf->auth_cache,
                                             &rlcf->opened) == NGX_OK;
    return rlcf->open;
}


static ngx_int_t
ngx_http_registry_access_credentials(ngx_http_request_t *r,
    ngx_str_t *authorization)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL) {
        ngx_str_null(authorization);
        return NGX_OK;
    }

#if (nginx_version >= 1023000)
    /* older ones refuse such a request by themselves */
    if (h->next != NULL) {
        return NGX_DECLINED;
    }
#endif

    *authorization = h->value;

    return NGX_OK;
}


static ngx_int_t
ngx_http_registry_access_user(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const ngx_http_registry_allow_t *allow)
{
    ngx_str_t  user;

    if (allow->user_len == 0) {
        return NGX_OK;
    }

    user.data = (u_char *) allow->user;
    user.len = allow->user_len;

    ctx->user.data = ngx_pstrdup(r->pool, &user);
    ctx->user.len = user.len;

    return ctx->user.data != NULL ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_registry_access_ask(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx, const u_char *key)
{
    ngx_http_request_t            *sr;
    ngx_http_registry_ctx_t       *sctx;
    ngx_http_post_subrequest_t    *ps;
    ngx_http_registry_question_t  *q;
    ngx_http_registry_loc_conf_t  *rlcf;

    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_registry_module);

    q = ngx_pcalloc(r->pool, sizeof(ngx_http_registry_question_t));
    ps = ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t));

    if (q == NULL || ps == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(q->key, key, sizeof(q->key));
    q->everybody = ngx_http_registry_access_everybody(rlcf);
    q->allow.decided = ngx_current_msec;

    ps->handler = ngx_http_registry_access_done;
    ps->data = q;

    if (ngx_http_subrequest(r, &r->uri, &r->args, &sr, ps,
                            NGX_HTTP_SUBREQUEST_WAITED
                            |NGX_HTTP_SUBREQUEST_CLONE)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the body is the request's own, and is read when it is known whose; what
     * the subrequest answers has none for anybody */

    sr->request_body = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    sctx = ngx_http_registry_ctx(sr);

    if (sr->request_body == NULL || sctx == NULL) {
        return NGX_ERROR;
    }

    sr->header_only = 1;
    sctx->decides = 1;

    ctx->question = q;

    return NGX_AGAIN;
}


/* The subrequest has ended, well or not.  Its errors are not the request's:
 * only that of a client that is gone ends both. */

static ngx_int_t
ngx_http_registry_access_done(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_http_registry_question_t *q = data;

    if (!q->answered) {
        q->answered = 1;

        if (rc == NGX_OK && ngx_http_registry_access_read(sr, q) == NGX_OK) {
            q->allowed = 1;
            ngx_http_registry_access_keep(sr, q);
        }
    }

    return rc >= NGX_HTTP_SPECIAL_RESPONSE
           && rc != NGX_HTTP_CLIENT_CLOSED_REQUEST
           && rc != NGX_HTTP_REQUEST_TIME_OUT
           ? NGX_OK : rc;
}


/* NGX_OK: the worker itself has said, in so many words, that the client may.
 * A context that is gone is that of a subrequest which was redirected. */

static ngx_int_t
ngx_http_registry_access_read(ngx_http_request_t *sr,
    ngx_http_registry_question_t *q)
{
    int64_t                      until;
    ngx_str_t                    name;
    ngx_http_upstream_t         *u;
    ngx_http_registry_ctx_t     *sctx;
    ngx_http_registry_answer_t   answer;

    u = sr->upstream;
    sctx = ngx_http_get_module_ctx(sr, ngx_http_registry_module);

    if (u == NULL || sctx == NULL || !sctx->decides
#if (NGX_HTTP_CACHE)
        || sr->cache != NULL
#endif
        || u->headers_in.x_accel_redirect != NULL
        || ngx_http_registry_access_headers(sr, &answer) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (u->headers_in.status_n != NGX_HTTP_NO_CONTENT) {

        if (u->headers_in.status_n < NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_log_error(NGX_LOG_ERR, sr->connection->log, 0,
                          "the worker has answered a question of nginx's as "
                          "if it were a client's: is REGISTRY_PURPOSE in "
                          "registry_params?");
        }

        return NGX_DECLINED;
    }

    q->open = answer.decision.len == 4
              && ngx_strncmp(answer.decision.data, "open", 4) == 0;

    if (!q->open
        && (answer.decision.len != 5
            || ngx_strncmp(answer.decision.data, "allow", 5) != 0))
    {
        return NGX_DECLINED;
    }

    if (answer.until.data != NULL) {
        if (reg_str_int(ngx_http_registry_str(&answer.until), INT64_MAX,
                        &until) == -1
            || until <= ngx_time())
        {
            return NGX_DECLINED;
        }

        q->allow.until = (time_t) until;
    }

    if (answer.user.data == NULL) {
        return NGX_OK;
    }

    if (ngx_http_registry_access_name(sr, &answer.user, &name) != NGX_OK) {
        return NGX_DECLINED;
    }

    q->allow.user_len = name.len;
    ngx_memcpy(q->allow.user, name.data, name.len);

    return NGX_OK;
}


/* NGX_DECLINED: one of them is there twice. */

static ngx_int_t
ngx_http_registry_access_headers(ngx_http_request_t *sr,
    ngx_http_registry_answer_t *answer)
{
    ngx_str_t        *value;
    ngx_uint_t        i, k;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const struct {
        ngx_str_t  name;
        size_t     offset;
    } headers[] = {
        { ngx_string("Registry-Decision"),
          offsetof(ngx_http_registry_answer_t, decision) },
        { ngx_string("Registry-Until"),
          offsetof(ngx_http_registry_answer_t, until) },
        { ngx_string("Registry-User"),
          offsetof(ngx_http_registry_answer_t, user) },
    };

    ngx_memzero(answer, sizeof(ngx_http_registry_answer_t));

    for (part = &sr->upstream->headers_in.headers.part; part;
         part = part->next)
    {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (k = 0; k < sizeof(headers) / sizeof(headers[0]); k++) {
                if (h[i].key.len != headers[k].name.len
                    || ngx_strncasecmp(h[i].key.data, headers[k].name.data,
                                       h[i].key.len) != 0)
                {
                    continue;
                }

                value = (ngx_str_t *) ((char *) answer + headers[k].offset);

                if (value->data != NULL) {
                    return NGX_DECLINED;
                }

                *value = h[i].value;
            }
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_registry_access_name(ngx_http_request_t *r, const ngx_str_t *encoded,
    ngx_str_t *name)
{
    u_char  *src, *dst, *p;

    p = ngx_pnalloc(r->pool, encoded->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    src = encoded->data;
    dst = p;

    ngx_unescape_uri(&dst, &src, encoded->len, 0);

    name->data = p;
    name->len = dst - p;

    if (!reg_user_valid(ngx_http_registry_str(name))) {
        ngx_str_null(name);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_registry_access_keep(ngx_http_request_t *sr,
    ngx_http_registry_question_t *q)
{
    ngx_http_registry_loc_conf_t   *rlcf;
    ngx_http_registry_main_conf_t  *rmcf;

    rmcf = ngx_http_get_module_main_conf(sr, ngx_http_registry_module);
    rlcf = ngx_http_get_module_loc_conf(sr, ngx_http_registry_module);

    if (!ngx_http_registry_zone_fresh(&q->allow, rlcf->auth_cache)) {
        return;
    }

    if (q->open) {
        ngx_http_registry_zone_key(rmcf->zone, &q->everybody, q->key);
    }

    ngx_http_registry_zone_keep(rmcf->zone, q->key, &q->allow,
                                sr->connection->log);
}
