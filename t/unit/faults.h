/*
 * faults: a kernel for reg_store_t that fails, or in which the process dies,
 * at the n-th call; and that watches whether what is made visible was synced.
 *
 *     fault_reset(n, EIO, FAULT_FAILS);
 *     fault_install(FAULT_FSYNC);
 *     … the operation …
 *     if (fault.calls < n) … it was over before the n-th call
 *
 * Syncs are only counted: a process that dies takes nothing from the page
 * cache.  What a power cut would take is watched instead (D2, D3): a file must
 * be clean when it is renamed, and so must the directories of what it relies
 * on; all that was touched must be clean when the operation returns 0.
 *
 * With a journal nothing of that holds: there the power is cut.  What was not
 * synced is taken away, or its content is, and the journal must bring it back.
 */

#ifndef FAULTS_H
#define FAULTS_H

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "reg_journal.h"
#include "tree.h"

#define FAULT_DIED   77
#define FAULT_DIRTY  256

typedef enum {
    FAULT_FAILS,
    FAULT_DIES
} fault_kind_t;

typedef struct {
    size_t  n;
    ino_t   list[FAULT_DIRTY];
} fault_set_t;

static struct {
    int           at;                   /* 0: never */
    int           sys;
    fault_kind_t  kind;

    int           calls;
    int           fsyncs;
    int           fdatasyncs;
    int           syncfss;
    const char   *broken;               /* the invariant that was, or NULL */

    fault_set_t   files;                /* written, not synced */
    fault_set_t   dirs;                 /* changed, not synced */
    ino_t         failed;               /* where fsync failed */
} fault;


/* Whether there was a sync other than the journal's, also in a process that
 * has died since. */
static _Atomic bool  *fault_synced;


static inline void
fault_reset(int at, int sys, fault_kind_t kind)
{
    if (fault_synced == NULL) {
        fault_synced = mmap(NULL, sizeof(*fault_synced),
                            PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    }

    *fault_synced = false;
    memset(&fault, 0, sizeof(fault));
    fault.at = at;
    fault.sys = sys;
    fault.kind = kind;
}


static inline bool
fault_now(void)
{
    if (++fault.calls != fault.at) {
        return false;
    }

    if (fault.kind == FAULT_DIES) {
        _exit(FAULT_DIED);
    }

    errno = fault.sys;
    return true;
}


static inline bool
fault_is_dirty(const fault_set_t *set, ino_t ino)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->list[i] == ino) {
            return true;
        }
    }

    return false;
}


static inline void
fault_soil(fault_set_t *set, ino_t ino)
{
    if (!fault_is_dirty(set, ino) && set->n < FAULT_DIRTY) {
        set->list[set->n++] = ino;
    }
}


static inline void
fault_clean(fault_set_t *set, ino_t ino)
{
    for (size_t i = 0; i < set->n; i++) {
        if (set->list[i] == ino) {
            set->list[i] = set->list[--set->n];
            return;
        }
    }
}


/* Sessions, what is left of them, and temporary files promise nothing. */
static inline bool
fault_is_volatile(const char *path)
{
    return strstr(path, "/_uploads") != NULL || strstr(path, "/_tmp") != NULL
           || strstr(path, "/_spare") != NULL
           || strstr(path, "/_journal") != NULL;
}


static inline ino_t
fault_inode(const char *path)
{
    struct stat  st;

    return lstat(path, &st) == 0 ? st.st_ino : 0;
}


static inline void
fault_soil_parent(const char *path)
{
    reg_path_t  parent;

    if (!fault_is_volatile(path)) {
        parent.len = (size_t) snprintf(parent.text, sizeof(parent.text), "%s",
                                       path);
        reg_path_parent(&parent);
        fault_soil(&fault.dirs, fault_inode(parent.text));
    }
}


/* But a session that still names what has become a blob could be resumed, and
 * be written into it (D1). */
