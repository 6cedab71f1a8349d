/*
 * reg_store: the opened root, first argument of every disk noun.
 *
 *     reg_store_t  store;
 *
 *     if (reg_store_open(&store, REG_STR("/var/lib/registry"), &err) == -1) …
 *     …
 *     reg_store_close(&store);                      once it was opened
 *
 * Opened once, then shared by all threads, which change nothing but counters
 * and the rounds of reg_sync.h.  ROOT may be missing: it is made.  A tree whose
 * truth is in GitLab's metadata database (its lock file lies under
 * docker/registry/lockfiles/) is refused: its tags are not on disk, we would
 * show an empty registry.
 *
 * A tree that is there and cannot be written, as on a read-only file system or
 * by its permissions, is opened all the same, to be read: refused says so.
 *
 * The kernel is reached through a small table, so that a test can make the
 * n-th write fail or die in the n-th rename.
 *
 * Blocks: disk
 */

#ifndef REG_STORE_H
#define REG_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "reg_error.h"
#include "reg_layout.h"

typedef struct {
    int      (*open)(const char *path, int flags, mode_t mode);
    ssize_t  (*pwrite)(int fd, const void *data, size_t len, off_t offset);
    int      (*fsync)(int fd);
    int      (*fdatasync)(int fd);
    int      (*syncfs)(int fd);                 /* NULL: there is none */
    int      (*mkdir)(const char *path, mode_t mode);
    int      (*link)(const char *from, const char *to);
    int      (*rename)(const char *from, const char *to);
    int      (*unlink)(const char *path);
    int      (*rmdir)(const char *path);
} reg_sys_t;

/* The kernel's own. */
extern const reg_sys_t  reg_sys_kernel;

#define REG_STORE_DIRS    1024
#define REG_STORE_ROUNDS  64

typedef struct {
    reg_path_t        v2;             /* ROOT/docker/registry/v2 */
    const reg_sys_t  *sys;
    int64_t           min_free;       /* bytes that a push must leave free */
    struct reg_lists_s  *lists;       /* reg_lists.h; the caller's, or NULL */
    struct reg_journal_s  *journal;   /* reg_journal.h; the same */

    /* why nothing can be written, an errno; 0: it can.  reg_store_try() */
    _Atomic int       refused;

    /* identities of directories whose entry is known to be durable; see
     * reg_durable.c */
    _Atomic uint64_t  dirs[REG_STORE_DIRS];

    _Atomic unsigned  spare;          /* the next place; see reg_spare.c */

    /* rounds of syncfs; see reg_sync.c */
    pthread_mutex_t   sync_lock;
    pthread_cond_t    sync_done;
    int               sync_fd;        /* -1 until the first round */
    dev_t             sync_dev;       /* whose it is */
    bool              sync_never;
    bool              sync_running;
    uint64_t          sync_started;
    uint64_t          sync_finished;
    size_t            sync_members;   /* commits under way */
    size_t            sync_waiting;   /* of them, for the next round */
    int64_t           sync_took;      /* ns, the last round, */
    int64_t           sync_ended;     /* and when it ended */
    int               sync_errors[REG_STORE_ROUNDS];
    _Atomic int64_t   sync_looked;    /* monotonic ns */
    _Atomic bool      sync_cheap;

    /* visits to the journal; see reg_guest.c */
    pthread_mutex_t   guest_lock;
    pthread_cond_t    guest_wake;
    pthread_t         guest_thread;
    bool              guest_runs;
    bool              guest_stops;
    struct reg_guest_s  *guest;       /* the one that may be entered */
} reg_store_t;


/* root is an absolute path.  Makes what is missing of ROOT/docker/registry/v2
 * and its _tmp. */
int reg_store_open(reg_store_t *store, reg_str_t root, reg_error_t *err);

/* The same for a tree that must be there: -1 with UNAVAILABLE if it is not. */
int reg_store_join(reg_store_t *store, reg_str_t root, reg_error_t *err);

/* The same without touching the disk: for nginx, which configures as root and
 * works as somebody else, and for tests. */
int reg_store_init(reg_store_t *store, reg_str_t root, reg_error_t *err);

/* -1 for a tree whose truth is in GitLab's database; part of open. */
int reg_store_refuse_database(const reg_store_t *store, reg_error_t *err);

/* -1 with UNAVAILABLE if the tree is not there any more, such as a disk that is
 * not mounted: then nothing that is missing is known to be so. */
int reg_store_require(const reg_store_t *store, reg_error_t *err);

/* Tries to write: makes a file in _tmp and removes it.  refused is what came of
 * it; as before if that says nothing, as where the tree is not there. */
void reg_store_try(reg_store_t *store);

/* -1 with READ_ONLY if the last try was refused. */
int reg_store_writable(const reg_store_t *store, reg_error_t *err);

/* The error of who wanted to write to the tree becomes READ_ONLY, if that is
 * why. */
void reg_store_explain(reg_store_t *store, reg_error_t *err);

/* Whether an errno says that somebody may not write, rather than cannot. */
bool reg_store_refuses(int sys);

/* -1 with INSUFFICIENT_STORAGE if bytes more would leave less than min_free. */
int reg_store_room(const reg_store_t *store, int64_t bytes, reg_error_t *err);

/* Gives up what the store holds. */
void reg_store_close(reg_store_t *store);

#endif
