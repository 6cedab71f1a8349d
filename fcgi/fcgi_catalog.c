#include "fcgi_catalog.h"

#include "fcgi_page.h"


int
fcgi_catalog_list(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    reg_page_t   asked;
    fcgi_page_t  page;

    if (reg_page_parse(&asked, r->query, service->config->catalog_max, err)
        == -1)
    {
        return -1;
    }

    fcgi_reply_json(reply);
    reg_buf_puts(&reply->body, "{\"repositories\":");

    fcgi_page_begin(&page, reply, asked.n);

    if (reg_catalog_list(service->catalog, reg_str_from(asked.last),
                         fcgi_page_item, &page, err) == -1)
    {
        return -1;
    }

    fcgi_page_end(&page, REG_STR("/v2/_catalog"));
    reg_buf_puts(&reply->body, "}");

    return 0;
}
