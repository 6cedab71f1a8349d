#include "fcgi_manifest.h"

#include <malloc.h>

#include "fcgi_metrics.h"
#include "reg_blob.h"
#include "reg_hash.h"
#include "reg_manifest.h"
#include "reg_query.h"
#include "reg_referrers.h"
#include "reg_revision.h"
#include "reg_tag.h"
#include "reg_tagcache.h"


#define FCGI_MANIFEST_MISSING_MAX  32     /* entries in one error body */
#define FCGI_MANIFEST_TAGS_MAX     32     /* ?tag= of one PUT */


/* What a PUT brings. */
typedef struct {
    reg_digest_t  digest;
    reg_str_t     body;
    size_t        ntags;
    reg_tag_t     tags[FCGI_MANIFEST_TAGS_MAX];
} fcgi_manifest_new_t;

/* Descriptors of what is not in the repository. */
typedef struct {
    size_t       n;
    reg_error_t  list[FCGI_MANIFEST_MISSING_MAX];
} fcgi_manifest_missing_t;


/* One large manifest at a time: a few of them, parsed, would fill the memory
 * that the whole worker is promised to need. */
static void
fcgi_manifest_enter(const fcgi_service_t *service)
{
    (void) pthread_mutex_lock(service->gate);      /* fails for misuse only */
}


static void
fcgi_manifest_leave(const fcgi_service_t *service)
{
    (void) malloc_trim(0);               /* whether it helped is no matter */
    (void) pthread_mutex_unlock(service->gate);
}


static void
fcgi_manifest_digest(reg_digest_t *digest, reg_alg_t alg, reg_str_t body)
{
    reg_hash_t  hash;

    reg_hash_init(&hash, alg);
    reg_hash_update(&hash, body.data, body.len);
    reg_hash_digest(&hash, digest);
}


/* ---- get ----------------------------------------------------------------- */


/* From disk into an entry.  What does not match its digest is not served. */
static int
fcgi_manifest_read(const fcgi_service_t *service, const reg_name_t *name,
    const reg_digest_t *digest, fcgi_cache_entry_t **entry, reg_error_t *err)
{
    int                     rc = -1;
    reg_buf_t               body = REG_BUF_INIT;
    reg_digest_t            actual;
    const reg_mediatype_t  *type;

    if (reg_revision_read(service->store, name, digest, &body, err) == -1) {
        goto out;
    }

    fcgi_manifest_digest(&actual, digest->alg, reg_buf_str(&body));

    if (!reg_digest_eq(&actual, digest)) {
        reg_error_where(err, "corrupt manifest: its content is",
                        actual.text);
        reg_error_detail(err, "digest", reg_digest_str(digest));
        (void) reg_error_set(err, REG_UNKNOWN, "the stored manifest does not"
                             " match its digest; push it again");
        goto out;
    }

    type = reg_manifest_type(reg_buf_str(&body));

    if (type == NULL) {
        reg_error_detail(err, "digest", reg_digest_str(digest));
        (void) reg_error_set(err, REG_UNKNOWN,
                             "the stored manifest is of no known type");
        goto out;
    }

    *entry = fcgi_cache_put(service->cache, digest, type, reg_buf_str(&body));

    if (*entry == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        goto out;
    }

    rc = 0;

out:
    reg_buf_free(&body);
    return rc;
}


