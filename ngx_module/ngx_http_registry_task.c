/*
 * The bridge to the thread pool.  A task touches its job and nothing else: no
 * request, no pool, no log of nginx's.
 */

#include "ngx_http_registry_module.h"


static void ngx_http_registry_task_run(void *data, ngx_log_t *log);
static void ngx_http_registry_task_done(ngx_event_t *ev);
static void ngx_http_registry_task_detached_done(ngx_event_t *ev);


ngx_int_t
ngx_http_registry_task_post(ngx_http_request_t *r,
    ngx_http_registry_ctx_t *ctx)
{
    ngx_http_registry_job_t *job = ctx->job;

    job->task.ctx = job;
    job->task.handler = ngx_http_registry_task_run;
    job->task.event.data = job;
    job->task.event.handler = ngx_http_registry_task_done;

    if (ngx_thread_task_post(ctx->thread_pool, &job->task) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->busy = 1;

    r->main->blocked++;
    r->aio = 1;

    return NGX_OK;
}


static void
ngx_http_registry_task_run(void *data, ngx_log_t *log)
{
    ngx_http_registry_upload_leg(data);
}


static void
ngx_http_registry_task_done(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_registry_ctx_t  *ctx;
    ngx_http_registry_job_t  *job = ev->data;

    r = job->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ctx = ngx_http_get_module_ctx(r, ngx_http_registry_module);
    ctx->busy = 0;

    r->main->blocked--;
    r->aio = 0;

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
    job->in = NULL;
    job->last = 1;
    job->commit = 0;

    job->task.event.handler = ngx_http_registry_task_detached_done;

    if (ngx_thread_task_post(tp, &job->task) != NGX_OK) {

        /* the state is lost, the bytes are not: they will be hashed again */

        reg_upload_close(&job->upload);
        ngx_free(job);
    }
}


static void
ngx_http_registry_task_detached_done(ngx_event_t *ev)
{
    ngx_free(ev->data);
}
