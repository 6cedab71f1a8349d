#include "reg_durable.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_file.h"
#include "reg_hash.h"
#include "reg_sync.h"
#include "reg_tmp.h"


/* how often a rename is tried again when gc or a delete removes the directory
 * that was just made for it */
#define REG_DURABLE_RETRIES  8

/* a file of more bytes is synced by itself, not in a common round */
#define REG_DURABLE_LARGE    (1024 * 1024)


void
reg_durable_init(reg_durable_t *t, reg_store_t *store)
{
    t->store = store;
    t->nfiles = 0;
    t->files = NULL;
    t->ndirs = 0;
    t->nmarks = 0;
}


/* ---- directories whose entry is known to be durable ---------------------- */


/* A number for a directory that no other one ever has, 0 if the file system
 * cannot tell. */
static uint64_t
reg_durable_identity(int fd)
{
    struct statx  sx;

    if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &sx) == -1
        || (sx.stx_mask & STATX_BTIME) == 0)
    {
        return 0;
    }

    const uint64_t  words[] = {
        makedev(sx.stx_dev_major, sx.stx_dev_minor), sx.stx_ino,
        (uint64_t) sx.stx_btime.tv_sec, sx.stx_btime.tv_nsec
    };

    return reg_hash_words(words, sizeof(words) / sizeof(words[0])) | 1;
}


static bool
reg_durable_known(reg_store_t *store, uint64_t id)
{
    return id != 0 && atomic_load_explicit(&store->dirs[id % REG_STORE_DIRS],
                                           memory_order_relaxed) == id;
}


static void
reg_durable_know(reg_store_t *store, uint64_t id)
{
    if (id != 0) {
        atomic_store_explicit(&store->dirs[id % REG_STORE_DIRS], id,
                              memory_order_relaxed);
    }
}


/* ---- barriers ------------------------------------------------------------ */


/* Ends a barrier: what it covers is durable if rc is 0. */
static int
reg_durable_end_barrier(reg_durable_t *t, int rc)
{
    for (size_t i = 0; i < t->ndirs; i++) {
        (void) close(t->dirs[i].fd);    /* was only read */
    }

    for (size_t i = 0; rc == 0 && i < t->nmarks; i++) {
        reg_durable_know(t->store, t->marks[i]);
    }

    t->ndirs = 0;
    t->nmarks = 0;

    return rc;
}


static int
reg_durable_sync_dirs(reg_durable_t *t, reg_error_t *err)
{
    int  rc = 0;

    if (t->ndirs > 0) {
        rc = reg_sync_group(t->store);

        if (rc != 0) {
            return reg_durable_end_barrier(t, rc == 1 ? 0
                       : reg_error_sync(err, errno, "syncfs",
                                        t->store->v2.text));
        }
    }

    for (size_t i = 0; rc == 0 && i < t->ndirs; i++) {
        rc = reg_file_sync(t->store->sys, t->dirs[i].fd,
                           "a directory of the transaction", err);
    }

    return reg_durable_end_barrier(t, rc);
}


/* Takes over a descriptor of a directory that the next barrier syncs. */
static int
reg_durable_add_dir(reg_durable_t *t, int fd, reg_error_t *err)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        (void) close(fd);
        return reg_error_sys(err, errno, REG_UNKNOWN, "fstat", "directory");
    }

    /* full: synced now, which is only earlier than need be */
    if ((t->ndirs == REG_DURABLE_SYNCS || t->nmarks == REG_DURABLE_SYNCS)
        && reg_durable_sync_dirs(t, err) == -1)
    {
        (void) close(fd);
        return -1;
    }

    for (size_t i = 0; i < t->ndirs; i++) {
        if (t->dirs[i].ino == st.st_ino && t->dirs[i].dev == st.st_dev) {
            (void) close(fd);
            return 0;
        }
    }

    t->dirs[t->ndirs++] = (reg_durable_dir_t) { fd, st.st_dev, st.st_ino };
    return 0;
}


/* ---- directories --------------------------------------------------------- */


/* Makes dir, and stages the sync of every directory on the way to it whose
 * next entry is not known to be durable (D3). */