/* Gives an entry to release, of a manifest that NAME is known to have. */
static int
fcgi_manifest_fetch(const fcgi_service_t *service, const reg_name_t *name,
    const reg_digest_t *digest, fcgi_cache_entry_t **entry, reg_error_t *err)
{
    int      rc;
    int64_t  size;

    *entry = fcgi_cache_get(service->cache, digest);

    reg_metrics_add(service->metrics, FCGI_METRICS_MANIFEST_CACHE,
                    *entry != NULL ? FCGI_METRICS_HIT : FCGI_METRICS_MISS, 1);

    if (*entry != NULL) {
        return 0;
    }

    if (reg_blob_content_stat(service->store, digest, &size, err) == -1) {
        if (err->code == REG_BLOB_UNKNOWN) {
            err->code = REG_MANIFEST_UNKNOWN;
            err->sys = 0;                  /* damage: the operator must see */
            reg_error_where(err, "a link, but no content:", digest->text);
        }

        return -1;
    }

    if (size <= FCGI_SERVICE_LARGE) {
        return fcgi_manifest_read(service, name, digest, entry, err);
    }

    fcgi_manifest_enter(service);

    /* who stood here before may have brought it */
    *entry = fcgi_cache_get(service->cache, digest);
    rc = *entry != NULL ? 0 : fcgi_manifest_read(service, name, digest, entry,
                                                 err);
    fcgi_manifest_leave(service);

    return rc;
}


/* The same, whether NAME has it or not. */
static int
fcgi_manifest_load(const fcgi_service_t *service, const reg_name_t *name,
    const reg_digest_t *digest, fcgi_cache_entry_t **entry, reg_error_t *err)
{
    return reg_revision_require(service->store, name, digest, err) == -1
           ? -1 : fcgi_manifest_fetch(service, name, digest, entry, err);
}


/* What a tag points to, or what has this digest. */
static int
fcgi_manifest_find(const fcgi_service_t *service, const reg_name_t *name,
    const reg_ref_t *ref, fcgi_cache_entry_t **entry, reg_error_t *err)
{
    reg_digest_t  current;

    if (ref->is_digest) {
        return fcgi_manifest_load(service, name, &ref->digest, entry, err);
    }

    return reg_tagcache_resolve(service->tags, name, &ref->tag, &current, err)
           == -1 ? -1 : fcgi_manifest_fetch(service, name, &current, entry,
                                            err);
}


/* Whether an Accept header that does not cover an index names images. */
static bool
fcgi_manifest_wants_image(reg_str_t accept)
{
    for (const reg_mediatype_t *t = reg_mediatypes; t->name.len > 0; t++) {
        if (t->kind == REG_KIND_IMAGE && reg_mediatype_accepted(accept, t)) {
            return true;
        }
    }

    return false;
}


static bool
fcgi_manifest_platform_is(const reg_manifest_ref_t *ref, const char *platform)
{
    reg_str_t  variant = reg_str_from(ref->platform);
    reg_str_t  prefix = reg_str_from(platform);

    return reg_str_starts(variant, prefix)
           && (variant.len == prefix.len || variant.data[prefix.len] == '/');
}


/* The child that stands for an index.  NULL if none does. */
static const reg_manifest_ref_t *
fcgi_manifest_pick(const fcgi_service_t *service, const reg_name_t *name,
    const reg_manifest_t *index)
{
    const reg_manifest_ref_t  *first = NULL;

    for (size_t i = 0; i < index->nrefs; i++) {
        const reg_manifest_ref_t  *ref = &index->refs[i];
        reg_error_t                quiet = REG_ERROR_INIT;
        bool                       best;

        best = fcgi_manifest_platform_is(ref, "linux/amd64");

        /* attestations hang in the index as unknown/unknown */
        if (ref->platform[0] == '\0'
            || fcgi_manifest_platform_is(ref, "unknown")
            || (!best && first != NULL)
            || reg_revision_require(service->store, name, &ref->digest, &quiet)
               == -1)
        {
            continue;
        }

        if (best) {
            return ref;
        }

        first = ref;
    }

    return first;
}


