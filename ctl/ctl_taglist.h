/*
 * ctl_taglist: a list of tags in Redis, beside the tags on disk.
 *
 *     ctl_taglist_t  list = { .store = store, .c = c, .fence = fence };
 *
 *     if (ctl_taglist_look(&list, key, verify, &err) == -1) …
 *     … list.state, list.differ …
 *     ctl_taglist_free(&list);
 *
 * What differs is looked at again, as somebody may be writing it, and then
 * printed.  One that is used for one key after the other keeps its memory.
 */

#ifndef CTL_TAGLIST_H
#define CTL_TAGLIST_H

#include "reg_redis.h"
#include "reg_store.h"

typedef enum {
    CTL_TAGLIST_GONE,                   /* it has ended */
    CTL_TAGLIST_WHOLE,
    CTL_TAGLIST_VOID,                   /* of another fence or server */
    CTL_TAGLIST_UNFINISHED,             /* filled, or kept from it */
    CTL_TAGLIST_ODD                     /* none of ours */
} ctl_taglist_state_t;

typedef struct {
    reg_store_t          *store;
    reg_redis_t          *c;
    uint64_t              fence;        /* with the server's id */

    ctl_taglist_state_t   state;
    int64_t               differ;

    reg_buf_t             members;      /* each with a line end */
    reg_buf_t             tags;         /* on disk, the same */
    size_t                n;            /* members of the last reply */
    bool                  odd;
} ctl_taglist_t;


/* -1 if Redis does not answer, or without memory. */
int ctl_taglist_look(ctl_taglist_t *list, reg_str_t key, bool verify,
    reg_error_t *err);

void ctl_taglist_free(ctl_taglist_t *list);

#endif
