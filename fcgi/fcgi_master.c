#include "fcgi_master.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi_listen.h"
#include "fcgi_metrics.h"
#include "fcgi_notify.h"
#include "fcgi_upgrade.h"
#include "fcgi_worker.h"
#include "reg_clock.h"


#define FCGI_MASTER_CHILDREN  512
#define FCGI_MASTER_YOUNG     1000       /* ms: dead before is dead at once */
#define FCGI_MASTER_DELAY     100        /* ms, doubled up to … */
#define FCGI_MASTER_DELAY_MAX 5000
#define FCGI_MASTER_HOPELESS  400        /* a delay: nobody will serve soon */
#define FCGI_MASTER_GRACE     2000       /* ms after drain_timeout */


typedef struct {
    pid_t    pid;                        /* 0: a free place */
    int      generation;                 /* of the configuration */
    int64_t  born;                       /* ms */
} fcgi_child_t;

typedef struct {
    reg_config_t         *config;
    fcgi_log_t           *log;
    fcgi_master_load_pt   load;
    void                 *ctx;
    const fcgi_upgrade_t *program;
    fcgi_listen_t         listen;
    reg_throttle_t       *throttle;      /* shared by all workers */
    reg_metrics_t        *metrics;       /* the same; a row for each child */
    sigset_t              signals;
    int                   generation;
    bool                  stopping;
    int64_t               deadline;      /* when stopping; ms */
    int64_t               next;          /* no worker starts before; ms */
    int64_t               delay;         /* ms; 0 while all is well */
    fcgi_child_t          children[FCGI_MASTER_CHILDREN];
} fcgi_master_t;


static int64_t
fcgi_master_now(void)
{
    return reg_clock_ns(CLOCK_MONOTONIC) / REG_CLOCK_MS;
}


/* ---- workers ------------------------------------------------------------- */


/* In the new process: serves, and does not return. */
static void
fcgi_master_child(const fcgi_master_t *m, size_t child, pid_t master)
{
    sigset_t  rest;

    /* SIGTERM and SIGINT stay blocked: the worker waits for them.  A terminal
     * that hangs up is the master's business. */
    (void) signal(SIGHUP, SIG_IGN);
    (void) signal(SIGUSR2, SIG_IGN);
    (void) sigemptyset(&rest);
    (void) sigaddset(&rest, SIGHUP);
    (void) sigaddset(&rest, SIGUSR2);
    (void) sigaddset(&rest, SIGCHLD);
    (void) sigprocmask(SIG_UNBLOCK, &rest, NULL);    /* known signals */

    if (prctl(PR_SET_PDEATHSIG, SIGTERM) == -1 || getppid() != master) {
        _exit(1);                                    /* it is gone already */
    }

    fcgi_metrics_enter(m->metrics, child, m->config);

    if (fcgi_worker_run(m->config, m->listen.fd, m->log, m->throttle,
                        m->metrics) != 0)
    {
        _exit(1);                        /* threads may still run */
    }

    exit(0);
}


static int
fcgi_master_count(const fcgi_master_t *m, int generation)
{
    int  n = 0;

    for (int i = 0; i < FCGI_MASTER_CHILDREN; i++) {
        if (m->children[i].pid != 0
            && (generation == 0 || m->children[i].generation == generation))
        {
            n++;
        }
    }

    return n;
}


/* Dead ones that are replaced come later and later. */
static void
fcgi_master_delay(fcgi_master_t *m)
{
    m->delay = m->delay == 0 ? FCGI_MASTER_DELAY : m->delay * 2;

    if (m->delay > FCGI_MASTER_DELAY_MAX) {
        m->delay = FCGI_MASTER_DELAY_MAX;
    }

    m->next = fcgi_master_now() + m->delay;
}


static int
fcgi_master_fork(fcgi_master_t *m, fcgi_child_t *child)
{
    pid_t  master = getpid();
    pid_t  pid = fork();

    if (pid == -1) {
        fcgi_log(m->log, REG_LOG_ERROR, "fork: %s", strerror(errno));
        fcgi_master_delay(m);
        return -1;
    }

    if (pid == 0) {
        fcgi_master_child(m, (size_t) (child - m->children), master);
    }

    *child = (fcgi_child_t) { pid, m->generation, fcgi_master_now() };
    return 0;
}


