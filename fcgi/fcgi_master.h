/*
 * fcgi_master: the process that owns the socket and its worker processes.
 *
 *     SIGTERM, SIGINT   workers drain, then all is over
 *     SIGHUP            the configuration is read again; if it is good, new
 *                       workers start with it and the old ones drain, else
 *                       the message is logged and nothing changes
 *     SIGUSR2           the program that lies on the disk now takes over, if it
 *                       would start; workers drain
 *     SIGCHLD           a worker that died is replaced, at growing intervals
 *                       if it died at once; when all do, who waits at the
 *                       socket is turned away
 *
 * Workers die with their master.
 */

#ifndef FCGI_MASTER_H
#define FCGI_MASTER_H

#include "fcgi_log.h"
#include "fcgi_upgrade.h"
#include "reg_config.h"

/* Reads the configuration anew. */
typedef int (*fcgi_master_load_pt)(void *ctx, reg_config_t *config,
    reg_error_t *err);

/* Serves until a signal says stop.  Returns the exit status; workers do not
 * return. */
int fcgi_master_run(reg_config_t *config, fcgi_log_t *log,
    const fcgi_upgrade_t *program, fcgi_master_load_pt load, void *ctx);

#endif
