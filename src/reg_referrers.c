#include "reg_referrers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_durable.h"
#include "reg_file.h"
#include "reg_link.h"
#include "reg_removal.h"


/* a clean-up may replace the file while we wait for its lock */
#define REG_REFERRERS_TRIES  16


/* ---- reading ------------------------------------------------------------- */


/* Calls each for every line of a subject's file; one that is not there, or is
 * none, has no lines. */
static int
reg_referrers_read(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, reg_referrer_pt each, void *ctx,
    reg_error_t *err)
{
    reg_path_t   path;
    struct stat  st;
    int          fd, rc = 0;

    reg_layout_referrers(&path, &store->v2, name, subject);
    fd = open(path.text, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd == -1) {
        return reg_error_is_missing(errno)
               ? 0 : reg_error_sys(err, errno, REG_UNKNOWN, "open",
                                   path.text);
    }

    /* a device would never end */
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        rc = reg_referrer_scan(fd, path.text, each, ctx, err);
    }

    (void) close(fd);                   /* was only read */

    return rc;
}


/* The directories of a repository's manifests, so that whether one exists
 * costs one fstatat, however long the path is. */
typedef struct {
    int  fd[REG_ALGS];                  /* -1: it has none */
} reg_referrers_dirs_t;


/* To be closed in any case. */
static int
reg_referrers_dirs_open(reg_referrers_dirs_t *dirs, reg_store_t *store,
    const reg_name_t *name, reg_error_t *err)
{
    reg_path_t  path;
    int         rc = 0;

    for (int alg = 0; alg < REG_ALGS; alg++) {
        reg_layout_revisions(&path, &store->v2, name, (reg_alg_t) alg);
        dirs->fd[alg] = open(path.text, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (dirs->fd[alg] == -1 && !reg_error_is_missing(errno)) {
            rc = reg_error_sys(err, errno, REG_UNKNOWN, "open", path.text);
        }
    }

    return rc;
}


static void
reg_referrers_dirs_close(reg_referrers_dirs_t *dirs)
{
    for (int alg = 0; alg < REG_ALGS; alg++) {
        if (dirs->fd[alg] != -1) {
            (void) close(dirs->fd[alg]);         /* nothing was written */
        }
    }
}


static bool
reg_referrers_exists(const reg_referrers_dirs_t *dirs, reg_str_t digest)
{
    char          link[REG_DIGEST_SIZE + sizeof("/link")];
    reg_digest_t  d;

    if (reg_digest_parse(&d, digest) == -1 || dirs->fd[d.alg] == -1) {
        return false;
    }

    /* fits */
    (void) snprintf(link, sizeof(link), "%s/link", reg_digest_hex(&d));

    return reg_link_looks_like(dirs->fd[d.alg], link, &d);
}


typedef struct {
    reg_referrers_dirs_t   dirs;
    reg_str_t              after;
    bool                   passed;     /* `after` has been seen */
    reg_referrer_pt        item;
    void                  *ctx;
} reg_referrers_walk_t;


static int
reg_referrers_walk_one(void *data, const reg_referrer_item_t *item)
{
    reg_referrers_walk_t  *w = data;

    if (!w->passed) {
        w->passed = reg_str_eq(item->digest, w->after);
        return 0;
    }

    return reg_referrers_exists(&w->dirs, item->digest)
           ? w->item(w->ctx, item) : 0;
}


int
reg_referrers_list(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, reg_str_t after, reg_referrer_pt item,
    void *ctx, reg_error_t *err)
{
    reg_referrers_walk_t  w = {
        .after = after, .passed = after.len == 0, .item = item, .ctx = ctx
    };
    int                   rc = reg_referrers_dirs_open(&w.dirs, store, name,
                                                        err);

    if (rc == 0) {
        rc = reg_referrers_read(store, name, subject, reg_referrers_walk_one,
                                &w, err);
    }

    reg_referrers_dirs_close(&w.dirs);

    return rc;
}


/* ---- writing ------------------------------------------------------------- */


/* Opens and locks the file, made if need be.  -1 with err filled. */
static int
reg_referrers_lock(reg_store_t *store, const reg_path_t *path,
    reg_error_t *err)
{
    struct stat  here, there;
    reg_path_t   dir = *path;
    int          fd;

    reg_path_parent(&dir);

    for (int tries = 0; tries < REG_REFERRERS_TRIES; tries++) {
        fd = store->sys->open(path->text, O_RDWR | O_CREAT | O_NOFOLLOW,
                              0644);

        if (fd == -1 && errno == ENOENT) {
            if (reg_dir_mkdir(store, &dir, err) == -1) {
                return -1;
            }
            continue;
        }

        if (fd == -1 || flock(fd, LOCK_EX) == -1 || fstat(fd, &here) == -1) {
            (void) reg_error_sys(err, errno, REG_UNKNOWN, "lock", path->text);
            if (fd != -1) {
                (void) close(fd);       /* nothing was written */
            }
            return -1;
        }

        if (lstat(path->text, &there) == 0 && here.st_ino == there.st_ino
            && here.st_dev == there.st_dev)
        {
            return fd;
        }

        (void) close(fd);               /* it is another file by now */
    }

    return reg_error_sys(err, EBUSY, REG_UNKNOWN, "lock", path->text);
}


typedef struct {
    reg_str_t         digest;
    const reg_buf_t  *line;
    bool              known;            /* the file has it */
} reg_referrers_mark_t;

typedef struct {
    reg_referrers_mark_t  *list;        /* sorted by digest */
    size_t                 n;
} reg_referrers_marks_t;


static int
reg_referrers_mark_order(const void *a, const void *b)
{
    return reg_str_compare(((const reg_referrers_mark_t *) a)->digest,
                           ((const reg_referrers_mark_t *) b)->digest);
}


static int
reg_referrers_mark_one(void *data, const reg_referrer_item_t *item)
{
    reg_referrers_marks_t  *marks = data;
    reg_referrers_mark_t    key = { .digest = item->digest }, *found;

    found = bsearch(&key, marks->list, marks->n, sizeof(key),
                    reg_referrers_mark_order);
    if (found != NULL) {
        found->known = true;
    }

    return 0;
}


/* Collects the lines that the locked file does not have: how many, or -1. */
static int
reg_referrers_missing(int fd, const reg_path_t *path,
    const reg_referrer_t *refs, size_t n, reg_buf_t *lines, reg_error_t *err)
{
    reg_referrers_marks_t  marks = { calloc(n, sizeof(*marks.list)), n };
    int                    added = -1;

    if (marks.list == NULL) {
        return reg_error_sys(err, ENOMEM, REG_UNKNOWN, "add to", path->text);
    }

    for (size_t i = 0; i < n; i++) {
        marks.list[i].digest = reg_digest_str(&refs[i].digest);
        marks.list[i].line = &refs[i].line;
    }

    /* so that a long list and a long file do not multiply */
    qsort(marks.list, n, sizeof(*marks.list), reg_referrers_mark_order);

    if (reg_referrer_scan(fd, path->text, reg_referrers_mark_one, &marks, err)
        == 0)
    {
        added = 0;

        for (size_t i = 0; i < n; i++) {
            if (!marks.list[i].known) {
                reg_buf_putstr(lines, reg_buf_str(marks.list[i].line));
                added++;
            }
        }
    }

    free(marks.list);

    return added;
}


/* Appends the lines that the locked file does not have: how many, or -1. */
static int
reg_referrers_append(reg_store_t *store, int fd, const reg_path_t *path,
    const reg_referrer_t *refs, size_t n, reg_error_t *err)
{
    reg_buf_t  lines = REG_BUF_INIT;
    int64_t    end = reg_referrer_mend(fd);
    int        added = -1;

    if (end == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "truncate", path->text);
    }

    added = reg_referrers_missing(fd, path, refs, n, &lines, err);

    if (added == -1) {
        goto out;
    }

    if (!reg_buf_ok(&lines)) {
        added = reg_error_sys(err, ENOMEM, REG_UNKNOWN, "add to", path->text);
        goto out;
    }

    if (reg_file_write(store->sys, fd, reg_buf_str(&lines), end, path->text,
                       err) == -1)
    {
        added = -1;                     /* who comes next takes it back */
    }

out:
    reg_buf_free(&lines);
    return added;
}


