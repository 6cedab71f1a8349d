#include "ctl_robot.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl_accounts.h"
#include "ctl_json.h"
#include "ctl_options.h"
#include "ctl_store.h"
#include "reg_pattern.h"
#include "reg_robots.h"
#include "reg_robots_edit.h"


#define CTL_ROBOT_DAY      86400
#define CTL_ROBOT_LONGEST  (100 * 366 * (int64_t) CTL_ROBOT_DAY)


typedef struct {
    const char   *config;
    bool          json;
    bool          expires;               /* was said */
    time_t        now;
    char          path[REG_CONFIG_TEXT + 32];
    reg_robot_t   robot;
} ctl_robot_options_t;


static const char  ctl_robot_help[] =
    "Usage: registryctl robot create NAME --repo PATTERN[,...]\n"
    "                  --actions ACTION[,...] --expires TIME|never\n"
    "                  [--description TEXT] [--config FILE] [--json]\n"
    "       registryctl robot revoke NAME [--config FILE]\n"
    "       registryctl robot list        [--config FILE] [--json]\n"
    "\n"
    "Accounts for programs, which log in as robot$NAME with a secret that is\n"
    "shown once, when the robot is made. They may do what they were given and\n"
    "what everybody may. They count at once, and so does their end.\n"
    "\n"
    "  --config FILE       the worker's config.yml\n"
    "  --repo PATTERN      repositories; * stands for anything within a part\n"
    "                      of a name, ** for any number of parts; may be\n"
    "                      given more than once\n"
    "  --actions ACTION    pull, push, delete\n"
    "  --expires TIME      90d, 12h ...; or never\n"
    "  --description TEXT  what it is for\n"
    "  --json              print the result as JSON\n"
    "  --help              print this and exit\n"
    "\n"
    "Exit status: 0 done; 1 it failed; 2 wrong usage.\n";


/* ---- create and revoke --------------------------------------------------- */


static json_t *
ctl_robot_expires_json(time_t expires)
{
    return expires == 0 ? json_null() : json_integer((json_int_t) expires);
}


static ctl_exit_t
ctl_robot_show(const ctl_robot_options_t *o, const char *secret)
{
    int      rc;
    json_t  *object;
    char     user[REG_USER_MAX + 1], expires[CTL_ACCOUNTS_TIME] = "never";

    (void) snprintf(user, sizeof(user), "robot$%.*s",
                    REG_STR_ARG(o->robot.name));

    if (!o->json) {
        if (o->robot.expires != 0) {
            (void) ctl_accounts_time(expires, o->robot.expires);
        }

        rc = printf("user     %s\nsecret   %s\nexpires  %s\n\nThe secret is"
                    " not shown again. In a shell the name needs quotes:\n\n"
                    "    docker login -u '%s' HOST\n", user, secret, expires,
                    user);
        return rc >= 0 && fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
    }

    object = json_pack("{s:s, s:s, s:o}", "user", user, "secret", secret,
                       "expires", ctl_robot_expires_json(o->robot.expires));

    return ctl_json_print_new(object) == 0 && fflush(stdout) == 0
           ? CTL_OK : CTL_FAILED;
}


static ctl_exit_t
ctl_robot_create(ctl_robot_options_t *o)
{
    char         secret[REG_ROBOT_SECRET + 1];
    ctl_exit_t   forgotten, shown;
    reg_error_t  err = REG_ERROR_INIT;

    if (o->robot.npatterns == 0 || o->robot.actions == 0 || !o->expires) {
        (void) fputs("registryctl: robot create needs --repo, --actions and"
                     " --expires\n", stderr);
        return CTL_USAGE;
    }

    o->robot.created = o->now;

    if (reg_robots_create(o->path, &o->robot, secret, &err) == -1) {
        ctl_store_complain("robot create", &err);
        return CTL_FAILED;
    }

    shown = ctl_robot_show(o, secret);
    explicit_bzero(secret, sizeof(secret));
    forgotten = ctl_accounts_forget(o->config);

    return shown != CTL_OK ? shown : forgotten;
}


static ctl_exit_t
ctl_robot_revoke(ctl_robot_options_t *o)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (reg_robots_revoke(o->path, o->robot.name, &err) == -1) {
        ctl_store_complain("robot revoke", &err);
        return CTL_FAILED;
    }

    return ctl_accounts_forget(o->config);
}


/* ---- the list ------------------------------------------------------------ */


typedef struct {
    const ctl_robot_options_t  *o;
    json_t                     *list;
    bool                        odd;
} ctl_robot_list_t;


