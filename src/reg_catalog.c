#include "reg_catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_file.h"
#include "reg_lists.h"
#include "reg_lock.h"
#include "reg_newcomers.h"
#include "reg_repo.h"


#define REG_CATALOG_WHOLE  ".whole"

/* repositories of which a manifest is remembered */
#define REG_CATALOG_HINTS  8192


/* A manifest that a repository had. */
typedef struct {
    uint64_t      hash;                 /* of the name */
    reg_digest_t  manifest;             /* "": free */
} reg_catalog_hint_t;

struct reg_catalog_s {
    reg_store_t         *store;
    int64_t              max_age;
    reg_newcomers_t     *newcomers;
    pthread_mutex_t      lock;          /* over the hints */
    reg_catalog_hint_t   hints[REG_CATALOG_HINTS];
};


reg_catalog_t *
reg_catalog_create(reg_store_t *store, int64_t max_age, reg_error_t *err)
{
    reg_catalog_t  *catalog = calloc(1, sizeof(*catalog));

    if (catalog == NULL
        || (catalog->newcomers = reg_newcomers_create(store)) == NULL)
    {
        free(catalog);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    catalog->store = store;
    catalog->max_age = max_age;
    (void) pthread_mutex_init(&catalog->lock, NULL);     /* cannot fail */

    return catalog;
}


void
reg_catalog_free(reg_catalog_t *catalog)
{
    if (catalog != NULL) {
        (void) pthread_mutex_destroy(&catalog->lock);    /* nobody holds it */
        reg_newcomers_free(catalog->newcomers);
        free(catalog);
    }
}


/* ---- whether a repository is one ----------------------------------------- */


/* Two names may share a place, even a hash: then a manifest is looked for
 * where it never was, and not found. */
static bool
reg_catalog_hint(reg_catalog_t *catalog, uint64_t hash, reg_digest_t *manifest)
{
    const reg_catalog_hint_t  *hint;
    bool                       known;

    hint = &catalog->hints[hash % REG_CATALOG_HINTS];

    (void) pthread_mutex_lock(&catalog->lock);    /* fails for misuse only */
    known = hint->hash == hash && hint->manifest.text[0] != '\0';

    if (known) {
        *manifest = hint->manifest;
    }

    (void) pthread_mutex_unlock(&catalog->lock);

    return known;
}


static void
reg_catalog_remember(reg_catalog_t *catalog, uint64_t hash,
    const reg_digest_t *manifest)
{
    (void) pthread_mutex_lock(&catalog->lock);    /* fails for misuse only */
    catalog->hints[hash % REG_CATALOG_HINTS] =
        (reg_catalog_hint_t) { hash, *manifest };
    (void) pthread_mutex_unlock(&catalog->lock);
}


/* 1, 0, or -1 if that cannot be said.  v2 is the open directory, or AT_FDCWD:
 * half of each path is walked once for a page, not for every name. */
static int
reg_catalog_holds(reg_catalog_t *catalog, int v2, const reg_name_t *name,
    reg_error_t *err)
{
    int           rc;
    uint64_t      hash = reg_str_hash(reg_name_str(name));
    reg_path_t    path;
    reg_digest_t  manifest;
    struct stat   st;

    if (reg_catalog_hint(catalog, hash, &manifest)) {
        reg_layout_revision(&path, &catalog->store->v2, name, &manifest);

        if (fstatat(v2, v2 == AT_FDCWD ? path.text
                        : path.text + catalog->store->v2.len + 1, &st,
                    AT_SYMLINK_NOFOLLOW) == 0)
        {
            return 1;
        }
    }

    rc = reg_repo_has_manifest(catalog->store, name, &manifest, err);

    if (rc == 1) {
        reg_catalog_remember(catalog, hash, &manifest);
    }

    return rc;
}


/* ---- the list ------------------------------------------------------------ */


int64_t
reg_catalog_age(const reg_catalog_t *catalog, time_t now)
{
    reg_path_t   path;
    struct stat  st;

    reg_layout_catalog(&path, &catalog->store->v2);
    reg_path_add(&path, REG_CATALOG_WHOLE);

    return lstat(path.text, &st) == 0 && S_ISREG(st.st_mode)
           && st.st_mtime <= now
           ? (int64_t) now - st.st_mtime : -1;
}


/* Opens an empty file, which is made if it is not there.  It is not synced: the
 * directory is, at the end. */
static int
reg_catalog_touch(reg_store_t *store, const reg_path_t *path,
    reg_error_t *err)
{
    int  fd = store->sys->open(path->text, O_WRONLY | O_CREAT | O_NOFOLLOW
                               | O_NONBLOCK, 0644);

    return fd != -1 ? fd : reg_error_sys(err, errno, REG_UNKNOWN, "create",
                                         path->text);
}


/* Puts a repository that is none of ours into the index: 1, or 0 if it is there
 * or has no manifest. */
static int
reg_catalog_put(reg_catalog_t *catalog, const reg_name_t *name,
    reg_error_t *err)
{
    int          fd, rc;
    reg_path_t   path;
    struct stat  st;

    reg_layout_catalog_entry(&path, &catalog->store->v2, name);

    if (lstat(path.text, &st) == 0) {
        return 0;
    }

    rc = reg_catalog_holds(catalog, AT_FDCWD, name, err);

    if (rc != 1) {
        return rc;
    }

    fd = reg_catalog_touch(catalog->store, &path, err);

    if (fd != -1) {
        (void) close(fd);                        /* nothing was written */
    }

    return fd == -1 ? -1 : 1;
}


typedef struct {
    reg_catalog_t  *catalog;
    int             added;
} reg_catalog_found_t;


/* For reg_newcomers_look(). */
static void
reg_catalog_found(void *ctx, const reg_name_t *name)
{
    reg_catalog_found_t  *found = ctx;
    reg_error_t           quiet = REG_ERROR_INIT;

    /* where nothing can be written, it waits for a walk */
    found->added += reg_catalog_put(found->catalog, name, &quiet) == 1;
}


/* Opens the index, with what has just appeared; false if there is none that is
 * good. */
static bool
reg_catalog_open(reg_catalog_t *catalog, reg_list_t *list)
{
    reg_store_t          *store = catalog->store;
    reg_path_t            dir;
    reg_error_t           quiet = REG_ERROR_INIT;
    int64_t               age = reg_catalog_age(catalog, time(NULL));
    reg_catalog_found_t   found = { catalog, 0 };

    reg_layout_catalog(&dir, &store->v2);

    if (age < 0 || age > catalog->max_age
        || reg_lists_open(store->lists, &dir, REG_NAMES_CATALOG, list, &quiet)
           == -1)
    {
        return false;
    }

    reg_newcomers_look(catalog->newcomers, list->names, reg_catalog_found,
                       &found);

    if (found.added == 0) {
        return true;
    }

    reg_list_close(list);

    return reg_lists_open(store->lists, &dir, REG_NAMES_CATALOG, list, &quiet)
           == 0;
}


int
reg_catalog_list(reg_catalog_t *catalog, reg_str_t last,
    int (*item)(void *ctx, reg_str_t name), void *ctx, reg_error_t *err)
{
    reg_list_t  list;
    reg_name_t  name;
    int         v2, rc = 0;

    if (!reg_catalog_open(catalog, &list)) {
        return reg_repo_list(catalog->store, last, item, ctx, err);
    }

    v2 = open(catalog->store->v2.text, O_PATH | O_DIRECTORY | O_CLOEXEC);
    v2 = v2 == -1 ? AT_FDCWD : v2;

    for (size_t i = reg_names_after(list.names, last); i < list.names->n; i++)
    {
        if (reg_name_parse(&name, list.names->list[i]) == -1) {
            continue;
        }

        rc = reg_catalog_holds(catalog, v2, &name, err);

        if (rc == -1 || (rc == 1 && item(ctx, reg_name_str(&name)) != 0)) {
            break;
        }
    }

    if (v2 != AT_FDCWD) {
        (void) close(v2);                        /* only a place */
    }

    reg_list_close(&list);

    return rc == -1 ? -1 : 0;
}


/* ---- pushes and deletes -------------------------------------------------- */


void
reg_catalog_add(reg_change_t *c, const reg_name_t *name)
{
    reg_path_t   path;
    struct stat  st;

    reg_layout_catalog_entry(&path, &c->store->v2, name);

    /* whoever made it may not have synced it yet, in which case a power cut
     * costs the entry until the next check */
    if (lstat(path.text, &st) == -1) {
        reg_change_put(c, 0, &path, REG_STR_NULL);
    }
}


void
reg_catalog_drop(reg_store_t *store, const reg_name_t *name)
{
    reg_path_t   path;
    reg_error_t  quiet = REG_ERROR_INIT;

    if (reg_repo_has_manifest(store, name, NULL, &quiet) == 0) {
        reg_layout_catalog_entry(&path, &store->v2, name);

        /* one that stays is passed over */
        (void) store->sys->unlink(path.text);
    }
}


/* ---- the check ----------------------------------------------------------- */


typedef struct {
    reg_catalog_t              *catalog;
    const reg_catalog_watch_t  *watch;
    reg_catalog_count_t        *count;
    int                         fd;     /* of the index */
    bool                        ended;  /* by the watch */
    reg_error_t                *err;
} reg_catalog_check_t;


static bool
reg_catalog_step(reg_catalog_check_t *c)
{
    c->ended = c->watch->step != NULL && c->watch->step(c->watch->ctx) != 0;
    return !c->ended;
}


/* For reg_repo_list_all(). */
static int
reg_catalog_check_one(void *data, reg_str_t text)
{
    int                   rc;
    reg_catalog_check_t  *c = data;
    reg_name_t            name;

    c->count->directories++;

    if (!reg_catalog_step(c) || reg_name_parse(&name, text) == -1) {
        return c->ended;
    }

    rc = reg_catalog_put(c->catalog, &name, c->err);
    c->count->added += rc == 1;

    return rc == -1;
}


/* Removes an entry without a manifest.  Pushes are kept out meanwhile; where
 * the repository has no directory to lock, one that has come since is put
 * back. */
static int
reg_catalog_prune(reg_catalog_check_t *c, const reg_name_t *name)
{
    reg_store_t  *store = c->catalog->store;
    reg_error_t   quiet = REG_ERROR_INIT;
    int           rc, lock;

    lock = reg_lock_alone(store, name, REG_NAME_UNKNOWN, &quiet);
    reg_catalog_drop(store, name);
    reg_lock_release(lock);
    c->count->dropped++;

    rc = reg_catalog_check_one(c, reg_name_str(name));
    c->count->directories--;

    return rc;
}


static int
reg_catalog_prune_all(reg_catalog_check_t *c, const reg_path_t *dir)
{
    reg_names_t  names = REG_NAMES_INIT;
    reg_name_t   name;
    int          holds, rc;

    rc = reg_names_read_at(&names, c->fd, dir->text, REG_NAMES_CATALOG,
                           c->err);

    for (size_t i = 0; rc == 0 && i < names.n && reg_catalog_step(c); i++) {
        if (reg_name_parse(&name, names.list[i]) == -1) {
            continue;
        }

        holds = reg_catalog_holds(c->catalog, AT_FDCWD, &name, c->err);
        rc = holds == 0 ? reg_catalog_prune(c, &name) : holds == 1 ? 0 : -1;
    }

    reg_names_free(&names);

    return rc == 0 || c->ended ? 0 : -1;
}


/* The index is whole: since when, is what whoever reads it asks. */
static int
reg_catalog_finish(reg_catalog_check_t *c, const reg_path_t *dir,
    time_t began)
{
    reg_store_t           *store = c->catalog->store;
    reg_path_t             path = *dir;
    const struct timespec  times[2] = { { began, 0 }, { began, 0 } };
    int                    rc, fd;

    if (reg_file_sync(store->sys, c->fd, dir->text, c->err) == -1) {
        return -1;
    }

    reg_path_add(&path, REG_CATALOG_WHOLE);
    fd = reg_catalog_touch(store, &path, c->err);

    if (fd == -1) {
        return -1;
    }

    rc = futimens(fd, times) == 0
         ? 0 : reg_error_sys(c->err, errno, REG_UNKNOWN, "set the time of",
                             path.text);
    (void) close(fd);                            /* nothing was written */

    return rc;
}


/* With the lock of the index. */
static int
reg_catalog_walk(reg_catalog_check_t *c, const reg_path_t *dir)
{
    time_t  began = time(NULL);

    if (reg_repo_list_all(c->catalog->store, reg_catalog_check_one, c, c->err)
        == -1
        || c->err->code != REG_OK)
    {
        return -1;
    }

    if (c->ended || reg_catalog_prune_all(c, dir) == -1) {
        return c->ended ? 1 : -1;
    }

    return c->ended ? 1 : reg_catalog_finish(c, dir, began);
}


int
reg_catalog_check(reg_catalog_t *catalog, const reg_catalog_watch_t *watch,
    reg_catalog_count_t *count, reg_error_t *err)
{
    reg_catalog_check_t  c = { catalog, watch, count, -1, false, err };
    reg_path_t           dir;
    int                  rc;

    reg_layout_catalog(&dir, &catalog->store->v2);

    if (reg_dir_mkdir(catalog->store, &dir, err) == -1) {
        return -1;
    }

    c.fd = catalog->store->sys->open(dir.text, O_RDONLY | O_DIRECTORY, 0);

    if (c.fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", dir.text);
    }

    /* where nothing can be locked, two walks do the same */
    rc = flock(c.fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK
         ? 1 : reg_catalog_walk(&c, &dir);

    (void) close(c.fd);                          /* the lock goes with it */

    return rc;
}
