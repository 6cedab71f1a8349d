/*
 * reg_guest: visits to the journal, for a program that does not live in it.
 *
 * Whoever has the journal open keeps it open for others, also when those who
 * decide about it (reg_journal_is_used()) have ended.  nginx runs on when the
 * worker is stopped, started with another configuration, or told that the disk
 * has failed, and must not stand in its way.  So it comes for as long as it has
 * something to write, and only while a worker is there.
 *
 *     guest = reg_guest_enter(store);          NULL: there is no journal
 *     … reg_journal_append(reg_guest_journal(guest), …) …
 *     reg_guest_leave(guest);
 *
 *     reg_guest_end(store);                    before the store is closed
 *
 * The first who enters begins a visit, which the others of the process share.
 * REG_JOURNAL_DELAY ms later a thread lets nobody in any more, waits until all
 * have left, makes a checkpoint, and closes the journal; who comes meanwhile
 * begins the next one.  A worker that starts when no other is there waits for
 * the visits to end, but not for one that stands still (reg_logfile.h).
 *
 * What a process has written that dies is in the journal until somebody makes
 * a checkpoint, or the first worker does it again.
 *
 * Blocks: disk
 */

#ifndef REG_GUEST_H
#define REG_GUEST_H

#include "reg_journal.h"

typedef struct reg_guest_s  reg_guest_t;


/* NULL: nobody lives in the journal, or it cannot be opened. */
reg_guest_t *reg_guest_enter(reg_store_t *store);
reg_journal_t *reg_guest_journal(const reg_guest_t *guest);
void reg_guest_leave(reg_guest_t *guest);

/* Ends the visit and the thread, if there are. */
void reg_guest_end(reg_store_t *store);

#endif
