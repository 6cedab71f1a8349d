/* reg_metrics: the text that Prometheus reads, and counts that outlive the
 * processes that made them. */

#include "reg_metrics.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>


#define ROWS  3

enum { PLAIN, SPARSE, GAUGE, OWN, TIMES, BYTES, METRICS };

static const char *const  codes[] = { "2xx", "4xx" };
static const char *const  odd[] = { "a \"b\"\\", "two\nlines", "\xc3\xa9" };

/* in millionths */
static const int64_t  limits[] = { 1, 1500, 1000000, 10000000, 0 };
static const int64_t  sizes[] = { 10, 20, 0 };

static const char *
word(size_t i)
{
    return i == 0 ? "no" : "yes";
}

static const reg_metric_t  table[] = {
    [PLAIN] = { "t_plain_total", REG_METRIC_COUNTER, .help = "Plain." },
    [SPARSE] = { "t_sparse_total", REG_METRIC_SPARSE,
                 .help = "A \"help\" \\ of\ntwo lines.",
                 .labels = { { "odd", 3, odd, NULL },
                             { "code", 2, codes, NULL },
                             { "sure", 2, NULL, word } } },
    [GAUGE] = { "t_gauge", REG_METRIC_GAUGE, .help = "Gauge.",
                .labels = { { "code", 2, codes, NULL } } },
    [OWN] = { "t_own", REG_METRIC_OWN, .help = "Own.",
              .labels = { { "code", 2, codes, NULL } } },
    [TIMES] = { "t_seconds", REG_METRIC_HISTOGRAM, .help = "Times.",
                .micro = true, .limits = limits,
                .labels = { { "code", 2, codes, NULL } } },
    [BYTES] = { "t_bytes", REG_METRIC_HISTOGRAM, .help = "Sizes.",
                .limits = sizes },
};

static reg_metrics_t  *m;


static int
make(void **state)
{
    reg_error_t  err = REG_ERROR_INIT;

    (void) state;
    m = reg_metrics_create(table, METRICS, ROWS, &err);

    return m != NULL ? 0 : -1;
}


static int
unmake(void **state)
{
    (void) state;
    reg_metrics_free(m);

    return 0;
}


/* All lines of one metric. */
static void
expect(size_t metric, const char *lines)
{
    static const char *const  heads[METRICS] = {
        "# HELP t_plain_total Plain.\n# TYPE t_plain_total counter\n",
        ("# HELP t_sparse_total A \"help\" \\\\ of\\ntwo lines.\n"
         "# TYPE t_sparse_total counter\n"),
        "# HELP t_gauge Gauge.\n# TYPE t_gauge gauge\n",
        "# HELP t_own Own.\n# TYPE t_own gauge\n",
        "# HELP t_seconds Times.\n# TYPE t_seconds histogram\n",
        "# HELP t_bytes Sizes.\n# TYPE t_bytes histogram\n",
    };

    const char  *at, *end;
    reg_buf_t    out = REG_BUF_INIT, got = REG_BUF_INIT;

    reg_metrics_format(m, &out);
    reg_buf_put(&out, "", 1);
    assert_true(reg_buf_ok(&out));

    at = strstr(out.data, heads[metric]);
    assert_non_null(at);
    at += strlen(heads[metric]);
    end = strstr(at, "# HELP");
    reg_buf_put(&got, at, end != NULL ? (size_t) (end - at) : strlen(at));
    reg_buf_put(&got, "", 1);
    assert_string_equal(got.data, lines);

    reg_buf_free(&out);
    reg_buf_free(&got);
}


static size_t
series(size_t metric, size_t a, size_t b, size_t c)
{
    const size_t  words[REG_METRIC_LABELS] = { a, b, c };

    return reg_metrics_series(m, metric, words);
}


/* ---- text ---------------------------------------------------------------- */


static void
nothing_counted_is_zero_or_not_there(void **state)
{
    (void) state;

    expect(PLAIN, "t_plain_total 0\n");
    expect(SPARSE, "");
    expect(GAUGE, "");
    expect(OWN, "");
    expect(TIMES, "");
    expect(BYTES, "");
}


