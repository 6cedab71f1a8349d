#include "reg_newcomers.h"

#include <fcntl.h>
#include <unistd.h>

#include "reg_clock.h"
#include "reg_repo.h"
#include "reg_stamp.h"


#define REG_NEWCOMERS_HOUR    3600
#define REG_NEWCOMERS_SLOTS   (2 * REG_NEWCOMERS_GROUPS)
#define REG_NEWCOMERS_PROBES  16

/* how long a rest is, by the look before it, and at most; ns */
#define REG_NEWCOMERS_LAZY    20
#define REG_NEWCOMERS_REST    1000000000LL


/* The directory of a group.  Two groups of one hash share it, and are read each
 * time. */
typedef struct {
    uint64_t          hash;             /* of the name */
    uint64_t          used;             /* by which look */
    reg_stamp_seen_t  seen;
    bool              quiet;            /* when it was read */
} reg_newcomers_group_t;

typedef struct {
    reg_name_t  name;
    int64_t     since;                  /* when it was seen first; ns */
} reg_newcomer_t;

struct reg_newcomers_s {
    reg_store_t            *store;
    _Atomic int64_t         next;       /* not before; ns */
    pthread_mutex_t         lock;       /* over all that follows */
    uint64_t                looks;
    reg_newcomers_group_t   groups[REG_NEWCOMERS_SLOTS];
    size_t                  n;
    reg_newcomer_t          list[REG_NEWCOMERS_MAX];
};

/* One look. */
typedef struct {
    reg_newcomers_t    *all;
    const reg_names_t  *known;
    int                 top;            /* the directory of repositories */
    size_t              groups;         /* so far */
    bool                full;           /* somebody had no room */
} reg_newcomers_look_t;


reg_newcomers_t *
reg_newcomers_create(reg_store_t *store)
{
    reg_newcomers_t  *newcomers = calloc(1, sizeof(*newcomers));

    if (newcomers != NULL) {
        newcomers->store = store;
        newcomers->looks = 1;            /* the groups are of an earlier one */
        (void) pthread_mutex_init(&newcomers->lock, NULL);   /* cannot fail */
    }

    return newcomers;
}


void
reg_newcomers_free(reg_newcomers_t *newcomers)
{
    if (newcomers != NULL) {
        (void) pthread_mutex_destroy(&newcomers->lock);  /* nobody holds it */
        free(newcomers);
    }
}


/* ---- names --------------------------------------------------------------- */


/* Whether there is such a repository, or a group of that name. */
static bool
reg_newcomers_known(const reg_newcomers_look_t *look, const reg_name_t *name)
{
    const reg_names_t  *known = look->known;
    size_t              i = reg_names_after(known, reg_name_str(name));
    char                below[REG_NAME_MAX + 2];
    int                 n;

    if (i > 0 && reg_str_eq(known->list[i - 1], reg_name_str(name))) {
        return true;
    }

    n = snprintf(below, sizeof(below), "%s/", name->text);
    i = reg_names_after(known, (reg_str_t) { (size_t) n, below });

    return i < known->n
           && reg_str_starts(known->list[i],
                             (reg_str_t) { (size_t) n, below });
}


static void
reg_newcomers_add(reg_newcomers_look_t *look, const reg_name_t *name)
{
    reg_newcomers_t  *all = look->all;

    for (size_t i = 0; i < all->n; i++) {
        if (reg_str_eq(reg_name_str(&all->list[i].name), reg_name_str(name)))
        {
            return;
        }
    }

    if (all->n == REG_NEWCOMERS_MAX) {
        look->full = true;
        return;
    }

    all->list[all->n++] = (reg_newcomer_t) { *name, reg_stamp_now() };
}


/* ---- directories --------------------------------------------------------- */