/* Starts what is missing of this generation, if it is time. */
static void
fcgi_master_fill(fcgi_master_t *m)
{
    int64_t  missing = m->config->processes
                       - fcgi_master_count(m, m->generation);

    if (m->stopping || fcgi_master_now() < m->next) {
        return;
    }

    for (int i = 0; i < FCGI_MASTER_CHILDREN && missing > 0; i++) {
        if (m->children[i].pid == 0) {
            if (fcgi_master_fork(m, &m->children[i]) == -1) {
                return;
            }
            missing--;
        }
    }
}


/* Signals workers: those of the past, or all. */
static void
fcgi_master_signal(const fcgi_master_t *m, int number, int before)
{
    for (int i = 0; i < FCGI_MASTER_CHILDREN; i++) {
        const fcgi_child_t  *child = &m->children[i];

        if (child->pid != 0 && child->generation < before) {
            (void) kill(child->pid, number);     /* it may just have ended */
        }
    }
}


static void
fcgi_master_bury(fcgi_master_t *m, fcgi_child_t *child, int status)
{
    bool  young = fcgi_master_now() - child->born < FCGI_MASTER_YOUNG;
    bool  wanted = !m->stopping && child->generation == m->generation;

    if (WIFSIGNALED(status)) {
        fcgi_log(m->log, wanted ? REG_LOG_ERROR : REG_LOG_WARN,
                 "worker %d was ended by signal %d (%s)", (int) child->pid,
                 WTERMSIG(status), strsignal(WTERMSIG(status)));

    } else if (wanted || WEXITSTATUS(status) != 0) {
        fcgi_log(m->log, REG_LOG_WARN, "worker %d ended with status %d",
                 (int) child->pid, WEXITSTATUS(status));
    }

    child->pid = 0;
    reg_metrics_leave(m->metrics, (size_t) (child - m->children));
    reg_metrics_add(m->metrics, FCGI_METRICS_DEATHS, 0, wanted);

    if (wanted && young) {
        fcgi_master_delay(m);

        /* who is refused at once is better off than who waits for nginx's
         * patience to end */
        if (m->delay >= FCGI_MASTER_HOPELESS && fcgi_master_count(m, 0) == 0) {
            fcgi_listen_turn_away(&m->listen);
        }

    } else if (wanted) {
        m->delay = 0;
    }
}


static void
fcgi_master_reap(fcgi_master_t *m)
{
    int    status;
    pid_t  pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (int i = 0; i < FCGI_MASTER_CHILDREN; i++) {
            if (m->children[i].pid == pid) {
                fcgi_master_bury(m, &m->children[i], status);
            }
        }
    }
}


/* ---- signals ------------------------------------------------------------- */


static void
fcgi_master_reload(fcgi_master_t *m)
{
    reg_config_t  config;
    reg_error_t   err = REG_ERROR_INIT;

    if (m->load(m->ctx, &config, &err) == -1) {
        fcgi_log(m->log, REG_LOG_ERROR, "reload: %s; going on as before",
                 reg_error_message(&err));
        fcgi_notify("STATUS=not reloaded: %s", reg_error_message(&err));
        return;
    }

    if (strcmp(config.socket, m->config->socket) != 0
        || config.socket_mode != m->config->socket_mode)
    {
        fcgi_log(m->log, REG_LOG_WARN, "reload: another socket needs a"
                 " restart; listening on %s as before", m->listen.path);
    }

    reg_config_free(m->config);
    *m->config = config;
    fcgi_log_init(m->log, m->config);

    m->generation++;
    m->next = 0;
    m->delay = 0;

    /* the new ones first: at no time is there nobody */
    fcgi_master_fill(m);
    fcgi_master_signal(m, SIGTERM, m->generation);

    fcgi_log(m->log, REG_LOG_INFO, "reload: %d new workers",
             fcgi_master_count(m, m->generation));
    fcgi_notify("STATUS=serving %s", m->config->root);
}


/* Who connects from here on waits until the new program has workers. */
static void
fcgi_master_upgrade(fcgi_master_t *m)
{
    reg_error_t  err = REG_ERROR_INIT;
    int          listener = m->listen.made ? m->listen.fd : -1;

    if (fcgi_upgrade_check(m->program, &err) == 0) {
        fcgi_log(m->log, REG_LOG_INFO, "upgrade: starting %s",
                 m->program->path);
        fcgi_master_signal(m, SIGTERM, m->generation + 1);
        (void) fcgi_upgrade_exec(m->program, listener, &err);
        m->generation++;                         /* it did not */
    }

    fcgi_log(m->log, REG_LOG_ERROR, "upgrade: %s; going on as before",
             reg_error_message(&err));
}


