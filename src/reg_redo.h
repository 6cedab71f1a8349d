/*
 * reg_redo: does again what is in the log of the journal.
 *
 * Whoever opens the journal (reg_journal.h) and finds nobody else there cannot
 * know what became of the records in it: after a power cut, their files may be
 * there, missing, or empty.  So each name gets what the last record says of
 * it, anew.  A name that was removed since is left alone; so is a tag that
 * another program moved more than REG_REDO_MARGIN seconds later.  That is told
 * by times, and where those were wrong, as of a clock that was set back, the
 * record counts.
 *
 * It may be done again any number of times, and broken off.
 *
 *     reg_redo(&f, &files, err)
 *
 *     reg_logfile_peek(&f, store, err)             where nothing can be written
 *     reg_redo_look(&f, &files, err)
 *
 * Blocks: disk
 */

#ifndef REG_REDO_H
#define REG_REDO_H

#include "reg_logfile.h"

#define REG_REDO_MARGIN  2

/* Puts in place what the log holds, and syncs it; *files is how many files that
 * were.  The caller is alone (reg_logfile_open()). */
int reg_redo(reg_logfile_t *f, size_t *files, reg_error_t *err);

/* Puts nothing in place, as on a tree that can only be read: *files is how many
 * are not as the log has them. */
int reg_redo_look(reg_logfile_t *f, size_t *files, reg_error_t *err);

#endif
