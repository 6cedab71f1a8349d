/*
 * ctl_progress: where a command stands, on stderr.
 *
 * On a terminal that is one line, which is rewritten; elsewhere, in a log, it
 * is lines, and a command tells less often there.
 */

#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include <stdbool.h>

typedef struct {
    bool  terminal;
} ctl_progress_t;

void ctl_progress_init(ctl_progress_t *p);

/* Rewrites the line.  Only for a terminal. */
void ctl_progress_show(const ctl_progress_t *p, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Takes the line away, so that another can be printed. */
void ctl_progress_wipe(const ctl_progress_t *p);

#endif
