/* reg_trust, and reg_keyset, reg_jwk and reg_jws below it: whom we believe, and
 * that nobody else gets by (SECURITY.md S11). */

#include "reg_trust.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <jose/b64.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <jose/openssl.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "reg_keyset.h"
#include "tree.h"

#define NOW      1767225600
#define MUTANTS  100000
#define PAYLOAD  "{\"iss\":\"us\"}"


/* A key with a certificate. */
typedef struct {
    EVP_PKEY  *pkey;
    X509      *x509;
    json_t    *jwk;                      /* private */
} identity_t;


static identity_t    root, middle, leaf, stranger, gitlab;
static json_t       *named, *secret;     /* of the key set; private */
static char          bundle_path[300], jwks_path[300];
static reg_trust_t  *trust;
static reg_error_t   err;


/* ---- making keys and tokens ---------------------------------------------- */


static void
extend(X509 *x509, int nid, const char *value)
{
    X509_EXTENSION  *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(ext);
    assert_int_equal(X509_add_ext(x509, ext, -1), 1);
    X509_EXTENSION_free(ext);
}


/* by NULL: signed by itself.  It is good around NOW. */
static identity_t
make(const char *name, int bits, const identity_t *by, const char *ca)
{
    identity_t   id;
    X509_NAME   *subject;
    static long  serial;

    id.pkey = bits > 0 ? EVP_RSA_gen((unsigned) bits) : EVP_EC_gen("P-256");
    assert_non_null(id.pkey);
    id.x509 = X509_new();
    id.jwk = jose_openssl_jwk_from_EVP_PKEY(NULL, id.pkey);

    subject = X509_get_subject_name(id.x509);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                     (const unsigned char *) name, -1, -1, 0), 1);
    X509_set_version(id.x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.x509), ++serial);
    ASN1_TIME_set(X509_getm_notBefore(id.x509), NOW - 1000);
    ASN1_TIME_set(X509_getm_notAfter(id.x509), NOW + 100000);
    X509_set_pubkey(id.x509, id.pkey);
    X509_set_issuer_name(id.x509, by == NULL ? subject
                         : X509_get_subject_name(by->x509));
    extend(id.x509, NID_basic_constraints, ca);
    assert_int_not_equal(X509_sign(id.x509, by == NULL ? id.pkey : by->pkey,
                                   EVP_sha256()), 0);
    return id;
}


static json_t *
certificate(const identity_t *id)
{
    unsigned char  *der = NULL, text[4096];
    int             n = i2d_X509(id->x509, &der);

    assert_true(n > 0 && n < 3000);
    n = EVP_EncodeBlock(text, der, n);
    OPENSSL_free(der);

    return json_stringn((const char *) text, (size_t) n);
}


/* Signed by key, with this header, which is taken over. */
static char *
token_of(json_t *header, const json_t *key, const char *payload)
{
    json_t  *jws = json_pack("{s:o}", "payload",
                             jose_b64_enc(payload, strlen(payload)));
    json_t  *sig = json_pack("{s:o}", "protected", header);
    char    *out;

    assert_true(jose_jws_sig(NULL, jws, sig, key));
    assert_int_not_equal(asprintf(&out, "%s.%s.%s",
        json_string_value(json_object_get(jws, "protected")),
        json_string_value(json_object_get(jws, "payload")),
        json_string_value(json_object_get(jws, "signature"))), -1);
    json_decref(jws);
    json_decref(sig);

    return out;
}


/* The same without a signature of jose's: some parts of a token. */
static char *
unsigned_token(const char *header, const char *signature)
{
    json_t  *h = jose_b64_enc(header, strlen(header));
    json_t  *p = jose_b64_enc(PAYLOAD, strlen(PAYLOAD));
    char    *out;

    assert_int_not_equal(asprintf(&out, "%s.%s.%s", json_string_value(h),
                                  json_string_value(p), signature), -1);
    json_decref(h);
    json_decref(p);

    return out;
}