static inline void
fault_soil_session(const char *from, const char *to)
{
    reg_path_t  session;

    if (strstr(from, "/_uploads/") != NULL && strstr(to, "/blobs/") != NULL) {
        session.len = (size_t) snprintf(session.text, sizeof(session.text),
                                        "%s", from);
        reg_path_parent(&session);
        fault_soil(&fault.dirs, fault_inode(session.text));
    }
}


static inline int
fault_open(const char *path, int flags, mode_t mode)
{
    return fault_now() ? -1 : open(path, flags | O_CLOEXEC, mode);
}


static inline ssize_t
fault_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    struct stat  st;

    if (fstat(fd, &st) == 0) {
        fault_soil(&fault.files, st.st_ino);
    }

    if (fault.calls + 1 == fault.at
        && pwrite(fd, data, len / 2, offset) == -1)           /* half of it */
    {
        fault.broken = "half a write";
    }

    return fault_now() ? -1 : pwrite(fd, data, len, offset);
}


static inline int
fault_fsync(int fd)
{
    struct stat  st = { 0 };

    (void) fstat(fd, &st);              /* only to know it again */
    fault.fsyncs++;
    *fault_synced = true;

    if (fault.failed != 0 && fault.failed == st.st_ino) {
        fault.broken = "a failed fsync was tried again";
    }

    if (fault_now()) {
        fault.failed = st.st_ino;
        return -1;
    }

    fault_clean(&fault.files, st.st_ino);
    fault_clean(&fault.dirs, st.st_ino);

    return 0;
}


static inline int
fault_fdatasync(int fd)
{
    struct stat  st = { 0 };

    (void) fstat(fd, &st);
    fault.fdatasyncs++;

    if (fault_now()) {
        return -1;
    }

    fault_clean(&fault.files, st.st_ino);

    return 0;
}


static inline int
fault_syncfs(int fd)
{
    (void) fd;

    fault.syncfss++;
    *fault_synced = true;

    if (fault_now()) {
        return -1;
    }

    fault.files.n = 0;
    fault.dirs.n = 0;

    return 0;
}


static inline int
fault_mkdir(const char *path, mode_t mode)
{
    int  rc = fault_now() ? -1 : mkdir(path, mode);

    if (rc == 0) {
        fault_soil_parent(path);
    }

    return rc;
}


static inline int
fault_link(const char *from, const char *to)
{
    int  rc = fault_now() ? -1 : link(from, to);

    if (rc == 0) {
        fault_soil_parent(to);
    }

    return rc;
}


/* The ways of reg_sync.h, file by file or all at once, and the journal: without
 * a power cut, with one that takes contents, and with one that takes all.
 * Which one a store takes depends on what the machine does and on its file
 * system; here it is the test that says. */
typedef enum {
    FAULT_FSYNC,
    FAULT_SYNCFS,
    FAULT_JOURNAL,
    FAULT_TORN,
    FAULT_CUT,
    FAULT_WAYS
} fault_way_t;

static fault_way_t     fault_way;
static reg_journal_t  *fault_journal;


static inline void
fault_watch_rename(const char *from, const char *to)
{
    struct stat  st;

    if (lstat(from, &st) == 0 && S_ISREG(st.st_mode)
        && fault_is_dirty(&fault.files, st.st_ino))
    {
        fault.broken = "D2: renamed before it was synced";
    }

    /* what is dirty now is of a lower rank, unless it is its own directory's:
     * a link to a blob, a tag to a revision */
    if (strstr(to, "/repositories/") != NULL && !fault_is_volatile(to)
        && strstr(to, "/tags/") == NULL && fault.dirs.n > 0)
    {
        fault.broken = "D3: a link before what it relies on was synced";
    }
}


/* What the journal says of a file is on disk before anybody sees that file. */
static inline void
fault_watch_journal(const char *to)
{
    reg_path_t  log;

    reg_layout_journal(&log, &tree_store.v2);
    reg_path_add(&log, "log");

    if (!fault_is_volatile(to)
        && fault_is_dirty(&fault.files, fault_inode(log.text)))
    {
        fault.broken = "D2: visible before the journal was synced";
    }
}


