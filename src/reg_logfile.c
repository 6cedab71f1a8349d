#include "reg_logfile.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <openssl/crypto.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "reg_clock.h"
#include "reg_dir.h"
#include "reg_file.h"
#include "reg_hash.h"


#define REG_LOGFILE_MAGIC  0x316c6e72756f6a72u
#define REG_LOGFILE_MODE   0600
#define REG_LOGFILE_NAP    5             /* ms */


/* The first bytes of a half; the rest of REG_LOGFILE_START is zero. */
typedef struct {
    uint64_t       magic;               /* numbers are little endian */
    uint64_t       generation;
    uint64_t       half;
    uint64_t       tree;
    unsigned char  key[REG_RECORD_KEY];
    unsigned char  check[32];           /* sha256 of what is before */
} reg_logfile_head_t;

static int reg_logfile_replace(reg_logfile_t *f, reg_error_t *err);

_Static_assert(sizeof(reg_logfile_head_t) == 32 + REG_RECORD_KEY + 32,
               "a head has no holes");


static void
reg_logfile_path(reg_path_t *path, const reg_store_t *store, const char *name)
{
    reg_layout_journal(path, &store->v2);
    reg_path_add(path, name);
}


static int
reg_logfile_failed(const reg_logfile_t *f, const char *operation,
    reg_error_t *err)
{
    reg_path_t  path;
    int         sys = errno;

    reg_layout_journal(&path, &f->store->v2);

    return reg_error_sys(err, sys, REG_UNKNOWN, operation, path.text);
}


int
reg_logfile_lock(const reg_logfile_t *f, int lock, int how, reg_error_t *err)
{
    int           rc;
    struct flock  fl = {
        .l_type = (short) how, .l_whence = SEEK_SET, .l_start = lock,
        .l_len = 1
    };

    do {
        rc = fcntl(f->state, F_OFD_SETLKW, &fl);
    } while (rc == -1 && errno == EINTR);

    return rc == 0 ? 0 : reg_logfile_failed(f, "lock", err);
}


int
reg_logfile_take(const reg_logfile_t *f, pthread_mutex_t *mutex, int lock,
    reg_error_t *err)
{
    (void) pthread_mutex_lock(mutex);

    if (reg_logfile_lock(f, lock, F_WRLCK, err) == -1) {
        (void) pthread_mutex_unlock(mutex);
        return -1;
    }

    return 0;
}


/* One that cannot be let go stays until the process ends, and others wait: for
 * a lock that one has, fcntl(2) has no such error. */
void
reg_logfile_release(const reg_logfile_t *f, pthread_mutex_t *mutex, int lock)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    (void) reg_logfile_lock(f, lock, F_UNLCK, &quiet);
    (void) pthread_mutex_unlock(mutex);
}


/* The same without waiting: -1 with errno. */
static int
reg_logfile_try(const reg_logfile_t *f, int lock, int how)
{
    struct flock  fl = {
        .l_type = (short) how, .l_whence = SEEK_SET, .l_start = lock,
        .l_len = 1
    };

    return fcntl(f->state, F_OFD_SETLK, &fl);
}


/* ---- reading and writing ------------------------------------------------- */


/* Reads as much as there is, up to len bytes; -1 with errno. */
static ssize_t
reg_logfile_pread(int fd, void *out, size_t len, off_t offset)
{
    size_t   done = 0;
    ssize_t  n;

    while (done < len) {
        n = pread(fd, (char *) out + done, len - done, offset + (off_t) done);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return n == 0 ? (ssize_t) done : -1;
        }

        done += (size_t) n;
    }

    return (ssize_t) done;
}


static int
reg_logfile_pwrite(const reg_logfile_t *f, int fd, const void *data,
    size_t len, size_t offset, reg_error_t *err)
{
    return reg_file_write(f->store->sys, fd, (reg_str_t) { len, data },
                          (int64_t) offset, "_journal", err);
}


