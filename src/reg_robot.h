/*
 * reg_robot: one account for a program, as it stands in the file of all
 * (reg_robots.h), and its secret.
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
 * Blocks: never
 */

#ifndef REG_ROBOT_H
#define REG_ROBOT_H

#include "reg_login.h"

#define REG_ROBOTS_MAX           10000   /* in a file, of so many bytes */
#define REG_ROBOTS_FILE_MAX      (4 * 1024 * 1024)
#define REG_ROBOT_NAME_MAX       64      /* without robot$ */
#define REG_ROBOT_PATTERNS       32
#define REG_ROBOT_DESCRIPTION    200
#define REG_ROBOT_SECRET         64      /* characters, without a NUL */

struct json_t;                           /* jansson's */

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


/* NULL, or what of it makes no sense, as a sentence. */
const char *reg_robot_odd(const reg_robot_t *robot);

/* The document of a file's text, of which "robots" is an array; of an empty
 * text one without robots.  NULL with err. */
struct json_t *reg_robot_document(reg_str_t text, const char *path,
    reg_error_t *err);

/* From an entry, into which the robot's slices point.  NULL, or what is wrong
 * with it. */
const char *reg_robot_parse(reg_robot_t *robot, const struct json_t *entry);

/* An entry for a robot with that secret.  NULL without memory. */
struct json_t *reg_robot_format(const reg_robot_t *robot, const char *secret);

int reg_robot_secret(char secret[REG_ROBOT_SECRET + 1], reg_error_t *err);

/* SHA-256: of a secret what is kept of it, of that what a login is bound to. */
void reg_robot_hash(unsigned char hash[REG_LOGIN_PRINT], reg_str_t text);

#endif
