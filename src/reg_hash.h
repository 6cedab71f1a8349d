/*
 * reg_hash: a running SHA-256 or SHA-512 whose state can be put on disk.
 *
 * The state ("midstate") has the form that CNCF Distribution keeps under
 * _uploads/UUID/hashstates/, which is what Go's crypto/sha256 and
 * crypto/sha512 marshal:
 *
 *     sha256, 108 bytes              sha512, 204 bytes
 *     "sha\x03"                      "sha\x07"
 *     8 words of 4 bytes             8 words of 8 bytes     big endian
 *     the partial block, 64 bytes    the same, 128 bytes    zero-padded
 *     bytes hashed so far, 8 bytes   the same               big endian
 *
 * OpenSSL's EVP interface cannot give its state away, hence the older
 * SHA256_Init() family here and only here; it runs the same assembly.
 *
 * Blocks: never (a call costs CPU in proportion to len)
 */

#ifndef REG_HASH_H
#define REG_HASH_H

#include <openssl/sha.h>

#include "reg_digest.h"

#define REG_HASH_STATE_MAX  204

typedef struct {
    reg_alg_t       alg;
    union {
        SHA256_CTX  sha256;
        SHA512_CTX  sha512;
    } u;
} reg_hash_t;


void reg_hash_init(reg_hash_t *h, reg_alg_t alg);
void reg_hash_update(reg_hash_t *h, const void *data, size_t len);

/* The digest of what was hashed so far, in binary (32 or 64 bytes) or as a
 * name; h itself goes on. */
void reg_hash_binary(const reg_hash_t *h, unsigned char *out);
void reg_hash_digest(const reg_hash_t *h, reg_digest_t *d);

/* A number for n words that tells them apart, for what nobody tries to forge:
 * the times and inodes of files. */
uint64_t reg_hash_words(const uint64_t *words, size_t n);

/* Bytes hashed so far. */
int64_t reg_hash_length(const reg_hash_t *h);

/* Writes the state to out and returns its length. */
size_t reg_hash_export(const reg_hash_t *h,
    unsigned char out[REG_HASH_STATE_MAX]);

/* Takes a state up.  -1, with h as after reg_hash_init(), if the bytes are not
 * a state of this algorithm.  They cannot be proven to be the right one: a
 * wrong state shows as a wrong digest at the end. */
int reg_hash_import(reg_hash_t *h, reg_alg_t alg, const unsigned char *in,
    size_t len);

#endif
