#include "ctl_progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>


void
ctl_progress_init(ctl_progress_t *p)
{
    p->terminal = isatty(STDERR_FILENO) == 1;
}


void
ctl_progress_wipe(const ctl_progress_t *p)
{
    if (p->terminal) {
        (void) fputs("\r\033[K", stderr);
    }
}


void
ctl_progress_show(const ctl_progress_t *p, const char *fmt, ...)
{
    va_list  args;

    if (p->terminal) {
        ctl_progress_wipe(p);
        va_start(args, fmt);
        (void) vfprintf(stderr, fmt, args);
        va_end(args);
    }
}
