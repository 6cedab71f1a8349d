#include "reg_page.h"

#include "reg_query.h"


int
reg_page_parse(reg_page_t *page, reg_str_t query, int64_t limit,
    reg_error_t *err)
{
    char  n[32];
    int   rc;

    page->n = limit;
    page->given = false;

    rc = reg_query_get(query, "n", n, sizeof(n));

    if (rc == 1) {
        page->given = true;
        rc = reg_str_int(reg_str_from(n), INT64_MAX, &page->n);
    }

    if (rc == -1) {
        return reg_error_set(err, REG_PAGINATION_NUMBER_INVALID, NULL);
    }

    if (page->n > limit) {
        page->n = limit;
    }

    if (reg_query_get(query, "last", page->last, sizeof(page->last)) == -1) {
        return reg_error_set(err, REG_PAGINATION_NUMBER_INVALID,
                             "invalid last: write the last name of the page"
                             " before");
    }

    return 0;
}


void
reg_page_link(reg_buf_t *out, reg_str_t path, reg_str_t last, int64_t n)
{
    reg_buf_puts(out, "<");
    reg_query_encode(out, path);
    reg_buf_puts(out, "?last=");
    reg_query_encode(out, last);
    reg_buf_printf(out, "&n=%lld>; rel=\"next\"", (long long) n);
}
