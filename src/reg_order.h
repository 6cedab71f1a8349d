/*
 * reg_order: names that are replaced by one change after the other.
 *
 * What is put in place after its record is in the journal must be put there in
 * the order of the records, or two pushes of a tag would leave another one
 * behind than a crash does.  So who replaces names, as a tag's link, holds
 * their places from before the record is appended until they are replaced.
 *
 *     reg_order_names_t  names = { 0 };
 *
 *     if (reg_order_add(&names, path) == -1) …
 *
 *     if (reg_order_enter(order, &names, err) == 0) {
 *         …
 *         reg_order_leave(order, &names);
 *     }
 *
 * A place is a number that is made from a path: names that happen to share one
 * wait for each other.  It is held against the other threads and against other
 * processes (reg_logfile.h, TAG).
 *
 * Blocks: disk
 */

#ifndef REG_ORDER_H
#define REG_ORDER_H

#include "reg_logfile.h"

#define REG_ORDER_NAMES  128

typedef struct {
    const reg_logfile_t  *file;
    pthread_mutex_t       places[REG_LOGFILE_TAGS];
} reg_order_t;

typedef struct {
    size_t    n;
    uint16_t  list[REG_ORDER_NAMES];    /* sorted, each place once */
} reg_order_names_t;


/* file must live longer. */
void reg_order_init(reg_order_t *order, const reg_logfile_t *file);
void reg_order_free(reg_order_t *order);

/* -1: there are too many. */
int reg_order_add(reg_order_names_t *names, reg_str_t path);

/* Waits for those who hold one of them. */
int reg_order_enter(reg_order_t *order, const reg_order_names_t *names,
    reg_error_t *err);
void reg_order_leave(reg_order_t *order, const reg_order_names_t *names);

#endif