static inline int
fault_rename(const char *from, const char *to)
{
    int  rc;

    if (fault_way < FAULT_JOURNAL) {
        fault_watch_rename(from, to);
    } else {
        fault_watch_journal(to);
    }

    rc = fault_now() ? -1 : rename(from, to);

    if (rc == 0) {
        fault_soil_parent(from);
        fault_soil_parent(to);
        fault_soil_session(from, to);
    }

    return rc;
}


static inline int
fault_unlink(const char *path)
{
    ino_t  ino = fault_inode(path);
    int    rc = fault_now() ? -1 : unlink(path);

    if (rc == 0) {
        fault_clean(&fault.files, ino);
    }

    /* the catalog may name too many: there, only what is made is synced */
    if (rc == 0 && strstr(path, "/_catalog/") == NULL) {
        fault_soil_parent(path);
    }

    return rc;
}


static inline int
fault_rmdir(const char *path)
{
    ino_t  ino = fault_inode(path);
    int    rc = fault_now() ? -1 : rmdir(path);

    if (rc == 0) {
        fault_clean(&fault.dirs, ino);
        fault_soil_parent(path);
    }

    return rc;
}


static const reg_sys_t  fault_sys = {
    .open = fault_open,
    .pwrite = fault_pwrite,
    .fsync = fault_fsync,
    .fdatasync = fault_fdatasync,
    .syncfs = fault_syncfs,
    .mkdir = fault_mkdir,
    .link = fault_link,
    .rename = fault_rename,
    .unlink = fault_unlink,
    .rmdir = fault_rmdir,
};


#define FAULT_HALF  (32 * 1024)

static inline void
fault_install(fault_way_t way)
{
    fault_way = way;
    tree_store.sys = &fault_sys;
    atomic_store(&tree_store.sync_looked, INT64_MAX / 2);
    atomic_store(&tree_store.sync_cheap, way == FAULT_SYNCFS);

    if (way == FAULT_SYNCFS && tree_store.sync_fd == -1) {
        tree_store.sync_fd = open(tree_store.v2.text, O_RDONLY | O_CLOEXEC);
    }

    if (way >= FAULT_JOURNAL && tree_store.journal == NULL) {
        size_t       redone;
        reg_error_t  err = REG_ERROR_INIT;

        reg_journal_close(fault_journal);
        fault.files.n = 0;              /* what is read there is believed */
        fault_journal = reg_journal_open(&tree_store, FAULT_HALF, &redone,
                                         &err);
        tree_store.journal = fault_journal;

        if (fault_journal == NULL || !reg_journal_is_used(fault_journal)) {
            fault.broken = "a journal that cannot be opened";
        }
    }
}


static const char  *fault_bad;          /* what the tree broke, or NULL */
static size_t       fault_links;


static inline bool
fault_content_matches(const char *path, const reg_digest_t *d)
{
    static char   chunk[64 * 1024];
    reg_hash_t    h;
    reg_digest_t  got;
    ssize_t       n;
    int           fd = open(path, O_RDONLY);

    reg_hash_init(&h, d->alg);

    while (fd != -1 && (n = read(fd, chunk, sizeof(chunk))) > 0) {
        reg_hash_update(&h, chunk, (size_t) n);
    }

    if (fd == -1) {
        return false;
    }

    (void) close(fd);
    reg_hash_digest(&h, &got);

    return reg_digest_eq(&got, d);
}