static int
reg_durable_need_dir(reg_durable_t *t, const reg_path_t *dir, reg_error_t *err)
{
    reg_path_t  path = *dir;
    uint64_t    id, above;
    int         fd = reg_dir_need(t->store, dir, err);

    if (fd == -1) {
        return -1;
    }

    id = reg_durable_identity(fd);
    (void) close(fd);                   /* was only read */

    while (!reg_durable_known(t->store, id) && path.len > t->store->v2.len) {
        reg_path_parent(&path);
        fd = reg_dir_open(t->store, path.text);

        if (fd == -1) {
            return reg_error_sys(err, errno, REG_UNKNOWN, "open", path.text);
        }

        above = reg_durable_identity(fd);

        if (reg_durable_add_dir(t, fd, err) == -1) {
            return -1;
        }

        t->marks[t->nmarks++] = id;
        id = above;
    }

    return 0;
}


/* ---- files --------------------------------------------------------------- */


static reg_durable_file_t *
reg_durable_stage(reg_durable_t *t, int rank, const reg_path_t *to,
    reg_error_t *err)
{
    reg_durable_file_t  *files;

    assert(rank >= 0 && rank < REG_DURABLE_RANKS);

    files = realloc(t->files, (t->nfiles + 1) * sizeof(*files));
    if (files == NULL) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "stage", to->text);
        return NULL;
    }

    t->files = files;
    files += t->nfiles++;

    files->rank = rank;
    files->fd = -1;
    files->owned = true;
    files->from.len = 0;
    files->from.text[0] = '\0';
    files->to = *to;

    return files;
}


static int
reg_durable_stage_dir(reg_durable_t *t, const reg_durable_file_t *file,
    reg_error_t *err)
{
    reg_path_t  dir = file->to;

    reg_path_parent(&dir);
    return reg_durable_need_dir(t, &dir, err);
}


int
reg_durable_put(reg_durable_t *t, int rank, const reg_path_t *to,
    reg_str_t content, reg_error_t *err)
{
    reg_durable_file_t  *file = reg_durable_stage(t, rank, to, err);
    reg_path_t           from;

    if (file == NULL || reg_durable_stage_dir(t, file, err) == -1) {
        return -1;
    }

    file->fd = reg_file_open_same(t->store, to->text, content);

    if (file->fd != -1) {
        return 0;
    }

    if (reg_tmp_new(&from, t->store, err) == -1) {
        return -1;
    }

    file->fd = reg_tmp_create(t->store, &from, content, err);

    if (file->fd == -1) {
        return -1;
    }

    file->from = from;
    return 0;
}


int
reg_durable_keep(reg_durable_t *t, int rank, int fd, const reg_path_t *at,
    reg_error_t *err)
{
    reg_durable_file_t  *file = reg_durable_stage(t, rank, at, err);

    if (file == NULL) {
        return -1;
    }

    file->fd = fd;
    file->owned = false;

    return reg_durable_stage_dir(t, file, err);
}


int
reg_durable_move(reg_durable_t *t, int rank, const reg_path_t *from, int fd,
    const reg_path_t *to, reg_error_t *err)
{
    if (reg_durable_keep(t, rank, fd, to, err) == -1) {
        return -1;
    }

    t->files[t->nfiles - 1].from = *from;
    return 0;
}


/* ---- commit -------------------------------------------------------------- */


/* Whether a file is so large that others should not wait for its bytes. */
static bool
reg_durable_is_large(int fd)
{
    struct stat  st;

    return fstat(fd, &st) == -1 || st.st_size > REG_DURABLE_LARGE;
}


