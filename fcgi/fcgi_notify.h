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

/* What is longer than FCGI_NOTIFY_TEXT is cut. */
#define FCGI_NOTIFY_TEXT  1024

void fcgi_notify(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

#endif
