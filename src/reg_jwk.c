#include "reg_jwk.h"

#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <jose/openssl.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>


#define REG_JWK_TEXT_MAX     (16 * 1024)
#define REG_JWK_LIBTRUST     30          /* bytes of the hash that count */
#define REG_JWK_SECRET_MIN   32          /* bytes of an HMAC key */
#define REG_JWK_KID          8           /* of a key of ours */


struct reg_jwk_s {
    json_t  *json;                       /* owned; may hold what is secret */
    char     thumbprint[REG_JWK_ID];
    char     libtrust[REG_JWK_ID];
};


/* What each kind of key may verify.  crv NULL: it has none. */
static const struct {
    const char  *kty, *crv;
    const char  *algs[7];
} reg_jwk_kinds[] = {
    { "RSA", NULL, { "RS256", "RS384", "RS512", "PS256", "PS384", "PS512" } },
    { "EC", "P-256", { "ES256" } },
    { "EC", "P-384", { "ES384" } },
    { "EC", "P-521", { "ES512" } },
    { "oct", NULL, { "HS256", "HS384", "HS512" } },
};

#define REG_JWK_KINDS  (sizeof(reg_jwk_kinds) / sizeof(reg_jwk_kinds[0]))


/* What a library thinks of a stranger's token is not for stderr. */
static void
reg_jwk_quiet(void *misc, const char *file, int line, uint64_t err,
    const char *fmt, va_list args)
{
    (void) misc;
    (void) file;
    (void) line;
    (void) err;
    (void) fmt;
    (void) args;
}


/* One for each call: its count of holders is not for several threads. */
static jose_cfg_t *
reg_jwk_cfg(void)
{
    jose_cfg_t  *cfg = jose_cfg();

    if (cfg != NULL) {
        jose_cfg_set_err_func(cfg, reg_jwk_quiet, NULL);
    }

    return cfg;
}


static const char *
reg_jwk_string(const reg_jwk_t *key, const char *name)
{
    const char  *s = json_string_value(json_object_get(key->json, name));

    return s != NULL ? s : "";
}


/* By which name its tokens call it. */
static const char *
reg_jwk_kid(const reg_jwk_t *key)
{
    const char  *kid = reg_jwk_string(key, "kid");

    return kid[0] != '\0' ? kid : key->thumbprint;
}


/* The row of its kind, or REG_JWK_KINDS. */
static size_t
reg_jwk_kind(const reg_jwk_t *key)
{
    size_t  i;

    for (i = 0; i < REG_JWK_KINDS; i++) {
        if (strcmp(reg_jwk_string(key, "kty"), reg_jwk_kinds[i].kty) == 0
            && (reg_jwk_kinds[i].crv == NULL
                || strcmp(reg_jwk_string(key, "crv"), reg_jwk_kinds[i].crv)
                   == 0))
        {
            break;
        }
    }

    return i;
}


/* ---- names --------------------------------------------------------------- */


/* 240 bits as twelve groups of four letters. */
static void
reg_jwk_libtrust_format(const unsigned char *hash, char *out)
{
    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    uint32_t  bits = 0;
    int       have = 0, letters = 0;

    for (size_t i = 0; i < REG_JWK_LIBTRUST; i++) {
        bits = bits << 8 | hash[i];
        have += 8;

        while (have >= 5) {
            if (letters > 0 && letters % 4 == 0) {
                *out++ = ':';
            }

            have -= 5;
            *out++ = alphabet[bits >> have & 31];
            letters++;
        }
    }

    *out = '\0';
}


static int
reg_jwk_libtrust_name(reg_jwk_t *key, jose_cfg_t *cfg)
{
    int             rc = -1, len;
    unsigned char  *der = NULL, hash[SHA256_DIGEST_LENGTH];
    EVP_PKEY       *pkey;

    if (strcmp(reg_jwk_string(key, "kty"), "oct") == 0) {
        return 0;
    }

    pkey = jose_openssl_jwk_to_EVP_PKEY(cfg, key->json);
    len = pkey == NULL ? -1 : i2d_PUBKEY(pkey, &der);

    if (len > 0 && SHA256(der, (size_t) len, hash) != NULL) {
        reg_jwk_libtrust_format(hash, key->libtrust);
        rc = 0;
    }

    OPENSSL_free(der);
    EVP_PKEY_free(pkey);

    return rc;
}


static int
reg_jwk_names(reg_jwk_t *key)
{
    int          rc = -1;
    jose_cfg_t  *cfg = reg_jwk_cfg();
    json_t      *thumbprint = NULL;

    if (cfg != NULL) {
        thumbprint = jose_jwk_thp(cfg, key->json, "S256");

        if (json_string_length(thumbprint) > 0
            && reg_str_copy(key->thumbprint, sizeof(key->thumbprint),
                            reg_str_from(json_string_value(thumbprint))) == 0
            && reg_jwk_libtrust_name(key, cfg) == 0)
        {
            rc = 0;
        }
    }

    json_decref(thumbprint);
    jose_cfg_decref(cfg);

    return rc;
}


