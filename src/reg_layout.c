#include "reg_layout.h"

#include <assert.h>


/* the longest: v2 + /repositories/NAME/_manifests/tags/TAG/index/ALG/HEX/link,
 * and a temporary name beside it */
_Static_assert(REG_ROOT_MAX + sizeof("/repositories//_manifests/tags//index//")
               + REG_NAME_MAX + REG_TAG_MAX + REG_DIGEST_SIZE + 64
               < REG_PATH_MAX, "a path may not fit");


static void
reg_path_put(reg_path_t *p, const char *data, size_t len)
{
    assert(p->len + len < sizeof(p->text));

    memcpy(p->text + p->len, data, len);
    p->len += len;
    p->text[p->len] = '\0';
}


static void
reg_path_begin(reg_path_t *p, const reg_path_t *from)
{
    p->len = 0;
    reg_path_put(p, from->text, from->len);
}


void
reg_path_add(reg_path_t *p, const char *part)
{
    reg_path_put(p, "/", 1);
    reg_path_put(p, part, strlen(part));
}


int
reg_path_below(reg_path_t *p, const reg_path_t *dir, reg_str_t rest)
{
    if (rest.len == 0 || rest.len >= sizeof(p->text) - dir->len - 1) {
        return -1;
    }

    *p = *dir;
    p->text[p->len++] = '/';
    memcpy(p->text + p->len, rest.data, rest.len);
    p->len += rest.len;
    p->text[p->len] = '\0';

    return 0;
}


reg_str_t
reg_path_rest(const reg_path_t *p, const reg_path_t *dir)
{
    return (reg_str_t) { p->len - dir->len - 1, p->text + dir->len + 1 };
}


void
reg_path_parent(reg_path_t *p)
{
    while (p->len > 1 && p->text[p->len - 1] != '/') {
        p->len--;
    }

    if (p->len > 1) {
        p->len--;
    }

    p->text[p->len] = '\0';
}


/* "/ALG/HEX" */
static void
reg_path_digest(reg_path_t *p, const reg_digest_t *d)
{
    reg_path_add(p, reg_alg_name(d->alg));
    reg_path_add(p, reg_digest_hex(d));
}


void
reg_layout_blobs(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "blobs");
}


void
reg_layout_blob(reg_path_t *p, const reg_path_t *v2, const reg_digest_t *d)
{
    char  two[3] = { reg_digest_hex(d)[0], reg_digest_hex(d)[1], '\0' };

    reg_layout_blobs(p, v2);
    reg_path_add(p, reg_alg_name(d->alg));
    reg_path_add(p, two);
    reg_path_add(p, reg_digest_hex(d));
    reg_path_add(p, "data");
}


void
reg_layout_tmp(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_tmp");
}


void
reg_layout_journal(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_journal");
}


void
reg_layout_purge(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_purge");
}


void
reg_layout_fence(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_fence");
}


void
reg_layout_catalog(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_catalog");
}


void
reg_layout_catalog_entry(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name)
{
    char  *slash;

    reg_layout_catalog(p, v2);
    slash = p->text + p->len + 1;
    reg_path_add(p, name->text);

    while ((slash = strchr(slash, '/')) != NULL) {
        *slash = '+';
    }
}


void
reg_layout_spare(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_spare");
}


void
reg_layout_epoch(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "_auth/epoch");
}


void
reg_layout_repositories(reg_path_t *p, const reg_path_t *v2)
{
    reg_path_begin(p, v2);
    reg_path_add(p, "repositories");
}


void
reg_layout_repository(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name)
{
    reg_layout_repositories(p, v2);
    reg_path_add(p, name->text);
}


void
reg_layout_layers(reg_path_t *p, const reg_path_t *v2, const reg_name_t *name)
{
    reg_layout_repository(p, v2, name);
    reg_path_add(p, "_layers");
}


void
reg_layout_layer(reg_path_t *p, const reg_path_t *v2, const reg_name_t *name,
    const reg_digest_t *d)
{
    reg_layout_layers(p, v2, name);
    reg_path_digest(p, d);
    reg_path_add(p, "link");
}


void
reg_layout_manifests(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name)
{
    reg_layout_repository(p, v2, name);
    reg_path_add(p, "_manifests");
}


void
reg_layout_revisions(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, reg_alg_t alg)
{
    reg_layout_manifests(p, v2, name);
    reg_path_add(p, "revisions");
    reg_path_add(p, reg_alg_name(alg));
}


void
reg_layout_revision(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_digest_t *d)
{
    reg_layout_revisions(p, v2, name, d->alg);
    reg_path_add(p, reg_digest_hex(d));
    reg_path_add(p, "link");
}


void
reg_layout_tags(reg_path_t *p, const reg_path_t *v2, const reg_name_t *name)
{
    reg_layout_manifests(p, v2, name);
    reg_path_add(p, "tags");
}


void
reg_layout_tag(reg_path_t *p, const reg_path_t *v2, const reg_name_t *name,
    const reg_tag_t *tag)
{
    reg_layout_tags(p, v2, name);
    reg_path_add(p, tag->text);
}


void
reg_layout_tag_current(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_tag_t *tag)
{
    reg_layout_tag(p, v2, name, tag);
    reg_path_add(p, "current");
    reg_path_add(p, "link");
}


void
reg_layout_tag_index(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_tag_t *tag, const reg_digest_t *d)
{
    reg_layout_tag(p, v2, name, tag);
    reg_path_add(p, "index");
    reg_path_digest(p, d);
    reg_path_add(p, "link");
}


void
reg_layout_subjects(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, reg_alg_t alg)
{
    reg_layout_repository(p, v2, name);
    reg_path_add(p, "_referrers");
    reg_path_add(p, reg_alg_name(alg));
}


void
reg_layout_referrers(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_digest_t *subject)
{
    reg_layout_repository(p, v2, name);
    reg_path_add(p, "_referrers");
    reg_path_digest(p, subject);
}


void
reg_layout_uploads(reg_path_t *p, const reg_path_t *v2, const reg_name_t *name)
{
    reg_layout_repository(p, v2, name);
    reg_path_add(p, "_uploads");
}


void
reg_layout_upload(reg_path_t *p, const reg_path_t *v2, const reg_name_t *name,
    const char *uuid)
{
    reg_layout_uploads(p, v2, name);
    reg_path_add(p, uuid);
}
