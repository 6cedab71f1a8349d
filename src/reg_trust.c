#include "reg_trust.h"

#include <jansson.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include "reg_keyset.h"
#include "reg_reread.h"


#define REG_TRUST_FILE_MAX  (1024 * 1024)
#define REG_TRUST_CHAIN     8            /* certificates in one x5c */
#define REG_TRUST_LEVEL     1            /* OpenSSL's: no SHA-1 in a chain */


/* A bundle twice: keys by name, and roots of chains. */
typedef struct {
    reg_keyset_t  *set;
    X509_STORE    *roots;
} reg_trust_bundle_t;

struct reg_trust_s {
    reg_trust_sources_t   sources;
    reg_reread_t         *bundle;        /* NULL: none */
    reg_reread_t         *jwks;          /* NULL: none */
};


static int
reg_trust_refuse(reg_error_t *err, const char *why)
{
    return reg_error_set(err, REG_UNAUTHORIZED, "%s", why);
}


/* ---- the files ----------------------------------------------------------- */


static void
reg_trust_bundle_free(void *content)
{
    reg_trust_bundle_t  *b = content;

    if (b != NULL) {
        reg_keyset_free(b->set);
        X509_STORE_free(b->roots);
        free(b);
    }
}


static int
reg_trust_roots(reg_trust_bundle_t *b, reg_str_t pem)
{
    int    rc = 1;
    BIO   *bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    X509  *x509;

    b->roots = X509_STORE_new();

    while (rc == 1 && bio != NULL && b->roots != NULL
           && (x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
    {
        rc = X509_STORE_add_cert(b->roots, x509);
        X509_free(x509);
    }

    /* what is trusted is trusted, whoever has signed it */
    if (bio == NULL || b->roots == NULL
        || X509_STORE_set_flags(b->roots, X509_V_FLAG_PARTIAL_CHAIN) != 1)
    {
        rc = 0;
    }

    ERR_clear_error();                   /* the end of the file is one */
    BIO_free(bio);

    return rc == 1 ? 0 : -1;
}


static void *
reg_trust_bundle_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    reg_trust_bundle_t  *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    b->set = reg_keyset_certificates(text, path, says, err);

    if (b->set != NULL && reg_trust_roots(b, text) == 0) {
        return b;
    }

    (void) reg_error_set(err, REG_UNKNOWN, "%.160s: the certificates cannot be"
                         " used", path);
    reg_trust_bundle_free(b);

    return NULL;
}


static void *
reg_trust_jwks_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    return reg_keyset_parse(text, path, says, err);
}


static void
reg_trust_jwks_free(void *content)
{
    reg_keyset_free(content);
}


static const reg_reread_kind_t  reg_trust_bundle_kind = {
    REG_TRUST_FILE_MAX, false, reg_trust_bundle_parse, reg_trust_bundle_free
};

static const reg_reread_kind_t  reg_trust_jwks_kind = {
    REG_TRUST_FILE_MAX, false, reg_trust_jwks_parse, reg_trust_jwks_free
};


int
reg_trust_open(reg_trust_t **out, const reg_trust_sources_t *sources,
    reg_error_t *err)
{
    reg_trust_t  *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    t->sources = *sources;

    if ((sources->bundle[0] != '\0'
         && reg_reread_open(&t->bundle, sources->bundle,
                            &reg_trust_bundle_kind, err) == -1)
        || (sources->jwks[0] != '\0'
            && reg_reread_open(&t->jwks, sources->jwks, &reg_trust_jwks_kind,
                               err) == -1))
    {
        reg_trust_close(t);
        return -1;
    }

    *out = t;
    return 0;
}


void
reg_trust_close(reg_trust_t *t)
{
    if (t != NULL) {
        reg_reread_close(t->bundle);
        reg_reread_close(t->jwks);
        free(t);
    }
}


uint64_t
reg_trust_age(reg_trust_t *t)
{
    return (t->bundle != NULL ? reg_reread_age(t->bundle) : 0)
           + (t->jwks != NULL ? reg_reread_age(t->jwks) << 16 : 0);
}