/* What the tree promises about one file. */
static inline int
fault_check_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    reg_path_t    blob, revision;
    reg_digest_t  d;
    reg_name_t    name;
    const char   *end, *repository;
    char          text[REG_DIGEST_SIZE + 1];

    (void) st;

    if (type != FTW_F || fault_is_volatile(path)) {
        return 0;
    }

    if (strcmp(path + ftw->base, "data") == 0) {               /* D1 */
        reg_path_t  dir;
        char        hex[REG_DIGEST_SIZE];

        dir.len = (size_t) snprintf(dir.text, sizeof(dir.text), "%s", path);
        reg_path_parent(&dir);
        (void) snprintf(hex, sizeof(hex), "%s:%s",
                        strstr(path, "/sha512/") ? "sha512" : "sha256",
                        strrchr(dir.text, '/') + 1);

        if (reg_digest_parse(&d, reg_str_from(hex)) == -1
            || !fault_content_matches(path, &d))
        {
            fault_bad = "D1: a blob that is not its digest";
        }

        return 0;
    }

    /* these may name too many */
    if (strstr(path, "/_catalog/") != NULL
        || strstr(path, "/_referrers/") != NULL)
    {
        return 0;
    }

    if (strcmp(path + ftw->base, "link") != 0) {
        fault_bad = "a file that nobody knows";
        return 0;
    }

    fault_links++;

    if (tree_read(path, text, sizeof(text)) == -1
        || reg_digest_parse(&d, reg_str_from(text)) == -1)
    {
        fault_bad = "half a link";
        return 0;
    }

    reg_layout_blob(&blob, &tree_store.v2, &d);

    if (!tree_has(blob.text)) {
        fault_bad = "a link to no blob";
    }

    end = strstr(path, "/_manifests/revisions/");

    if (end != NULL) {
        repository = strstr(path, "/repositories/") + 14;
        (void) reg_name_parse(&name, (reg_str_t) {
                                  (size_t) (end - repository), repository });
        reg_layout_catalog_entry(&revision, &tree_store.v2, &name);

        if (!tree_has(revision.text)) {
            fault_bad = "a repository that the catalog does not know";
        }
    }

    end = strstr(path, "/_manifests/tags/");

    if (end != NULL && strstr(path, "/current/") != NULL) {    /* D4 */
        repository = strstr(path, "/repositories/") + 14;
        (void) reg_name_parse(&name, (reg_str_t) {
                                  (size_t) (end - repository), repository });
        reg_layout_revision(&revision, &tree_store.v2, &name, &d);

        if (!tree_has(revision.text)) {
            fault_bad = "D4: a tag to no revision";
        }
    }

    return 0;
}


/* NULL, or the invariant that the tree breaks. */
static inline const char *
fault_check_tree(void)
{
    fault_bad = NULL;
    fault_links = 0;

    if (nftw(tree_store.v2.text, fault_check_one, 16, FTW_PHYS) != 0) {
        return "a tree that cannot be walked";
    }

    return fault_bad;
}


/* ---- power cuts ---------------------------------------------------------- */


#define FAULT_KEPT  64

/* The files that are on disk for good: each has a second name, outside of the
 * tree. */
static struct {
    size_t      n;
    ino_t       inodes[FAULT_KEPT];
    reg_path_t  paths[FAULT_KEPT];
} fault_kept;


static inline void
fault_kept_name(char name[sizeof(tree_root) + 32], size_t i)
{
    (void) snprintf(name, sizeof(tree_root) + 32, "%s.kept-%zu", tree_root, i);
}


static inline int
fault_keep_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    char         name[sizeof(tree_root) + 32];
    reg_path_t  *kept = &fault_kept.paths[fault_kept.n];

    (void) ftw;

    if (type != FTW_F || fault_is_volatile(path)) {
        return 0;
    }

    if (fault_kept.n == FAULT_KEPT) {
        return -1;
    }

    fault_kept_name(name, fault_kept.n);
    kept->len = (size_t) snprintf(kept->text, sizeof(kept->text), "%s", path);
    fault_kept.inodes[fault_kept.n++] = st->st_ino;

    return link(path, name);
}


static inline void
fault_forget(void)
{
    char  name[sizeof(tree_root) + 32];

    while (fault_kept.n > 0) {
        fault_kept_name(name, --fault_kept.n);
        (void) unlink(name);
    }
}


/* All that there is now is on disk. */
static inline int
fault_keep(void)
{
    fault_forget();

    return fault_way < FAULT_TORN
           ? 0 : nftw(tree_root, fault_keep_one, 16, FTW_PHYS);
}


