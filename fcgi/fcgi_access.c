#include "fcgi_access.h"

#include <errno.h>

#include "fcgi_metrics.h"
#include "fcgi_origin.h"
#include "reg_query.h"


typedef struct {
    reg_error_code_t   code;
    bool               challenge;
    const char        *error;            /* of a Bearer challenge, or NULL */
    const char        *event;            /* for the audit, or NULL */
} fcgi_access_refusal_t;

/* Who is not logged in yet is no event: every login begins so. */
static const fcgi_access_refusal_t  fcgi_access_refusals[] = {
    [REG_ACCESS_LOGIN] = { REG_UNAUTHORIZED, true, NULL, NULL },
    [REG_ACCESS_WRONG] = { REG_UNAUTHORIZED, true, "invalid_token",
                           "login-failed" },
    [REG_ACCESS_SHORT] = { REG_UNAUTHORIZED, true, "insufficient_scope",
                           "denied" },
    [REG_ACCESS_DENIED] = { REG_DENIED, false, NULL, "denied" },
    [REG_ACCESS_SLOW] = { REG_TOOMANYREQUESTS, false, NULL, "login-failed" },
};


/* ---- challenges ---------------------------------------------------------- */


/* What the client is to ask a token for: who pushes reads as well. */
static void
fcgi_access_scope(const fcgi_request_t *r, reg_actions_t actions,
    reg_buf_t *out)
{
    reg_scope_t  scope = { REG_SCOPE_REGISTRY, r->target.name, actions };
    char         from[REG_QUERY_VALUE_MAX];
    bool         push = (actions & REG_ACTION_PUSH) != 0;

    if (actions == 0) {
        return;
    }

    reg_buf_puts(out, ",scope=\"");

    if ((actions & REG_ACTIONS_REPOSITORY) != 0) {
        scope.kind = REG_SCOPE_REPOSITORY;
        scope.actions |= push ? REG_ACTION_PULL : 0;
    }

    reg_scope_format(out, &scope);

    /* a mount reads another repository */
    if (push && r->target.kind == REG_TARGET_UPLOADS
        && reg_query_get(r->query, "from", from, sizeof(from)) == 1
        && reg_name_parse(&scope.name, reg_str_from(from)) == 0
        && !reg_str_eq(reg_name_str(&scope.name),
                       reg_name_str(&r->target.name)))
    {
        scope.actions = REG_ACTION_PULL;
        reg_buf_puts(out, " ");
        reg_scope_format(out, &scope);
    }

    reg_buf_puts(out, "\"");
}


/* A quoted-string of RFC 9110; the configuration has no control characters. */
static void
fcgi_access_quote(reg_buf_t *out, const char *name, reg_str_t value)
{
    reg_buf_puts(out, name);
    reg_buf_puts(out, "=\"");

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '"' || value.data[i] == '\\') {
            reg_buf_puts(out, "\\");
        }

        reg_buf_put(out, &value.data[i], 1);
    }

    reg_buf_puts(out, "\"");
}


static void
fcgi_access_bearer(const fcgi_service_t *service, const fcgi_request_t *r,
    reg_buf_t *out)
{
    const reg_config_t  *config = service->config;
    reg_buf_t            realm = REG_BUF_INIT;
    const char          *name = config->tokens_service;

    if (reg_access_way(service->access) == REG_ACCESS_TOKENS) {
        fcgi_origin(config, r, &realm);
        reg_buf_puts(&realm, "/v2/_token");

    } else {
        name = config->token_service;

        if (config->token_autoredirect) {
            fcgi_origin(config, r, &realm);
            reg_buf_puts(&realm, config->token_autoredirect_path);
        } else {
            reg_buf_puts(&realm, config->token_realm);
        }
    }

    reg_buf_puts(out, "Bearer ");
    fcgi_access_quote(out, "realm", reg_buf_str(&realm));
    reg_buf_puts(out, ",");
    fcgi_access_quote(out, "service", reg_str_from(name));
    reg_buf_free(&realm);
}


static void
fcgi_access_basic(const fcgi_service_t *service, reg_buf_t *out)
{
    reg_buf_puts(out, "Basic ");
    fcgi_access_quote(out, "realm",
                      reg_str_from(service->config->htpasswd_realm));
    reg_buf_puts(out, ", charset=\"UTF-8\"");
}


