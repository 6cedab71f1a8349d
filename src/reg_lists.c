#include "reg_lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "reg_lru.h"
#include "reg_watch.h"


#define REG_LISTS_BUCKETS  4096


typedef struct reg_lists_entry_s  reg_lists_entry_t;

struct reg_lists_entry_s {
    reg_lru_node_t      lru;
    reg_lists_entry_t  *chain;          /* the next in its bucket */
    uint64_t            hash;
    unsigned            users;          /* threads that have it in hand */
    bool                reading;
    bool                changing;       /* names are, where they are */

    reg_stamp_seen_t    seen;           /* what was seen last */

    reg_listed_t       *listed;         /* NULL: not read yet */
    size_t              size;
    reg_stamp_t         stamp;          /* before it was read, or since */
    bool                quiet;          /* when it was read */
    uint64_t            asked;          /* of who asked before that */

    int                 watch;          /* REG_WATCH_NONE: it is not */
    reg_stamp_t         watched;        /* whose inode is */
    reg_lists_entry_t  *next;           /* of what is watched, in its bucket */
    bool                heard;          /* something, since it showed stamp */
    bool                lost;           /* what was heard: to be read again */
    reg_buf_t           changed;        /* names, for reg_names_update() */

    char                path[];
};

struct reg_lists_s {
    pthread_mutex_t     lock;           /* over all that follows */
    pthread_cond_t      done;           /* a reading is */
    size_t              max;
    size_t              used;
    reg_lists_sys_t     sys;
    uint64_t            asked;          /* who asks gets the next number */
    reg_lists_count_t   count;          /* since it was taken */
    reg_lru_t           lru;
    reg_lists_entry_t  *buckets[REG_LISTS_BUCKETS];

    reg_watch_t         watch;
    size_t              nwatched;
    reg_lists_entry_t  *watched[REG_LISTS_WATCHES];      /* buckets */
};

/* One who asks. */
typedef struct {
    const reg_path_t   *dir;
    reg_names_kind_t    kind;
    int                 fd;
    uint64_t            asked;
    reg_stamp_t         stamp;
    int64_t             seen;           /* when the directory showed it; ns */
} reg_lists_asker_t;


static const reg_lists_sys_t  reg_lists_kernel = {
    .now = reg_stamp_now,
    .fstat = fstat,
    .watched = REG_LISTS_WATCHED
};


/* ---- what a directory shows ---------------------------------------------- */


static int
reg_lists_look(const reg_lists_t *lists, reg_lists_asker_t *a,
    reg_error_t *err)
{
    struct stat  st;

    if (lists->sys.fstat(a->fd, &st) == -1) {
        return reg_error_sys(err, errno, REG_NAME_UNKNOWN, "fstat",
                             a->dir->text);
    }

    a->stamp = reg_stamp_of(&st);
    a->seen = lists->sys.now();

    return 0;
}


/* ---- entries; with the lock ---------------------------------------------- */


static reg_lists_entry_t *
reg_lists_add(reg_lists_t *lists, const reg_path_t *path, uint64_t hash)
{
    size_t              size = sizeof(reg_lists_entry_t) + path->len + 1;
    reg_lists_entry_t  *entry = calloc(1, size);
    reg_lists_entry_t **bucket = &lists->buckets[hash % REG_LISTS_BUCKETS];

    if (entry != NULL) {
        memcpy(entry->path, path->text, path->len + 1);
        entry->hash = hash;
        entry->size = size;
        entry->watch = REG_WATCH_NONE;
        entry->chain = *bucket;
        *bucket = entry;
        lists->used += size;
        reg_lru_add(&lists->lru, &entry->lru);
    }

    return entry;
}


/* Finds a directory's entry or makes one, for one more user. */
static reg_lists_entry_t *
reg_lists_enter(reg_lists_t *lists, const reg_path_t *path)
{
    reg_str_t           text = { path->len, path->text };
    uint64_t            hash = reg_str_hash(text);
    reg_lists_entry_t  *entry = lists->buckets[hash % REG_LISTS_BUCKETS];

    while (entry != NULL
           && (entry->hash != hash || strcmp(entry->path, path->text) != 0))
    {
        entry = entry->chain;
    }

    if (entry == NULL) {
        entry = reg_lists_add(lists, path, hash);
    } else {
        reg_lru_use(&lists->lru, &entry->lru);
    }

    if (entry != NULL) {
        entry->users++;
    }

    return entry;
}


static void reg_lists_unwatch(reg_lists_t *lists, reg_lists_entry_t *entry);


