#include "fcgi_audit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_clock.h"


#define FCGI_AUDIT_TEXT  512             /* bytes of one value */


int
fcgi_audit_open(fcgi_audit_t *audit, const char *path, reg_error_t *err)
{
    audit->fd = -1;

    if (path[0] == '\0') {
        return 0;
    }

    audit->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

    if (audit->fd == -1) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "open", path);
        (void) snprintf(err->message, sizeof(err->message),
                        "nginx_registry.audit.path: %.160s: %.60s", path,
                        strerror(err->sys));
        return -1;
    }

    return 0;
}


void
fcgi_audit_close(fcgi_audit_t *audit)
{
    if (audit->fd != -1) {
        (void) close(audit->fd);         /* every line was written through */
        audit->fd = -1;
    }
}


static void
fcgi_audit_value(reg_buf_t *out, const char *name, reg_str_t value)
{
    value.len = value.len < FCGI_AUDIT_TEXT ? value.len : FCGI_AUDIT_TEXT;

    reg_buf_printf(out, ",\"%s\":", name);

    if (value.len == 0) {
        reg_buf_puts(out, "null");
    } else {
        reg_buf_json(out, value);
    }
}


static void
fcgi_audit_time(reg_buf_t *out)
{
    char     text[REG_CLOCK_TEXT];
    int64_t  now = reg_clock_ns(CLOCK_REALTIME);

    reg_buf_printf(out, "{\"time\":\"%s.%03dZ\"",
                   reg_clock_text(text, (time_t) (now / REG_CLOCK_SECOND)),
                   (int) (now / REG_CLOCK_MS % 1000));
}


int
fcgi_audit_write(const fcgi_audit_t *audit, const fcgi_audit_line_t *line)
{
    int        rc = -1;
    reg_buf_t  out = REG_BUF_INIT;

    if (audit->fd == -1) {
        return 0;
    }

    fcgi_audit_time(&out);
    fcgi_audit_value(&out, "event", reg_str_from(line->event));
    fcgi_audit_value(&out, "user", line->user);
    fcgi_audit_value(&out, "client", line->client);
    fcgi_audit_value(&out, "repository", line->repository);
    fcgi_audit_value(&out, "reference", line->reference);
    fcgi_audit_value(&out, "digest", line->digest);
    reg_buf_printf(&out, ",\"status\":%d", line->status);
    fcgi_audit_value(&out, "agent", line->agent);
    reg_buf_puts(&out, "}\n");

    if (!reg_buf_ok(&out)) {
        errno = ENOMEM;

    } else if (write(audit->fd, out.data, out.len) == (ssize_t) out.len) {
        rc = 0;
    }

    reg_buf_free(&out);

    return rc;
}
