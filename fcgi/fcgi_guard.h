/*
 * fcgi_guard: a chore that looks after the tree: whether it can be written,
 * and whether it is still the one that this process has begun with.
 *
 * A tree that refused a write (reg_store.h) is tried each second until it does
 * no longer.  Until then it is read, and who would change it is told so.
 *
 * A process that has begun with such a tree has not opened the journal, in
 * which there may be something to do again.  And one whose tree is another one,
 * such as a disk that was mounted anew, has a journal that leads nowhere.  Both
 * end as by SIGTERM, with the requests that they have, and their master starts
 * others.
 */

#ifndef FCGI_GUARD_H
#define FCGI_GUARD_H

#include "fcgi_chore.h"
#include "fcgi_service.h"
#include "reg_journal.h"

/* journal may be NULL.  NULL with err filled. */
fcgi_chore_t *fcgi_guard_start(const fcgi_service_t *service,
    const reg_journal_t *journal, reg_error_t *err);

#endif
