/*
 * reg_users_edit: changes a file of accounts, for registryctl.
 *
 * Lines of others, comments, lines that are no account: all stays as it is.
 * See reg_users.h for the format and reg_edit.h for how a file is changed.
 *
 * Blocks: disk
 */

#ifndef REG_USERS_EDIT_H
#define REG_USERS_EDIT_H

#include "reg_error.h"

typedef enum {
    REG_USERS_ADD,                       /* there must be none */
    REG_USERS_CHANGE,                    /* there must be one */
    REG_USERS_REMOVE                     /* the same */
} reg_users_change_t;


/* hash is a new one of reg_password_hash(), NULL for REG_USERS_REMOVE.  -1
 * with BAD_REQUEST and a sentence if there is, or is not, such an account. */
int reg_users_edit(const char *path, reg_users_change_t change,
    reg_str_t user, const char *hash, reg_error_t *err);

/* Calls line for each account and for each line that is not used (why tells,
 * with name empty if it has none), with its number, until it returns -1. */
typedef int (*reg_users_list_pt)(void *ctx, size_t number, reg_str_t name,
    const char *why);

int reg_users_list(const char *path, reg_users_list_pt line, void *ctx,
    reg_error_t *err);

#endif