static int
reg_logfile_fdatasync(const reg_logfile_t *f, int fd, reg_error_t *err)
{
    int  rc;

    do {
        rc = f->store->sys->fdatasync(fd);
    } while (rc == -1 && errno == EINTR);

    return rc == 0 ? 0 : reg_logfile_failed(f, "fdatasync", err);
}


int
reg_logfile_sync(const reg_logfile_t *f, reg_error_t *err)
{
    return reg_logfile_fdatasync(f, f->batches, err);
}


/* Asks for no times: a file whose times somebody has seen gets new ones at its
 * next change, which is one more block to write. */
static bool
reg_logfile_is_named(const reg_logfile_t *f, const char *name,
    const reg_logfile_id_t *id)
{
    reg_path_t    path;
    struct statx  sx;

    reg_logfile_path(&path, f->store, name);

    return statx(AT_FDCWD, path.text, 0, STATX_INO, &sx) == 0
           && sx.stx_ino == id->ino && sx.stx_dev_major == id->major
           && sx.stx_dev_minor == id->minor;
}


bool
reg_logfile_is_there(const reg_logfile_t *f)
{
    return reg_logfile_is_named(f, "log", &f->log_id)
           && reg_logfile_is_named(f, "state", &f->state_id);
}


int
reg_logfile_get(const reg_logfile_t *f, reg_logfile_state_t *state,
    reg_error_t *err)
{
    ssize_t  n = reg_logfile_pread(f->state, state, sizeof(*state), 0);

    if (n == -1) {
        return reg_logfile_failed(f, "read", err);
    }

    if (!reg_logfile_is_there(f)) {
        errno = ESTALE;
        (void) reg_logfile_failed(f, "find what was removed of", err);
        err->code = REG_UNAVAILABLE;
        return -1;
    }

    if (n != sizeof(*state) || state->end < REG_LOGFILE_START
        || state->end > f->half || state->end % REG_RECORD_ALIGN != 0)
    {
        errno = EUCLEAN;
        return reg_logfile_failed(f, "read", err);
    }

    return 0;
}


int
reg_logfile_set(const reg_logfile_t *f, const reg_logfile_state_t *state,
    reg_error_t *err)
{
    return reg_logfile_pwrite(f, f->state, state, sizeof(*state), 0, err);
}


int
reg_logfile_write(const reg_logfile_t *f, const reg_logfile_state_t *state,
    char *batch, size_t records, reg_error_t *err)
{
    size_t             size = reg_record_size(records);
    size_t             used = REG_RECORD_SEAL + records;
    reg_record_seal_t  seal = { .generation = state->generation };

    memcpy(seal.key, f->key, sizeof(seal.key));
    seal.time = reg_clock_ns(CLOCK_REALTIME);
    seal.offset = (state->generation & 1) * f->half + state->end;

    reg_record_seal(&seal, (reg_str_t) { records, batch + REG_RECORD_SEAL },
                    (unsigned char *) batch);
    memset(batch + used, 0, size - used);

    if (reg_logfile_pwrite(f, f->batches, batch, size, seal.offset, err) == 0) {
        return 0;
    }

    /* some file systems say only now that they cannot write past the cache */
    if (err->sys != EINVAL || fcntl(f->batches, F_SETFL, 0) == -1) {
        return -1;
    }

    *err = (reg_error_t) REG_ERROR_INIT;

    return reg_logfile_pwrite(f, f->batches, batch, size, seal.offset, err);
}


/* ---- heads --------------------------------------------------------------- */


static void
reg_logfile_check(const reg_logfile_head_t *head, unsigned char check[32])
{
    reg_hash_t  h;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, head, offsetof(reg_logfile_head_t, check));
    reg_hash_binary(&h, check);
}


/* The head of the half that begins at this byte. */
static bool
reg_logfile_head(const reg_logfile_t *f, size_t at, reg_logfile_head_t *head)
{
    unsigned char  check[32];

    if (reg_logfile_pread(f->log, head, sizeof(*head), (off_t) at)
        != sizeof(*head) || le64toh(head->magic) != REG_LOGFILE_MAGIC)
    {
        return false;
    }

    reg_logfile_check(head, check);

    return CRYPTO_memcmp(check, head->check, sizeof(check)) == 0
           && le64toh(head->tree) == f->tree;
}


