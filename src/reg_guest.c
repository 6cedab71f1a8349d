#include "reg_guest.h"

#include "reg_clock.h"


#define REG_GUEST_STACK  (128 * 1024)


/* A visit; over all of it is the lock of the store. */
struct reg_guest_s {
    reg_store_t    *store;
    reg_journal_t  *journal;
    size_t          users;
    int64_t         due;                /* its end; ns */
};


/* ---- the thread ---------------------------------------------------------- */


/* Nobody is in any more. */
static void
reg_guest_finish(reg_guest_t *guest)
{
    reg_error_t  quiet = REG_ERROR_INIT;

    /* what is not synced stays in the journal; who writes to it is told */
    (void) reg_journal_checkpoint(guest->journal, &quiet);
    reg_journal_close(guest->journal);
    free(guest);
}


/* Waits for a visit that is to end, and lets nobody in any more.  NULL: there
 * is none, and the thread ends. */
static reg_guest_t *
reg_guest_take(reg_store_t *store)
{
    reg_guest_t  *guest;

    /* the calls on the lock fail for misuse only */
    while ((guest = store->guest) == NULL
           || (!store->guest_stops
               && reg_clock_ns(CLOCK_MONOTONIC) < guest->due))
    {
        if (guest != NULL) {
            (void) reg_clock_wait(&store->guest_wake, &store->guest_lock,
                                  guest->due);
        } else if (!store->guest_stops) {
            (void) pthread_cond_wait(&store->guest_wake, &store->guest_lock);
        } else {
            return NULL;
        }
    }

    store->guest = NULL;

    while (guest->users > 0) {
        (void) pthread_cond_wait(&store->guest_wake, &store->guest_lock);
    }

    return guest;
}


static void *
reg_guest_run(void *data)
{
    reg_store_t  *store = data;
    reg_guest_t  *guest;

    (void) pthread_mutex_lock(&store->guest_lock);

    while ((guest = reg_guest_take(store)) != NULL) {
        (void) pthread_mutex_unlock(&store->guest_lock);
        reg_guest_finish(guest);
        (void) pthread_mutex_lock(&store->guest_lock);
    }

    (void) pthread_mutex_unlock(&store->guest_lock);

    return NULL;
}


/* With the lock. */
static bool
reg_guest_has_thread(reg_store_t *store)
{
    pthread_attr_t  attr;

    if (!store->guest_runs) {
        (void) pthread_attr_init(&attr);                /* cannot fail */
        (void) pthread_attr_setstacksize(&attr, REG_GUEST_STACK);
        store->guest_runs = pthread_create(&store->guest_thread, &attr,
                                           reg_guest_run, store) == 0;
        (void) pthread_attr_destroy(&attr);
    }

    return store->guest_runs;
}


/* ---- who enters and leaves ----------------------------------------------- */


/* With the lock. */
static void
reg_guest_begin(reg_store_t *store)
{
    reg_error_t     quiet = REG_ERROR_INIT;
    reg_guest_t    *guest = malloc(sizeof(*guest));
    reg_journal_t  *journal = guest == NULL ? NULL
                              : reg_journal_visit(store, &quiet);

    if (journal == NULL || !reg_guest_has_thread(store)) {
        reg_journal_close(journal);
        free(guest);
        return;
    }

    *guest = (reg_guest_t) {
        .store = store, .journal = journal,
        .due = reg_clock_ns(CLOCK_MONOTONIC)
               + REG_JOURNAL_DELAY * REG_CLOCK_MS,
    };

    store->guest = guest;
    (void) pthread_cond_broadcast(&store->guest_wake);
}


reg_guest_t *
reg_guest_enter(reg_store_t *store)
{
    reg_guest_t  *guest;

    (void) pthread_mutex_lock(&store->guest_lock);

    if (store->guest == NULL) {
        reg_guest_begin(store);
    }

    guest = store->guest;

    if (guest != NULL) {
        guest->users++;
    }

    (void) pthread_mutex_unlock(&store->guest_lock);

    return guest;
}


reg_journal_t *
reg_guest_journal(const reg_guest_t *guest)
{
    return guest->journal;
}


void
reg_guest_leave(reg_guest_t *guest)
{
    reg_store_t  *store = guest->store;

    (void) pthread_mutex_lock(&store->guest_lock);
    guest->users--;

    if (guest->users == 0) {
        (void) pthread_cond_broadcast(&store->guest_wake);
    }

    (void) pthread_mutex_unlock(&store->guest_lock);
}


void
reg_guest_end(reg_store_t *store)
{
    if (!store->guest_runs) {
        return;
    }

    (void) pthread_mutex_lock(&store->guest_lock);
    store->guest_stops = true;
    (void) pthread_cond_broadcast(&store->guest_wake);
    (void) pthread_mutex_unlock(&store->guest_lock);
    (void) pthread_join(store->guest_thread, NULL);     /* it is joinable */

    store->guest_stops = false;
    store->guest_runs = false;
}
