/*
 * What an upload does in the thread pool: one leg after the other, and beside
 * them what is hashed.
 *
 *     the first leg      opens the session, or makes it
 *     any                writes the bytes that it was given
 *     the last           ends the session: as a blob, or until the next request
 *
 * What goes wrong stands in the job, for the event loop to see when the leg is
 * back; then the last leg cleans up.
 */

#include "ngx_http_registry_module.h"


/* how often the free space is asked for while a body goes on and on */
#define NGX_HTTP_REGISTRY_ROOM_STEP  (16 * 1024 * 1024)


static void ngx_http_registry_leg_fail(ngx_http_registry_job_t *job);
static int ngx_http_registry_leg_open(ngx_http_registry_job_t *job);
static int64_t ngx_http_registry_leg_cached(
    const ngx_http_registry_job_t *job);
static int ngx_http_registry_leg_append(ngx_http_registry_job_t *job);
static int ngx_http_registry_leg_end(ngx_http_registry_job_t *job);


void
ngx_http_registry_leg_run(ngx_http_registry_job_t *job)
{
    if (job->error.code == REG_OK
        && ngx_http_registry_leg_open(job) == 0
        && ngx_http_registry_leg_append(job) == 0)
    {
        (void) ngx_http_registry_leg_end(job);      /* job->error says */
    }

    /* what is hashed meanwhile must come to its end first */

    if (job->error.code != REG_OK && job->last) {
        ngx_http_registry_leg_fail(job);
    }
}


void
ngx_http_registry_leg_hash(ngx_http_registry_job_t *job)
{
    reg_upload_hash(&job->upload, job->hash_data);
}


/* A failed session waits for its next request; one of a single POST is known
 * to nobody. */

static void
ngx_http_registry_leg_fail(ngx_http_registry_job_t *job)
{
    reg_error_t  err = REG_ERROR_INIT;

    reg_store_explain(job->store, &job->error);

    if (job->upload.fd != -1) {

        /* a chunk that is not what its Content-Range says leaves no trace */

        if (job->error.code == REG_SIZE_INVALID && job->has_range) {
            (void) reg_upload_rewind(&job->upload, job->range.first, &err);
        }

        job->offset = job->upload.offset;
        (void) reg_upload_suspend(&job->upload, &err);  /* the state is a
                                                           hint */
    }

    if (job->create && job->target.uuid[0] != '\0') {
        err = (reg_error_t) REG_ERROR_INIT;
        (void) reg_upload_cancel(job->store, &job->target.name,
                                 job->target.uuid, &err);   /* else purged */
    }

    job->done = 1;
}


static int
ngx_http_registry_leg_open(ngx_http_registry_job_t *job)
{
    reg_error_t         *err = &job->error;
    const reg_digest_t  *want = job->commit ? &job->digest : NULL;

    if (job->opened) {
        return 0;
    }

    if (reg_store_room(job->store, job->length > 0 ? job->length : 0, err)
        == -1)
    {
        return -1;
    }

    if (job->create
        && reg_upload_create(job->store, &job->target.name, job->digest.alg,
                             job->target.uuid, err) == -1)
    {
        return -1;
    }

    if (reg_upload_open(&job->upload, job->store, &job->target.name,
                        job->target.uuid, want, err) == -1)
    {
        return -1;
    }

    job->opened = 1;
    job->offset = job->upload.offset;
    job->roomed = job->upload.offset;

    if (job->has_range && job->range.first != job->upload.offset) {
        return reg_error_set(err, REG_RANGE_INVALID, NULL);
    }

    return 0;
}


/* Nothing of an upload that is known to be a large one goes through the page
 * cache. */

static int64_t
ngx_http_registry_leg_cached(const ngx_http_registry_job_t *job)
{
    int64_t  cached = job->upload.cached;

    if (cached == NGX_MAX_OFF_T_VALUE) {
        return cached;
    }

    if (job->length == -1) {
        return (int64_t) job->data.len + REG_UPLOAD_BLOCK > job->large
               ? 0 : job->large;
    }

    return job->upload.offset + job->length > cached ? 0 : cached;
}


static int
ngx_http_registry_leg_append(ngx_http_registry_job_t *job)
{
    if (job->data.len == 0) {
        return 0;
    }

    if (job->has_range
        && (int64_t) job->data.len > job->range.last + 1 - job->upload.offset)
    {
        return reg_error_set(&job->error, REG_SIZE_INVALID,
                             "the chunk is longer than its Content-Range");
    }

    if (job->received == 0) {
        job->upload.cached = ngx_http_registry_leg_cached(job);
    }

    if ((job->last
         ? reg_upload_append(&job->upload, job->data, &job->error)
         : reg_upload_write(&job->upload, job->data, &job->error)) == -1)
    {
        return -1;
    }

    job->received += (int64_t) job->data.len;

    /* the guard for bodies whose length nobody told */

    if (job->length == -1
        && job->upload.offset - job->roomed > NGX_HTTP_REGISTRY_ROOM_STEP)
    {
        job->roomed = job->upload.offset;
        return reg_store_room(job->store, NGX_HTTP_REGISTRY_ROOM_STEP,
                              &job->error);
    }

    return 0;
}


static int
ngx_http_registry_leg_end(ngx_http_registry_job_t *job)
{
    job->offset = job->upload.offset;

    if (!job->last) {
        return 0;
    }

    if (job->has_range && job->upload.offset != job->range.last + 1) {
        return reg_error_set(&job->error, REG_SIZE_INVALID,
                             "the chunk is shorter than its Content-Range");
    }

    if ((job->commit ? reg_upload_commit(&job->upload, &job->digest,
                                         &job->error)
                     : reg_upload_suspend(&job->upload, &job->error)) == -1)
    {
        return -1;
    }

    job->done = 1;

    return 0;
}
