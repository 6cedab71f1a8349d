#include "reg_upload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "reg_clock.h"
#include "reg_dir.h"
#include "reg_file.h"
#include "reg_hashstate.h"
#include "reg_lock.h"
#include "reg_publish.h"
#include "reg_removal.h"
#include "reg_spare.h"


/* write-back is started in steps, and what is older than a window is waited
 * for: a commit finds at most the window dirty */
#define REG_UPLOAD_STEP    (8 * 1024 * 1024)
#define REG_UPLOAD_WINDOW  (64 * 1024 * 1024)

/* what goes past the page cache must be worth a request of its own */
#define REG_UPLOAD_DIRECT  (64 * 1024)

/* a state costs a wait for the disk and four names; so many bytes are read and
 * hashed again in less */
#define REG_UPLOAD_AGAIN   (256 * 1024)

/* seconds in which whoever makes a session has made its data file */
#define REG_UPLOAD_YOUNG   3600


static int
reg_upload_unknown(const char *uuid, reg_error_t *err)
{
    reg_error_detail(err, "uuid", reg_str_from(uuid));
    return -1;
}


/* ---- create, stat -------------------------------------------------------- */


static int
reg_upload_uuid(char uuid[REG_UUID_LEN + 1], reg_error_t *err)
{
    unsigned char  b[16];

    if (getrandom(b, sizeof(b), 0) != sizeof(b)) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "uuid");
    }

    b[6] = (unsigned char) (0x40 | (b[6] & 0x0f));      /* RFC 9562, 5.4 */
    b[8] = (unsigned char) (0x80 | (b[8] & 0x3f));

    (void) snprintf(uuid, REG_UUID_LEN + 1,
                    "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x"
                    "-%02x%02x%02x%02x%02x%02x",
                    b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8],
                    b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}


static int
reg_upload_write_file(reg_store_t *store, const reg_path_t *dir,
    const char *name, reg_str_t content, reg_error_t *err)
{
    reg_path_t   path = *dir;
    struct stat  st;
    int          fd, rc;

    reg_path_add(&path, name);

    /* what begins empty is to hold a blob, and must be nobody else's: a crash
     * may have kept its name in a directory that served before */
    fd = store->sys->open(path.text, O_WRONLY | O_CREAT | O_NOFOLLOW
                          | (content.len == 0 ? O_EXCL : 0), 0644);

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "create", path.text);
    }

    /* of another form: not ours */
    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)
        || (size_t) st.st_size > content.len)
    {
        (void) close(fd);               /* nothing was written */
        return reg_error_sys(err, EEXIST, REG_UNKNOWN, "create", path.text);
    }

    rc = reg_file_write(store->sys, fd, content, 0, path.text, err);
    (void) close(fd);                   /* 202 promises nothing */

    return rc;
}


static int
reg_upload_fill(reg_store_t *store, const reg_path_t *dir, reg_str_t started,
    reg_error_t *err)
{
    if (reg_upload_write_file(store, dir, "startedat", started, err) == -1
        || reg_upload_write_file(store, dir, "data", REG_STR_NULL, err) == -1)
    {
        reg_removal_discard(dir);
        return -1;
    }

    return 0;
}


/* In a directory that served another session, if there is one. */
static int
reg_upload_make(reg_store_t *store, const reg_path_t *dir, reg_str_t started,
    reg_error_t *err)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    if (reg_spare_take(store, dir)
        && reg_upload_fill(store, dir, started, &quiet) == 0)
    {
        return 0;
    }

    return reg_dir_mkdir(store, dir, err) == -1
           ? -1 : reg_upload_fill(store, dir, started, err);
}