bool
reg_logfile_is_empty(const reg_logfile_t *f, int half, uint64_t generation)
{
    reg_logfile_head_t  head;

    return reg_logfile_head(f, (size_t) half * f->half, &head)
           && le64toh(head.generation) == generation;
}


int
reg_logfile_clear(const reg_logfile_t *f, int half, uint64_t generation,
    reg_error_t *err)
{
    reg_logfile_head_t  head = {
        .magic = htole64(REG_LOGFILE_MAGIC),
        .generation = htole64(generation),
        .half = htole64(f->half),
        .tree = htole64(f->tree),
    };

    memcpy(head.key, f->key, sizeof(head.key));
    reg_logfile_check(&head, head.check);

    if (reg_logfile_pwrite(f, f->log, &head, sizeof(head),
                           (size_t) half * f->half, err) == -1)
    {
        return -1;
    }

    if (reg_logfile_fdatasync(f, f->log, err) == -1) {
        err->code = REG_UNKNOWN;        /* it is written, on disk or not */
        return -1;
    }

    return 0;
}


/* The size of the halves that are there and their key, 0 if there is no head:
 * the first one says it, or the second, where that may be. */
static size_t
reg_logfile_found(reg_logfile_t *f)
{
    reg_logfile_head_t  head;
    struct stat         st;
    uint64_t            half;

    if (fstat(f->log, &st) == -1
        || (!reg_logfile_head(f, 0, &head)
            && !reg_logfile_head(f, (size_t) st.st_size / 2, &head)))
    {
        return 0;
    }

    half = le64toh(head.half);

    if (half < 2 * REG_RECORD_ALIGN || half % REG_RECORD_ALIGN != 0
        || half > REG_BUF_MAX / 2)
    {
        return 0;
    }

    memcpy(f->key, head.key, sizeof(f->key));

    return (size_t) half;
}


