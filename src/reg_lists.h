/*
 * reg_lists: the sorted names of directories, kept from one request to the
 * next.
 *
 *     reg_list_t  list;
 *
 *     if (reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list, err) == -1) ...
 *     for (i = reg_names_after(list.names, last); i < list.names->n; i++)
 *         … openat(list.fd, list.names->list[i].data, …) …
 *     reg_list_close(&list);
 *
 * What is opened is right: it shows every change of the directory that was
 * over when it was opened, whoever made it.  There are two ways to know that.
 *
 * A directory is looked at each time, and its names are read again if it shows
 * other times than when they were read, or did not show these for long enough
 * before (reg_stamp.h).
 *
 * A large one is watched as well, where the file system is local
 * (reg_watch.h), from before its names are read.  Then the kernel says which
 * entries have changed: these are looked at, and their names put in or taken
 * out, which costs microseconds where a reading costs milliseconds.  If the
 * directory shows other times and nothing was heard of it, or too much, it is
 * read again.
 *
 * One thread at a time reads a directory; who asks meanwhile waits, and gets
 * what was read if the reading began after it had asked.  Names that are in
 * use are never changed: they live until the last who opened them closes.
 * Changes go into a copy of them then.
 *
 * Bounded: what was used least recently goes when all that is kept is more
 * than max bytes.  Safe to call from all threads.
 *
 * The file system must tell a directory's changes by its times, as POSIX
 * wants it.
 *
 * Blocks: disk
 */

#ifndef REG_LISTS_H
#define REG_LISTS_H

#include "reg_listed.h"
#include "reg_stamp.h"

/* Where time comes from, so that a test can stop it. */
typedef struct {
    int64_t  (*now)(void);              /* as reg_stamp_now() */
    int      (*fstat)(int fd, struct stat *st);
    off_t      watched;                 /* bytes of a directory from which on
                                           it is watched; 0: none is */
} reg_lists_sys_t;

/* more than a block, which is a hundred names or some more; so many may be
 * watched (each takes 1 KiB of the kernel's), and so many bytes of what was
 * heard of one are kept */
#define REG_LISTS_WATCHED    8192
#define REG_LISTS_WATCHES    1024
#define REG_LISTS_HEARD_MAX  (64 * 1024)

typedef struct reg_lists_s  reg_lists_t;

typedef struct {
    int                 fd;             /* the directory */
    const reg_names_t  *names;
    reg_listed_t       *listed;         /* whose the names are */
} reg_list_t;

typedef struct {
    int64_t  opened;
    int64_t  read;                      /* how often names were read */
    int64_t  updated;                   /* or put right by what was heard */
    int64_t  bytes;                     /* kept now */
} reg_lists_count_t;


/* max in bytes; 0 keeps nothing.  sys may be NULL: the kernel's own.  NULL
 * without memory. */
reg_lists_t *reg_lists_create(size_t max, const reg_lists_sys_t *sys);

/* Nobody may have a list open.  NULL is allowed. */
void reg_lists_free(reg_lists_t *lists);

/* lists may be NULL: then the directory is read.  -1 with NAME_UNKNOWN if it is
 * not there.  A directory is always opened as the same kind. */
int reg_lists_open(reg_lists_t *lists, const reg_path_t *dir,
    reg_names_kind_t kind, reg_list_t *list, reg_error_t *err);

void reg_list_close(reg_list_t *list);

/* What was counted since the last time; bytes are those now. */
void reg_lists_take_count(reg_lists_t *lists, reg_lists_count_t *count);

#endif