int
reg_upload_create(reg_store_t *store, const reg_name_t *name, reg_alg_t alg,
    char uuid[REG_UUID_LEN + 1], reg_error_t *err)
{
    char        started[REG_CLOCK_TEXT + 1], text[REG_CLOCK_TEXT];
    reg_path_t  dir;
    reg_hash_t  hash;

    (void) snprintf(started, sizeof(started), "%sZ",
                    reg_clock_text(text, time(NULL)));          /* fits */

    if (reg_upload_uuid(uuid, err) == -1) {
        return -1;
    }

    reg_layout_upload(&dir, &store->v2, name, uuid);

    if (reg_upload_make(store, &dir, reg_str_from(started), err) == -1) {
        return -1;
    }

    if (alg == REG_SHA256) {
        return 0;
    }

    /* a state at offset 0 is how the next request knows the algorithm */
    reg_hash_init(&hash, alg);
    return reg_hashstate_save(store, &dir, &hash, err);
}


static int
reg_upload_check(const char *uuid, reg_error_t *err)
{
    if (reg_uuid_valid(reg_str_from(uuid))) {
        return 0;
    }

    (void) reg_error_set(err, REG_BLOB_UPLOAD_UNKNOWN, NULL);
    return reg_upload_unknown(uuid, err);
}


/* A regular file of one name.  One that has another is a blob: a power cut on a
 * file system without a journal can bring the session's name back (D1). */
static bool
reg_upload_is_ours(const struct stat *st)
{
    return S_ISREG(st->st_mode) && st->st_nlink <= 1;
}


int
reg_upload_stat(reg_store_t *store, const reg_name_t *name, const char *uuid,
    int64_t *offset, reg_error_t *err)
{
    reg_path_t   path;
    struct stat  st;

    if (reg_upload_check(uuid, err) == -1) {
        return -1;
    }

    reg_layout_upload(&path, &store->v2, name, uuid);
    reg_path_add(&path, "data");

    if (lstat(path.text, &st) == -1) {
        (void) reg_error_sys(err, errno, REG_BLOB_UPLOAD_UNKNOWN, "stat",
                             path.text);
        return reg_upload_unknown(uuid, err);
    }

    if (!reg_upload_is_ours(&st)) {
        (void) reg_error_sys(err, ELOOP, REG_BLOB_UPLOAD_UNKNOWN,
                             "not a session's file:", path.text);
        return reg_upload_unknown(uuid, err);
    }

    *offset = st.st_size;
    return 0;
}


/* ---- cancel, open, append, suspend, commit ------------------------------- */


/* Opens and locks the data file.  The lock is on the inode and the name may
 * have gone meanwhile: a commit makes it a blob while it holds the lock, so
 * who comes after must look whether the name is still this file (D1). */
static int
reg_upload_lock(reg_upload_t *up, reg_error_t *err)
{
    reg_path_t   path = up->dir;
    struct stat  here, there;

    reg_path_add(&path, "data");
    up->fd = up->store->sys->open(path.text,
                                  O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);

    if (up->fd == -1) {
        (void) reg_error_sys(err, errno, REG_BLOB_UPLOAD_UNKNOWN, "open",
                             path.text);
        return reg_upload_unknown(up->uuid, err);
    }

    if (flock(up->fd, LOCK_EX | LOCK_NB) == -1) {
        return errno == EWOULDBLOCK
               ? reg_error_set(err, REG_UPLOAD_BUSY, NULL)
               : reg_error_sys(err, errno, REG_UNKNOWN, "lock", path.text);
    }

    if (fstat(up->fd, &here) == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "fstat", path.text);
    }

    if (lstat(path.text, &there) == -1 || here.st_ino != there.st_ino
        || here.st_dev != there.st_dev || !reg_upload_is_ours(&here))
    {
        (void) reg_error_sys(err, ENOENT, REG_BLOB_UPLOAD_UNKNOWN, "lock",
                             path.text);
        return reg_upload_unknown(up->uuid, err);
    }

    up->offset = here.st_size;
    return 0;
}


/* Makes the running digest cover [0, offset): from the best saved state, and
 * by reading what that does not cover. */