static json_t *
public_of(const json_t *key)
{
    json_t  *copy = json_deep_copy(key);

    assert_true(jose_jwk_pub(NULL, copy));

    return copy;
}


static const char *
thumbprint(const identity_t *id)
{
    static char  text[64];
    json_t      *thp = jose_jwk_thp(NULL, id->jwk, "S256");

    (void) snprintf(text, sizeof(text), "%s", json_string_value(thp));
    json_decref(thp);

    return text;
}


/* By openssl, base32 and the format's own words, not by reg_jwk. */
static const char *
libtrust(const identity_t *id)
{
    static char     text[64];
    static const char  letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    unsigned char  *der = NULL, hash[32];
    int             n = i2d_PUBKEY(id->pkey, &der);
    char           *p = text;

    assert_int_equal(EVP_Q_digest(NULL, "SHA256", NULL, der, (size_t) n, hash,
                                  NULL), 1);
    OPENSSL_free(der);

    for (int letter = 0; letter < 48; letter++) {
        int  value = 0;

        for (int bit = letter * 5; bit < letter * 5 + 5; bit++) {
            value = value << 1 | (hash[bit / 8] >> (7 - bit % 8) & 1);
        }

        if (letter > 0 && letter % 4 == 0) {
            *p++ = ':';
        }

        *p++ = letters[value];
    }

    *p = '\0';

    return text;
}


/* ---- the files ----------------------------------------------------------- */


static void
write_bundle(const identity_t *first, const identity_t *second)
{
    FILE  *f = fopen(bundle_path, "w");

    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, first->x509), 1);
    assert_true(fputs("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n"
                      "-----END RSA PUBLIC KEY-----\n", f) >= 0);
    assert_int_equal(PEM_write_X509(f, second->x509), 1);
    assert_int_equal(fclose(f), 0);
}


static void
write_jwks(void)
{
    json_t  *set = json_pack("{s:[o, o]}", "keys", public_of(named),
                             json_deep_copy(secret));
    char    *text = json_dumps(set, 0);

    assert_int_equal(tree_write(jwks_path, text, strlen(text)), 0);
    free(text);
    json_decref(set);
}


static void
open_trust(const char *algorithms)
{
    reg_trust_sources_t  sources = { bundle_path, jwks_path, algorithms };

    reg_trust_close(trust);
    trust = NULL;
    assert_int_equal(reg_trust_open(&trust, &sources, &err), 0);
}


