#include "fcgi_notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
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


void
fcgi_notify(const char *fmt, ...)
{
    int                 fd, n;
    char                text[FCGI_NOTIFY_TEXT];
    va_list             args;
    socklen_t           len;
    struct sockaddr_un  address = { .sun_family = AF_UNIX };

    len = fcgi_notify_address(&address);

    if (len == 0) {
        return;
    }

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || n < 0) {
        return;
    }

    /* nobody there: nobody to tell */
    (void) sendto(fd, text, (size_t) n < sizeof(text) ? (size_t) n
                                                      : sizeof(text) - 1,
                  MSG_NOSIGNAL, (const struct sockaddr *) &address, len);
    (void) close(fd);                            /* nothing is pending on it */
}
