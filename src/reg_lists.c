#include "reg_lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>


#define REG_LISTS_BUCKETS  4096


/* Names that do not change any more. */
struct reg_listed_s {
    atomic_uint  refs;
    reg_names_t  names;
};

/* What a directory shows of its changes. */
typedef struct {
    dev_t            dev;
    ino_t            ino;
    nlink_t          nlink;
    struct timespec  mtime;
    struct timespec  ctime;
} reg_lists_stamp_t;

typedef struct reg_lists_entry_s  reg_lists_entry_t;

struct reg_lists_entry_s {
    reg_lists_entry_t  *newer;
    reg_lists_entry_t  *older;
    reg_lists_entry_t  *chain;          /* the next in its bucket */
    uint64_t            hash;
    unsigned            users;          /* threads that have it in hand */
    bool                reading;

    reg_lists_stamp_t   shown;          /* what was seen last, and … */
    int64_t             since;          /* when it was seen first; ns */

    reg_listed_t       *listed;         /* NULL: not read yet */
    size_t              size;
    reg_lists_stamp_t   stamp;          /* before it was read */
    bool                quiet;          /* it had shown that for long */
    uint64_t            asked;          /* of who asked before that */

    char                path[];
};

struct reg_lists_s {
    pthread_mutex_t     lock;           /* over all that follows */
    pthread_cond_t      done;           /* a reading is */
    size_t              max;
    size_t              used;
    reg_lists_sys_t     sys;
    uint64_t            asked;          /* who asks gets the next number */
    reg_lists_count_t   count;
    reg_lists_count_t   taken;          /* of it */
    reg_lists_entry_t  *newest;
    reg_lists_entry_t  *oldest;
    reg_lists_entry_t  *buckets[REG_LISTS_BUCKETS];
};

/* One who asks. */
typedef struct {
    const reg_path_t   *dir;
    reg_names_kind_t    kind;
    int                 fd;
    uint64_t            asked;
    reg_lists_stamp_t   stamp;
    int64_t             seen;           /* when the directory showed it; ns */
} reg_lists_asker_t;


static int64_t
reg_lists_monotonic(void)
{
    struct timespec  now;

    /* it advances when the clock does that file systems stamp with */
    (void) clock_gettime(CLOCK_MONOTONIC_COARSE, &now);     /* cannot fail */
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}


static const reg_lists_sys_t  reg_lists_kernel = {
    .now = reg_lists_monotonic,
    .fstat = fstat
};


/* ---- names --------------------------------------------------------------- */


static void
reg_listed_release(reg_listed_t *listed)
{
    if (listed != NULL && atomic_fetch_sub(&listed->refs, 1) == 1) {
        reg_names_free(&listed->names);
        free(listed);
    }
}


static reg_listed_t *
reg_listed_read(const reg_lists_asker_t *a, reg_error_t *err)
{
    reg_listed_t  *listed = calloc(1, sizeof(*listed));

    if (listed == NULL) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "list", a->dir->text);
        return NULL;
    }

    atomic_init(&listed->refs, 1);

    if (reg_names_read_at(&listed->names, a->fd, a->dir->text, a->kind, err)
        == -1)
    {
        reg_listed_release(listed);
        return NULL;
    }

    return listed;
}


static size_t
reg_listed_size(const reg_listed_t *listed)
{
    return sizeof(*listed) + listed->names.text.size
           + listed->names.n * sizeof(*listed->names.list);
}


/* ---- what a directory shows ---------------------------------------------- */


static bool
reg_lists_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}


static bool
reg_lists_same(const reg_lists_stamp_t *a, const reg_lists_stamp_t *b)
{
    return a->ino == b->ino && a->dev == b->dev && a->nlink == b->nlink
           && reg_lists_same_time(a->mtime, b->mtime)
           && reg_lists_same_time(a->ctime, b->ctime);
}


static int64_t
reg_lists_grain(const reg_lists_stamp_t *stamp)
{
    return stamp->mtime.tv_nsec == 0 && stamp->ctime.tv_nsec == 0
           ? REG_LISTS_GRAIN_LONG : REG_LISTS_GRAIN;
}


static int
reg_lists_look(const reg_lists_t *lists, reg_lists_asker_t *a,
    reg_error_t *err)
{
    struct stat  st;

    if (lists->sys.fstat(a->fd, &st) == -1) {
        return reg_error_sys(err, errno, REG_NAME_UNKNOWN, "fstat",
                             a->dir->text);
    }

    a->stamp = (reg_lists_stamp_t) { st.st_dev, st.st_ino, st.st_nlink,
                                     st.st_mtim, st.st_ctim };

    /* after the look: the time that was shown is not later than this */
    a->seen = lists->sys.now();

    return 0;
}


static void
reg_lists_note(reg_lists_entry_t *entry, const reg_lists_asker_t *a)
{
    if (!reg_lists_same(&entry->shown, &a->stamp)) {
        entry->shown = a->stamp;
        entry->since = a->seen;
    }
}


/* ---- entries; with the lock ---------------------------------------------- */


static uint64_t
reg_lists_hash(const reg_path_t *path)
{
    uint64_t  h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < path->len; i++) {
        h = (h ^ (unsigned char) path->text[i]) * 0x100000001b3u;
    }

    return h ^ h >> 32;
}


static void
reg_lists_unlink(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    if (entry->newer != NULL) {
        entry->newer->older = entry->older;
    } else {
        lists->newest = entry->older;
    }

    if (entry->older != NULL) {
        entry->older->newer = entry->newer;
    } else {
        lists->oldest = entry->newer;
    }
}


