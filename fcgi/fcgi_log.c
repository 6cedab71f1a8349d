#include "fcgi_log.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg_clock.h"


#define FCGI_LOG_PATH   512
#define FCGI_LOG_AGENT  256
#define FCGI_LOG_TEXT   2048


static const char *const  fcgi_log_levels[] = {
    [REG_LOG_ERROR] = "error",
    [REG_LOG_WARN] = "warn",
    [REG_LOG_INFO] = "info",
    [REG_LOG_DEBUG] = "debug",
};


/* sd-daemon(3): what a line for the journal begins with. */
static const char *const  fcgi_log_priorities[] = {
    [REG_LOG_ERROR] = "<3>",
    [REG_LOG_WARN] = "<4>",
    [REG_LOG_INFO] = "<6>",
    [REG_LOG_DEBUG] = "<7>",
};


/* systemd.exec(5): JOURNAL_STREAM is device and inode of the journal's socket,
 * which stderr is, unless somebody has put something else there. */
static bool
fcgi_log_is_journal(void)
{
    reg_str_t    stream = reg_str_from(getenv("JOURNAL_STREAM"));
    struct stat  st;
    char         here[48];

    if (stream.len == 0 || fstat(STDERR_FILENO, &st) == -1) {
        return false;
    }

    (void) snprintf(here, sizeof(here), "%llu:%llu",
                    (unsigned long long) st.st_dev,
                    (unsigned long long) st.st_ino);            /* fits */

    return reg_str_eq(stream, reg_str_from(here));
}


void
fcgi_log_init(fcgi_log_t *log, const reg_config_t *config)
{
    log->level = config->log_level;
    log->format = config->log_format;
    log->access = config->access_log;
    log->journal = fcgi_log_is_journal();
    log->requests = (fcgi_log_burst_t) { 0 };
    log->others = (fcgi_log_burst_t) { 0 };
}


static reg_str_t
fcgi_log_cut(reg_str_t s, size_t max)
{
    return (reg_str_t) { s.len < max ? s.len : max, s.data };
}


/* What could end the line or drive a terminal, and what is in special, as
 * \xHH. */
static void
fcgi_log_escape(reg_buf_t *line, reg_str_t s, const char *special)
{
    static const char  hex[] = "0123456789abcdef";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.data[i];

        if (c >= 0x20 && c < 0x7f && strchr(special, c) == NULL) {
            reg_buf_put(line, &s.data[i], 1);
        } else {
            char  code[4] = { '\\', 'x', hex[c >> 4], hex[c & 15] };

            reg_buf_put(line, code, sizeof(code));
        }
    }
}


static void
fcgi_log_quoted(reg_buf_t *line, reg_str_t s)
{
    fcgi_log_escape(line, s, "\"\\");
}


/* RFC 3339, UTC, milliseconds. */
static void
fcgi_log_time(reg_buf_t *line)
{
    static _Thread_local time_t  second = -1;
    static _Thread_local char    text[REG_CLOCK_TEXT];

    char           ms[8];
    const int64_t  ns = reg_clock_ns(CLOCK_REALTIME);
    const time_t   now = (time_t) (ns / REG_CLOCK_SECOND);

    if (now != second) {
        (void) reg_clock_text(text, now);
        second = now;
    }

    reg_buf_puts(line, text);
    (void) snprintf(ms, sizeof(ms), ".%03dZ",
                    (int) (ns / REG_CLOCK_MS % 1000));        /* fits */
    reg_buf_puts(line, ms);
}


static void
fcgi_log_begin(const fcgi_log_t *log, reg_buf_t *line, reg_log_level_t level)
{
    (void) reg_buf_reserve(line, 1000);              /* one malloc a line */

    if (log->journal) {
        reg_buf_puts(line, fcgi_log_priorities[level]);
    }

    if (log->format == REG_LOG_JSON) {
        reg_buf_puts(line, "{\"time\":\"");
        fcgi_log_time(line);
        reg_buf_puts(line, "\",\"level\":\"");
        reg_buf_puts(line, fcgi_log_levels[level]);
        reg_buf_puts(line, "\"");

    } else {
        if (!log->journal) {
            fcgi_log_time(line);
            reg_buf_puts(line, " ");
        }
        reg_buf_puts(line, fcgi_log_levels[level]);
        reg_buf_puts(line, " ");
    }
}


