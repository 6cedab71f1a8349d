/*
 * The nginx side of the registry: everything that moves a blob's bytes.
 *
 * A request in a location with `registry ROOT;` is looked at once, before the
 * content phase.  What the module can finish, it takes over:
 *
 *     GET, HEAD   a blob that is there           ngx_http_registry_blob.c
 *     PATCH, PUT  the bytes of an upload         ngx_http_registry_upload.c
 *     POST        a blob in a single request     the same
 *
 * Anything else stays with the location's own content handler, which is
 * fastcgi_pass to the worker: manifests, tags, refusals.
 *
 * Before it takes anything over, the module knows that the client may have it:
 * the worker is asked by a subrequest (ngx_http_registry_access.c), and what it
 * allowed is remembered in shared memory (ngx_http_registry_zone.c).
 *
 * The event loop never waits for a write, a hash or a sync: those run in the
 * thread pool, through ngx_http_registry_task.c, which is the only bridge.
 */

#ifndef NGX_HTTP_REGISTRY_MODULE_H
#define NGX_HTTP_REGISTRY_MODULE_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>

#if !(NGX_THREADS)
#error "the registry module needs an nginx that is built --with-threads"
#endif

#include "reg_guest.h"
#include "reg_identity.h"
#include "reg_presence.h"
#include "reg_query.h"
#include "reg_range.h"
#include "reg_revision.h"
#include "reg_target.h"
#include "reg_upload.h"


#define NGX_HTTP_REGISTRY_KEY_SIZE  32          /* of a SHA-256 */


/* what a request does to a repository or to the registry */
typedef enum {
    NGX_HTTP_REGISTRY_NOTHING = 0,
    NGX_HTTP_REGISTRY_PULL,
    NGX_HTTP_REGISTRY_PUSH,
    NGX_HTTP_REGISTRY_DELETE,
    NGX_HTTP_REGISTRY_CATALOG
} ngx_http_registry_action_e;


/* how it was known that the client may; $registry_cache */
typedef enum {
    NGX_HTTP_REGISTRY_UNASKED = 0,       /* the worker's own request */
    NGX_HTTP_REGISTRY_MISS,              /* the worker was asked */
    NGX_HTTP_REGISTRY_HIT,               /* it is remembered */
    NGX_HTTP_REGISTRY_OPEN,              /* everybody may do everything */
    NGX_HTTP_REGISTRY_OFF                /* registry_auth off */
} ngx_http_registry_cache_e;


/* An allow of the worker's. */
typedef struct {
    ngx_msec_t                   decided;        /* ngx_current_msec then */
    time_t                       until;          /* 0: no end of its own */
    size_t                       user_len;       /* 0: anonymous */
    u_char                       user[REG_USER_MAX];
} ngx_http_registry_allow_t;


/* What decides about a request, and so makes the key of what is remembered. */
typedef struct {
    const u_char                *place;
    uint64_t                     epoch;
    ngx_http_registry_action_e   action;
    reg_str_t                    name;
    ngx_str_t                    authorization;
} ngx_http_registry_ask_t;


typedef struct {
    ngx_shm_zone_t              *zone;
    ngx_uint_t                   places;         /* locations, counted */
    ngx_array_t                  stores;         /* reg_store_t *, of those */
} ngx_http_registry_main_conf_t;


typedef struct {
    ngx_str_t                    root;
    reg_store_t                 *store;          /* NULL: registry off */

    ngx_str_t                    file;           /* where "registry" stands */
    ngx_uint_t                   line;

    ngx_flag_t                   auth;
    ngx_msec_t                   auth_cache;
    u_char                       place[NGX_HTTP_REGISTRY_KEY_SIZE];

    /* of this process, while it runs: which blobs are there, whether a worker
     * has seen to the journal, when the epoch was looked at, and whether
     * everybody may do everything in it */
    reg_presence_t              *presence;
    ngx_uint_t                   settled;
    uint64_t                     epoch;
    ngx_msec_t                   looked;
    ngx_uint_t                   looked_at_all;
    ngx_uint_t                   open;
    ngx_http_registry_allow_t    opened;
    ngx_thread_pool_t           *thread_pool;
    size_t                       upload_buffer;
    off_t                        upload_directio;
    off_t                        min_free;
} ngx_http_registry_loc_conf_t;


typedef struct ngx_http_registry_job_s  ngx_http_registry_job_t;


/* What an upload's request does in the thread pool, one leg at a time.  It is
 * not of the request's pool: when the client goes away, the last leg (suspend)
 * runs after the request is gone. */
struct ngx_http_registry_job_s {
    ngx_thread_task_t            task;
    ngx_thread_task_t            hash_task;      /* beside it */
    ngx_http_request_t          *request;        /* NULL: detached */