/* Replaces the index in *entry by one of its children, if Accept covers it. */
static int
fcgi_manifest_child(const fcgi_service_t *service, const fcgi_request_t *r,
    fcgi_cache_entry_t **entry, reg_error_t *err)
{
    int                        rc = -1;
    bool                       large;
    reg_manifest_t             index = REG_MANIFEST_INIT;
    reg_error_t                odd = REG_ERROR_INIT;
    fcgi_cache_entry_t        *child = NULL;
    const reg_name_t          *name = &r->target.name;
    const reg_manifest_ref_t  *ref = NULL;

    large = (*entry)->body.len > FCGI_SERVICE_LARGE;

    if (large) {
        fcgi_manifest_enter(service);
    }

    /* one that another registry took, and we would not, has no child for us */
    if (reg_manifest_parse(&index, (*entry)->body, (*entry)->type->name, &odd)
        == 0)
    {
        ref = fcgi_manifest_pick(service, name, &index);
    }

    if (large) {
        fcgi_manifest_leave(service);
    }

    if (ref != NULL
        && fcgi_manifest_load(service, name, &ref->digest, &child, err) == -1)
    {
        goto out;
    }

    if (child == NULL || !reg_mediatype_accepted(r->accept, child->type)) {
        reg_error_detail(err, "mediaType", (*entry)->type->name);
        (void) reg_error_set(err, REG_MANIFEST_UNKNOWN,
                             "the tag is a multi-platform index, which the"
                             " Accept header does not cover, and none of its"
                             " images stands for it");
        goto out;
    }

    fcgi_cache_release(*entry);
    *entry = child;
    child = NULL;
    rc = 0;

out:
    fcgi_cache_release(child);
    reg_manifest_free(&index);
    return rc;
}


/* RFC 9110, "If-None-Match": a list of entity tags, compared weakly. */
static bool
fcgi_manifest_unchanged(reg_str_t list, const reg_digest_t *digest)
{
    while (list.len > 0) {
        reg_str_t  tag = reg_str_trim(reg_str_cut(&list, ','));

        if (reg_str_eq(tag, REG_STR("*"))) {
            return true;
        }

        if (reg_str_starts(tag, REG_STR("W/"))) {
            tag.data += 2;
            tag.len -= 2;
        }

        if (tag.len > 2 && tag.data[0] == '"' && tag.data[tag.len - 1] == '"')
        {
            tag.data++;
            tag.len -= 2;
        }

        if (reg_str_eq(tag, reg_digest_str(digest))) {
            return true;
        }
    }

    return false;
}


static void
fcgi_manifest_reply(const fcgi_request_t *r, fcgi_reply_t *reply,
    fcgi_cache_entry_t *entry)
{
    char  etag[REG_DIGEST_SIZE + 2];
    bool  unchanged = fcgi_manifest_unchanged(r->if_none_match,
                                              &entry->digest);

    /* fits: two quotes more */
    (void) snprintf(etag, sizeof(etag), "\"%s\"", entry->digest.text);

    fcgi_reply_begin(reply, unchanged ? 304 : 200);
    fcgi_reply_digest(reply, &entry->digest);
    fcgi_reply_header(reply, "ETag", reg_str_from(etag));

    if (!r->target.ref.is_digest) {
        fcgi_reply_header(reply, "Vary", REG_STR("Accept"));
    }

    if (unchanged) {
        fcgi_cache_release(entry);
        return;
    }

    fcgi_reply_header(reply, "Content-Type", entry->type->name);
    fcgi_reply_take(reply, entry);
}


int
fcgi_manifest_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    const reg_name_t    *name = &r->target.name;
    const reg_ref_t     *ref = &r->target.ref;
    fcgi_cache_entry_t  *entry;

    if (fcgi_manifest_find(service, name, ref, &entry, err) == -1) {
        return -1;
    }

    if (!ref->is_digest
        && r->method == FCGI_METHOD_GET
        && entry->type->kind == REG_KIND_INDEX
        && !reg_mediatype_accepted(r->accept, entry->type)
        && fcgi_manifest_wants_image(r->accept)
        && fcgi_manifest_child(service, r, &entry, err) == -1)
    {
        fcgi_cache_release(entry);
        return -1;
    }

    fcgi_manifest_reply(r, reply, entry);

    return 0;
}


/* ---- put ----------------------------------------------------------------- */