static void
reg_lists_evict(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_lists_entry_t  **p = &lists->buckets[entry->hash % REG_LISTS_BUCKETS];

    while (*p != entry) {
        p = &(*p)->chain;
    }

    *p = entry->chain;
    reg_lru_remove(&lists->lru, &entry->lru);
    reg_lists_unwatch(lists, entry);
    lists->used -= entry->size;
    reg_listed_release(entry->listed);
    free(entry);
}


/* Gives an entry back, and makes room. */
static void
reg_lists_leave(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_lru_node_t  *node = lists->lru.oldest;

    entry->users--;

    while (node != NULL && lists->used > lists->max) {
        reg_lists_entry_t  *older = (void *) node;

        node = node->newer;

        if (older->users == 0) {
            reg_lists_evict(lists, older);
        }
    }
}


/* Something that an entry has takes other room than it did. */
static void
reg_lists_resize(reg_lists_t *lists, reg_lists_entry_t *entry, size_t before,
    size_t now)
{
    entry->size = entry->size - before + now;
    lists->used = lists->used - before + now;
}


static void
reg_lists_keep(reg_lists_t *lists, reg_lists_entry_t *entry,
    reg_listed_t *listed)
{
    if (entry->listed != NULL) {
        reg_lists_resize(lists, entry, reg_listed_size(entry->listed), 0);
        reg_listed_release(entry->listed);
    }

    entry->listed = listed;
    reg_lists_resize(lists, entry, 0, reg_listed_size(listed));
}


/* ---- what is heard; with the lock ---------------------------------------- */


/* The names that are to be looked at; the entry has none then. */
static reg_buf_t
reg_lists_take_changed(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_buf_t  changed = entry->changed;

    reg_lists_resize(lists, entry, changed.size, 0);
    entry->changed = (reg_buf_t) REG_BUF_INIT;

    return changed;
}


static void
reg_lists_forget_changed(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_buf_t  changed = reg_lists_take_changed(lists, entry);

    reg_buf_free(&changed);
}


static void
reg_lists_lose(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    entry->lost = true;
    entry->quiet = false;
    reg_lists_forget_changed(lists, entry);
}


/* What it shows is again all that is known of its changes. */
static void
reg_lists_unwatch(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_lists_entry_t  **p;

    if (entry->watch == REG_WATCH_NONE) {
        return;
    }

    p = &lists->watched[(unsigned) entry->watch % REG_LISTS_WATCHES];

    while (*p != entry) {
        p = &(*p)->next;
    }

    *p = entry->next;
    lists->nwatched--;
    reg_watch_remove(&lists->watch, entry->watch);
    entry->watch = REG_WATCH_NONE;
    reg_lists_lose(lists, entry);
}


/* Before a reading: whatever changes after this is heard. */
static void
reg_lists_watch(reg_lists_t *lists, reg_lists_entry_t *entry,
    const reg_lists_asker_t *a)
{
    reg_lists_entry_t  **bucket;

    if (entry->watch != REG_WATCH_NONE
        && !reg_stamp_same_inode(&entry->watched, &a->stamp))
    {
        reg_lists_unwatch(lists, entry);
    }

    if (entry->watch != REG_WATCH_NONE || lists->sys.watched == 0
        || a->stamp.size < lists->sys.watched
        || lists->nwatched == REG_LISTS_WATCHES)
    {
        return;
    }

    entry->watch = reg_watch_add(&lists->watch, a->fd);

    if (entry->watch != REG_WATCH_NONE) {
        bucket = &lists->watched[(unsigned) entry->watch % REG_LISTS_WATCHES];
        entry->watched = a->stamp;
        entry->next = *bucket;
        *bucket = entry;
        lists->nwatched++;
    }
}


static void
reg_lists_heard_name(reg_lists_t *lists, reg_lists_entry_t *entry,
    const char *name)
{
    size_t  before = entry->changed.size;

    entry->heard = true;
    entry->quiet = false;

    if (entry->lost) {
        return;                         /* it is read again */
    }

    reg_buf_put(&entry->changed, name, strlen(name) + 1);
    reg_lists_resize(lists, entry, before, entry->changed.size);

    if (!reg_buf_ok(&entry->changed)
        || entry->changed.len > REG_LISTS_HEARD_MAX)
    {
        reg_lists_lose(lists, entry);
    }
}


/* For reg_watch_read(). */
static void
reg_lists_heard(void *ctx, int id, const char *name)
{
    reg_lists_t        *lists = ctx;
    reg_lists_entry_t  *entry;

    if (id == REG_WATCH_NONE) {
        for (reg_lru_node_t *p = lists->lru.newest; p != NULL; p = p->older) {
            entry = (void *) p;

            if (entry->watch != REG_WATCH_NONE) {
                reg_lists_lose(lists, entry);
            }
        }

        return;
    }

    entry = lists->watched[(unsigned) id % REG_LISTS_WATCHES];

    while (entry != NULL && entry->watch != id) {
        entry = entry->next;
    }

    if (entry != NULL && name != NULL) {
        reg_lists_heard_name(lists, entry, name);

    } else if (entry != NULL) {
        reg_lists_unwatch(lists, entry);
    }
}


