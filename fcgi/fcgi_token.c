#include "fcgi_token.h"

#include <jansson.h>

#include "fcgi_access.h"
#include "fcgi_metrics.h"
#include "reg_clock.h"
#include "reg_jws.h"
#include "reg_query.h"


#define FCGI_TOKEN_SCOPES  64            /* parameters of one request */
#define FCGI_TOKEN_TEXT    4096          /* bytes of one of them */


/* What was asked for, and by whom. */
typedef struct {
    reg_grants_t            asked;
    reg_access_verdict_t    verdict;
    bool                    offline;     /* a refresh token, too */
} fcgi_token_ask_t;


/* ---- asking -------------------------------------------------------------- */


/* Every scope of a query or form; a plus is a blank there. */
static int
fcgi_token_scopes(reg_str_t query, reg_grants_t *asked, reg_error_t *err)
{
    char  text[FCGI_TOKEN_TEXT];

    for (size_t n = 0; n < FCGI_TOKEN_SCOPES; n++) {

        switch (reg_query_get_nth(query, "scope", n, text, sizeof(text))) {

        case 0:
            return 0;

        case -1:
            return reg_error_set(err, REG_BAD_REQUEST, "a scope makes no"
                                 " sense: write repository:NAME:pull,push");
        }

        for (char *p = text; *p != '\0'; p++) {
            *p = *p == '+' ? ' ' : *p;
        }

        if (reg_grants_parse(asked, reg_str_from(text), err) == -1) {
            return -1;
        }
    }

    return reg_error_set(err, REG_BAD_REQUEST, "more than %d scopes",
                         FCGI_TOKEN_SCOPES);
}


static bool
fcgi_token_is(reg_str_t query, const char *name, const char *wanted)
{
    char  text[64];

    return reg_query_get(query, name, text, sizeof(text)) == 1
           && strcmp(text, wanted) == 0;
}


static reg_access_ask_t
fcgi_token_from(const fcgi_request_t *r)
{
    return (reg_access_ask_t) {
        .authorization = r->authorization, .client = r->client,
        .now = time(NULL),
    };
}


/* ---- answering ----------------------------------------------------------- */


static int
fcgi_token_json(const fcgi_token_ask_t *ask, const reg_config_t *config,
    const reg_buf_t tokens[2], const reg_grants_t *granted,
    fcgi_reply_t *reply)
{
    char        issued[REG_CLOCK_TEXT + 1], now[REG_CLOCK_TEXT], *text = NULL;
    reg_buf_t   scope = REG_BUF_INIT;
    json_t     *json;

    (void) snprintf(issued, sizeof(issued), "%sZ",
                    reg_clock_text(now, time(NULL)));           /* fits */

    for (size_t i = 0; i < granted->n; i++) {
        reg_buf_puts(&scope, i == 0 ? "" : " ");
        reg_scope_format(&scope, &granted->list[i]);
    }

    json = json_pack("{s:s%, s:s%, s:I, s:s, s:s%}",
                     "token", tokens[0].data, tokens[0].len,
                     "access_token", tokens[0].data, tokens[0].len,
                     "expires_in", (json_int_t) config->tokens_lifetime,
                     "issued_at", issued,
                     "scope", scope.len > 0 ? scope.data : "", scope.len);

    if (json != NULL && ask->offline && tokens[1].len > 0) {
        (void) json_object_set_new(json, "refresh_token",
                                   json_stringn(tokens[1].data,
                                                tokens[1].len));
    }

    text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);

    if (text != NULL) {
        fcgi_reply_begin(reply, 200);
        fcgi_reply_json(reply);
        fcgi_reply_header(reply, "Cache-Control", REG_STR("no-store"));
        reg_buf_puts(&reply->body, text);
        explicit_bzero(text, strlen(text));
    }

    free(text);
    json_decref(json);
    reg_buf_free(&scope);

    return text != NULL ? 0 : -1;
}


static int
fcgi_token_issue(const fcgi_service_t *service, fcgi_token_ask_t *ask,
    fcgi_reply_t *reply, reg_error_t *err)
{
    int           rc = -1;
    time_t        now = time(NULL);
    reg_buf_t     tokens[2] = { REG_BUF_INIT, REG_BUF_INIT };
    reg_grants_t  granted = REG_GRANTS_INIT;
    reg_login_t  *login = ask->verdict.login;

    if (reg_access_issue(service->access, login, &ask->asked, now, &tokens[0],
                         &granted, err) == -1)
    {
        goto out;
    }

    if (ask->offline && login != NULL
        && reg_access_issue(service->access, login, NULL, now, &tokens[1],
                            NULL, err) == -1)
    {
        goto out;
    }

    rc = fcgi_token_json(ask, service->config, tokens, &granted, reply);

    if (rc == -1) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        goto out;
    }

    reg_metrics_add(service->metrics, FCGI_METRICS_TOKENS,
                    FCGI_METRICS_ACCESS_TOKEN, 1);
    reg_metrics_add(service->metrics, FCGI_METRICS_TOKENS,
                    FCGI_METRICS_REFRESH_TOKEN, tokens[1].len > 0);

out:
    reg_grants_free(&granted);
    reg_buf_free(&tokens[0]);
    reg_buf_free(&tokens[1]);

    return rc;
}


