#include "fcgi_route.h"

#include "fcgi_access.h"
#include "fcgi_base.h"
#include "fcgi_blob.h"
#include "fcgi_catalog.h"
#include "fcgi_manifest.h"
#include "fcgi_metrics.h"
#include "fcgi_referrers.h"
#include "fcgi_tag.h"
#include "fcgi_token.h"
#include "fcgi_upload.h"


/* where one gets in: nobody is asked who they are */
#define FCGI_ROUTE_ANYBODY  0x80000000u

/* sets of methods */
#define FCGI_ROUTE_GET      (1u << FCGI_METHOD_GET)
#define FCGI_ROUTE_READ     (FCGI_ROUTE_GET | 1u << FCGI_METHOD_HEAD)
#define FCGI_ROUTE_POST     (1u << FCGI_METHOD_POST)
#define FCGI_ROUTE_PUT      (1u << FCGI_METHOD_PUT)
#define FCGI_ROUTE_PATCH    (1u << FCGI_METHOD_PATCH)
#define FCGI_ROUTE_DELETE   (1u << FCGI_METHOD_DELETE)


typedef enum {
    FCGI_NEEDS_NOTHING,
    FCGI_NEEDS_WRITE,            /* not readonly */
    FCGI_NEEDS_DELETE            /* not readonly, and deletes enabled */
} fcgi_needs_t;

typedef struct {
    reg_target_kind_t  kind;
    unsigned           methods;
    reg_actions_t      access;           /* 0: whoever may come in at all */
    fcgi_needs_t       needs;
    fcgi_handler_pt    handler;
    const char        *event;            /* for the audit, or NULL */
} fcgi_route_t;


static const fcgi_route_t  fcgi_routes[] = {
    { REG_TARGET_BASE, FCGI_ROUTE_READ,
      0, FCGI_NEEDS_NOTHING, fcgi_base_get, NULL },

    { REG_TARGET_CATALOG, FCGI_ROUTE_READ,
      REG_ACTION_CATALOG, FCGI_NEEDS_NOTHING, fcgi_catalog_list, NULL },

    { REG_TARGET_TOKEN, FCGI_ROUTE_GET,
      FCGI_ROUTE_ANYBODY, FCGI_NEEDS_NOTHING, fcgi_token_get, NULL },
    { REG_TARGET_TOKEN, FCGI_ROUTE_POST,
      FCGI_ROUTE_ANYBODY, FCGI_NEEDS_NOTHING, fcgi_token_post, NULL },

    { REG_TARGET_KEYS, FCGI_ROUTE_READ,
      FCGI_ROUTE_ANYBODY, FCGI_NEEDS_NOTHING, fcgi_token_keys, NULL },

    { REG_TARGET_HEALTH, FCGI_ROUTE_READ,
      FCGI_ROUTE_ANYBODY, FCGI_NEEDS_NOTHING, fcgi_base_health, NULL },

    { REG_TARGET_TAGS, FCGI_ROUTE_READ,
      REG_ACTION_PULL, FCGI_NEEDS_NOTHING, fcgi_tag_list, NULL },

    { REG_TARGET_MANIFEST, FCGI_ROUTE_READ,
      REG_ACTION_PULL, FCGI_NEEDS_NOTHING, fcgi_manifest_get, NULL },
    { REG_TARGET_MANIFEST, FCGI_ROUTE_PUT,
      REG_ACTION_PUSH, FCGI_NEEDS_WRITE, fcgi_manifest_put, "push" },
    { REG_TARGET_MANIFEST, FCGI_ROUTE_DELETE,
      REG_ACTION_DELETE, FCGI_NEEDS_DELETE, fcgi_manifest_delete, "delete" },

    { REG_TARGET_REFERRERS, FCGI_ROUTE_READ,
      REG_ACTION_PULL, FCGI_NEEDS_NOTHING, fcgi_referrers_list, NULL },

    { REG_TARGET_BLOB, FCGI_ROUTE_READ,
      REG_ACTION_PULL, FCGI_NEEDS_NOTHING, fcgi_blob_get, NULL },
    { REG_TARGET_BLOB, FCGI_ROUTE_DELETE,
      REG_ACTION_DELETE, FCGI_NEEDS_DELETE, fcgi_blob_delete, "delete" },

    { REG_TARGET_UPLOADS, FCGI_ROUTE_POST,
      REG_ACTION_PUSH, FCGI_NEEDS_WRITE, fcgi_upload_create, NULL },

    { REG_TARGET_UPLOAD, FCGI_ROUTE_READ,
      REG_ACTION_PUSH, FCGI_NEEDS_NOTHING, fcgi_upload_get, NULL },
    { REG_TARGET_UPLOAD, FCGI_ROUTE_PATCH,
      REG_ACTION_PUSH, FCGI_NEEDS_WRITE, fcgi_upload_misplaced, NULL },
    { REG_TARGET_UPLOAD, FCGI_ROUTE_PUT,
      REG_ACTION_PUSH, FCGI_NEEDS_WRITE, fcgi_upload_misplaced, NULL },
    { REG_TARGET_UPLOAD, FCGI_ROUTE_DELETE,
      REG_ACTION_PUSH, FCGI_NEEDS_WRITE, fcgi_upload_delete, NULL },
};

#define FCGI_ROUTES  (sizeof(fcgi_routes) / sizeof(fcgi_routes[0]))


