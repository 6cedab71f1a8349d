/*
 * reg_password: passwords and what is stored of them.
 *
 * Hashes are libcrypt's, by the letters that they begin with:
 *
 *     $2a$ $2b$ $2y$   bcrypt                what we make ourselves
 *     $y$ $gy$         yescrypt, gost-yescrypt
 *     $7$              scrypt
 *     $6$ $5$          SHA-512, SHA-256, many rounds
 *
 * Others (DES, MD5, {SHA}, plain text) are not accepted: who gets the file has
 * the passwords.
 *
 * A password is UTF-8 without NUL, 1 to 511 bytes.  bcrypt looks at the first
 * 72 only, so that longer ones would open for others too: we make none of them,
 * and none is right.
 *
 *     why = reg_password_refuse(hash);          NULL: it is one of ours
 *     rc = reg_password_verify(hash, password, err);         1, 0 or -1
 *     rc = reg_password_hash(hash, password, cost, err);
 *
 * To verify takes as long as the hash says, by design.  What libcrypt had in
 * memory is wiped.
 *
 * Blocks: never (but to hash takes time)
 */

#ifndef REG_PASSWORD_H
#define REG_PASSWORD_H

#include "reg_error.h"

#define REG_PASSWORD_MAX         511     /* bytes: libcrypt's */
#define REG_PASSWORD_BCRYPT_MAX  72
#define REG_PASSWORD_HASH_MAX    255

/* of bcrypt: 2^cost rounds.  Distribution's and htpasswd's are about the same;
 * one more doubles the time. */
#define REG_PASSWORD_COST      10
#define REG_PASSWORD_COST_MIN  8
#define REG_PASSWORD_COST_MAX  16


/* NULL if logins with such a hash work, else why not: a literal that says
 * nothing of the hash itself. */
const char *reg_password_refuse(reg_str_t hash);

/* 1: hash is of this password.  0: it is not.  -1: out of memory. */
int reg_password_verify(reg_str_t hash, reg_str_t password, reg_error_t *err);

/* Makes a bcrypt hash with a new salt.  -1 with BAD_REQUEST for a password or
 * a cost that is none. */
int reg_password_hash(char out[REG_PASSWORD_HASH_MAX + 1], reg_str_t password,
    int cost, reg_error_t *err);

#endif