static void
counts_add_up(void **state)
{
    (void) state;

    reg_metrics_add(m, PLAIN, 0, 1);
    reg_metrics_add(m, PLAIN, 0, 41);
    expect(PLAIN, "t_plain_total 42\n");

    reg_metrics_add(m, PLAIN, 0, INT64_MAX - 42);
    expect(PLAIN, "t_plain_total 9223372036854775807\n");
}


static void
words_of_labels_are_escaped(void **state)
{
    (void) state;

    reg_metrics_add(m, SPARSE, series(SPARSE, 0, 0, 0), 1);
    reg_metrics_add(m, SPARSE, series(SPARSE, 1, 1, 0), 2);
    reg_metrics_add(m, SPARSE, series(SPARSE, 2, 0, 1), 3);

    expect(SPARSE,
           "t_sparse_total{odd=\"a \\\"b\\\"\\\\\",code=\"2xx\",sure=\"no\"}"
           " 1\n"
           "t_sparse_total{odd=\"two\\nlines\",code=\"4xx\",sure=\"no\"} 2\n"
           "t_sparse_total{odd=\"\xc3\xa9\",code=\"2xx\",sure=\"yes\"} 3\n");
}


static void
each_combination_of_words_is_a_series_of_its_own(void **state)
{
    bool    seen[12] = { false };
    size_t  n;

    (void) state;

    for (size_t i = 0; i < 12; i++) {
        n = series(SPARSE, i / 4, i / 2 % 2, i % 2);
        assert_true(n < 12);
        assert_false(seen[n]);
        seen[n] = true;
    }

    assert_int_equal(reg_metrics_series(m, PLAIN, (size_t [3]) { 7, 7, 7 }),
                     0);
}


static void
gauges_show_what_was_set_last(void **state)
{
    (void) state;

    reg_metrics_set(m, GAUGE, 1, 0);
    expect(GAUGE, "t_gauge{code=\"4xx\"} 0\n");

    reg_metrics_set(m, GAUGE, 0, 7);
    reg_metrics_add(m, GAUGE, 0, -9);
    expect(GAUGE, "t_gauge{code=\"2xx\"} -2\nt_gauge{code=\"4xx\"} 0\n");
}


static void
histograms_count_up_to_and_with_each_limit(void **state)
{
    (void) state;

    reg_metrics_observe(m, TIMES, 1, 0);
    reg_metrics_observe(m, TIMES, 1, 1);
    reg_metrics_observe(m, TIMES, 1, 2);
    reg_metrics_observe(m, TIMES, 1, 1000000);
    reg_metrics_observe(m, TIMES, 1, 10000001);

    expect(TIMES,
           "t_seconds_bucket{code=\"4xx\",le=\"0.000001\"} 2\n"
           "t_seconds_bucket{code=\"4xx\",le=\"0.0015\"} 3\n"
           "t_seconds_bucket{code=\"4xx\",le=\"1\"} 4\n"
           "t_seconds_bucket{code=\"4xx\",le=\"10\"} 4\n"
           "t_seconds_bucket{code=\"4xx\",le=\"+Inf\"} 5\n"
           "t_seconds_sum{code=\"4xx\"} 11.000004\n"
           "t_seconds_count{code=\"4xx\"} 5\n");

    reg_metrics_observe(m, BYTES, 0, 20);

    expect(BYTES,
           "t_bytes_bucket{le=\"10\"} 0\n"
           "t_bytes_bucket{le=\"20\"} 1\n"
           "t_bytes_bucket{le=\"+Inf\"} 1\n"
           "t_bytes_sum 20\n"
           "t_bytes_count 1\n");
}


/* ---- processes ----------------------------------------------------------- */