static int
ctl_robot_line_json(ctl_robot_list_t *list, const reg_robot_t *robot,
    const char *user, const reg_buf_t *actions)
{
    bool     over = robot->expires != 0 && robot->expires <= list->o->now;
    json_t  *patterns = json_array();

    for (size_t i = 0; i < robot->npatterns; i++) {
        if (json_array_append_new(patterns,
                                  json_stringn(robot->patterns[i].data,
                                               robot->patterns[i].len)) == -1)
        {
            json_decref(patterns);
            return -1;
        }
    }

    return json_array_append_new(
               list->list,
               json_pack("{s:s, s:o, s:s%, s:I, s:o, s:b, s:s%}",
                         "user", user, "repositories", patterns,
                         "actions", actions->data, actions->len,
                         "created", (json_int_t) robot->created,
                         "expires", ctl_robot_expires_json(robot->expires),
                         "expired", (int) over, "description",
                         robot->description.data != NULL
                         ? robot->description.data : "",
                         robot->description.len));
}


static int
ctl_robot_line_text(ctl_robot_list_t *list, const reg_robot_t *robot,
    const char *user, const reg_buf_t *actions)
{
    char        expires[CTL_ACCOUNTS_TIME] = "never expires";
    const char *state = "";
    int         n;

    if (robot->expires != 0) {
        state = robot->expires <= list->o->now ? "EXPIRED " : "expires ";
        (void) ctl_accounts_time(expires, robot->expires);
    }

    n = printf("%s  %s%s  %.*s  ", user, state, expires,
               (int) actions->len, actions->data);

    for (size_t i = 0; i < robot->npatterns && n >= 0; i++) {
        n = printf("%s%.*s", i == 0 ? "" : ",",
                   REG_STR_ARG(robot->patterns[i]));
    }

    if (n >= 0 && robot->description.len > 0) {
        n = printf("  %.*s", REG_STR_ARG(robot->description));
    }

    return n < 0 || putchar('\n') == EOF ? -1 : 0;
}


static int
ctl_robot_line(void *ctx, const reg_robot_t *robot)
{
    int                rc = -1;
    char               user[REG_USER_MAX + 1];
    reg_buf_t          actions = REG_BUF_INIT;
    ctl_robot_list_t  *list = ctx;

    (void) snprintf(user, sizeof(user), "robot$%.*s",
                    REG_STR_ARG(robot->name));
    reg_actions_format(&actions, robot->actions);

    if (reg_buf_ok(&actions)) {
        rc = list->list != NULL
             ? ctl_robot_line_json(list, robot, user, &actions)
             : ctl_robot_line_text(list, robot, user, &actions);
    }

    reg_buf_free(&actions);

    return rc;
}


static void
ctl_robot_odd(void *ctx, const char *message)
{
    ctl_robot_list_t  *list = ctx;

    list->odd = true;
    (void) fprintf(stderr, "registryctl: %s\n", message);
}


static ctl_exit_t
ctl_robot_list(ctl_robot_options_t *o)
{
    int                rc;
    json_t            *all = NULL;
    reg_error_t        err = REG_ERROR_INIT;
    ctl_robot_list_t   list = { o, NULL, false };
    reg_robots_list_t  watch = { ctl_robot_line, ctl_robot_odd, &list };

    if (o->json) {
        list.list = json_array();
        all = json_pack("{s:o}", "robots", list.list);
    }

    rc = o->json && all == NULL ? -1
         : reg_robots_list(o->path, &watch, &err);

    if (rc == -1) {
        ctl_store_complain("", &err);
        json_decref(all);

    } else if (o->json) {
        rc = ctl_json_print_new(all);
    }

    return rc == 0 && fflush(stdout) == 0 && !list.odd ? CTL_OK : CTL_FAILED;
}


/* ---- what is asked ------------------------------------------------------- */


static const struct {
    const char   *name;
    int           words;                 /* that follow */
    ctl_exit_t  (*run)(ctl_robot_options_t *o);
} ctl_robot_verbs[] = {
    { "create", 1, ctl_robot_create },
    { "revoke", 1, ctl_robot_revoke },
    { "list", 0, ctl_robot_list },
};

#define CTL_ROBOT_VERBS  (sizeof(ctl_robot_verbs) / sizeof(ctl_robot_verbs[0]))


/* The directory of robots.json, which is the tree's owner's. */
static int
ctl_robot_make_state(const reg_config_t *config, reg_error_t *err)
{
    struct stat  st;

    if (mkdir(config->state, 0700) == -1) {
        return errno == EEXIST ? 0 : reg_error_sys(err, errno, REG_UNKNOWN,
                                                   "mkdir", config->state);
    }

    if (geteuid() == 0
        && (stat(config->root, &st) == -1
            || lchown(config->state, st.st_uid, st.st_gid) == -1))
    {
        return reg_error_sys(err, errno, REG_UNKNOWN, "give away",
                             config->state);
    }

    return 0;
}


