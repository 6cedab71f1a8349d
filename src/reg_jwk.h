/*
 * reg_jwk: a key that signs or verifies tokens (RFC 7517, 7638).
 *
 * Made of a JSON Web Key, of a certificate, or anew.  Keys are known by several
 * names, and a token may use any of them as its kid:
 *
 *     the kid that the key set gives
 *     RFC 7638   base64url of the SHA-256 of the canonical JSON
 *     libtrust   base32 of 240 bits of the SHA-256 of the DER public key, in
 *                groups of four (Docker's own registries and GitLab)
 *
 * What a key may verify follows from its type and from nothing that a token
 * says: RSA of 2048 bits or more RS256…512 and PS256…512; P-256, P-384 and
 * P-521 ES256, ES384 and ES512; a secret HS256…512, in a key set only.
 *
 * The cryptography is libjose's and OpenSSL's.
 *
 *     reg_jwk_t  *key = reg_jwk_parse(text, &err);
 *
 *     if (reg_jwk_is(key, kid) && reg_jwk_verify(key, &jws)) …
 *     reg_jwk_free(key);
 *
 * Read by all threads once it is made.
 *
 * Blocks: never
 */

#ifndef REG_JWK_H
#define REG_JWK_H

#include "reg_jws.h"

#define REG_JWK_ID  64                   /* of the two that are computed */

typedef struct reg_jwk_s  reg_jwk_t;

typedef enum {
    REG_JWK_ES256,
    REG_JWK_RS256
} reg_jwk_kind_t;


/* A JSON Web Key.  NULL with BAD_REQUEST if we have no use for it. */
reg_jwk_t *reg_jwk_parse(reg_str_t json, reg_error_t *err);

/* The public key of a certificate, DER. */
reg_jwk_t *reg_jwk_certificate(reg_str_t der, reg_error_t *err);

/* One without a certificate: SubjectPublicKeyInfo, DER. */
reg_jwk_t *reg_jwk_public(reg_str_t der, reg_error_t *err);

/* A new private key, with a short kid: it is in every token.  Its names do not
 * begin with '-': they are arguments of commands. */
reg_jwk_t *reg_jwk_generate(reg_jwk_kind_t kind, reg_error_t *err);

void reg_jwk_free(reg_jwk_t *key);                       /* NULL is allowed */

/* Whether it goes by this name. */
bool reg_jwk_is(const reg_jwk_t *key, reg_str_t kid);

/* Whether both verify the same signatures. */
bool reg_jwk_same(const reg_jwk_t *a, const reg_jwk_t *b);

/* Its name by RFC 7638, and by libtrust ("" for a secret); each lives as long
 * as the key. */
const char *reg_jwk_thumbprint(const reg_jwk_t *key);
const char *reg_jwk_libtrust(const reg_jwk_t *key);

/* Whether a key of this kind makes such signatures. */
bool reg_jwk_allows(const reg_jwk_t *key, reg_str_t alg);

/* Whether it has made this one. */
bool reg_jwk_verify(const reg_jwk_t *key, const reg_jws_t *jws);

/* Appends a token, with its own kid, or else its thumbprint, as kid. */
int reg_jwk_sign(const reg_jwk_t *key, reg_str_t payload, reg_buf_t *out,
    reg_error_t *err);

/* Appends it as JSON, with what is secret or without. */
int reg_jwk_format(const reg_jwk_t *key, reg_buf_t *out, reg_error_t *err);
int reg_jwk_format_public(const reg_jwk_t *key, reg_buf_t *out,
    reg_error_t *err);

#endif