static void
own_gauges_come_and_go_with_their_process(void **state)
{
    (void) state;

    reg_metrics_enter(m, 2);
    expect(OWN, "");

    reg_metrics_set(m, OWN, 0, 5);
    expect(OWN, "t_own{code=\"2xx\",process=\"2\"} 5\n");
    assert_int_equal(reg_metrics_pid(m, 2), getpid());
    assert_int_equal(reg_metrics_pid(m, 1), 0);
    assert_int_equal(reg_metrics_pid(m, ROWS), -1);

    reg_metrics_leave(m, 2);
    expect(OWN, "");

    /* the next one in its place does not show what it left */
    reg_metrics_enter(m, 2);
    expect(OWN, "");

    reg_metrics_set_of(m, 2, OWN, 6);
    expect(OWN, "t_own{code=\"2xx\",process=\"2\"} 6\n");
}


#define ADDS  100000

static void *
adder(void *data)
{
    (void) data;

    for (int i = 0; i < ADDS; i++) {
        reg_metrics_add(m, PLAIN, 0, 1);
        reg_metrics_observe(m, BYTES, 0, 1);
    }

    return NULL;
}


static void
start(pid_t *pid, size_t row, int ready)
{
    pthread_t  thread;

    *pid = fork();
    assert_int_not_equal(*pid, -1);

    if (*pid != 0) {
        return;
    }

    reg_metrics_enter(m, row);
    reg_metrics_set(m, OWN, 1, (int64_t) row);

    if (pthread_create(&thread, NULL, adder, NULL) != 0) {
        _exit(1);
    }

    (void) adder(NULL);
    (void) pthread_join(thread, NULL);

    if (write(ready, "", 1) != 1) {
        _exit(1);
    }

    for ( ;; ) {
        (void) pause();
    }
}


static void
counts_are_the_sum_of_all_processes_and_outlive_them(void **state)
{
    pid_t  pids[ROWS];
    int    ready[2], status;
    char   byte;

    (void) state;

    assert_int_equal(pipe(ready), 0);

    for (size_t i = 0; i < ROWS; i++) {
        start(&pids[i], i, ready[1]);
    }

    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(read(ready[0], &byte, 1), 1);
    }

    expect(PLAIN, "t_plain_total 600000\n");
    expect(OWN, "t_own{code=\"4xx\",process=\"0\"} 0\n"
                "t_own{code=\"4xx\",process=\"1\"} 1\n"
                "t_own{code=\"4xx\",process=\"2\"} 2\n");

    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(kill(pids[i], SIGKILL), 0);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_true(WIFSIGNALED(status));
        reg_metrics_leave(m, i);
    }

    expect(OWN, "");
    expect(PLAIN, "t_plain_total 600000\n");
    expect(BYTES,
           "t_bytes_bucket{le=\"10\"} 600000\n"
           "t_bytes_bucket{le=\"20\"} 600000\n"
           "t_bytes_bucket{le=\"+Inf\"} 600000\n"
           "t_bytes_sum 600000\n"
           "t_bytes_count 600000\n");

    (void) close(ready[0]);
    (void) close(ready[1]);
}


static void
without_memory_there_are_none(void **state)
{
    reg_error_t     err = REG_ERROR_INIT;
    reg_metrics_t  *none;

    (void) state;

    /* more than there are addresses */
    none = reg_metrics_create(table, METRICS, SIZE_MAX / 64, &err);
    assert_null(none);
    assert_int_equal(err.code, REG_UNKNOWN);
    assert_int_equal(err.sys, ENOMEM);
    reg_metrics_free(none);
}


#define TEST(f)  cmocka_unit_test_setup_teardown(f, make, unmake)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(nothing_counted_is_zero_or_not_there),
        TEST(counts_add_up),
        TEST(words_of_labels_are_escaped),
        TEST(each_combination_of_words_is_a_series_of_its_own),
        TEST(gauges_show_what_was_set_last),
        TEST(histograms_count_up_to_and_with_each_limit),
        TEST(own_gauges_come_and_go_with_their_process),
        TEST(counts_are_the_sum_of_all_processes_and_outlive_them),
        TEST(without_memory_there_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