int
reg_logfile_read(reg_logfile_t *f, int n, reg_logfile_half_t *half,
    reg_error_t *err)
{
    size_t              size = reg_logfile_found(f);
    reg_logfile_head_t  head;
    char               *p;
    ssize_t             got;

    half->begin = (size_t) n * size;

    if (size == 0 || !reg_logfile_head(f, half->begin, &head)) {
        return 0;
    }

    p = reg_buf_reserve(&half->content, size);

    if (p == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    got = reg_logfile_pread(f->log, p, size, (off_t) half->begin);

    if (got == -1) {
        return reg_logfile_failed(f, "read", err);
    }

    half->content.len = (size_t) got;
    half->generation = le64toh(head.generation);

    return 0;
}


/* ---- opening ------------------------------------------------------------- */


static int
reg_logfile_cut(const reg_logfile_t *f, size_t size, reg_error_t *err)
{
    return ftruncate(f->log, (off_t) size) == 0
           ? 0 : reg_logfile_failed(f, "truncate", err);
}


/* Writes every block once, with another key than before; syncs that, and the
 * names of the files. */
static int
reg_logfile_fill(reg_logfile_t *f, reg_error_t *err)
{
    static const char  zeros[64 * 1024];

    reg_error_t  quiet = REG_ERROR_INIT;

    if (getrandom(f->key, sizeof(f->key), 0) != sizeof(f->key)) {
        return reg_logfile_failed(f, "getrandom", err);
    }

    for (size_t at = 0; at < 2 * f->half; at += sizeof(zeros)) {
        size_t  left = 2 * f->half - at;

        if (reg_logfile_pwrite(f, f->log, zeros,
                               left < sizeof(zeros) ? left : sizeof(zeros), at,
                               err) == -1)
        {
            (void) reg_logfile_cut(f, 0, &quiet);    /* gives it back */
            return -1;
        }
    }

    if (reg_logfile_cut(f, 2 * f->half, err) == -1) {
        return -1;
    }

    return f->store->sys->fsync(f->log) == 0
           && f->store->sys->syncfs(f->whole) == 0
           ? 0 : reg_logfile_failed(f, "make", err);
}


/* Lives with the others, and lets more come in, and visit. */
static int
reg_logfile_settle(reg_logfile_t *f, reg_error_t *err)
{
    if (reg_logfile_lock(f, REG_LOGFILE_LIVE, F_RDLCK, err) == -1
        || reg_logfile_lock(f, REG_LOGFILE_VISIT, F_UNLCK, err) == -1)
    {
        return -1;
    }

    (void) close(f->dir);               /* the lock goes with it */
    f->dir = -1;

    return 0;
}


/* Empties both halves of what is there.  The older one first: alone it would
 * undo what the other one says.  *generation: of the first half. */
static int
reg_logfile_empty(const reg_logfile_t *f, uint64_t *generation,
    reg_error_t *err)
{
    reg_logfile_head_t  head;
    uint64_t            ages[2] = { 0, 0 };
    int                 older;

    for (int n = 0; n < 2; n++) {
        if (reg_logfile_head(f, (size_t) n * f->half, &head)) {
            ages[n] = le64toh(head.generation);
        }
    }

    older = ages[0] > ages[1];
    *generation = ages[!older] + 1;
    *generation += *generation & 1;

    return reg_logfile_clear(f, older, *generation + (unsigned) older, err)
           == -1
           ? -1
           : reg_logfile_clear(f, !older, *generation + (unsigned) !older,
                               err);
}


/* Empties what was found, whatever the size of its halves. */
static int
reg_logfile_forget(reg_logfile_t *f, uint64_t *generation, reg_error_t *err)
{
    size_t  half = f->half;
    int     rc = 0;

    f->half = reg_logfile_found(f);

    if (f->half != 0) {
        rc = reg_logfile_empty(f, generation, err);
    }

    f->half = half;

    return rc;
}


/* Makes a log with halves of our own, if it is not there. */
static int
reg_logfile_make(reg_logfile_t *f, uint64_t generation, reg_error_t *err)
{
    reg_logfile_state_t  state = { generation, REG_LOGFILE_START, 0 };
    struct stat          st;

    if (fstat(f->log, &st) == -1) {
        return reg_logfile_failed(f, "fstat", err);
    }

    if ((reg_logfile_found(f) != f->half
         || st.st_size != (off_t) (2 * f->half))
        && (reg_logfile_fill(f, err) == -1
            || reg_logfile_empty(f, &state.generation, err) == -1))
    {
        return -1;
    }

    return reg_logfile_set(f, &state, err);
}


/* From here on the log is of no use, and must not be done again when the tree
 * has become another one.  This needs no room. */
static int
reg_logfile_rest(reg_logfile_t *f, reg_error_t *err)
{
    f->idle = true;

    if (reg_logfile_cut(f, 0, err) == -1) {
        return -1;
    }

    return f->store->sys->fsync(f->log) == 0 && ftruncate(f->state, 0) == 0
           ? 0 : reg_logfile_failed(f, "empty", err);
}


int
reg_logfile_renew(reg_logfile_t *f, reg_error_t *err)
{
    uint64_t  generation = 0;

    if (f->half != 0 && reg_logfile_forget(f, &generation, err) == 0
        && (!f->deserted || reg_logfile_replace(f, err) == 0)
        && reg_logfile_make(f, generation, err) == 0)
    {
        return reg_logfile_settle(f, err);
    }

    if (f->half != 0 && err->code != REG_INSUFFICIENT_STORAGE) {
        return -1;
    }

    return reg_logfile_rest(f, err) == -1 ? -1 : reg_logfile_settle(f, err);
}


static int
reg_logfile_open_one(const reg_logfile_t *f, const char *name,
    reg_error_t *err)
{
    reg_path_t  path;
    int         fd;

    reg_logfile_path(&path, f->store, name);
    fd = f->store->sys->open(path.text, O_RDWR | O_NOFOLLOW
                             | (f->visit ? 0 : O_CREAT), REG_LOGFILE_MODE);

    return fd != -1 ? fd : reg_error_sys(err, errno, REG_UNKNOWN, "open",
                                         path.text);
}


static int
reg_logfile_remove(const reg_logfile_t *f, const char *name, reg_error_t *err)
{
    reg_path_t  path;

    reg_logfile_path(&path, f->store, name);

    return f->store->sys->unlink(path.text) == 0 || errno == ENOENT
           ? 0 : reg_error_sys(err, errno, REG_UNKNOWN, "unlink", path.text);
}


/* The log, if it was made here or is empty; else a new one and a new state. */
static int
reg_logfile_open_log(reg_logfile_t *f, reg_error_t *err)
{
    struct stat  st;

    f->log = reg_logfile_open_one(f, "log", err);

    if (f->log == -1 || fstat(f->log, &st) == -1) {
        return f->log == -1 ? -1 : reg_logfile_failed(f, "fstat", err);
    }

    if ((S_ISREG(st.st_mode) && st.st_size == 0) || reg_logfile_found(f) != 0) {
        return 0;
    }

    (void) close(f->log);               /* nothing of it is wanted */
    f->log = -1;

    if (reg_logfile_remove(f, "log", err) == -1
        || reg_logfile_remove(f, "state", err) == -1)
    {
        return -1;
    }

    f->log = reg_logfile_open_one(f, "log", err);

    return f->log == -1 ? -1 : 0;
}


/* Where that cannot be done, it is done through the cache. */
static int
reg_logfile_open_batches(reg_logfile_t *f, reg_error_t *err)
{
    f->batches = reg_logfile_open_one(f, "log", err);

    if (f->batches == -1) {
        return -1;
    }

    (void) fcntl(f->batches, F_SETFL, O_DIRECT);

    return 0;
}


static int
reg_logfile_identify(const reg_logfile_t *f, int fd, reg_logfile_id_t *id,
    reg_error_t *err)
{
    struct statx  sx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO, &sx) == -1) {
        return reg_logfile_failed(f, "statx", err);
    }

    *id = (reg_logfile_id_t) { sx.stx_ino, sx.stx_dev_major,
                               sx.stx_dev_minor };

    return 0;
}


