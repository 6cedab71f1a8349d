#include "fcgi_page.h"


void
fcgi_page_begin(fcgi_page_t *page, reg_buf_t *out, int64_t max)
{
    page->out = out;
    page->max = max;
    page->n = 0;
    page->more = false;
    page->last[0] = '\0';

    reg_buf_puts(out, "[");
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
        reg_buf_puts(page->out, ",");
    }

    reg_buf_json(page->out, name);
    page->n++;

    if (page->n == page->max) {
        /* fits: tags and names do */
        (void) reg_str_copy(page->last, sizeof(page->last), name);
    }

    return 0;
}


void
fcgi_page_end(fcgi_page_t *page)
{
    reg_buf_puts(page->out, "]");
}
