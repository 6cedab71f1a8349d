/*
 * fcgi_server: connections and threads of one process.
 *
 *     accept ──▶ busy ──▶ idle ──▶ busy …        nginx keeps it open
 *                  │        └────▶ closed        by its peer, or draining
 *                  └─────────────▶ closed        an error, or the last request
 *
 * All threads wait on one epoll instance, which has the listening socket and
 * every idle connection, so an idle connection occupies no thread however many
 * nginx keeps.  A thread that gets a readable one owns it (busy) until the
 * request is answered.
 *
 * SIGTERM or SIGINT drains: nothing more is accepted, idle connections are
 * closed without losing a request that is on its way, busy ones after their
 * answer, at the latest when drain_timeout is over.
 */

#ifndef FCGI_SERVER_H
#define FCGI_SERVER_H

#include "fcgi_service.h"

/* Serves until a signal says stop.  The caller has blocked SIGTERM and
 * SIGINT.  -1 if it could not start; 1 if requests were cut off by the
 * drain_timeout, and threads may still run: only _exit(2) is safe then. */
int fcgi_server_run(const fcgi_service_t *service, int listener,
    reg_error_t *err);

#endif
