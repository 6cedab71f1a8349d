/*
 * What a request says of an upload's session, and what the answer says of it:
 * where it is, how far it has come, or which blob it has become.
 */

#include "ngx_http_registry_module.h"


static ngx_int_t ngx_http_registry_session_headers(ngx_http_request_t *r,
    ngx_http_registry_job_t *job);


ngx_int_t
ngx_http_registry_session_read(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    char              value[REG_QUERY_VALUE_MAX];
    ngx_table_elt_t  *range;

    job->length = r->headers_in.chunked ? -1 : r->headers_in.content_length_n;
    job->create = (job->target.kind == REG_TARGET_UPLOADS);
    job->commit = (r->method != NGX_HTTP_PATCH);

    if (job->create) {
        job->target.uuid[0] = '\0';
    }

    if (job->commit
        && (reg_query_get(ngx_http_registry_str(&r->args), "digest", value,
                          sizeof(value)) != 1
            || reg_digest_parse(&job->digest, reg_str_from(value)) == -1))
    {
        reg_error_detail(&job->error, "digest", reg_str_from(value));
        (void) reg_error_set(&job->error, REG_DIGEST_INVALID,
                             "the digest parameter is missing or is not a "
                             "digest: add digest=sha256: and 64 lower-case "
                             "hexadecimal digits to the Location");
        return NGX_ERROR;
    }

    range = r->headers_in.content_range;

    if (range == NULL) {
        return NGX_OK;
    }

    job->has_range = 1;

    return reg_range_parse(&job->range, ngx_http_registry_str(&range->value),
                           job->length, &job->error) == -1
           ? NGX_ERROR : NGX_OK;
}


/* Before the first byte: one stat, so that a client learns where it is. */

ngx_int_t
ngx_http_registry_session_refuse(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    reg_error_t  unknown = REG_ERROR_INIT;

    if (!job->create
        && reg_upload_stat(job->store, &job->target.name, job->target.uuid,
                           &job->offset, &unknown) == -1)
    {
        job->error = unknown;
    }

    return ngx_http_registry_session_reply(r, job);
}


ngx_int_t
ngx_http_registry_session_reply(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    if (ngx_http_registry_session_headers(r, job) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (job->error.code != REG_OK) {
        return ngx_http_registry_reply_error(r, &job->error);
    }

    return ngx_http_registry_reply_empty(r, job->commit ? NGX_HTTP_CREATED
                                                        : NGX_HTTP_ACCEPTED);
}


static ngx_int_t
ngx_http_registry_session_headers(ngx_http_request_t *r,
    ngx_http_registry_job_t *job)
{
    const char  *name = job->target.name.text;

    if (job->error.code == REG_OK && job->commit) {
        if (ngx_http_registry_header_format(r, "Location", "/v2/%s/blobs/%s",
                                            name, job->digest.text)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return ngx_http_registry_header_format(r, "Docker-Content-Digest",
                                               "%s", job->digest.text);
    }

    /* an error: the session is told only if there is one to go on with */

    if (job->create
        || (job->error.code != REG_OK
            && job->error.code != REG_RANGE_INVALID
            && job->error.code != REG_SIZE_INVALID))
    {
        return NGX_OK;
    }

    if (ngx_http_registry_header_format(r, "Location",
                                        "/v2/%s/blobs/uploads/%s", name,
                                        job->target.uuid) != NGX_OK
        || ngx_http_registry_header_format(r, "Docker-Upload-UUID", "%s",
                                           job->target.uuid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_registry_header_format(r, "Range", "0-%L",
                                           job->offset > 0 ? job->offset - 1
                                                           : 0);
}
