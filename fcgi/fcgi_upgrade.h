/*
 * fcgi_upgrade: the program that lies on the disk now takes over, in the same
 * process, with the same socket.
 *
 *     fcgi_upgrade_init(&up, argv);           at the start: where we lie
 *     …
 *     if (fcgi_upgrade_check(&up, err) == 0) {
 *         … workers are told to end …
 *         fcgi_upgrade_exec(&up, passed, err);            it does not return
 *     }
 *
 * The new program is asked first whether it would start (--check).  Who
 * connects meanwhile waits for it.  The socket is passed as by systemd
 * (fcgi_listen.h).
 */

#ifndef FCGI_UPGRADE_H
#define FCGI_UPGRADE_H

#include <limits.h>

#include "reg_error.h"

#define FCGI_UPGRADE_ARGS  32

typedef struct {
    char    path[PATH_MAX];              /* empty: not known */
    char  **argv;                        /* the caller's */
} fcgi_upgrade_t;


void fcgi_upgrade_init(fcgi_upgrade_t *up, char **argv);

/* -1 if it would not start; what it says goes to stderr. */
int fcgi_upgrade_check(const fcgi_upgrade_t *up, reg_error_t *err);

/* listener: -1 if the new program has it anyway. */
int fcgi_upgrade_exec(const fcgi_upgrade_t *up, int listener,
    reg_error_t *err);

#endif