static int
fcgi_route_allowed(const fcgi_route_t *route, const reg_config_t *config,
    reg_error_t *err)
{
    if (route->needs != FCGI_NEEDS_NOTHING && config->readonly) {
        return reg_error_set(err, REG_UNSUPPORTED,
                             "the registry is read-only for maintenance"
                             " (storage.maintenance.readonly.enabled in its"
                             " configuration)");
    }

    if (route->needs == FCGI_NEEDS_DELETE && !config->delete_enabled) {
        return reg_error_set(err, REG_UNSUPPORTED,
                             "deleting is disabled: set storage.delete.enabled"
                             " to true in the registry's configuration");
    }

    return 0;
}


static void
fcgi_route_methods(reg_buf_t *out, unsigned methods)
{
    for (int m = 0; m < FCGI_METHOD_OTHER; m++) {
        if ((methods & 1u << m) != 0) {
            reg_buf_putstr(out, fcgi_method_str((fcgi_method_t) m));
            reg_buf_puts(out, ", ");
        }
    }
}


/* "GET, HEAD, OPTIONS"; empty if nothing is known under this kind. */
static void
fcgi_route_allow(reg_buf_t *out, reg_target_kind_t kind,
    const reg_config_t *config)
{
    for (size_t i = 0; i < FCGI_ROUTES; i++) {
        const fcgi_route_t  *route = &fcgi_routes[i];
        reg_error_t          quiet = REG_ERROR_INIT;

        if (route->kind == kind
            && fcgi_route_allowed(route, config, &quiet) == 0)
        {
            fcgi_route_methods(out, route->methods);
        }
    }

    if (out->len > 0) {
        reg_buf_puts(out, "OPTIONS");
    }
}


static const fcgi_route_t *
fcgi_route_find(reg_target_kind_t kind, fcgi_method_t method)
{
    for (size_t i = 0; i < FCGI_ROUTES; i++) {
        if (fcgi_routes[i].kind == kind
            && (fcgi_routes[i].methods & 1u << method) != 0)
        {
            return &fcgi_routes[i];
        }
    }

    return NULL;
}


/* The answer to OPTIONS, to a method that is not known here, and to one that
 * the configuration does not allow. */
static void
fcgi_route_options(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply, reg_error_t *err)
{
    reg_buf_t  allow = REG_BUF_INIT;

    fcgi_route_allow(&allow, r->target.kind, service->config);

    if (allow.len == 0) {
        (void) reg_error_set(err, REG_NOT_FOUND, NULL);

    } else if (r->method != FCGI_METHOD_OPTIONS) {
        (void) reg_error_set(err, REG_UNSUPPORTED,
                             "the method is not supported here; %.*s are",
                             REG_STR_ARG(reg_buf_str(&allow)));
    }

    if (err->code != REG_OK) {
        fcgi_reply_errors(reply, err, 1);
    } else {
        fcgi_reply_begin(reply, 200);
    }

    if (allow.len > 0) {
        fcgi_reply_header(reply, "Allow", reg_buf_str(&allow));
    }

    reg_buf_free(&allow);
}


/* Before a handler that would write. */
static int
fcgi_route_may_write(const fcgi_service_t *service, const fcgi_route_t *route,
    reg_error_t *err)
{
    return route->needs == FCGI_NEEDS_NOTHING
           ? 0 : reg_store_writable(service->store, err);
}


/* What is not there may be on a disk that is not mounted, and what may not be
 * written in a tree that can only be read. */
static void
fcgi_route_doubt(const fcgi_service_t *service, const fcgi_route_t *route,
    reg_error_t *err)
{
    reg_error_t  gone = REG_ERROR_INIT;

    if (reg_error_status(err) == 404
        && reg_store_require(service->store, &gone) == -1)
    {
        *err = gone;
    }

    if (route->needs != FCGI_NEEDS_NOTHING) {
        reg_store_explain(service->store, err);
    }
}


void
fcgi_route(const fcgi_service_t *service, fcgi_request_t *r,
    fcgi_reply_t *reply)
{
    reg_error_t          err = REG_ERROR_INIT;
    const fcgi_route_t  *route;

    if (fcgi_metrics_asked(service, r)) {
        fcgi_metrics_get(service, reply);
        return;
    }

    if (fcgi_request_root(r, service->root, &err) == -1
        || reg_target_parse(&r->target, r->uri, r->raw, &err) == -1)
    {
        fcgi_reply_errors(reply, &err, 1);
        return;
    }

    route = fcgi_route_find(r->target.kind, r->method);

    if (route == NULL
        || fcgi_route_allowed(route, service->config, &err) == -1)
    {
        fcgi_route_options(service, r, reply, &err);
        return;
    }

    if (route->access != FCGI_ROUTE_ANYBODY
        && fcgi_access_check(service, r, route->access, reply) == -1)
    {
        return;
    }

    if (fcgi_route_may_write(service, route, &err) == -1) {
        fcgi_reply_errors(reply, &err, 1);
        return;
    }

    if (fcgi_request_is_question(r)) {
        fcgi_access_tell(service, r, reply);
        return;
    }

    fcgi_reply_begin(reply, 200);

    if (route->handler(service, r, reply, &err) == -1) {
        fcgi_route_doubt(service, route, &err);
        fcgi_reply_errors(reply, &err, 1);

    } else if (route->event != NULL && reply->status < 300) {
        fcgi_access_audit(service, r, reply, route->event);

    } else if (route->kind == REG_TARGET_BASE && r->login != NULL) {
        fcgi_access_audit(service, r, reply, "login");
    }
}
