/*
 * ctl_json: the answer of a command that was asked with --json: one object, on
 * a line of its own.
 */

#ifndef CTL_JSON_H
#define CTL_JSON_H

struct json_t;               /* jansson's */

/* Writes it to stdout and lets it go.  -1 if that fails, or for NULL: what
 * was to be said has no memory or is not UTF-8.  What is still in stdio's
 * buffer the caller's fflush(3) tells. */
int ctl_json_print_new(struct json_t *object);

#endif
