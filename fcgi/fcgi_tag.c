#include "fcgi_tag.h"

#include "fcgi_page.h"
#include "reg_tagcache.h"


int
fcgi_tag_list(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    reg_page_t   asked;
    fcgi_page_t  page;
    reg_str_t    name = reg_name_str(&r->target.name);

    reg_taglist_page_t  tags = { .item = fcgi_page_item, .ctx = &page };

    if (reg_page_parse(&asked, r->query, service->config->tags_max, err)
        == -1)
    {
        return -1;
    }

    fcgi_reply_json(reply);
    reg_buf_puts(&reply->body, "{\"name\":");
    reg_buf_json(&reply->body, name);
    reg_buf_puts(&reply->body, ",\"tags\":");

    fcgi_page_begin(&page, reply, asked.n);
    tags.last = reg_str_from(asked.last);
    tags.max = asked.n;

    if (reg_tagcache_list(service->tags, &r->target.name, &tags, err) == -1) {
        return -1;
    }

    fcgi_page_end(&page, r->uri);
    reg_buf_puts(&reply->body, "}");

    return 0;
}
