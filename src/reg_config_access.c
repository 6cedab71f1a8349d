#include "reg_config_access.h"

#include <yaml.h>


#define REG_CONFIG_ACCESS_PATH  "nginx_registry.access"


/* Takes one word of a key of a rule, or one member of a group. */
typedef int (*reg_config_word_pt)(reg_policy_t *policy, reg_str_t word,
    reg_error_t *err);

static const struct {
    const char          *name;
    reg_config_word_pt   take;
} reg_config_rule_keys[] = {
    { "who", reg_policy_who },
    { "repositories", reg_policy_repository },
    { "actions", reg_policy_action },
};

#define REG_CONFIG_RULE_KEYS                                                  \
    (sizeof(reg_config_rule_keys) / sizeof(reg_config_rule_keys[0]))


/* Gives a policy's own sentence the place where it was wrong. */
static int
reg_config_access_fail(const reg_config_reader_t *r, const char *part,
    const reg_error_t *why)
{
    char  path[REG_CONFIG_PATH];

    (void) snprintf(path, sizeof(path), "%s.%s", REG_CONFIG_ACCESS_PATH,
                    part);

    return reg_config_fail(r, path, reg_error_message(why));
}


static int
reg_config_access_expect(reg_config_reader_t *r, yaml_event_type_t type,
    const char *part, const char *what)
{
    reg_error_t  why = REG_ERROR_INIT;

    if (r->event->type == type) {
        return 0;
    }

    (void) reg_error_set(&why, REG_BAD_REQUEST, "expected %s", what);

    return reg_config_access_fail(r, part, &why);
}


/* One word, or a list of them: the current event.  group is NULL for what is
 * in a rule. */
static int
reg_config_access_words(reg_config_reader_t *r, reg_policy_t *policy,
    size_t key, reg_str_t group)
{
    bool         list = r->event->type == YAML_SEQUENCE_START_EVENT;
    bool         any = false;
    const char  *part = group.data != NULL ? "groups"
                                           : reg_config_rule_keys[key].name;

    for ( ;; ) {
        reg_error_t  why = REG_ERROR_INIT;
        reg_str_t    word;

        if (list) {
            if (reg_config_next(r) == -1) {
                return -1;
            }

            if (r->event->type == YAML_SEQUENCE_END_EVENT && any) {
                return 0;
            }
        }

        /* also an empty list: that of repositories would mean all */
        if (reg_config_access_expect(r, YAML_SCALAR_EVENT, part,
                                     "a word or a list of words") == -1)
        {
            return -1;
        }

        word = reg_config_scalar(r);

        if ((group.data != NULL
             ? reg_policy_member(policy, group, word, &why)
             : reg_config_rule_keys[key].take(policy, word, &why)) == -1)
        {
            return reg_config_access_fail(r, part, &why);
        }

        if (!list) {
            return 0;
        }

        any = true;
    }
}


static int
reg_config_access_groups(reg_config_reader_t *r, reg_policy_t *policy)
{
    if (reg_config_access_expect(r, YAML_MAPPING_START_EVENT, "groups",
                                 "names of groups with their members") == -1)
    {
        return -1;
    }

    for ( ;; ) {
        char       name[REG_USER_MAX + 2];
        reg_str_t  s;

        if (reg_config_next(r) == -1) {
            return -1;
        }

        if (r->event->type == YAML_MAPPING_END_EVENT) {
            return 0;
        }

        if (reg_config_access_expect(r, YAML_SCALAR_EVENT, "groups",
                                     "the name of a group") == -1)
        {
            return -1;
        }

        s = reg_config_scalar(r);
        s.len = s.len < sizeof(name) ? s.len : sizeof(name) - 1;
        (void) reg_str_copy(name, sizeof(name), s);       /* fits; too long
                                                             is refused */
        if (reg_config_next(r) == -1
            || reg_config_access_words(r, policy, 0, reg_str_from(name))
               == -1)
        {
            return -1;
        }
    }
}


