#include "fcgi_server.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fcgi_access.h"
#include "fcgi_metrics.h"
#include "fcgi_reply.h"
#include "fcgi_request.h"
#include "fcgi_route.h"
#include "fcgi_wire.h"
#include "reg_clock.h"


#define FCGI_SERVER_FDS        8192      /* descriptors of connections */
#define FCGI_SERVER_TIMEOUT    30        /* seconds, for one write */
#define FCGI_SERVER_GRACE      10        /* seconds, for a first request */

/* The walk of the catalog recurses with the depth of names; the rest needs a
 * tenth.  Pages that are not touched cost nothing. */
#define FCGI_SERVER_STACK      (1024 * 1024)


typedef enum {
    FCGI_CONN_NONE,
    FCGI_CONN_ARMING,            /* on its way to epoll */
    FCGI_CONN_NEW,               /* idle, and nothing was asked on it yet */
    FCGI_CONN_IDLE,              /* who turns these two to busy owns it */
    FCGI_CONN_BUSY
} fcgi_conn_state_t;

typedef struct {
    const fcgi_service_t  *service;
    int                    listener;
    int                    epoll;
    int                    wake;            /* readable: threads end */
    int                    max;             /* open connections */
    atomic_int             open;
    pthread_mutex_t        admit;           /* one changes listening */
    atomic_bool            listening;       /* epoll has the listener */
    atomic_bool            draining;
    atomic_uchar           states[FCGI_SERVER_FDS];
} fcgi_server_t;

typedef struct {
    fcgi_server_t   *server;
    pthread_t        id;
    fcgi_request_t   request;
    fcgi_reply_t     reply;
    fcgi_wire_t      wire;
} fcgi_thread_t;


/* ---- connections --------------------------------------------------------- */


static int
fcgi_server_watch(const fcgi_server_t *server, int op, int fd,
    uint32_t events)
{
    struct epoll_event  event = { .events = events, .data.fd = fd };

    return epoll_ctl(server->epoll, op, fd, &event);
}


/* Listens while there is room and nobody drains.  The loop sees a connection
 * that was closed between its look and its act. */
static void
fcgi_server_admit(fcgi_server_t *server)
{
    bool  want;

    (void) pthread_mutex_lock(&server->admit);     /* fails for misuse only */

    for ( ;; ) {
        want = atomic_load(&server->open) < server->max
               && !atomic_load(&server->draining);

        if (want == atomic_load(&server->listening)) {
            break;
        }

        /* there is memory for one entry that was there before */
        (void) fcgi_server_watch(server, want ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                                 server->listener, EPOLLIN | EPOLLEXCLUSIVE);
        atomic_store(&server->listening, want);
    }

    (void) pthread_mutex_unlock(&server->admit);
}


/* Counts a connection that is closed, or has not come. */
static void
fcgi_server_forget(fcgi_server_t *server)
{
    (void) atomic_fetch_sub(&server->open, 1);

    if (!atomic_load(&server->listening)) {
        fcgi_server_admit(server);
    }
}


static void
fcgi_server_close(fcgi_server_t *server, int fd)
{
    atomic_store(&server->states[fd], FCGI_CONN_NONE);
    (void) close(fd);                   /* what was sent, was sent */
    reg_metrics_add(server->service->metrics, FCGI_METRICS_CONNECTIONS, 0, -1);
    fcgi_server_forget(server);
}


/* Whether the caller owns the connection now, which is idle or new (from).  The
 * thread that arms it may still be on its way out of epoll_ctl(). */
static bool
fcgi_server_claim(fcgi_server_t *server, int fd, fcgi_conn_state_t from)
{
    for ( ;; ) {
        unsigned char  state = (unsigned char) from;

        if (atomic_compare_exchange_strong(&server->states[fd], &state,
                                           FCGI_CONN_BUSY))
        {
            return true;
        }

        if (state != FCGI_CONN_ARMING) {
            return false;
        }

        (void) sched_yield();                    /* cannot fail */
    }
}


/* Gives a connection to epoll, idle or new. */
static void
fcgi_server_idle(fcgi_server_t *server, int fd, fcgi_conn_state_t state)
{
    uint32_t  events = EPOLLIN | EPOLLONESHOT;

    atomic_store(&server->states[fd], FCGI_CONN_ARMING);

    if (fcgi_server_watch(server, EPOLL_CTL_MOD, fd, events) == -1
        && fcgi_server_watch(server, EPOLL_CTL_ADD, fd, events) == -1)
    {
        fcgi_server_close(server, fd);
        return;
    }

    atomic_store(&server->states[fd], (unsigned char) state);
}


