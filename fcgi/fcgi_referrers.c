#include "fcgi_referrers.h"

#include "reg_index.h"
#include "reg_mediatype.h"
#include "reg_page.h"
#include "reg_query.h"


#define FCGI_REFERRERS_MAX  100000      /* entries of a page, if they fit */


typedef struct {
    reg_buf_t   *out;
    reg_str_t    type;                  /* the filter, or empty */
    int64_t      n;
    int64_t      max;
    bool         more;
    char         last[REG_DIGEST_SIZE];
} fcgi_referrers_page_t;


static int
fcgi_referrers_item(void *ctx, const reg_referrer_item_t *item)
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