/* After a sync that failed: what it lost is still read, and no sync would write
 * it.  So all is written once more, for the next one. */
static void
reg_referrers_again(reg_store_t *store, int fd)
{
    char     chunk[4096];
    off_t    at = 0;
    ssize_t  n;

    /* best effort: whoever comes next adds a line, or relies on one */
    if (flock(fd, LOCK_EX) == -1) {
        return;
    }

    while ((n = pread(fd, chunk, sizeof(chunk), at)) > 0
           && store->sys->pwrite(fd, chunk, (size_t) n, at) == n)
    {
        at += n;
    }
}


int
reg_referrers_add(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, const reg_referrer_t *refs, size_t n,
    reg_error_t *err)
{
    reg_durable_t  t;
    reg_path_t     path;
    int            fd, added, rc = -1;

    if (n == 0) {
        return 0;
    }

    reg_durable_init(&t, store);
    reg_layout_referrers(&path, &store->v2, name, subject);

    fd = reg_referrers_lock(store, &path, err);
    if (fd == -1) {
        return -1;
    }

    added = reg_referrers_append(store, fd, &path, refs, n, err);
    if (added == -1) {
        goto out;
    }

    (void) flock(fd, LOCK_UN);          /* others may append while we sync */

    if (reg_durable_keep(&t, 0, fd, &path, err) == -1
        || reg_durable_commit(&t, err) == -1)
    {
        goto out;
    }

    rc = added;

out:
    if (rc == -1 && err->lost) {
        reg_referrers_again(store, fd);
    }

    reg_durable_free(&t);
    (void) close(fd);                   /* synced, or reported */
    return rc;
}


