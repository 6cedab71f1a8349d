#include "reg_metrics.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>


#define REG_METRICS_MICRO  1000000
#define REG_METRICS_UNSET  INT64_MIN     /* a gauge without a value */

/* otherwise each process would have locks of its own */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counts are shared by processes");

typedef _Atomic int64_t  reg_metrics_cell_t;

struct reg_metrics_s {
    const reg_metric_t  *table;
    size_t               n;
    size_t               at[REG_METRICS_MAX];    /* the first cell of each; of
                                                    an own gauge: in a row */
    size_t               width;                  /* cells of a row */
    size_t               rows;
    size_t               row;                    /* of this process */
    size_t               size;                   /* bytes of the mapping */
    reg_metrics_cell_t  *cells;                  /* shared: all that is counted,
                                                    then the rows, each with
                                                    its pid first */
    reg_metrics_cell_t  *own;                    /* the first row */
};

/* One series, being written. */
typedef struct {
    const reg_metric_t  *metric;
    size_t               series;
    const char          *suffix;         /* of the name */
    const char          *key;            /* one label more, or NULL */
    const char          *word;
} reg_metrics_line_t;


/* ---- the cells ----------------------------------------------------------- */


static size_t
reg_metrics_limits(const reg_metric_t *metric)
{
    size_t  n = 0;

    while (metric->limits[n] != 0) {
        n++;
    }

    return n;
}


/* Combinations of its labels' words. */
static size_t
reg_metrics_combinations(const reg_metric_t *metric)
{
    size_t  n = 1;

    for (size_t i = 0; i < REG_METRIC_LABELS; i++) {
        n *= metric->labels[i].name != NULL ? metric->labels[i].n : 1;
    }

    return n;
}


/* Of one series: a histogram has its buckets, what is above them, and its
 * sum. */
static size_t
reg_metrics_cells(const reg_metric_t *metric)
{
    return metric->kind == REG_METRIC_HISTOGRAM
           ? reg_metrics_limits(metric) + 2 : 1;
}


static reg_metrics_cell_t *
reg_metrics_row(const reg_metrics_t *m, size_t row)
{
    return m->own + row * m->width;
}


static reg_metrics_cell_t *
reg_metrics_cell(const reg_metrics_t *m, size_t row, size_t metric,
    size_t series)
{
    const reg_metric_t  *of = &m->table[metric];
    reg_metrics_cell_t  *base = of->kind == REG_METRIC_OWN
                                ? reg_metrics_row(m, row) : m->cells;

    return base + m->at[metric] + series * reg_metrics_cells(of);
}


static int64_t
reg_metrics_load(const reg_metrics_cell_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}


static void
reg_metrics_store(reg_metrics_cell_t *cell, int64_t value)
{
    atomic_store_explicit(cell, value, memory_order_relaxed);
}


/* Gives each metric its place; the number of cells that are counted in. */
static size_t
reg_metrics_place(reg_metrics_t *m)
{
    size_t  total = 0;

    m->width = 1;

    for (size_t i = 0; i < m->n; i++) {
        const reg_metric_t  *metric = &m->table[i];
        size_t              *end = metric->kind == REG_METRIC_OWN ? &m->width
                                                                  : &total;

        m->at[i] = *end;
        *end += reg_metrics_combinations(metric) * reg_metrics_cells(metric);
    }

    return total;
}


reg_metrics_t *
reg_metrics_create(const reg_metric_t *table, size_t n, size_t rows,
    reg_error_t *err)
{
    size_t          total;
    reg_metrics_t  *m = calloc(1, sizeof(*m));

    assert(n <= REG_METRICS_MAX && rows > 0);

    if (m == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    m->table = table;
    m->n = n;
    m->rows = rows;
    total = reg_metrics_place(m);
    m->size = (total + rows * m->width) * sizeof(*m->cells);
    m->cells = mmap(NULL, m->size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (m->cells == MAP_FAILED) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "mmap", "");
        free(m);
        return NULL;
    }

    m->own = m->cells + total;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; table[i].kind == REG_METRIC_GAUGE
                           && k < reg_metrics_combinations(&table[i]); k++)
        {
            reg_metrics_set(m, i, k, REG_METRICS_UNSET);
        }
    }

    return m;
}


void
reg_metrics_free(reg_metrics_t *m)
{
    if (m != NULL) {
        (void) munmap(m->cells, m->size);        /* it is mapped */
        free(m);
    }
}


/* ---- rows ---------------------------------------------------------------- */


