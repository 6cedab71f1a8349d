/*
 * fcgi_audit: who did what: one JSON line for each login, push, delete and
 * refusal, in a file of its own (nginx_registry.audit.path).
 *
 *     {"time":"2026-01-31T12:00:00.000Z","event":"push","user":"alice",
 *      "client":"192.0.2.1","repository":"team/app","reference":"v1",
 *      "digest":"sha256:…","status":201,"agent":"docker/28.0"}
 *
 *     event   login         somebody asked to come in, and could
 *             login-failed  credentials that were wrong, or too often
 *             denied        known or not, and may not
 *             push          a manifest, by tag or digest
 *             delete        a tag, a manifest or a blob
 *             token         of our token server's
 *
 * user is who was found behind the credentials, or null.  Whatever came from
 * outside is cut and escaped; credentials are not given to this file at all.
 * Each line is one write(2) to a file that is open for appending, so several
 * processes may share it; after it was moved away (logrotate), SIGHUP makes the
 * worker open a new one.
 */

#ifndef FCGI_AUDIT_H
#define FCGI_AUDIT_H

#include "reg_error.h"
#include "reg_ref.h"

typedef struct {
    int  fd;                             /* -1: nothing is written */
} fcgi_audit_t;

typedef struct {
    const char   *event;
    reg_str_t     user;                  /* empty: nobody is known */
    reg_str_t     client;
    reg_str_t     repository;            /* empty: none */
    reg_str_t     reference;             /* a tag or digest; empty: none */
    reg_str_t     digest;                /* of what was pushed; empty: none */
    int           status;
    reg_str_t     agent;
} fcgi_audit_line_t;


/* path "" writes nothing.  -1 if the file cannot be opened. */
int fcgi_audit_open(fcgi_audit_t *audit, const char *path, reg_error_t *err);
void fcgi_audit_close(fcgi_audit_t *audit);

/* -1 with errno if the line could not be written. */
int fcgi_audit_write(const fcgi_audit_t *audit, const fcgi_audit_line_t *line);

#endif
