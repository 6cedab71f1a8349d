#include "reg_redo.h"

#include <errno.h>
#include <unistd.h>

#include "reg_file.h"
#include "reg_link.h"
#include "reg_place.h"


/* A record, where it stands in the order of all. */
typedef struct {
    reg_record_t  record;
    int64_t       time;                 /* of its batch; ns */
    size_t        n;
    bool          void_;
} reg_redo_item_t;

typedef struct {
    reg_logfile_t     *f;
    size_t             n, max;
    reg_redo_item_t   *items;           /* owned */
    reg_redo_item_t  **sorted;          /* owned; by path, then order */
} reg_redo_t;


/* ---- collecting ---------------------------------------------------------- */


static int
reg_redo_add(reg_redo_t *redo, const reg_record_t *record, int64_t time,
    reg_error_t *err)
{
    size_t            max = redo->max == 0 ? 1024 : 2 * redo->max;
    reg_redo_item_t  *items = redo->items;

    if (redo->n == redo->max) {
        items = realloc(items, max * sizeof(*items));

        if (items == NULL) {
            return reg_error_set(err, REG_UNKNOWN, "out of memory");
        }

        redo->items = items;
        redo->max = max;
    }

    items[redo->n] = (reg_redo_item_t) { *record, time, redo->n, false };
    redo->n++;

    return 0;
}


static int
reg_redo_batch(reg_redo_t *redo, reg_str_t records, int64_t time,
    reg_error_t *err)
{
    reg_record_t  record;
    int           rc;

    while ((rc = reg_record_next(&records, &record)) == 1) {
        if (reg_redo_add(redo, &record, time, err) == -1) {
            return -1;
        }
    }

    return rc == 0 ? 0
                   : reg_error_set(err, REG_UNKNOWN, "the journal holds what"
                                   " no version of this program writes");
}


/* The batches of one half, up to the first that is not whole. */
static int
reg_redo_half(reg_redo_t *redo, const reg_logfile_half_t *part,
    reg_error_t *err)
{
    reg_record_seal_t  seal = { .generation = part->generation };
    reg_str_t          records, half = reg_buf_str(&part->content);
    size_t             at = REG_LOGFILE_START;

    memcpy(seal.key, redo->f->key, sizeof(seal.key));

    while (at < half.len) {
        seal.offset = part->begin + at;

        if (reg_record_open(&seal, (reg_str_t) { half.len - at,
                                                 half.data + at }, &records)
            == -1)
        {
            break;
        }

        if (reg_redo_batch(redo, records, seal.time, err) == -1) {
            return -1;
        }

        at += reg_record_size(records.len);
    }

    return 0;
}


/* ---- what counts --------------------------------------------------------- */


static int
reg_redo_compare(const void *pa, const void *pb)
{
    const reg_redo_item_t  *a = *(reg_redo_item_t *const *) pa;
    const reg_redo_item_t  *b = *(reg_redo_item_t *const *) pb;
    int                     c;

    c = reg_str_compare(a->record.path, b->record.path);

    return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}


