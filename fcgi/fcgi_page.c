#include "fcgi_page.h"


void
fcgi_page_begin(fcgi_page_t *page, fcgi_reply_t *reply, int64_t max)
{
    page->reply = reply;
    page->max = max;
    page->n = 0;
    page->more = false;
    page->last[0] = '\0';

    reg_buf_puts(&reply->body, "[");
}


int
fcgi_page_item(void *ctx, reg_str_t name)
{
    fcgi_page_t  *page = ctx;

    if (page->n == page->max) {
        page->more = page->max > 0;
        return 1;
    }

    if (page->n > 0) {
        reg_buf_puts(&page->reply->body, ",");
    }

    reg_buf_json(&page->reply->body, name);
    page->n++;

    if (page->n == page->max) {
        /* fits: tags and names do */
        (void) reg_str_copy(page->last, sizeof(page->last), name);
    }

    return 0;
}


void
fcgi_page_end(fcgi_page_t *page, reg_str_t uri)
{
    reg_buf_t  link = REG_BUF_INIT;

    reg_buf_puts(&page->reply->body, "]");

    if (page->more) {
        reg_page_link(&link, uri, reg_str_from(page->last), page->max);
        fcgi_reply_header(page->reply, "Link", reg_buf_str(&link));
        reg_buf_free(&link);
    }
}
