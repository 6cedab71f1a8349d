#include "reg_robots.h"

#include <errno.h>
#include <stdlib.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "reg_policy.h"
#include "reg_reread.h"


#define REG_ROBOTS_NAMED  10             /* odd ones that are told */


typedef struct {
    json_t       *root;                  /* the slices point into it */
    size_t        n;
    reg_robot_t  *list;
} reg_robots_content_t;


static void
reg_robots_free(void *content)
{
    reg_robots_content_t  *robots = content;

    json_decref(robots->root);
    free(robots->list);
    free(robots);
}


static void *
reg_robots_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    json_t                *root = reg_robot_document(text, path, err), *list;
    reg_robots_content_t  *robots = calloc(1, sizeof(*robots));
    size_t                 i, odd = 0, n;

    if (root == NULL || robots == NULL) {
        goto failed;
    }

    list = json_object_get(root, "robots");
    n = json_array_size(list);
    robots->list = calloc(n + 1, sizeof(*robots->list));

    if (robots->list == NULL) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        const char  *why = reg_robot_parse(&robots->list[robots->n],
                                           json_array_get(list, i));

        if (why == NULL) {
            robots->n++;

        } else if (odd++ < REG_ROBOTS_NAMED) {
            reg_buf_printf(says, "%.160s: robot %zu is not used: %s\n", path,
                           i + 1, why);
        }
    }

    robots->root = root;
    return robots;

failed:
    (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", path);
    json_decref(root);
    free(robots);

    return NULL;
}


static const reg_reread_kind_t  reg_robots_kind = {
    .max = REG_ROBOTS_FILE_MAX,
    .optional = true,
    .parse = reg_robots_parse,
    .free = reg_robots_free,
};


/* reg_robots_t is a name for what reg_reread keeps. */
static reg_reread_t *
reg_robots_file(reg_robots_t *robots)
{
    return (reg_reread_t *) robots;
}


int
reg_robots_open(reg_robots_t **robots, const char *path, reg_error_t *err)
{
    reg_reread_t  *file;

    if (reg_reread_open(&file, path, &reg_robots_kind, err) == -1) {
        return -1;
    }

    *robots = (reg_robots_t *) file;
    return 0;
}


void
reg_robots_close(reg_robots_t *robots)
{
    reg_reread_close(reg_robots_file(robots));
}


uint64_t
reg_robots_age(reg_robots_t *robots)
{
    return reg_reread_age(reg_robots_file(robots));
}


int
reg_robots_message(reg_robots_t *robots, char *out, size_t size)
{
    return reg_reread_message(reg_robots_file(robots), out, size);
}


/* ---- logging in ---------------------------------------------------------- */


/* NULL without memory. */
static reg_policy_t *
reg_robot_policy(const reg_robot_t *robot, reg_error_t *err)
{
    int            rc;
    reg_buf_t      words = REG_BUF_INIT;
    reg_str_t      rest;
    reg_policy_t  *policy = reg_policy_create();

    if (policy == NULL) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "login", "of a robot");
        return NULL;
    }

    rc = reg_policy_rule(policy, 0, err) == -1
         || reg_policy_who(policy, REG_STR("anonymous"), err) == -1 ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < robot->npatterns; i++) {
        rc = reg_policy_repository(policy, robot->patterns[i], err);
    }

    reg_actions_format(&words, robot->actions);
    rest = reg_buf_str(&words);

    while (rc == 0 && rest.len > 0) {
        rc = reg_policy_action(policy, reg_str_cut(&rest, ','), err);
    }

    if (rc == 0 && !reg_buf_ok(&words)) {
        rc = reg_error_sys(err, ENOMEM, REG_UNKNOWN, "login", "of a robot");
    }

    reg_buf_free(&words);

    if (rc == -1 || reg_policy_check(policy, err) == -1) {
        reg_policy_free(policy);
        return NULL;
    }

    return policy;
}


static const reg_robot_t *
reg_robots_find(const reg_robots_content_t *robots, reg_str_t user, time_t now)
{
    if (!reg_str_starts(user, REG_USER_ROBOT)) {
        return NULL;
    }

    user.data += REG_USER_ROBOT.len;
    user.len -= REG_USER_ROBOT.len;

    for (size_t i = 0; i < robots->n; i++) {
        const reg_robot_t  *robot = &robots->list[i];

        if (reg_str_eq(robot->name, user)) {
            return robot->expires == 0 || now < robot->expires ? robot : NULL;
        }
    }

    return NULL;
}


static int
reg_robot_login(const reg_robot_t *robot, reg_str_t user, reg_login_t **out,
    reg_error_t *err)
{
    reg_login_t  *login = reg_login_create(REG_WHO_ROBOT, user, err);

    if (login == NULL) {
        return -1;
    }

    login->expires = robot->expires;
    login->robot = reg_robot_policy(robot, err);
    reg_robot_hash(login->print, (reg_str_t) {
                       sizeof(robot->secret), (const char *) robot->secret });

    if (login->robot == NULL) {
        reg_login_release(login);
        return -1;
    }

    *out = login;
    return 1;
}


int
reg_robots_verify(reg_robots_t *robots, reg_str_t user, reg_str_t secret,
    time_t now, reg_login_t **login, reg_error_t *err)
{
    int                   rc = 0;
    unsigned char         hash[REG_LOGIN_PRINT];
    const reg_reading_t  *reading;
    const reg_robot_t    *robot;

    if (secret.len != REG_ROBOT_SECRET) {
        return 0;
    }

    reading = reg_reread_hold(reg_robots_file(robots));
    robot = reg_robots_find(reading->content, user, now);
    reg_robot_hash(hash, secret);

    if (robot != NULL && CRYPTO_memcmp(hash, robot->secret, sizeof(hash)) == 0)
    {
        rc = reg_robot_login(robot, user, login, err);
    }

    reg_reread_release(reg_robots_file(robots), reading);
    explicit_bzero(hash, sizeof(hash));

    return rc;
}


int
reg_robots_login(reg_robots_t *robots, reg_str_t user, time_t now,
    reg_login_t **login, reg_error_t *err)
{
    const reg_reading_t  *reading = reg_reread_hold(reg_robots_file(robots));
    const reg_robot_t    *robot = reg_robots_find(reading->content, user, now);
    int                   rc;

    rc = robot == NULL ? 0 : reg_robot_login(robot, user, login, err);
    reg_reread_release(reg_robots_file(robots), reading);

    return rc;
}


int
reg_robots_list(const char *path, const reg_robots_list_t *list,
    reg_error_t *err)
{
    reg_robots_t               *robots;
    const reg_reading_t        *reading;
    const reg_robots_content_t *content;
    char                        line[512];

    if (reg_robots_open(&robots, path, err) == -1) {
        return -1;
    }

    while (reg_robots_message(robots, line, sizeof(line))) {
        list->odd(list->ctx, line);
    }

    reading = reg_reread_hold(reg_robots_file(robots));
    content = reading->content;

    for (size_t i = 0; i < content->n; i++) {
        if (list->robot(list->ctx, &content->list[i]) == -1) {
            break;
        }
    }

    reg_reread_release(reg_robots_file(robots), reading);
    reg_robots_close(robots);

    return 0;
}
