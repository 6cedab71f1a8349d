#include "reg_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "reg_clock.h"


/* more than this, dirty in the whole system, and a push would wait for others'
 * bytes */
#define REG_SYNC_DIRTY_MAX   (32 * 1024)                    /* KiB */

/* how long one look at /proc/meminfo is believed */
#define REG_SYNC_LOOK_NS     (20 * 1000 * 1000)

/* the longest that a round waits for others to join it */
#define REG_SYNC_PATIENCE_NS  (2 * 1000 * 1000)

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC      0x58465342
#endif


/* The value of "Key:   123 kB", 0 if it is not there. */
static int64_t
reg_sync_field(reg_str_t text, const char *key)
{
    reg_str_t  name = reg_str_from(key);
    int64_t    value = 0;

    while (text.len > 0) {
        reg_str_t  line = reg_str_cut(&text, '\n');

        if (reg_str_eq(reg_str_cut(&line, ':'), name)) {
            line = reg_str_trim(line);

            if (reg_str_int(reg_str_cut(&line, ' '), INT64_MAX, &value) == -1)
            {
                return INT64_MAX / 2;
            }

            break;
        }
    }

    return value;
}


/* Whether there is little that a syncfs would have to wait for. */
static bool
reg_sync_cheap(reg_store_t *store)
{
    char       text[2048];
    ssize_t    n;
    int64_t    now = reg_clock_ns(CLOCK_MONOTONIC);
    reg_str_t  s;
    int        fd;

    if (now - atomic_load_explicit(&store->sync_looked, memory_order_relaxed)
        < REG_SYNC_LOOK_NS)
    {
        return atomic_load_explicit(&store->sync_cheap, memory_order_relaxed);
    }

    fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        return false;
    }

    n = read(fd, text, sizeof(text));
    (void) close(fd);                   /* was only read */

    s = (reg_str_t) { n > 0 ? (size_t) n : 0, text };

    atomic_store_explicit(&store->sync_cheap,
                          n > 0 && reg_sync_field(s, "Dirty")
                                   + reg_sync_field(s, "Writeback")
                                   < REG_SYNC_DIRTY_MAX,
                          memory_order_relaxed);
    atomic_store_explicit(&store->sync_looked, now, memory_order_relaxed);

    return atomic_load_explicit(&store->sync_cheap, memory_order_relaxed);
}


/* Before Linux 5.8 syncfs keeps quiet about write-back that failed. */
static bool
reg_sync_reports(void)
{
    struct utsname  name;
    int64_t         major, minor;
    reg_str_t       left;

    if (uname(&name) == -1) {
        return false;
    }

    left = reg_str_from(name.release);

    return reg_str_int(reg_str_cut(&left, '.'), INT32_MAX, &major) == 0
           && reg_str_int(reg_str_cut(&left, '.'), INT32_MAX, &minor) == 0
           && (major > 5 || (major == 5 && minor >= 8));
}


bool
reg_sync_is_known(const reg_store_t *store)
{
    struct statfs  fs;

    return store->sys->syncfs != NULL && reg_sync_reports()
           && statfs(store->v2.text, &fs) == 0
           && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC
               || fs.f_type == BTRFS_SUPER_MAGIC);
}


void
reg_sync_close(reg_store_t *store)
{
    if (store->sync_fd != -1) {
        (void) close(store->sync_fd);   /* was only synced */
        store->sync_fd = -1;
    }

    store->sync_never = false;
}


/* Opens the descriptor that syncfs works on, once: errors are reported to a
 * descriptor for what happened since it was opened.  The lock is held. */
static bool
reg_sync_open(reg_store_t *store)
{
    struct stat  st;

    if (stat(store->v2.text, &st) == -1) {
        return false;
    }

    if (st.st_dev != store->sync_dev) {

        /* the first time, or another file system was mounted over it */

        if (store->sync_running) {
            return false;
        }

        reg_sync_close(store);
        store->sync_dev = st.st_dev;
    }

    if (store->sync_fd != -1) {
        return true;
    }

    if (store->sync_never) {
        return false;
    }

    store->sync_never = true;

    if (!reg_sync_is_known(store)) {
        return false;
    }

    store->sync_fd = store->sys->open(store->v2.text, O_RDONLY | O_DIRECTORY,
                                      0);

    return store->sync_fd != -1;
}