/* The keys of one rule, whose start is the current event. */
static int
reg_config_access_rule(reg_config_reader_t *r, reg_policy_t *policy)
{
    reg_error_t  why = REG_ERROR_INIT;

    if (reg_config_access_expect(r, YAML_MAPPING_START_EVENT, "rules",
                                 "a rule: who, repositories, actions") == -1)
    {
        return -1;
    }

    if (reg_policy_rule(policy, r->line, &why) == -1) {
        return reg_config_access_fail(r, "rules", &why);
    }

    for ( ;; ) {
        size_t     key;
        reg_str_t  word = REG_STR("...");

        if (reg_config_next(r) == -1) {
            return -1;
        }

        if (r->event->type == YAML_MAPPING_END_EVENT) {
            break;
        }

        if (r->event->type == YAML_SCALAR_EVENT) {
            word = reg_config_scalar(r);
        }

        for (key = 0; key < REG_CONFIG_RULE_KEYS; key++) {
            if (reg_str_eq(word, reg_str_from(reg_config_rule_keys[key].name)))
            {
                break;
            }
        }

        /* what is mistyped must not widen a rule */
        if (key == REG_CONFIG_RULE_KEYS) {
            (void) reg_error_set(&why, REG_BAD_REQUEST, "a rule has the keys"
                                 " who, repositories and actions, and not"
                                 " \"%.*s\"", REG_STR_ARG(word));
            return reg_config_access_fail(r, "rules", &why);
        }

        if (reg_config_next(r) == -1
            || reg_config_access_words(r, policy, key, REG_STR_NULL) == -1)
        {
            return -1;
        }
    }

    return reg_policy_check(policy, &why) == 0 ? 0
           : reg_config_access_fail(r, "rules", &why);
}


static int
reg_config_access_rules(reg_config_reader_t *r, reg_policy_t *policy)
{
    if (reg_config_access_expect(r, YAML_SEQUENCE_START_EVENT, "rules",
                                 "a list of rules") == -1)
    {
        return -1;
    }

    for ( ;; ) {
        if (reg_config_next(r) == -1) {
            return -1;
        }

        if (r->event->type == YAML_SEQUENCE_END_EVENT) {
            return 0;
        }

        if (reg_config_access_rule(r, policy) == -1) {
            return -1;
        }
    }
}


static int
reg_config_access_walk(reg_config_reader_t *r, reg_policy_t *policy)
{
    static const struct {
        const char  *name;
        int        (*read)(reg_config_reader_t *r, reg_policy_t *policy);
    } parts[] = {
        { "groups", reg_config_access_groups },
        { "rules", reg_config_access_rules },
    };

    for ( ;; ) {
        size_t  i;

        if (reg_config_next(r) == -1) {
            return -1;
        }

        if (r->event->type == YAML_MAPPING_END_EVENT) {
            return 0;
        }

        for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
            if (r->event->type == YAML_SCALAR_EVENT
                && reg_str_eq(reg_config_scalar(r),
                              reg_str_from(parts[i].name)))
            {
                break;
            }
        }

        if (i == sizeof(parts) / sizeof(parts[0])) {
            return reg_config_fail(r, REG_CONFIG_ACCESS_PATH, "expected groups"
                                   " and rules");
        }

        if (reg_config_next(r) == -1 || parts[i].read(r, policy) == -1) {
            return -1;
        }
    }
}


int
reg_config_access(reg_config_reader_t *r)
{
    reg_policy_t  *policy;

    if (r->event->type != YAML_MAPPING_START_EVENT) {
        return reg_config_fail(r, REG_CONFIG_ACCESS_PATH, "expected groups and"
                               " rules below it");
    }

    policy = reg_policy_create();

    if (policy == NULL) {
        return reg_config_fail(r, REG_CONFIG_ACCESS_PATH, "out of memory");
    }

    if (reg_config_access_walk(r, policy) == -1) {
        reg_policy_free(policy);
        return -1;
    }

    r->config.policy = policy;
    return 0;
}
