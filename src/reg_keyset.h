/*
 * reg_keyset: several keys: a JSON Web Key Set (RFC 7517), or the certificates
 * and public keys of a PEM file.
 *
 * Blocks: never
 */

#ifndef REG_KEYSET_H
#define REG_KEYSET_H

#include "reg_jwk.h"

#define REG_KEYSET_MAX  64

typedef struct {
    size_t       n;
    reg_jwk_t  **list;                   /* owned */
} reg_keyset_t;


/* Keys that we have no use for are passed over; says gets a line for each.
 * NULL with BAD_REQUEST if the text is no key set.  path is for the messages.
 */
reg_keyset_t *reg_keyset_parse(reg_str_t json, const char *path,
    reg_buf_t *says, reg_error_t *err);

/* Those of a PEM file, other blocks are passed over.  NULL with BAD_REQUEST if
 * there are none. */
reg_keyset_t *reg_keyset_certificates(reg_str_t pem, const char *path,
    reg_buf_t *says, reg_error_t *err);

void reg_keyset_free(reg_keyset_t *set);                 /* NULL is allowed */

/* The key that goes by that name, or is the same as that one; NULL if there is
 * none. */
const reg_jwk_t *reg_keyset_find(const reg_keyset_t *set, reg_str_t kid);
const reg_jwk_t *reg_keyset_same(const reg_keyset_t *set,
    const reg_jwk_t *key);

#endif