/* What was written since has no content, or is not there. */
static inline int
fault_lose_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) ftw;

    if (type != FTW_F || fault_is_volatile(path)) {
        return 0;
    }

    for (size_t i = 0; i < fault_kept.n; i++) {
        if (fault_kept.inodes[i] == st->st_ino) {
            return 0;
        }
    }

    return fault_way == FAULT_TORN ? truncate(path, 0) : unlink(path);
}


static inline int
fault_cut_power(void)
{
    char  name[sizeof(tree_root) + 32];

    if (nftw(tree_root, fault_lose_one, 16, FTW_PHYS) != 0) {
        return -1;
    }

    for (size_t i = 0; fault_way == FAULT_CUT && i < fault_kept.n; i++) {
        fault_kept_name(name, i);

        if (!tree_has(fault_kept.paths[i].text)
            && (tree_way(fault_kept.paths[i].text) == -1
                || link(name, fault_kept.paths[i].text) == -1))
        {
            return -1;
        }
    }

    return 0;
}


/*
 * The loop: prepare makes the tree, run is the operation (0 or -1), check says
 * what is wrong with the tree after it (done: run returned 0), or NULL.  Each
 * round has a tree of its own.  After a failure the operation must work when
 * it is tried again.
 */
typedef struct {
    const char  *title;
    int        (*prepare)(void);
    int        (*run)(void);
    const char  *(*check)(bool done);
} fault_loop_t;


static inline int
fault_begin(const fault_loop_t *loop)
{
    fault_reset(0, 0, FAULT_FAILS);

    if (tree_empty() == -1 || tree_open() == -1) {
        return -1;
    }

    fault_install(fault_way);

    return loop->prepare() == 0 && fault_keep() == 0 ? 0 : -1;
}


/* The tree as a new process finds it; after a power cut, where the journal
 * alone says what became of it. */
static inline const char *
fault_verdict(const fault_loop_t *loop, bool done)
{
    const char  *bad = fault.broken;

    /* one that was not reached is not for what follows */
    fault.at = 0;

    if (bad == NULL && fault_way >= FAULT_TORN && !*fault_synced
        && fault_cut_power() == -1)
    {
        bad = "the power cannot be cut";
    }

    if (bad == NULL && tree_open() == -1) {
        bad = "a tree that cannot be opened";
    }

    fault_install(fault_way);
    bad = bad != NULL ? bad : fault.broken;
    bad = bad != NULL ? bad : fault_check_tree();
    bad = bad != NULL ? bad : loop->check(done);

    return bad == NULL && fault_keep() == -1 ? "what is on disk" : bad;
}


/* Returns the number of calls of a whole run, or -1 with *bad. */
static inline int
fault_run_whole(const fault_loop_t *loop, const char **bad)
{
    *bad = "the preparation failed";

    if (fault_begin(loop) == -1) {
        return -1;
    }

    fault_reset(0, 0, FAULT_FAILS);
    *bad = "it fails by itself";

    if (loop->run() == -1) {
        return -1;
    }

    *bad = fault_way < FAULT_JOURNAL && fault.dirs.n > 0
           ? "D3: done before all was synced" : NULL;

    int  calls = fault.calls;
    int  fsyncs = fault.fsyncs;
    int  syncfss = fault.syncfss;
    int  fdatasyncs = fault.fdatasyncs;

    if (*bad == NULL) {
        *bad = fault_verdict(loop, true);
    }

    fault.fsyncs = fsyncs;
    fault.syncfss = syncfss;
    fault.fdatasyncs = fdatasyncs;

    return *bad == NULL ? calls : -1;
}


static inline const char *
fault_run_failing(const fault_loop_t *loop, int n, int sys)
{
    const char  *bad;
    int          rc;

    if (fault_begin(loop) == -1) {
        return "the preparation failed";
    }

    fault_reset(n, sys, FAULT_FAILS);
    rc = loop->run();
    bad = fault_verdict(loop, rc == 0);

    if (bad != NULL || rc == 0) {
        return bad;
    }

    fault_reset(0, 0, FAULT_FAILS);

    if (loop->run() == -1) {
        return "it fails when it is tried again";
    }

    return fault_verdict(loop, true);
}


