#include "fcgi_blob.h"

#include "reg_blob.h"


int
fcgi_blob_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    int64_t  size;

    (void) reply;

    if (reg_blob_stat(service->store, &r->target.name, &r->target.digest,
                      &size, err) == -1)
    {
        return -1;
    }

    reg_error_detail(err, "digest", reg_digest_str(&r->target.digest));

    return reg_error_set(err, REG_UNAVAILABLE,
                         "the blob exists, but nginx did not serve it: its"
                         " registry module is not active in this location, or"
                         " the user that nginx runs as may not read the file");
}


int
fcgi_blob_delete(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    if (reg_blob_delete(service->store, &r->target.name, &r->target.digest,
                        err) == -1)
    {
        return -1;
    }

    fcgi_reply_begin(reply, 202);
    fcgi_reply_digest(reply, &r->target.digest);

    return 0;
}
