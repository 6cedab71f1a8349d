/*
 * fcgi_purge: a chore that now and then removes the uploads that nobody goes
 * on with, and what a crash left in _tmp/.
 *
 * storage.maintenance.uploadpurging says how old and how often; without it
 * _tmp/ is looked after all the same.  Of all processes that share a tree one
 * does it at a time (reg_turn.h).
 */

#ifndef FCGI_PURGE_H
#define FCGI_PURGE_H

#include "fcgi_chore.h"
#include "fcgi_service.h"

#define FCGI_PURGE_JITTER  300         /* seconds after the start, at most */

/* NULL with err filled.  A registry that is read-only is left as it is. */
fcgi_chore_t *fcgi_purge_start(const fcgi_service_t *service,
    reg_error_t *err);

#endif
