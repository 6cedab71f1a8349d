/*
 * fcgi_notify: what systemd is told of a service of Type=notify.
 *
 *     fcgi_notify("READY=1\nSTATUS=serving %s", root);
 *
 * The protocol is sd_notify(3)'s: lines in a datagram to the socket that
 * NOTIFY_SOCKET names, a path or (with "@") an abstract name.  systemd's own
 * library would bring three compressors and libgcrypt along for this.  Without
 * the variable nothing is sent, and who does not listen misses it: the worker
 * serves all the same.
 *
 * For the master alone; systemd listens to no other process of the service.
 */

#ifndef FCGI_NOTIFY_H
#define FCGI_NOTIFY_H

#include <stdbool.h>

/* What is longer than FCGI_NOTIFY_TEXT is cut. */
#define FCGI_NOTIFY_TEXT  1024

void fcgi_notify(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* Gives systemd a descriptor that it hands to the process that it starts next,
 * under this name in LISTEN_FDNAMES (FileDescriptorStoreMax= of the unit).
 * False: there is nobody to give it to. */
#define FCGI_NOTIFY_KEPT  "registry-fcgi"

bool fcgi_notify_is_heard(void);
bool fcgi_notify_keep(int fd);
void fcgi_notify_drop(void);

#endif