static bool
reg_newcomers_is_young(const reg_newcomers_look_t *look,
    const reg_name_t *name)
{
    struct stat  st;

    return fstatat(look->top, name->text, &st, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISDIR(st.st_mode)
           && st.st_ctime >= time(NULL) - REG_NEWCOMERS_HOUR;
}


/* Reads the directory of a group, or of what may become one; group is empty for
 * the one of all.  False if it is not there. */
static bool
reg_newcomers_read(reg_newcomers_look_t *look, reg_str_t group)
{
    reg_names_t  names = REG_NAMES_INIT;
    reg_error_t  quiet = REG_ERROR_INIT;
    reg_name_t   name;
    char         text[2 * REG_NAME_MAX + 2];
    bool         there;
    int          fd;

    (void) snprintf(text, sizeof(text), "%.*s", REG_STR_ARG(group));
    fd = openat(look->top, group.len == 0 ? "." : text,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    there = fd != -1
            && reg_names_read_at(&names, fd, text, REG_NAMES_PARTS, &quiet)
               == 0;

    for (size_t i = 0; there && i < names.n; i++) {
        (void) snprintf(text, sizeof(text), "%.*s%s%s", REG_STR_ARG(group),
                        group.len == 0 ? "" : "/", names.list[i].data);

        if (reg_name_parse(&name, reg_str_from(text)) == 0
            && !reg_newcomers_known(look, &name)
            && reg_newcomers_is_young(look, &name))
        {
            reg_newcomers_add(look, &name);
        }
    }

    reg_names_free(&names);

    if (fd != -1) {
        (void) close(fd);                        /* was only read */
    }

    return there;
}


/* ---- groups -------------------------------------------------------------- */


/* Finds what is remembered of a group, or forgets one for it that is no more.
 * NULL if there is no room. */
static reg_newcomers_group_t *
reg_newcomers_group(reg_newcomers_t *all, reg_str_t name)
{
    uint64_t                hash = reg_str_hash(name);
    reg_newcomers_group_t  *unused = NULL;

    for (uint64_t i = 0; i < REG_NEWCOMERS_PROBES; i++) {
        reg_newcomers_group_t  *group;

        group = &all->groups[(hash + i) % REG_NEWCOMERS_SLOTS];

        if (group->used > 0 && group->hash == hash) {
            group->used = all->looks;
            return group;
        }

        if (unused == NULL && group->used + 1 < all->looks) {
            unused = group;
        }
    }

    if (unused != NULL) {
        *unused = (reg_newcomers_group_t) { .hash = hash,
                                            .used = all->looks };
    }

    return unused;
}


static void
reg_newcomers_visit(reg_newcomers_look_t *look, reg_str_t name)
{
    reg_newcomers_group_t  *group = reg_newcomers_group(look->all, name);
    reg_name_t              parsed = { 1, "." };
    struct stat             st;
    reg_stamp_t             stamp;
    int64_t                 now;
    bool                    quiet;

    /* an index may name anything */
    if (group == NULL
        || (name.len > 0 && reg_name_parse(&parsed, name) == -1)
        || fstatat(look->top, parsed.text, &st, AT_SYMLINK_NOFOLLOW) == -1)
    {
        return;
    }

    now = reg_stamp_now();
    stamp = reg_stamp_of(&st);

    if (group->quiet && reg_stamp_same(&group->seen.stamp, &stamp)) {
        return;
    }

    reg_stamp_note(&group->seen, &stamp, now);
    quiet = reg_stamp_quiet(&group->seen, &stamp, now);
    look->full = false;
    group->quiet = reg_newcomers_read(look, name) && quiet && !look->full;
}


/* The names are sorted, so those of a group stand together. */
static void
reg_newcomers_visit_all(reg_newcomers_look_t *look)
{
    reg_str_t  before = REG_STR_NULL;

    reg_newcomers_visit(look, REG_STR_NULL);

    for (size_t i = 0; i < look->known->n; i++) {
        reg_str_t  name = look->known->list[i];

        for (size_t at = 1; at < name.len; at++) {
            if (name.data[at] != '/'
                || reg_str_starts(before, (reg_str_t) { at + 1, name.data }))
            {
                continue;
            }

            if (++look->groups > REG_NEWCOMERS_GROUPS) {
                return;
            }

            reg_newcomers_visit(look, (reg_str_t) { at, name.data });
        }

        before = name;
    }
}


/* ---- newcomers ----------------------------------------------------------- */


/* Whether one is still to be looked at.  Notes what is in it. */
static bool
reg_newcomers_stays(reg_newcomers_look_t *look, const reg_newcomer_t *one)
{
    return !reg_newcomers_known(look, &one->name)
           && reg_stamp_now() - one->since
              < REG_NEWCOMERS_HOUR * REG_CLOCK_SECOND
           && reg_newcomers_read(look, reg_name_str(&one->name));
}


/* Those that are noted meanwhile as well, but not without end. */
static void
reg_newcomers_find(reg_newcomers_look_t *look,
    void (*found)(void *ctx, const reg_name_t *name), void *ctx)
{
    reg_newcomers_t  *all = look->all;
    reg_error_t       quiet = REG_ERROR_INIT;
    size_t            i = 0;

    for (size_t n = 0; i < all->n && n < 4 * REG_NEWCOMERS_MAX; n++) {
        const reg_newcomer_t  one = all->list[i];

        if (!reg_newcomers_stays(look, &one)) {
            all->list[i] = all->list[--all->n];
            continue;
        }

        /* what cannot be said now is asked again */
        if (reg_repo_has_manifest(all->store, &one.name, NULL, &quiet) == 1) {
            found(ctx, &one.name);
        }

        i++;
    }
}


/* ---- when ---------------------------------------------------------------- */


static void
reg_newcomers_rest(reg_newcomers_t *all, int64_t began)
{
    int64_t  now = reg_clock_ns(CLOCK_MONOTONIC);
    int64_t  rest = REG_NEWCOMERS_LAZY * (now - began);

    rest = rest < REG_NEWCOMERS_REST ? rest : REG_NEWCOMERS_REST;
    atomic_store(&all->next, now + rest);
}


void
reg_newcomers_look(reg_newcomers_t *all, const reg_names_t *known,
    void (*found)(void *ctx, const reg_name_t *name), void *ctx)
{
    reg_path_t            top;
    reg_newcomers_look_t  look = { all, known, -1, 0, false };
    int64_t               began = reg_clock_ns(CLOCK_MONOTONIC);

    if (began < atomic_load(&all->next)
        || pthread_mutex_trylock(&all->lock) != 0)
    {
        return;
    }

    reg_layout_repositories(&top, &all->store->v2);
    look.top = open(top.text, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (look.top != -1) {
        all->looks++;
        reg_newcomers_visit_all(&look);
        reg_newcomers_find(&look, found, ctx);
        (void) close(look.top);                  /* only a place */
    }

    reg_newcomers_rest(all, began);
    (void) pthread_mutex_unlock(&all->lock);
}
