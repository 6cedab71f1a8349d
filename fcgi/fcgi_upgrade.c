#include "fcgi_upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi_listen.h"
#include "fcgi_notify.h"


#define FCGI_UPGRADE_CHECK  60           /* seconds, at most */


void
fcgi_upgrade_init(fcgi_upgrade_t *up, char **argv)
{
    ssize_t  n = readlink("/proc/self/exe", up->path, sizeof(up->path) - 1);

    up->path[n > 0 ? n : 0] = '\0';
    up->argv = argv;
}


/* In a new process. */
static void
fcgi_upgrade_ask(const fcgi_upgrade_t *up)
{
    static char  option[] = "--check";

    sigset_t   all;
    char      *argv[FCGI_UPGRADE_ARGS + 2] = { NULL };
    size_t     n;

    for (n = 0; n < FCGI_UPGRADE_ARGS && up->argv[n] != NULL; n++) {
        argv[n] = up->argv[n];
    }

    argv[n] = option;
    (void) sigfillset(&all);
    (void) sigprocmask(SIG_UNBLOCK, &all, NULL);         /* known signals */
    (void) alarm(FCGI_UPGRADE_CHECK);

    /* what it says when all is well is for nobody */
    if (dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO) != -1) {
        (void) execv(up->path, argv);
    }

    _exit(127);
}


int
fcgi_upgrade_check(const fcgi_upgrade_t *up, reg_error_t *err)
{
    pid_t  pid = fork();
    int    status;

    if (pid == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "fork", up->path);
    }

    if (pid == 0) {
        fcgi_upgrade_ask(up);
    }

    while (waitpid(pid, &status, 0) == -1) {
        if (errno != EINTR) {
            return reg_error_sys(err, errno, REG_UNKNOWN, "wait for",
                                 up->path);
        }
    }

    return status == 0
           ? 0 : reg_error_set(err, REG_UNKNOWN, "%.150s --check failed",
                               up->path);
}


static int
fcgi_upgrade_pass(int listener)
{
    char  pid[24];

    (void) snprintf(pid, sizeof(pid), "%d", (int) getpid());        /* fits */

    return dup2(listener, FCGI_LISTEN_SYSTEMD) == -1
           || fcntl(FCGI_LISTEN_SYSTEMD, F_SETFD, 0) == -1
           || setenv("LISTEN_PID", pid, 1) == -1
           || setenv("LISTEN_FDS", "1", 1) == -1
           || setenv("LISTEN_FDNAMES", FCGI_NOTIFY_KEPT, 1) == -1 ? -1 : 0;
}


int
fcgi_upgrade_exec(const fcgi_upgrade_t *up, int listener, reg_error_t *err)
{
    if (listener == -1 || fcgi_upgrade_pass(listener) == 0) {
        (void) execv(up->path, up->argv);
    }

    return reg_error_sys(err, errno, REG_UNKNOWN, "start", up->path);
}
