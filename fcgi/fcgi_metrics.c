#include "fcgi_metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include "reg_lists.h"
#include "reg_redismaster.h"


/* an answer as long as this fits the usual number of processes */
#define FCGI_METRICS_TEXT  (32 * 1024)


static const char *const  fcgi_metrics_versions[] = { REG_VERSION };

/* Distribution's names, as far as it has them; then ours. */
static const char *const  fcgi_metrics_handlers[] = {
    [REG_TARGET_BASE] = "base",
    [REG_TARGET_CATALOG] = "catalog",
    [REG_TARGET_TOKEN] = "token",
    [REG_TARGET_KEYS] = "keys",
    [REG_TARGET_HEALTH] = "health",
    [REG_TARGET_TAGS] = "tags",
    [REG_TARGET_MANIFEST] = "manifest",
    [REG_TARGET_BLOB] = "blob",
    [REG_TARGET_UPLOADS] = "blob_upload",
    [REG_TARGET_UPLOAD] = "blob_upload_chunk",
    [REG_TARGET_REFERRERS] = "referrers",
    [REG_TARGETS] = "none",
    "decision",
    "metrics",
};

#define FCGI_METRICS_DECISION  (REG_TARGETS + 1)
#define FCGI_METRICS_METRICS   (REG_TARGETS + 2)

static const char *const  fcgi_metrics_methods[] = {
    [FCGI_METHOD_GET] = "get",
    [FCGI_METHOD_HEAD] = "head",
    [FCGI_METHOD_POST] = "post",
    [FCGI_METHOD_PUT] = "put",
    [FCGI_METHOD_PATCH] = "patch",
    [FCGI_METHOD_DELETE] = "delete",
    [FCGI_METHOD_OPTIONS] = "options",
    [FCGI_METHOD_OTHER] = "other",
};

/* from 200 on */
static const char *const  fcgi_metrics_codes[] = { "2xx", "3xx", "4xx", "5xx" };

static const char *const  fcgi_metrics_directions[] = {
    [FCGI_METRICS_IN] = "in",
    [FCGI_METRICS_OUT] = "out",
};

static const char *const  fcgi_metrics_hits[] = {
    [FCGI_METRICS_HIT] = "hit",
    [FCGI_METRICS_MISS] = "miss",
};

enum { FCGI_METRICS_NOBODY, FCGI_METRICS_PASSWORD, FCGI_METRICS_TOKEN };

static const char *const  fcgi_metrics_credentials[] = {
    [FCGI_METRICS_NOBODY] = "none",
    [FCGI_METRICS_PASSWORD] = "password",
    [FCGI_METRICS_TOKEN] = "token",
};

static const char *const  fcgi_metrics_verdicts[] = {
    [REG_ACCESS_ALLOWED] = "allowed",
    [REG_ACCESS_LOGIN] = "login",
    [REG_ACCESS_WRONG] = "wrong",
    [REG_ACCESS_SHORT] = "short",
    [REG_ACCESS_DENIED] = "denied",
    [REG_ACCESS_SLOW] = "slowed",
};

static const char *const  fcgi_metrics_tokens[] = {
    [FCGI_METRICS_ACCESS_TOKEN] = "access",
    [FCGI_METRICS_REFRESH_TOKEN] = "refresh",
};

static const char *const  fcgi_metrics_states[] = {
    [FCGI_METRICS_TO_UP] = "up",
    [FCGI_METRICS_TO_DOWN] = "down",
};

static const char *const  fcgi_metrics_results[] = {
    [FCGI_METRICS_DONE] = "done",
    [FCGI_METRICS_FAILED] = "failed",
};

/* microseconds: a tag from memory takes tens of them, a password a second */
static const int64_t  fcgi_metrics_limits[] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 100000, 500000, 2500000,
    10000000, 0
};


static const char *
fcgi_metrics_tag(size_t i)
{
    return reg_tagcache_count_name((reg_tagcache_count_t) i);
}


#define LABEL(name, words)                                                    \
    { (name), sizeof(words) / sizeof((words)[0]), (words), NULL }

