#include "reg_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_clock.h"
#include "reg_redo.h"
#include "reg_sync.h"


#define REG_JOURNAL_BATCH    (256 * 1024)

/* how long one waits for room that another process makes */
#define REG_JOURNAL_ROOM_MS  5

#define REG_JOURNAL_STACK    (128 * 1024)


struct reg_journal_s {
    reg_logfile_t           file;
    pthread_mutex_t         lock;       /* over all that follows */
    pthread_cond_t          changed;    /* something is to be done */
    pthread_cond_t          drained;    /* a half is in place */

    reg_journal_entry_t    *first;      /* what is to be written, in order */
    reg_journal_entry_t   **last;
    bool                    writing;    /* somebody does, for all */
    bool                    has_writer; /* a thread, which waits for work; else
                                           who waits for the first one is it */
    bool                    urged;      /* somebody needs it soon */
    pthread_cond_t          work;
    char                   *batch;
    size_t                  inflight[2];    /* appended, not in place */
    int                     failed;     /* an errno, for good */
    int                     later;      /* the same, of a checkpoint that is
                                           put off */

    bool                    dirty;      /* appended since the last one */
    bool                    hurry;
    bool                    stop;
    int64_t                 due;        /* the next checkpoint; ns */
    size_t                  nthreads;
    pthread_t               threads[2];

    /* a lock of the file is the process's, so a thread takes one of these
     * before it */
    pthread_mutex_t         append;
    pthread_mutex_t         checkpoint;
    reg_order_t             order;
};


/* The calls on the lock fail for misuse only. */
static void
reg_journal_wait(reg_journal_t *j, pthread_cond_t *cond, int64_t until)
{
    if (until == 0) {
        (void) pthread_cond_wait(cond, &j->lock);
    } else {
        (void) reg_clock_wait(cond, &j->lock, until);
    }
}


static int
reg_journal_error(const reg_journal_t *j, int sys, reg_error_t *err)
{
    reg_path_t  path;

    reg_layout_journal(&path, &j->file.store->v2);

    return reg_error_sys(err, sys, REG_UNKNOWN, "write the journal in",
                         path.text);
}


/* ---- what is not in place yet -------------------------------------------- */


/* The lock is held, as it is for the next one: so nobody lets go what somebody
 * else has just taken. */
static int
reg_journal_hold(reg_journal_t *j, int half, size_t n, reg_error_t *err)
{
    if (j->inflight[half] == 0
        && reg_logfile_lock(&j->file, REG_LOGFILE_HALF + half, F_RDLCK, err)
           == -1)
    {
        return -1;
    }

    j->inflight[half] += n;
    return 0;
}


static void
reg_journal_release(reg_journal_t *j, int half, size_t n)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    j->inflight[half] -= n;

    if (j->inflight[half] == 0) {
        /* one that stays locked stops checkpoints, which loses nothing */
        (void) reg_logfile_lock(&j->file, REG_LOGFILE_HALF + half, F_UNLCK,
                                &quiet);
    }

    if (j->inflight[half] == 0) {
        (void) pthread_cond_broadcast(&j->drained);
    }
}


void
reg_journal_applied(reg_journal_t *j, int half)
{
    (void) pthread_mutex_lock(&j->lock);
    reg_journal_release(j, half, 1);
    (void) pthread_mutex_unlock(&j->lock);
}


/* ---- appending ----------------------------------------------------------- */


/* Nobody may write any more, in no process, and no half may be emptied: what is
 * behind a hole in the log would not be read again, and the kernel tells of one
 * only once. */
static void
reg_journal_give_up(reg_journal_t *j, int sys)
{
    reg_logfile_state_t  state;
    reg_error_t          quiet = REG_ERROR_INIT;

    (void) pthread_mutex_lock(&j->lock);
    j->failed = j->failed != 0 ? j->failed : sys;
    (void) pthread_cond_broadcast(&j->changed);
    (void) pthread_mutex_unlock(&j->lock);

    /* best effort: each process has an error of its own to see */
    if (reg_logfile_take(&j->file, &j->append, REG_LOGFILE_APPEND, &quiet)
        == 0)
    {
        if (reg_logfile_get(&j->file, &state, &quiet) == 0) {
            state.failed = (uint64_t) sys;
            (void) reg_logfile_set(&j->file, &state, &quiet);
        }

        reg_logfile_release(&j->file, &j->append, REG_LOGFILE_APPEND);
    }
}


