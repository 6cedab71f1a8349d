/*
 * fcgi_listen: the listening socket of all worker processes.
 *
 * In this order: what systemd passes (LISTEN_FDS, descriptor 3), descriptor 0
 * if it listens (a supervisor's way), else a unix socket that is made here at
 * the configured path.  A socket that a dead process left is replaced; one
 * that somebody answers on is not.
 *
 * The one that was made here outlives the process where systemd keeps it (kept)
 * or the process starts a new program (fcgi_upgrade.h): who connects between
 * the two waits for the second one.  It is passed under a name of its own
 * (fcgi_notify.h), and used if it is still the configured one.
 */

#ifndef FCGI_LISTEN_H
#define FCGI_LISTEN_H

#include <sys/types.h>

#include "reg_config.h"

/* where systemd passes it */
#define FCGI_LISTEN_SYSTEMD  3

typedef struct {
    int    fd;
    bool   made;                       /* here, so it is removed at the end */
    bool   kept;                       /* or not: systemd has it, too */
    char   path[REG_CONFIG_TEXT];      /* or a word for where it came from */
    dev_t  dev;
    ino_t  ino;
} fcgi_listen_t;


int fcgi_listen_open(fcgi_listen_t *listen, const reg_config_t *config,
    reg_error_t *err);

/* Closes what a process before this one has left, and nobody has opened: who
 * waits there is not to wait for one that does not start. */
void fcgi_listen_decline(void);

/* Closes the connections that nobody has accepted yet. */
void fcgi_listen_turn_away(const fcgi_listen_t *listen);

/* Closes it, and removes the path if it is still the one made here. */
void fcgi_listen_close(fcgi_listen_t *listen);

#endif
