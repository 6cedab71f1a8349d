#include "reg_tag.h"

#include "reg_change.h"
#include "reg_link.h"
#include "reg_lists.h"
#include "reg_lock.h"
#include "reg_removal.h"
#include "reg_repo.h"


static int
reg_tag_unknown(const reg_tag_t *tag, reg_error_t *err)
{
    reg_error_detail(err, "tag", reg_tag_str(tag));
    return -1;
}


int
reg_tag_read(reg_store_t *store, const reg_name_t *name, const reg_tag_t *tag,
    reg_digest_t *d, reg_error_t *err)
{
    reg_path_t  path;

    reg_layout_tag_current(&path, &store->v2, name, tag);

    if (reg_link_read(&path, d, REG_MANIFEST_UNKNOWN, err) == -1) {
        return reg_tag_unknown(tag, err);
    }

    return 0;
}


int
reg_tag_delete(reg_store_t *store, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err)
{
    int  lock = reg_lock_alone(store, name, REG_MANIFEST_UNKNOWN, err);
    int  rc = lock == -1 ? reg_tag_unknown(tag, err)
                         : reg_tag_remove(store, name, tag, err);

    reg_lock_release(lock);

    return rc;
}


int
reg_tag_remove(reg_store_t *store, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err)
{
    reg_path_t    dir;
    reg_digest_t  d;

    if (reg_tag_read(store, name, tag, &d, err) == -1) {
        return -1;
    }

    reg_layout_tag(&dir, &store->v2, name, tag);

    if (reg_removal_rmtree(store, &dir, REG_MANIFEST_UNKNOWN, err) == -1
        || reg_change_gone(store, &dir, err) == -1)
    {
        return reg_tag_unknown(tag, err);
    }

    return 0;
}


/* ---- lists --------------------------------------------------------------- */


/* The directory of tags, which a repository may lack: then 0 with no names. */
static int
reg_tag_open(reg_store_t *store, const reg_name_t *name, reg_list_t *list,
    reg_error_t *err)
{
    reg_path_t  dir;

    reg_layout_tags(&dir, &store->v2, name);

    if (reg_lists_open(store->lists, &dir, REG_NAMES_TAGS, list, err) == 0) {
        return 0;
    }

    if (err->code == REG_NAME_UNKNOWN) {
        *err = (reg_error_t) REG_ERROR_INIT;
        list->names = NULL;
        return reg_repo_require(store, name, err);
    }

    return -1;
}


/* 1, or 0: a directory without a link is what a push has not finished, or a
 * crash left of one.  A link that cannot be read may be a tag's. */
static int
reg_tag_listed(const reg_list_t *list, size_t i, reg_tag_t *tag,
    reg_digest_t *to, reg_error_t *err)
{
    char         path[REG_TAG_MAX + sizeof("/current/link")];
    reg_error_t  why = REG_ERROR_INIT;

    if (reg_tag_parse(tag, list->names->list[i]) == -1) {
        return 0;
    }

    (void) snprintf(path, sizeof(path), "%s/current/link", tag->text);

    if (reg_link_read_at(list->fd, path, to, REG_MANIFEST_UNKNOWN, &why) == 0)
    {
        return 1;
    }

    if (why.code == REG_MANIFEST_UNKNOWN) {
        return 0;
    }

    *err = why;
    return -1;
}


int
reg_tag_each(reg_store_t *store, const reg_name_t *name, reg_str_t last,
    reg_tag_item_pt item, void *ctx, reg_error_t *err)
{
    int           rc = 0;
    size_t        i;
    reg_list_t    list;
    reg_tag_t     tag;
    reg_digest_t  to;

    if (reg_tag_open(store, name, &list, err) == -1) {
        return -1;
    }

    if (list.names == NULL) {
        return 0;
    }

    for (i = reg_names_after(list.names, last); i < list.names->n; i++) {
        rc = reg_tag_listed(&list, i, &tag, &to, err);

        if (rc == -1 || (rc == 1 && item(ctx, &tag, &to) != 0)) {
            break;
        }
    }

    reg_list_close(&list);

    return rc == -1 ? -1 : 0;
}


typedef struct {
    int  (*item)(void *ctx, reg_str_t tag);
    void  *ctx;
} reg_tag_names_t;


static int
reg_tag_name_only(void *ctx, const reg_tag_t *tag, const reg_digest_t *to)
{
    reg_tag_names_t  *names = ctx;

    (void) to;

    return names->item(names->ctx, reg_tag_str(tag));
}


int
reg_tag_list(reg_store_t *store, const reg_name_t *name, reg_str_t last,
    int (*item)(void *ctx, reg_str_t tag), void *ctx, reg_error_t *err)
{
    reg_tag_names_t  names = { item, ctx };

    return reg_tag_each(store, name, last, reg_tag_name_only, &names, err);
}
