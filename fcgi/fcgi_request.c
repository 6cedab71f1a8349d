#include "fcgi_request.h"

#include <errno.h>
#include <limits.h>


#define FCGI_REQUEST_CHUNK      (64 * 1024)
#define FCGI_REQUEST_DRAIN_MAX  (64 * 1024 * 1024)


static const struct {
    reg_str_t  name;
    size_t     offset;
} fcgi_request_params[] = {

#define FCGI_REQUEST_PARAM(name, field)                                       \
    { { sizeof(name) - 1, (name) }, offsetof(fcgi_request_t, field) }

    FCGI_REQUEST_PARAM("REQUEST_METHOD", method_text),
    FCGI_REQUEST_PARAM("REGISTRY_URI", uri),
    FCGI_REQUEST_PARAM("REQUEST_URI", raw),
    FCGI_REQUEST_PARAM("QUERY_STRING", query),
    FCGI_REQUEST_PARAM("CONTENT_TYPE", content_type),
    FCGI_REQUEST_PARAM("CONTENT_LENGTH", content_length_text),
    FCGI_REQUEST_PARAM("REMOTE_ADDR", client),
    FCGI_REQUEST_PARAM("REGISTRY_ROOT", root),
    FCGI_REQUEST_PARAM("HTTP_ACCEPT", accept),
    FCGI_REQUEST_PARAM("HTTP_IF_NONE_MATCH", if_none_match),
    FCGI_REQUEST_PARAM("HTTP_USER_AGENT", agent),
    FCGI_REQUEST_PARAM("HTTP_AUTHORIZATION", authorization),
    FCGI_REQUEST_PARAM("REGISTRY_PURPOSE", purpose),
    FCGI_REQUEST_PARAM("REQUEST_SCHEME", scheme),
    FCGI_REQUEST_PARAM("HTTP_HOST", host),
    FCGI_REQUEST_PARAM("HTTP_X_FORWARDED_PROTO", forwarded_proto),
    FCGI_REQUEST_PARAM("HTTP_X_FORWARDED_HOST", forwarded_host),

#undef FCGI_REQUEST_PARAM
};

static const reg_str_t  fcgi_request_methods[] = {
    [FCGI_METHOD_GET] = { 3, "GET" },
    [FCGI_METHOD_HEAD] = { 4, "HEAD" },
    [FCGI_METHOD_POST] = { 4, "POST" },
    [FCGI_METHOD_PUT] = { 3, "PUT" },
    [FCGI_METHOD_PATCH] = { 5, "PATCH" },
    [FCGI_METHOD_DELETE] = { 6, "DELETE" },
    [FCGI_METHOD_OPTIONS] = { 7, "OPTIONS" },
};


void
fcgi_request_init(fcgi_request_t *r)
{
    memset(r, 0, sizeof(*r));
}


reg_str_t
fcgi_method_str(fcgi_method_t method)
{
    return fcgi_request_methods[method];
}


static fcgi_method_t
fcgi_request_method(reg_str_t text)
{
    for (int i = 0; i < FCGI_METHOD_OTHER; i++) {
        if (reg_str_eq(text, fcgi_request_methods[i])) {
            return (fcgi_method_t) i;
        }
    }

    return FCGI_METHOD_OTHER;
}


static reg_str_t *
fcgi_request_field(fcgi_request_t *r, size_t i)
{
    return (reg_str_t *) (void *)
           ((char *) r + fcgi_request_params[i].offset);
}


/* The first value of a parameter wins, so what nginx's configuration sets
 * cannot be replaced; values of Accept add up. */
static void
fcgi_request_param(fcgi_request_t *r, reg_str_t *field, reg_str_t value)
{
    if (field->data == NULL) {
        *field = value;
        return;
    }

    r->twice |= field == &r->authorization;

    if (field != &r->accept) {
        return;
    }

    if (r->accepts.len == 0) {
        reg_buf_putstr(&r->accepts, r->accept);
    }

    reg_buf_puts(&r->accepts, ", ");
    reg_buf_putstr(&r->accepts, value);

    if (reg_buf_ok(&r->accepts)) {
        r->accept = reg_buf_str(&r->accepts);
    }
}