static int
reg_durable_sync_files(reg_durable_t *t, reg_error_t *err)
{
    for (size_t i = 0; i < t->nfiles; i++) {
        /* a hint: blocks are allocated now, so that the first fsync's commit
         * serves the others too */
        (void) sync_file_range(t->files[i].fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    }

    for (size_t i = 0; i < t->nfiles; i++) {
        if (reg_file_sync(t->store->sys, t->files[i].fd,
                          t->files[i].to.text, err) == -1)
        {
            return -1;
        }
    }

    return reg_durable_sync_dirs(t, err);
}


static int
reg_durable_sync_large(reg_durable_t *t, reg_error_t *err)
{
    for (size_t i = 0; i < t->nfiles; i++) {
        if (reg_durable_is_large(t->files[i].fd)
            && reg_file_sync(t->store->sys, t->files[i].fd,
                             t->files[i].to.text, err) == -1)
        {
            return -1;
        }
    }

    return 0;
}


/* D2: contents, and the directories that they will be in. */
static int
reg_durable_sync_contents(reg_durable_t *t, reg_error_t *err)
{
    int  rc = reg_sync_group(t->store);

    if (rc == 0) {
        return reg_durable_sync_files(t, err);
    }

    if (rc == -1) {
        (void) reg_error_sync(err, errno, "syncfs", t->store->v2.text);
        return reg_durable_end_barrier(t, -1);
    }

    /* a write-back that failed before the round is known to the file only */
    for (size_t i = 0; i < t->nfiles; i++) {
        if (sync_file_range(t->files[i].fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE)
            == -1)
        {
            (void) reg_error_sync(err, errno, "write back",
                                  t->files[i].to.text);
            return reg_durable_end_barrier(t, -1);
        }
    }

    return reg_durable_end_barrier(t, 0);
}


static int
reg_durable_publish(reg_durable_t *t, reg_durable_file_t *file,
    reg_error_t *err)
{
    for (int tries = 0; ; tries++) {
        if (t->store->sys->rename(file->from.text, file->to.text) == 0) {
            file->from.len = 0;
            return 0;
        }

        if (errno != ENOENT || tries == REG_DURABLE_RETRIES) {
            return reg_error_sys(err, errno, REG_UNKNOWN, "rename",
                                 file->to.text);
        }

        /* somebody removed the directory while it was empty */
        if (reg_durable_stage_dir(t, file, err) == -1
            || reg_durable_sync_dirs(t, err) == -1)
        {
            return -1;
        }
    }
}


/* Stages the sync of the directory that path is in. */
static int
reg_durable_need_parent(reg_durable_t *t, const reg_path_t *path,
    reg_error_t *err)
{
    reg_path_t  dir = *path;
    int         fd;

    reg_path_parent(&dir);
    fd = reg_dir_open(t->store, dir.text);

    if (fd == -1 && errno == ENOENT) {
        return 0;                                /* it was deleted since */
    }

    return fd != -1 ? reg_durable_add_dir(t, fd, err)
                    : reg_error_sys(err, errno, REG_UNKNOWN, "open",
                                    dir.text);
}


/* Makes one file visible.  A name that it had before, and that somebody could
 * write to, must go with the same barrier: a session that still had it after a
 * power cut would be resumed into a blob (D1). */
static int
reg_durable_publish_one(reg_durable_t *t, reg_durable_file_t *file,
    reg_error_t *err)
{
    reg_path_t  from = file->from;

    if (from.len > 0
        && (reg_durable_publish(t, file, err) == -1
            || (!file->owned
                && reg_durable_need_parent(t, &from, err) == -1)))
    {
        return -1;
    }

    return reg_durable_need_parent(t, &file->to, err);
}


static int
reg_durable_publish_rank(reg_durable_t *t, int rank, reg_error_t *err)
{
    for (size_t i = 0; i < t->nfiles; i++) {
        if (t->files[i].rank == rank
            && reg_durable_publish_one(t, &t->files[i], err) == -1)
        {
            return -1;
        }
    }

    return reg_durable_sync_dirs(t, err);                           /* D3 */
}


static int
reg_durable_publish_all(reg_durable_t *t, reg_error_t *err)
{
    if (reg_durable_sync_contents(t, err) == -1) {
        return -1;
    }

    for (int rank = 0; rank < REG_DURABLE_RANKS; rank++) {
        if (reg_durable_publish_rank(t, rank, err) == -1) {
            return -1;
        }
    }

    return 0;
}


int
reg_durable_commit(reg_durable_t *t, reg_error_t *err)
{
    int  rc;

    if (reg_durable_sync_large(t, err) == -1) {
        return -1;
    }

    reg_sync_join(t->store);
    rc = reg_durable_publish_all(t, err);
    reg_sync_leave(t->store);

    return rc;
}


void
reg_durable_free(reg_durable_t *t)
{
    for (size_t i = 0; i < t->nfiles; i++) {
        reg_durable_file_t  *file = &t->files[i];

        if (!file->owned) {
            continue;
        }

        if (file->fd != -1) {
            (void) close(file->fd);     /* synced, or about to be unlinked */
        }

        if (file->from.len > 0) {
            (void) t->store->sys->unlink(file->from.text);    /* else litter */
        }
    }

    for (size_t i = 0; i < t->ndirs; i++) {
        (void) close(t->dirs[i].fd);    /* was only read */
    }

    free(t->files);
    reg_durable_init(t, t->store);
}