/* The entry may be gone after it. */
static void
reg_journal_tell(reg_journal_entry_t *entry, int half, int sys)
{
    entry->half = half;
    entry->sys = sys;
    entry->done = true;
    (void) sem_post(&entry->written);   /* cannot overflow */
}


/* Takes who fits into one batch off the queue; copies what they have. */
static size_t
reg_journal_gather(reg_journal_t *j, reg_journal_entry_t **mine, size_t *len)
{
    size_t  n = 0;

    *len = 0;
    *mine = j->first;

    while (j->first != NULL
           && j->first->records.len
              <= REG_JOURNAL_BATCH - REG_RECORD_SEAL - *len)
    {
        memcpy(j->batch + REG_RECORD_SEAL + *len, j->first->records.data,
               j->first->records.len);
        *len += j->first->records.len;
        j->first = j->first->next;
        n++;
    }

    if (j->first == NULL) {
        j->last = &j->first;
    }

    j->urged = j->first != NULL;        /* what did not fit is next */

    return n;
}


/* With the lock APPEND: writes the batch where it belongs.  1: there is no room
 * yet. */
static int
reg_journal_write(reg_journal_t *j, size_t n, size_t len, int *half,
    reg_error_t *err)
{
    reg_logfile_state_t  state;
    int                  rc;

    if (reg_logfile_get(&j->file, &state, err) == -1) {
        return -1;
    }

    if (state.failed != 0) {
        return reg_journal_error(j, (int) state.failed, err);
    }

    if (reg_record_size(len) > j->file.half - state.end) {
        return 1;
    }

    *half = (int) (state.generation & 1);

    (void) pthread_mutex_lock(&j->lock);
    rc = reg_journal_hold(j, *half, n, err);
    (void) pthread_mutex_unlock(&j->lock);

    if (rc == -1) {
        *half = -1;
        return -1;
    }

    rc = reg_logfile_write(&j->file, &state, j->batch, len, err);
    state.end += reg_record_size(len);

    return rc == -1 ? -1 : reg_logfile_set(&j->file, &state, err);
}


static int
reg_journal_batch(reg_journal_t *j, size_t n, size_t len, int *half,
    reg_error_t *err)
{
    int  rc;

    if (reg_logfile_take(&j->file, &j->append, REG_LOGFILE_APPEND, err) == -1) {
        return -1;
    }

    rc = reg_journal_write(j, n, len, half, err);
    reg_logfile_release(&j->file, &j->append, REG_LOGFILE_APPEND);

    if (rc == 0 && reg_logfile_sync(&j->file, err) == -1) {
        reg_journal_give_up(j, err->sys);
        return -1;
    }

    return rc;
}


/* Has a checkpoint made, or makes one, with the lock held at both ends.  What
 * goes wrong is in j->failed or j->later. */
static void
reg_journal_make_room(reg_journal_t *j)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    if (j->has_writer) {
        j->dirty = true;
        j->hurry = true;
        (void) pthread_cond_broadcast(&j->changed);
        reg_journal_wait(j, &j->changed, reg_clock_ns(CLOCK_MONOTONIC)
                                         + REG_JOURNAL_ROOM_MS * REG_CLOCK_MS);
        return;
    }

    (void) pthread_mutex_unlock(&j->lock);
    (void) reg_journal_checkpoint(j, &quiet);
    (void) pthread_mutex_lock(&j->lock);
}


/* Writes for all that wait, with the lock held at both ends. */
static void
reg_journal_round(reg_journal_t *j)
{
    reg_journal_entry_t  *w;
    reg_error_t           err = REG_ERROR_INIT;
    size_t                len, n;
    int                   rc = -1, sys = 0, half = -1;

    n = reg_journal_gather(j, &w, &len);
    j->writing = true;

    while (j->failed == 0) {
        (void) pthread_mutex_unlock(&j->lock);
        rc = reg_journal_batch(j, n, len, &half, &err);
        (void) pthread_mutex_lock(&j->lock);

        if (rc != 1) {
            break;
        }

        if (j->later != 0) {
            rc = reg_journal_error(j, j->later, &err);
            break;
        }

        reg_journal_make_room(j);
    }

    if (rc == 0 && !j->dirty) {
        j->dirty = true;
        j->due = reg_clock_ns(CLOCK_MONOTONIC)
                 + REG_JOURNAL_DELAY * REG_CLOCK_MS;
        (void) pthread_cond_broadcast(&j->changed);
    }

    if (rc != 0) {
        sys = j->failed != 0 ? j->failed : err.sys != 0 ? err.sys : EIO;
    }

    if (rc != 0 && half != -1) {
        reg_journal_release(j, half, n);
    }

    j->writing = false;

    if (!j->has_writer) {
        (void) pthread_cond_broadcast(&j->changed);
    }

    for (size_t i = 0; i < n; i++) {
        reg_journal_entry_t  *next = w->next;

        reg_journal_tell(w, half, sys);
        w = next;
    }
}