static int
reg_upload_catch_up(reg_upload_t *up, reg_error_t *err)
{
    reg_alg_t  alg = up->hash.alg;

    if (reg_hash_length(&up->hash) == up->offset) {
        return 0;
    }

    (void) reg_hashstate_best(&up->hash, &up->dir, alg, up->offset);

    return reg_hashstate_cover(&up->hash, up->fd, up->offset, &up->dir, err);
}


static int
reg_upload_take_up(reg_upload_t *up, const reg_digest_t *want,
    reg_error_t *err)
{
    /* the rare algorithm leaves its mark at the start of the session */
    if (!reg_hashstate_best(&up->hash, &up->dir, REG_SHA512, up->offset)) {
        (void) reg_hashstate_best(&up->hash, &up->dir, REG_SHA256, up->offset);
    }

    if (up->offset == 0 && want != NULL) {
        reg_hash_init(&up->hash, want->alg);
    }

    up->saved = reg_hash_length(&up->hash);
    up->synced = up->offset;

    return reg_upload_catch_up(up, err);
}


static int
reg_upload_name(reg_upload_t *up, reg_store_t *store, const reg_name_t *name,
    const char *uuid, reg_error_t *err)
{
    up->store = store;
    up->name = *name;
    up->fd = -1;

    if (reg_upload_check(uuid, err) == -1) {
        return -1;
    }

    (void) reg_str_copy(up->uuid, sizeof(up->uuid), reg_str_from(uuid));
    reg_layout_upload(&up->dir, &store->v2, name, uuid);

    return 0;
}


int
reg_upload_cancel(reg_store_t *store, const reg_name_t *name,
    const char *uuid, reg_error_t *err)
{
    reg_upload_t  up = REG_UPLOAD_INIT;
    int           rc;

    if (reg_upload_name(&up, store, name, uuid, err) == -1) {
        return -1;
    }

    /* nobody may be writing: it would bring half of the session back */
    rc = reg_upload_lock(&up, err);

    if (rc == 0) {
        rc = reg_removal_rmtree(store, &up.dir, REG_BLOB_UPLOAD_UNKNOWN, err);
    }

    if (rc == -1 && err->code == REG_BLOB_UPLOAD_UNKNOWN) {
        (void) reg_upload_unknown(uuid, err);
    }

    reg_upload_close(&up);

    return rc;
}


/* Whether anything of the session is newer than `since`, or it is gone.  A
 * time that lies in the future is newer than any. */
static bool
reg_upload_is_newer(const reg_upload_t *up, time_t since)
{
    static const char  *parts[] = { "data", "startedat" };

    reg_path_t   path;
    struct stat  st;

    if (lstat(up->dir.text, &st) == -1 || !S_ISDIR(st.st_mode)
        || st.st_mtime > since)
    {
        return true;
    }

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        path = up->dir;
        reg_path_add(&path, parts[i]);

        if (lstat(path.text, &st) == 0 && st.st_mtime > since) {
            return true;
        }
    }

    return false;
}


int
reg_upload_claim(reg_upload_t *up, reg_store_t *store, const reg_name_t *name,
    const char *uuid, time_t since, reg_error_t *err)
{
    reg_error_t  why = REG_ERROR_INIT;

    if (reg_upload_name(up, store, name, uuid, err) == -1) {
        return -1;
    }

    if (reg_upload_is_newer(up, since)) {
        return 0;
    }

    if (reg_upload_lock(up, &why) == 0) {
        return !reg_upload_is_newer(up, since);  /* looked at, then locked */
    }

    reg_upload_close(up);

    if (why.code == REG_UPLOAD_BUSY) {
        return 0;
    }

    /* no data file: its maker died, is just about to make it, or has made it
     * a blob */
    if (why.sys == ENOENT) {
        up->offset = 0;
        return !reg_upload_is_newer(up, since - REG_UPLOAD_YOUNG);
    }

    *err = why;
    return -1;
}