static const reg_metric_t  fcgi_metrics_table[] = {

    [FCGI_METRICS_BUILD] = {
        "registry_build_info", REG_METRIC_GAUGE,
        .help = "The version that runs.",
        .labels = { LABEL("version", fcgi_metrics_versions) } },
    [FCGI_METRICS_START] = {
        "registry_start_time_seconds", REG_METRIC_GAUGE,
        .help = "When the worker started, and its counts began." },
    [FCGI_METRICS_DEATHS] = {
        "registry_process_deaths_total", REG_METRIC_COUNTER,
        .help = "Processes that ended although nobody had asked for it." },

    [FCGI_METRICS_REQUESTS] = {
        "registry_http_requests_total", REG_METRIC_SPARSE,
        .help = "Requests that the worker answered.",
        .labels = { LABEL("handler", fcgi_metrics_handlers),
                    LABEL("method", fcgi_metrics_methods),
                    LABEL("code", fcgi_metrics_codes) } },
    [FCGI_METRICS_DURATION] = {
        "registry_http_request_duration_seconds", REG_METRIC_HISTOGRAM,
        .help = "From when a request was read to the end of its answer.",
        .micro = true, .limits = fcgi_metrics_limits,
        .labels = { LABEL("handler", fcgi_metrics_handlers) } },
    [FCGI_METRICS_MANIFEST_BYTES] = {
        "registry_manifest_bytes_total", REG_METRIC_COUNTER,
        .help = "Bytes of manifests, from clients and to them.",
        .labels = { LABEL("direction", fcgi_metrics_directions) } },
    [FCGI_METRICS_MANIFEST_CACHE] = {
        "registry_manifest_cache_total", REG_METRIC_COUNTER,
        .help = "Manifests that were in memory, or had to be read.",
        .labels = { LABEL("result", fcgi_metrics_hits) } },

    [FCGI_METRICS_ACCESS] = {
        "registry_access_total", REG_METRIC_SPARSE,
        .help = "Decisions on who may come in, by what was shown.",
        .labels = { LABEL("credentials", fcgi_metrics_credentials),
                    LABEL("result", fcgi_metrics_verdicts) } },
    [FCGI_METRICS_TOKENS] = {
        "registry_tokens_issued_total", REG_METRIC_COUNTER,
        .help = "Tokens of our own that were given to somebody.",
        .labels = { LABEL("kind", fcgi_metrics_tokens) } },

    [FCGI_METRICS_TAGS] = {
        "registry_tag_events_total", REG_METRIC_COUNTER,
        .help = "Where tags were found, and what became of them in Redis.",
        .labels = { { "event", REG_TAGCACHE_COUNTS, NULL,
                      fcgi_metrics_tag } } },
    [FCGI_METRICS_REDIS_CHANGES] = {
        "registry_redis_changes_total", REG_METRIC_COUNTER,
        .help = "How often a process began to use Redis, or gave it up.",
        .labels = { LABEL("to", fcgi_metrics_states) } },

    [FCGI_METRICS_LIST_OPENED] = {
        "registry_list_opens_total", REG_METRIC_COUNTER,
        .help = "Directories whose names were asked for." },
    [FCGI_METRICS_LIST_READ] = {
        "registry_list_reads_total", REG_METRIC_COUNTER,
        .help = "Directories whose names were read: none were kept, or it had"
                " changed." },
    [FCGI_METRICS_LIST_UPDATED] = {
        "registry_list_updates_total", REG_METRIC_COUNTER,
        .help = "Directories whose names were put right by what the kernel"
                " told of their changes." },
    [FCGI_METRICS_WALKS] = {
        "registry_catalog_walks_total", REG_METRIC_COUNTER,
        .help = "Walks through the tree, for the catalog.",
        .labels = { LABEL("result", fcgi_metrics_results) } },
    [FCGI_METRICS_WALK_DURATION] = {
        "registry_catalog_walk_duration_seconds", REG_METRIC_GAUGE,
        .help = "How long the last of them took, with its rests.",
        .micro = true },
    [FCGI_METRICS_CATALOG_AGE] = {
        "registry_catalog_age_seconds", REG_METRIC_GAUGE,
        .help = "Since the last complete walk began, of whatever host." },
    [FCGI_METRICS_PURGES] = {
        "registry_purge_rounds_total", REG_METRIC_COUNTER,
        .help = "Searches for uploads that nobody finishes." },
    [FCGI_METRICS_PURGED] = {
        "registry_purge_uploads_total", REG_METRIC_COUNTER,
        .help = "Uploads that were removed, or could not be.",
        .labels = { LABEL("result", fcgi_metrics_results) } },
    [FCGI_METRICS_PURGED_BYTES] = {
        "registry_purge_bytes_total", REG_METRIC_COUNTER,
        .help = "Bytes that these had." },

    [FCGI_METRICS_PROCESS_START] = {
        "registry_process_start_time_seconds", REG_METRIC_OWN,
        .help = "When the process started." },
    [FCGI_METRICS_PROCESS_MEMORY] = {
        "registry_process_resident_memory_bytes", REG_METRIC_OWN,
        .help = "Its memory." },
    [FCGI_METRICS_THREADS] = {
        "registry_threads", REG_METRIC_OWN,
        .help = "Threads that answer requests." },
    [FCGI_METRICS_THREADS_BUSY] = {
        "registry_threads_busy", REG_METRIC_OWN,
        .help = "Those that do; with all of them, requests wait." },
    [FCGI_METRICS_CONNECTIONS] = {
        "registry_connections", REG_METRIC_OWN,
        .help = "Connections of nginx, idle ones too." },
    [FCGI_METRICS_LIST_BYTES] = {
        "registry_list_cache_bytes", REG_METRIC_OWN,
        .help = "Memory for names of tags and repositories." },
    [FCGI_METRICS_REDIS_UP] = {
        "registry_redis_up", REG_METRIC_OWN,
        .help = "1 while Redis is used." },
    [FCGI_METRICS_REDIS_FOLLOWS] = {
        "registry_redis_follows", REG_METRIC_OWN,
        .help = "1 while Redis tells of changes: tags are kept in memory." },
};

