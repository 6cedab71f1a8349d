#include "reg_index.h"

#include <errno.h>
#include <stdlib.h>

#include "reg_hash.h"
#include "reg_manifest.h"
#include "reg_names.h"
#include "reg_repo.h"
#include "reg_revision.h"


typedef struct {
    reg_digest_t    subject;
    reg_referrer_t  ref;
} reg_index_entry_t;

typedef struct {
    reg_store_t              *store;
    const reg_name_t         *name;
    const reg_index_watch_t  *watch;
    reg_index_count_t        *count;
    time_t                    before;      /* younger files are left alone */
    size_t                    n;
    size_t                    size;
    reg_index_entry_t        *entries;     /* owned */
} reg_index_t;


/* ---- one manifest -------------------------------------------------------- */


/* Its bytes, if they are what their name says. */
static int
reg_index_body(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *digest, reg_buf_t *body, reg_error_t *err)
{
    reg_hash_t    hash;
    reg_path_t    path;
    reg_digest_t  actual;

    if (reg_revision_read(store, name, digest, body, err) == -1) {
        return -1;
    }

    reg_hash_init(&hash, digest->alg);
    reg_hash_update(&hash, body->data, body->len);
    reg_hash_digest(&hash, &actual);

    if (!reg_digest_eq(&actual, digest)) {
        reg_layout_blob(&path, &store->v2, digest);
        reg_error_where(err, "does not match its digest:", path.text);
        return reg_error_set(err, REG_DIGEST_INVALID, NULL);
    }

    return 0;
}


/* Fills *m with the subject and what a list says, if there is one. */
static int
reg_index_parse(reg_manifest_t *m, reg_str_t body, reg_error_t *err)
{
    const reg_mediatype_t  *type = reg_manifest_type(body);

    if (type == NULL) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "it is of no known type");
    }

    /* schema 1 is not ours to serve, and has no subject */
    return type->kind == REG_KIND_SCHEMA1
           ? 0 : reg_manifest_parse(m, body, type->name, err);
}


/* A manifest as a referrer: 1 with subject and ref filled, 0 if it has no
 * subject, -1 if it is not there, damaged or no manifest. */
static int
reg_index_read(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *digest, reg_digest_t *subject, reg_referrer_t *ref,
    reg_error_t *err)
{
    int             rc = -1;
    reg_buf_t       body = REG_BUF_INIT, descriptor = REG_BUF_INIT;
    reg_manifest_t  m = REG_MANIFEST_INIT;

    if (reg_index_body(store, name, digest, &body, err) == -1
        || reg_index_parse(&m, reg_buf_str(&body), err) == -1)
    {
        goto out;
    }

    if (!m.has_subject) {
        rc = 0;
        goto out;
    }

    ref->line = (reg_buf_t) REG_BUF_INIT;
    *subject = m.subject;
    reg_manifest_descriptor(&m, digest, &descriptor);

    if (reg_referrer_format(ref, digest, reg_buf_str(&m.artifact_type),
                            reg_buf_str(&descriptor), err) == -1)
    {
        reg_buf_free(&ref->line);
        goto out;
    }

    rc = 1;

out:
    reg_buf_free(&descriptor);
    reg_buf_free(&body);
    reg_manifest_free(&m);
    return rc;
}


/* ---- a repository -------------------------------------------------------- */


static int
reg_index_order(const void *a, const void *b)
{
    const reg_index_entry_t  *x = a, *y = b;

    return reg_str_compare(reg_digest_str(&x->subject),
                             reg_digest_str(&y->subject));
}


static void
reg_index_drop(reg_index_t *index)
{
    for (size_t i = 0; i < index->n; i++) {
        reg_buf_free(&index->entries[i].ref.line);
    }

    index->n = 0;
}