/* ---- requests ------------------------------------------------------------ */


/* Answers the request whose head has arrived.  False if the connection is not
 * to be used again. */
static bool
fcgi_server_answer(fcgi_thread_t *t)
{
    fcgi_request_t      *r = &t->request;
    fcgi_reply_t        *reply = &t->reply;
    const int64_t        start = reg_clock_ns(CLOCK_MONOTONIC);
    bool                 drained, sent;
    fcgi_reply_part_t    part;
    fcgi_log_request_t   line;
    reg_metrics_t       *metrics = t->server->service->metrics;

    if (!fcgi_request_read(r, &t->wire)) {
        return false;
    }

    reg_metrics_add(metrics, FCGI_METRICS_THREADS_BUSY, 0, 1);

    fcgi_route(t->server->service, r, reply);
    fcgi_access_user(r, reply);

    /* what is left of the body would be read as the next request; and nginx,
     * still sending it, would not see our answer */
    drained = fcgi_request_drain(r);

    part = r->method == FCGI_METHOD_HEAD ? FCGI_REPLY_HEAD : FCGI_REPLY_WHOLE;
    sent = fcgi_reply_send(reply, &t->wire, part);

    line = (fcgi_log_request_t) {
        .client = r->client, .method = r->method_text, .path = r->raw,
        .user = reg_str_from(r->login != NULL ? r->login->identity.name : ""),
        .agent = r->agent, .status = reply->status,
        .bytes = part == FCGI_REPLY_HEAD ? 0
                                         : (int64_t) fcgi_reply_length(reply),
        .usec = (reg_clock_ns(CLOCK_MONOTONIC) - start) / 1000,
        .error = reply->error.code != REG_OK ? &reply->error : NULL,
    };

    fcgi_metrics_request(t->server->service, r, reply, line.usec);

    /* a question of nginx's is no request of anybody's */
    if (!fcgi_request_is_question(r) || reply->status >= 500) {
        fcgi_log_request(t->server->service->log, &line);
    }

    /* an idle thread holds no body */
    fcgi_reply_begin(reply, 200);
    reg_metrics_add(metrics, FCGI_METRICS_THREADS_BUSY, 0, -1);

    return drained && sent;
}


/*
 * Closing a connection at which nginx writes in this instant loses a request.
 * So the last word is a shutdown of our reading side: from there on nginx fails
 * to write, and sends the request elsewhere, while what came before is still
 * there to be served; then comes the end of file.  Nothing is shut down while a
 * request, of which more may be on its way, can be seen; nor is a new
 * connection: nginx tries another one for what it wrote to an old one only.
 */
static void
fcgi_server_leave(int fd)
{
    char  byte;

    if (recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 1) {
        (void) shutdown(fd, SHUT_RD);         /* fails if the peer is gone */
    }
}


/* Serves a connection, idle or new, that this thread owns while requests lie in
 * it. */
static void
fcgi_server_serve(fcgi_thread_t *t, int fd, fcgi_conn_state_t from)
{
    fcgi_server_t      *server = t->server;
    fcgi_wire_state_t   state = FCGI_WIRE_READY;

    fcgi_wire_open(&t->wire, fd);

    do {
        if (from == FCGI_CONN_IDLE && atomic_load(&server->draining)) {
            fcgi_server_leave(fd);
        }

        state = fcgi_wire_head(&t->wire);

        if (state == FCGI_WIRE_GONE
            || (state == FCGI_WIRE_READY && !fcgi_server_answer(t)))
        {
            fcgi_server_close(server, fd);
            return;
        }

        if (state == FCGI_WIRE_READY) {
            from = FCGI_CONN_IDLE;
        }

        /* if more has come since, epoll says so */
    } while (state == FCGI_WIRE_READY && fcgi_wire_has_more(&t->wire));

    fcgi_server_idle(server, fd, from);
}


static void
fcgi_server_limit(int fd)
{
    struct timeval  limit = { FCGI_SERVER_TIMEOUT, 0 };

    /* without it a peer of bad will only holds one thread longer */
    (void) setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}