/* A log that nobody else has, in the place of the one that was done again. */
static int
reg_logfile_replace(reg_logfile_t *f, reg_error_t *err)
{
    (void) close(f->log);               /* what matters was synced */
    (void) close(f->batches);
    f->log = f->batches = -1;

    if (reg_logfile_remove(f, "log", err) == -1
        || (f->log = reg_logfile_open_one(f, "log", err)) == -1
        || reg_logfile_open_batches(f, err) == -1)
    {
        return -1;
    }

    return reg_logfile_identify(f, f->log, &f->log_id, err);
}


/* Asks ext4 to make the directories of the tree in places of their own.
 * Without a journal it writes, in each fdatasync of the log, the block that has
 * the log's inode with fifteen others, and waits for that, if any of these has
 * changed: nobody's should that every push changes. */
static void
reg_logfile_set_apart(const reg_logfile_t *f)
{
    int  flags;

    if (ioctl(f->whole, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_TOPDIR_FL;
        (void) ioctl(f->whole, FS_IOC_SETFLAGS, &flags);     /* else slower */
    }
}


/* The directory, and what it is known by: also after a reboot, when devices may
 * have other numbers. */
static int
reg_logfile_open_dir(reg_logfile_t *f, const reg_path_t *path,
    reg_error_t *err)
{
    struct statx  sx;

    f->dir = f->store->sys->open(path->text, O_RDONLY | O_DIRECTORY, 0);

    if (f->dir == -1
        || statx(f->dir, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &sx)
           == -1)
    {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", path->text);
    }

    /* without a time of birth the number alone must do */
    f->tree = reg_hash_words((const uint64_t[]) {
        sx.stx_ino, (uint64_t) sx.stx_btime.tv_sec, sx.stx_btime.tv_nsec }, 3);

    return 0;
}


/* Made if need be, and locked. */
static int
reg_logfile_take_dir(reg_logfile_t *f, reg_error_t *err)
{
    reg_path_t  path;
    int         rc;

    reg_layout_journal(&path, &f->store->v2);
    reg_logfile_set_apart(f);

    if (reg_dir_mkdir(f->store, &path, err) == -1
        || reg_logfile_open_dir(f, &path, err) == -1)
    {
        return -1;
    }

    do {
        rc = flock(f->dir, LOCK_EX);
    } while (rc == -1 && errno == EINTR);

    return rc == 0 ? 0 : reg_error_sys(err, errno, REG_UNKNOWN, "lock",
                                       path.text);
}


/* 1: they do not end.  Naps are counted, so that the time in which all stood
 * still is nobody's fault. */
static int
reg_logfile_await_visits(const reg_logfile_t *f, reg_error_t *err)
{
    const struct timespec  nap = { 0, REG_LOGFILE_NAP * REG_CLOCK_MS };

    for (int n = 0; n < REG_LOGFILE_PATIENCE / REG_LOGFILE_NAP; n++) {
        if (reg_logfile_try(f, REG_LOGFILE_VISIT, F_WRLCK) == 0) {
            return 0;
        }

        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return reg_logfile_failed(f, "lock", err);
        }

        (void) nanosleep(&nap, NULL);            /* a shorter one is fine */
    }

    return 1;
}