static void
fcgi_log_end(const fcgi_log_t *log, reg_buf_t *line)
{
    reg_buf_puts(line, log->format == REG_LOG_JSON ? "}\n" : "\n");

    if (reg_buf_ok(line)) {
        /* nowhere to say that stderr is gone */
        ssize_t  n = write(STDERR_FILENO, line->data, line->len);

        (void) n;
    }

    reg_buf_free(line);
}


static void
fcgi_log_text(fcgi_log_t *log, reg_log_level_t level, reg_str_t text)
{
    reg_buf_t  line = REG_BUF_INIT;

    fcgi_log_begin(log, &line, level);

    if (log->format == REG_LOG_JSON) {
        reg_buf_puts(&line, ",\"message\":");
        reg_buf_json(&line, text);
    } else {
        fcgi_log_escape(&line, text, "\\");
    }

    fcgi_log_end(log, &line);
}


/* Whether one more line of trouble fits into this second.  Threads that meet
 * at its turn may write a line too many; that is harmless. */
static bool
fcgi_log_admit(fcgi_log_t *log, fcgi_log_burst_t *burst)
{
    int64_t  now = (int64_t) time(NULL);
    int64_t  then = atomic_load(&burst->second);
    int64_t  lines;
    char     text[80];

    if (now != then
        && atomic_compare_exchange_strong(&burst->second, &then, now))
    {
        lines = atomic_exchange(&burst->lines, 0);

        if (lines > FCGI_LOG_BURST) {
            (void) snprintf(text, sizeof(text),
                            "%lld more lines like these were left out",
                            (long long) (lines - FCGI_LOG_BURST));
            fcgi_log_text(log, REG_LOG_WARN, reg_str_from(text));
        }
    }

    return atomic_fetch_add(&burst->lines, 1) < FCGI_LOG_BURST;
}


static bool
fcgi_log_wants(fcgi_log_t *log, fcgi_log_burst_t *burst, reg_log_level_t level)
{
    return level <= log->level
           && (level > REG_LOG_WARN || fcgi_log_admit(log, burst));
}