typedef struct {
    reg_referrers_dirs_t  dirs;
    reg_buf_t             lines;
    int                   gone;
} reg_referrers_clean_t;


static int
reg_referrers_clean_one(void *data, const reg_referrer_item_t *item)
{
    reg_referrers_clean_t  *c = data;

    if (!reg_referrers_exists(&c->dirs, item->digest)) {
        c->gone++;
        return 0;
    }

    reg_buf_putstr(&c->lines, item->line);
    reg_buf_puts(&c->lines, "\n");

    return reg_buf_ok(&c->lines) ? 0 : 1;
}


/* The same for a file that is locked and old enough. */
static int
reg_referrers_clean_locked(reg_store_t *store, const reg_name_t *name,
    const reg_path_t *path, int fd, reg_error_t *err)
{
    reg_referrers_clean_t  c = { .lines = REG_BUF_INIT };
    reg_durable_t          t;
    reg_path_t             stop;
    int                    rc = -1;

    reg_durable_init(&t, store);
    reg_layout_repository(&stop, &store->v2, name);

    if (reg_referrers_dirs_open(&c.dirs, store, name, err) == -1
        || reg_referrer_scan(fd, path->text, reg_referrers_clean_one, &c, err)
           == -1)
    {
        goto out;
    }

    if (!reg_buf_ok(&c.lines)) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "clean", path->text);
        goto out;
    }

    if (c.gone == 0
        || (c.lines.len == 0
            && reg_removal_unlink(store, path, &stop, REG_UNKNOWN, err) == 0)
        || (c.lines.len > 0
            && reg_durable_put(&t, 0, path, reg_buf_str(&c.lines), err) == 0
            && reg_durable_commit(&t, err) == 0))
    {
        rc = c.gone;
    }

out:
    reg_durable_free(&t);
    reg_referrers_dirs_close(&c.dirs);
    reg_buf_free(&c.lines);
    return rc;
}


int
reg_referrers_clean(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *subject, time_t before, reg_error_t *err)
{
    reg_path_t   path;
    struct stat  st;
    int          fd, rc = 0;

    reg_layout_referrers(&path, &store->v2, name, subject);

    if (lstat(path.text, &st) == -1 || st.st_mtime >= before) {
        return 0;
    }

    fd = reg_referrers_lock(store, &path, err);
    if (fd == -1) {
        return -1;
    }

    /* somebody may have written to it, or made it again, meanwhile */
    if (fstat(fd, &st) == 0 && st.st_mtime < before) {
        rc = reg_referrers_clean_locked(store, name, &path, fd, err);
    }

    (void) close(fd);                   /* the lock goes with it */
    return rc;
}
