#include "reg_stamp.h"

#include "reg_clock.h"


int64_t
reg_stamp_now(void)
{
    return reg_clock_ns(CLOCK_MONOTONIC_COARSE);
}


reg_stamp_t
reg_stamp_of(const struct stat *st)
{
    return (reg_stamp_t) { st->st_dev, st->st_ino, st->st_nlink, st->st_size,
                           st->st_mtim, st->st_ctim };
}


static bool
reg_stamp_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}


bool
reg_stamp_same_inode(const reg_stamp_t *a, const reg_stamp_t *b)
{
    return a->ino == b->ino && a->dev == b->dev;
}


bool
reg_stamp_same(const reg_stamp_t *a, const reg_stamp_t *b)
{
    return reg_stamp_same_inode(a, b) && a->nlink == b->nlink
           && a->size == b->size
           && reg_stamp_same_time(a->mtime, b->mtime)
           && reg_stamp_same_time(a->ctime, b->ctime);
}


void
reg_stamp_note(reg_stamp_seen_t *seen, const reg_stamp_t *stamp, int64_t now)
{
    if (!reg_stamp_same(&seen->stamp, stamp)) {
        seen->stamp = *stamp;
        seen->since = now;
    }
}


bool
reg_stamp_quiet(const reg_stamp_seen_t *seen, const reg_stamp_t *stamp,
    int64_t now)
{
    int64_t  grain = stamp->mtime.tv_nsec == 0 && stamp->ctime.tv_nsec == 0
                     ? REG_STAMP_GRAIN_LONG : REG_STAMP_GRAIN;

    return reg_stamp_same(&seen->stamp, stamp) && now - seen->since >= grain;
}