_Static_assert(FCGI_METRICS <= REG_METRICS_MAX, "there is room for each");


/* ---- counting ------------------------------------------------------------ */


reg_metrics_t *
fcgi_metrics_create(size_t processes, reg_error_t *err)
{
    reg_metrics_t  *metrics = reg_metrics_create(fcgi_metrics_table,
                                                 FCGI_METRICS, processes, err);

    if (metrics != NULL) {
        reg_metrics_set(metrics, FCGI_METRICS_BUILD, 0, 1);
        reg_metrics_set(metrics, FCGI_METRICS_START, 0, time(NULL));
    }

    return metrics;
}


void
fcgi_metrics_enter(reg_metrics_t *metrics, size_t process,
    const reg_config_t *config)
{
    reg_metrics_enter(metrics, process);
    reg_metrics_set(metrics, FCGI_METRICS_PROCESS_START, 0, time(NULL));
    reg_metrics_set(metrics, FCGI_METRICS_THREADS, 0, config->threads);
    reg_metrics_set(metrics, FCGI_METRICS_THREADS_BUSY, 0, 0);
    reg_metrics_set(metrics, FCGI_METRICS_CONNECTIONS, 0, 0);
    reg_metrics_set(metrics, FCGI_METRICS_LIST_BYTES, 0, 0);

    if (reg_redismaster_is_wanted(config)) {
        reg_metrics_set(metrics, FCGI_METRICS_REDIS_UP, 0, 0);
        reg_metrics_set(metrics, FCGI_METRICS_REDIS_FOLLOWS, 0, 0);
    }
}


/* The word for where a request went. */
static size_t
fcgi_metrics_handler(const fcgi_service_t *service, const fcgi_request_t *r)
{
    return fcgi_request_is_question(r) ? FCGI_METRICS_DECISION
           : fcgi_metrics_asked(service, r) ? FCGI_METRICS_METRICS
           : (size_t) r->target.kind;
}


/* A list was asked for: whoever keeps them has counted. */
static void
fcgi_metrics_lists(const fcgi_service_t *service)
{
    reg_lists_count_t  news;

    reg_lists_take_count(service->store->lists, &news);
    reg_metrics_add(service->metrics, FCGI_METRICS_LIST_OPENED, 0,
                    news.opened);
    reg_metrics_add(service->metrics, FCGI_METRICS_LIST_READ, 0, news.read);
    reg_metrics_add(service->metrics, FCGI_METRICS_LIST_UPDATED, 0,
                    news.updated);
    reg_metrics_set(service->metrics, FCGI_METRICS_LIST_BYTES, 0, news.bytes);
}