static int
setup(void **state)
{
    if (tree_make() == -1) {
        return -1;
    }

    (void) state;
    (void) snprintf(bundle_path, sizeof(bundle_path), "%s/bundle.pem",
                    tree_root);
    (void) snprintf(jwks_path, sizeof(jwks_path), "%s/jwks.json", tree_root);

    root = make("root", 0, NULL, "CA:TRUE");
    middle = make("middle", 0, &root, "CA:TRUE");
    leaf = make("leaf", 2048, &middle, "CA:FALSE");
    stranger = make("root", 2048, NULL, "CA:TRUE");
    gitlab = make("gitlab", 2048, NULL, "CA:TRUE");

    named = json_pack("{s:s}", "alg", "ES384");
    assert_true(jose_jwk_gen(NULL, named));
    json_object_set_new(named, "kid", json_string("signer-7"));
    secret = json_pack("{s:s, s:s, s:s}", "kty", "oct", "kid", "hmac", "k",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");

    write_bundle(&root, &gitlab);
    write_jwks();

    return 0;
}


static void
forget(identity_t *id)
{
    EVP_PKEY_free(id->pkey);
    X509_free(id->x509);
    json_decref(id->jwk);
}


static int
teardown(void **state)
{
    reg_trust_close(trust);
    forget(&root);
    forget(&middle);
    forget(&leaf);
    forget(&stranger);
    forget(&gitlab);
    json_decref(named);
    json_decref(secret);

    return tree_teardown(state);
}


static int
renew(void **state)
{
    (void) state;
    err = (reg_error_t) REG_ERROR_INIT;
    open_trust("");

    return 0;
}


static int
believe_at(reg_str_t token, time_t now)
{
    int        rc;
    reg_jws_t  jws;

    err = (reg_error_t) REG_ERROR_INIT;
    rc = reg_jws_parse(&jws, token, &err);

    if (rc == 0) {
        rc = reg_trust_verify(trust, &jws, now, &err);
    }

    if (rc == -1) {
        assert_int_equal(err.code, REG_UNAUTHORIZED);
    }

    reg_jws_free(&jws);

    return rc;
}


/* The token is freed. */
static void
good(char *token)
{
    if (believe_at(reg_str_from(token), NOW) == -1) {
        print_error("%s\n", err.message);
        fail();
    }

    free(token);
}


static void
bad(char *token)
{
    if (believe_at(reg_str_from(token), NOW) == 0) {
        print_error("%s\n", token);
        fail();
    }

    free(token);
}


static char *
by_kid(const identity_t *id, const char *kid, const char *alg)
{
    return token_of(json_pack("{s:s, s:s}", "alg", alg, "kid", kid), id->jwk,
                    PAYLOAD);
}


static json_t *
chain(const identity_t *a, const identity_t *b)
{
    json_t  *x5c = json_array();

    json_array_append_new(x5c, certificate(a));

    if (b != NULL) {
        json_array_append_new(x5c, certificate(b));
    }

    return x5c;
}


/* ---- whom we believe ----------------------------------------------------- */


static void
test_names(void **state)
{
    (void) state;

    good(by_kid(&gitlab, libtrust(&gitlab), "RS256"));
    good(by_kid(&gitlab, thumbprint(&gitlab), "RS256"));
    good(by_kid(&gitlab, thumbprint(&gitlab), "RS512"));
    good(by_kid(&gitlab, thumbprint(&gitlab), "PS256"));
    good(by_kid(&root, libtrust(&root), "ES256"));
    good(token_of(json_pack("{s:s, s:s}", "alg", "ES384", "kid", "signer-7"),
                  named, PAYLOAD));
    good(token_of(json_pack("{s:s, s:s}", "alg", "HS256", "kid", "hmac"),
                  secret, PAYLOAD));
}


/* RFC 7638, 3.1 */
static void
test_thumbprint(void **state)
{
    reg_jwk_t  *key = reg_jwk_parse(REG_STR("{\"kty\":\"RSA\",\"n\":\"0vx7ago"
        "ebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFx"
        "uhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl"
        "93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d"
        "0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4l"
        "Fd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e"
        "\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}"), &err);

    (void) state;

    assert_non_null(key);
    assert_string_equal(reg_jwk_thumbprint(key),
                        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_true(reg_jwk_is(key, REG_STR("2011-04-29")));
    assert_false(reg_jwk_is(key, REG_STR("")));
    assert_true(reg_jwk_allows(key, REG_STR("RS256")));
    assert_false(reg_jwk_allows(key, REG_STR("RS512")));      /* its own alg */
    assert_false(reg_jwk_allows(key, REG_STR("HS256")));
    assert_false(reg_jwk_allows(key, REG_STR("none")));
    reg_jwk_free(key);
}


static void
test_chains(void **state)
{
    (void) state;

    good(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                            chain(&leaf, &middle)), leaf.jwk, PAYLOAD));
    good(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                            chain(&gitlab, NULL)), gitlab.jwk, PAYLOAD));

    /* the middle is missing; nobody's; somebody else's key; our certificate
     * and another key; a chain that was ours, and is over */
    bad(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                           chain(&leaf, NULL)), leaf.jwk, PAYLOAD));
    bad(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                           chain(&stranger, NULL)), stranger.jwk, PAYLOAD));
    bad(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                           chain(&stranger, &root)), stranger.jwk, PAYLOAD));
    bad(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                           chain(&gitlab, NULL)), stranger.jwk, PAYLOAD));
    bad(token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                           chain(&middle, &leaf)), leaf.jwk, PAYLOAD));

    {
        char  *token = token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                                          chain(&leaf, &middle)), leaf.jwk,
                                PAYLOAD);

        assert_int_equal(believe_at(reg_str_from(token), NOW + 200000), -1);
        assert_int_equal(believe_at(reg_str_from(token), NOW - 2000), -1);
        free(token);
    }
}