/* Whether what the directory shows is explained by what was heard. */
static bool
reg_lists_explained(const reg_lists_entry_t *entry, const reg_stamp_t *stamp)
{
    return entry->heard || reg_stamp_same(&entry->stamp, stamp);
}


/* Hears all that was over before.  The directory is looked at afterwards: what
 * it shows then has been heard, or will be.  If it has not been a moment later,
 * the change came another way, or is not over: it is read again. */
static bool
reg_lists_listen(reg_lists_t *lists, reg_lists_entry_t *entry,
    const reg_lists_asker_t *a)
{
    struct stat  st;
    reg_stamp_t  stamp;

    reg_watch_read(&lists->watch, reg_lists_heard, lists);

    if (lists->sys.fstat(a->fd, &st) == -1) {
        reg_lists_lose(lists, entry);
        return false;
    }

    stamp = reg_stamp_of(&st);

    if (!reg_lists_explained(entry, &stamp)) {
        reg_watch_read(&lists->watch, reg_lists_heard, lists);
    }

    if (entry->watch == REG_WATCH_NONE
        || !reg_stamp_same_inode(&entry->watched, &stamp)
        || !reg_lists_explained(entry, &stamp))
    {
        reg_lists_lose(lists, entry);
    }

    entry->stamp = stamp;
    entry->heard = false;

    return !entry->lost && entry->changed.len == 0;
}


/* ---- reading ------------------------------------------------------------- */


/* Whether this asker may have what was read; with the lock. */
static bool
reg_lists_serves(reg_lists_t *lists, reg_lists_entry_t *entry,
    const reg_lists_asker_t *a)
{
    if (entry->listed == NULL || entry->changing) {
        return false;
    }

    if (entry->asked >= a->asked) {
        return true;
    }

    return entry->watch == REG_WATCH_NONE
           ? entry->quiet && reg_stamp_same(&entry->stamp, &a->stamp)
           : !entry->reading && reg_lists_listen(lists, entry, a);
}


/* Gives up the lock; what is read or changed now is for all who have asked. */
static uint64_t
reg_lists_begin(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    uint64_t  asked = lists->asked;

    entry->reading = true;
    (void) pthread_mutex_unlock(&lists->lock);

    return asked;
}


static void
reg_lists_end(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    (void) pthread_mutex_lock(&lists->lock);
    entry->reading = false;
    entry->changing = false;
    (void) pthread_cond_broadcast(&lists->done);
}


/* Reads the directory for all that wait; with the lock, which is given up
 * meanwhile. */
static int
reg_lists_read(reg_lists_t *lists, reg_lists_entry_t *entry,
    reg_lists_asker_t *a, reg_error_t *err)
{
    int               rc;
    bool              quiet = false;
    uint64_t          asked;
    reg_listed_t     *listed = NULL;
    reg_stamp_seen_t  seen = entry->seen;

    reg_lists_watch(lists, entry, a);
    reg_lists_forget_changed(lists, entry);
    entry->heard = false;
    entry->lost = false;
    asked = reg_lists_begin(lists, entry);

    rc = reg_lists_look(lists, a, err);

    if (rc == 0) {
        quiet = reg_stamp_quiet(&seen, &a->stamp, a->seen);
        listed = reg_listed_read(a->fd, a->dir->text, a->kind, err);
        rc = listed == NULL ? -1 : 0;
    }

    reg_lists_end(lists, entry);
    lists->count.read++;

    if (rc == 0) {
        reg_stamp_note(&entry->seen, &a->stamp, a->seen);
        reg_lists_keep(lists, entry, listed);
        entry->stamp = a->stamp;
        entry->quiet = quiet;
        entry->asked = asked;
    } else {
        reg_lists_lose(lists, entry);
    }

    return rc;
}


/* Puts the names right by what was heard, for all that wait; with the lock,
 * which is given up meanwhile.  If that fails, they are read. */
