/*
 * reg_watch: which entries of directories have changed, as the kernel tells it
 * (inotify(7)).
 *
 *     reg_watch_t  watch = REG_WATCH_INIT;
 *
 *     id = reg_watch_add(&watch, fd);          then read the directory
 *     if (reg_watch_told(&watch)) {            as often as it matters
 *         reg_watch_read(&watch, heard, ctx);
 *     }
 *     reg_watch_remove(&watch, id);
 *     reg_watch_close(&watch);
 *
 * A change has been told before the system call that made it returns, whoever
 * called it.  So who reads has heard of every change that was over before, and
 * of some that may not be over.  What an entry is now is to be looked at.
 *
 * Only changes through this kernel are told.  So only directories of file
 * systems are watched that nobody else can write to: ext4, XFS, btrfs, tmpfs.
 *
 * One thread at a time.
 *
 * Blocks: never
 */

#ifndef REG_WATCH_H
#define REG_WATCH_H

#include <stdbool.h>

#define REG_WATCH_NONE  (-1)

typedef struct {
    int  fd;
    int  poll;                          /* knows whether fd has something */
} reg_watch_t;

#define REG_WATCH_INIT  { -1, -1 }

/* name: the entry that was made, removed, renamed or written to.  Without a
 * name anything may have changed, because the kernel could not keep all that it
 * had to tell; then id is REG_WATCH_NONE, which means every directory, or else
 * that of a directory that is watched no longer, as it was removed or
 * unmounted. */
typedef void (*reg_watch_heard_pt)(void *ctx, int id, const char *name);


/* Watches the directory that is open at fd.  REG_WATCH_NONE: it is watched
 * already, or cannot be, or the kernel has no room for more (fs.inotify in
 * sysctl). */
int reg_watch_add(reg_watch_t *watch, int fd);

/* The same for files in it: what is written to them is told too.  A directory
 * that is watched so already has the same number as before, and one
 * reg_watch_remove() ends it for all. */
int reg_watch_add_files(reg_watch_t *watch, int fd);

/* What was told of it before may still be heard. */
void reg_watch_remove(reg_watch_t *watch, int id);

/* Whether something was told since the last time.  It costs what a system call
 * does, half of an empty reg_watch_read(). */
bool reg_watch_told(const reg_watch_t *watch);

/* Calls heard for all that has been told since the last time. */
void reg_watch_read(reg_watch_t *watch, reg_watch_heard_pt heard, void *ctx);

void reg_watch_close(reg_watch_t *watch);

#endif