/* A connection whose number there is room for; or -1. */
static int
fcgi_server_next(const fcgi_server_t *server)
{
    int  fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= FCGI_SERVER_FDS) {
        (void) close(fd);                        /* nothing was promised */
        return -1;
    }

    if (fd == -1 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED
        && !atomic_load(&server->draining))
    {
        fcgi_log(server->service->log, REG_LOG_ERROR, "accept: %s",
                 strerror(errno));
        (void) usleep(10000);          /* out of descriptors: not a busy loop */
    }

    return fd;
}


/* A connection, which the caller owns; or -1.  It is counted before it comes:
 * who drains sees it, or has let go of the listening socket. */
static int
fcgi_server_accept(fcgi_server_t *server)
{
    int  open = atomic_fetch_add(&server->open, 1) + 1;
    int  fd = fcgi_server_next(server);

    if (fd == -1) {
        fcgi_server_forget(server);
        return -1;
    }

    if (open >= server->max) {
        /* the rest waits in the listener's queue, or goes to a sibling */
        fcgi_server_admit(server);
    }

    reg_metrics_add(server->service->metrics, FCGI_METRICS_CONNECTIONS, 0, 1);
    fcgi_server_limit(fd);
    atomic_store(&server->states[fd], FCGI_CONN_BUSY);

    return fd;
}


/* ---- threads ------------------------------------------------------------- */


static void *
fcgi_server_thread(void *data)
{
    fcgi_thread_t       *t = data;
    fcgi_server_t       *server = t->server;
    struct epoll_event   event;

    for ( ;; ) {
        int  fd, n = epoll_wait(server->epoll, &event, 1, -1);

        if (n != 1) {
            continue;                            /* EINTR: there is no other */
        }

        if (event.data.fd == server->wake) {
            return NULL;
        }

        if (event.data.fd == server->listener) {
            fd = fcgi_server_accept(server);

            if (fd != -1) {
                /* nginx connects when it has something to say */
                fcgi_server_serve(t, fd, FCGI_CONN_NEW);
            }

        } else if (fcgi_server_claim(server, event.data.fd, FCGI_CONN_IDLE)) {
            fcgi_server_serve(t, event.data.fd, FCGI_CONN_IDLE);

        } else if (fcgi_server_claim(server, event.data.fd, FCGI_CONN_NEW)) {
            fcgi_server_serve(t, event.data.fd, FCGI_CONN_NEW);
        }
    }
}


static void
fcgi_server_free_thread(fcgi_thread_t *t)
{
    if (t != NULL) {
        fcgi_request_free(&t->request);
        fcgi_reply_free(&t->reply);
        free(t);
    }
}


static fcgi_thread_t *
fcgi_server_start_thread(fcgi_server_t *server, const pthread_attr_t *attr,
    reg_error_t *err)
{
    fcgi_thread_t  *t = calloc(1, sizeof(*t));
    int             sys;

    if (t == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    t->server = server;
    fcgi_request_init(&t->request);
    fcgi_reply_init(&t->reply);

    sys = pthread_create(&t->id, attr, fcgi_server_thread, t);

    if (sys != 0) {
        (void) reg_error_sys(err, sys, REG_UNKNOWN, "pthread_create", "");
        fcgi_server_free_thread(t);
        return NULL;
    }

    return t;
}


/* ---- draining ------------------------------------------------------------ */


/* Lets go of the listening socket, so that nobody queues up for a process that
 * will not accept.  Of a connection the kernel tells one process, once: who was
 * told before takes what waits, or it would wait for the next one.  The number
 * stays taken: a thread may just be using it. */
static void
fcgi_server_unlisten(fcgi_server_t *server)
{
    int  fd;

    while (atomic_load(&server->open) < server->max
           && (fd = fcgi_server_accept(server)) != -1)
    {
        fcgi_server_idle(server, fd, FCGI_CONN_NEW);
    }

    /* nothing is accepted there, and both are open */
    (void) dup3(server->wake, server->listener, O_CLOEXEC);
}


/* Lets every connection in a state end: a thread serves it once more, or finds
 * its end. */
static void
fcgi_server_leave_all(fcgi_server_t *server, fcgi_conn_state_t state)
{
    for (int fd = 0; fd < FCGI_SERVER_FDS; fd++) {
        if (atomic_load(&server->states[fd]) == state
            && fcgi_server_claim(server, fd, state))
        {
            fcgi_server_leave(fd);
            fcgi_server_idle(server, fd, FCGI_CONN_IDLE);
        }
    }
}


/* False if requests were still running when the time was over. */
static bool
fcgi_server_drain(fcgi_server_t *server)
{
    const struct timespec  moment = { 0, 5000000 };
    const int64_t          start = reg_clock_ns(CLOCK_MONOTONIC);
    const int64_t          until = start
        + server->service->config->drain_timeout * REG_CLOCK_SECOND;
    int64_t                now = start;

    atomic_store(&server->draining, true);
    fcgi_server_admit(server);
    fcgi_server_unlisten(server);

    for ( ;; ) {
        fcgi_server_leave_all(server, FCGI_CONN_IDLE);

        if (now - start >= FCGI_SERVER_GRACE * REG_CLOCK_SECOND) {
            fcgi_server_leave_all(server, FCGI_CONN_NEW);
        }

        if (atomic_load(&server->open) == 0) {
            return true;
        }

        now = reg_clock_ns(CLOCK_MONOTONIC);

        if (now >= until) {
            fcgi_log(server->service->log, REG_LOG_WARN,
                     "drain_timeout is over: %d requests are cut off",
                     atomic_load(&server->open));
            return false;
        }

        (void) nanosleep(&moment, NULL);       /* a shorter sleep is fine */
    }
}


static void
fcgi_server_wait(void)
{
    sigset_t  set;
    int       got;

    (void) sigemptyset(&set);
    (void) sigaddset(&set, SIGTERM);
    (void) sigaddset(&set, SIGINT);

    while (sigwait(&set, &got) != 0) {
        /* interrupted */
    }
}


/* ---- the whole ----------------------------------------------------------- */


/* Connections that the limit of descriptors leaves room for. */
static int
fcgi_server_max(void)
{
    struct rlimit  limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1
        || limit.rlim_cur >= FCGI_SERVER_FDS)
    {
        return FCGI_SERVER_FDS / 2;
    }

    return limit.rlim_cur > 64 ? (int) limit.rlim_cur / 2 : 16;
}