/* ---- making -------------------------------------------------------------- */


void
reg_jwk_free(reg_jwk_t *key)
{
    if (key != NULL) {
        json_decref(key->json);
        free(key);
    }
}


/* Bytes that a member stands for, or 0. */
static size_t
reg_jwk_bytes(const reg_jwk_t *key, const char *name)
{
    size_t  n = jose_b64_dec(json_object_get(key->json, name), NULL, 0);

    return n == SIZE_MAX ? 0 : n;
}


/* Takes json over.  NULL with err if it is no key that we can use. */
static reg_jwk_t *
reg_jwk_take(json_t *json, reg_error_t *err)
{
    reg_jwk_t   *key = calloc(1, sizeof(*key));
    const char  *why = NULL;

    if (key == NULL) {
        json_decref(json);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    key->json = json;

    if (!json_is_object(json)) {
        why = "not a JSON Web Key";

    } else if (reg_jwk_kind(key) == REG_JWK_KINDS) {
        why = "a kind of key that is not supported (RSA, P-256, P-384, P-521"
              " and oct are)";

    } else if (strcmp(reg_jwk_string(key, "use"), "enc") == 0) {
        why = "a key that is not for signatures";

    } else if (strcmp(reg_jwk_string(key, "kty"), "oct") == 0
               && reg_jwk_bytes(key, "k") < REG_JWK_SECRET_MIN)
    {
        why = "a secret of less than 256 bits";

    } else if (strcmp(reg_jwk_string(key, "kty"), "RSA") == 0
               && reg_jwk_bytes(key, "n") < 256)
    {
        why = "an RSA key of less than 2048 bits";

    } else if (reg_jwk_names(key) == -1) {
        why = "not a whole key";
    }

    if (why != NULL) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%s", why);
        reg_jwk_free(key);
        return NULL;
    }

    return key;
}


reg_jwk_t *
reg_jwk_parse(reg_str_t text, reg_error_t *err)
{
    json_t  *json = NULL;

    if (text.len <= REG_JWK_TEXT_MAX) {
        json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    }

    return reg_jwk_take(json, err);
}


static reg_jwk_t *
reg_jwk_pkey(EVP_PKEY *pkey, reg_error_t *err)
{
    jose_cfg_t  *cfg = reg_jwk_cfg();
    json_t      *json = NULL;

    if (pkey != NULL && cfg != NULL) {
        json = jose_openssl_jwk_from_EVP_PKEY(cfg, pkey);
    }

    jose_cfg_decref(cfg);

    return reg_jwk_take(json, err);
}


reg_jwk_t *
reg_jwk_certificate(reg_str_t der, reg_error_t *err)
{
    const unsigned char  *p = (const unsigned char *) der.data;
    X509                 *x509 = d2i_X509(NULL, &p, (long) der.len);
    reg_jwk_t            *key;

    key = reg_jwk_pkey(x509 == NULL ? NULL : X509_get0_pubkey(x509), err);
    X509_free(x509);

    return key;
}


reg_jwk_t *
reg_jwk_public(reg_str_t der, reg_error_t *err)
{
    const unsigned char  *p = (const unsigned char *) der.data;
    EVP_PKEY             *pkey = d2i_PUBKEY(NULL, &p, (long) der.len);
    reg_jwk_t            *key = reg_jwk_pkey(pkey, err);

    EVP_PKEY_free(pkey);

    return key;
}


static reg_jwk_t *
reg_jwk_make(reg_jwk_kind_t kind, reg_error_t *err)
{
    static const char *const  algs[] = {
        [REG_JWK_ES256] = "ES256",
        [REG_JWK_RS256] = "RS256",
    };

    reg_jwk_t   *key;
    jose_cfg_t  *cfg = reg_jwk_cfg();
    json_t      *json = json_pack("{s:s}", "alg", algs[kind]);

    if (cfg == NULL || json == NULL || !jose_jwk_gen(cfg, json)) {
        json_decref(json);
        json = NULL;
    }

    jose_cfg_decref(cfg);
    key = reg_jwk_take(json, err);

    if (key != NULL
        && json_object_set_new(key->json, "kid",
                               json_stringn(key->thumbprint, REG_JWK_KID))
           == -1)
    {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        reg_jwk_free(key);
        return NULL;
    }

    return key;
}


