/*
 * fcgi_purge: a thread that now and then removes the uploads that nobody goes
 * on with, and what a crash left in _tmp/.
 *
 * storage.maintenance.uploadpurging says how old and how often; without it
 * _tmp/ is looked after all the same.  Of all processes that share a tree one
 * does it at a time (reg_turn.h).
 */

#ifndef FCGI_PURGE_H
#define FCGI_PURGE_H

#include "fcgi_service.h"

#define FCGI_PURGE_JITTER  300         /* seconds after the start, at most */

typedef struct fcgi_purge_s  fcgi_purge_t;

/* NULL with err filled.  A registry that is read-only is left as it is: the
 * thread does nothing. */
fcgi_purge_t *fcgi_purge_start(const fcgi_service_t *service,
    reg_error_t *err);

/* Ends the thread, within a step of its work.  NULL is allowed. */
void fcgi_purge_stop(fcgi_purge_t *p);

#endif
