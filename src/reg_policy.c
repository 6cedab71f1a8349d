#include "reg_policy.h"

#include "reg_pattern.h"


#define REG_POLICY_RULES   1024
#define REG_POLICY_GROUPS  1024
#define REG_POLICY_WORDS   (256 * 1024)  /* bytes of one list of words */


/* Words of a list, each with a NUL after it. */
typedef reg_buf_t  reg_policy_words_t;

typedef struct {
    reg_policy_words_t   name;           /* one word */
    reg_policy_words_t   members;
} reg_policy_group_t;

typedef struct {
    size_t               line;
    reg_policy_words_t   who;
    reg_policy_words_t   patterns;
    reg_actions_t        actions;
} reg_policy_rule_t;

struct reg_policy_s {
    size_t               ngroups;
    reg_policy_group_t  *groups;
    size_t               nrules;
    reg_policy_rule_t   *rules;
};


reg_policy_t *
reg_policy_create(void)
{
    return calloc(1, sizeof(reg_policy_t));
}


void
reg_policy_free(reg_policy_t *policy)
{
    if (policy == NULL) {
        return;
    }

    for (size_t i = 0; i < policy->ngroups; i++) {
        reg_buf_free(&policy->groups[i].name);
        reg_buf_free(&policy->groups[i].members);
    }

    for (size_t i = 0; i < policy->nrules; i++) {
        reg_buf_free(&policy->rules[i].who);
        reg_buf_free(&policy->rules[i].patterns);
    }

    free(policy->groups);
    free(policy->rules);
    free(policy);
}


static int
reg_policy_add(reg_policy_words_t *words, reg_str_t word, reg_error_t *err)
{
    if (words->len + word.len >= REG_POLICY_WORDS) {
        return reg_error_set(err, REG_BAD_REQUEST, "the list is too long");
    }

    reg_buf_putstr(words, word);
    reg_buf_put(words, "", 1);

    return reg_buf_ok(words) ? 0
           : reg_error_set(err, REG_UNKNOWN, "out of memory");
}


/* The next word of a list, and leaves the rest; false at the end. */
static bool
reg_policy_next(reg_str_t *rest, reg_str_t *word)
{
    if (rest->len == 0) {
        return false;
    }

    *word = reg_str_cut(rest, '\0');

    return true;
}


static bool
reg_policy_has(const reg_policy_words_t *words, reg_str_t wanted)
{
    reg_str_t  rest = reg_buf_str(words), word;

    while (reg_policy_next(&rest, &word)) {
        if (reg_str_eq(word, wanted)) {
            return true;
        }
    }

    return false;
}


/* ---- filling ------------------------------------------------------------- */


static const reg_policy_group_t *
reg_policy_group(const reg_policy_t *policy, reg_str_t name)
{
    for (size_t i = 0; i < policy->ngroups; i++) {
        if (reg_policy_has(&policy->groups[i].name, name)) {
            return &policy->groups[i];
        }
    }

    return NULL;
}


static reg_policy_group_t *
reg_policy_group_make(reg_policy_t *policy, reg_str_t name, reg_error_t *err)
{
    const reg_policy_group_t  *group = reg_policy_group(policy, name);
    reg_policy_group_t        *groups;

    if (group != NULL) {
        return &policy->groups[group - policy->groups];
    }

    if (policy->ngroups == REG_POLICY_GROUPS) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "more than %d groups",
                             REG_POLICY_GROUPS);
        return NULL;
    }

    groups = realloc(policy->groups, (policy->ngroups + 1) * sizeof(*groups));

    if (groups == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    policy->groups = groups;
    groups[policy->ngroups] = (reg_policy_group_t) { REG_BUF_INIT,
                                                     REG_BUF_INIT };

    if (reg_policy_add(&groups[policy->ngroups].name, name, err) == -1) {
        return NULL;
    }

    return &groups[policy->ngroups++];
}


int
reg_policy_member(reg_policy_t *policy, reg_str_t name, reg_str_t user,
    reg_error_t *err)
{
    reg_policy_group_t  *group;

    if (!reg_user_valid(name) || name.data[0] == '@') {
        return reg_error_set(err, REG_BAD_REQUEST, "not a name for a group");
    }

    if (!reg_user_valid(user) || user.data[0] == '@') {
        return reg_error_set(err, REG_BAD_REQUEST, "a group has names of"
                             " accounts, no patterns and no other groups");
    }

    group = reg_policy_group_make(policy, name, err);

    return group == NULL ? -1 : reg_policy_add(&group->members, user, err);
}