/* The tags that this PUT sets: the one in the path, or those of ?tag=. */
static int
fcgi_manifest_tags(const fcgi_request_t *r, reg_tag_t *tags, size_t *n,
    reg_error_t *err)
{
    char  text[REG_QUERY_VALUE_MAX];
    int   rc;

    *n = 0;

    if (!r->target.ref.is_digest) {
        tags[(*n)++] = r->target.ref.tag;
        return 0;
    }

    for ( ;; ) {
        rc = reg_query_get_nth(r->query, "tag", *n, text, sizeof(text));

        if (rc == 0) {
            return 0;
        }

        if (*n == FCGI_MANIFEST_TAGS_MAX) {
            err->status = 414;
            return reg_error_set(err, REG_MANIFEST_INVALID,
                                 "at most %d tags in one request",
                                 FCGI_MANIFEST_TAGS_MAX);
        }

        if (rc == -1
            || reg_tag_parse(&tags[*n], reg_str_from(text)) == -1)
        {
            reg_error_detail(err, "tag", reg_str_from(text));
            return reg_error_set(err, REG_MANIFEST_INVALID,
                                 "invalid tag: a tag has 1 to 128 letters,"
                                 " digits, '_', '.' and '-', and begins with"
                                 " none of the last two");
        }

        (*n)++;
    }
}


/* Whether NAME has what a descriptor names, and as large as that says. */
static int
fcgi_manifest_ref(const fcgi_service_t *service, const reg_name_t *name,
    const reg_manifest_ref_t *ref, reg_error_t *err)
{
    int64_t  size;

    if (ref->kind == REG_REF_MANIFEST) {
        return reg_revision_require(service->store, name, &ref->digest, err);
    }

    if (reg_blob_stat(service->store, name, &ref->digest, &size, err) == -1) {
        return -1;
    }

    if (size != ref->size) {
        reg_error_detail(err, "digest", reg_digest_str(&ref->digest));
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "the manifest says that the blob has %lld bytes,"
                             " but it has %lld", (long long) ref->size,
                             (long long) size);
    }

    return 0;
}


/* D4: nothing is accepted before what it requires.  What is missing goes to
 * *missing; -1 is for other failures. */
static int
fcgi_manifest_require(const fcgi_service_t *service, const reg_name_t *name,
    const reg_manifest_t *m, fcgi_manifest_missing_t *missing,
    reg_error_t *err)
{
    missing->n = 0;

    for (size_t i = 0; i < m->nrefs; i++) {
        const reg_manifest_ref_t  *ref = &m->refs[i];
        reg_error_t                found = REG_ERROR_INIT;
        reg_error_t               *entry = &missing->list[missing->n];

        if (ref->kind == REG_REF_FOREIGN
            || fcgi_manifest_ref(service, name, ref, &found) == 0)
        {
            continue;
        }

        if (found.code != REG_BLOB_UNKNOWN
            && found.code != REG_MANIFEST_UNKNOWN)
        {
            *err = found;
            return -1;
        }

        *entry = (reg_error_t) REG_ERROR_INIT;
        reg_error_detail(entry, "digest", reg_digest_str(&ref->digest));
        (void) reg_error_set(entry, REG_MANIFEST_BLOB_UNKNOWN, NULL);

        if (++missing->n == FCGI_MANIFEST_MISSING_MAX) {
            break;
        }
    }

    return 0;
}


/* The digest under which the body is stored: the one in the path, if it is
 * the body's, else its sha256. */
static int
fcgi_manifest_name(const reg_ref_t *ref, reg_str_t body, reg_digest_t *digest,
    reg_error_t *err)
{
    fcgi_manifest_digest(digest, ref->is_digest ? ref->digest.alg
                                                : REG_SHA256, body);

    if (ref->is_digest && !reg_digest_eq(digest, &ref->digest)) {
        reg_error_detail(err, "digest", reg_digest_str(digest));
        return reg_error_set(err, REG_DIGEST_INVALID,
                             "the manifest's digest is not the one in the"
                             " URL");
    }

    return 0;
}