static void
reg_lists_update(reg_lists_t *lists, reg_lists_entry_t *entry,
    const reg_lists_asker_t *a)
{
    int            rc = -1;
    uint64_t       asked;
    size_t         before = reg_listed_size(entry->listed);
    reg_buf_t      changed = reg_lists_take_changed(lists, entry);
    reg_listed_t  *listed = entry->listed;

    /* nobody else has them, and nobody gets them now */
    entry->changing = reg_listed_is_alone(listed);
    asked = reg_lists_begin(lists, entry);

    if (!entry->changing) {
        listed = reg_listed_copy(listed);
    }

    if (listed != NULL) {
        rc = reg_names_update(&listed->names, a->fd, a->kind, &changed);
    }

    reg_buf_free(&changed);
    reg_lists_end(lists, entry);
    lists->count.updated++;

    if (listed == entry->listed) {
        reg_lists_resize(lists, entry, before, reg_listed_size(listed));

    } else if (rc == 0) {
        reg_lists_keep(lists, entry, listed);

    } else {
        reg_listed_release(listed);
    }

    if (rc == 0) {
        entry->asked = asked;
    } else {
        reg_lists_lose(lists, entry);
    }
}


/* With the lock. */
static int
reg_lists_get(reg_lists_t *lists, reg_lists_asker_t *a, reg_list_t *list,
    reg_error_t *err)
{
    int                 rc = 0;
    reg_lists_entry_t  *entry = reg_lists_enter(lists, a->dir);

    if (entry == NULL) {
        return reg_error_sys(err, ENOMEM, REG_UNKNOWN, "list", a->dir->text);
    }

    a->asked = ++lists->asked;
    lists->count.opened++;
    reg_stamp_note(&entry->seen, &a->stamp, a->seen);

    while (rc == 0 && !reg_lists_serves(lists, entry, a)) {
        if (entry->reading) {
            (void) pthread_cond_wait(&lists->done, &lists->lock);

        } else if (entry->changed.len > 0) {
            reg_lists_update(lists, entry, a);

        } else {
            rc = reg_lists_read(lists, entry, a, err);
        }
    }

    if (rc == 0) {
        list->listed = reg_listed_hold(entry->listed);
    }

    reg_lists_leave(lists, entry);

    return rc;
}


static int
reg_lists_ask(reg_lists_t *lists, reg_lists_asker_t *a, reg_list_t *list,
    reg_error_t *err)
{
    int  rc;

    if (lists == NULL) {
        list->listed = reg_listed_read(a->fd, a->dir->text, a->kind, err);
        return list->listed == NULL ? -1 : 0;
    }

    if (reg_lists_look(lists, a, err) == -1) {
        return -1;
    }

    (void) pthread_mutex_lock(&lists->lock);      /* fails for misuse only */
    rc = reg_lists_get(lists, a, list, err);
    (void) pthread_mutex_unlock(&lists->lock);

    return rc;
}


int
reg_lists_open(reg_lists_t *lists, const reg_path_t *dir,
    reg_names_kind_t kind, reg_list_t *list, reg_error_t *err)
{
    reg_lists_asker_t  a = { .dir = dir, .kind = kind };

    a.fd = open(dir->text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (a.fd == -1) {
        return reg_error_sys(err, errno, REG_NAME_UNKNOWN, "open", dir->text);
    }

    if (reg_lists_ask(lists, &a, list, err) == -1) {
        (void) close(a.fd);                      /* was only read */
        return -1;
    }

    list->fd = a.fd;
    list->names = &list->listed->names;

    return 0;
}


void
reg_list_close(reg_list_t *list)
{
    (void) close(list->fd);                      /* was only read */
    reg_listed_release(list->listed);
}


/* ---- all of them --------------------------------------------------------- */


reg_lists_t *
reg_lists_create(size_t max, const reg_lists_sys_t *sys)
{
    reg_lists_t  *lists = calloc(1, sizeof(*lists));

    if (lists != NULL) {
        (void) pthread_mutex_init(&lists->lock, NULL);     /* cannot fail */
        (void) pthread_cond_init(&lists->done, NULL);      /* the same */
        lists->max = max;
        lists->sys = sys != NULL ? *sys : reg_lists_kernel;
        lists->watch = (reg_watch_t) REG_WATCH_INIT;
    }

    return lists;
}


void
reg_lists_free(reg_lists_t *lists)
{
    if (lists == NULL) {
        return;
    }

    while (lists->lru.newest != NULL) {
        reg_lists_evict(lists, (void *) lists->lru.newest);
    }

    reg_watch_close(&lists->watch);
    (void) pthread_cond_destroy(&lists->done);       /* nobody waits */
    (void) pthread_mutex_destroy(&lists->lock);      /* nobody holds it */
    free(lists);
}


void
reg_lists_take_count(reg_lists_t *lists, reg_lists_count_t *count)
{
    (void) pthread_mutex_lock(&lists->lock);      /* fails for misuse only */
    *count = lists->count;
    count->bytes = (int64_t) lists->used;
    lists->count = (reg_lists_count_t) { 0 };
    (void) pthread_mutex_unlock(&lists->lock);
}