void
fcgi_log(fcgi_log_t *log, reg_log_level_t level, const char *fmt, ...)
{
    char     text[FCGI_LOG_TEXT];
    va_list  args;

    if (!fcgi_log_wants(log, &log->others, level)) {
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(text, sizeof(text), fmt, args);   /* cut if too long */
    va_end(args);

    fcgi_log_text(log, level, reg_str_from(text));
}


static void
fcgi_log_access_json(reg_buf_t *line, const fcgi_log_request_t *r)
{
    char  numbers[120];

    reg_buf_puts(line, ",\"client\":");
    reg_buf_json(line, fcgi_log_cut(r->client, FCGI_LOG_AGENT));
    reg_buf_puts(line, ",\"user\":");
    reg_buf_json(line, fcgi_log_cut(r->user, FCGI_LOG_AGENT));
    reg_buf_puts(line, ",\"method\":");
    reg_buf_json(line, fcgi_log_cut(r->method, 32));
    reg_buf_puts(line, ",\"path\":");
    reg_buf_json(line, fcgi_log_cut(r->path, FCGI_LOG_PATH));

    (void) snprintf(numbers, sizeof(numbers), ",\"status\":%d,\"bytes\":%lld,"
                    "\"duration_ms\":%lld.%03d,\"agent\":", r->status,
                    (long long) r->bytes, (long long) (r->usec / 1000),
                    (int) (r->usec % 1000));                    /* fits */
    reg_buf_puts(line, numbers);
    reg_buf_json(line, fcgi_log_cut(r->agent, FCGI_LOG_AGENT));

    if (r->error != NULL) {
        reg_buf_puts(line, ",\"error\":");
        reg_buf_json(line, reg_str_from(reg_error_name(r->error)));
        reg_buf_puts(line, ",\"message\":");
        reg_buf_json(line, reg_str_from(reg_error_message(r->error)));
    }
}


static void
fcgi_log_access_text(reg_buf_t *line, const fcgi_log_request_t *r)
{
    char  numbers[80];

    fcgi_log_quoted(line, fcgi_log_cut(r->client, FCGI_LOG_AGENT));
    reg_buf_puts(line, " ");

    if (r->user.len == 0) {
        reg_buf_puts(line, "-");
    } else {
        /* a blank would make two words of it */
        fcgi_log_escape(line, fcgi_log_cut(r->user, FCGI_LOG_AGENT), "\"\\ ");
    }

    reg_buf_puts(line, " \"");
    fcgi_log_quoted(line, fcgi_log_cut(r->method, 32));
    reg_buf_puts(line, " ");
    fcgi_log_quoted(line, fcgi_log_cut(r->path, FCGI_LOG_PATH));

    (void) snprintf(numbers, sizeof(numbers), "\" %d %lld %lld.%03d \"",
                    r->status, (long long) r->bytes,
                    (long long) (r->usec / 1000),
                    (int) (r->usec % 1000));                    /* fits */
    reg_buf_puts(line, numbers);
    fcgi_log_quoted(line, fcgi_log_cut(r->agent, FCGI_LOG_AGENT));
    reg_buf_puts(line, "\"");

    if (r->error != NULL) {
        reg_buf_puts(line, " ");
        reg_buf_puts(line, reg_error_name(r->error));
        reg_buf_puts(line, ": ");
        fcgi_log_escape(line, reg_str_from(reg_error_message(r->error)), "\\");
    }
}


/* What only the operator may read: operation, path and errno. */
static void
fcgi_log_failure(fcgi_log_t *log, const fcgi_log_request_t *r,
    reg_log_level_t level)
{
    const reg_error_t  *err = r->error;
    char                text[FCGI_LOG_TEXT], sys[128] = "";

    if (!fcgi_log_wants(log, &log->requests, level)) {
        return;
    }

    if (err->sys != 0) {
        (void) snprintf(sys, sizeof(sys), ": %s", strerror(err->sys));
    }

    /* cut if too long */
    (void) snprintf(text, sizeof(text), "%.*s %.*s: %s: %s%s%s%s%s",
                    (int) fcgi_log_cut(r->method, 32).len, r->method.data,
                    (int) fcgi_log_cut(r->path, FCGI_LOG_PATH).len,
                    r->path.data, reg_error_name(err), reg_error_message(err),
                    err->where[0] != '\0' ? " (" : "", err->where, sys,
                    err->where[0] != '\0' ? ")" : "");
    fcgi_log_text(log, level, reg_str_from(text));
}


/* Something lies in the tree that should not: the client is told that there
 * is nothing, the operator what it is. */
static bool
fcgi_log_odd(const reg_error_t *err)
{
    return err->where[0] != '\0' && err->sys != ENOENT && err->sys != ENOTDIR;
}


void
fcgi_log_request(fcgi_log_t *log, const fcgi_log_request_t *r)
{
    reg_buf_t  line = REG_BUF_INIT;

    if (r->error != NULL && r->status >= 500) {
        fcgi_log_failure(log, r, REG_LOG_ERROR);

    } else if (r->error != NULL && fcgi_log_odd(r->error)) {
        fcgi_log_failure(log, r, REG_LOG_WARN);
    }

    if (log->level < REG_LOG_INFO || (!log->access && r->error == NULL)) {
        return;
    }

    fcgi_log_begin(log, &line, REG_LOG_INFO);

    if (log->format == REG_LOG_JSON) {
        fcgi_log_access_json(&line, r);
    } else {
        fcgi_log_access_text(&line, r);
    }

    fcgi_log_end(log, &line);
}
