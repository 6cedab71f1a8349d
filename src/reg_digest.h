/*
 * reg_digest: "algorithm:encoded", the name of content.
 *
 * A value: copied by assignment, nothing to free.  sha256 and sha512 only, in
 * lower-case hexadecimal of exactly the right length (OCI image spec,
 * "Digests"; distribution spec 1.1, "Pulling manifests").
 *
 * Blocks: never
 */

#ifndef REG_DIGEST_H
#define REG_DIGEST_H

#include "reg_str.h"

typedef enum {
    REG_SHA256,
    REG_SHA512,
    REG_ALGS
} reg_alg_t;

#define REG_DIGEST_SIZE  136        /* "sha512:" + 128 + NUL */

typedef struct {
    reg_alg_t  alg;
    char       text[REG_DIGEST_SIZE];
} reg_digest_t;


/* Parses all of s.  -1 if it is not a digest that we know. */
int reg_digest_parse(reg_digest_t *d, reg_str_t s);

/* Finds an algorithm by its name.  -1 if there is none. */
int reg_alg_parse(reg_alg_t *alg, reg_str_t name);

const char *reg_alg_name(reg_alg_t alg);

/* Bytes of the binary digest: 32, 64. */
size_t reg_alg_size(reg_alg_t alg);

/* Makes a digest of its binary form, reg_alg_size(alg) bytes. */
void reg_digest_format(reg_digest_t *d, reg_alg_t alg,
    const unsigned char *binary);

/* The encoded part; NUL-terminated, lives as long as d. */
const char *reg_digest_hex(const reg_digest_t *d);

/* All of it, as a slice that lives as long as d. */
reg_str_t reg_digest_str(const reg_digest_t *d);

bool reg_digest_eq(const reg_digest_t *a, const reg_digest_t *b);

/* True for the digest of zero bytes. */
bool reg_digest_is_empty(const reg_digest_t *d);

#endif
