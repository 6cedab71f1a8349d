#include "fcgi_upload.h"

#include "fcgi_access.h"
#include "reg_blob.h"
#include "reg_query.h"
#include "reg_repo.h"
#include "reg_upload.h"


/* Location, Docker-Upload-UUID and Range, which every answer about a session
 * has.  Range is inclusive, and 0-0 for an empty one as Docker has it. */
static void
fcgi_upload_headers(fcgi_reply_t *reply, const reg_name_t *name,
    const char *uuid, int64_t offset)
{
    char  range[32];

    (void) snprintf(range, sizeof(range), "0-%lld",
                    (long long) (offset > 0 ? offset - 1 : 0));     /* fits */

    fcgi_reply_location(reply, name, "/blobs/uploads/", reg_str_from(uuid));
    fcgi_reply_header(reply, "Docker-Upload-UUID", reg_str_from(uuid));
    fcgi_reply_header(reply, "Range", reg_str_from(range));
}


typedef struct {
    const fcgi_service_t  *service;
    const fcgi_request_t  *r;
} fcgi_upload_reader_t;


/* Who mounts a blob from a repository reads it there. */
static bool
fcgi_upload_may_read(void *ctx, const reg_name_t *name)
{
    const fcgi_upload_reader_t  *reader = ctx;

    return (fcgi_access_grant(reader->service, reader->r, name)
            & REG_ACTION_PULL) != 0;
}


typedef enum {
    FCGI_MOUNT_FAILED = -1,
    FCGI_MOUNT_NONE,                     /* start an upload instead */
    FCGI_MOUNT_DONE,
    FCGI_MOUNT_ANSWERED                  /* reply has the answer */
} fcgi_upload_mount_t;


/* Whether the blob could be mounted.  That `from` is unknown, malformed or has
 * no such blob is no error: the client uploads then.  A token that does not
 * carry what its account has is one: layers would be sent again. */
static fcgi_upload_mount_t
fcgi_upload_mount(const fcgi_service_t *service, const fcgi_request_t *r,
    reg_digest_t *digest, fcgi_reply_t *reply, reg_error_t *err)
{
    char         mount[REG_QUERY_VALUE_MAX], from[REG_QUERY_VALUE_MAX];
    reg_name_t   source;
    reg_error_t  missing = REG_ERROR_INIT;
    int          rc = reg_query_get(r->query, "mount", mount, sizeof(mount));

    fcgi_upload_reader_t  reader = { service, r };
    reg_repo_filter_t     filter = { fcgi_upload_may_read, &reader };

    if (rc == 0) {
        return FCGI_MOUNT_NONE;
    }

    if (rc == -1 || reg_digest_parse(digest, reg_str_from(mount)) == -1) {
        (void) reg_error_set(err, REG_DIGEST_INVALID,
                             "mount is not a digest: write sha256: and 64, or"
                             " sha512: and 128 lower-case hexadecimal digits");
        return FCGI_MOUNT_FAILED;
    }

    rc = reg_query_get(r->query, "from", from, sizeof(from));

    if (rc == 0) {
        rc = reg_repo_find_blob(service->store, digest, &filter, &source,
                                err);

        if (rc != 1) {
            return rc == -1 ? FCGI_MOUNT_FAILED : FCGI_MOUNT_NONE;
        }

    } else if (rc == -1 || reg_name_parse(&source, reg_str_from(from)) == -1) {
        return FCGI_MOUNT_NONE;

    } else if (fcgi_access_ask_more(service, r, &source, reply)) {
        return FCGI_MOUNT_ANSWERED;

    } else if (!fcgi_upload_may_read(&reader, &source)) {
        return FCGI_MOUNT_NONE;      /* as if it had no such blob */
    }

    if (reg_blob_mount(service->store, &r->target.name, &source, digest,
                       &missing) == 0)
    {
        return FCGI_MOUNT_DONE;
    }

    if (reg_error_is_ours(&missing)) {
        *err = missing;
        return FCGI_MOUNT_FAILED;
    }

    return FCGI_MOUNT_NONE;
}


static int
fcgi_upload_alg(const fcgi_request_t *r, reg_alg_t *alg, reg_error_t *err)
{
    char  name[32];

    *alg = REG_SHA256;

    switch (reg_query_get(r->query, "digest-algorithm", name, sizeof(name))) {

    case 0:
        return 0;

    case 1:
        if (reg_alg_parse(alg, reg_str_from(name)) == 0) {
            return 0;
        }
        break;
    }

    return reg_error_set(err, REG_DIGEST_INVALID,
                         "unknown digest-algorithm: sha256 and sha512 are"
                         " supported");
}


int
fcgi_upload_create(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    const reg_name_t  *name = &r->target.name;
    char               uuid[REG_UUID_LEN + 1];
    reg_digest_t       digest;
    reg_alg_t          alg;

    switch (fcgi_upload_mount(service, r, &digest, reply, err)) {

    case FCGI_MOUNT_FAILED:
        return -1;

    case FCGI_MOUNT_NONE:
        break;

    case FCGI_MOUNT_ANSWERED:
        return 0;

    case FCGI_MOUNT_DONE:
        fcgi_reply_begin(reply, 201);
        fcgi_reply_location(reply, name, "/blobs/", reg_digest_str(&digest));
        fcgi_reply_digest(reply, &digest);
        return 0;
    }

    if (fcgi_upload_alg(r, &alg, err) == -1
        || reg_upload_create(service->store, name, alg, uuid, err) == -1)
    {
        return -1;
    }

    fcgi_reply_begin(reply, 202);
    fcgi_upload_headers(reply, name, uuid, 0);

    return 0;
}


int
fcgi_upload_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    const reg_target_t  *t = &r->target;
    int64_t              offset;

    if (reg_upload_stat(service->store, &t->name, t->uuid, &offset, err) == -1)
    {
        return -1;
    }

    fcgi_reply_begin(reply, 204);
    fcgi_upload_headers(reply, &t->name, t->uuid, offset);

    return 0;
}


int
fcgi_upload_delete(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    const reg_target_t  *t = &r->target;

    if (reg_upload_cancel(service->store, &t->name, t->uuid, err) == -1) {
        return -1;
    }

    fcgi_reply_begin(reply, 204);

    return 0;
}


int
fcgi_upload_misplaced(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    const reg_target_t  *t = &r->target;
    int64_t              offset;

    (void) reply;

    if (reg_upload_stat(service->store, &t->name, t->uuid, &offset, err) == -1)
    {
        return -1;
    }

    return reg_error_set(err, REG_UNAVAILABLE,
                         "blobs are uploaded through nginx's registry module,"
                         " which did not take this request: load"
                         " ngx_http_registry_module and write the registry"
                         " directive in this location");
}
