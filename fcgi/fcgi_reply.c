#include "fcgi_reply.h"


/* what a thread keeps of a buffer from one answer to the next */
#define FCGI_REPLY_KEEP  (64 * 1024)

#define FCGI_REPLY_ALWAYS                                                     \
    "Docker-Distribution-Api-Version: registry/2.0\r\n"                       \
    "X-Content-Type-Options: nosniff\r\n"


/* nginx passes the words on, and writes a malformed status line without. */
static const struct {
    int          status;
    const char  *reason;
} fcgi_reply_reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 202, "Accepted" },
    { 204, "No Content" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 409, "Conflict" },
    { 413, "Payload Too Large" },
    { 414, "URI Too Long" },
    { 416, "Range Not Satisfiable" },
    { 429, "Too Many Requests" },
    { 500, "Internal Server Error" },
    { 503, "Service Unavailable" },
    { 507, "Insufficient Storage" },
};


void
fcgi_reply_init(fcgi_reply_t *reply)
{
    memset(reply, 0, sizeof(*reply));
}


static void
fcgi_reply_reuse(reg_buf_t *b)
{
    if (b->size > FCGI_REPLY_KEEP) {
        reg_buf_free(b);
        return;
    }

    b->len = 0;
    b->failed = false;
}


void
fcgi_reply_begin(fcgi_reply_t *reply, int status)
{
    fcgi_cache_release(reply->entry);
    reply->entry = NULL;

    fcgi_reply_reuse(&reply->head);
    fcgi_reply_reuse(&reply->body);

    reply->status = status;
    reply->digest.text[0] = '\0';
    reply->error.code = REG_OK;

    reg_buf_puts(&reply->head, FCGI_REPLY_ALWAYS);
}


void
fcgi_reply_header(fcgi_reply_t *reply, const char *name, reg_str_t value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char  c = (unsigned char) value.data[i];

        if (c < 0x20 || c == 0x7f) {
            return;
        }
    }

    reg_buf_puts(&reply->head, name);
    reg_buf_put(&reply->head, ": ", 2);
    reg_buf_putstr(&reply->head, value);
    reg_buf_put(&reply->head, "\r\n", 2);
}


void
fcgi_reply_location(fcgi_reply_t *reply, const reg_name_t *name,
    const char *tail, reg_str_t last)
{
    reg_buf_t  *b = &reply->head;

    /* names, digests, tags and UUIDs have no character that needs escaping */
    reg_buf_puts(b, "Location: /v2/");
    reg_buf_putstr(b, reg_name_str(name));
    reg_buf_puts(b, tail);
    reg_buf_putstr(b, last);
    reg_buf_put(b, "\r\n", 2);
}


void
fcgi_reply_digest(fcgi_reply_t *reply, const reg_digest_t *digest)
{
    reply->digest = *digest;
    fcgi_reply_header(reply, "Docker-Content-Digest", reg_digest_str(digest));
}


void
fcgi_reply_json(fcgi_reply_t *reply)
{
    fcgi_reply_header(reply, "Content-Type", REG_STR("application/json"));
}


void
fcgi_reply_take(fcgi_reply_t *reply, fcgi_cache_entry_t *entry)
{
    fcgi_cache_release(reply->entry);
    reply->entry = entry;
}


void
fcgi_reply_errors(fcgi_reply_t *reply, const reg_error_t *errs, size_t n)
{
    fcgi_reply_begin(reply, reg_error_status(&errs[0]));
    fcgi_reply_json(reply);
    reg_error_json(&reply->body, errs, n);
    reply->error = errs[0];
}


size_t
fcgi_reply_length(const fcgi_reply_t *reply)
{
    return reply->entry != NULL ? reply->entry->body.len : reply->body.len;
}


static const char *
fcgi_reply_reason(int status)
{
    size_t  n = sizeof(fcgi_reply_reasons) / sizeof(fcgi_reply_reasons[0]);

    for (size_t i = 0; i < n; i++) {
        if (fcgi_reply_reasons[i].status == status) {
            return fcgi_reply_reasons[i].reason;
        }
    }

    return "Unknown";
}


bool
fcgi_reply_send(fcgi_reply_t *reply, fcgi_wire_t *wire,
    fcgi_reply_part_t part)
{
    char       status[64], length[64];
    bool       bare;
    reg_str_t  body, parts[4];

    if (!reg_buf_ok(&reply->head) || !reg_buf_ok(&reply->body)) {
        reg_error_t  err = REG_ERROR_INIT;

        (void) reg_error_set(&err, REG_UNKNOWN, "out of memory");
        fcgi_reply_errors(reply, &err, 1);
    }

    body = reply->entry != NULL ? reply->entry->body
                                : reg_buf_str(&reply->body);
    bare = reply->status == 204 || reply->status == 304;

    (void) snprintf(status, sizeof(status), "Status: %d %s\r\n",
                    reply->status, fcgi_reply_reason(reply->status));
    (void) snprintf(length, sizeof(length), "Content-Length: %zu\r\n\r\n",
                    body.len);                            /* both fit */

    parts[0] = reg_str_from(status);
    parts[1] = reg_buf_str(&reply->head);
    parts[2] = bare ? REG_STR("\r\n") : reg_str_from(length);
    parts[3] = bare || part == FCGI_REPLY_HEAD ? REG_STR_NULL : body;

    return fcgi_wire_answer(wire, parts, 4);
}


void
fcgi_reply_free(fcgi_reply_t *reply)
{
    fcgi_cache_release(reply->entry);
    reply->entry = NULL;
    reg_buf_free(&reply->head);
    reg_buf_free(&reply->body);
}