/* Puts a manifest with a subject into the list of that one's referrers. */
static int
fcgi_manifest_refer(const fcgi_service_t *service, const reg_name_t *name,
    const reg_manifest_t *m, const reg_digest_t *digest, reg_error_t *err)
{
    int             rc = -1;
    reg_buf_t       descriptor = REG_BUF_INIT;
    reg_referrer_t  ref = { .line = REG_BUF_INIT };

    if (!m->has_subject) {
        return 0;
    }

    reg_manifest_descriptor(m, digest, &descriptor);

    if (reg_referrer_format(&ref, digest, reg_buf_str(&m->artifact_type),
                            reg_buf_str(&descriptor), err) == 0)
    {
        rc = reg_referrers_add(service->store, name, &m->subject, &ref, 1,
                               err) == -1 ? -1 : 0;
    }

    reg_buf_free(&ref.line);
    reg_buf_free(&descriptor);

    return rc;
}


/* Puts manifest and tags on disk; whoever remembers the tags is told. */
static int
fcgi_manifest_publish(const fcgi_service_t *service, const reg_name_t *name,
    const fcgi_manifest_new_t *new, const reg_manifest_t *m, reg_error_t *err)
{
    int                   rc;
    bool                  checked = !service->config->validation_disabled;
    reg_tagcache_write_t  w;

    reg_tagcache_begin(&w, service->tags, name);

    for (size_t i = 0; i < new->ntags; i++) {
        reg_tagcache_touch(&w, &new->tags[i]);
    }

    rc = reg_revision_put(service->store, name, &(reg_revision_new_t) {
                              .digest = &new->digest, .body = new->body,
                              .tags = new->tags, .ntags = new->ntags,
                              .refs = m->refs, .nrefs = checked ? m->nrefs : 0,
                          }, err);
    reg_tagcache_end(&w);

    return rc;
}


static void
fcgi_manifest_created(const fcgi_request_t *r, fcgi_reply_t *reply,
    const reg_manifest_t *m, const reg_digest_t *digest)
{
    fcgi_reply_begin(reply, 201);
    fcgi_reply_location(reply, &r->target.name, "/manifests/",
                        reg_digest_str(digest));
    fcgi_reply_digest(reply, digest);

    if (m->has_subject) {
        fcgi_reply_header(reply, "OCI-Subject", reg_digest_str(&m->subject));
    }
}


/* Whether the bearer of a token may give a tag to a manifest. */
static int
fcgi_manifest_unprotected(const fcgi_service_t *service,
    const fcgi_request_t *r, const reg_digest_t *digest, const reg_tag_t *tag,
    reg_error_t *err)
{
    const reg_name_t         *name = &r->target.name;
    const reg_protections_t  *p = &r->login->protections;
    reg_digest_t              now;
    reg_error_t               why = REG_ERROR_INIT;

    if (reg_tag_read(service->store, name, tag, &now, &why) == -1) {
        if (why.code != REG_MANIFEST_UNKNOWN && why.code != REG_NAME_UNKNOWN) {
            *err = why;
            return -1;
        }

        return reg_protections_push(p, name, tag, err);
    }

    /* a push that is tried again moves nothing */
    return reg_str_eq(reg_digest_str(&now), reg_digest_str(digest))
           ? reg_protections_push(p, name, tag, err)
           : reg_protections_move(p, name, tag, err);
}


static int
fcgi_manifest_may_push(const fcgi_service_t *service, const fcgi_request_t *r,
    const fcgi_manifest_new_t *new, reg_error_t *err)
{
    for (size_t i = 0; i < new->ntags; i++) {
        if (r->login != NULL && r->login->protections.n > 0
            && fcgi_manifest_unprotected(service, r, &new->digest,
                                         &new->tags[i], err) == -1)
        {
            return -1;
        }
    }

    return 0;
}


