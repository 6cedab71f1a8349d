/*
 * slow_open: makes a local tree as slow to ask as a distant one.
 *
 * Preloaded into the worker, it lets each open below repositories/ take
 * SLOW_OPEN_US microseconds more; and that of a tag's link from within the
 * directory of tags, which is how lists read them.  SLOW_ACCEPT_US, SLOW_WAKE_US
 * and SLOW_SIGNAL_US make it as slow to see that it has accepted a connection, that
 * there is something to do, and that it was sent a signal.
 */

#define _GNU_SOURCE

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


static long  slow_open_us;
static long  slow_accept_us;
static long  slow_wake_us;
static long  slow_signal_us;


static long
slow_open_variable(const char *name)
{
    const char  *us = getenv(name);

    return us != NULL ? strtol(us, NULL, 10) : 0;
}


__attribute__((constructor)) static void
slow_open_init(void)
{
    slow_open_us = slow_open_variable("SLOW_OPEN_US");
    slow_accept_us = slow_open_variable("SLOW_ACCEPT_US");
    slow_wake_us = slow_open_variable("SLOW_WAKE_US");
    slow_signal_us = slow_open_variable("SLOW_SIGNAL_US");
}


static void
slow_open_rest(long us)
{
    struct timespec  rest = { us / 1000000, us % 1000000 * 1000 };

    if (us > 0) {
        (void) nanosleep(&rest, NULL);       /* a signal makes it shorter */
    }
}


static int
slow_open_is(const char *path)
{
    const char    link[] = "/current/link";
    const size_t  len = strlen(path);

    return strstr(path, "/repositories/") != NULL
           || (len >= sizeof(link)
               && strcmp(path + len + 1 - sizeof(link), link) == 0);
}


static int
slow_open_at(int dir, const char *path, int flags, mode_t mode)
{
    if (slow_open_us > 0 && slow_open_is(path)) {
        slow_open_rest(slow_open_us);
    }

    return (int) syscall(SYS_openat, dir, path, flags, mode);
}


#define SLOW_OPEN_MODE(mode)                                                  \
    va_list  ap;                                                              \
    mode_t   mode;                                                            \
                                                                              \
    va_start(ap, flags);                                                      \
    mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;     \
    va_end(ap)


int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
int openat(int dir, const char *path, int flags, ...);
int openat64(int dir, const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);


int
open(const char *path, int flags, ...)
{
    SLOW_OPEN_MODE(mode);
    return slow_open_at(AT_FDCWD, path, flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    SLOW_OPEN_MODE(mode);
    return slow_open_at(AT_FDCWD, path, flags, mode);
}


int
openat(int dir, const char *path, int flags, ...)
{
    SLOW_OPEN_MODE(mode);
    return slow_open_at(dir, path, flags, mode);
}


int
openat64(int dir, const char *path, int flags, ...)
{
    SLOW_OPEN_MODE(mode);
    return slow_open_at(dir, path, flags, mode);
}


int
__open_2(const char *path, int flags)
{
    return slow_open_at(AT_FDCWD, path, flags, 0);
}


int
__open64_2(const char *path, int flags)
{
    return slow_open_at(AT_FDCWD, path, flags, 0);
}


int
__openat_2(int dir, const char *path, int flags)
{
    return slow_open_at(dir, path, flags, 0);
}


int
__openat64_2(int dir, const char *path, int flags)
{
    return slow_open_at(dir, path, flags, 0);
}


int
accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    int  connection = (int) syscall(SYS_accept4, fd, address, len, flags);

    if (connection != -1) {
        slow_open_rest(slow_accept_us);
    }

    return connection;
}


int
epoll_wait(int epoll, struct epoll_event *events, int max, int ms)
{
    int  n = epoll_pwait(epoll, events, max, ms, NULL);

    if (n > 0) {
        slow_open_rest(slow_wake_us);
    }

    return n;
}


int
sigwait(const sigset_t *set, int *number)
{
    do {
        *number = sigwaitinfo(set, NULL);
    } while (*number == -1);

    slow_open_rest(slow_signal_us);
    return 0;
}