/* Finds robots.json, and becomes the tree's owner, who can write it. */
static int
ctl_robot_find_file(ctl_robot_options_t *o, bool make, reg_error_t *err)
{
    int                  rc;
    static reg_store_t   store;                  /* large */
    reg_config_t         config;

    rc = ctl_store_config(&config, o->config, NULL, err) == -1
         || (make && ctl_robot_make_state(&config, err) == -1) ? -1 : 0;

    (void) snprintf(o->path, sizeof(o->path), "%s/robots.json", config.state);
    reg_config_free(&config);

    if (rc == -1 || ctl_store_open(&store, o->config, NULL, err) == -1) {
        return -1;
    }

    reg_store_close(&store);

    return 0;
}


static ctl_exit_t
ctl_robot_run(ctl_robot_options_t *o, int n, char **words)
{
    reg_error_t  err = REG_ERROR_INIT;

    for (size_t i = 0; n > 0 && i < CTL_ROBOT_VERBS; i++) {
        if (strcmp(words[0], ctl_robot_verbs[i].name) != 0
            || n != 1 + ctl_robot_verbs[i].words)
        {
            continue;
        }

        if (ctl_options_need("robot", o->config) == -1) {
            return CTL_USAGE;
        }

        o->robot.name = n > 1 ? reg_str_from(words[1]) : REG_STR_NULL;

        if (reg_str_starts(o->robot.name, REG_USER_ROBOT)) {
            o->robot.name.data += REG_USER_ROBOT.len;
            o->robot.name.len -= REG_USER_ROBOT.len;
        }

        if (ctl_robot_find_file(o, ctl_robot_verbs[i].run == ctl_robot_create,
                                &err) == -1)
        {
            ctl_store_complain("", &err);
            return CTL_FAILED;
        }

        return ctl_robot_verbs[i].run(o);
    }

    return ctl_options_refuse("robot", n, words, ctl_robot_help);
}


static int
ctl_robot_repositories(void *ctx, const char *text)
{
    ctl_robot_options_t  *o = ctx;
    reg_str_t             pattern, rest = reg_str_from(text);

    do {
        if (o->robot.npatterns == REG_ROBOT_PATTERNS) {
            (void) fprintf(stderr, "registryctl: more than %d repositories\n",
                           REG_ROBOT_PATTERNS);
            return -1;
        }

        pattern = reg_str_cut(&rest, ',');

        if (!reg_pattern_valid(pattern)) {
            (void) fprintf(stderr, "registryctl: neither a repository nor a"
                           " pattern: %.*s\n", REG_STR_ARG(pattern));
            return -1;
        }

        o->robot.patterns[o->robot.npatterns++] = pattern;
    } while (rest.len > 0);

    return 0;
}


static int
ctl_robot_actions(void *ctx, const char *text)
{
    ctl_robot_options_t  *o = ctx;
    reg_str_t             rest = reg_str_from(text);

    do {
        reg_str_t      word = reg_str_cut(&rest, ',');
        reg_actions_t  action = reg_action_parse(word);

        if (action == 0) {
            (void) fprintf(stderr, "registryctl: not an action: %.*s\n",
                           REG_STR_ARG(word));
            return -1;
        }

        o->robot.actions |= action;
    } while (rest.len > 0);

    return 0;
}


static int
ctl_robot_expires(void *ctx, const char *text)
{
    ctl_robot_options_t  *o = ctx;
    int64_t               n = 0;
    reg_str_t             s = reg_str_from(text);

    o->expires = true;

    if (reg_str_eq(s, REG_STR("never"))) {
        return 0;
    }

    if (s.len > 1 && s.data[s.len - 1] == 'd') {
        s.len--;

        if (reg_str_int(s, CTL_ROBOT_LONGEST / CTL_ROBOT_DAY, &n) == 0) {
            n *= CTL_ROBOT_DAY;
        }

    } else if (reg_str_duration(s, CTL_ROBOT_LONGEST, &n) == -1) {
        n = 0;
    }

    o->robot.expires = o->now + (time_t) n;

    if (n == 0) {
        (void) fprintf(stderr, "registryctl: --expires \"%s\": write 90d, 12h"
                       " or never\n", text);
        return -1;
    }

    return 0;
}


static int
ctl_robot_description(void *ctx, const char *text)
{
    ctl_robot_options_t  *o = ctx;

    o->robot.description = reg_str_from(text);

    return 0;
}


ctl_exit_t
ctl_robot(int argc, char **argv)
{
    int                         first;
    ctl_exit_t                  status;
    static ctl_robot_options_t  o;

    const ctl_option_t  options[] = {
        { "config", .text = &o.config, .place = true },
        { "repo", .take = ctl_robot_repositories, .ctx = &o },
        { "actions", .take = ctl_robot_actions, .ctx = &o },
        { "expires", .take = ctl_robot_expires, .ctx = &o },
        { "description", .take = ctl_robot_description, .ctx = &o },
        { "json", .flag = &o.json },
        { .name = NULL }
    };

    o.now = time(NULL);
    first = ctl_options_read(argc, argv, options, ctl_robot_help, &status);

    return first == -1 ? status
                       : ctl_robot_run(&o, argc - first, argv + first);
}
