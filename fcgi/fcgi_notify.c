#include "fcgi_notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "reg_str.h"


/* The length of the address, 0 if there is none that we know. */
static socklen_t
fcgi_notify_address(struct sockaddr_un *address)
{
    reg_str_t  path = reg_str_from(getenv("NOTIFY_SOCKET"));

    if (path.len < 2 || (path.data[0] != '/' && path.data[0] != '@')
        || reg_str_copy(address->sun_path, sizeof(address->sun_path), path)
           == -1)
    {
        return 0;
    }

    if (path.data[0] == '@') {
        address->sun_path[0] = '\0';
    }

    return (socklen_t) (offsetof(struct sockaddr_un, sun_path) + path.len);
}


bool
fcgi_notify_is_heard(void)
{
    struct sockaddr_un  address;

    return fcgi_notify_address(&address) != 0;
}


/* Sends a text, and a descriptor unless that is -1.  Nobody there: nobody to
 * tell. */
static bool
fcgi_notify_send(const char *text, size_t len, int pass)
{
    int                 fd;
    ssize_t             n;
    struct sockaddr_un  address = { .sun_family = AF_UNIX };
    struct iovec        iov = { (void *) (uintptr_t) text, len };
    struct msghdr       msg = { .msg_name = &address, .msg_iov = &iov,
                                .msg_iovlen = 1 };
    union {
        struct cmsghdr  head;
        char            space[CMSG_SPACE(sizeof(int))];
    }                   control = { .space = { 0 } };

    msg.msg_namelen = fcgi_notify_address(&address);
    fd = msg.msg_namelen == 0
         ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd == -1) {
        return false;
    }

    if (pass != -1) {
        control.head = (struct cmsghdr) { CMSG_LEN(sizeof(int)), SOL_SOCKET,
                                          SCM_RIGHTS };
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        memcpy(CMSG_DATA(&control.head), &pass, sizeof(int));
    }

    n = sendmsg(fd, &msg, MSG_NOSIGNAL);
    (void) close(fd);                            /* nothing is pending on it */

    return n != -1;
}


void
fcgi_notify(const char *fmt, ...)
{
    int      n;
    char     text[FCGI_NOTIFY_TEXT];
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (n >= 0) {
        (void) fcgi_notify_send(text, (size_t) n < sizeof(text)
                                      ? (size_t) n : sizeof(text) - 1, -1);
    }
}


bool
fcgi_notify_keep(int fd)
{
    static const char  text[] = "FDSTORE=1\nFDNAME=" FCGI_NOTIFY_KEPT;

    return fcgi_notify_send(text, sizeof(text) - 1, fd);
}


void
fcgi_notify_drop(void)
{
    fcgi_notify("FDSTOREREMOVE=1\nFDNAME=" FCGI_NOTIFY_KEPT);
}