static int
reg_logfile_open_state(reg_logfile_t *f, reg_error_t *err)
{
    f->state = reg_logfile_open_one(f, "state", err);

    return f->state == -1
           ? -1 : reg_logfile_identify(f, f->state, &f->state_id, err);
}


/* Leaves the state to those who have it, and is alone in a new one. */
static int
reg_logfile_desert(reg_logfile_t *f, reg_error_t *err)
{
    f->deserted = true;
    (void) close(f->state);             /* locks go with it */
    f->state = -1;

    return reg_logfile_remove(f, "state", err) == -1
           || reg_logfile_open_state(f, err) == -1
           ? -1 : reg_logfile_lock(f, REG_LOGFILE_LIVE, F_WRLCK, err);
}


/* Nobody opens the files meanwhile to stay (f->dir); who comes to visit sees
 * that nobody lives there yet. */
static int
reg_logfile_end_visits(reg_logfile_t *f, reg_error_t *err)
{
    int  rc;

    while ((rc = reg_logfile_await_visits(f, err)) == 1) {
        if (reg_logfile_desert(f, err) == -1) {
            return -1;
        }
    }

    return rc;
}


/* With the others, or alone if there are none. */
static int
reg_logfile_enter(reg_logfile_t *f, bool *alone, reg_error_t *err)
{
    struct stat  st;

    *alone = reg_logfile_try(f, REG_LOGFILE_LIVE, F_WRLCK) == 0;

    if (*alone) {
        return reg_logfile_end_visits(f, err);
    }

    if (errno != EAGAIN && errno != EACCES) {
        return reg_logfile_failed(f, "lock", err);
    }

    if (fstat(f->state, &st) == -1) {
        return reg_logfile_failed(f, "fstat", err);
    }

    f->half = reg_logfile_found(f);
    f->idle = st.st_size == 0;

    if (f->half == 0 && !f->idle) {
        errno = EUCLEAN;
        return reg_logfile_failed(f, "read", err);
    }

    return reg_logfile_settle(f, err);
}


static int
reg_logfile_begin(reg_logfile_t *f, reg_store_t *store, size_t half,
    reg_error_t *err)
{
    *f = (reg_logfile_t) {
        .store = store, .dir = -1, .log = -1, .batches = -1, .state = -1,
        .whole = -1, .half = half
    };

    f->whole = store->sys->open(store->v2.text, O_RDONLY | O_DIRECTORY, 0);

    return f->whole != -1 ? 0 : reg_error_sys(err, errno, REG_UNKNOWN, "open",
                                              store->v2.text);
}