/* The answer, when it is known who asks. */
static int
fcgi_token_reply(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_token_ask_t *ask, fcgi_reply_t *reply, reg_error_t *err)
{
    r->login = ask->verdict.login;
    fcgi_metrics_access(service, r, &ask->verdict);

    if (ask->verdict.result != REG_ACCESS_ALLOWED) {
        fcgi_access_refuse_login(service, r, &ask->verdict, reply);
        return 0;
    }

    if (fcgi_token_issue(service, ask, reply, err) == -1) {
        return -1;
    }

    if (r->login != NULL) {
        fcgi_access_audit(service, r, reply, "token");
    }

    return 0;
}


/* ---- the three ----------------------------------------------------------- */


static int
fcgi_token_enabled(const fcgi_service_t *service, reg_error_t *err)
{
    return service->config->tokens_enabled ? 0
           : reg_error_set(err, REG_NOT_FOUND, NULL);
}


int
fcgi_token_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    int               rc = -1;
    fcgi_token_ask_t  ask = { .asked = REG_GRANTS_INIT };
    reg_access_ask_t  from = fcgi_token_from(r);

    ask.offline = fcgi_token_is(r->query, "offline_token", "true");

    if (fcgi_token_enabled(service, err) == 0
        && fcgi_token_scopes(r->query, &ask.asked, err) == 0
        && reg_access_basic(service->access, &from, &ask.verdict, err) == 0)
    {
        rc = fcgi_token_reply(service, r, &ask, reply, err);
    }

    reg_grants_free(&ask.asked);

    return rc;
}


static int
fcgi_token_password(const fcgi_service_t *service, const fcgi_request_t *r,
    reg_str_t form, reg_access_verdict_t *verdict, reg_error_t *err)
{
    int               rc;
    char              user[REG_USER_MAX + 2], password[REG_QUERY_VALUE_MAX];
    reg_access_ask_t  from = fcgi_token_from(r);

    if (reg_query_get(form, "username", user, sizeof(user)) != 1
        || reg_query_get(form, "password", password, sizeof(password)) != 1)
    {
        return reg_error_set(err, REG_BAD_REQUEST, "username or password is"
                             " missing, or too long");
    }

    rc = reg_access_login(service->access, reg_str_from(user),
                          reg_str_from(password), &from, verdict, err);
    explicit_bzero(password, sizeof(password));

    return rc;
}


static int
fcgi_token_refresh(const fcgi_service_t *service, const fcgi_request_t *r,
    reg_str_t form, reg_access_verdict_t *verdict, reg_error_t *err)
{
    int               rc;
    char             *token = malloc(REG_JWS_MAX + 1);
    reg_access_ask_t  from = fcgi_token_from(r);

    if (token == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    rc = reg_query_get(form, "refresh_token", token, REG_JWS_MAX + 1) != 1
         ? reg_error_set(err, REG_BAD_REQUEST, "refresh_token is missing, or"
                         " too long")
         : reg_access_refresh(service->access, reg_str_from(token), &from,
                              verdict, err);
    free(token);

    return rc;
}


static int
fcgi_token_form(const fcgi_service_t *service, fcgi_request_t *r,
    reg_str_t form, fcgi_token_ask_t *ask, reg_error_t *err)
{
    static const struct {
        const char  *grant;
        int        (*identify)(const fcgi_service_t *service,
                               const fcgi_request_t *r, reg_str_t form,
                               reg_access_verdict_t *verdict,
                               reg_error_t *err);
    } grants[] = {
        { "password", fcgi_token_password },
        { "refresh_token", fcgi_token_refresh },
    };

    for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
        if (fcgi_token_is(form, "grant_type", grants[i].grant)) {
            return fcgi_token_scopes(form, &ask->asked, err) == -1 ? -1
                   : grants[i].identify(service, r, form, &ask->verdict, err);
        }
    }

    return reg_error_set(err, REG_BAD_REQUEST, "grant_type is password or"
                         " refresh_token");
}


int
fcgi_token_post(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    int               rc = -1;
    reg_buf_t         form = REG_BUF_INIT;
    fcgi_token_ask_t  ask = { .asked = REG_GRANTS_INIT };

    if (fcgi_token_enabled(service, err) == -1
        || fcgi_request_body(r, FCGI_TOKEN_FORM, &form, err) == -1)
    {
        goto out;
    }

    /* a blank is a plus in a form, and a plus is written %2B */
    for (size_t i = 0; i < form.len; i++) {
        form.data[i] = form.data[i] == '+' ? ' ' : form.data[i];
    }

    ask.offline = fcgi_token_is(reg_buf_str(&form), "access_type", "offline");

    if (fcgi_token_form(service, r, reg_buf_str(&form), &ask, err) == 0) {
        rc = fcgi_token_reply(service, r, &ask, reply, err);
    }

out:
    if (form.data != NULL) {
        explicit_bzero(form.data, form.len);
    }

    reg_buf_free(&form);
    reg_grants_free(&ask.asked);

    return rc;
}


int
fcgi_token_keys(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    (void) r;

    fcgi_reply_begin(reply, 200);
    fcgi_reply_json(reply);

    return reg_access_keys(service->access, &reply->body, err);
}
