#include "reg_token.h"

#include <jansson.h>

#include "reg_json.h"


/* GitLab's patterns of tags are in the sixth level */
#define REG_TOKEN_DEPTH  32


static int
reg_claims_refuse(reg_error_t *err, const char *why)
{
    return reg_error_set(err, REG_UNAUTHORIZED, "%s", why);
}


/* A text that is a member; empty if it is none. */
static reg_str_t
reg_claims_text(const json_t *json, const char *name)
{
    const json_t  *value = json_object_get(json, name);

    return json_is_string(value)
           ? (reg_str_t) { json_string_length(value),
                           json_string_value(value) } : REG_STR_NULL;
}


/* Whole seconds, or a number with a fraction (RFC 7519, NumericDate).  -1 if it
 * is there and is none. */
static int
reg_claims_time(const json_t *json, const char *name, int64_t *out)
{
    const json_t  *value = json_object_get(json, name);
    double         number;

    *out = 0;

    if (value == NULL) {
        return 0;
    }

    number = json_number_value(value);

    /* what a double holds to the second, far beyond all calendars */
    if (!json_is_number(value) || !(number >= 0 && number < 1e15)) {
        return -1;
    }

    *out = (int64_t) number;

    return 0;
}


static bool
reg_claims_is_for(const json_t *aud, reg_str_t service)
{
    size_t   i;
    json_t  *one;

    if (json_is_string(aud)) {
        return reg_str_eq(service, (reg_str_t) { json_string_length(aud),
                                                 json_string_value(aud) });
    }

    for (i = 0; i < json_array_size(aud); i++) {
        one = json_array_get(aud, i);

        if (json_is_string(one) && reg_claims_is_for(one, service)) {
            return true;
        }
    }

    return false;
}


/* A list of patterns, which may be missing.  What makes no sense must not be
 * passed over: it would have taken something away. */
static int
reg_claims_patterns(reg_claims_t *claims, reg_protection_kind_t kind,
    const reg_name_t *name, const json_t *list, reg_error_t *err)
{
    if (list != NULL && !json_is_array(list) && !json_is_null(list)) {
        return reg_claims_refuse(err, "its patterns of tags are no list");
    }

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t  *one = json_array_get(list, i);
        reg_str_t      text = { json_string_length(one),
                                json_string_value(one) };

        if (!json_is_string(one)) {
            return reg_claims_refuse(err, "a pattern of tags is no text");
        }

        if (reg_protections_add(&claims->protections, kind, name, text, err)
            == -1)
        {
            return -1;
        }
    }

    return 0;
}


static int
reg_claims_meta(reg_claims_t *claims, const reg_name_t *name,
    const json_t *meta, reg_error_t *err)
{
    const json_t  *deny = json_object_get(meta, "tag_deny_access_patterns");

    if ((meta != NULL && !json_is_object(meta) && !json_is_null(meta))
        || (deny != NULL && !json_is_object(deny) && !json_is_null(deny)))
    {
        return reg_claims_refuse(err, "its meta makes no sense");
    }

    return reg_claims_patterns(claims, REG_PROTECTION_PUSH, name,
                               json_object_get(deny, "push"), err) == -1
           || reg_claims_patterns(claims, REG_PROTECTION_DELETE, name,
                                  json_object_get(deny, "delete"), err) == -1
           || reg_claims_patterns(claims, REG_PROTECTION_IMMUTABLE, name,
                                  json_object_get(meta,
                                                  "tag_immutable_patterns"),
                                  err) == -1 ? -1 : 0;
}


