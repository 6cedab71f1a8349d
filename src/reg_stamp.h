/*
 * reg_stamp: what a directory shows of its changes.
 *
 *     seen = the last that was seen of it, zeroed at first
 *
 *     stat(); now = reg_stamp_now();
 *     stamp = reg_stamp_of(&st);
 *     reg_stamp_note(&seen, &stamp, now);
 *     quiet = reg_stamp_quiet(&seen, &stamp, now);
 *     … read the directory …
 *
 * Every change gives a directory other times, whoever makes it.  But times have
 * a grain: a directory that changes twice within it shows the second change by
 * nothing.  So what was read of it is good as long as it shows the same only if
 * it was quiet before: it had shown that for longer than the grain when the
 * reading began.  This is measured here, by a clock that does not jump: what
 * the clocks of hosts say does not matter.
 *
 * Blocks: never
 */

#ifndef REG_STAMP_H
#define REG_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* nanoseconds: the grain of a file system whose times have fractions of a
 * second (twice the slowest tick of Linux), and of any other */
#define REG_STAMP_GRAIN       20000000LL
#define REG_STAMP_GRAIN_LONG  2000000000LL

typedef struct {
    dev_t            dev;
    ino_t            ino;
    nlink_t          nlink;
    off_t            size;
    struct timespec  mtime;
    struct timespec  ctime;
} reg_stamp_t;

typedef struct {
    reg_stamp_t  stamp;
    int64_t      since;                 /* when it was seen first; ns */
} reg_stamp_seen_t;


/* Nanoseconds of a clock that advances when that does which file systems stamp
 * with.  Ask it after the look: what was shown is not later then. */
int64_t reg_stamp_now(void);

reg_stamp_t reg_stamp_of(const struct stat *st);

bool reg_stamp_same(const reg_stamp_t *a, const reg_stamp_t *b);

/* The same directory, whatever has changed. */
bool reg_stamp_same_inode(const reg_stamp_t *a, const reg_stamp_t *b);

void reg_stamp_note(reg_stamp_seen_t *seen, const reg_stamp_t *stamp,
    int64_t now);

bool reg_stamp_quiet(const reg_stamp_seen_t *seen, const reg_stamp_t *stamp,
    int64_t now);

#endif