    reg_store_t                 *store;
    reg_target_t                 target;
    reg_upload_t                 upload;
    reg_error_t                  error;

    reg_digest_t                 digest;         /* PUT, POST */
    reg_range_t                  range;          /* Content-Range */
    int64_t                      length;         /* Content-Length, or -1 */
    int64_t                      large;          /* if so much comes then */
    int64_t                      received;       /* and written */
    int64_t                      offset;         /* of the upload, for Range */

    reg_str_t                    data;           /* the leg's bytes */
    reg_str_t                    hash_data;      /* hash_task's */

    int64_t                      roomed;         /* statvfs was asked at */

    /* written by the event loop only while no leg is out, and the other way
     * round: they share a word, which hash_task does not touch */
    unsigned                     create:1;       /* the session is ours */
    unsigned                     has_range:1;
    unsigned                     opened:1;
    unsigned                     last:1;         /* the body ends here */
    unsigned                     commit:1;       /* and then becomes a blob */
    unsigned                     done:1;
};


typedef struct {
    u_char                      *data;           /* NULL: given back */
    size_t                       size;
} ngx_http_registry_memory_t;


/* What has arrived of a body and is in use: see ngx_http_registry_body.c. */
typedef struct {
    ngx_http_registry_memory_t  *memory;         /* NULL: it is nginx's */
    u_char                      *start;
    size_t                       size;
    uint64_t                     in;
    uint64_t                     hashed;
    uint64_t                     written;
    unsigned                     first:1;        /* small, and may grow */
    unsigned                     placed:1;       /* as the file begins */
} ngx_http_registry_ring_t;


typedef struct ngx_http_registry_question_s  ngx_http_registry_question_t;


typedef struct {
    /* who may */
    ngx_http_registry_question_t  *question;     /* to the worker, or NULL */
    ngx_http_registry_cache_e    cache;
    ngx_str_t                    user;           /* empty: nobody is known */
    ngx_uint_t                   decides;        /* this is the subrequest */

    /* a blob to be sent */
    ngx_str_t                    path;
    ngx_str_t                    etag;           /* the digest in quotes */
    ngx_open_file_info_t         of;

    /* an upload under way */
    ngx_http_registry_job_t     *job;
    ngx_thread_pool_t           *thread_pool;
    ngx_http_registry_ring_t     ring;
    time_t                       left;           /* when the last leg did */
    ngx_event_t                  wait;           /* until there must be one */
    ngx_int_t                    broken;         /* the body ended early */
    ngx_uint_t                   leg;            /* the job's leg is out */
    ngx_uint_t                   hashing;        /* its hash_task is */
    ngx_uint_t                   failed;         /* no task can be posted */
    ngx_uint_t                   ending;         /* the last leg is out */

    /* a body for the worker: a manifest, or a form */
    off_t                        body_max;       /* 0: none */
    off_t                        body_left;      /* of what it may bring */

    /* a response of nginx's own that leaves as JSON */
    ngx_buf_t                   *json;
    ngx_uint_t                   silent;         /* no more of a body */
} ngx_http_registry_ctx_t;


extern ngx_module_t  ngx_http_registry_module;


/* Called before the content phase; each either becomes the request's content
 * handler (NGX_OK), or leaves it to the worker (NGX_DECLINED). */

/* blob: if the repository has it. */
ngx_int_t ngx_http_registry_blob_take(ngx_http_request_t *r,
    const reg_target_t *target);

/* upload: always. */
ngx_int_t ngx_http_registry_upload_take(ngx_http_request_t *r,
    const reg_target_t *target);

/* session: what the request line and the header say.  NGX_ERROR: job->error
 * tells what is wrong with it. */
ngx_int_t ngx_http_registry_session_read(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);

/* session: answers before the first byte was read, and when all is done. */
ngx_int_t ngx_http_registry_session_refuse(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);
ngx_int_t ngx_http_registry_session_reply(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);

/* filter: for a request that the worker answers; bounds its body. */
ngx_int_t ngx_http_registry_filter_limit(ngx_http_request_t *r, off_t max);

/* access: NGX_OK: the client may.  NGX_DECLINED: it may not, or that is not
 * known, and the worker will say so.  NGX_AGAIN: the worker is asked, and the
 * phase runs again when it has answered. */
ngx_int_t ngx_http_registry_access(ngx_http_request_t *r,
    const reg_target_t *target);

/* access: a user's name as the worker sends it, decoded.  NGX_DECLINED: it is
 * none. */
ngx_int_t ngx_http_registry_access_name(ngx_http_request_t *r,
    const ngx_str_t *encoded, ngx_str_t *name);

/* zone: the directive, and the zone that is there without it. */
char *ngx_http_registry_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_registry_zone_default(ngx_conf_t *cf);

/* zone: the key of an allow. */
void ngx_http_registry_zone_key(ngx_shm_zone_t *zone,
    const ngx_http_registry_ask_t *ask, u_char *key);

