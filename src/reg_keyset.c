#include "reg_keyset.h"

#include <jansson.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>


void
reg_keyset_free(reg_keyset_t *set)
{
    if (set == NULL) {
        return;
    }

    for (size_t i = 0; i < set->n; i++) {
        reg_jwk_free(set->list[i]);
    }

    free(set->list);
    free(set);
}


static reg_keyset_t *
reg_keyset_create(reg_error_t *err)
{
    reg_keyset_t  *set = calloc(1, sizeof(*set));

    if (set != NULL) {
        set->list = calloc(REG_KEYSET_MAX, sizeof(*set->list));
    }

    if (set == NULL || set->list == NULL) {
        free(set);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    return set;
}


/* Puts a key, which it takes over, after the others. */
static int
reg_keyset_add(reg_keyset_t *set, reg_jwk_t *key, reg_error_t *err)
{
    if (set->n == REG_KEYSET_MAX) {
        reg_jwk_free(key);
        return reg_error_set(err, REG_BAD_REQUEST, "more than %d keys",
                             REG_KEYSET_MAX);
    }

    set->list[set->n++] = key;

    return 0;
}


/* Where keys come from, and what is to be said about it. */
typedef struct {
    const char   *path;
    reg_buf_t    *says;
    reg_error_t  *err;
} reg_keyset_reading_t;


/* Adds a key, or says why there is none. */
static int
reg_keyset_take(reg_keyset_t *set, reg_jwk_t *key, const reg_error_t *why,
    const reg_keyset_reading_t *from)
{
    if (key != NULL) {
        return reg_keyset_add(set, key, from->err);
    }

    if (why->code == REG_UNKNOWN) {
        return reg_error_set(from->err, REG_UNKNOWN, "%.160s: %.80s",
                             from->path, reg_error_message(why));
    }

    reg_buf_printf(from->says, "%s: a key is left out: %s\n", from->path,
                   reg_error_message(why));

    return 0;
}


reg_keyset_t *
reg_keyset_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    int            rc = 0;
    size_t         i;
    json_t        *json, *keys, *one;
    reg_keyset_t  *set = reg_keyset_create(err);

    const reg_keyset_reading_t  from = { path, says, err };

    if (set == NULL) {
        return NULL;
    }

    json = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL);
    keys = json_object_get(json, "keys");

    if (!json_is_array(keys)) {
        rc = reg_error_set(err, REG_BAD_REQUEST, "%.160s: no JSON Web Key Set:"
                           " {\"keys\":[…]} is expected", path);
    }

    for (i = 0; rc == 0 && i < json_array_size(keys); i++) {
        char         *dump;
        reg_jwk_t    *key = NULL;
        reg_error_t   why = REG_ERROR_INIT;

        one = json_array_get(keys, i);
        dump = json_dumps(one, JSON_COMPACT);

        if (dump != NULL) {
            key = reg_jwk_parse(reg_str_from(dump), &why);
            explicit_bzero(dump, strlen(dump));
            free(dump);
        } else {
            (void) reg_error_set(&why, REG_BAD_REQUEST, "not a key");
        }

        rc = reg_keyset_take(set, key, &why, &from);
    }

    json_decref(json);

    if (rc == -1) {
        reg_keyset_free(set);
        return NULL;
    }

    return set;
}


/* The key of a block of PEM; others have none. */
static int
reg_keyset_block(reg_keyset_t *set, const char *name, reg_str_t der,
    const reg_keyset_reading_t *from)
{
    static const struct {
        const char   *name;
        reg_jwk_t  *(*key)(reg_str_t der, reg_error_t *err);
    } kinds[] = {
        { PEM_STRING_X509, reg_jwk_certificate },
        { PEM_STRING_X509_OLD, reg_jwk_certificate },
        { PEM_STRING_X509_TRUSTED, reg_jwk_certificate },
        { PEM_STRING_PUBLIC, reg_jwk_public },
    };

    reg_error_t  why = REG_ERROR_INIT;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            return reg_keyset_take(set, kinds[i].key(der, &why), &why, from);
        }
    }

    return 0;
}


reg_keyset_t *
reg_keyset_certificates(reg_str_t pem, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    int             rc = 0;
    BIO            *bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    char           *name, *header;
    long            len;
    unsigned char  *der;
    reg_keyset_t   *set = reg_keyset_create(err);

    const reg_keyset_reading_t  from = { path, says, err };

    if (set == NULL || bio == NULL) {
        reg_keyset_free(set);
        BIO_free(bio);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    while (rc == 0 && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        rc = reg_keyset_block(set, name, (reg_str_t) { (size_t) len,
                                                       (const char *) der },
                              &from);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }

    ERR_clear_error();                   /* the end of the file is one */
    BIO_free(bio);

    if (rc == 0 && set->n == 0) {
        rc = reg_error_set(err, REG_BAD_REQUEST, "%.160s: no certificate or"
                           " public key in it", path);
    }

    if (rc == -1) {
        reg_keyset_free(set);
        return NULL;
    }

    return set;
}


const reg_jwk_t *
reg_keyset_find(const reg_keyset_t *set, reg_str_t kid)
{
    for (size_t i = 0; i < set->n; i++) {
        if (reg_jwk_is(set->list[i], kid)) {
            return set->list[i];
        }
    }

    return NULL;
}


const reg_jwk_t *
reg_keyset_same(const reg_keyset_t *set, const reg_jwk_t *key)
{
    for (size_t i = 0; i < set->n; i++) {
        if (reg_jwk_same(set->list[i], key)) {
            return set->list[i];
        }
    }

    return NULL;
}