void
reg_metrics_enter(reg_metrics_t *m, size_t row)
{
    reg_metrics_cell_t  *cells = reg_metrics_row(m, row);

    assert(row < m->rows);

    m->row = row;

    for (size_t i = 1; i < m->width; i++) {
        reg_metrics_store(&cells[i], REG_METRICS_UNSET);
    }

    /* whoever sees the pid sees no value of the process before */
    atomic_store_explicit(&cells[0], getpid(), memory_order_release);
}


void
reg_metrics_leave(reg_metrics_t *m, size_t row)
{
    assert(row < m->rows);

    reg_metrics_store(reg_metrics_row(m, row), 0);
}


pid_t
reg_metrics_pid(const reg_metrics_t *m, size_t row)
{
    return row >= m->rows ? -1
           : (pid_t) atomic_load_explicit(reg_metrics_row(m, row),
                                          memory_order_acquire);
}


/* ---- counting ------------------------------------------------------------ */


size_t
reg_metrics_series(const reg_metrics_t *m, size_t metric,
    const size_t words[REG_METRIC_LABELS])
{
    size_t  series = 0;

    for (size_t i = 0; i < REG_METRIC_LABELS; i++) {
        const reg_metric_label_t  *label = &m->table[metric].labels[i];

        if (label->name != NULL) {
            assert(words[i] < label->n);
            series = series * label->n + words[i];
        }
    }

    return series;
}


void
reg_metrics_add(reg_metrics_t *m, size_t metric, size_t series, int64_t by)
{
    (void) atomic_fetch_add_explicit(reg_metrics_cell(m, m->row, metric,
                                                      series),
                                     by, memory_order_relaxed);
}


void
reg_metrics_set(reg_metrics_t *m, size_t metric, size_t series, int64_t value)
{
    reg_metrics_store(reg_metrics_cell(m, m->row, metric, series), value);
}


void
reg_metrics_set_of(reg_metrics_t *m, size_t row, size_t metric, int64_t value)
{
    reg_metrics_store(reg_metrics_cell(m, row, metric, 0), value);
}


void
reg_metrics_observe(reg_metrics_t *m, size_t metric, size_t series,
    int64_t value)
{
    const int64_t       *limits = m->table[metric].limits;
    size_t               i = 0, n = reg_metrics_limits(&m->table[metric]);
    reg_metrics_cell_t  *cells = reg_metrics_cell(m, m->row, metric, series);

    while (i < n && value > limits[i]) {
        i++;
    }

    (void) atomic_fetch_add_explicit(&cells[n + 1], value,
                                     memory_order_relaxed);
    (void) atomic_fetch_add_explicit(&cells[i], 1, memory_order_relaxed);
}


/* ---- text ---------------------------------------------------------------- */


/* A quote is special in the value of a label, and not in a help. */
static void
reg_metrics_escape(reg_buf_t *out, const char *s, bool quoted)
{
    for ( ; *s != '\0'; s++) {
        if (*s == '\n') {
            reg_buf_puts(out, "\\n");
            continue;
        }

        if (*s == '\\' || (*s == '"' && quoted)) {
            reg_buf_puts(out, "\\");
        }

        reg_buf_put(out, s, 1);
    }
}


static void
reg_metrics_number(char out[32], int64_t value, bool micro)
{
    int  n;

    if (!micro) {
        (void) snprintf(out, 32, "%lld", (long long) value);       /* fits */
        return;
    }

    n = snprintf(out, 32, "%lld.%06lld",
                 (long long) (value / REG_METRICS_MICRO),
                 (long long) (value % REG_METRICS_MICRO));         /* fits */

    while (out[n - 1] == '0') {
        out[--n] = '\0';
    }

    if (out[n - 1] == '.') {
        out[n - 1] = '\0';
    }
}


static void
reg_metrics_pair(reg_buf_t *out, const char *before, const char *name,
    const char *word)
{
    reg_buf_puts(out, before);
    reg_buf_puts(out, name);
    reg_buf_puts(out, "=\"");
    reg_metrics_escape(out, word, true);
    reg_buf_puts(out, "\"");
}


/* {code="2xx",le="0.5"}; nothing without labels. */
static void
reg_metrics_labels(reg_buf_t *out, const reg_metrics_line_t *line)
{
    const char  *before = "{";
    size_t       rest = line->series;
    size_t       each = reg_metrics_combinations(line->metric);

    for (size_t i = 0; i < REG_METRIC_LABELS; i++) {
        const reg_metric_label_t  *label = &line->metric->labels[i];

        if (label->name == NULL) {
            continue;
        }

        each /= label->n;
        reg_metrics_pair(out, before, label->name,
                         label->words != NULL ? label->words[rest / each]
                                              : label->word(rest / each));
        rest %= each;
        before = ",";
    }

    if (line->key != NULL) {
        reg_metrics_pair(out, before, line->key, line->word);
        before = ",";
    }

    reg_buf_puts(out, *before == ',' ? "}" : "");
}


