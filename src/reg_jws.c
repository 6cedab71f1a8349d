#include "reg_jws.h"

#include <jansson.h>
#include <jose/b64.h>

#include "reg_json.h"


static int
reg_jws_refuse(reg_error_t *err, const char *why)
{
    return reg_error_set(err, REG_UNAUTHORIZED, "%s", why);
}


static bool
reg_jws_base64url(reg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char  c = s.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')
              || (c >= '0' && c <= '9') || c == '-' || c == '_'))
        {
            return false;
        }
    }

    return s.len > 0 && s.len % 4 != 1;
}


static int
reg_jws_decode(reg_str_t s, reg_buf_t *out)
{
    size_t   n = jose_b64_dec_buf(s.data, s.len, NULL, 0);
    char    *to = n > REG_JWS_MAX ? NULL : reg_buf_reserve(out, n + 1);

    if (to == NULL || jose_b64_dec_buf(s.data, s.len, to, n) == SIZE_MAX) {
        return -1;
    }

    out->len += n;

    return 0;
}


/* A member that is text, without a NUL in it.  -1 if it is something else, or
 * too long. */
static int
reg_jws_member(const json_t *json, const char *name, char *out, size_t size)
{
    const json_t  *value = json_object_get(json, name);
    reg_str_t      text;

    if (value == NULL) {
        out[0] = '\0';
        return 0;
    }

    if (!json_is_string(value)) {
        return -1;
    }

    text = (reg_str_t) { json_string_length(value), json_string_value(value) };

    return reg_str_copy(out, size, text);
}


int
reg_jws_parse(reg_jws_t *jws, reg_str_t token, reg_error_t *err)
{
    /* a key with its chain of certificates has three levels */
    const reg_json_t  most = { 8, REG_JWS_MAX };
    reg_buf_t         text = REG_BUF_INIT;
    reg_str_t         rest = token;

    memset(jws, 0, sizeof(*jws));

    if (token.len > REG_JWS_MAX) {
        return reg_jws_refuse(err, "the token is longer than 16 KiB");
    }

    jws->header = reg_str_cut(&rest, '.');
    jws->payload = reg_str_cut(&rest, '.');
    jws->signature = rest;               /* a further dot is no base64url */

    if (!reg_jws_base64url(jws->header) || !reg_jws_base64url(jws->payload)
        || !reg_jws_base64url(jws->signature)
        || reg_jws_decode(jws->header, &text) == -1)
    {
        reg_buf_free(&text);
        return reg_jws_refuse(err, "not a token: three parts of base64url are"
                              " expected");
    }

    jws->json = reg_json_load(reg_buf_str(&text), &most);
    reg_buf_free(&text);

    if (!json_is_object(jws->json)
        || reg_jws_member(jws->json, "alg", jws->alg, sizeof(jws->alg)) == -1
        || reg_jws_member(jws->json, "kid", jws->kid, sizeof(jws->kid)) == -1)
    {
        return reg_jws_refuse(err, "not a token: its header makes no sense");
    }

    if (json_object_get(jws->json, "crit") != NULL
        || json_object_get(jws->json, "b64") != NULL)
    {
        return reg_jws_refuse(err, "the token needs an extension that we do"
                              " not have");
    }

    return 0;
}


int
reg_jws_payload(const reg_jws_t *jws, reg_buf_t *out, reg_error_t *err)
{
    return reg_jws_decode(jws->payload, out) == 0 ? 0
           : reg_jws_refuse(err, "not a token: its payload is no base64url");
}


void
reg_jws_free(reg_jws_t *jws)
{
    json_decref(jws->json);
    jws->json = NULL;
}
