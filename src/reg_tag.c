#include "reg_tag.h"

#include "reg_durable.h"
#include "reg_link.h"
#include "reg_lock.h"
#include "reg_names.h"
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

    if (reg_durable_rmtree(store, &dir, REG_MANIFEST_UNKNOWN, err) == -1) {
        return reg_tag_unknown(tag, err);
    }

    return 0;
}


int
reg_tag_list(reg_store_t *store, const reg_name_t *name, reg_str_t last,
    int (*item)(void *ctx, reg_str_t tag), void *ctx, reg_error_t *err)
{
    reg_names_t   names = REG_NAMES_INIT;
    reg_error_t   quiet;
    reg_digest_t  d;
    reg_path_t    dir;
    reg_tag_t     tag;
    int           rc;

    reg_layout_tags(&dir, &store->v2, name);
    rc = reg_names_read(&names, dir.text, REG_NAMES_TAGS, REG_NAME_UNKNOWN,
                        err);

    if (rc == -1 && err->code == REG_NAME_UNKNOWN) {
        reg_names_free(&names);
        *err = (reg_error_t) REG_ERROR_INIT;
        return reg_repo_require(store, name, err);       /* then: no tags */
    }

    for (size_t i = reg_names_after(&names, last); rc == 0 && i < names.n; i++)
    {
        quiet = (reg_error_t) REG_ERROR_INIT;

        /* a directory without a link is what a crash left of a push */
        if (reg_tag_parse(&tag, names.list[i]) == -1
            || reg_tag_read(store, name, &tag, &d, &quiet) == -1)
        {
            continue;
        }

        if (item(ctx, names.list[i]) != 0) {
            break;
        }
    }

    reg_names_free(&names);
    return rc;
}
