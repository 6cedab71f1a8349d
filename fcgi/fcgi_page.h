/*
 * fcgi_page: a JSON list that is filled by a callback until a page is full.
 *
 *     fcgi_page_t  page;
 *
 *     fcgi_page_begin(&page, reply, n);
 *     reg_catalog_list(…, fcgi_page_item, &page, …)
 *     fcgi_page_end(&page, uri);
 *
 * The item after the last of the page ends the walk: it only tells that there
 * is more, which the header Link then says.
 */

#ifndef FCGI_PAGE_H
#define FCGI_PAGE_H

#include "fcgi_reply.h"
#include "reg_page.h"
#include "reg_ref.h"

typedef struct {
    fcgi_reply_t  *reply;
    int64_t        max;
    int64_t        n;
    bool           more;
    char           last[REG_NAME_MAX + 1];      /* of this page */
} fcgi_page_t;


/* Appends "[" to the reply. */
void fcgi_page_begin(fcgi_page_t *page, fcgi_reply_t *reply, int64_t max);

/* For reg_taglist_page_t and reg_catalog_list(). */
int fcgi_page_item(void *page, reg_str_t name);

/* Appends "]"; uri is where the next page is. */
void fcgi_page_end(fcgi_page_t *page, reg_str_t uri);

#endif
