/*
 * reg_watch: which entries of directories have changed, as the kernel tells it
 * (inotify(7)).
 *
 *     reg_watch_t  watch = REG_WATCH_INIT;
 *
 *     id = reg_watch_add(&watch, fd);          then read the directory
 *     reg_watch_read(&watch, heard, ctx);      as often as it matters
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

#define REG_WATCH_NONE  (-1)

typedef struct {
    int  fd;
} reg_watch_t;

#define REG_WATCH_INIT  { -1 }

/* name: the entry that was made, removed or renamed.  Without a name anything
 * may have changed, because the kernel could not keep all that it had to tell;
 * then id is REG_WATCH_NONE, which means every directory, or else that of a
 * directory that is watched no longer, as it was removed or unmounted. */
typedef void (*reg_watch_heard_pt)(void *ctx, int id, const char *name);


/* Watches the directory that is open at fd.  REG_WATCH_NONE: it is watched
 * already, or cannot be, or the kernel has no room for more (fs.inotify in
 * sysctl). */
int reg_watch_add(reg_watch_t *watch, int fd);

/* What was told of it before may still be heard. */
void reg_watch_remove(reg_watch_t *watch, int id);

/* Calls heard for all that has been told since the last time. */
void reg_watch_read(reg_watch_t *watch, reg_watch_heard_pt heard, void *ctx);

void reg_watch_close(reg_watch_t *watch);

#endif