static void
fcgi_access_challenge(const fcgi_service_t *service, const fcgi_request_t *r,
    reg_actions_t actions, const char *error, fcgi_reply_t *reply)
{
    reg_buf_t  out = REG_BUF_INIT;

    switch (reg_access_way(service->access)) {

    case REG_ACCESS_NOBODY:
        return;

    case REG_ACCESS_BASIC:
        fcgi_access_basic(service, &out);
        break;

    default:
        fcgi_access_bearer(service, r, &out);
        fcgi_access_scope(r, actions, &out);

        if (error != NULL) {
            reg_buf_puts(&out, ",");
            fcgi_access_quote(&out, "error", reg_str_from(error));
        }
    }

    fcgi_reply_header(reply, "WWW-Authenticate", reg_buf_str(&out));
    reg_buf_free(&out);
}


/* ---- the decision -------------------------------------------------------- */


void
fcgi_access_audit(const fcgi_service_t *service, const fcgi_request_t *r,
    const fcgi_reply_t *reply, const char *event)
{
    const reg_target_t  *t = &r->target;
    fcgi_audit_line_t    line = {
        .event = event, .client = r->client, .agent = r->agent,
        .status = reply->status,
    };

    /* a question of nginx's is followed by the client's own */
    if (fcgi_request_is_question(r)) {
        return;
    }

    if (r->login != NULL) {
        line.user = reg_str_from(r->login->identity.name);
    }

    if (reg_target_has_name(t->kind)) {
        line.repository = reg_name_str(&t->name);
    }

    if (t->kind == REG_TARGET_MANIFEST) {
        line.reference = reg_ref_str(&t->ref);

    } else if (t->kind == REG_TARGET_BLOB) {
        line.reference = reg_digest_str(&t->digest);
    }

    if (reply->digest.text[0] != '\0') {
        line.digest = reg_digest_str(&reply->digest);
    }

    if (fcgi_audit_write(service->audit, &line) == -1) {
        fcgi_log(service->log, REG_LOG_ERROR, "audit: %s", strerror(errno));
    }
}


/* What a person reads; names and actions are no secrets of ours. */
static void
fcgi_access_message(const fcgi_service_t *service, const fcgi_request_t *r,
    const reg_access_verdict_t *verdict, reg_actions_t actions,
    reg_error_t *err)
{
    reg_error_code_t  code = fcgi_access_refusals[verdict->result].code;
    reg_buf_t         words = REG_BUF_INIT;
    bool              nobody;

    nobody = reg_access_way(service->access) == REG_ACCESS_NOBODY;
    reg_actions_format(&words, actions);
    reg_buf_put(&words, "", 1);

    switch (verdict->result) {

    case REG_ACCESS_LOGIN:
        (void) reg_error_set(err, nobody ? REG_DENIED : code, nobody
                             ? "this is not open to everybody, and the"
                               " registry has no accounts"
                             : "log in first: docker login");
        break;

    case REG_ACCESS_WRONG:
        (void) reg_error_set(err, code, verdict->bearer
                             ? "the token is not valid, or no longer; log in"
                               " again"
                             : "wrong user name or password");
        break;

    case REG_ACCESS_SHORT:
        (void) reg_error_set(err, code, "the token does not carry what is"
                             " needed: %.60s", reg_buf_ok(&words)
                             ? words.data : "");
        break;

    case REG_ACCESS_SLOW:
        (void) reg_error_set(err, code, "too many failed logins; try again in"
                             " %lld seconds", (long long) verdict->wait);
        break;

    default:
        (void) reg_error_set(err, code, "%.64s may not do this here: %.60s is"
                             " not allowed", verdict->login == NULL
                             ? "anonymous" : verdict->login->identity.name,
                             reg_buf_ok(&words) ? words.data : "");
    }

    if (reg_target_has_name(r->target.kind)) {
        reg_error_detail(err, "name", reg_name_str(&r->target.name));
    }

    if (verdict->why[0] != '\0') {
        reg_error_where(err, "access:", verdict->why);
    }

    reg_buf_free(&words);
}


/* The error and what goes with it, but for a challenge. */
static void
fcgi_access_refuse_plain(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_access_verdict_t *verdict,
    reg_actions_t actions, fcgi_reply_t *reply)
{
    const fcgi_access_refusal_t  *how = &fcgi_access_refusals[verdict->result];
    reg_error_t                   err = REG_ERROR_INIT;
    char                          seconds[24];

    fcgi_access_message(service, r, verdict, actions, &err);
    fcgi_reply_errors(reply, &err, 1);

    if (verdict->result == REG_ACCESS_SLOW) {
        (void) snprintf(seconds, sizeof(seconds), "%lld",
                        (long long) verdict->wait);                /* fits */
        fcgi_reply_header(reply, "Retry-After", reg_str_from(seconds));
    }

    if (how->event != NULL) {
        fcgi_access_audit(service, r, reply, how->event);
    }
}


