#include "reg_repo.h"

#include <errno.h>
#include <fcntl.h>

#include "reg_blob.h"
#include "reg_link.h"
#include "reg_names.h"


int
reg_repo_require(reg_store_t *store, const reg_name_t *name, reg_error_t *err)
{
    reg_path_t   layers, manifests;
    struct stat  st;

    reg_layout_layers(&layers, &store->v2, name);
    reg_layout_manifests(&manifests, &store->v2, name);

    if (lstat(layers.text, &st) == 0 || lstat(manifests.text, &st) == 0) {
        return 0;
    }

    reg_error_detail(err, "name", reg_name_str(name));
    return reg_error_set(err, REG_NAME_UNKNOWN, NULL);
}


/* ---- manifests ----------------------------------------------------------- */


/* For reg_names_find(): whether this is a manifest's directory. */
static int
reg_repo_is_revision(void *ctx, int dir, const char *name)
{
    reg_digest_t  *which = ctx;
    struct stat    st;
    char           text[REG_DIGEST_SIZE + sizeof("/link")];

    if (strlen(name) >= REG_DIGEST_SIZE) {
        return 0;
    }

    (void) snprintf(text, sizeof(text), "%s/link", name);

    if (fstatat(dir, text, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        return reg_error_is_missing(errno) ? 0 : -1;
    }

    (void) snprintf(text, sizeof(text), "%s:%s", reg_alg_name(which->alg),
                    name);

    if (reg_digest_parse(which, reg_str_from(text)) == -1) {
        which->text[0] = '\0';
    }

    return 1;
}


int
reg_repo_has_manifest(reg_store_t *store, const reg_name_t *name,
    reg_digest_t *which, reg_error_t *err)
{
    int           found = 0;
    reg_digest_t  any;

    for (int alg = 0; alg < REG_ALGS && found == 0; alg++) {
        reg_path_t  dir;

        any = (reg_digest_t) { (reg_alg_t) alg, "" };
        reg_layout_revisions(&dir, &store->v2, name, (reg_alg_t) alg);
        found = reg_names_find(dir.text, REG_NAMES_PARTS,
                               reg_repo_is_revision, &any, err);
    }

    if (found == 1 && which != NULL) {
        *which = any;
    }

    return found;
}


/* ---- the catalog --------------------------------------------------------- */


typedef struct reg_repo_walk_s  reg_repo_walk_t;

struct reg_repo_walk_s {
    reg_store_t         *store;
    reg_str_t            last;
    int                (*wanted)(const reg_repo_walk_t *w,
                                 const reg_name_t *name);   /* -1: err */
    const reg_digest_t  *blob;           /* for one kind of wanted */
    const reg_repo_filter_t  *filter;    /* the same */
    int                (*item)(void *ctx, reg_str_t name);
    void                *ctx;
    bool                 done;
    reg_error_t         *err;
};


static int
reg_repo_has_blob(const reg_repo_walk_t *w, const reg_name_t *name)
{
    reg_path_t  link;

    reg_layout_layer(&link, &w->store->v2, name, w->blob);

    return reg_link_looks_like(AT_FDCWD, link.text, w->blob)
           && w->filter->may(w->filter->ctx, name);
}


static int
reg_repo_is_listed(const reg_repo_walk_t *w, const reg_name_t *name)
{
    return reg_repo_has_manifest(w->store, name, NULL, w->err);
}


static int
reg_repo_is_name(const reg_repo_walk_t *w, const reg_name_t *name)
{
    (void) w;
    (void) name;

    return 1;
}


/* Whether nothing below prefix ("a/b/") can come after last. */
static bool
reg_repo_all_before(reg_str_t prefix, reg_str_t last)
{
    return !reg_str_starts(last, prefix)
           && reg_str_compare(prefix, last) < 0;
}


static void
reg_repo_emit(reg_repo_walk_t *w, reg_str_t text)
{
    reg_name_t  name;
    int         rc;

    if ((w->last.len == 0 || reg_str_compare(text, w->last) > 0)
        && reg_name_parse(&name, text) == 0)
    {
        rc = w->wanted(w, &name);
        w->done = rc == -1 || (rc == 1 && w->item(w->ctx, text) != 0);
    }
}


static void reg_repo_walk(reg_repo_walk_t *w, reg_str_t prefix);


/* Byte order of whole names is not the order of a walk: "a-b" comes between
 * "a" and "a/b".  So each entry stands twice in the order, as "part" for
 * itself and as "part/" for what is below it. */
typedef struct {
    reg_str_t  part;
    bool       below;
} reg_repo_step_t;


static int
reg_repo_step_char(const reg_repo_step_t *s, size_t i)
{
    if (i < s->part.len) {
        return (unsigned char) s->part.data[i];
    }

    return i == s->part.len && s->below ? '/' : -1;
}


static int
reg_repo_step_order(const void *a, const void *b)
{
    for (size_t i = 0; ; i++) {
        int  x = reg_repo_step_char(a, i);
        int  y = reg_repo_step_char(b, i);

        if (x != y || x == -1) {
            return x - y;
        }
    }
}


static void
reg_repo_steps(reg_repo_walk_t *w, reg_str_t prefix, const reg_names_t *names)
{
    char              text[REG_NAME_MAX + 2];
    reg_repo_step_t  *steps = calloc(names->n, 2 * sizeof(*steps));
    reg_str_t         whole = { 0, text };

    if (steps == NULL) {
        (void) reg_error_set(w->err, REG_UNKNOWN, NULL);
        w->done = true;
        return;
    }

    for (size_t i = 0; i < names->n; i++) {
        steps[2 * i] = (reg_repo_step_t) { names->list[i], false };
        steps[2 * i + 1] = (reg_repo_step_t) { names->list[i], true };
    }

    qsort(steps, 2 * names->n, sizeof(*steps), reg_repo_step_order);

    for (size_t i = 0; i < 2 * names->n && !w->done; i++) {
        int  n = snprintf(text, sizeof(text), "%.*s%s%s", REG_STR_ARG(prefix),
                          steps[i].part.data, steps[i].below ? "/" : "");

        if (n < 0 || (size_t) n >= sizeof(text)) {
            continue;                            /* no name is that long */
        }

        whole.len = (size_t) n;

        if (!steps[i].below) {
            reg_repo_emit(w, whole);

        } else if (!reg_repo_all_before(whole, w->last)) {
            reg_repo_walk(w, whole);
        }
    }

    free(steps);
}


/* Reads the directory of a prefix; one that vanished meanwhile is empty. */
static int
reg_repo_read(reg_repo_walk_t *w, reg_str_t prefix, reg_names_t *names)
{
    reg_error_t  quiet = REG_ERROR_INIT;
    reg_path_t   dir;
    char         text[REG_NAME_MAX + 1];

    reg_layout_repositories(&dir, &w->store->v2);

    if (prefix.len > 0) {
        /* fits: the caller built it */
        (void) reg_str_copy(text, sizeof(text),
                            (reg_str_t) { prefix.len - 1, prefix.data });
        reg_path_add(&dir, text);
    }

    if (reg_names_read(names, dir.text, REG_NAMES_PARTS, REG_NAME_UNKNOWN,
                       &quiet) == 0
        || (quiet.code == REG_NAME_UNKNOWN && prefix.len > 0))
    {
        return 0;
    }

    if (quiet.code != REG_NAME_UNKNOWN) {
        *w->err = quiet;

    } else if (reg_store_require(w->store, w->err) == 0) {
        return 0;                                /* nothing was pushed yet */
    }

    w->done = true;

    return -1;
}


/* prefix is "" or ends with '/'.  Depth is bounded by the length of a name, so
 * the frame is kept small. */
static void
reg_repo_walk(reg_repo_walk_t *w, reg_str_t prefix)
{
    reg_names_t  names = REG_NAMES_INIT;

    if (reg_repo_read(w, prefix, &names) == 0 && names.n > 0) {
        reg_repo_steps(w, prefix, &names);
    }

    reg_names_free(&names);
}


int
reg_repo_list(reg_store_t *store, reg_str_t last,
    int (*item)(void *ctx, reg_str_t name), void *ctx, reg_error_t *err)
{
    reg_repo_walk_t  w = {
        .store = store, .last = last, .wanted = reg_repo_is_listed,
        .item = item, .ctx = ctx, .err = err
    };

    reg_repo_walk(&w, REG_STR_NULL);

    return err->code == REG_OK ? 0 : -1;
}


int
reg_repo_list_all(reg_store_t *store,
    int (*item)(void *ctx, reg_str_t name), void *ctx, reg_error_t *err)
{
    reg_repo_walk_t  w = {
        .store = store, .wanted = reg_repo_is_name, .item = item, .ctx = ctx,
        .err = err
    };

    reg_repo_walk(&w, REG_STR_NULL);

    return err->code == REG_OK ? 0 : -1;
}


static int
reg_repo_take_first(void *ctx, reg_str_t text)
{
    reg_name_t  *name = ctx;

    return reg_name_parse(name, text) == 0;
}


int
reg_repo_find_blob(reg_store_t *store, const reg_digest_t *d,
    const reg_repo_filter_t *filter, reg_name_t *name, reg_error_t *err)
{
    reg_repo_walk_t  w = {
        .store = store, .wanted = reg_repo_has_blob, .blob = d,
        .filter = filter, .item = reg_repo_take_first, .ctx = name, .err = err
    };
    reg_error_t      quiet = REG_ERROR_INIT;
    int64_t          size;

    name->len = 0;

    /* most often the content is not there at all */
    if (reg_blob_content_stat(store, d, &size, &quiet) == -1) {
        return 0;
    }

    reg_repo_walk(&w, REG_STR_NULL);

    return err->code != REG_OK ? -1 : name->len > 0;
}