static int
fcgi_server_open(fcgi_server_t *server, reg_error_t *err)
{
    int  flags = fcntl(server->listener, F_GETFL);

    server->max = fcgi_server_max();
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (server->epoll == -1 || server->wake == -1 || flags == -1
        || fcntl(server->listener, F_SETFL, flags | O_NONBLOCK) == -1
        || fcgi_server_watch(server, EPOLL_CTL_ADD, server->wake, EPOLLIN)
           == -1)
    {
        return reg_error_sys(err, errno, REG_UNKNOWN, "epoll", "");
    }

    fcgi_server_admit(server);
    return 0;
}


/* Ends the threads, which own nothing any more. */
static void
fcgi_server_join(fcgi_server_t *server, fcgi_thread_t **threads, size_t n)
{
    if (eventfd_write(server->wake, 1) == -1) {
        return;                                /* cannot be: it was empty */
    }

    for (size_t i = 0; i < n; i++) {
        (void) pthread_join(threads[i]->id, NULL);      /* it is joinable */
        fcgi_server_free_thread(threads[i]);
    }
}


int
fcgi_server_run(const fcgi_service_t *service, int listener,
    reg_error_t *err)
{
    int              rc = -1;
    size_t           n = 0, want = (size_t) service->config->threads;
    fcgi_server_t   *server = calloc(1, sizeof(*server));
    fcgi_thread_t  **threads = calloc(want, sizeof(*threads));
    pthread_attr_t   attr;

    if (server == NULL || threads == NULL
        || pthread_attr_init(&attr) != 0
        || pthread_mutex_init(&server->admit, NULL) != 0)
    {
        free(server);
        free(threads);
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    server->service = service;
    server->listener = listener;
    server->epoll = -1;
    server->wake = -1;

    /* a refusal leaves the default, which is larger */
    (void) pthread_attr_setstacksize(&attr, FCGI_SERVER_STACK);

    if (fcgi_server_open(server, err) == -1) {
        goto out;
    }

    while (n < want) {
        threads[n] = fcgi_server_start_thread(server, &attr, err);
        if (threads[n] == NULL) {
            fcgi_server_join(server, threads, n);
            goto out;
        }
        n++;
    }

    fcgi_server_wait();

    if (!fcgi_server_drain(server)) {
        return 1;
    }

    fcgi_server_join(server, threads, n);
    rc = 0;

out:
    if (server->epoll != -1) {
        (void) close(server->epoll);
    }

    if (server->wake != -1) {
        (void) close(server->wake);
    }

    (void) pthread_attr_destroy(&attr);
    (void) pthread_mutex_destroy(&server->admit);
    free(server);
    free(threads);

    return rc;
}