/* Writes the n entries from first on, all of one subject. */
static int
reg_index_flush_one(reg_index_t *index, size_t first, size_t n,
    reg_error_t *err)
{
    int              added;
    reg_referrer_t  *refs = calloc(n, sizeof(*refs));

    if (refs == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    for (size_t i = 0; i < n; i++) {
        refs[i] = index->entries[first + i].ref;     /* lines stay theirs */
    }

    added = reg_referrers_add(index->store, index->name,
                              &index->entries[first].subject, refs, n, err);
    free(refs);

    if (added == -1) {
        return -1;
    }

    index->count->added += added;

    return 0;
}


/* Writes what was collected, subject by subject. */
static int
reg_index_flush(reg_index_t *index, reg_error_t *err)
{
    int     rc = 0;
    size_t  first, i;

    if (index->n == 0) {
        return 0;
    }

    qsort(index->entries, index->n, sizeof(*index->entries), reg_index_order);

    for (first = 0, i = 1; i <= index->n && rc == 0; i++) {
        if (i == index->n
            || !reg_digest_eq(&index->entries[i].subject,
                              &index->entries[first].subject))
        {
            rc = reg_index_flush_one(index, first, i - first, err);
            first = i;
        }
    }

    reg_index_drop(index);

    return rc;
}


/* Room for one more. */
static int
reg_index_grow(reg_index_t *index, reg_error_t *err)
{
    size_t              size = index->size == 0 ? 64 : 2 * index->size;
    reg_index_entry_t  *entries;

    if (index->n < index->size) {
        return 0;
    }

    entries = reallocarray(index->entries, size, sizeof(*entries));
    if (entries == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    index->entries = entries;
    index->size = size;

    return 0;
}


static int
reg_index_take(reg_index_t *index, const reg_digest_t *digest,
    reg_error_t *err)
{
    reg_error_t         odd = REG_ERROR_INIT, gone = REG_ERROR_INIT;
    reg_index_entry_t  *entry;

    /* deleted since the directory was read */
    if (reg_revision_require(index->store, index->name, digest, &gone) == -1
        && gone.sys == ENOENT)
    {
        return 0;
    }

    if (reg_index_grow(index, err) == -1) {
        return -1;
    }

    entry = &index->entries[index->n];

    switch (reg_index_read(index->store, index->name, digest, &entry->subject,
                           &entry->ref, &odd))
    {

    case 1:
        index->n++;
        index->count->referrers++;
        /* fall through */

    case 0:
        index->count->manifests++;
        break;

    default:
        index->count->unreadable++;

        if (index->watch->odd != NULL) {
            index->watch->odd(index->watch->ctx, digest, &odd);
        }
    }

    if (index->watch->progress != NULL) {
        index->watch->progress(index->watch->ctx, index->count);
    }

    return index->n < REG_INDEX_BATCH ? 0 : reg_index_flush(index, err);
}


/* What is in a directory that need not be there. */
static int
reg_index_names(reg_names_t *names, const reg_path_t *dir,
    reg_names_kind_t kind, reg_error_t *err)
{
    reg_error_t  found = REG_ERROR_INIT;

    if (reg_names_read(names, dir->text, kind, REG_NAME_UNKNOWN, &found) == -1
        && found.code != REG_NAME_UNKNOWN)
    {
        *err = found;
        return -1;
    }

    return 0;
}


typedef void (*reg_index_dir_pt)(reg_path_t *path, const reg_path_t *v2,
    const reg_name_t *name, reg_alg_t alg);

typedef int (*reg_index_each_pt)(reg_index_t *index,
    const reg_digest_t *digest, reg_error_t *err);


/* Calls each for every name that is a digest of this algorithm. */
static int
reg_index_digests(reg_index_t *index, const reg_names_t *names, reg_alg_t alg,
    reg_index_each_pt each, reg_error_t *err)
{
    int   rc = 0;
    char  text[2 * REG_DIGEST_SIZE];

    for (size_t i = 0; rc == 0 && i < names->n; i++) {
        reg_digest_t  digest;

        /* what is cut off is no digest */
        (void) snprintf(text, sizeof(text), "%s:%s", reg_alg_name(alg),
                        names->list[i].data);

        if (reg_digest_parse(&digest, reg_str_from(text)) == 0) {
            rc = each(index, &digest, err);
        }
    }

    return rc;
}


/* The same for a directory of each algorithm. */
static int
reg_index_all(reg_index_t *index, reg_index_dir_pt at, reg_names_kind_t kind,
    reg_index_each_pt each, reg_error_t *err)
{
    int  rc = 0;

    for (int alg = 0; alg < REG_ALGS && rc == 0; alg++) {
        reg_names_t  names = REG_NAMES_INIT;
        reg_path_t   dir;

        at(&dir, &index->store->v2, index->name, (reg_alg_t) alg);
        rc = reg_index_names(&names, &dir, kind, err);

        if (rc == 0) {
            rc = reg_index_digests(index, &names, (reg_alg_t) alg, each, err);
        }

        reg_names_free(&names);
    }

    return rc;
}


static int
reg_index_add(reg_index_t *index, reg_error_t *err)
{
    return reg_index_all(index, reg_layout_revisions, REG_NAMES_PARTS,
                         reg_index_take, err) == -1
           ? -1 : reg_index_flush(index, err);
}


static int
reg_index_clean_one(reg_index_t *index, const reg_digest_t *subject,
    reg_error_t *err)
{
    int  dropped = reg_referrers_clean(index->store, index->name, subject,
                                       index->before, err);

    if (dropped == -1) {
        return -1;
    }

    index->count->dropped += dropped;

    return 0;
}


static int
reg_index_clean(reg_index_t *index, reg_error_t *err)
{
    return reg_index_all(index, reg_layout_subjects, REG_NAMES_FILES,
                         reg_index_clean_one, err);
}


int
reg_index_rebuild(reg_store_t *store, const reg_name_t *name, time_t now,
    const reg_index_watch_t *watch, reg_index_count_t *count,
    reg_error_t *err)
{
    int          rc = -1;
    reg_index_t  index = {
        .store = store, .name = name, .watch = watch, .count = count,
        .before = now - REG_INDEX_GRACE
    };

    /* adding makes files young */
    if (reg_repo_require(store, name, err) == 0
        && reg_index_clean(&index, err) == 0
        && reg_index_add(&index, err) == 0)
    {
        rc = 0;
    }

    reg_index_drop(&index);
    free(index.entries);

    return rc;
}
