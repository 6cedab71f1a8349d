/*
 * Memory for an upload's bytes.
 *
 * Buffers are mapped one by one, and not taken from malloc(): a hundred pushes
 * at once must not leave a worker's heap a hundred megabytes larger.  A few
 * are kept, since the first touch of fresh pages costs as much as a copy.
 */

#include "ngx_http_registry_module.h"

#include <sys/mman.h>


#define NGX_HTTP_REGISTRY_BUFFERS_KEPT  4


typedef struct {
    void    *data;
    size_t   size;
} ngx_http_registry_memory_t;


static void ngx_http_registry_buffer_cleanup(void *data);


/* of this process's event loop only */
static ngx_http_registry_memory_t
    ngx_http_registry_kept[NGX_HTTP_REGISTRY_BUFFERS_KEPT];
static ngx_uint_t  ngx_http_registry_nkept;


ngx_buf_t *
ngx_http_registry_buffer(ngx_http_request_t *r, size_t size)
{
    void                        *data;
    ngx_buf_t                   *b;
    ngx_pool_cleanup_t          *cln;
    ngx_http_registry_memory_t  *memory;

    size = ngx_align(size, ngx_pagesize);

    b = ngx_calloc_buf(r->pool);
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_registry_memory_t));

    if (b == NULL || cln == NULL) {
        return NULL;
    }

    if (ngx_http_registry_nkept > 0
        && ngx_http_registry_kept[ngx_http_registry_nkept - 1].size >= size)
    {
        ngx_http_registry_nkept--;
        data = ngx_http_registry_kept[ngx_http_registry_nkept].data;
        size = ngx_http_registry_kept[ngx_http_registry_nkept].size;

    } else {
        data = mmap(NULL, size, PROT_READ|PROT_WRITE,
                    MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

        if (data == MAP_FAILED) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, ngx_errno,
                          "mmap(%uz) failed", size);
            return NULL;
        }
    }

    memory = cln->data;
    memory->data = data;
    memory->size = size;

    cln->handler = ngx_http_registry_buffer_cleanup;

    b->start = data;
    b->pos = data;
    b->last = data;
    b->end = b->start + size;
    b->temporary = 1;

    return b;
}


static void
ngx_http_registry_buffer_cleanup(void *data)
{
    ngx_http_registry_memory_t *memory = data;

    if (ngx_http_registry_nkept < NGX_HTTP_REGISTRY_BUFFERS_KEPT) {
        ngx_http_registry_kept[ngx_http_registry_nkept++] = *memory;
        return;
    }

    if (munmap(memory->data, memory->size) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "munmap() failed");
    }
}
