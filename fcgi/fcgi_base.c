#include "fcgi_base.h"


int
fcgi_base_get(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    (void) service;
    (void) r;
    (void) err;

    fcgi_reply_json(reply);
    reg_buf_puts(&reply->body, "{}");

    return 0;
}


int
fcgi_base_health(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    if (reg_store_require(service->store, err) == -1) {
        return -1;
    }

    fcgi_reply_header(reply, "Cache-Control", REG_STR("no-store"));

    return fcgi_base_get(service, r, reply, err);
}
