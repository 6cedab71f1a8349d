/*
 * reg_turn: whose turn it is to do what is done now and then, by one process
 * of all that share a tree.
 *
 *     reg_turn_t  turn = REG_TURN_INIT;
 *
 *     for ( ;; ) {
 *         wait = reg_turn_take(&turn, store, &file, &now, err);
 *
 *         if (wait == 0) {
 *             …
 *             reg_turn_end(&turn);
 *         }
 *
 *         … sleep until wait seconds are over, or an hour …
 *     }
 *
 * The file is locked by flock(2) while a turn lasts, so the turn ends with its
 * process.  Its time of change is when the last turn began: processes that
 * come and go do not make turns more frequent.  The first turn of a tree is
 * one interval after somebody asked first.
 *
 * A turn that is overdue by more than REG_TURN_DOUBT was missed, since nobody
 * was there, or the clock has jumped.  Which of these cannot be told, so it is
 * put off once more, by REG_TURN_DOUBT or an interval if that is shorter,
 * counted by a clock that does not jump.  So whoever compares times of files
 * with the time of day is wrong by REG_TURN_DOUBT at most while a clock that
 * jumped forward is corrected within that time.
 *
 * Blocks: disk
 */

#ifndef REG_TURN_H
#define REG_TURN_H

#include "reg_store.h"

#define REG_TURN_DOUBT  3600            /* seconds */

typedef struct {
    int      fd;                        /* -1: it is not ours */
    bool     doubts;
    int64_t  since;                     /* steady time of the doubt */
} reg_turn_t;

#define REG_TURN_INIT  { -1, false, 0 }

/* All in seconds. */
typedef struct {
    int64_t  interval;                  /* from turn to turn, at least 1 */
    time_t   wall;                      /* now, by the time of day */
    int64_t  steady;                    /* now, by a clock that never jumps */
} reg_turn_clock_t;


/* 0: the turn is ours until reg_turn_end().  Else the seconds after which it
 * makes sense to ask again, or -1 with err filled. */
int64_t reg_turn_take(reg_turn_t *turn, reg_store_t *store,
    const reg_path_t *file, const reg_turn_clock_t *now, reg_error_t *err);

void reg_turn_end(reg_turn_t *turn);

#endif
