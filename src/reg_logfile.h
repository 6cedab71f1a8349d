/*
 * reg_logfile: the file of the journal, which all processes that work on a tree
 * on this host write to together.
 *
 *     _journal/log     two halves; each a head, and batches after it
 *     _journal/state   which half is written to and how far; and what is locked
 *
 * A head holds the generation of its half.  A batch counts if its seal
 * (reg_record.h) is of that generation, so writing the head anew empties the
 * half at once.  One half is written to; the other one is empty, except while
 * somebody makes a checkpoint of it.
 *
 * The log's blocks are written once when it is made, and then only in place: a
 * batch costs one write and one fdatasync, which has no metadata to write; it
 * goes past the page cache where the file system allows it, which spares a copy
 * and one of the waits for the disk.  state is never synced: after a power cut
 * nobody needs it.  Where both are empty, those who have them open go without.
 *
 * A head also says which directory the log was made in.  Who copies a tree file
 * by file, with rsync or by hard links, has copied what was in place, and the
 * log, of another moment, would undo some of that: in the copy both files are
 * made anew.  In a snapshot of the whole disk they are still right.
 *
 * Locks are those of open file descriptions (fcntl(2)): they die with the
 * process.  One thread of a process at a time takes each of them, by a mutex
 * before it.  Who opens the journal holds an flock(2) of its directory until it
 * has come in.
 *
 *     LIVE        shared by every process that has it open; who could have it
 *                 alone is the only one, and does again what is in the log
 *     CHECKPOINT  alone, by who makes a checkpoint
 *     APPEND      alone, around a batch
 *     HALF + n    shared, by a process with records in half n that are not in
 *                 place yet; alone, to wait for those
 *     TAG + n     alone, by who replaces a name (reg_order.h)
 *     VISIT       shared, by who writes to the log and does not keep it open
 *                 (reg_guest.h); alone, by who has LIVE alone: it waits for
 *                 those, and keeps others out until it has come in
 *
 * A visit that does not end, of a process that stands still, is waited for
 * REG_LOGFILE_PATIENCE ms.  Then its files lose their names: the state first,
 * the log when what is in it was done again.  What it writes from there on
 * nobody reads, and it has to ask for the names (reg_logfile_is_there()) when
 * it has put in place what it had written, before it believes in that.
 *
 * Blocks: disk
 */

#ifndef REG_LOGFILE_H
#define REG_LOGFILE_H

#include "reg_record.h"
#include "reg_store.h"

#define REG_LOGFILE_TAGS      1024
#define REG_LOGFILE_PATIENCE  3000

typedef enum {
    REG_LOGFILE_LIVE,
    REG_LOGFILE_CHECKPOINT,
    REG_LOGFILE_APPEND,
    REG_LOGFILE_HALF,
    REG_LOGFILE_TAG = REG_LOGFILE_HALF + 2,
    REG_LOGFILE_VISIT = REG_LOGFILE_TAG + REG_LOGFILE_TAGS
} reg_logfile_lock_t;

/* What a file is known by. */
typedef struct {
    uint64_t           ino;
    uint32_t           major;           /* of its device */
    uint32_t           minor;
} reg_logfile_id_t;

typedef struct {
    reg_store_t       *store;
    int                dir;             /* -1 when it has come in */
    int                log;
    int                batches;         /* the same file, past the page cache:
                                           for those, and so that what was lost
                                           is said once to each of both */
    int                state;
    int                whole;           /* for syncfs(2) */
    reg_logfile_id_t   log_id;
    reg_logfile_id_t   state_id;
    size_t             half;            /* bytes of one */
    bool               idle;            /* nobody writes to it */
    bool               visit;
    bool               deserted;        /* by us: who visits still has it */
    uint64_t           tree;            /* that the head must name */
    unsigned char      key[REG_RECORD_KEY];
} reg_logfile_t;

/* What is in _journal/state. */
typedef struct {
    uint64_t        generation;         /* of the half that is written to */
    uint64_t        end;                /* where the next batch goes, in it */
    uint64_t        failed;             /* a checkpoint did: an errno */
} reg_logfile_state_t;


/* Opens or makes the files, with halves of that many bytes (a multiple of
 * REG_RECORD_ALIGN; what is there may have other ones), or 0 for who would go
 * without.  *alone: nobody else has them open, nor comes in before the caller
 * has called reg_logfile_renew().  Else idle is what the others have said. */
int reg_logfile_open(reg_logfile_t *f, reg_store_t *store, size_t half,
    bool *alone, reg_error_t *err);
void reg_logfile_close(reg_logfile_t *f);

/* Opens the log, to be read only: whoever has it open does not feel it.  1:
 * there is none. */
int reg_logfile_peek(reg_logfile_t *f, reg_store_t *store, reg_error_t *err);

/* Opens what others have open and write to, for a visit; -1 if nobody has.
 * Makes nothing, and does not wait. */
int reg_logfile_visit(reg_logfile_t *f, reg_store_t *store,
    reg_error_t *err);

/* Whether nobody must open it before the tree is whole: there is none, or
 * others have it open.  Never waits. */
bool reg_logfile_is_settled(const reg_store_t *store);

/* One half, as long as it is; nothing if there is none.  The caller frees the
 * content. */
typedef struct {
    uint64_t        generation;
    size_t          begin;              /* in the file */
    reg_buf_t       content;
} reg_logfile_half_t;

int reg_logfile_read(reg_logfile_t *f, int n, reg_logfile_half_t *half,
    reg_error_t *err);

/* Empties both halves, and lets others in.  It is idle from here on if no
 * halves are wanted or there is no room for them, which *err says then. */
int reg_logfile_renew(reg_logfile_t *f, reg_error_t *err);

/* fcntl(2) of a lock; how is F_RDLCK, F_WRLCK or F_UNLCK.  It is waited for. */
int reg_logfile_lock(const reg_logfile_t *f, int lock, int how,
    reg_error_t *err);

/* The same, alone, by one thread of the process, which has the mutex then. */
int reg_logfile_take(const reg_logfile_t *f, pthread_mutex_t *mutex,
    int lock, reg_error_t *err);
void reg_logfile_release(const reg_logfile_t *f, pthread_mutex_t *mutex,
    int lock);

/* Whether a start after a crash would find these files. */
bool reg_logfile_is_there(const reg_logfile_t *f);

/* With the lock APPEND. */
int reg_logfile_get(const reg_logfile_t *f, reg_logfile_state_t *state,
    reg_error_t *err);
int reg_logfile_set(const reg_logfile_t *f, const reg_logfile_state_t *state,
    reg_error_t *err);

/* Writes a batch: size bytes (reg_record_size()) with room for the seal at
 * their beginning, records after it.  It begins at a multiple of
 * REG_RECORD_ALIGN. */
int reg_logfile_write(const reg_logfile_t *f, const reg_logfile_state_t *state,
    char *batch, size_t records, reg_error_t *err);
int reg_logfile_sync(const reg_logfile_t *f, reg_error_t *err);

/* Whether a half has that generation, and so is empty for it; and makes it
 * so, durably. */
bool reg_logfile_is_empty(const reg_logfile_t *f, int half,
    uint64_t generation);
int reg_logfile_clear(const reg_logfile_t *f, int half, uint64_t generation,
    reg_error_t *err);

/* Where the first batch of a half is, counted from the half's beginning. */
#define REG_LOGFILE_START  REG_RECORD_ALIGN

#endif
