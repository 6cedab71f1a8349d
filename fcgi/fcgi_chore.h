/*
 * fcgi_chore: what is done now and then, in a thread of its own, so slowly that
 * requests hardly feel it.
 *
 *     static int64_t
 *     round(fcgi_chore_t *chore, void *state)
 *     {
 *         for … {
 *             … a little …
 *             if (fcgi_chore_pace(chore)) { return 0; }      it is to stop
 *         }
 *         return 3600;                                       then again
 *     }
 *
 *     chore = fcgi_chore_start(round, &state, sizeof(state), 0, err);
 *     …
 *     fcgi_chore_stop(chore);
 *
 * It works for FCGI_CHORE_WORK milliseconds and then rests for four times as
 * long as that took.
 */

#ifndef FCGI_CHORE_H
#define FCGI_CHORE_H

#include "reg_error.h"

#define FCGI_CHORE_WORK  10            /* milliseconds in one go */

typedef struct fcgi_chore_s  fcgi_chore_t;

/* Returns the seconds until the next one, of which an hour at most is slept:
 * the time of day may be set meanwhile. */
typedef int64_t (*fcgi_chore_round_pt)(fcgi_chore_t *chore, void *state);


/* The chore keeps a copy of the state, `size` bytes, which only its rounds
 * touch.  The first one begins at a random time within `within` seconds:
 * processes that start together do not work together.  NULL with err filled. */
fcgi_chore_t *fcgi_chore_start(fcgi_chore_round_pt round, const void *state,
    size_t size, int64_t within, reg_error_t *err);

/* Within a round: rests if it is time to.  True if the round must end. */
bool fcgi_chore_pace(fcgi_chore_t *chore);

/* Ends the thread, within a step of its work.  NULL is allowed. */
void fcgi_chore_stop(fcgi_chore_t *chore);

#endif