/* With the lock: puts it into the queue. */
static void
reg_journal_enqueue(reg_journal_t *j, reg_journal_entry_t *entry)
{
    if (j->failed != 0) {
        reg_journal_tell(entry, -1, j->failed);
        return;
    }

    *j->last = entry;
    j->last = &entry->next;
}


void
reg_journal_submit(reg_journal_t *j, reg_journal_entry_t *entry,
    reg_str_t records)
{
    *entry = (reg_journal_entry_t) { .records = records, .half = -1 };
    (void) sem_init(&entry->written, 0, 0);             /* cannot fail */

    if (records.len > REG_JOURNAL_RECORDS_MAX
        || reg_record_size(records.len) > j->file.half - REG_LOGFILE_START)
    {
        reg_journal_tell(entry, -1, EFBIG);
        return;
    }

    (void) pthread_mutex_lock(&j->lock);
    reg_journal_enqueue(j, entry);
    (void) pthread_mutex_unlock(&j->lock);
}


void
reg_journal_urge(reg_journal_t *j)
{
    bool  sleeps;

    (void) pthread_mutex_lock(&j->lock);
    sleeps = j->first != NULL && !j->writing;
    j->urged = j->first != NULL;
    (void) pthread_mutex_unlock(&j->lock);

    if (sleeps) {
        (void) pthread_cond_signal(&j->work);
    }
}


/* Without a writer, who waits for the first entry writes. */
static void
reg_journal_help(reg_journal_t *j, const reg_journal_entry_t *entry)
{
    (void) pthread_mutex_lock(&j->lock);

    while (!entry->done) {
        if (j->writing || j->first != entry) {
            reg_journal_wait(j, &j->changed, 0);
        } else {
            reg_journal_round(j);
        }
    }

    (void) pthread_mutex_unlock(&j->lock);
}


int
reg_journal_await(reg_journal_t *j, reg_journal_entry_t *entry, int *half,
    reg_error_t *err)
{
    if (j->has_writer) {
        reg_journal_urge(j);
    } else {
        reg_journal_help(j, entry);
    }

    while (sem_wait(&entry->written) == -1) {
        /* EINTR */
    }

    (void) sem_destroy(&entry->written);
    *half = entry->half;

    return entry->sys == 0 ? 0 : reg_journal_error(j, entry->sys, err);
}


int
reg_journal_append(reg_journal_t *j, reg_str_t records, int *half,
    reg_error_t *err)
{
    reg_journal_entry_t  entry;

    reg_journal_submit(j, &entry, records);

    return reg_journal_await(j, &entry, half, err);
}


static void *
reg_journal_run_writer(void *data)
{
    reg_journal_t  *j = data;

    (void) pthread_mutex_lock(&j->lock);

    while (!j->stop) {
        if (j->urged) {
            reg_journal_round(j);
        } else {
            reg_journal_wait(j, &j->work, 0);
        }
    }

    (void) pthread_mutex_unlock(&j->lock);

    return NULL;
}


/* ---- checkpoints --------------------------------------------------------- */


/* With the lock APPEND: which half is to be emptied, and for which generation;
 * what is written goes to the other one from here on.  0: nothing is; 2: one
 * that somebody else began with. */
static int
reg_journal_turn(reg_journal_t *j, int *half, uint64_t *generation,
    reg_error_t *err)
{
    reg_logfile_state_t  state;

    if (reg_logfile_get(&j->file, &state, err) == -1) {
        return -1;
    }

    if (state.failed != 0) {
        return reg_journal_error(j, (int) state.failed, err);
    }

    /* whoever was at it may have died */
    *generation = state.generation + 1;
    *half = (int) (*generation & 1);

    if (!reg_logfile_is_empty(&j->file, *half, *generation)) {
        return 2;
    }

    if (state.end == REG_LOGFILE_START) {
        return 0;
    }

    state.generation++;
    state.end = REG_LOGFILE_START;
    *generation = state.generation + 1;
    *half = (int) (*generation & 1);

    return reg_logfile_set(&j->file, &state, err) == -1 ? -1 : 1;
}