/* What is no chain at all. */
static void
test_odd_chains(void **state)
{
    static const char *const  headers[] = {
        "{\"alg\":\"RS256\",\"x5c\":[]}",
        "{\"alg\":\"RS256\",\"x5c\":null}",
        "{\"alg\":\"RS256\",\"x5c\":\"MIIB\"}",
        "{\"alg\":\"RS256\",\"x5c\":[1]}",
        "{\"alg\":\"RS256\",\"x5c\":[\"\"]}",
        "{\"alg\":\"RS256\",\"x5c\":[\"AAAA\"]}",
        "{\"alg\":\"RS256\",\"x5c\":[\"!!!!\"]}",
        "{\"alg\":\"RS256\",\"x5c\":{\"0\":\"AAAA\"}}",
        "{\"alg\":\"RS256\",\"x5c\":[[\"AAAA\"]]}",
    };

    json_t  *many = json_array();

    (void) state;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        bad(unsigned_token(headers[i], "AAAA"));
    }

    for (int i = 0; i < 9; i++) {
        json_array_append_new(many, certificate(&root));
    }

    bad(token_of(json_pack("{s:s, s:o}", "alg", "ES256", "x5c", many),
                 root.jwk, PAYLOAD));
}


/* CVE-2025-24976: a key that a token brings along is no reason to believe. */
static void
test_brought_along(void **state)
{
    json_t  *key = public_of(gitlab.jwk);

    (void) state;

    good(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                  gitlab.jwk, PAYLOAD));
    bad(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                 stranger.jwk, PAYLOAD));
    json_decref(key);

    /* a stranger's, also by the name of one of ours */
    key = public_of(stranger.jwk);
    bad(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                 stranger.jwk, PAYLOAD));
    bad(token_of(json_pack("{s:s, s:O, s:s}", "alg", "RS256", "jwk", key,
                           "kid", libtrust(&gitlab)), stranger.jwk, PAYLOAD));
    json_object_set_new(key, "kid", json_string("signer-7"));
    bad(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                 stranger.jwk, PAYLOAD));

    /* with a chain: ours, and another's */
    json_object_set_new(key, "x5c", chain(&stranger, NULL));
    bad(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                 stranger.jwk, PAYLOAD));
    json_object_set_new(key, "x5c", chain(&leaf, &middle));
    bad(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                 stranger.jwk, PAYLOAD));
    json_decref(key);

    key = public_of(leaf.jwk);
    bad(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                 leaf.jwk, PAYLOAD));
    json_object_set_new(key, "x5c", chain(&leaf, &middle));
    good(token_of(json_pack("{s:s, s:O}", "alg", "RS256", "jwk", key),
                  leaf.jwk, PAYLOAD));
    json_decref(key);

    bad(unsigned_token("{\"alg\":\"RS256\",\"jwk\":null}", "AAAA"));
    bad(unsigned_token("{\"alg\":\"RS256\",\"jwk\":[]}", "AAAA"));
    bad(unsigned_token("{\"alg\":\"RS256\",\"jwk\":\"x\"}", "AAAA"));
}


/* ---- whom we do not ------------------------------------------------------ */