static void
fcgi_access_refuse(const fcgi_service_t *service, const fcgi_request_t *r,
    const reg_access_verdict_t *verdict, reg_actions_t actions,
    fcgi_reply_t *reply)
{
    const fcgi_access_refusal_t  *how = &fcgi_access_refusals[verdict->result];

    fcgi_access_refuse_plain(service, r, verdict, actions, reply);

    if (how->challenge) {
        fcgi_access_challenge(service, r, actions, how->error, reply);
    }
}


void
fcgi_access_refuse_login(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_access_verdict_t *verdict,
    fcgi_reply_t *reply)
{
    reg_buf_t  challenge = REG_BUF_INIT;

    fcgi_access_refuse_plain(service, r, verdict, 0, reply);

    if (fcgi_access_refusals[verdict->result].challenge) {
        fcgi_access_basic(service, &challenge);
        fcgi_reply_header(reply, "WWW-Authenticate",
                          reg_buf_str(&challenge));
    }

    reg_buf_free(&challenge);
}


/* Files that were read anew may have had something wrong in them. */
static void
fcgi_access_complain(const fcgi_service_t *service)
{
    char  message[256];

    if (reg_access_message(service->access, message, sizeof(message)) == 1) {
        fcgi_log(service->log, REG_LOG_WARN, "%s", message);
    }
}


int
fcgi_access_check(const fcgi_service_t *service, fcgi_request_t *r,
    reg_actions_t actions, fcgi_reply_t *reply)
{
    reg_error_t           err = REG_ERROR_INIT;
    reg_access_verdict_t  verdict;
    reg_access_ask_t      ask = {
        .authorization = r->authorization, .client = r->client,
        .name = (actions & REG_ACTIONS_REPOSITORY) != 0 ? &r->target.name
                                                        : NULL,
        .actions = actions, .now = time(NULL),
    };

    if (r->twice) {
        (void) reg_error_set(&err, REG_BAD_REQUEST, "two Authorization"
                             " headers");

    } else if (reg_access_decide(service->access, &ask, &verdict, &err) == 0) {

        r->login = verdict.login;
        r->until = verdict.until;
        fcgi_metrics_access(service, r, &verdict);
        fcgi_access_complain(service);

        if (verdict.result == REG_ACCESS_ALLOWED) {
            return 0;
        }

        fcgi_access_refuse(service, r, &verdict, actions, reply);
        return -1;
    }

    fcgi_reply_errors(reply, &err, 1);
    return -1;
}


void
fcgi_access_user(const fcgi_request_t *r, fcgi_reply_t *reply)
{
    reg_buf_t  user = REG_BUF_INIT;

    if (r->login != NULL && r->login->identity.name[0] != '\0') {
        reg_query_encode(&user, reg_str_from(r->login->identity.name));
        fcgi_reply_header(reply, "Registry-User", reg_buf_str(&user));
        reg_buf_free(&user);
    }
}


void
fcgi_access_tell(const fcgi_service_t *service, const fcgi_request_t *r,
    fcgi_reply_t *reply)
{
    char         until[24];
    reg_error_t  quiet = REG_ERROR_INIT;
    bool         open = reg_access_is_open(service->access)
                        && !service->config->readonly
                        && reg_store_writable(service->store, &quiet) == 0;

    fcgi_reply_begin(reply, 204);
    fcgi_reply_header(reply, "Registry-Decision", open ? REG_STR("open")
                                                       : REG_STR("allow"));

    if (r->until != 0) {
        (void) snprintf(until, sizeof(until), "%lld",
                        (long long) r->until);                     /* fits */
        fcgi_reply_header(reply, "Registry-Until", reg_str_from(until));
    }
}


reg_actions_t
fcgi_access_grant(const fcgi_service_t *service, const fcgi_request_t *r,
    const reg_name_t *name)
{
    return reg_access_grant(service->access, r->login, name);
}


bool
fcgi_access_ask_more(const fcgi_service_t *service, const fcgi_request_t *r,
    const reg_name_t *name, fcgi_reply_t *reply)
{
    reg_access_verdict_t  verdict = { .result = REG_ACCESS_SHORT };

    if (!reg_access_is_short(service->access, r->login, name,
                             REG_ACTION_PULL))
    {
        return false;
    }

    /* the scope of a mount names both repositories */
    fcgi_access_refuse(service, r, &verdict, REG_ACTION_PUSH, reply);

    return true;
}