reg_jwk_t *
reg_jwk_generate(reg_jwk_kind_t kind, reg_error_t *err)
{
    reg_jwk_t  *key = reg_jwk_make(kind, err);

    /* an id that looks like an option cannot be given to a command */
    while (key != NULL && key->thumbprint[0] == '-') {
        reg_jwk_free(key);
        key = reg_jwk_make(kind, err);
    }

    return key;
}


/* ---- asking -------------------------------------------------------------- */


const char *
reg_jwk_thumbprint(const reg_jwk_t *key)
{
    return key->thumbprint;
}


const char *
reg_jwk_libtrust(const reg_jwk_t *key)
{
    return key->libtrust;
}


bool
reg_jwk_is(const reg_jwk_t *key, reg_str_t kid)
{
    const char  *names[] = {
        key->thumbprint, key->libtrust, reg_jwk_string(key, "kid")
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (kid.len > 0 && reg_str_eq(kid, reg_str_from(names[i]))) {
            return true;
        }
    }

    return false;
}


bool
reg_jwk_same(const reg_jwk_t *a, const reg_jwk_t *b)
{
    return strcmp(a->thumbprint, b->thumbprint) == 0;
}


bool
reg_jwk_allows(const reg_jwk_t *key, reg_str_t alg)
{
    const char         *own = reg_jwk_string(key, "alg");
    const char *const  *algs = reg_jwk_kinds[reg_jwk_kind(key)].algs;

    if (own[0] != '\0' && !reg_str_eq(alg, reg_str_from(own))) {
        return false;
    }

    for ( ; *algs != NULL; algs++) {
        if (reg_str_eq(alg, reg_str_from(*algs))) {
            return true;
        }
    }

    return false;
}


/* ---- signatures ---------------------------------------------------------- */


bool
reg_jwk_verify(const reg_jwk_t *key, const reg_jws_t *jws)
{
    bool         good = false;
    jose_cfg_t  *cfg;
    json_t      *json;

    if (!reg_jwk_allows(key, reg_str_from(jws->alg))) {
        return false;
    }

    cfg = reg_jwk_cfg();
    json = json_pack("{s:s%, s:s%, s:s%}",
                     "payload", jws->payload.data, jws->payload.len,
                     "protected", jws->header.data, jws->header.len,
                     "signature", jws->signature.data, jws->signature.len);

    if (cfg != NULL && json != NULL) {
        good = jose_jws_ver(cfg, json, NULL, key->json, false);
    }

    json_decref(json);
    jose_cfg_decref(cfg);

    return good;
}


int
reg_jwk_sign(const reg_jwk_t *key, reg_str_t payload, reg_buf_t *out,
    reg_error_t *err)
{
    int          rc = -1;
    jose_cfg_t  *cfg = reg_jwk_cfg();
    json_t      *text = jose_b64_enc(payload.data, payload.len);
    json_t      *jws = json_pack("{s:O}", "payload", text);
    json_t      *sig = json_pack("{s:{s:s, s:s}}", "protected",
                                 "alg", reg_jwk_string(key, "alg"),
                                 "kid", reg_jwk_kid(key));

    if (cfg != NULL && jws != NULL && sig != NULL
        && jose_jws_sig(cfg, jws, sig, key->json))
    {
        reg_buf_printf(out, "%s.%s.%s",
                   json_string_value(json_object_get(jws, "protected")),
                   json_string_value(json_object_get(jws, "payload")),
                   json_string_value(json_object_get(jws, "signature")));
        rc = 0;
    }

    json_decref(sig);
    json_decref(jws);
    json_decref(text);
    jose_cfg_decref(cfg);

    return rc == 0 ? 0 : reg_error_set(err, REG_UNKNOWN, "cannot sign");
}


static int
reg_jwk_dump(const json_t *json, reg_buf_t *out, reg_error_t *err)
{
    char  *text = json_dumps(json, JSON_COMPACT);

    if (text == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    reg_buf_puts(out, text);
    explicit_bzero(text, strlen(text));
    free(text);

    return 0;
}


int
reg_jwk_format(const reg_jwk_t *key, reg_buf_t *out, reg_error_t *err)
{
    return reg_jwk_dump(key->json, out, err);
}


int
reg_jwk_format_public(const reg_jwk_t *key, reg_buf_t *out, reg_error_t *err)
{
    int          rc = -1;
    jose_cfg_t  *cfg = reg_jwk_cfg();
    json_t      *copy = json_deep_copy(key->json);

    if (cfg != NULL && copy != NULL && jose_jwk_pub(cfg, copy)
        && json_object_set_new(copy, "kid", json_string(reg_jwk_kid(key)))
           == 0
        && json_object_set_new(copy, "use", json_string("sig")) == 0)
    {
        rc = reg_jwk_dump(copy, out, err);
    } else {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    json_decref(copy);
    jose_cfg_decref(cfg);

    return rc;
}