/* Runs one round.  The lock is held at both ends, not between. */
static void
reg_sync_round(reg_store_t *store)
{
    uint64_t  round = ++store->sync_started;
    int64_t   begin = reg_clock_ns(CLOCK_MONOTONIC);
    int       sys;

    store->sync_running = true;
    store->sync_waiting = 0;
    (void) pthread_mutex_unlock(&store->sync_lock);

    sys = store->sys->syncfs(store->sync_fd) == -1 ? errno : 0;

    (void) pthread_mutex_lock(&store->sync_lock);
    store->sync_running = false;
    store->sync_finished = round;
    store->sync_ended = reg_clock_ns(CLOCK_MONOTONIC);
    store->sync_took = store->sync_ended - begin;
    store->sync_errors[round % REG_STORE_ROUNDS] = sys;

    (void) pthread_cond_broadcast(&store->sync_done);
}


/* Until when who came at this moment waits for others to join its round: those
 * whose round has just ended need a moment, whenever it was that we came. */
static int64_t
reg_sync_until(const reg_store_t *store, int64_t came)
{
    int64_t  half = store->sync_took / 2;
    int64_t  since = came > store->sync_ended ? came : store->sync_ended;

    return since + (half < REG_SYNC_PATIENCE_NS ? half : REG_SYNC_PATIENCE_NS);
}


/* Whether the next round should wait for somebody who is about to come. */
static bool
reg_sync_more_come(const reg_store_t *store, int64_t came)
{
    return store->sync_waiting < store->sync_members
           && reg_clock_ns(CLOCK_MONOTONIC) < reg_sync_until(store, came);
}


/* Sleeps until a round ends, or begins to be due.  The lock is held. */
static void
reg_sync_sleep(reg_store_t *store, int64_t came)
{
    if (store->sync_running) {
        (void) pthread_cond_wait(&store->sync_done, &store->sync_lock);
    } else {
        (void) reg_clock_wait(&store->sync_done, &store->sync_lock,
                              reg_sync_until(store, came));
    }
}


void
reg_sync_join(reg_store_t *store)
{
    (void) pthread_mutex_lock(&store->sync_lock);
    store->sync_members++;
    (void) pthread_mutex_unlock(&store->sync_lock);
}


void
reg_sync_leave(reg_store_t *store)
{
    (void) pthread_mutex_lock(&store->sync_lock);
    store->sync_members--;

    if (store->sync_waiting > 0
        && store->sync_waiting >= store->sync_members
        && !store->sync_running)
    {
        (void) pthread_cond_broadcast(&store->sync_done);
    }

    (void) pthread_mutex_unlock(&store->sync_lock);
}


int
reg_sync_group(reg_store_t *store)
{
    uint64_t  mine;
    int64_t   came;
    int       sys;

    if (!reg_sync_cheap(store)) {
        return 0;
    }

    /* the calls on the lock fail for misuse only */
    (void) pthread_mutex_lock(&store->sync_lock);

    if (!reg_sync_open(store)) {
        (void) pthread_mutex_unlock(&store->sync_lock);
        return 0;
    }

    /* the first round that begins after this moment */
    mine = store->sync_started + 1;
    store->sync_waiting++;
    came = reg_clock_ns(CLOCK_MONOTONIC);

    while (store->sync_finished < mine) {
        if (store->sync_running || reg_sync_more_come(store, came)) {
            reg_sync_sleep(store, came);
        } else {
            reg_sync_round(store);
        }
    }

    /* who slept through so many rounds that its own is forgotten, failed */
    sys = store->sync_finished - mine < REG_STORE_ROUNDS
          ? store->sync_errors[mine % REG_STORE_ROUNDS] : EIO;

    (void) pthread_mutex_unlock(&store->sync_lock);

    errno = sys;
    return sys == 0 ? 1 : -1;
}
