#include "ctl_policy.h"

#include <stdio.h>

#include <jansson.h>

#include "ctl_json.h"
#include "ctl_options.h"
#include "ctl_store.h"
#include "reg_access.h"
#include "reg_config_check.h"


typedef struct {
    const char           *config;
    bool                  json;
    reg_identity_t        who;
    reg_name_t            name;
    reg_actions_t         asked;         /* 0: all, and nothing is failed */
} ctl_policy_options_t;


static const char  ctl_policy_help[] =
    "Usage: registryctl policy test [--config FILE] [--json]\n"
    "                               USER REPOSITORY [ACTION...]\n"
    "\n"
    "What nginx_registry.access of a configuration gives to USER, and which\n"
    "line gave it. USER is the name of an account, or anonymous; ACTION is\n"
    "pull, push, delete, catalog or admin. Exit status 1 if an ACTION is\n"
    "denied. What a robot was given besides is said by registryctl robot"
    " list.\n"
    "\n"
    "  --config FILE  the worker's config.yml\n"
    "  --json         one object for each action\n";


static int
ctl_policy_line(const ctl_policy_options_t *o, const char *action,
    bool allowed, size_t line)
{
    if (o->json) {
        return ctl_json_print_new(
            json_pack("{s:s, s:s, s:s, s:b, s:I}", "user", o->who.name,
                      "repository", o->name.text, "action", action,
                      "allowed", (int) allowed, "line", (json_int_t) line));
    }

    if (!allowed) {
        return printf("%-8s denied   no rule gives it\n", action);
    }

    return line == 0
           ? printf("%-8s allowed  by default: there are no rules\n", action)
           : printf("%-8s allowed  %s:%zu\n", action, o->config, line);
}


static ctl_exit_t
ctl_policy_print(const ctl_policy_options_t *o, const reg_policy_t *policy)
{
    ctl_exit_t           status = CTL_OK;
    reg_policy_reason_t  here[REG_POLICY_ACTIONS], there[REG_POLICY_ACTIONS];
    reg_actions_t        allowed;

    allowed = reg_policy_allow(policy, &o->who, &o->name, here)
              | reg_policy_allow(policy, &o->who, NULL, there);

    for (int i = 0; i < REG_POLICY_ACTIONS; i++) {
        reg_actions_t  one = 1u << i;
        reg_buf_t      word = REG_BUF_INIT;

        if (o->asked != 0 && (o->asked & one) == 0) {
            continue;
        }

        reg_actions_format(&word, one);
        reg_buf_put(&word, "", 1);

        if (!reg_buf_ok(&word)
            || ctl_policy_line(o, word.data, (allowed & one) != 0,
                               (one & REG_ACTIONS_REPOSITORY) != 0
                               ? here[i].line : there[i].line) < 0
            || (o->asked & one & ~allowed) != 0)
        {
            status = CTL_FAILED;
        }

        reg_buf_free(&word);
    }

    return fflush(stdout) == 0 ? status : CTL_FAILED;
}


static ctl_exit_t
ctl_policy_test(const ctl_policy_options_t *o)
{
    ctl_exit_t     status = CTL_FAILED;
    reg_config_t   config;
    reg_error_t    err = REG_ERROR_INIT;
    reg_policy_t  *own = NULL;

    if (ctl_store_config(&config, o->config, NULL, &err) == -1
        || reg_config_check(&config, &err) == -1
        || (config.policy == NULL
            && (own = reg_access_default(&config, &err)) == NULL))
    {
        ctl_store_complain("", &err);

    } else {
        status = ctl_policy_print(o, own != NULL ? own : config.policy);
    }

    reg_policy_free(own);
    reg_config_free(&config);

    return status;
}


/* "test", who, where and what. */
static int
ctl_policy_words(ctl_policy_options_t *o, int n, char **words)
{
    if (n < 3 || strcmp(words[0], "test") != 0) {
        (void) ctl_options_refuse("policy", n, words, ctl_policy_help);
        return -1;
    }

    if (!reg_user_valid(reg_str_from(words[1]))
        || reg_name_parse(&o->name, reg_str_from(words[2])) == -1)
    {
        (void) fprintf(stderr, "registryctl: not a name of an account and a"
                       " repository: %s %s\n", words[1], words[2]);
        return -1;
    }

    if (strcmp(words[1], "anonymous") != 0) {
        o->who.who = REG_WHO_USER;
        (void) reg_str_copy(o->who.name, sizeof(o->who.name),
                            reg_str_from(words[1]));              /* fits */
    }

    for (int i = 3; i < n; i++) {
        reg_actions_t  action = reg_action_parse(reg_str_from(words[i]));

        if (action == 0) {
            (void) fprintf(stderr, "registryctl: not an action: %s\n",
                           words[i]);
            return -1;
        }

        o->asked |= action;
    }

    return 0;
}


ctl_exit_t
ctl_policy(int argc, char **argv)
{
    int                   first;
    ctl_exit_t            status;
    ctl_policy_options_t  o = { .who = REG_IDENTITY_ANYBODY };

    const ctl_option_t  options[] = {
        { "config", .text = &o.config, .place = true },
        { "json", .flag = &o.json },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_policy_help, &status);

    if (first == -1) {
        return status;
    }

    return ctl_policy_words(&o, argc - first, argv + first) == -1
           || ctl_options_need("policy", o.config) == -1
           ? CTL_USAGE : ctl_policy_test(&o);
}