static void
reg_lists_link(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    entry->newer = NULL;
    entry->older = lists->newest;

    if (lists->newest != NULL) {
        lists->newest->newer = entry;
    } else {
        lists->oldest = entry;
    }

    lists->newest = entry;
}


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
        entry->chain = *bucket;
        *bucket = entry;
        lists->used += size;
        reg_lists_link(lists, entry);
    }

    return entry;
}


/* Finds a directory's entry or makes one, for one more user. */
static reg_lists_entry_t *
reg_lists_enter(reg_lists_t *lists, const reg_path_t *path)
{
    uint64_t            hash = reg_lists_hash(path);
    reg_lists_entry_t  *entry = lists->buckets[hash % REG_LISTS_BUCKETS];

    while (entry != NULL
           && (entry->hash != hash || strcmp(entry->path, path->text) != 0))
    {
        entry = entry->chain;
    }

    if (entry == NULL) {
        entry = reg_lists_add(lists, path, hash);

    } else if (entry != lists->newest) {
        reg_lists_unlink(lists, entry);
        reg_lists_link(lists, entry);
    }

    if (entry != NULL) {
        entry->users++;
    }

    return entry;
}


static void
reg_lists_evict(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_lists_entry_t  **p = &lists->buckets[entry->hash % REG_LISTS_BUCKETS];

    while (*p != entry) {
        p = &(*p)->chain;
    }

    *p = entry->chain;
    reg_lists_unlink(lists, entry);
    lists->used -= entry->size;
    reg_listed_release(entry->listed);
    free(entry);
}


/* Gives an entry back, and makes room. */
static void
reg_lists_leave(reg_lists_t *lists, reg_lists_entry_t *entry)
{
    reg_lists_entry_t  *older, *next;

    entry->users--;

    for (older = lists->oldest;
         older != NULL && lists->used > lists->max;
         older = next)
    {
        next = older->newer;

        if (older->users == 0) {
            reg_lists_evict(lists, older);
        }
    }
}


static void
reg_lists_keep(reg_lists_t *lists, reg_lists_entry_t *entry,
    reg_listed_t *listed)
{
    if (entry->listed != NULL) {
        entry->size -= reg_listed_size(entry->listed);
        lists->used -= reg_listed_size(entry->listed);
        reg_listed_release(entry->listed);
    }

    entry->listed = listed;
    entry->size += reg_listed_size(listed);
    lists->used += reg_listed_size(listed);
}


/* ---- reading ------------------------------------------------------------- */


/* Whether this asker may have what was read. */
static bool
reg_lists_serves(const reg_lists_entry_t *entry, const reg_lists_asker_t *a)
{
    return entry->listed != NULL
           && (entry->asked >= a->asked
               || (entry->quiet && reg_lists_same(&entry->stamp, &a->stamp)));
}


/* Reads the directory for all that wait; with the lock, which is given up
 * meanwhile. */
static int
reg_lists_read(reg_lists_t *lists, reg_lists_entry_t *entry,
    reg_lists_asker_t *a, reg_error_t *err)
{
    int            rc;
    bool           quiet = false;
    int64_t        since = entry->since;
    uint64_t       asked = lists->asked;
    reg_listed_t  *listed = NULL;

    reg_lists_stamp_t  shown = entry->shown;

    entry->reading = true;
    (void) pthread_mutex_unlock(&lists->lock);

    rc = reg_lists_look(lists, a, err);

    if (rc == 0) {
        quiet = reg_lists_same(&shown, &a->stamp)
                && a->seen - since >= reg_lists_grain(&a->stamp);
        listed = reg_listed_read(a, err);
        rc = listed == NULL ? -1 : 0;
    }

    (void) pthread_mutex_lock(&lists->lock);
    entry->reading = false;
    (void) pthread_cond_broadcast(&lists->done);
    lists->count.read++;

    if (rc == 0) {
        reg_lists_note(entry, a);
        reg_lists_keep(lists, entry, listed);
        entry->stamp = a->stamp;
        entry->quiet = quiet;
        entry->asked = asked;
    }

    return rc;
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
    reg_lists_note(entry, a);

    while (rc == 0 && !reg_lists_serves(entry, a)) {
        if (entry->reading) {
            (void) pthread_cond_wait(&lists->done, &lists->lock);
        } else {
            rc = reg_lists_read(lists, entry, a, err);
        }
    }

    if (rc == 0) {
        list->listed = entry->listed;
        (void) atomic_fetch_add(&list->listed->refs, 1);
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
        list->listed = reg_listed_read(a, err);
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
    }

    return lists;
}


void
reg_lists_free(reg_lists_t *lists)
{
    if (lists == NULL) {
        return;
    }

    while (lists->newest != NULL) {
        reg_lists_evict(lists, lists->newest);
    }

    (void) pthread_cond_destroy(&lists->done);       /* nobody waits */
    (void) pthread_mutex_destroy(&lists->lock);      /* nobody holds it */
    free(lists);
}


void
reg_lists_count(reg_lists_t *lists, reg_lists_count_t *count)
{
    (void) pthread_mutex_lock(&lists->lock);      /* fails for misuse only */
    *count = lists->count;
    count->bytes = (int64_t) lists->used;
    (void) pthread_mutex_unlock(&lists->lock);
}


void
reg_lists_take_count(reg_lists_t *lists, reg_lists_count_t *count)
{
    (void) pthread_mutex_lock(&lists->lock);      /* fails for misuse only */
    count->opened = lists->count.opened - lists->taken.opened;
    count->read = lists->count.read - lists->taken.read;
    count->bytes = (int64_t) lists->used;
    lists->taken = lists->count;
    (void) pthread_mutex_unlock(&lists->lock);
}
