#include "reg_revision.h"

#include "reg_blob.h"
#include "reg_catalog.h"
#include "reg_change.h"
#include "reg_link.h"
#include "reg_lock.h"
#include "reg_removal.h"
#include "reg_tag.h"


static int
reg_revision_unknown(const reg_digest_t *d, reg_error_t *err)
{
    reg_error_detail(err, "digest", reg_digest_str(d));
    return -1;
}


/* With the lock: what the caller has seen may have been deleted since (D4). */
static int
reg_revision_need(reg_change_t *c, const reg_name_t *name,
    const reg_revision_new_t *new, reg_error_t *err)
{
    reg_path_t  path;

    for (size_t i = 0; i < new->nrefs; i++) {
        const reg_manifest_ref_t  *ref = &new->refs[i];

        if (ref->kind == REG_REF_FOREIGN) {
            continue;
        }

        if (ref->kind == REG_REF_MANIFEST) {
            reg_layout_revision(&path, &c->store->v2, name, &ref->digest);
        } else {
            reg_layout_layer(&path, &c->store->v2, name, &ref->digest);
        }

        if (!reg_change_need(c, &path, reg_digest_str(&ref->digest))) {
            reg_error_detail(err, "digest", reg_digest_str(&ref->digest));
            return reg_error_set(err, REG_MANIFEST_BLOB_UNKNOWN, NULL);
        }
    }

    return 0;
}


static void
reg_revision_change(reg_change_t *c, const reg_name_t *name,
    const reg_revision_new_t *new)
{
    const reg_path_t  *v2 = &c->store->v2;
    reg_path_t         path;
    reg_str_t          text = reg_digest_str(new->digest);

    reg_layout_blob(&path, v2, new->digest);
    reg_change_put(c, 0, &path, new->body);
    reg_catalog_add(c, name);

    reg_layout_revision(&path, v2, name, new->digest);
    reg_change_put(c, 1, &path, text);

    for (size_t i = 0; i < new->ntags; i++) {                       /* D4 */
        reg_layout_tag(&path, v2, name, &new->tags[i]);
        reg_change_enter(c, &path);

        reg_layout_tag_index(&path, v2, name, &new->tags[i], new->digest);
        reg_change_put(c, 2, &path, text);

        reg_layout_tag_current(&path, v2, name, &new->tags[i]);
        reg_change_replace(c, 2, &path, text);
    }
}


static int
reg_revision_commit(reg_store_t *store, const reg_name_t *name,
    const reg_revision_new_t *new, reg_error_t *err)
{
    reg_change_t  c;
    int           rc;

    reg_change_init(&c, store);
    rc = reg_revision_need(&c, name, new, err);

    if (rc == 0) {
        reg_revision_change(&c, name, new);
        rc = reg_change_commit(&c, err);
    }

    reg_change_free(&c);

    return rc;
}


int
reg_revision_put(reg_store_t *store, const reg_name_t *name,
    const reg_revision_new_t *new, reg_error_t *err)
{
    int  rc = -1;
    int  lock = reg_lock_shared(store, name, err);

    if (lock != -1) {
        rc = reg_revision_commit(store, name, new, err);
    }

    reg_lock_release(lock);

    return rc;
}


int
reg_revision_require(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, reg_error_t *err)
{
    reg_path_t  path;

    reg_layout_revision(&path, &store->v2, name, d);

    if (reg_link_require(&path, d, REG_MANIFEST_UNKNOWN, err) == -1) {
        return reg_revision_unknown(d, err);
    }

    return 0;
}


int
reg_revision_read(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, reg_buf_t *out, reg_error_t *err)
{
    if (reg_revision_require(store, name, d, err) == -1) {
        return -1;
    }

    if (reg_blob_content_read(store, d, REG_MANIFEST_MAX, out, err) == -1) {
        if (err->code == REG_BLOB_UNKNOWN) {
            err->code = REG_MANIFEST_UNKNOWN;
        }

        return -1;
    }

    return 0;
}


/* ---- delete -------------------------------------------------------------- */


typedef struct {
    reg_store_t                 *store;
    const reg_name_t            *name;
    const reg_digest_t          *digest;
    const reg_revision_watch_t  *watch;
    reg_error_t                 *err;
    bool                         failed;
} reg_revision_untag_t;


static int
reg_revision_untag_one(void *data, const reg_tag_t *tag,
    const reg_digest_t *to)
{
    reg_revision_untag_t  *u = data;
    reg_error_t            quiet = REG_ERROR_INIT;

    if (!reg_digest_eq(to, u->digest)) {
        return 0;
    }

    if (u->watch != NULL) {
        u->watch->untag(u->watch->ctx, tag);
    }

    if (reg_tag_remove(u->store, u->name, tag, &quiet) == -1
        && quiet.code != REG_MANIFEST_UNKNOWN)
    {
        *u->err = quiet;
        u->failed = true;
    }

    return u->failed;
}


/* Removes every tag that points to d. */
static int
reg_revision_untag(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, const reg_revision_watch_t *watch,
    reg_error_t *err)
{
    reg_revision_untag_t  u = { store, name, d, watch, err, false };

    if (reg_tag_each(store, name, REG_STR_NULL, reg_revision_untag_one, &u,
                     err) == -1)
    {
        return -1;
    }

    return u.failed ? -1 : 0;
}


int
reg_revision_delete(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *d, const reg_revision_watch_t *watch,
    reg_error_t *err)
{
    reg_path_t  link, stop;
    int         rc = -1;
    int         lock = reg_lock_alone(store, name, REG_MANIFEST_UNKNOWN, err);

    reg_layout_revision(&link, &store->v2, name, d);
    reg_layout_manifests(&stop, &store->v2, name);

    /* the lock keeps pushes out: no tag comes to point here meanwhile */
    if (lock != -1
        && reg_revision_require(store, name, d, err) == 0
        && reg_revision_untag(store, name, d, watch, err) == 0)
    {
        rc = reg_removal_unlink(store, &link, &stop, REG_MANIFEST_UNKNOWN,
                                err) == -1
             ? -1 : reg_change_gone(store, &link, err);
    }

    if (rc == 0) {
        reg_catalog_drop(store, name);
    }

    reg_lock_release(lock);

    return rc == 0 ? 0 : reg_revision_unknown(d, err);
}