static void
fcgi_master_stop(fcgi_master_t *m)
{
    if (m->stopping) {
        return;
    }

    fcgi_notify("STOPPING=1\nSTATUS=ending the requests under way");
    m->stopping = true;
    m->deadline = fcgi_master_now() + m->config->drain_timeout * 1000
                  + FCGI_MASTER_GRACE;
    fcgi_master_signal(m, SIGTERM, m->generation + 1);
}


/* Waits for a signal, or until there is something to do. */
static int
fcgi_master_wait(fcgi_master_t *m)
{
    int64_t          ms = 60000, until;
    struct timespec  wait;

    if (m->stopping) {
        ms = m->deadline - fcgi_master_now();

    } else if (fcgi_master_count(m, m->generation) < m->config->processes) {
        until = m->next - fcgi_master_now();
        ms = until < ms ? until : ms;
    }

    ms = ms > 0 ? ms : 0;
    wait = (struct timespec) { ms / 1000, ms % 1000 * 1000000 };

    return sigtimedwait(&m->signals, NULL, &wait);
}


static void
fcgi_master_loop(fcgi_master_t *m)
{
    while (!m->stopping || fcgi_master_count(m, 0) > 0) {
        switch (fcgi_master_wait(m)) {

        case SIGTERM:
        case SIGINT:
            /* who comes now is better refused than left waiting, unless there
             * may be another process in a moment */
            if (m->listen.made && !m->listen.kept) {
                fcgi_listen_close(&m->listen);
            }
            fcgi_master_stop(m);
            break;

        case SIGHUP:
            if (!m->stopping) {
                fcgi_master_reload(m);
            }
            break;

        case SIGUSR2:
            if (!m->stopping) {
                fcgi_master_upgrade(m);
            }
            break;
        }

        fcgi_master_reap(m);
        fcgi_master_fill(m);

        if (m->stopping && fcgi_master_now() >= m->deadline) {
            fcgi_master_signal(m, SIGKILL, m->generation + 1);
            m->deadline += FCGI_MASTER_GRACE;
        }
    }
}


static void
fcgi_master_free(fcgi_master_t *m)
{
    reg_metrics_free(m->metrics);
    reg_throttle_free(m->throttle);
    free(m);
}


int
fcgi_master_run(reg_config_t *config, fcgi_log_t *log,
    const fcgi_upgrade_t *program, fcgi_master_load_pt load, void *ctx)
{
    fcgi_master_t  *m = calloc(1, sizeof(*m));
    reg_error_t     err = REG_ERROR_INIT;

    if (m == NULL) {
        fcgi_log(log, REG_LOG_ERROR, "out of memory");
        return 1;
    }

    m->config = config;
    m->log = log;
    m->load = load;
    m->ctx = ctx;
    m->program = program;
    m->generation = 1;

    /* a log, or a peer, that is gone is an error of write(2) */
    (void) signal(SIGPIPE, SIG_IGN);

    (void) sigemptyset(&m->signals);
    (void) sigaddset(&m->signals, SIGTERM);
    (void) sigaddset(&m->signals, SIGINT);
    (void) sigaddset(&m->signals, SIGHUP);
    (void) sigaddset(&m->signals, SIGUSR2);
    (void) sigaddset(&m->signals, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &m->signals, NULL);    /* known signals */

    m->throttle = reg_throttle_create(&err);
    m->metrics = fcgi_metrics_create(FCGI_MASTER_CHILDREN, &err);

    if (m->throttle == NULL || m->metrics == NULL
        || fcgi_listen_open(&m->listen, config, &err) == -1)
    {
        fcgi_log(log, REG_LOG_ERROR, "%s", reg_error_message(&err));
        fcgi_listen_decline();
        fcgi_master_free(m);
        return 1;
    }

    fcgi_master_fill(m);
    fcgi_log(log, REG_LOG_INFO, "ready: %s, on %s, %lld processes of %lld"
             " threads", config->root, m->listen.path,
             (long long) config->processes, (long long) config->threads);
    fcgi_notify("READY=1\nSTATUS=serving %s", config->root);

    fcgi_master_loop(m);

    fcgi_listen_close(&m->listen);
    fcgi_log(log, REG_LOG_INFO, "stopped");
    fcgi_master_free(m);

    return 0;
}
