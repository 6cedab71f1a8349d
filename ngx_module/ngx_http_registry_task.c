/*
 * The bridge to the thread pool.  A task touches its job and nothing else: no
 * request, no pool, no log of nginx's.
 */

#include "ngx_http_registry_module.h"


#define NGX_HTTP_REGISTRY_TASK_TIME  60000


typedef void (*ngx_http_registry_task_pt)(void *data, ngx_log_t *log);


static void ngx_http_registry_task_hold(ngx_http_request_t *r);
static ngx_int_t ngx_http_registry_task_send(ngx_http_registry_job_t *job,
    ngx_thread_task_t *task, ngx_http_registry_task_pt run,
    ngx_thread_pool_t *tp, ngx_event_handler_pt done);
static ngx_uint_t ngx_http_registry_task_back(ngx_event_t *ev);
static void ngx_http_registry_task_run_leg(void *data, ngx_log_t *log);
static void ngx_http_registry_task_run_hash(void *data, ngx_log_t *log);
static void ngx_http_registry_task_done(ngx_event_t *ev);
static void ngx_http_registry_task_detached_done(ngx_event_t *ev);


ngx_int_t
ngx_http_registry_task_leg(ngx_http_request_t *r, ngx_http_registry_ctx_t *ctx)
{
    if (ngx_http_registry_task_send(ctx->job, &ctx->job->task,
                                    ngx_http_registry_task_run_leg,
                                    ctx->thread_pool,
                                    ngx_http_registry_task_done)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->leg = 1;
    ngx_http_registry_task_hold(r);

    return NGX_OK;
}


ngx_int_t
ngx_http_registry_task_hash(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    if (ngx_http_registry_task_send(ctx->job, &ctx->job->hash_task,
                                    ngx_http_registry_task_run_hash,
                                    ctx->thread_pool,
                                    ngx_http_registry_task_done)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ctx->hashing = 1;
    ngx_http_registry_task_hold(r);

    return NGX_OK;
}


static void
ngx_http_registry_task_hold(ngx_http_request_t *r)
{
    r->main->blocked++;
    r->aio = 1;
}


/* The timer keeps a worker that shuts down from leaving before the task is
 * back: nginx goes when no timer is left. */

static ngx_int_t
ngx_http_registry_task_send(ngx_http_registry_job_t *job,
    ngx_thread_task_t *task, ngx_http_registry_task_pt run,
    ngx_thread_pool_t *tp, ngx_event_handler_pt done)
{
    task->ctx = job;
    task->handler = run;
    task->event.data = job;
    task->event.handler = done;
    task->event.log = ngx_cycle->log;

    if (ngx_thread_task_post(tp, task) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_add_timer(&task->event, NGX_HTTP_REGISTRY_TASK_TIME);

    return NGX_OK;
}


/* Whether the task is back; else it is only the timer. */

static ngx_uint_t
ngx_http_registry_task_back(ngx_event_t *ev)
{
    if (ev->timedout) {
        ev->timedout = 0;

        ngx_log_error(NGX_LOG_WARN, ev->log, 0,
                      "registry: the disk has not answered for %ui s",
                      (ngx_uint_t) NGX_HTTP_REGISTRY_TASK_TIME / 1000);

        ngx_add_timer(ev, NGX_HTTP_REGISTRY_TASK_TIME);
        return 0;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    return 1;
}


static void
ngx_http_registry_task_run_leg(void *data, ngx_log_t *log)
{
    ngx_http_registry_leg_run(data);
}


static void
ngx_http_registry_task_run_hash(void *data, ngx_log_t *log)
{
    ngx_http_registry_leg_hash(data);
}


static void
ngx_http_registry_task_done(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_registry_ctx_t  *ctx;
    ngx_http_registry_job_t  *job = ev->data;

    if (!ngx_http_registry_task_back(ev)) {
        return;
    }

    r = job->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);

    if (ev == &job->task.event) {
        ctx->leg = 0;
    } else {
        ctx->hashing = 0;
    }

    r->main->blocked--;
    r->aio = ctx->leg || ctx->hashing ? 1 : 0;

    /* the upload's, or nginx's own if the request was terminated meanwhile */

    r->write_event_handler(r);

    ngx_http_run_posted_requests(c);
}


void
ngx_http_registry_task_release(ngx_http_registry_job_t *job,
    ngx_thread_pool_t *tp)
{
    if (!job->opened || job->done) {
        ngx_free(job);
        return;
    }

    if (job->create) {

        /* nobody knows this session: the leg cancels it */

        (void) reg_error_set(&job->error, REG_BLOB_UPLOAD_UNKNOWN, NULL);
    }

    job->request = NULL;
    job->data.len = 0;
    job->last = 1;
    job->commit = 0;
    job->has_range = 0;

    if (ngx_http_registry_task_send(job, &job->task,
                                    ngx_http_registry_task_run_leg, tp,
                                    ngx_http_registry_task_detached_done)
        != NGX_OK)
    {

        /* the state is lost, the bytes are not: they will be hashed again */

        reg_upload_close(&job->upload);
        ngx_free(job);
    }
}


static void
ngx_http_registry_task_detached_done(ngx_event_t *ev)
{
    if (ngx_http_registry_task_back(ev)) {
        ngx_free(ev->data);
    }
}