/* One entry of "access".  What is none of ours gives nothing. */
static int
reg_claims_entry(reg_claims_t *claims, const json_t *entry, reg_error_t *err)
{
    size_t        i;
    json_t       *actions = json_object_get(entry, "actions");
    reg_str_t     type = reg_claims_text(entry, "type");
    reg_str_t     name = reg_claims_text(entry, "name");
    reg_scope_t   scope = { .kind = REG_SCOPE_REPOSITORY };

    if (!json_is_array(actions)) {
        return 0;
    }

    if (reg_str_eq(type, REG_STR("registry"))
        && reg_str_eq(name, REG_STR("catalog")))
    {
        scope.kind = REG_SCOPE_REGISTRY;

    } else if (!reg_str_eq(type, REG_STR("repository"))
               || reg_name_parse(&scope.name, name) == -1)
    {
        return 0;
    }

    for (i = 0; i < json_array_size(actions); i++) {
        const json_t  *one = json_array_get(actions, i);
        reg_str_t      word = { json_string_length(one),
                                json_string_value(one) };

        if (!json_is_string(one)) {
            continue;
        }

        scope.actions |= scope.kind == REG_SCOPE_REPOSITORY
                         ? reg_action_parse(word) & REG_ACTIONS_REPOSITORY
                         : reg_str_eq(word, REG_STR("*"))
                           ? REG_ACTION_CATALOG : 0;
    }

    if (scope.kind == REG_SCOPE_REPOSITORY
        && reg_claims_meta(claims, &scope.name, json_object_get(entry, "meta"),
                           err) == -1)
    {
        return -1;
    }

    return scope.actions == 0 ? 0
           : reg_grants_add(&claims->grants, &scope, err);
}


static int
reg_claims_access(reg_claims_t *claims, const json_t *json, reg_error_t *err)
{
    size_t         i;
    const json_t  *access = json_object_get(json, "access");

    if (access == NULL || json_is_null(access)) {
        return 0;
    }

    if (!json_is_array(access)) {
        return reg_claims_refuse(err, "its access is no list");
    }

    for (i = 0; i < json_array_size(access); i++) {
        if (reg_claims_entry(claims, json_array_get(access, i), err)
            == -1)
        {
            return -1;
        }
    }

    return 0;
}


static int
reg_claims_times(reg_claims_t *claims, const json_t *json, time_t now,
    reg_error_t *err)
{
    int64_t  expires, before, issued;

    if (reg_claims_time(json, "exp", &expires) == -1
        || reg_claims_time(json, "nbf", &before) == -1
        || reg_claims_time(json, "iat", &issued) == -1)
    {
        return reg_claims_refuse(err, "its times are no times");
    }

    if (expires == 0) {
        return reg_claims_refuse(err, "it has no end (exp)");
    }

    if (now >= expires + REG_TOKEN_LEEWAY) {
        return reg_claims_refuse(err, "it is over (exp)");
    }

    if (now < before - REG_TOKEN_LEEWAY) {
        return reg_claims_refuse(err, "it is not good yet (nbf): are the clocks"
                                 " right?");
    }

    claims->expires = (time_t) expires + REG_TOKEN_LEEWAY;

    return 0;
}


static int
reg_claims_print(reg_claims_t *claims, const json_t *json, reg_error_t *err)
{
    reg_str_t  text = reg_claims_text(json, "print");

    if (text.len == 0) {
        return 0;
    }

    if (text.len != 2 * REG_TOKEN_PRINT || !reg_str_is_hex(text)) {
        return reg_claims_refuse(err, "its print is none");
    }

    for (size_t i = 0; i < text.len; i++) {
        char           c = text.data[i];
        unsigned char  nibble = (unsigned char) (c <= '9' ? c - '0'
                                                          : c - 'a' + 10);

        claims->print[i / 2] = (unsigned char) (claims->print[i / 2] << 4
                                                | nibble);
    }

    claims->has_print = true;

    return 0;
}


static int
reg_claims_read(reg_claims_t *claims, const json_t *json,
    const reg_token_expect_t *expect, reg_error_t *err)
{
    reg_str_t  issuer = reg_claims_text(json, "iss");
    reg_str_t  subject = reg_claims_text(json, "sub");

    if (!json_is_object(json)) {
        return reg_claims_refuse(err, "its payload is no JSON object");
    }

    if (!reg_str_eq(issuer, reg_str_from(expect->issuer))) {
        return reg_error_set(err, REG_UNAUTHORIZED, "it is of another issuer:"
                             " \"%.*s\"",
                             (int) (issuer.len < 100 ? issuer.len : 100),
                             issuer.data != NULL ? issuer.data : "");
    }

    if (!reg_claims_is_for(json_object_get(json, "aud"),
                           reg_str_from(expect->service)))
    {
        return reg_claims_refuse(err, "it is for another service (aud)");
    }

    if (subject.len > 0
        && (!reg_user_valid(subject)
            || reg_str_copy(claims->subject, sizeof(claims->subject), subject)
               == -1))
    {
        return reg_claims_refuse(err, "its subject is no name");
    }

    claims->refresh = reg_str_eq(reg_claims_text(json, "use"),
                                 REG_STR("refresh"));

    return reg_claims_times(claims, json, expect->now, err) == -1
           || reg_claims_print(claims, json, err) == -1
           || reg_claims_access(claims, json, err) == -1 ? -1 : 0;
}


