/*
 * fcgi_log: lines on stderr, each one write(2), in text or in JSON.
 *
 *     2026-01-31T12:00:00.000Z error GET /v2/a/manifests/b: UNKNOWN: …
 *     2026-01-31T12:00:00.000Z info 192.0.2.1 alice "GET /v2/" 200 2 0.041 …
 *     {"time":…,"level":"info","client":…,"user":…,"method":…,"path":…,
 *      "status":200,"bytes":2,"duration_ms":0.041,"agent":…}
 *
 * The user is "-" and "" if nobody is known.  If stderr is systemd's journal
 * (JOURNAL_STREAM), which has a time of its own, each line begins with its
 * priority as sd-daemon(3) has it, and text lines have no time:
 *
 *     <3>error GET /v2/a/manifests/b: UNKNOWN: …
 *
 * Whatever came from outside is escaped and cut, so that no client writes
 * lines of its own.  Credentials are not given to this file at all.  Errors
 * that repeat by the thousand are bounded: FCGI_LOG_BURST lines a second, then
 * the number of those that were left out.  Those of requests leave room for
 * what is said once, such as that the disk has become read-only.
 *
 * Safe to call from all threads.
 */

#ifndef FCGI_LOG_H
#define FCGI_LOG_H

#include <stdatomic.h>

#include "reg_config.h"

#define FCGI_LOG_BURST  100

typedef struct {
    _Atomic int64_t    second;      /* that is counted */
    _Atomic int64_t    lines;       /* written in it, or left out of it */
} fcgi_log_burst_t;

typedef struct {
    reg_log_level_t    level;
    reg_log_format_t   format;
    bool               access;
    bool               journal;     /* systemd's is where stderr goes */
    fcgi_log_burst_t   requests;    /* lines of trouble with them */
    fcgi_log_burst_t   others;
} fcgi_log_t;

/* One answered request.  error is NULL for what went well. */
typedef struct {
    reg_str_t           client;
    reg_str_t           user;       /* who was found; empty: nobody */
    reg_str_t           method;
    reg_str_t           path;       /* as the client wrote it */
    reg_str_t           agent;
    int                 status;
    int64_t             bytes;      /* of the body */
    int64_t             usec;
    const reg_error_t  *error;
} fcgi_log_request_t;


void fcgi_log_init(fcgi_log_t *log, const reg_config_t *config);

void fcgi_log(fcgi_log_t *log, reg_log_level_t level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* At level info, if requests are logged or this one failed.  A failure of ours
 * once more at level error, with operation, path and errno; so at level warn
 * what was taken for absent because it is no file or link of a registry. */
void fcgi_log_request(fcgi_log_t *log, const fcgi_log_request_t *request);

#endif