int
reg_trust_message(reg_trust_t *t, char *out, size_t size)
{
    return (t->bundle != NULL && reg_reread_message(t->bundle, out, size))
           || (t->jwks != NULL && reg_reread_message(t->jwks, out, size));
}


/* ---- x5c ----------------------------------------------------------------- */


/* RFC 7515, "x5c": base64, not base64url, of DER. */
static X509 *
reg_trust_certificate(const json_t *value)
{
    size_t          len = json_string_length(value);
    const char     *text = json_string_value(value);
    unsigned char  *der;
    int             n;
    X509           *x509 = NULL;

    if (text == NULL || len == 0 || len % 4 != 0 || len > REG_JWS_MAX) {
        return NULL;
    }

    der = malloc(len);

    if (der != NULL) {
        const unsigned char  *p = der;

        n = EVP_DecodeBlock(der, (const unsigned char *) text, (int) len);
        x509 = n > 0 ? d2i_X509(NULL, &p, n) : NULL;   /* padding may follow */
        free(der);
    }

    return x509;
}


/* The first certificate of a chain, and the rest; NULL if it makes no sense. */
static X509 *
reg_trust_chain(const json_t *x5c, STACK_OF(X509) *rest)
{
    X509    *leaf = NULL, *x509;
    size_t   n = json_array_size(x5c);

    if (n == 0 || n > REG_TRUST_CHAIN) {
        return NULL;
    }

    for (size_t i = 0; i < n; i++) {
        x509 = reg_trust_certificate(json_array_get(x5c, i));

        if (i == 0) {
            leaf = x509;

        } else if (x509 == NULL || sk_X509_push(rest, x509) == 0) {
            X509_free(x509);
            X509_free(leaf);
            return NULL;
        }

        if (leaf == NULL) {
            return NULL;
        }
    }

    return leaf;
}


static bool
reg_trust_leads_home(const reg_trust_bundle_t *b, X509 *leaf,
    STACK_OF(X509) *rest, time_t now)
{
    bool             good = false;
    X509_STORE_CTX  *ctx = X509_STORE_CTX_new();

    if (ctx != NULL && X509_STORE_CTX_init(ctx, b->roots, leaf, rest) == 1) {
        X509_STORE_CTX_set_time(ctx, 0, now);
        X509_STORE_CTX_set_depth(ctx, REG_TRUST_CHAIN);
        X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(ctx),
                                         REG_TRUST_LEVEL);
        good = X509_verify_cert(ctx) == 1;
    }

    X509_STORE_CTX_free(ctx);
    ERR_clear_error();

    return good;
}


/* The key of a chain that leads to the bundle; the caller frees it. */
static reg_jwk_t *
reg_trust_x5c(const reg_trust_bundle_t *b, const json_t *x5c, time_t now)
{
    STACK_OF(X509)  *rest = sk_X509_new_null();
    X509            *leaf = rest == NULL ? NULL : reg_trust_chain(x5c, rest);
    unsigned char   *der = NULL;
    int              len = 0;
    reg_jwk_t       *key = NULL;
    reg_error_t      quiet = REG_ERROR_INIT;

    if (leaf != NULL && reg_trust_leads_home(b, leaf, rest, now)) {
        len = i2d_X509(leaf, &der);
    }

    if (len > 0) {
        key = reg_jwk_certificate((reg_str_t) { (size_t) len,
                                                (const char *) der }, &quiet);
    }

    OPENSSL_free(der);
    X509_free(leaf);
    sk_X509_pop_free(rest, X509_free);

    return key;
}


/* ---- tokens -------------------------------------------------------------- */


static bool
reg_trust_algorithm(const reg_trust_t *t, const reg_jws_t *jws)
{
    reg_str_t  list = reg_str_from(t->sources.algorithms);

    if (list.len == 0) {
        return true;
    }

    while (list.len > 0) {
        if (reg_str_eq(reg_str_cut(&list, ' '), reg_str_from(jws->alg))) {
            return true;
        }
    }

    return false;
}


/* A key that the header brings along; NULL if it is none.  The caller frees
 * it. */