int
reg_upload_drop(reg_upload_t *up, reg_error_t *err)
{
    int  rc = reg_removal_drop(up->store, &up->dir, REG_BLOB_UPLOAD_UNKNOWN,
                               err);

    reg_upload_close(up);

    return rc;
}


int
reg_upload_open(reg_upload_t *up, reg_store_t *store, const reg_name_t *name,
    const char *uuid, const reg_digest_t *want, reg_error_t *err)
{
    if (reg_upload_name(up, store, name, uuid, err) == -1) {
        return -1;
    }

    if (reg_upload_lock(up, err) == -1
        || reg_upload_take_up(up, want, err) == -1)
    {
        reg_upload_close(up);
        return -1;
    }

    return 0;
}


/* Waits until a piece is on disk.  Where that cannot be asked for, fsync in
 * commit tells; but what is told here is told to nobody again. */
static int
reg_upload_settle(reg_upload_t *up, int64_t from, reg_error_t *err)
{
    if (sync_file_range(up->fd, from, REG_UPLOAD_STEP,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE
                        | SYNC_FILE_RANGE_WAIT_AFTER) == 0
        || errno == ENOSYS || errno == EINVAL || errno == ESPIPE)
    {
        return 0;
    }

    up->lost = true;

    return reg_error_sync(err, errno, "write back", up->dir.text);
}


static int
reg_upload_write_back(reg_upload_t *up, reg_error_t *err)
{
    int64_t  old;

    while (up->offset - up->synced >= REG_UPLOAD_STEP) {
        /* only begun, so it tells of nothing that was written */
        (void) sync_file_range(up->fd, up->synced, REG_UPLOAD_STEP,
                               SYNC_FILE_RANGE_WRITE);

        old = up->synced - REG_UPLOAD_WINDOW;

        if (old >= 0 && reg_upload_settle(up, old, err) == -1) {
            return -1;
        }

        up->synced += REG_UPLOAD_STEP;
    }

    return 0;
}


/* Writes the whole blocks of data past the page cache and returns how many
 * bytes that were.  Whatever prevents it, a write as usual will tell. */
static size_t
reg_upload_write_direct(reg_upload_t *up, reg_str_t data)
{
    size_t   len = data.len - data.len % REG_UPLOAD_BLOCK;
    ssize_t  n;
    int      flags;

    if (len < REG_UPLOAD_DIRECT || up->offset < up->cached
        || up->offset % REG_UPLOAD_BLOCK != 0
        || (uintptr_t) data.data % REG_UPLOAD_BLOCK != 0)
    {
        return 0;
    }

    flags = fcntl(up->fd, F_GETFL);

    if (flags == -1 || fcntl(up->fd, F_SETFL, flags | O_DIRECT) == -1) {
        return 0;
    }

    n = up->store->sys->pwrite(up->fd, data.data, len, (off_t) up->offset);

    (void) fcntl(up->fd, F_SETFL, flags);   /* as it was, which cannot fail */

    return n > 0 ? (size_t) n : 0;
}


int
reg_upload_write(reg_upload_t *up, reg_str_t data, reg_error_t *err)
{
    size_t       done = reg_upload_write_direct(up, data);
    reg_error_t  quiet = REG_ERROR_INIT;

    if (reg_file_write(up->store->sys, up->fd,
                       (reg_str_t) { data.len - done, data.data + done },
                       up->offset + (int64_t) done, up->dir.text, err) == -1)
    {
        /* what was written in part does not count */
        (void) reg_upload_rewind(up, up->offset, &quiet);
        return -1;
    }

    up->offset += (int64_t) data.len;

    if (done > 0) {
        up->synced = up->offset;        /* but for a tail of no size */
        return 0;
    }

    return reg_upload_write_back(up, err);
}


void
reg_upload_hash(reg_upload_t *up, reg_str_t data)
{
    reg_hash_update(&up->hash, data.data, data.len);
}