int
reg_claims_parse(reg_claims_t *claims, reg_str_t payload,
    const reg_token_expect_t *expect, reg_error_t *err)
{
    const reg_json_t  most = { REG_TOKEN_DEPTH, payload.len };
    int               rc;
    json_t           *json = reg_json_load(payload, &most);

    *claims = (reg_claims_t) REG_CLAIMS_INIT;
    rc = reg_claims_read(claims, json, expect, err);
    json_decref(json);

    if (rc == -1) {
        reg_claims_free(claims);
    }

    return rc;
}


/* ---- writing ------------------------------------------------------------- */


static json_t *
reg_claims_actions(reg_actions_t actions)
{
    json_t     *list = json_array();
    reg_buf_t   words = REG_BUF_INIT;
    reg_str_t   rest, word;

    reg_actions_format(&words, actions);
    rest = reg_buf_str(&words);

    while (rest.len > 0) {
        word = reg_str_cut(&rest, ',');

        if (json_array_append_new(list, json_stringn(word.data, word.len))
            == -1)
        {
            json_decref(list);
            list = NULL;
            break;
        }
    }

    reg_buf_free(&words);

    return list;
}


static json_t *
reg_claims_access_json(const reg_grants_t *grants)
{
    json_t  *access = json_array();

    for (size_t i = 0; i < grants->n; i++) {
        const reg_scope_t  *scope = &grants->list[i];
        json_t             *entry;

        entry = scope->kind == REG_SCOPE_REGISTRY
                ? json_pack("{s:s, s:s, s:[s]}", "type", "registry",
                            "name", "catalog", "actions", "*")
                : json_pack("{s:s, s:s, s:o}", "type", "repository",
                            "name", scope->name.text, "actions",
                            reg_claims_actions(scope->actions));

        if (json_array_append_new(access, entry) == -1) {
            json_decref(access);
            return NULL;
        }
    }

    return access;
}


static int
reg_claims_extend(json_t *json, const reg_claims_t *claims)
{
    char  print[2 * REG_TOKEN_PRINT + 1];

    for (size_t i = 0; i < REG_TOKEN_PRINT; i++) {
        (void) snprintf(print + 2 * i, 3, "%02x", claims->print[i]);
    }

    if ((claims->subject[0] != '\0'
         && json_object_set_new(json, "sub", json_string(claims->subject))
            == -1)
        || (claims->refresh
            && json_object_set_new(json, "use", json_string("refresh")) == -1)
        || (claims->has_print
            && json_object_set_new(json, "print", json_string(print)) == -1))
    {
        return -1;
    }

    return 0;
}


int
reg_claims_format(const reg_claims_t *claims, const reg_token_expect_t *expect,
    reg_buf_t *out, reg_error_t *err)
{
    char    *text = NULL;
    json_t  *json;

    /* no more than is looked at: each byte costs with every request */
    json = json_pack("{s:s, s:s, s:I, s:o}",
                     "iss", expect->issuer, "aud", expect->service,
                     "exp", (json_int_t) claims->expires,
                     "access", reg_claims_access_json(&claims->grants));

    if (json != NULL && reg_claims_extend(json, claims) == 0) {
        text = json_dumps(json, JSON_COMPACT);
    }

    if (text != NULL) {
        reg_buf_puts(out, text);
    }

    free(text);
    json_decref(json);

    return text != NULL ? 0 : reg_error_set(err, REG_UNKNOWN,
                                            "out of memory");
}


void
reg_claims_free(reg_claims_t *claims)
{
    reg_grants_free(&claims->grants);
    reg_protections_free(&claims->protections);
}