/* The first in the sorted order whose path is not before this one. */
static size_t
reg_redo_find(const reg_redo_t *redo, reg_str_t path)
{
    size_t  low = 0, high = redo->n;

    while (low < high) {
        size_t  mid = low + (high - low) / 2;

        if (reg_str_compare(redo->sorted[mid]->record.path, path) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low;
}


/* Whether path is dir, or below it. */
static bool
reg_redo_is_below(reg_str_t path, reg_str_t dir)
{
    return reg_str_starts(path, dir)
           && (path.len == dir.len || path.data[dir.len] == '/');
}


/* What was put there before is void.  Between a name and what is below it
 * others may be sorted, whose name goes on with a character before '/'. */
static void
reg_redo_gone(reg_redo_t *redo, const reg_redo_item_t *gone)
{
    reg_str_t  dir = gone->record.path;

    for (size_t i = reg_redo_find(redo, dir);
         i < redo->n && reg_str_starts(redo->sorted[i]->record.path, dir);
         i++)
    {
        redo->sorted[i]->void_ |= redo->sorted[i]->n < gone->n
            && reg_redo_is_below(redo->sorted[i]->record.path, dir);
    }
}


/* A tag that came to point to a manifest before that was removed.  Whoever
 * removed it has said so of the tags that there were: of a push that broke off
 * between its files nobody has. */
static void
reg_redo_untag(reg_redo_t *redo, const reg_redo_item_t *gone)
{
    static const char  revisions[] = "/_manifests/revisions/";

    reg_str_t   path = gone->record.path, alg;
    reg_path_t  tags = { 0, "" };
    const char  *at = memmem(path.data, path.len, revisions,
                             sizeof(revisions) - 1);

    if (at == NULL) {
        return;
    }

    (void) snprintf(tags.text, sizeof(tags.text), "%.*s/_manifests/tags/",
                    (int) (at - path.data), path.data);     /* is shorter */
    path.len -= (size_t) (at - path.data) + sizeof(revisions) - 1;
    path.data = at + sizeof(revisions) - 1;
    alg = reg_str_cut(&path, '/');
    path = reg_str_cut(&path, '/');

    for (size_t i = reg_redo_find(redo, reg_str_from(tags.text));
         i < redo->n && reg_str_starts(redo->sorted[i]->record.path,
                                       reg_str_from(tags.text));
         i++)
    {
        reg_str_t  hex = redo->sorted[i]->record.content;

        redo->sorted[i]->void_ |= redo->sorted[i]->n < gone->n
            && reg_str_eq(reg_str_cut(&hex, ':'), alg) && reg_str_eq(hex, path);
    }
}


static int
reg_redo_compare_numbers(const void *pa, const void *pb)
{
    const uint64_t  *a = pa, *b = pb;

    return (*a > *b) - (*a < *b);
}


/* What a change put that had to be given up. */
static int
reg_redo_take_back(reg_redo_t *redo, reg_error_t *err)
{
    uint64_t  *numbers = calloc(redo->n, sizeof(*numbers));
    size_t     n = 0;

    if (numbers == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    for (size_t i = 0; i < redo->n; i++) {
        if (redo->items[i].record.kind == REG_RECORD_VOID) {
            numbers[n++] = redo->items[i].record.change;
        }
    }

    qsort(numbers, n, sizeof(*numbers), reg_redo_compare_numbers);

    for (size_t i = 0; n > 0 && i < redo->n; i++) {
        reg_redo_item_t  *item = &redo->items[i];

        item->void_ |= item->record.kind == REG_RECORD_PUT
            && bsearch(&item->record.change, numbers, n, sizeof(*numbers),
                       reg_redo_compare_numbers) != NULL;
    }

    free(numbers);

    return 0;
}


/* Of those that are left, the last one of each path. */
static void
reg_redo_last(reg_redo_t *redo)
{
    reg_str_t  path = REG_STR_NULL;

    for (size_t i = redo->n; i-- > 0; /* void */) {
        reg_redo_item_t  *item = redo->sorted[i];

        item->void_ |= reg_str_eq(item->record.path, path);

        if (!item->void_) {
            path = item->record.path;
        }
    }
}


static int
reg_redo_sort(reg_redo_t *redo, reg_error_t *err)
{
    if (redo->n == 0) {
        return 0;
    }

    redo->sorted = calloc(redo->n, sizeof(*redo->sorted));

    if (redo->sorted == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    for (size_t i = 0; i < redo->n; i++) {
        redo->sorted[i] = &redo->items[i];
    }

    qsort(redo->sorted, redo->n, sizeof(*redo->sorted), reg_redo_compare);

    if (reg_redo_take_back(redo, err) == -1) {
        return -1;
    }

    for (size_t i = 0; i < redo->n; i++) {
        reg_redo_item_t  *item = &redo->items[i];

        if (item->record.kind == REG_RECORD_GONE) {
            reg_redo_gone(redo, item);
            reg_redo_untag(redo, item);
        }

        item->void_ |= item->record.kind != REG_RECORD_PUT;
    }

    reg_redo_last(redo);

    return 0;
}


/* ---- doing --------------------------------------------------------------- */


/* Whether another program moved the tag well after the record. */
static bool
reg_redo_is_old(const reg_redo_item_t *item, const reg_path_t *path)
{
    static const char  current[] = "/current/link";

    struct stat   st;
    reg_digest_t  d;
    reg_str_t     end = item->record.path;
    reg_error_t   quiet = REG_ERROR_INIT;

    if (end.len < sizeof(current)) {
        return false;
    }

    end.data += end.len - (sizeof(current) - 1);
    end.len = sizeof(current) - 1;

    return reg_str_eq(end, reg_str_from(current)) && !item->record.ahead
           && lstat(path->text, &st) == 0
           && st.st_mtim.tv_sec - REG_REDO_MARGIN > item->time / 1000000000
           && reg_link_read(path, &d, REG_MANIFEST_UNKNOWN, &quiet) == 0;
}


/* What becomes of one file. */
typedef int (*reg_redo_file_pt)(reg_store_t *store, const reg_path_t *path,
    reg_str_t content, size_t *files, reg_error_t *err);


static int
reg_redo_put(reg_store_t *store, const reg_path_t *path, reg_str_t content,
    size_t *files, reg_error_t *err)
{
    (*files)++;

    return reg_place_restore(store, path, content, err);
}


/* The same without doing it. */
static int
reg_redo_compare_file(reg_store_t *store, const reg_path_t *path,
    reg_str_t content, size_t *files, reg_error_t *err)
{
    int  fd = reg_file_open_same(store, path->text, content);

    (void) err;

    if (fd != -1) {
        (void) close(fd);               /* was only read */
    } else {
        (*files)++;
    }

    return 0;
}


static int
reg_redo_item(const reg_redo_t *redo, const reg_redo_item_t *item,
    reg_redo_file_pt what, size_t *files, reg_error_t *err)
{
    reg_store_t  *store = redo->f->store;
    reg_path_t    path;

    if (reg_path_below(&path, &store->v2, item->record.path) == -1) {
        return reg_error_set(err, REG_UNKNOWN, "the journal holds a path that"
                             " is too long");
    }

    return reg_redo_is_old(item, &path)
           ? 0 : what(store, &path, item->record.content, files, err);
}


static int
reg_redo_each(reg_redo_t *redo, const reg_logfile_half_t halves[2],
    reg_redo_file_pt what, size_t *files, reg_error_t *err)
{
    int  first = halves[0].generation > halves[1].generation;

    if (reg_redo_half(redo, &halves[first], err) == -1
        || reg_redo_half(redo, &halves[!first], err) == -1
        || reg_redo_sort(redo, err) == -1)
    {
        return -1;
    }

    for (size_t i = 0; i < redo->n; i++) {
        if (!redo->items[i].void_
            && reg_redo_item(redo, &redo->items[i], what, files, err) == -1)
        {
            return -1;
        }
    }

    return 0;
}


static int
reg_redo_sync(const reg_redo_t *redo, reg_error_t *err)
{
    if (redo->n > 0 && redo->f->store->sys->syncfs(redo->f->whole) == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "syncfs",
                             redo->f->store->v2.text);
    }

    return 0;
}


static int
reg_redo_run(reg_redo_t *redo, reg_redo_file_pt what, size_t *files,
    reg_error_t *err)
{
    reg_logfile_half_t  halves[2] = { { 0 }, { 0 } };
    int                 rc = -1;

    *files = 0;

    if (reg_logfile_read(redo->f, 0, &halves[0], err) == 0
        && reg_logfile_read(redo->f, 1, &halves[1], err) == 0)
    {
        rc = reg_redo_each(redo, halves, what, files, err);
    }

    free(redo->items);
    free(redo->sorted);
    reg_buf_free(&halves[0].content);
    reg_buf_free(&halves[1].content);

    return rc;
}


int
reg_redo(reg_logfile_t *f, size_t *files, reg_error_t *err)
{
    reg_redo_t  redo = { .f = f };

    return reg_redo_run(&redo, reg_redo_put, files, err) == -1
           ? -1 : reg_redo_sync(&redo, err);
}


int
reg_redo_look(reg_logfile_t *f, size_t *files, reg_error_t *err)
{
    reg_redo_t  redo = { .f = f };

    return reg_redo_run(&redo, reg_redo_compare_file, files, err);
}
