/*
 * reg_jws: a token, taken apart and not believed yet (RFC 7515, compact form).
 *
 *     reg_jws_t  jws;
 *
 *     if (reg_jws_parse(&jws, token, &err) == 0) {
 *         … reg_jwk_verify(key, &jws) …
 *         … reg_jws_payload(&jws, &out, &err) …
 *     }
 *     reg_jws_free(&jws);
 *
 * Bounded: REG_JWS_MAX bytes, three parts of base64url without padding, a
 * header that is a JSON object of a few levels, without a member twice.  One
 * that names extensions which must be understood ("crit") is refused: we
 * understand none.
 *
 * Blocks: never
 */

#ifndef REG_JWS_H
#define REG_JWS_H

#include "reg_error.h"

#define REG_JWS_MAX  (16 * 1024)

typedef struct {
    reg_str_t        header;             /* slices of the token, encoded */
    reg_str_t        payload;
    reg_str_t        signature;

    char             alg[16];
    char             kid[256];           /* "" if there is none */
    struct json_t   *json;               /* the header; jansson's */
} reg_jws_t;


/* token must live as long as what is parsed.  -1 with UNAUTHORIZED; to be freed
 * in any case. */
int reg_jws_parse(reg_jws_t *jws, reg_str_t token, reg_error_t *err);

/* Appends the payload, decoded. */
int reg_jws_payload(const reg_jws_t *jws, reg_buf_t *out, reg_error_t *err);

void reg_jws_free(reg_jws_t *jws);

#endif
