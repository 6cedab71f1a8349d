/*
 * reg_metrics: counters that many processes share, and their text in
 * Prometheus' format 0.0.4.
 *
 *     static const reg_metric_t  table[] = {
 *         [REQUESTS] = { "registry_requests_total", REG_METRIC_COUNTER,
 *             "Requests that were answered.",
 *             .labels = { { "code", 4, classes } } },
 *         …
 *     };
 *
 *     m = reg_metrics_create(table, n, rows, err);       before workers fork
 *
 *     reg_metrics_enter(m, row);                         in a new process
 *     reg_metrics_add(m, REQUESTS, 0, 1);
 *     reg_metrics_observe(m, DURATION, 0, usec);
 *     reg_metrics_leave(m, row);                         when it has ended
 *
 *     reg_metrics_format(m, &out);                       in any of them
 *
 * What is counted lies in one mapping that forked processes share, and is never
 * taken back: sums are those of all processes, the dead ones too.  Only the
 * gauges of a process (REG_METRIC_OWN) lie in a row of its own, and go with it;
 * the label "process" is the number of the row.
 *
 * A metric has a series for each combination of its labels' words.  The words
 * are those of the table and there is no way to add any, so nothing that comes
 * from outside can be in the text, nor make it longer.  A gauge has no value
 * until one is set.
 *
 * Counting is an atomic addition: no lock, no allocation, safe from all threads
 * and processes, also when one of them is killed in the middle.
 *
 * Blocks: never
 */

#ifndef REG_METRICS_H
#define REG_METRICS_H

#include <sys/types.h>

#include "reg_error.h"

#define REG_METRICS_MAX     64          /* metrics of a table */
#define REG_METRIC_LABELS   3
#define REG_METRIC_BUCKETS  16

typedef enum {
    REG_METRIC_COUNTER,
    REG_METRIC_SPARSE,           /* a counter whose series begin to show with
                                    their first count */
    REG_METRIC_GAUGE,
    REG_METRIC_OWN,              /* a gauge of each process */
    REG_METRIC_HISTOGRAM         /* sparse as well */
} reg_metric_kind_t;

typedef struct {
    const char         *name;    /* NULL: no such label */
    size_t              n;
    const char *const  *words;
    const char       *(*word)(size_t i);         /* if words is NULL */
} reg_metric_label_t;

typedef struct {
    const char          *name;
    reg_metric_kind_t    kind;
    const char          *help;
    bool                 micro;  /* millionths are counted, ones are shown */
    reg_metric_label_t   labels[REG_METRIC_LABELS];
    const int64_t       *limits; /* of buckets, growing; 0 ends them */
} reg_metric_t;

typedef struct reg_metrics_s  reg_metrics_t;


/* table must live as long.  NULL with err filled. */
reg_metrics_t *reg_metrics_create(const reg_metric_t *table, size_t n,
    size_t rows, reg_error_t *err);

/* For this process; others may go on.  NULL is allowed. */
void reg_metrics_free(reg_metrics_t *m);

/* This process is row from now on; its gauges have no value yet. */
void reg_metrics_enter(reg_metrics_t *m, size_t row);

/* Nobody is row: its gauges are not shown. */
void reg_metrics_leave(reg_metrics_t *m, size_t row);

/* Who is row; 0: nobody; -1: there is no such row. */
pid_t reg_metrics_pid(const reg_metrics_t *m, size_t row);

/* The number of a series, from that of the word of each label; 0 without
 * labels. */
size_t reg_metrics_series(const reg_metrics_t *m, size_t metric,
    const size_t words[REG_METRIC_LABELS]);

/* Counters, and gauges that were set; by may be negative for these. */
void reg_metrics_add(reg_metrics_t *m, size_t metric, size_t series,
    int64_t by);

/* Gauges; an own one of this process. */
void reg_metrics_set(reg_metrics_t *m, size_t metric, size_t series,
    int64_t value);

/* An own gauge of another process. */
void reg_metrics_set_of(reg_metrics_t *m, size_t row, size_t metric,
    int64_t value);

/* Histograms. */
void reg_metrics_observe(reg_metrics_t *m, size_t metric, size_t series,
    int64_t value);

void reg_metrics_format(const reg_metrics_t *m, reg_buf_t *out);

#endif