/* Waits until what the half says is in place, for all processes. */
static int
reg_journal_drain(reg_journal_t *j, int half, reg_error_t *err)
{
    (void) pthread_mutex_lock(&j->lock);

    while (j->inflight[half] > 0) {
        reg_journal_wait(j, &j->drained, 0);
    }

    (void) pthread_mutex_unlock(&j->lock);

    return reg_logfile_lock(&j->file, REG_LOGFILE_HALF + half, F_WRLCK, err)
           == -1
           ? -1
           : reg_logfile_lock(&j->file, REG_LOGFILE_HALF + half, F_UNLCK, err);
}


/* With the lock CHECKPOINT: empties one half.  1: that was not all that was
 * there before the call. */
static int
reg_journal_empty_one(reg_journal_t *j, reg_error_t *err)
{
    const reg_store_t  *store = j->file.store;
    uint64_t            generation = 0;
    int                 rc, half = 0;

    if (reg_logfile_take(&j->file, &j->append, REG_LOGFILE_APPEND, err) == -1) {
        return -1;
    }

    rc = reg_journal_turn(j, &half, &generation, err);
    reg_logfile_release(&j->file, &j->append, REG_LOGFILE_APPEND);

    if (rc <= 0 || reg_journal_drain(j, half, err) == -1) {
        return rc == 0 ? 0 : -1;
    }

    if (store->sys->syncfs(j->file.whole) == -1) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "syncfs",
                             store->v2.text);

        if (err->code != REG_READ_ONLY) {
            err->code = REG_UNKNOWN;     /* whether there is room or not */
        }

        return -1;
    }

    return reg_logfile_clear(&j->file, half, generation, err) == -1
           ? -1 : rc == 2;
}


/* A write that found no room, or no file, or was refused, has changed nothing:
 * who comes next goes on where it was.  After anything else nobody knows what
 * the disk has. */
static void
reg_journal_judge(reg_journal_t *j, int rc, const reg_error_t *err)
{
    bool  later = rc == -1 && (err->code == REG_INSUFFICIENT_STORAGE
                               || err->code == REG_READ_ONLY
                               || err->code == REG_UNAVAILABLE);

    if (rc == -1 && !later) {
        reg_journal_give_up(j, err->sys != 0 ? err->sys : EIO);
    }

    (void) pthread_mutex_lock(&j->lock);
    j->later = later ? err->sys : 0;
    (void) pthread_mutex_unlock(&j->lock);
}


int
reg_journal_checkpoint(reg_journal_t *j, reg_error_t *err)
{
    int  rc;

    if (reg_logfile_take(&j->file, &j->checkpoint, REG_LOGFILE_CHECKPOINT, err)
        == -1)
    {
        return -1;
    }

    do {
        rc = reg_journal_empty_one(j, err);
    } while (rc == 1);

    reg_journal_judge(j, rc, err);
    reg_logfile_release(&j->file, &j->checkpoint, REG_LOGFILE_CHECKPOINT);

    return rc;
}


static void *
reg_journal_run_checkpoints(void *data)
{
    reg_journal_t  *j = data;
    reg_error_t     err;
    int             rc;

    (void) pthread_mutex_lock(&j->lock);

    while (!j->stop) {
        if (!j->dirty || j->failed != 0) {
            reg_journal_wait(j, &j->changed, 0);
            continue;
        }

        if (!j->hurry && reg_clock_ns(CLOCK_MONOTONIC) < j->due) {
            reg_journal_wait(j, &j->changed, j->due);
            continue;
        }

        j->dirty = false;
        j->hurry = false;
        err = (reg_error_t) REG_ERROR_INIT;

        (void) pthread_mutex_unlock(&j->lock);
        rc = reg_journal_checkpoint(j, &err);        /* appends will say */
        (void) pthread_mutex_lock(&j->lock);

        if (rc == -1) {
            j->dirty = true;
            j->due = reg_clock_ns(CLOCK_MONOTONIC)
                     + REG_JOURNAL_DELAY * REG_CLOCK_MS;
        }

        (void) pthread_cond_broadcast(&j->changed);
    }

    (void) pthread_mutex_unlock(&j->lock);

    return NULL;
}


/* ---- opening ------------------------------------------------------------- */


