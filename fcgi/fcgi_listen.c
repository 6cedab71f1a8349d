#include "fcgi_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "fcgi_notify.h"


#define FCGI_LISTEN_BACKLOG  1024


static bool
fcgi_listen_is_listening(int fd)
{
    int        on = 0;
    socklen_t  len = sizeof(on);

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}


/* sd_listen_fds(3): LISTEN_PID says for whom the descriptors are. */
static bool
fcgi_listen_by_systemd(void)
{
    int64_t  pid, n;

    return reg_str_int(reg_str_from(getenv("LISTEN_PID")), INT32_MAX, &pid)
           == 0
           && pid == getpid()
           && reg_str_int(reg_str_from(getenv("LISTEN_FDS")), 16, &n) == 0
           && n >= 1
           && fcgi_listen_is_listening(FCGI_LISTEN_SYSTEMD);
}


/* Whether it is one that a process before this one has made. */
static bool
fcgi_listen_is_kept(void)
{
    return fcgi_listen_by_systemd()
           && reg_str_eq(reg_str_from(getenv("LISTEN_FDNAMES")),
                         REG_STR(FCGI_NOTIFY_KEPT));
}


static int
fcgi_listen_refuse(const char *path, const char *why, reg_error_t *err)
{
    return reg_error_set(err, REG_UNAVAILABLE, "%.100s: %s", path, why);
}


static int
fcgi_listen_sys(int sys, const char *operation, const char *path,
    reg_error_t *err)
{
    reg_error_where(err, operation, path);
    return reg_error_set(err, REG_UNAVAILABLE, "cannot %s %.100s: %s",
                         operation, path, strerror(sys));
}


/* Removes a socket that nobody answers on; whatever else is there stays. */
static int
fcgi_listen_clear(const struct sockaddr_un *address, reg_error_t *err)
{
    struct stat  st;
    int          fd, sys;
    bool         answered;

    if (lstat(address->sun_path, &st) == -1) {
        return errno == ENOENT
               ? 0 : fcgi_listen_sys(errno, "stat", address->sun_path, err);
    }

    if (!S_ISSOCK(st.st_mode)) {
        return fcgi_listen_refuse(address->sun_path,
                                  "is there and is not a socket", err);
    }

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return fcgi_listen_sys(errno, "make a socket for", address->sun_path,
                               err);
    }

    answered = connect(fd, (const struct sockaddr *) address,
                       sizeof(*address)) == 0;
    sys = errno;
    (void) close(fd);                            /* nothing was said */

    if (answered || sys != ECONNREFUSED) {
        return fcgi_listen_refuse(address->sun_path, answered
                                  ? "another process serves there already"
                                  : strerror(sys), err);
    }

    if (unlink(address->sun_path) == -1 && errno != ENOENT) {
        return fcgi_listen_sys(errno, "remove", address->sun_path, err);
    }

    return 0;
}


static int
fcgi_listen_bind(fcgi_listen_t *l, const struct sockaddr_un *address,
    mode_t mode, reg_error_t *err)
{
    const char   *path = address->sun_path;
    struct stat   st;
    mode_t        mask;
    int           rc;

    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (l->fd == -1) {
        return fcgi_listen_sys(errno, "make a socket for", path, err);
    }

    mask = umask(0777);                /* nobody before chmod has its say */
    rc = bind(l->fd, (const struct sockaddr *) address, sizeof(*address));
    (void) umask(mask);                /* cannot fail */

    if (rc == -1) {
        return fcgi_listen_sys(errno, "bind", path, err);
    }

    l->made = true;

    if (chmod(path, mode) == -1 || lstat(path, &st) == -1) {
        return fcgi_listen_sys(errno, "set the mode of", path, err);
    }

    l->dev = st.st_dev;
    l->ino = st.st_ino;

    if (listen(l->fd, FCGI_LISTEN_BACKLOG) == -1) {
        return fcgi_listen_sys(errno, "listen on", path, err);
    }

    return 0;
}


/* Takes over the socket of the process before this one, if it is still the one
 * that is wanted. */