static int
fcgi_manifest_store(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_str_t body, reg_error_t *err)
{
    int                      rc = -1;
    const reg_name_t        *name = &r->target.name;
    const reg_ref_t         *ref = &r->target.ref;
    fcgi_manifest_new_t      new = { .body = body };
    reg_manifest_t           m = REG_MANIFEST_INIT;
    fcgi_manifest_missing_t  missing;

    if (fcgi_manifest_tags(r, new.tags, &new.ntags, err) == -1
        || fcgi_manifest_name(ref, body, &new.digest, err) == -1
        || fcgi_manifest_may_push(service, r, &new, err) == -1
        || reg_manifest_parse(&m, body, r->content_type, err) == -1)
    {
        goto out;
    }

    if (!service->config->validation_disabled) {
        if (fcgi_manifest_require(service, name, &m, &missing, err) == -1
            || (missing.n > 0
                && reg_store_require(service->store, err) == -1))
        {
            goto out;
        }

        if (missing.n > 0) {
            fcgi_reply_errors(reply, missing.list, missing.n);
            rc = 0;
            goto out;
        }
    }

    /* the list first: a manifest that is there is never missing from it */
    if (fcgi_manifest_refer(service, name, &m, &new.digest, err) == -1
        || fcgi_manifest_publish(service, name, &new, &m, err) == -1)
    {
        goto out;
    }

    fcgi_manifest_created(r, reply, &m, &new.digest);

    for (size_t i = 0; ref->is_digest && i < new.ntags; i++) {
        fcgi_reply_header(reply, "OCI-Tag", reg_tag_str(&new.tags[i]));
    }

    rc = 0;

out:
    reg_manifest_free(&m);
    return rc;
}


int
fcgi_manifest_put(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    int        rc = -1;
    bool       large;
    reg_buf_t  body = REG_BUF_INIT;

    /* one of unknown length may become large */
    large = r->content_length == -1 || r->content_length > FCGI_SERVICE_LARGE;

    if (large) {
        fcgi_manifest_enter(service);
    }

    if (fcgi_request_body(r, REG_MANIFEST_MAX, &body, err) == 0) {
        reg_metrics_add(service->metrics, FCGI_METRICS_MANIFEST_BYTES,
                        FCGI_METRICS_IN, (int64_t) body.len);
        rc = fcgi_manifest_store(service, r, reply, reg_buf_str(&body), err);
    }

    reg_buf_free(&body);

    if (large) {
        fcgi_manifest_leave(service);
    }

    return rc;
}


/* ---- delete -------------------------------------------------------------- */


static void
fcgi_manifest_untag(void *ctx, const reg_tag_t *tag)
{
    reg_tagcache_touch(ctx, tag);
}


static int
fcgi_manifest_may_delete(const fcgi_request_t *r, reg_error_t *err)
{
    const reg_name_t  *name = &r->target.name;
    const reg_ref_t   *ref = &r->target.ref;

    if (r->login == NULL) {
        return 0;
    }

    return ref->is_digest
           ? reg_protections_delete_manifest(&r->login->protections, name, err)
           : reg_protections_delete(&r->login->protections, name, &ref->tag,
                                    err);
}


int
fcgi_manifest_delete(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    const reg_name_t  *name = &r->target.name;
    const reg_ref_t   *ref = &r->target.ref;
    int                rc;

    reg_tagcache_write_t  w;
    reg_revision_watch_t  watch = { fcgi_manifest_untag, &w };

    if (fcgi_manifest_may_delete(r, err) == -1) {
        return -1;
    }

    reg_tagcache_begin(&w, service->tags, name);

    if (ref->is_digest) {
        rc = reg_revision_delete(service->store, name, &ref->digest, &watch,
                                 err);
    } else {
        reg_tagcache_touch(&w, &ref->tag);
        rc = reg_tag_delete(service->store, name, &ref->tag, err);
    }

    reg_tagcache_end(&w);

    if (rc == -1) {
        return -1;
    }

    fcgi_reply_begin(reply, 202);

    return 0;
}