static void
reg_metrics_line(reg_buf_t *out, const reg_metrics_line_t *line,
    int64_t value, bool micro)
{
    char  number[32];

    reg_metrics_number(number, value, micro);
    reg_buf_puts(out, line->metric->name);
    reg_buf_puts(out, line->suffix);
    reg_metrics_labels(out, line);
    reg_buf_puts(out, " ");
    reg_buf_puts(out, number);
    reg_buf_puts(out, "\n");
}


/* Each bucket has all that is below its limit.  They are read once, so that the
 * last is the count, while others go on counting. */
static void
reg_metrics_buckets(reg_buf_t *out, reg_metrics_line_t *line,
    const reg_metrics_cell_t *cells)
{
    const reg_metric_t  *metric = line->metric;
    size_t               n = reg_metrics_limits(metric);
    int64_t              sums[REG_METRIC_BUCKETS + 1], total = 0;
    char                 limit[32] = "+Inf";

    assert(n <= REG_METRIC_BUCKETS);

    for (size_t i = 0; i <= n; i++) {
        total += reg_metrics_load(&cells[i]);
        sums[i] = total;
    }

    if (total == 0) {
        return;
    }

    line->suffix = "_bucket";
    line->key = "le";
    line->word = limit;

    for (size_t i = 0; i < n; i++) {
        reg_metrics_number(limit, metric->limits[i], metric->micro);
        reg_metrics_line(out, line, sums[i], false);
    }

    line->word = "+Inf";
    reg_metrics_line(out, line, total, false);
    line->key = NULL;
    line->suffix = "_sum";
    reg_metrics_line(out, line, reg_metrics_load(&cells[n + 1]),
                     metric->micro);
    line->suffix = "_count";
    reg_metrics_line(out, line, total, false);
}


static void
reg_metrics_shared(const reg_metrics_t *m, size_t i, reg_buf_t *out)
{
    const reg_metric_t  *metric = &m->table[i];
    int64_t              hidden = metric->kind == REG_METRIC_GAUGE
                                  ? REG_METRICS_UNSET : 0;

    for (size_t k = 0; k < reg_metrics_combinations(metric); k++) {
        const reg_metrics_cell_t  *cells = reg_metrics_cell(m, 0, i, k);
        reg_metrics_line_t         line = { metric, k, "", NULL, NULL };
        int64_t                    value = reg_metrics_load(cells);

        if (metric->kind == REG_METRIC_HISTOGRAM) {
            reg_metrics_buckets(out, &line, cells);

        } else if (metric->kind == REG_METRIC_COUNTER || value != hidden) {
            reg_metrics_line(out, &line, value, metric->micro);
        }
    }
}


static void
reg_metrics_owns(const reg_metrics_t *m, size_t i, reg_buf_t *out)
{
    const reg_metric_t  *metric = &m->table[i];
    char                 number[32];

    for (size_t row = 0; row < m->rows; row++) {
        for (size_t k = 0; reg_metrics_pid(m, row) > 0
                           && k < reg_metrics_combinations(metric); k++)
        {
            reg_metrics_line_t  line = { metric, k, "", "process", number };
            int64_t             value = reg_metrics_load(
                                            reg_metrics_cell(m, row, i, k));

            if (value != REG_METRICS_UNSET) {
                reg_metrics_number(number, (int64_t) row, false);
                reg_metrics_line(out, &line, value, metric->micro);
            }
        }
    }
}


void
reg_metrics_format(const reg_metrics_t *m, reg_buf_t *out)
{
    static const char *const  types[] = {
        [REG_METRIC_COUNTER] = "counter",
        [REG_METRIC_SPARSE] = "counter",
        [REG_METRIC_GAUGE] = "gauge",
        [REG_METRIC_OWN] = "gauge",
        [REG_METRIC_HISTOGRAM] = "histogram",
    };

    for (size_t i = 0; i < m->n; i++) {
        const reg_metric_t  *metric = &m->table[i];

        reg_buf_puts(out, "# HELP ");
        reg_buf_puts(out, metric->name);
        reg_buf_puts(out, " ");
        reg_metrics_escape(out, metric->help, false);
        reg_buf_puts(out, "\n# TYPE ");
        reg_buf_puts(out, metric->name);
        reg_buf_puts(out, " ");
        reg_buf_puts(out, types[metric->kind]);
        reg_buf_puts(out, "\n");

        if (metric->kind == REG_METRIC_OWN) {
            reg_metrics_owns(m, i, out);
        } else {
            reg_metrics_shared(m, i, out);
        }
    }
}