/* HMAC with what everybody knows as the secret. */
static void
test_confusion(void **state)
{
    unsigned char  *der = NULL;
    int             n = i2d_PUBKEY(gitlab.pkey, &der);
    BIO            *bio = BIO_new(BIO_s_mem());
    char           *pem;
    long            len;
    json_t         *key;

    (void) state;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, gitlab.pkey), 1);
    len = BIO_get_mem_data(bio, &pem);

    key = json_pack("{s:s, s:o}", "kty", "oct", "k",
                    jose_b64_enc(pem, (size_t) len));
    bad(token_of(json_pack("{s:s, s:s}", "alg", "HS256", "kid",
                           libtrust(&gitlab)), key, PAYLOAD));
    json_object_set_new(key, "k", jose_b64_enc(der, (size_t) n));
    bad(token_of(json_pack("{s:s, s:s}", "alg", "HS512", "kid",
                           thumbprint(&gitlab)), key, PAYLOAD));
    json_decref(key);
    BIO_free(bio);
    OPENSSL_free(der);

    /* a secret's name with another's signature, and the other way round */
    bad(by_kid(&gitlab, "hmac", "RS256"));
    bad(token_of(json_pack("{s:s, s:s}", "alg", "HS256", "kid", "signer-7"),
                 secret, PAYLOAD));
    bad(by_kid(&stranger, libtrust(&gitlab), "RS256"));
    bad(by_kid(&stranger, libtrust(&stranger), "RS256"));
}


static void
test_headers(void **state)
{
    static const char *const  headers[] = {
        "{}", "[]", "null", "1", "\"x\"", "{\"alg\":", "", "\xff",
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\",\"kid\":\"signer-7\"}",
        "{\"alg\":\"none\",\"kid\":\"hmac\"}",
        "{\"alg\":\"\",\"kid\":\"hmac\"}",
        "{\"kid\":\"hmac\"}",
        "{\"alg\":null,\"kid\":\"hmac\"}",
        "{\"alg\":[\"HS256\"],\"kid\":\"hmac\"}",
        "{\"alg\":\"HS256\",\"kid\":null}",
        "{\"alg\":\"HS256\",\"kid\":[\"hmac\"]}",
        "{\"alg\":\"HS256\",\"kid\":\"\"}",
        "{\"alg\":\"HS256\",\"kid\":\"hmac\\u0000\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\",\"kid\":\"hmac\"}",
        "{\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}",
        "{\"alg\":\"HS256\",\"kid\":\"' OR 1=1 --\"}",
        "{\"alg\":\"HS256\",\"kid\":\"hmac\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"HS256\",\"kid\":\"hmac\",\"crit\":[]}",
        "{\"alg\":\"HS256\",\"kid\":\"hmac\",\"b64\":false}",
        "{\"alg\":\"HS256\",\"kid\":\"hmac\"}",
        "{\"alg\":\"ES384\",\"kid\":\"signer-7\"}",
        "{\"alg\":\"RSA-OAEP\",\"kid\":\"signer-7\"}",
        "{\"alg\":\"HS256\",\"jku\":\"http://127.0.0.1/\",\"kid\":\"hmac\"}",
        "{\"alg\":\"HS256\",\"x5u\":\"http://127.0.0.1/\"}",
    };

    static const char *const  signatures[] = { "", "A", "AA", "AAAA", "=" };

    (void) state;

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        for (size_t k = 0; k < sizeof(signatures) / sizeof(signatures[0]); k++)
        {
            bad(unsigned_token(headers[i], signatures[k]));
        }
    }
}


static void
test_forms(void **state)
{
    static const char *const  forms[] = {
        "", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d", "..AA",
        "e30.e30.", "e30..e30", ".e30.e30", " e30.e30.e30", "e30.e30.e30 ",
    };

    char  *token, *longer;

    (void) state;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        assert_int_equal(believe_at(reg_str_from(forms[i]), NOW), -1);
    }

    token = by_kid(&gitlab, thumbprint(&gitlab), "RS256");

    for (const char *tail = "=.\n \tA"; *tail != '\0'; tail++) {
        assert_int_not_equal(asprintf(&longer, "%s%c", token, *tail), -1);
        bad(longer);
    }

    assert_int_not_equal(asprintf(&longer, "%s.%s", token, token), -1);
    bad(longer);
    assert_int_equal(believe_at((reg_str_t) { strlen(token) + 1, token }, NOW),
                     -1);
    free(token);

    /* as large as one may be, and a mebibyte of it */
    longer = malloc(1 << 20);
    memset(longer, 'A', 1 << 20);
    longer[10] = longer[20] = '.';
    assert_int_equal(believe_at((reg_str_t) { REG_JWS_MAX, longer }, NOW), -1);
    assert_int_equal(believe_at((reg_str_t) { 1 << 20, longer }, NOW), -1);
    free(longer);
}


