/*
 * Memory for an upload's bytes.
 *
 * It is mapped piece by piece, and not taken from malloc(): a hundred pushes
 * at once must not leave a worker's heap some hundred megabytes larger.  A
 * little is kept, since the first touch of fresh pages costs as much as a copy.
 */

#include "ngx_http_registry_module.h"

#include <sys/mman.h>


/* so much is kept at most, in so many pieces */
#define NGX_HTTP_REGISTRY_KEPT       4
#define NGX_HTTP_REGISTRY_KEPT_SIZE  (8 * 1024 * 1024)

#define NGX_HTTP_REGISTRY_HUGE       (2 * 1024 * 1024)


static u_char *ngx_http_registry_memory_kept(size_t size);
static u_char *ngx_http_registry_memory_map(size_t size, ngx_log_t *log);
static ngx_uint_t ngx_http_registry_memory_keep(
    ngx_http_registry_memory_t *memory);
static void ngx_http_registry_memory_cleanup(void *data);


/* of this process's event loop only */
static ngx_http_registry_memory_t
    ngx_http_registry_kept[NGX_HTTP_REGISTRY_KEPT];
static ngx_uint_t  ngx_http_registry_nkept;
static size_t      ngx_http_registry_kept_size;


ngx_http_registry_memory_t *
ngx_http_registry_memory(ngx_http_request_t *r, size_t size)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_registry_memory_t  *memory;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_registry_memory_t));

    if (cln == NULL) {
        return NULL;
    }

    memory = cln->data;
    memory->size = ngx_align(size, ngx_pagesize);
    memory->data = ngx_http_registry_memory_kept(memory->size);

    if (memory->data == NULL) {
        memory->data = ngx_http_registry_memory_map(memory->size,
                                                    r->connection->log);

        if (memory->data == NULL) {
            return NULL;
        }
    }

    cln->handler = ngx_http_registry_memory_cleanup;

    return memory;
}


static u_char *
ngx_http_registry_memory_kept(size_t size)
{
    u_char                      *data;
    ngx_uint_t                   i;
    ngx_http_registry_memory_t  *kept;

    for (i = 0; i < ngx_http_registry_nkept; i++) {
        kept = &ngx_http_registry_kept[i];

        if (kept->size == size) {
            data = kept->data;
            *kept = ngx_http_registry_kept[--ngx_http_registry_nkept];
            ngx_http_registry_kept_size -= size;

            return data;
        }
    }

    return NULL;
}


/* Where the kernel has huge pages, memory that is a multiple of one consists
 * of them: a direct write is then one segment and not one for each 4 KiB. */

static u_char *
ngx_http_registry_memory_map(size_t size, ngx_log_t *log)
{
    u_char  *data, *start;
    size_t   spare;

    spare = size % NGX_HTTP_REGISTRY_HUGE ? 0 : NGX_HTTP_REGISTRY_HUGE;

    data = mmap(NULL, size + spare, PROT_READ|PROT_WRITE,
                MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (data == MAP_FAILED) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "mmap(%uz) failed", size);
        return NULL;
    }

    if (spare == 0) {
        return data;
    }

    start = ngx_align_ptr(data, NGX_HTTP_REGISTRY_HUGE);

    if (start > data) {
        (void) munmap(data, start - data);       /* else it is never touched */
    }

    if (start < data + spare) {
        (void) munmap(start + size, data + spare - start);
    }

    (void) madvise(start, size, MADV_HUGEPAGE);  /* or it is merely slower */

    return start;
}


void
ngx_http_registry_memory_free(ngx_http_registry_memory_t *memory)
{
    ngx_http_registry_memory_t  old = *memory;

    memory->data = NULL;

    if (old.data == NULL || ngx_http_registry_memory_keep(&old)) {
        return;
    }

    if (munmap(old.data, old.size) == -1) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "munmap() failed");
    }
}


/* Whether it is kept.  If not, it may be another one that is to go: what is
 * small comes cheap. */

static ngx_uint_t
ngx_http_registry_memory_keep(ngx_http_registry_memory_t *memory)
{
    size_t                       size;
    ngx_uint_t                   i;
    ngx_http_registry_memory_t  *kept, *least = NULL, other;

    size = ngx_http_registry_kept_size + memory->size;

    if (ngx_http_registry_nkept < NGX_HTTP_REGISTRY_KEPT
        && size <= NGX_HTTP_REGISTRY_KEPT_SIZE)
    {
        ngx_http_registry_kept[ngx_http_registry_nkept++] = *memory;
        ngx_http_registry_kept_size = size;

        return 1;
    }

    for (i = 0; i < ngx_http_registry_nkept; i++) {
        kept = &ngx_http_registry_kept[i];

        if (least == NULL || kept->size < least->size) {
            least = kept;
        }
    }

    if (least && least->size < memory->size
        && size - least->size <= NGX_HTTP_REGISTRY_KEPT_SIZE)
    {
        other = *least;
        *least = *memory;
        *memory = other;
        ngx_http_registry_kept_size = size - other.size;
    }

    return 0;
}


static void
ngx_http_registry_memory_cleanup(void *data)
{
    ngx_http_registry_memory_free(data);
}