/* zone: true if the allow may be used now, VALID milliseconds after it was
 * decided at most. */
ngx_uint_t ngx_http_registry_zone_fresh(const ngx_http_registry_allow_t *allow,
    ngx_msec_t valid);

/* zone: NGX_OK and the allow, or NGX_DECLINED. */
ngx_int_t ngx_http_registry_zone_find(ngx_shm_zone_t *zone, const u_char *key,
    ngx_msec_t valid, ngx_http_registry_allow_t *allow);

/* zone: remembers it; in a full zone the one that was not used for the longest
 * time goes. */
void ngx_http_registry_zone_keep(ngx_shm_zone_t *zone, const u_char *key,
    const ngx_http_registry_allow_t *allow, ngx_log_t *log);

/* variable: adds them. */
ngx_int_t ngx_http_registry_variables_add(ngx_conf_t *cf);

/* variable: what the request does. */
ngx_http_registry_action_e ngx_http_registry_action(ngx_http_request_t *r,
    const reg_target_t *target);

/* module: what the request is about; NGX_DECLINED if it cannot be parsed. */
ngx_int_t ngx_http_registry_target(ngx_http_request_t *r,
    reg_target_t *target);

/* module: the request's context, made when it is first asked for. */
ngx_http_registry_ctx_t *ngx_http_registry_ctx(ngx_http_request_t *r);

/* task: sends the job of ctx to the thread pool: its leg, and what is to be
 * hashed.  When one is back, the request's write_event_handler runs.  The
 * request is held meanwhile. */
ngx_int_t ngx_http_registry_task_leg(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);
ngx_int_t ngx_http_registry_task_hash(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx);

/* leg: what runs there, called by task. */
void ngx_http_registry_leg_run(ngx_http_registry_job_t *job);
void ngx_http_registry_leg_hash(ngx_http_registry_job_t *job);

/* task: lets the job go.  A session that is open is suspended in the thread
 * pool, without the request. */
void ngx_http_registry_task_release(ngx_http_registry_job_t *job,
    ngx_thread_pool_t *tp);

/* buffer: memory for an upload's bytes, of whole pages.  It is given back with
 * the request's pool, or earlier. */
ngx_http_registry_memory_t *ngx_http_registry_memory(ngx_http_request_t *r,
    size_t size);
void ngx_http_registry_memory_free(ngx_http_registry_memory_t *memory);

/* body: takes up what nginx has read already. */
ngx_int_t ngx_http_registry_body_start(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring);

/* body: reads on, as far as there is room; busy says that pieces of the ring
 * are in use.  Other than NGX_OK is the status of a body that ended early. */
ngx_int_t ngx_http_registry_body_read(ngx_http_request_t *r,
    ngx_http_registry_ring_t *ring, ngx_uint_t busy);

/* body: drops what comes after it, if that is more than nginx keeps; in is what
 * nginx has made of what it read. */
void ngx_http_registry_body_cut(ngx_http_request_t *r, ngx_chain_t *in);

/* body: whether all of it is in the ring. */
ngx_uint_t ngx_http_registry_body_ended(ngx_http_request_t *r);

/* body: said once, before any piece is used: where in the file it begins. */
void ngx_http_registry_body_place(ngx_http_registry_ring_t *ring,
    int64_t offset);

/* body: what lies in one piece from a position on. */
reg_str_t ngx_http_registry_body_piece(const ngx_http_registry_ring_t *ring,
    uint64_t from);

/* reply: a header; both strings must live as long as the request. */
ngx_int_t ngx_http_registry_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len);

/* reply: the same, with a copy of what is formatted. */
ngx_int_t ngx_http_registry_header_format(ngx_http_request_t *r,
    const char *name, const char *fmt, ...);

/* reply: the headers that every answer of the registry has. */
ngx_int_t ngx_http_registry_header_common(ngx_http_request_t *r);

/* reply: a response without a body. */
ngx_int_t ngx_http_registry_reply_empty(ngx_http_request_t *r,
    ngx_uint_t status);

/* reply: the error as status and JSON; logs it once. */
ngx_int_t ngx_http_registry_reply_error(ngx_http_request_t *r,
    const reg_error_t *err);

/* reply: the JSON body of an error, in the request's pool; NULL without
 * memory. */
ngx_buf_t *ngx_http_registry_error_body(ngx_http_request_t *r,
    const reg_error_t *err);

/* filter: installs them. */
ngx_int_t ngx_http_registry_filter_init(ngx_conf_t *cf);


static ngx_inline reg_str_t
ngx_http_registry_str(const ngx_str_t *s)
{
    return (reg_str_t) { s->len, (const char *) s->data };
}


#endif /* NGX_HTTP_REGISTRY_MODULE_H */
