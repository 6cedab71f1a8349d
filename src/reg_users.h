/*
 * reg_users: accounts with passwords, in a file as htpasswd -B and CNCF
 * Distribution's auth.htpasswd have it.
 *
 *     # a comment
 *     alice:$2y$10$…                            NAME:HASH, see reg_password.h
 *     bob:$y$j9T$…
 *
 * Blanks around a line do not count; of two lines for one account the later
 * one does.  Lines that are no account of ours (another kind of hash, a name
 * that cannot be one) are left out and named by file and line.
 *
 *     reg_users_t  *users;
 *
 *     if (reg_users_open(&users, path, err) == -1) …
 *     rc = reg_users_verify(users, user, password, print, err);
 *     while (reg_users_message(users, line, sizeof(line))) … the log's
 *     reg_users_close(users);
 *
 * The file is read again when it has changed, and safe to use from all threads
 * (reg_reread.h).  An account that does not exist costs as much time as a wrong
 * password, if the file has one kind and cost of hashes.
 *
 * registryctl changes such files with reg_users_edit.h.
 *
 * Blocks: disk (and to verify a password takes time by design)
 */

#ifndef REG_USERS_H
#define REG_USERS_H

#include "reg_identity.h"
#include "reg_login.h"

#define REG_USERS_FILE_MAX  (4 * 1024 * 1024)
#define REG_USERS_MAX       100000       /* lines */

typedef struct reg_users_s  reg_users_t;

typedef enum {
    REG_USERS_NOTHING,                   /* empty, or a comment */
    REG_USERS_ACCOUNT,
    REG_USERS_ODD                        /* why says what is wrong */
} reg_users_line_kind_t;

typedef struct {
    reg_users_line_kind_t  kind;
    reg_str_t              name;
    reg_str_t              hash;
    const char            *why;
} reg_users_line_t;


/* -1 with BAD_REQUEST and a sentence if the file cannot be read. */
int reg_users_open(reg_users_t **users, const char *path, reg_error_t *err);
void reg_users_close(reg_users_t *users);                /* NULL is allowed */

/* 1: the password is right; print gets what is another one when the stored hash
 * is.  0: it is wrong, or there is no such account.  -1: we cannot tell. */
int reg_users_verify(reg_users_t *users, reg_str_t user, reg_str_t password,
    unsigned char print[REG_LOGIN_PRINT], reg_error_t *err);

/* Whether there is such an account; if so print is filled. */
bool reg_users_has(reg_users_t *users, reg_str_t user,
    unsigned char print[REG_LOGIN_PRINT]);

/* A number that is another one when the file is. */
uint64_t reg_users_age(reg_users_t *users);

/* The next thing that an operator should know: 1, or 0 if there is none. */
int reg_users_message(reg_users_t *users, char *out, size_t size);

/* What one line (without '\n') says; its slices point into it. */
void reg_users_line_parse(reg_users_line_t *line, reg_str_t text);

#endif