static void
fcgi_request_forget(fcgi_request_t *r)
{
    reg_login_release(r->login);
    r->login = NULL;
    r->until = 0;
}


bool
fcgi_request_read(fcgi_request_t *r, fcgi_wire_t *wire)
{
    int           rc;
    const size_t  n = sizeof(fcgi_request_params)
                      / sizeof(fcgi_request_params[0]);
    reg_str_t     name, value;
    size_t        at = 0;

    for (size_t i = 0; i < n; i++) {
        *fcgi_request_field(r, i) = REG_STR_NULL;
    }

    r->target.kind = REG_TARGETS;
    r->accepts.len = 0;
    r->accepts.failed = false;
    r->twice = false;
    r->wire = wire;
    fcgi_request_forget(r);

    while ((rc = fcgi_wire_pair(wire, &at, &name, &value)) == 1) {
        for (size_t i = 0; i < n; i++) {
            if (reg_str_eq(name, fcgi_request_params[i].name)) {
                fcgi_request_param(r, fcgi_request_field(r, i), value);
                break;
            }
        }
    }

    r->method = fcgi_request_method(r->method_text);

    if (reg_str_int(r->content_length_text, INT64_MAX, &r->content_length)
        == -1)
    {
        r->content_length = -1;
    }

    return rc == 0;
}


bool
fcgi_request_is_question(const fcgi_request_t *r)
{
    return reg_str_eq(r->purpose, REG_STR("decide"));
}


int
fcgi_request_body(fcgi_request_t *r, size_t max, reg_buf_t *out,
    reg_error_t *err)
{
    size_t   start = out->len;
    int64_t  length = r->content_length;

    if (length > (int64_t) max) {
        return reg_error_set(err, REG_MANIFEST_TOO_LARGE, NULL);
    }

    if (length > 0) {
        /* one allocation of the right size; a failure shows below */
        (void) reg_buf_reserve(out, (size_t) length + 1);
    }

    for ( ;; ) {
        size_t   room = out->size - out->len;
        char    *p;

        if (room == 0) {
            room = FCGI_REQUEST_CHUNK;
        }

        p = reg_buf_reserve(out, room);

        if (p == NULL) {
            return reg_error_set(err, REG_UNKNOWN, "out of memory");
        }

        room = fcgi_wire_body(r->wire, p, room);

        if (room == 0) {
            break;
        }

        out->len += room;

        if (out->len - start > max) {
            return reg_error_set(err, REG_MANIFEST_TOO_LARGE, NULL);
        }
    }

    if (!r->wire->ended
        || (length >= 0 && out->len - start != (size_t) length))
    {
        return reg_error_set(err, REG_SIZE_INVALID,
                             "the body is not as long as Content-Length says");
    }

    return 0;
}


bool
fcgi_request_drain(fcgi_request_t *r)
{
    char    trash[4096];
    size_t  total = 0, n;

    do {
        n = fcgi_wire_body(r->wire, trash, sizeof(trash));
        total += n;
    } while (n > 0 && total < FCGI_REQUEST_DRAIN_MAX);

    return r->wire->ended;
}


int
fcgi_request_root(fcgi_request_t *r, const char *ours, reg_error_t *err)
{
    char  theirs[PATH_MAX], real[PATH_MAX];

    if (r->root.len == 0
        || reg_str_eq(r->root, reg_str_from(r->agreed)))
    {
        return 0;
    }

    if (reg_str_copy(theirs, sizeof(theirs), r->root) == 0
        && realpath(theirs, real) != NULL && strcmp(real, ours) == 0)
    {
        /* a path that does not fit is compared each time */
        (void) reg_str_copy(r->agreed, sizeof(r->agreed), r->root);
        return 0;
    }

    (void) snprintf(err->where, sizeof(err->where),
                    "nginx says %.120s, the worker has %.120s", theirs, ours);

    return reg_error_set(err, REG_UNAVAILABLE,
                         "the registry directive of nginx and"
                         " storage.filesystem.rootdirectory of the worker name"
                         " different directories; ask the operator to make"
                         " them the same");
}


void
fcgi_request_free(fcgi_request_t *r)
{
    reg_buf_free(&r->accepts);
    fcgi_request_forget(r);
}
