/*
 * reg_journal: many small files made durable by one write.
 *
 * A manifest is half a dozen files and twice as many directories.  To sync them
 * rank by rank (reg_durable.h) takes four barriers.  With a journal, what is
 * to become of them is written to a file first, in one place, with one
 * fdatasync, which all that push at the same time share; then they are put in
 * place and not synced at all, and the client hears 201.
 *
 *     reg_journal_submit(j, &entry, records)
 *     …                                                prepare them, meanwhile
 *     reg_journal_urge(j)                              in the middle of that
 *     reg_journal_await(j, &entry, &half, err)         durable from here on
 *     …                                                put them in place
 *     reg_journal_applied(j, half)
 *
 * A thread writes what was submitted; what comes while it does is the next
 * batch.  Another one makes a checkpoint REG_JOURNAL_DELAY ms after the first
 * append since the last one: it lets the pushes write to the other half of the
 * file, waits until what the first half says is in place, syncs the file system
 * once, and empties that half.  So a push has been whole on disk, without the
 * journal, within a second or so.
 *
 * Whoever opens the journal while nobody else has it open does again what is
 * in it (reg_redo.h): that is the start after a crash.
 *
 * What goes wrong:
 *
 *   - The process dies before or after an append: the record is there or not,
 *     and what it says is done again or not; nobody was told.  If others live,
 *     their next checkpoint covers what it had put in place.
 *   - What was submitted cannot be prepared, as on a full disk: a record says
 *     that it is void (reg_record.h).
 *   - The write fails, as on a full disk: the pushes that waited for it fail,
 *     and the next batch goes to the same place.
 *   - The fdatasync or the syncfs fails: the log stays as it is.  Nothing can
 *     be known of the disk then, so from there on all pushes fail, those of all
 *     processes, until the workers are started again.
 *   - A checkpoint has no room to write that a half is empty, as on a full disk
 *     of a file system that never writes in place, or the file system is
 *     read-only, or the log is not where it was, as when a disk is not mounted:
 *     it is tried again.
 *   - A half is full, and the other one not yet empty: appends wait, or fail if
 *     that is for want of room.
 *
 * Who removes a name says so (reg_record.h, "gone") after it is gone and
 * before anybody is told: else it could come back.  Who replaces a name, as a
 * tag's link, holds its place meanwhile (reg_order.h).
 *
 * Without it everything works the same way, by reg_durable.h alone: on file
 * systems other than those of reg_sync.h, where it is not used
 * (reg_journal_is_used()), and in programs that do not open it but never write
 * what it holds.
 *
 * Blocks: disk
 */

#ifndef REG_JOURNAL_H
#define REG_JOURNAL_H

#include <semaphore.h>

#include "reg_order.h"

#define REG_JOURNAL_HALF         (8 * 1024 * 1024)    /* bytes */
#define REG_JOURNAL_DELAY        500                  /* ms */
#define REG_JOURNAL_RECORDS_MAX  (192 * 1024)         /* of one append */

typedef struct reg_journal_s  reg_journal_t;


/* Opens the journal of the store, which must live longer, with halves of that
 * many bytes where it is made anew; 0: none is wanted.  *redone: files that
 * were put in place again.  NULL with err untouched: a file system that is not
 * fit for one; NULL with err filled: it failed.  INSUFFICIENT_STORAGE, also
 * with a journal that is not used: all was put in place, but there is no room
 * to begin anew. */
reg_journal_t *reg_journal_open(reg_store_t *store, size_t half,
    size_t *redone, reg_error_t *err);

/* Whether those who have it open write to it.  Who opens it first decides for
 * all who come while anybody has it open: pushes and deletes that the log does
 * not know would be undone with it.  Where it is not used nothing more is to be
 * done with it but to keep it open, for as long as one works on the tree. */
bool reg_journal_is_used(const reg_journal_t *j);

/* Whether it was opened in spite of a visit that did not end. */
bool reg_journal_has_deserted(const reg_journal_t *j);

/* Whether a start after a crash would find what is written to it: not if
 * another tree is in the place of the one that it was opened in. */
bool reg_journal_is_there(const reg_journal_t *j);

/* The same for who goes again soon, and must have made a checkpoint then: NULL
 * if nobody else has it open, or those do not write to it.  Who visits neither
 * keeps it open for others nor decides for them: see reg_guest.h. */
reg_journal_t *reg_journal_visit(reg_store_t *store, reg_error_t *err);

/* Leaves what is in it to those who have it open, or open it next.  NULL is
 * allowed. */
void reg_journal_close(reg_journal_t *j);

/* Starts the threads that write and make checkpoints; ends them after a last
 * one.  Without them who awaits an append writes it, and makes a checkpoint
 * when the journal is full. */
int reg_journal_start(reg_journal_t *j, reg_error_t *err);
void reg_journal_stop(reg_journal_t *j);

/* Makes records durable, of which there are at most REG_JOURNAL_RECORDS_MAX
 * bytes.  They and the entry live until await, which must follow.  After 0 the
 * caller puts them in place and says so.  Append is both at once.
 *
 * The writer begins when somebody urges it, as await does, with all that was
 * submitted by then: the more come together, the fewer waits for the disk. */
typedef struct reg_journal_entry_s  reg_journal_entry_t;

struct reg_journal_entry_s {
    reg_journal_entry_t  *next;
    reg_str_t             records;
    int                   half;
    int                   sys;
    bool                  done;
    sem_t                 written;      /* once it is done */
};

void reg_journal_submit(reg_journal_t *j, reg_journal_entry_t *entry,
    reg_str_t records);
void reg_journal_urge(reg_journal_t *j);
int reg_journal_await(reg_journal_t *j, reg_journal_entry_t *entry, int *half,
    reg_error_t *err);
int reg_journal_append(reg_journal_t *j, reg_str_t records, int *half,
    reg_error_t *err);
void reg_journal_applied(reg_journal_t *j, int half);

/* The order in which names are replaced; lives as long as the journal. */
reg_order_t *reg_journal_order(reg_journal_t *j);

/* Makes a checkpoint now, of all that is in place. */
int reg_journal_checkpoint(reg_journal_t *j, reg_error_t *err);

#endif
