/*
 * reg_trust: whose signatures we believe besides our own: another issuer's.
 *
 * Keys come from a PEM file of certificates (rootcertbundle), from a JSON Web
 * Key Set, or both, as in CNCF Distribution's auth.token.  Which of them is
 * asked about a token:
 *
 *     x5c in its header    the chain must lead to a certificate of the bundle;
 *                          then the first certificate's key
 *     jwk in its header    only if it is itself one of the keys, or has an x5c
 *                          of which the same is true and whose key it is: what
 *                          a token brings along proves nothing (CVE-2025-24976)
 *     kid in its header    the key of that name (reg_jwk.h)
 *     none of them         refused
 *
 *     reg_trust_t  *trust;
 *
 *     if (reg_trust_open(&trust, &sources, err) == -1) …
 *     … reg_trust_verify(trust, &jws, now, err) == 0 …
 *     reg_trust_close(trust);
 *
 * Algorithms follow the key, and may be narrowed to a list; "none" is never
 * one.  Files are read again when they change (reg_reread.h).
 *
 * Safe to call from all threads.
 *
 * Blocks: disk
 */

#ifndef REG_TRUST_H
#define REG_TRUST_H

#include "reg_jws.h"

typedef struct reg_trust_s  reg_trust_t;

typedef struct {
    const char  *bundle;                 /* a path, or "" */
    const char  *jwks;                   /* a path, or "" */
    const char  *algorithms;             /* words, or "": what fits the key */
} reg_trust_sources_t;


/* The strings must live as long as what is opened.  -1 with a sentence that
 * names the file. */
int reg_trust_open(reg_trust_t **trust, const reg_trust_sources_t *sources,
    reg_error_t *err);
void reg_trust_close(reg_trust_t *trust);                /* NULL is allowed */

/* 0 if somebody whom we trust has signed it, else -1 with UNAUTHORIZED and why
 * (for the log). */
int reg_trust_verify(reg_trust_t *trust, const reg_jws_t *jws, time_t now,
    reg_error_t *err);

/* As of reg_reread.h. */
uint64_t reg_trust_age(reg_trust_t *trust);
int reg_trust_message(reg_trust_t *trust, char *out, size_t size);

#endif