static reg_jwk_t *
reg_trust_shown(const json_t *jwk)
{
    char         *text = json_dumps(jwk, JSON_COMPACT);
    reg_jwk_t    *shown = NULL;
    reg_error_t   quiet = REG_ERROR_INIT;

    if (text != NULL) {
        shown = reg_jwk_parse(reg_str_from(text), &quiet);
        free(text);
    }

    return shown;
}


/* The key of a set that the header names, by jwk or by kid. */
static const reg_jwk_t *
reg_trust_named(const reg_keyset_t *set, const reg_jws_t *jws)
{
    const json_t     *jwk = json_object_get(jws->json, "jwk");
    reg_jwk_t        *shown;
    const reg_jwk_t  *key;

    if (jwk == NULL) {
        return jws->kid[0] == '\0'
               ? NULL : reg_keyset_find(set, reg_str_from(jws->kid));
    }

    shown = reg_trust_shown(jwk);
    key = shown == NULL ? NULL : reg_keyset_same(set, shown);
    reg_jwk_free(shown);

    return key;
}


/* jwk: the key that the chain came with, which must be its first; or NULL. */
static int
reg_trust_by_chain(reg_trust_t *t, const reg_jws_t *jws, const json_t *jwk,
    time_t now, reg_error_t *err)
{
    bool                  good;
    const json_t         *x5c;
    const reg_reading_t  *reading;
    reg_jwk_t            *key, *shown = NULL;

    if (t->bundle == NULL) {
        return reg_trust_refuse(err, "a chain of certificates, and no bundle"
                                " that it could lead to");
    }

    x5c = json_object_get(jwk != NULL ? jwk : jws->json, "x5c");
    reading = reg_reread_hold(t->bundle);
    key = reg_trust_x5c(reading->content, x5c, now);
    good = key != NULL;

    if (good && jwk != NULL) {
        shown = reg_trust_shown(jwk);
        good = shown != NULL && reg_jwk_same(shown, key);
    }

    good = good && reg_jwk_verify(key, jws);
    reg_jwk_free(shown);
    reg_jwk_free(key);
    reg_reread_release(t->bundle, reading);

    return good ? 0 : reg_trust_refuse(err, "its certificates lead to none that"
                                       " we trust, or have not signed it");
}


/* 1: a key of this file has signed it; 0: the key that it names has not; -1:
 * the file has no such key. */
static int
reg_trust_by_file(reg_reread_t *file, bool bundle, const reg_jws_t *jws)
{
    int                   rc = -1;
    const reg_reading_t  *reading;
    const reg_keyset_t   *set;
    const reg_jwk_t      *key;

    if (file == NULL) {
        return -1;
    }

    reading = reg_reread_hold(file);
    set = bundle ? ((const reg_trust_bundle_t *) reading->content)->set
                 : reading->content;
    key = reg_trust_named(set, jws);

    if (key != NULL) {
        rc = reg_jwk_verify(key, jws);
    }

    reg_reread_release(file, reading);

    return rc;
}


int
reg_trust_verify(reg_trust_t *t, const reg_jws_t *jws, time_t now,
    reg_error_t *err)
{
    const json_t  *jwk = json_object_get(jws->json, "jwk");
    int            bundle, jwks;

    if (!reg_trust_algorithm(t, jws)) {
        return reg_trust_refuse(err, "its algorithm is not among"
                                " auth.token.signingalgorithms");
    }

    if (json_object_get(jws->json, "x5c") != NULL) {
        return reg_trust_by_chain(t, jws, NULL, now, err);
    }

    if (json_object_get(jwk, "x5c") != NULL) {
        return reg_trust_by_chain(t, jws, jwk, now, err);
    }

    bundle = reg_trust_by_file(t->bundle, true, jws);
    jwks = bundle == 1 ? -1 : reg_trust_by_file(t->jwks, false, jws);

    if (bundle == 1 || jwks == 1) {
        return 0;
    }

    if (bundle == 0 || jwks == 0) {
        return reg_trust_refuse(err, "the key that it names has not signed"
                                " it");
    }

    return reg_error_set(err, REG_UNAUTHORIZED, "no key goes by the name that"
                         " it gives: \"%.100s\"", jws->kid);
}