static bool
fcgi_listen_take(fcgi_listen_t *l, const struct sockaddr_un *address,
    mode_t mode)
{
    struct stat         st;
    struct sockaddr_un  own = { .sun_family = AF_UNSPEC };
    socklen_t           len = sizeof(own);

    if (getsockname(FCGI_LISTEN_SYSTEMD, (struct sockaddr *) &own, &len) == -1
        || own.sun_family != AF_UNIX
        || strncmp(own.sun_path, address->sun_path, sizeof(own.sun_path)) != 0
        || lstat(address->sun_path, &st) == -1 || !S_ISSOCK(st.st_mode)
        || chmod(address->sun_path, mode) == -1)
    {
        fcgi_notify_drop();
        (void) close(FCGI_LISTEN_SYSTEMD);       /* nobody leads there */
        return false;
    }

    l->fd = FCGI_LISTEN_SYSTEMD;
    l->made = true;
    l->kept = fcgi_notify_is_heard();
    l->dev = st.st_dev;
    l->ino = st.st_ino;

    return true;
}


/* Makes one, or takes the one that was made before. */
static int
fcgi_listen_at(fcgi_listen_t *l, const struct sockaddr_un *address,
    mode_t mode, reg_error_t *err)
{
    if (fcgi_listen_is_kept() && fcgi_listen_take(l, address, mode)) {
        return 0;
    }

    if (fcgi_listen_clear(address, err) == -1
        || fcgi_listen_bind(l, address, mode, err) == -1)
    {
        return -1;
    }

    l->kept = fcgi_notify_keep(l->fd);

    return 0;
}


int
fcgi_listen_open(fcgi_listen_t *l, const reg_config_t *config,
    reg_error_t *err)
{
    struct sockaddr_un  address = { .sun_family = AF_UNIX };

    *l = (fcgi_listen_t) { .fd = -1 };

    if (fcgi_listen_by_systemd() && !fcgi_listen_is_kept()) {
        l->fd = FCGI_LISTEN_SYSTEMD;
        return reg_str_copy(l->path, sizeof(l->path),
                            REG_STR("the socket that systemd passed"));
    }

    if (fcgi_listen_is_listening(STDIN_FILENO)) {
        l->fd = STDIN_FILENO;
        return reg_str_copy(l->path, sizeof(l->path),
                            REG_STR("the socket on descriptor 0"));
    }

    if (reg_str_copy(address.sun_path, sizeof(address.sun_path),
                     reg_str_from(config->socket)) == -1)
    {
        return fcgi_listen_refuse(config->socket,
                                  "too long for the path of a unix socket, 107"
                                  " bytes", err);
    }

    /* fits: the same array in the configuration */
    (void) reg_str_copy(l->path, sizeof(l->path),
                        reg_str_from(config->socket));

    if (fcgi_listen_at(l, &address, (mode_t) config->socket_mode, err) == -1) {
        fcgi_listen_close(l);
        return -1;
    }

    return 0;
}


void
fcgi_listen_decline(void)
{
    if (fcgi_listen_is_kept()) {
        fcgi_notify_drop();
        (void) close(FCGI_LISTEN_SYSTEMD);       /* nothing was accepted */
    }
}


void
fcgi_listen_turn_away(const fcgi_listen_t *l)
{
    int  fd, flags = fcntl(l->fd, F_GETFL);

    /* as the workers want it, who may not have come to that */
    if (flags == -1 || fcntl(l->fd, F_SETFL, flags | O_NONBLOCK) == -1) {
        return;
    }

    for (int n = 0; n < FCGI_LISTEN_BACKLOG; n++) {
        fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd == -1) {
            return;
        }

        (void) close(fd);                        /* nothing was promised */
    }
}


void
fcgi_listen_close(fcgi_listen_t *l)
{
    struct stat  st;

    if (l->made && !l->kept && lstat(l->path, &st) == 0
        && st.st_dev == l->dev && st.st_ino == l->ino)
    {
        (void) unlink(l->path);        /* a stale one harms nobody */
    }

    if (l->fd != -1) {
        (void) close(l->fd);           /* nothing is pending on it */
    }

    *l = (fcgi_listen_t) { .fd = -1 };
}
