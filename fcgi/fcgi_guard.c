#include "fcgi_guard.h"

#include <signal.h>
#include <unistd.h>

#include "fcgi_check.h"


/* seconds from one look to the next */
#define FCGI_GUARD_LOOK  1


typedef struct {
    const fcgi_service_t  *service;
    const reg_journal_t   *journal;
    dev_t                  dev;         /* of the tree's top directory */
    ino_t                  ino;
    bool                   blind;       /* the journal was not opened */
    bool                   refused;     /* the last time */
    bool                   leaving;
} fcgi_guard_t;


/* Where there is no tree it may come back: requests say so. */
static bool
fcgi_guard_is_other(const fcgi_guard_t *guard)
{
    struct stat  st;

    if (stat(guard->service->store->v2.text, &st) == -1) {
        return false;
    }

    return st.st_dev != guard->dev || st.st_ino != guard->ino
           || (guard->journal != NULL
               && !reg_journal_is_there(guard->journal));
}


static void
fcgi_guard_leave(fcgi_guard_t *guard, const char *why)
{
    fcgi_log(guard->service->log, REG_LOG_WARN, "the tree %s %s: worker %d"
             " makes way for a new one", guard->service->config->root, why,
             (int) getpid());

    guard->leaving = true;
    (void) kill(getpid(), SIGTERM);     /* the first thread waits for it */
}


/* Tries again what was refused, and says what has changed. */
static void
fcgi_guard_try(fcgi_guard_t *guard)
{
    const fcgi_service_t  *service = guard->service;
    reg_store_t           *store = service->store;
    char                   text[FCGI_CHECK_TEXT];
    int                    sys;

    if (atomic_load(&store->refused) != 0) {
        reg_store_try(store);
    }

    sys = atomic_load(&store->refused);

    if (sys != 0 && !guard->refused) {
        fcgi_check_refusal(service->config, sys, text);
        fcgi_log(service->log, REG_LOG_ERROR, "%s", text);
    }

    if (sys == 0 && guard->blind) {
        fcgi_guard_leave(guard, "can be written now");

    } else if (sys == 0 && guard->refused) {
        fcgi_log(service->log, REG_LOG_WARN, "the tree %s can be written"
                 " again", service->config->root);
    }

    guard->refused = sys != 0;
}


static int64_t
fcgi_guard_round(fcgi_chore_t *chore, void *state)
{
    fcgi_guard_t  *guard = state;

    (void) chore;

    if (guard->leaving) {
        return FCGI_GUARD_LOOK;
    }

    if (fcgi_guard_is_other(guard)) {
        fcgi_guard_leave(guard, "is another one than before");
    } else {
        fcgi_guard_try(guard);
    }

    return FCGI_GUARD_LOOK;
}


fcgi_chore_t *
fcgi_guard_start(const fcgi_service_t *service, const reg_journal_t *journal,
    reg_error_t *err)
{
    struct stat   st;
    fcgi_guard_t  guard = {
        .service = service, .journal = journal,
        .blind = atomic_load(&service->store->refused) != 0,
    };

    if (stat(service->store->v2.text, &st) == 0) {
        guard.dev = st.st_dev;
        guard.ino = st.st_ino;
    }

    return fcgi_chore_start(fcgi_guard_round, &guard, sizeof(guard),
                            FCGI_GUARD_LOOK, err);
}
