/*
 * reg_policy: who may do what.
 *
 * A policy is a list of rules; each gives actions on repositories to people.
 * What no rule gives is denied, no rule takes anything away, so their order
 * does not matter.
 *
 *     nginx_registry:
 *       access:
 *         groups:
 *           developers: [alice, bob]
 *         rules:
 *           - who: anonymous
 *             repositories: public/base
 *             actions: pull
 *           - { who: "@developers", repositories: [app, app-*], actions: "*" }
 *           - { who: carol, actions: [catalog, admin] }
 *
 * who             anonymous    everybody, logged in or not
 *                 "*"          every account
 *                 "@GROUP"     the accounts of a group
 *                 NAME         an account
 * repositories    patterns, see reg_pattern.h; none: every repository
 * actions         pull, push, delete, "*" for these three; and of the registry
 *                 as a whole: catalog, admin
 *
 * Robots, and bearers of another issuer's tokens, have what they were given
 * with their credentials; of the policy only what is everybody's holds for
 * them, and a pattern with ${user} fits none of them.
 *
 *     reg_policy_t  *policy = reg_policy_create();
 *
 *     reg_policy_member(policy, group, user, err)
 *     reg_policy_rule(policy, line, err)               a new rule, then …
 *     reg_policy_who(policy, who, err)                 … what is in it
 *     reg_policy_repository(policy, pattern, err)
 *     reg_policy_action(policy, word, err)
 *     reg_policy_check(policy, err)                    all is said
 *
 *     if (reg_policy_allow(policy, &identity, &name, NULL) & REG_ACTION_PUSH)
 *
 * Filled once, then read by all threads.
 *
 * Blocks: never
 */

#ifndef REG_POLICY_H
#define REG_POLICY_H

#include "reg_identity.h"
#include "reg_scope.h"

typedef struct reg_policy_s  reg_policy_t;

/* Which rule gave an action: its line in the file. */
typedef struct {
    reg_actions_t  action;               /* one of REG_ACTION_… */
    size_t         line;
} reg_policy_reason_t;

#define REG_POLICY_ACTIONS  5            /* reasons that there can be */


/* NULL without memory. */
reg_policy_t *reg_policy_create(void);
void reg_policy_free(reg_policy_t *policy);              /* NULL is allowed */

/* These give -1 with BAD_REQUEST and a sentence without place: the caller
 * knows file and line. */
int reg_policy_member(reg_policy_t *policy, reg_str_t group, reg_str_t user,
    reg_error_t *err);
int reg_policy_rule(reg_policy_t *policy, size_t line, reg_error_t *err);
int reg_policy_who(reg_policy_t *policy, reg_str_t who, reg_error_t *err);
int reg_policy_repository(reg_policy_t *policy, reg_str_t pattern,
    reg_error_t *err);
int reg_policy_action(reg_policy_t *policy, reg_str_t word, reg_error_t *err);

/* Whether the newest rule is whole: names somebody and an action, and groups
 * that there are. */
int reg_policy_check(const reg_policy_t *policy, reg_error_t *err);

/* What somebody may do to a repository; with name NULL: to the registry.
 * reasons, if not NULL, has room for REG_POLICY_ACTIONS and gets one for each
 * action that is allowed, in the order of REG_ACTION_… */
reg_actions_t reg_policy_allow(const reg_policy_t *policy,
    const reg_identity_t *identity, const reg_name_t *name,
    reg_policy_reason_t *reasons);

#endif