int
reg_upload_append(reg_upload_t *up, reg_str_t data, reg_error_t *err)
{
    if (reg_upload_write(up, data, err) == -1) {
        return -1;
    }

    reg_upload_hash(up, data);

    return 0;
}


int
reg_upload_rewind(reg_upload_t *up, int64_t offset, reg_error_t *err)
{
    if (ftruncate(up->fd, (off_t) offset) == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "truncate",
                             up->dir.text);
    }

    up->offset = offset;

    if (up->synced > offset) {
        up->synced = offset;
    }

    return 0;
}


static int
reg_upload_save(reg_upload_t *up, reg_error_t *err)
{
    if (reg_upload_catch_up(up, err) == -1
        || reg_file_sync(up->store->sys, up->fd, up->dir.text, err) == -1
        || reg_hashstate_save(up->store, &up->dir, &up->hash, err) == -1)
    {
        return -1;
    }

    if (up->saved > 0) {
        reg_hashstate_remove(up->store, &up->dir, up->hash.alg, up->saved);
    }

    up->saved = up->offset;
    return 0;
}


int
reg_upload_suspend(reg_upload_t *up, reg_error_t *err)
{
    bool  saves = up->offset != up->saved && up->offset > REG_UPLOAD_AGAIN
                  && !up->lost;
    int   rc = saves ? reg_upload_save(up, err) : 0;

    up->lost |= rc == -1 && err->lost;
    reg_upload_close(up);

    return rc;
}


static int
reg_upload_verify(reg_upload_t *up, const reg_digest_t *want, reg_error_t *err)
{
    reg_hash_t    other;
    reg_digest_t  got;

    if (reg_upload_catch_up(up, err) == -1) {
        return -1;
    }

    reg_hash_digest(&up->hash, &got);

    if (want->alg != up->hash.alg) {
        reg_hash_init(&other, want->alg);

        if (reg_hashstate_cover(&other, up->fd, up->offset, &up->dir, err)
            == -1)
        {
            return -1;
        }

        reg_hash_digest(&other, &got);
    }

    if (reg_digest_eq(&got, want)) {
        return 0;
    }

    reg_error_detail(err, "digest", reg_digest_str(want));
    return reg_error_set(err, REG_DIGEST_INVALID,
                         "the digest does not match what was uploaded: %lld"
                         " bytes, %s", (long long) up->offset, got.text);
}


/* Leaves the directory, with nothing but startedat, to another session. */
static void
reg_upload_retire(reg_upload_t *up)
{
    reg_hashstate_discard(&up->dir);

    if (!reg_spare_give(up->store, &up->dir)) {
        reg_removal_discard(&up->dir);
    }
}


int
reg_upload_commit(reg_upload_t *up, const reg_digest_t *want, reg_error_t *err)
{
    reg_path_t           data = up->dir;
    const reg_publish_t  p = {
        .store = up->store, .name = &up->name, .digest = want,
        .from = &data, .fd = up->fd, .size = up->offset,
    };
    int                  lock, rc = -1;

    if (reg_upload_verify(up, want, err) == -1) {                   /* D1 */
        (void) reg_upload_suspend(up, err);      /* first error wins */
        return -1;
    }

    reg_path_add(&data, "data");
    lock = reg_lock_shared(up->store, &up->name, err);

    if (lock != -1 && reg_publish(&p, err) == 0) {
        reg_upload_retire(up);
        rc = 0;
    }

    up->lost |= rc == -1 && err->lost;
    reg_lock_release(lock);
    reg_upload_close(up);

    return rc;
}


void
reg_upload_close(reg_upload_t *up)
{
    if (up->fd != -1) {
        if (up->lost) {
            reg_removal_discard(&up->dir);       /* with the lock */
            up->lost = false;
        }

        (void) close(up->fd);           /* what matters was synced */
        up->fd = -1;
    }
}