int
reg_logfile_open(reg_logfile_t *f, reg_store_t *store, size_t half,
    bool *alone, reg_error_t *err)
{
    if (reg_logfile_begin(f, store, half, err) == -1) {
        return -1;
    }

    if (reg_logfile_take_dir(f, err) == -1
        || reg_logfile_open_log(f, err) == -1
        || reg_logfile_open_batches(f, err) == -1
        || reg_logfile_open_state(f, err) == -1
        || reg_logfile_identify(f, f->log, &f->log_id, err) == -1
        || reg_logfile_enter(f, alone, err) == -1)
    {
        /* a full disk is no reason to leave a log alone that is there */
        if (f->log != -1 && reg_logfile_found(f) != 0) {
            err->code = REG_UNKNOWN;
        }

        reg_logfile_close(f);
        return -1;
    }

    return 0;
}


int
reg_logfile_peek(reg_logfile_t *f, reg_store_t *store, reg_error_t *err)
{
    reg_path_t  dir, log;

    if (reg_logfile_begin(f, store, 0, err) == -1) {
        return -1;
    }

    reg_layout_journal(&dir, &store->v2);
    reg_logfile_path(&log, store, "log");
    f->log = store->sys->open(log.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);

    if (f->log == -1 && errno == ENOENT) {
        reg_logfile_close(f);
        return 1;
    }

    if (f->log == -1) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "open", log.text);

    } else if (reg_logfile_open_dir(f, &dir, err) == 0) {
        return 0;
    }

    reg_logfile_close(f);

    return -1;
}


/* Whether others have it open.  Who holds LIVE alone is only about to. */
static bool
reg_logfile_is_live(int state)
{
    struct flock  fl = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = REG_LOGFILE_LIVE,
        .l_len = 1
    };

    return fcntl(state, F_OFD_GETLK, &fl) == 0 && fl.l_type == F_RDLCK;
}


/* As reg_logfile_open_one(), for nginx's event loop. */
static int
reg_logfile_look(const reg_store_t *store, const char *name)
{
    reg_path_t  path;

    reg_logfile_path(&path, store, name);

    return open(path.text, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}


bool
reg_logfile_is_settled(const reg_store_t *store)
{
    struct stat  st;
    bool         empty, live;
    int          fd = reg_logfile_look(store, "log");

    if (fd == -1) {
        return true;                    /* also on what can only be read, where
                                           no worker does anything again */
    }

    empty = fstat(fd, &st) == 0 && st.st_size == 0;
    (void) close(fd);                   /* was not even read */

    if (empty || (fd = reg_logfile_look(store, "state")) == -1) {
        return empty;
    }

    live = reg_logfile_is_live(fd);
    (void) close(fd);

    return live;
}


/* First VISIT, then a look at LIVE: whoever opens the journal alone takes them
 * the other way round.  A state that is empty is one that nobody writes to. */
int
reg_logfile_visit(reg_logfile_t *f, reg_store_t *store, reg_error_t *err)
{
    reg_path_t   dir;
    struct stat  st;

    if (reg_logfile_begin(f, store, 0, err) == -1) {
        return -1;
    }

    f->visit = true;
    reg_layout_journal(&dir, &store->v2);

    if ((f->state = reg_logfile_open_one(f, "state", err)) != -1
        && reg_logfile_try(f, REG_LOGFILE_VISIT, F_RDLCK) == 0
        && reg_logfile_is_live(f->state)
        && fstat(f->state, &st) == 0 && st.st_size > 0
        && reg_logfile_open_dir(f, &dir, err) == 0
        && (f->log = reg_logfile_open_one(f, "log", err)) != -1
        && reg_logfile_open_batches(f, err) == 0
        && reg_logfile_identify(f, f->log, &f->log_id, err) == 0
        && reg_logfile_identify(f, f->state, &f->state_id, err) == 0
        && (f->half = reg_logfile_found(f)) != 0)
    {
        return 0;
    }

    reg_logfile_close(f);

    return reg_error_set(err, REG_UNKNOWN, "nobody has the journal open");
}


void
reg_logfile_close(reg_logfile_t *f)
{
    const int  fds[] = { f->dir, f->log, f->batches, f->state, f->whole };

    /* what matters was synced; locks go with their descriptor */
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] != -1) {
            (void) close(fds[i]);
        }
    }

    f->dir = f->log = f->batches = f->state = f->whole = -1;
}
