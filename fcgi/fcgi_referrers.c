#include "fcgi_referrers.h"

#include "reg_index.h"
#include "reg_manifest.h"
#include "reg_page.h"
#include "reg_query.h"
#include "reg_revision.h"
#include "reg_tag.h"


#define FCGI_REFERRERS_MAX  100000      /* entries of a page, if they fit */


typedef struct {
    reg_buf_t   *out;
    reg_str_t    type;                  /* the filter, or empty */
    int64_t      n;
    int64_t      max;
    bool         more;
    char         last[REG_DIGEST_SIZE];
} fcgi_referrers_page_t;


/* ---- what older clients left under a tag --------------------------------- */


/* Adds one manifest to the index if it is a referrer of subject. */
static int
fcgi_referrers_adopt_one(const fcgi_service_t *service, const reg_name_t *name,
    const reg_digest_t *subject, reg_str_t text, reg_error_t *err)
{
    int             rc = 0;
    reg_error_t     odd = REG_ERROR_INIT;
    reg_digest_t    digest, its;
    reg_referrer_t  ref;

    /* what is not there or is no manifest, is no referrer */
    if (reg_digest_parse(&digest, text) == -1
        || reg_index_read(service->store, name, &digest, &its, &ref, &odd)
           != 1)
    {
        return 0;
    }

    if (reg_digest_eq(&its, subject)) {
        rc = reg_referrers_add(service->store, name, subject, &ref, 1, err);
    }

    reg_buf_free(&ref.line);

    return rc == -1 ? -1 : 0;
}


static int
fcgi_referrers_adopt_index(const fcgi_service_t *service,
    const reg_name_t *name, const reg_digest_t *subject,
    const reg_manifest_t *index, reg_error_t *err)
{
    int                    rc;
    size_t                 n = index->nrefs;
    reg_referrers_mark_t  *marks = calloc(n + 1, sizeof(*marks));

    if (marks == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    for (size_t i = 0; i < n; i++) {
        marks[i].digest = reg_digest_str(&index->refs[i].digest);
    }

    rc = reg_referrers_mark(service->store, name, subject, marks, n, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        if (!marks[i].known) {
            rc = fcgi_referrers_adopt_one(service, name, subject,
                                          marks[i].digest, err);
        }
    }

    free(marks);
    return rc;
}


/* Spec 1.1, "Referrers Tag Schema": ALG cut to 32, encoded cut to 64. */
static int
fcgi_referrers_adopt(const fcgi_service_t *service, const reg_name_t *name,
    const reg_digest_t *subject, reg_error_t *err)
{
    char            text[REG_TAG_MAX + 1];
    int             rc = 0;
    reg_tag_t       tag;
    reg_buf_t       body = REG_BUF_INIT;
    reg_error_t     odd = REG_ERROR_INIT;
    reg_digest_t    digest;
    reg_manifest_t  index = REG_MANIFEST_INIT;

    (void) snprintf(text, sizeof(text), "%.32s-%.64s",
                    reg_alg_name(subject->alg), reg_digest_hex(subject));

    if (service->config->readonly
        || reg_tag_parse(&tag, reg_str_from(text)) == -1
        || reg_tag_read(service->store, name, &tag, &digest, &odd) == -1)
    {
        return 0;
    }

    if (reg_revision_read(service->store, name, &digest, &body, &odd) == 0
        && reg_manifest_parse(&index, reg_buf_str(&body), REG_STR_NULL, &odd)
           == 0
        && index.type->kind == REG_KIND_INDEX)
    {
        rc = fcgi_referrers_adopt_index(service, name, subject, &index, err);
    }

    reg_buf_free(&body);
    reg_manifest_free(&index);

    return rc;
}


/* ---- the list ------------------------------------------------------------ */


static int
fcgi_referrers_item(void *ctx, const reg_referrers_item_t *item)
{
    fcgi_referrers_page_t  *page = ctx;

    if (page->type.len > 0 && !reg_str_eq(page->type, item->type)) {
        return 0;
    }

    if (page->n == page->max
        || (page->n > 0
            && page->out->len + item->descriptor.len > FCGI_REFERRERS_BYTES))
    {
        page->more = page->max > 0;
        return 1;
    }

    if (page->n++ > 0) {
        reg_buf_puts(page->out, ",");
    }

    reg_buf_putstr(page->out, item->descriptor);
    (void) reg_str_copy(page->last, sizeof(page->last), item->digest); /* is
                                                                   a digest */
    return 0;
}


static void
fcgi_referrers_link(const fcgi_request_t *r, fcgi_reply_t *reply,
    const reg_page_t *asked, const fcgi_referrers_page_t *page)
{
    reg_buf_t  link = REG_BUF_INIT;

    reg_buf_puts(&link, "<");
    reg_query_encode(&link, r->uri);
    reg_buf_puts(&link, "?last=");
    reg_query_encode(&link, reg_str_from(page->last));

    if (page->type.len > 0) {
        reg_buf_puts(&link, "&artifactType=");
        reg_query_encode(&link, page->type);
    }

    if (asked->given) {
        reg_buf_printf(&link, "&n=%lld", (long long) page->max);
    }

    reg_buf_puts(&link, ">; rel=\"next\"");
    fcgi_reply_header(reply, "Link", reg_buf_str(&link));
    reg_buf_free(&link);
}


int
fcgi_referrers_list(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    char                   type[REG_QUERY_VALUE_MAX];
    reg_page_t             asked;
    const reg_name_t      *name = &r->target.name;
    fcgi_referrers_page_t  page = { .out = &reply->body };

    if (reg_page_parse(&asked, r->query, FCGI_REFERRERS_MAX, err) == -1) {
        return -1;
    }

    if (reg_query_get(r->query, "artifactType", type, sizeof(type)) == -1) {
        return reg_error_set(err, REG_BAD_REQUEST,
                             "artifactType is not a media type");
    }

    page.type = reg_str_from(type);
    page.max = asked.n;

    if (fcgi_referrers_adopt(service, name, &r->target.digest, err) == -1) {
        return -1;
    }

    fcgi_reply_header(reply, "Content-Type", reg_mediatype_oci_index->name);
    reg_buf_puts(&reply->body, "{\"schemaVersion\":2,\"mediaType\":");
    reg_buf_json(&reply->body, reg_mediatype_oci_index->name);
    reg_buf_puts(&reply->body, ",\"manifests\":[");

    if (reg_referrers_list(service->store, name, &r->target.digest,
                           reg_str_from(asked.last), fcgi_referrers_item,
                           &page, err) == -1)
    {
        return -1;
    }

    reg_buf_puts(&reply->body, "]}");

    if (page.type.len > 0) {
        fcgi_reply_header(reply, "OCI-Filters-Applied",
                          REG_STR("artifactType"));
    }

    if (page.more) {
        fcgi_referrers_link(r, reply, &asked, &page);
    }

    return 0;
}
