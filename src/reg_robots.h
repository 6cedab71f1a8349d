/*
 * reg_robots: accounts for programs, robot$NAME, which may do what they were
 * given and nothing else, and mostly until a date.
 *
 * They stand in a file, as reg_robot.h says.
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
 * and safe to use from all threads (reg_reread.h).  registryctl changes it
 * (reg_robots_edit.h).
 *
 * Blocks: disk
 */

#ifndef REG_ROBOTS_H
#define REG_ROBOTS_H

#include "reg_robot.h"

typedef struct reg_robots_s  reg_robots_t;


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