static inline const char *
fault_run_dying(const fault_loop_t *loop, int n)
{
    int    status;
    pid_t  pid;

    if (fault_begin(loop) == -1) {
        return "the preparation failed";
    }

    fault_reset(n, 0, FAULT_DIES);
    pid = fork();

    if (pid == 0) {
        _exit(loop->run() == 0 ? 0 : 1);
    }

    if (pid == -1 || waitpid(pid, &status, 0) == -1 || !WIFEXITED(status)) {
        return "no child, or killed by a signal";
    }

    memset(&fault, 0, sizeof(fault));

    return WEXITSTATUS(status) == 1
           ? "it fails by itself"
           : fault_verdict(loop, WEXITSTATUS(status) == 0);
}


static inline size_t
fault_descriptors(void)
{
    size_t  n = 0;

    for (int fd = 0; fd < 256; fd++) {
        n += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
    }

    return n;
}


static inline int
fault_loop_way(const fault_loop_t *loop)
{
    static const int  errnos[2] = { ENOSPC, EIO };

    const char  *bad;
    int          rounds = 0;
    int          calls = fault_run_whole(loop, &bad);
    size_t       before = fault_descriptors();

    if (calls == -1) {
        printf("%s: %s\n", loop->title, bad);
        return -1;
    }

    for (int n = 1; n <= calls; n++) {
        /* which error it is makes no difference to the journal */
        for (size_t i = fault_way >= FAULT_JOURNAL ? 1 : 0; i < 2; i++) {
            bad = fault_run_failing(loop, n, errnos[i]);
            rounds++;

            if (bad != NULL) {
                printf("%s: call %d of %d fails with %d: %s\n", loop->title, n,
                       calls, errnos[i], bad);
                return -1;
            }
        }

        bad = fault_run_dying(loop, n);
        rounds++;

        if (bad != NULL) {
            printf("%s: the process dies in call %d of %d: %s\n", loop->title,
                   n, calls, bad);
            return -1;
        }
    }

    if (fault_descriptors() != before) {
        printf("%s: descriptors leak\n", loop->title);
        return -1;
    }

    return rounds;
}


/* All of it, both ways; the number of rounds, or -1 after saying what went
 * wrong. */
static inline int
fault_loop(const fault_loop_t *loop)
{
    int  rounds = 0, n;

    for (int way = 0; way < FAULT_WAYS; way++) {
        fault_way = (fault_way_t) way;
        n = fault_loop_way(loop);
        fault_forget();

        if (n == -1) {
            return -1;
        }

        rounds += n;
    }

    fault_way = FAULT_FSYNC;

    return rounds;
}


/* The fewest syncs of an operation in a few runs: two directories that share a
 * place in the store's table, by chance, cost some more. */
static inline int
fault_fewest_syncs(const fault_loop_t *loop)
{
    int          fewest = INT_MAX;
    const char  *bad;

    for (int run = 0; run < 5; run++) {
        if (fault_run_whole(loop, &bad) == -1) {
            printf("%s: %s\n", loop->title, bad);
            return -1;
        }

        if (fault.fsyncs + fault.syncfss < fewest) {
            fewest = fault.fsyncs + fault.syncfss;
        }
    }

    printf("%s: %d syncs, %d fdatasync\n", loop->title, fewest,
           fault.fdatasyncs);

    return fewest;
}


/* Of all ways the one with the most, or -1. */
static inline int
fault_count_syncs(const fault_loop_t *loop)
{
    int  n, most = 0;

    for (int way = 0; way < FAULT_WAYS; way++) {
        fault_way = (fault_way_t) way;
        n = fault_fewest_syncs(loop);

        if (n == -1) {
            return -1;
        }

        most = n > most ? n : most;
    }

    fault_way = FAULT_FSYNC;

    return most;
}

#endif