void
fcgi_metrics_request(const fcgi_service_t *service, const fcgi_request_t *r,
    const fcgi_reply_t *reply, int64_t usec)
{
    reg_metrics_t  *metrics = service->metrics;
    size_t          handler = fcgi_metrics_handler(service, r);
    size_t          words[REG_METRIC_LABELS] = {
        handler, (size_t) r->method, (size_t) reply->status / 100 - 2
    };

    reg_metrics_add(metrics, FCGI_METRICS_REQUESTS,
                    reg_metrics_series(metrics, FCGI_METRICS_REQUESTS, words),
                    1);
    reg_metrics_observe(metrics, FCGI_METRICS_DURATION, handler, usec);

    if (handler == REG_TARGET_MANIFEST && reply->entry != NULL
        && r->method == FCGI_METHOD_GET)
    {
        reg_metrics_add(metrics, FCGI_METRICS_MANIFEST_BYTES,
                        FCGI_METRICS_OUT, (int64_t) fcgi_reply_length(reply));
    }

    if (handler == REG_TARGET_TAGS || handler == REG_TARGET_CATALOG) {
        fcgi_metrics_lists(service);
    }
}


void
fcgi_metrics_access(const fcgi_service_t *service, const fcgi_request_t *r,
    const reg_access_verdict_t *verdict)
{
    bool    form = r->target.kind == REG_TARGET_TOKEN
                   && r->method == FCGI_METHOD_POST;
    size_t  words[REG_METRIC_LABELS] = {
        verdict->bearer ? FCGI_METRICS_TOKEN
        : form || r->authorization.len > 0 ? FCGI_METRICS_PASSWORD
                                           : FCGI_METRICS_NOBODY,
        (size_t) verdict->result
    };

    reg_metrics_add(service->metrics, FCGI_METRICS_ACCESS,
                    reg_metrics_series(service->metrics, FCGI_METRICS_ACCESS,
                                       words), 1);
}


void
fcgi_metrics_redis(reg_metrics_t *metrics, bool up, bool follows)
{
    reg_metrics_add(metrics, FCGI_METRICS_REDIS_CHANGES,
                    up ? FCGI_METRICS_TO_UP : FCGI_METRICS_TO_DOWN, 1);
    reg_metrics_set(metrics, FCGI_METRICS_REDIS_FOLLOWS, 0, follows);
    reg_metrics_set(metrics, FCGI_METRICS_REDIS_UP, 0, up);
}


/* ---- the answer ---------------------------------------------------------- */


bool
fcgi_metrics_asked(const fcgi_service_t *service, const fcgi_request_t *r)
{
    return service->config->metrics && r->root.len == 0
           && (r->method == FCGI_METHOD_GET || r->method == FCGI_METHOD_HEAD)
           && reg_str_eq(r->uri, reg_str_from(service->config->metrics_path));
}


/* The second number of statm are pages in memory; -1 if nobody is there. */
static int64_t
fcgi_metrics_memory(pid_t pid)
{
    char     text[64], *end;
    int64_t  pages = -1;
    ssize_t  n;
    int      fd;

    (void) snprintf(text, sizeof(text), "/proc/%d/statm", (int) pid);
    fd = open(text, O_RDONLY | O_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    n = read(fd, text, sizeof(text) - 1);
    (void) close(fd);                            /* was only read */

    if (n > 0) {
        text[n] = '\0';
        (void) strtoll(text, &end, 10);
        pages = strtoll(end, NULL, 10);
    }

    return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}


/* What is not counted, but looked at. */
static void
fcgi_metrics_look(const fcgi_service_t *service)
{
    reg_metrics_t  *metrics = service->metrics;
    int64_t         age = reg_catalog_age(service->catalog, time(NULL));
    pid_t           pid;

    if (age >= 0) {
        reg_metrics_set(metrics, FCGI_METRICS_CATALOG_AGE, 0, age);
    }

    for (size_t i = 0; (pid = reg_metrics_pid(metrics, i)) != -1; i++) {
        int64_t  bytes = pid != 0 ? fcgi_metrics_memory(pid) : -1;

        if (bytes >= 0) {
            reg_metrics_set_of(metrics, i, FCGI_METRICS_PROCESS_MEMORY, bytes);
        }
    }
}


void
fcgi_metrics_get(const fcgi_service_t *service, fcgi_reply_t *reply)
{
    fcgi_metrics_look(service);

    fcgi_reply_begin(reply, 200);
    fcgi_reply_header(reply, "Content-Type",
                      REG_STR("text/plain; version=0.0.4; charset=utf-8"));
    fcgi_reply_header(reply, "Cache-Control", REG_STR("no-store"));
    (void) reg_buf_reserve(&reply->body, FCGI_METRICS_TEXT);
    reg_metrics_format(service->metrics, &reply->body);
}