/* A text that stands for no other bytes, yet is another one: bits beyond the
 * last byte. */
static void
test_spare_bits(void **state)
{
    static const char  alphabet[] = JOSE_B64_MAP;
    char              *token = by_kid(&root, thumbprint(&root), "ES256");
    size_t             last = strlen(token) - 1;
    char               was = token[last];
    size_t             value = (size_t) (strchr(alphabet, was) - alphabet);

    (void) state;

    for (size_t spare = 0; spare < 16; spare++) {
        token[last] = alphabet[(value & 0x30) | spare];
        assert_int_equal(believe_at(reg_str_from(token), NOW),
                         token[last] == was ? 0 : -1);
    }

    free(token);
}


static void
test_narrowed(void **state)
{
    (void) state;

    open_trust("RS256 ES256");
    good(by_kid(&gitlab, libtrust(&gitlab), "RS256"));
    good(by_kid(&root, libtrust(&root), "ES256"));
    bad(by_kid(&gitlab, libtrust(&gitlab), "RS384"));
    bad(by_kid(&gitlab, libtrust(&gitlab), "PS256"));
    bad(token_of(json_pack("{s:s, s:s}", "alg", "HS256", "kid", "hmac"),
                 secret, PAYLOAD));
}


/* ---- the files, later ---------------------------------------------------- */


static void
test_read_again(void **state)
{
    char   line[512];
    FILE  *f;

    (void) state;

    write_bundle(&root, &stranger);
    good(by_kid(&stranger, libtrust(&stranger), "RS256"));
    bad(by_kid(&gitlab, libtrust(&gitlab), "RS256"));

    /* a bare public key, which is what one gets of GitLab's key file */
    assert_non_null(f = fopen(bundle_path, "w"));
    assert_int_equal(PEM_write_PUBKEY(f, gitlab.pkey), 1);
    assert_int_equal(fclose(f), 0);
    good(by_kid(&gitlab, libtrust(&gitlab), "RS256"));
    good(by_kid(&gitlab, thumbprint(&gitlab), "RS256"));
    bad(by_kid(&stranger, libtrust(&stranger), "RS256"));
    write_bundle(&root, &stranger);
    good(by_kid(&stranger, libtrust(&stranger), "RS256"));

    /* what makes no sense changes nothing, and is said once */
    assert_int_equal(tree_write(bundle_path, "no PEM\n", 7), 0);
    good(by_kid(&stranger, libtrust(&stranger), "RS256"));
    assert_int_equal(reg_trust_message(trust, line, sizeof(line)), 1);
    assert_non_null(strstr(line, bundle_path));
    good(by_kid(&stranger, libtrust(&stranger), "RS256"));
    assert_int_equal(reg_trust_message(trust, line, sizeof(line)), 0);

    write_bundle(&root, &gitlab);
    good(by_kid(&gitlab, libtrust(&gitlab), "RS256"));
    bad(by_kid(&stranger, libtrust(&stranger), "RS256"));
}


static void
test_key_sets(void **state)
{
    static const struct {
        const char  *text;
        int          keys;               /* -1: no set */
    } sets[] = {
        { "", -1 }, { "[]", -1 }, { "{}", -1 }, { "{\"keys\":1}", -1 },
        { "{\"keys\":[]}", 0 }, { "{\"keys\":[1,null,{}]}", 0 },
        { "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\","
          "\"y\":\"AA\"}]}", 0 },
        { "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}",
          0 },
        { "{\"keys\":[{\"kty\":\"oct\",\"k\":"
          "\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}", 1 },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        reg_buf_t      says = REG_BUF_INIT;
        reg_error_t    why = REG_ERROR_INIT;
        reg_keyset_t  *set;

        set = reg_keyset_parse(reg_str_from(sets[i].text), "here", &says,
                               &why);
        assert_int_equal(set == NULL ? -1 : (int) set->n, sets[i].keys);
        reg_keyset_free(set);
        reg_buf_free(&says);
    }
}


