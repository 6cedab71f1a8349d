/*
 * reg_memory: which credentials were verified a moment ago.
 *
 * To verify a password is slow by design, and a signature costs more than the
 * rest of a request.  What was right is remembered for a short time, under a
 * keyed hash: neither passwords nor tokens are in the memory, and the key is
 * drawn anew by every process.
 *
 *     reg_memory_key(memory, REG_MEMORY_TOKEN, token, key);
 *     login = reg_memory_get(memory, key, age, now);
 *
 *     if (login == NULL) {
 *         … verify …
 *         reg_memory_put(memory, key, login, age, until);
 *     }
 *
 * age is a number that changes when everything remembered is to be forgotten
 * (reg_epoch.h, a file of accounts that was read anew).  What is wrong is never
 * remembered: a new account is good at once.
 *
 * Bounded: REG_MEMORY_LOGINS entries, the one that ends first makes room.  Safe
 * to call from all threads.
 *
 * Blocks: never
 */

#ifndef REG_MEMORY_H
#define REG_MEMORY_H

#include "reg_login.h"

#define REG_MEMORY_LOGINS  1024
#define REG_MEMORY_GRANTS  16            /* of one login; more: not kept */

typedef struct reg_memory_s  reg_memory_t;

typedef enum {
    REG_MEMORY_PASSWORD,
    REG_MEMORY_TOKEN,
    REG_MEMORY_KINDS
} reg_memory_kind_t;             /* what is the one is never the other */


reg_memory_t *reg_memory_create(reg_error_t *err);
void reg_memory_free(reg_memory_t *memory);              /* NULL is allowed */

/* -1 without memory. */
int reg_memory_key(const reg_memory_t *memory, reg_memory_kind_t kind,
    reg_str_t credentials, unsigned char key[REG_LOGIN_PRINT]);

/* Held for the caller, or NULL. */
reg_login_t *reg_memory_get(reg_memory_t *memory,
    const unsigned char key[REG_LOGIN_PRINT], uint64_t age, time_t now);

/* Keeps a hold of its own until then. */
void reg_memory_put(reg_memory_t *memory,
    const unsigned char key[REG_LOGIN_PRINT], reg_login_t *login,
    uint64_t age, time_t until);

#endif
