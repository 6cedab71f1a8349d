#include "reg_turn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>


static int64_t
reg_turn_less(int64_t a, int64_t b)
{
    return a < b ? a : b;
}


/* Seconds until the turn that follows the one at `last`. */
static int64_t
reg_turn_wait(reg_turn_t *turn, time_t last, const reg_turn_clock_t *now)
{
    int64_t  age = (int64_t) now->wall - last, left;

    /* a clock that was set back makes everything younger: no harm; a second
     * may have passed since it was asked */
    if (age < -1 || (age >= now->interval
                    && age <= now->interval + REG_TURN_DOUBT))
    {
        turn->doubts = false;
        return 0;
    }

    if (age < now->interval) {
        turn->doubts = false;
        return now->interval - age;
    }

    if (!turn->doubts) {
        turn->doubts = true;
        turn->since = now->steady;
    }

    left = turn->since + reg_turn_less(now->interval, REG_TURN_DOUBT)
           - now->steady;

    return left > 0 ? left : 0;
}


/* With the lock: looks, and takes the turn if it is due. */
static int64_t
reg_turn_look(reg_turn_t *turn, const reg_path_t *file,
    const reg_turn_clock_t *now, reg_error_t *err)
{
    struct stat            st;
    int64_t                wait;
    const struct timespec  times[2] = { { now->wall, 0 }, { now->wall, 0 } };

    if (fstat(turn->fd, &st) == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "fstat", file->text);
    }

    wait = reg_turn_wait(turn, st.st_mtime, now);

    if (wait == 0) {
        turn->doubts = false;

        if (futimens(turn->fd, times) == -1) {
            return reg_error_sys(err, errno, REG_UNKNOWN, "set the time of",
                                 file->text);
        }
    }

    return wait;
}


int64_t
reg_turn_take(reg_turn_t *turn, reg_store_t *store, const reg_path_t *file,
    const reg_turn_clock_t *now, reg_error_t *err)
{
    int64_t  wait;

    turn->fd = store->sys->open(file->text, O_RDWR | O_CREAT | O_NOFOLLOW
                                | O_NONBLOCK, 0644);

    if (turn->fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", file->text);
    }

    if (flock(turn->fd, LOCK_EX | LOCK_NB) == 0) {
        wait = reg_turn_look(turn, file, now, err);

    } else if (errno == EWOULDBLOCK) {
        wait = now->interval;                    /* somebody is at it */

    } else {
        wait = reg_error_sys(err, errno, REG_UNKNOWN, "lock", file->text);
    }

    if (wait != 0) {
        reg_turn_end(turn);
    }

    return wait;
}


void
reg_turn_end(reg_turn_t *turn)
{
    if (turn->fd != -1) {
        (void) close(turn->fd);                  /* the lock goes with it */
        turn->fd = -1;
    }
}
