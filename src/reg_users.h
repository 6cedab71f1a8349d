/*
 * reg_users: accounts with passwords, in a file that htpasswd -B writes.
 *
 *     # a comment
 *     alice:$2y$10$…
 *     bob:$y$j9T$…
 *
 * Hashes are libcrypt's: bcrypt ($2a$, $2b$, $2y$), yescrypt ($y$), scrypt
 * ($7$), sha512crypt ($6$) and sha256crypt ($5$).  Lines with others (MD5, DES,
 * plain text) are left out, and named: nobody is to believe that such an
 * account works.
 *
 *     reg_users_t  *users;
 *
 *     if (reg_users_open(&users, "/etc/nginx-registry/htpasswd", &err) == -1)
 *     …
 *     rc = reg_users_verify(users, user, password, print, &err);   1, 0 or -1
 *     reg_users_close(users);
 *
 * The file is read again when it is another one than before; one that cannot be
 * read then changes nothing, and reg_users_message() says so.  An account that
 * does not exist costs as much time as a wrong password.
 *
 * Safe to call from all threads; a thread that verifies keeps nobody waiting.
 *
 * Blocks: disk (and to verify a password takes time by design)
 */

#ifndef REG_USERS_H
#define REG_USERS_H

#include "reg_identity.h"
#include "reg_login.h"

typedef struct reg_users_s  reg_users_t;

/* -1 with BAD_REQUEST if the file cannot be read. */
int reg_users_open(reg_users_t **users, const char *path, reg_error_t *err);
void reg_users_close(reg_users_t *users);                /* NULL is allowed */

/* 1: the password is right; print gets what changes with the stored hash.  0:
 * it is wrong, or there is no such account.  -1: we cannot tell. */
int reg_users_verify(reg_users_t *users, reg_str_t user, reg_str_t password,
    unsigned char print[REG_LOGIN_PRINT], reg_error_t *err);

/* Whether there is such an account; print as above. */
bool reg_users_has(reg_users_t *users, reg_str_t user,
    unsigned char print[REG_LOGIN_PRINT]);

/* A number that changes when the file was read anew. */
uint64_t reg_users_age(reg_users_t *users);

/* What an operator should know of the last reading, once: 1 and a sentence, or
 * 0. */
int reg_users_message(reg_users_t *users, char *out, size_t size);

#endif