int
reg_policy_rule(reg_policy_t *policy, size_t line, reg_error_t *err)
{
    reg_policy_rule_t  *rules;

    if (policy->nrules == REG_POLICY_RULES) {
        return reg_error_set(err, REG_BAD_REQUEST, "more than %d rules",
                             REG_POLICY_RULES);
    }

    rules = realloc(policy->rules, (policy->nrules + 1) * sizeof(*rules));

    if (rules == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    policy->rules = rules;
    rules[policy->nrules++] = (reg_policy_rule_t) {
        line, REG_BUF_INIT, REG_BUF_INIT, 0
    };

    return 0;
}


static reg_policy_rule_t *
reg_policy_newest(const reg_policy_t *policy)
{
    return &policy->rules[policy->nrules - 1];
}


int
reg_policy_who(reg_policy_t *policy, reg_str_t who, reg_error_t *err)
{
    if (!reg_user_valid(who)) {
        return reg_error_set(err, REG_BAD_REQUEST, "write anonymous, \"*\" for"
                             " every account, \"@GROUP\" or the name of an"
                             " account");
    }

    return reg_policy_add(&reg_policy_newest(policy)->who, who, err);
}


int
reg_policy_repository(reg_policy_t *policy, reg_str_t pattern,
    reg_error_t *err)
{
    if (!reg_pattern_valid(pattern)) {
        return reg_error_set(err, REG_BAD_REQUEST, "not a pattern: write a"
                             " repository's name, with * for what is between"
                             " two slashes, ** for any number of parts,"
                             " ${user} for the account's name");
    }

    return reg_policy_add(&reg_policy_newest(policy)->patterns, pattern, err);
}


int
reg_policy_action(reg_policy_t *policy, reg_str_t word, reg_error_t *err)
{
    reg_actions_t  actions = reg_action_parse(word);

    if (actions == 0) {
        return reg_error_set(err, REG_BAD_REQUEST, "an action is pull, push,"
                             " delete, \"*\" for these three, catalog or"
                             " admin, and not \"%.*s\"", REG_STR_ARG(word));
    }

    reg_policy_newest(policy)->actions |= actions;

    return 0;
}


int
reg_policy_check(const reg_policy_t *policy, reg_error_t *err)
{
    const reg_policy_rule_t  *rule = reg_policy_newest(policy);
    reg_str_t                 rest = reg_buf_str(&rule->who), who;

    if (rest.len == 0) {
        return reg_error_set(err, REG_BAD_REQUEST, "the rule has no who");
    }

    if (rule->actions == 0) {
        return reg_error_set(err, REG_BAD_REQUEST, "the rule has no actions");
    }

    while (reg_policy_next(&rest, &who)) {
        reg_str_t  group = { who.len - 1, who.data + 1 };

        if (who.data[0] == '@' && reg_policy_group(policy, group) == NULL) {
            return reg_error_set(err, REG_BAD_REQUEST, "there is no group"
                                 " \"%.*s\": write groups before rules",
                                 (int) (group.len < 64 ? group.len : 64),
                                 group.data);
        }
    }

    return 0;
}


/* ---- asking -------------------------------------------------------------- */


static bool
reg_policy_names(const reg_policy_t *policy, reg_str_t who,
    const reg_identity_t *identity)
{
    reg_str_t                  user = reg_str_from(identity->name);
    const reg_policy_group_t  *group;

    if (reg_str_eq(who, REG_STR("anonymous"))) {
        return true;
    }

    if (identity->who != REG_WHO_USER) {
        return false;
    }

    if (who.data[0] != '@') {
        return reg_str_eq(who, REG_STR("*")) || reg_str_eq(who, user);
    }

    who.data++;
    who.len--;
    group = reg_policy_group(policy, who);

    return group != NULL && reg_policy_has(&group->members, user);
}


static bool
reg_policy_covers(const reg_policy_t *policy, const reg_policy_rule_t *rule,
    const reg_identity_t *identity)
{
    reg_str_t  rest = reg_buf_str(&rule->who), who;

    while (reg_policy_next(&rest, &who)) {
        if (reg_policy_names(policy, who, identity)) {
            return true;
        }
    }

    return false;
}


static bool
reg_policy_matches(const reg_policy_rule_t *rule, const reg_name_t *name,
    reg_str_t user)
{
    reg_str_t  rest = reg_buf_str(&rule->patterns), pattern;

    if (rest.len == 0) {
        return true;
    }

    while (reg_policy_next(&rest, &pattern)) {
        if (reg_pattern_match(pattern, reg_name_str(name), user)) {
            return true;
        }
    }

    return false;
}


/* Notes which rule was the first to give an action. */
static void
reg_policy_note(reg_policy_reason_t *reasons, reg_actions_t had,
    reg_actions_t given, size_t line)
{
    for (int i = 0; i < REG_POLICY_ACTIONS; i++) {
        reg_actions_t  one = 1u << i;

        if ((given & ~had & one) != 0) {
            reasons[i] = (reg_policy_reason_t) { one, line };
        }
    }
}


reg_actions_t
reg_policy_allow(const reg_policy_t *policy, const reg_identity_t *identity,
    const reg_name_t *name, reg_policy_reason_t *reasons)
{
    reg_actions_t  allowed = 0, given;

    /* ${user} is an account of ours: whom another issuer calls by the same name
     * may be anybody */
    reg_str_t      user = identity->who == REG_WHO_USER
                          ? reg_str_from(identity->name) : REG_STR_NULL;

    if (reasons != NULL) {
        memset(reasons, 0, REG_POLICY_ACTIONS * sizeof(*reasons));
    }

    for (size_t i = 0; i < policy->nrules; i++) {
        const reg_policy_rule_t  *rule = &policy->rules[i];

        given = rule->actions & (name == NULL ? REG_ACTIONS_REGISTRY
                                              : REG_ACTIONS_REPOSITORY);

        if ((given & ~allowed) == 0
            || !reg_policy_covers(policy, rule, identity)
            || (name != NULL && !reg_policy_matches(rule, name, user)))
        {
            continue;
        }

        if (reasons != NULL) {
            reg_policy_note(reasons, allowed, given, rule->line);
        }

        allowed |= given;
    }

    return allowed;
}