/* ---- mutants ------------------------------------------------------------- */


static uint64_t
draw(void)
{
    static uint64_t  x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;

    return x;
}


static long
resident(void)
{
    long   pages = 0;
    FILE  *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*s %ld", &pages), 1);
    assert_int_equal(fclose(f), 0);

    return pages * 4;
}


/* One to four changes of a token; its new length. */
static size_t
mutate(char *out, const char *token)
{
    static const char  alphabet[] = JOSE_B64_MAP ".=+/ {\"";
    size_t             len = strlen(token);

    memcpy(out, token, len);

    for (uint64_t n = draw() % 4 + 1; n > 0 && len > 1; n--) {
        size_t  at = draw() % len;
        char    c = draw() % 8 == 0 ? (char) draw()
                    : alphabet[draw() % (sizeof(alphabet) - 1)];

        switch (draw() % 4) {

        case 0:
            memmove(out + at, out + at + 1, len - at - 1);
            len--;
            break;

        case 1:
            memmove(out + at + 1, out + at, len - at);
            out[at] = c;
            len++;
            break;

        case 2:
            len = draw() % 16 == 0 ? at + 1 : len;
            break;

        default:
            out[at] = c;
        }
    }

    return len;
}


static void
test_mutants(void **state)
{
    char    *tokens[4], *out = malloc(REG_JWS_MAX);
    long     before = 0, after;
    size_t   accepted = 0, len, tried = 0;

    (void) state;

    tokens[0] = by_kid(&gitlab, libtrust(&gitlab), "RS256");
    tokens[1] = by_kid(&root, thumbprint(&root), "ES256");
    tokens[2] = token_of(json_pack("{s:s, s:s}", "alg", "HS256", "kid",
                                   "hmac"), secret, PAYLOAD);
    tokens[3] = token_of(json_pack("{s:s, s:o}", "alg", "RS256", "x5c",
                                   chain(&leaf, &middle)), leaf.jwk, PAYLOAD);

    while (tried < MUTANTS) {
        const char  *token = tokens[draw() % 4];

        if (draw() % 16 == 0) {
            len = draw() % 600;

            for (size_t i = 0; i < len; i++) {
                out[i] = (char) draw();
            }
        } else {
            len = mutate(out, token);
        }

        if (len == strlen(token) && memcmp(out, token, len) == 0) {
            continue;
        }

        accepted += believe_at((reg_str_t) { len, out }, NOW) == 0;
        tried++;

        if (tried == MUTANTS / 10) {
            before = resident();
        }
    }

    after = resident();
    print_message("%zu mutants, %zu accepted, resident after a tenth %ld KiB,"
                  " after all %ld KiB\n", tried, accepted, before, after);
    assert_int_equal(accepted, 0);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(after - before < 1024);
#endif

    for (size_t i = 0; i < 4; i++) {
        good(tokens[i]);
    }

    free(out);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_names, renew),
        cmocka_unit_test_setup(test_thumbprint, renew),
        cmocka_unit_test_setup(test_chains, renew),
        cmocka_unit_test_setup(test_odd_chains, renew),
        cmocka_unit_test_setup(test_brought_along, renew),
        cmocka_unit_test_setup(test_confusion, renew),
        cmocka_unit_test_setup(test_headers, renew),
        cmocka_unit_test_setup(test_forms, renew),
        cmocka_unit_test_setup(test_spare_bits, renew),
        cmocka_unit_test_setup(test_narrowed, renew),
        cmocka_unit_test_setup(test_read_again, renew),
        cmocka_unit_test_setup(test_key_sets, renew),
        cmocka_unit_test_setup(test_mutants, renew),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
