/*
 * reg_scope: what somebody may do, or asks to do, to what.
 *
 *     repository:team/app:pull,push          a repository and actions
 *     repository(plugin):team/app:pull       the class is not looked at
 *     registry:catalog:*                     the list of repositories
 *
 * The form is that of Docker's token specification ("scope"), also used in the
 * "access" claim of tokens.  "*" as an action means all that one can do to a
 * repository; in a list of actions unknown ones are passed over, so that a
 * newer client is not refused what it shares with us.
 *
 * A reg_grants_t is a bounded list of scopes: what a token carries, what a
 * robot was given, what a client asked for.  Names are compared literally; a
 * pattern is the policy's (reg_policy.h).
 *
 *     reg_grants_t  grants = REG_GRANTS_INIT;
 *
 *     reg_grants_parse(&grants, REG_STR("repository:a:pull registry:…"));
 *     if (reg_grants_allow(&grants, &name) & REG_ACTION_PUSH) …
 *     reg_grants_free(&grants);
 *
 * Blocks: never
 */

#ifndef REG_SCOPE_H
#define REG_SCOPE_H

#include "reg_error.h"
#include "reg_ref.h"

#define REG_ACTION_PULL     0x01u
#define REG_ACTION_PUSH     0x02u
#define REG_ACTION_DELETE   0x04u
#define REG_ACTION_CATALOG  0x08u      /* of the registry, not a repository */
#define REG_ACTION_ADMIN    0x10u      /* the same: manage it */

#define REG_ACTIONS_REPOSITORY                                                \
    (REG_ACTION_PULL | REG_ACTION_PUSH | REG_ACTION_DELETE)
#define REG_ACTIONS_REGISTRY   (REG_ACTION_CATALOG | REG_ACTION_ADMIN)

typedef unsigned  reg_actions_t;         /* REG_ACTION_… of a set */

typedef enum {
    REG_SCOPE_REPOSITORY,
    REG_SCOPE_REGISTRY
} reg_scope_kind_t;

typedef struct {
    reg_scope_kind_t  kind;
    reg_name_t        name;              /* of a repository */
    reg_actions_t     actions;
} reg_scope_t;

/* of one token or request; more are refused */
#define REG_GRANTS_MAX  128

typedef struct {
    size_t        n;
    reg_scope_t  *list;                  /* owned */
} reg_grants_t;

#define REG_GRANTS_INIT  { 0, NULL }


/* "pull", "push", "delete", "catalog", "admin", or "*" for what one can do to
 * a repository; 0 for what we do not know. */
reg_actions_t reg_action_parse(reg_str_t word);

/* Appends "pull,push", in the order above. */
void reg_actions_format(reg_buf_t *out, reg_actions_t actions);

/* Parses one scope.  -1 if it is none, or of a kind that we do not have. */
int reg_scope_parse(reg_scope_t *scope, reg_str_t s);

/* Appends a scope as it is written in a challenge. */
void reg_scope_format(reg_buf_t *out, const reg_scope_t *scope);


/* Adds one; those of the same repository become one.  -1 with
 * BAD_REQUEST when there are too many, UNKNOWN without memory. */
int reg_grants_add(reg_grants_t *grants, const reg_scope_t *scope,
    reg_error_t *err);

/* Adds scopes that are separated by blanks.  What is no scope of ours is passed
 * over: it gives nothing. */
int reg_grants_parse(reg_grants_t *grants, reg_str_t s, reg_error_t *err);

/* What they allow to a repository; with NULL: to the registry. */
reg_actions_t reg_grants_allow(const reg_grants_t *grants,
    const reg_name_t *name);

void reg_grants_free(reg_grants_t *grants);

#endif