static reg_journal_t *
reg_journal_create(reg_error_t *err)
{
    reg_journal_t  *j = calloc(1, sizeof(*j));

    if (j == NULL || (j->batch = aligned_alloc(REG_RECORD_ALIGN,
                                               REG_JOURNAL_BATCH)) == NULL) {
        free(j);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    j->last = &j->first;
    reg_clock_cond(&j->changed);
    reg_clock_cond(&j->work);
    reg_clock_cond(&j->drained);
    (void) pthread_mutex_init(&j->lock, NULL);          /* cannot fail */
    (void) pthread_mutex_init(&j->append, NULL);
    (void) pthread_mutex_init(&j->checkpoint, NULL);
    reg_order_init(&j->order, &j->file);

    return j;
}


/* Whoever has the disk full for what was acknowledged must not begin. */
static int
reg_journal_begin(reg_journal_t *j, size_t *redone, reg_error_t *err)
{
    if (reg_redo(&j->file, redone, err) == 0
        && reg_logfile_renew(&j->file, err) == 0)
    {
        return 0;
    }

    err->code = REG_UNKNOWN;
    (void) snprintf(err->message, sizeof(err->message),
                    "the journal cannot be done again");

    return -1;
}


reg_order_t *
reg_journal_order(reg_journal_t *j)
{
    return &j->order;
}


bool
reg_journal_is_used(const reg_journal_t *j)
{
    return !j->file.idle;
}


bool
reg_journal_has_deserted(const reg_journal_t *j)
{
    return j->file.deserted;
}


bool
reg_journal_is_there(const reg_journal_t *j)
{
    return reg_logfile_is_there(&j->file);
}


reg_journal_t *
reg_journal_open(reg_store_t *store, size_t half, size_t *redone,
    reg_error_t *err)
{
    reg_journal_t  *j;
    bool            alone;

    *redone = 0;

    if (!reg_sync_is_known(store)) {
        return NULL;
    }

    j = reg_journal_create(err);

    if (j == NULL) {
        return NULL;
    }

    /* the first checkpoint is for those who have died with others alive */
    j->dirty = true;

    if (reg_logfile_open(&j->file, store, half, &alone, err) == -1
        || (alone && reg_journal_begin(j, redone, err) == -1))
    {
        reg_journal_close(j);
        return NULL;
    }

    return j;
}


reg_journal_t *
reg_journal_visit(reg_store_t *store, reg_error_t *err)
{
    reg_journal_t  *j = NULL;

    /* its file system may be another one here, such as NFS */
    if (reg_sync_is_known(store)) {
        j = reg_journal_create(err);
    }

    if (j != NULL && reg_logfile_visit(&j->file, store, err) == -1) {
        reg_journal_close(j);
        return NULL;
    }

    return j;
}


void
reg_journal_close(reg_journal_t *j)
{
    if (j == NULL) {
        return;
    }

    reg_logfile_close(&j->file);
    reg_order_free(&j->order);
    (void) pthread_cond_destroy(&j->work);
    (void) pthread_cond_destroy(&j->drained);
    (void) pthread_cond_destroy(&j->changed);
    (void) pthread_mutex_destroy(&j->checkpoint);
    (void) pthread_mutex_destroy(&j->append);
    (void) pthread_mutex_destroy(&j->lock);
    free(j->batch);
    free(j);
}


static void
reg_journal_end_threads(reg_journal_t *j)
{
    (void) pthread_mutex_lock(&j->lock);
    j->stop = true;
    (void) pthread_cond_broadcast(&j->changed);
    (void) pthread_cond_broadcast(&j->work);
    (void) pthread_mutex_unlock(&j->lock);

    while (j->nthreads > 0) {
        (void) pthread_join(j->threads[--j->nthreads], NULL);   /* joinable */
    }

    j->has_writer = false;
}


int
reg_journal_start(reg_journal_t *j, reg_error_t *err)
{
    static void *(*const jobs[])(void *) = {
        reg_journal_run_checkpoints, reg_journal_run_writer
    };

    pthread_attr_t  attr;
    int             rc = 0;

    (void) pthread_attr_init(&attr);                    /* cannot fail */
    (void) pthread_attr_setstacksize(&attr, REG_JOURNAL_STACK);
    j->has_writer = true;

    while (rc == 0 && j->nthreads < sizeof(jobs) / sizeof(jobs[0])) {
        rc = pthread_create(&j->threads[j->nthreads], &attr, jobs[j->nthreads],
                            j);
        j->nthreads += rc == 0;
    }

    (void) pthread_attr_destroy(&attr);

    if (rc == 0) {
        return 0;
    }

    reg_journal_end_threads(j);

    return reg_error_sys(err, rc, REG_UNKNOWN, "start a thread",
                         "for the journal");
}


void
reg_journal_stop(reg_journal_t *j)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    reg_journal_end_threads(j);

    if (j->failed == 0) {
        /* else it is done again at the next start */
        (void) reg_journal_checkpoint(j, &quiet);
    }
}
