/*
 * fcgi_listen: the listening socket of all worker processes.
 *
 * In this order: what systemd passes (LISTEN_FDS, descriptor 3), descriptor 0
 * if it listens (a supervisor's way), else a unix socket that is made here at
 * the configured path.  A socket that a dead process left is replaced; one
 * that somebody answers on is not.
 */

#ifndef FCGI_LISTEN_H
#define FCGI_LISTEN_H

#include <sys/types.h>

#include "reg_config.h"

typedef struct {
    int    fd;
    bool   made;                       /* here, so it is removed at the end */
    char   path[REG_CONFIG_TEXT];      /* or a word for where it came from */
    dev_t  dev;
    ino_t  ino;
} fcgi_listen_t;


int fcgi_listen_open(fcgi_listen_t *listen, const reg_config_t *config,
    reg_error_t *err);

/* Closes it, and removes the path if it is still the one made here. */
void fcgi_listen_close(fcgi_listen_t *listen);

#endif
