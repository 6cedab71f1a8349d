/*
 * reg_robots: accounts for programs, robot$NAME, which may do what they were
 * given and nothing else, and mostly until a date.
 *
 * The file, robots.json in the directory of the worker's state:
 *
 *     {"robots": [{
 *       "name": "ci",                             logs in as robot$ci
 *       "secret": "sha256:HEX",                   of the secret's text
 *       "repositories": ["team/app", "ci/…"],     patterns, reg_pattern.h
 *       "actions": "pull,push",                   reg_scope.h
 *       "created": 1764000000,                    seconds since 1970, UTC
 *       "expires": 1771776000,                    0: never
 *       "description": "pipelines"}]}
 *
 * A secret is made by us: nrr_, 256 random bits in base32, eight letters of
 * checksum (base32 of a SHA-256's beginning), so that tools which look for
 * secrets in places where they should not be can tell one.  It is shown once.
 * SHA-256 is the right hash for it, unlike for a password: nobody can guess 256
 * bits, so that making each guess slow adds nothing, and a login costs nothing.
 *
 *     reg_robots_t  *robots;
 *     reg_login_t   *login;
 *
 *     if (reg_robots_open(&robots, path, err) == -1) …
 *     if (reg_robots_verify(robots, user, secret, now, &login, err) == 1) …
 *     while (reg_robots_message(robots, line, sizeof(line))) … the log's
 *     reg_robots_close(robots);
 *
 * login->robot is a policy that gives to everybody: to be asked as nobody.
 * login->expires is the robot's.  A robot that is over is as wrong as one that
 * is not there.
 *
 * A file that is missing has no robots.  It is read again when it has changed,
 * and safe to use from all threads (reg_reread.h).  registryctl changes it with
 * reg_robots_create() and reg_robots_revoke(), one at a time (reg_edit.h).
 *
 * Blocks: disk
 */

#ifndef REG_ROBOTS_H
#define REG_ROBOTS_H

#include "reg_login.h"

#define REG_ROBOTS_FILE_MAX      (4 * 1024 * 1024)
#define REG_ROBOT_NAME_MAX       64      /* without robot$ */
#define REG_ROBOT_PATTERNS       32
#define REG_ROBOT_DESCRIPTION    200
#define REG_ROBOT_SECRET         64      /* characters, without a NUL */

typedef struct reg_robots_s  reg_robots_t;

typedef struct {
    reg_str_t      name;                 /* without robot$ */
    unsigned char  secret[REG_LOGIN_PRINT];      /* its SHA-256 */
    reg_actions_t  actions;
    size_t         npatterns;
    reg_str_t      patterns[REG_ROBOT_PATTERNS];
    time_t         created;
    time_t         expires;              /* 0: never */
    reg_str_t      description;
} reg_robot_t;


int reg_robots_open(reg_robots_t **robots, const char *path,
    reg_error_t *err);
void reg_robots_close(reg_robots_t *robots);             /* NULL is allowed */

/* 1: the secret is right, and *login is held for the caller.  0: it is wrong,
 * or the robot is over, or there is none.  -1: we cannot tell. */
int reg_robots_verify(reg_robots_t *robots, reg_str_t user, reg_str_t secret,
    time_t now, reg_login_t **login, reg_error_t *err);

/* The same for somebody who has shown a token of ours instead. */
int reg_robots_login(reg_robots_t *robots, reg_str_t user, time_t now,
    reg_login_t **login, reg_error_t *err);

/* A number that is another one when the file is. */
uint64_t reg_robots_age(reg_robots_t *robots);

/* The next thing that an operator should know: 1, or 0 if there is none. */
int reg_robots_message(reg_robots_t *robots, char *out, size_t size);


/* Adds one, of which all but the secret is said, and makes a secret.  -1 with
 * BAD_REQUEST and a sentence if it cannot be. */
int reg_robots_create(const char *path, const reg_robot_t *robot,
    char secret[REG_ROBOT_SECRET + 1], reg_error_t *err);

int reg_robots_revoke(const char *path, reg_str_t name, reg_error_t *err);

/* Calls robot for each, until it returns -1.  What makes no sense as a robot
 * is told by odd ("robot 3: …"). */
typedef struct {
    int    (*robot)(void *ctx, const reg_robot_t *robot);
    void   (*odd)(void *ctx, const char *message);
    void    *ctx;
} reg_robots_list_t;

int reg_robots_list(const char *path, const reg_robots_list_t *list,
    reg_error_t *err);

#endif
