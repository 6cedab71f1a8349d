#include "reg_tagfill.h"

#include <stdlib.h>

#include "reg_lists.h"
#include "reg_tagset.h"
#include "reg_thread.h"


#define REG_TAGFILL_LEASE   "3000"      /* ms from chunk to chunk */
#define REG_TAGFILL_CHUNK   250         /* names in one call */
#define REG_TAGFILL_WANTED  32          /* repositories that wait for it */
#define REG_TAGFILL_REST    10          /* times what it took … */
#define REG_TAGFILL_LONG    (60 * REG_CLOCK_SECOND)     /* … but no more */


struct reg_tagfill_s {
    reg_tagredis_t         *redis;
    reg_tagredis_script_t   lease;
    reg_tagredis_script_t   add;
    reg_tagredis_script_t   whole;

    reg_thread_t            thread;             /* its lock is over the rest */
    size_t                  nwanted;
    reg_name_t              wanted[REG_TAGFILL_WANTED];
};

/* One filling. */
typedef struct {
    reg_tagfill_t  *fill;
    int64_t         begin;
    uint64_t        server;                     /* 0: not known yet */
    char            key[REG_TAGSET_KEY];
    char            whole[REG_TAGSET_MARK];     /* "!FENCE ID" */
    char            lease[REG_TAGREDIS_RANDOM + 3];
} reg_tagfill_job_t;


/* KEYS the list; ARGV "!FENCE ", the lease, its ms.  1 if it is ours. */
static const char  reg_tagfill_lease_text[] =
    REG_TAGSET_LUA_MARK
    "m = not m.err and m[1] "
    "if m and redis.call('PTTL', KEYS[1]) > 0 "
    "and (m == '!w' or m == '!-' or string.sub(m, 1, 2) == '!?' "
    "or string.sub(m, 1, #ARGV[1]) == ARGV[1]) then return 0 end "
    "redis.call('UNLINK', KEYS[1]) "
    "redis.call('ZADD', KEYS[1], 0, ARGV[2]) "
    "redis.call('PEXPIRE', KEYS[1], ARGV[3]) "
    "return 1";

/* KEYS the list; ARGV the lease, its ms, lines of tags.  1 if it was ours.
 * What a writer has put there meanwhile stays, alone. */
static const char  reg_tagfill_add_text[] =
    "if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end "
    "for t in string.gmatch(ARGV[3], '[^\\n]+') do "
    "if redis.call('ZLEXCOUNT', KEYS[1], '[' .. t, '(' .. t .. '\\2') == 0 "
    "then "
    "redis.call('ZADD', KEYS[1], 0, t .. '\\1') end end "
    "redis.call('PEXPIRE', KEYS[1], ARGV[2]) "
    "return 1";

/* KEYS the list; ARGV the lease, the ms of the list, its mark.  1 if it was
 * ours. */
static const char  reg_tagfill_whole_text[] =
    "if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 0 end "
    "redis.call('ZADD', KEYS[1], 0, ARGV[3]) "
    "redis.call('PEXPIRE', KEYS[1], ARGV[2]) "
    "return 1";


/* ---- filling ------------------------------------------------------------- */


/* From the first call on it is about one server. */
static bool
reg_tagfill_bind(reg_tagfill_job_t *job, uint64_t server)
{
    char  fence[REG_TAGREDIS_FENCE];

    if (job->server == 0) {
        job->server = server;
        reg_tagredis_fence(fence, job->fill->redis->fence ^ server);
        (void) snprintf(job->whole, sizeof(job->whole), "!%s%s", fence,
                        job->lease + 2);                        /* fits */
    }

    return job->server == server;
}


/* Runs a script with three arguments.  True if it says that it has done so. */
static bool
reg_tagfill_do(reg_tagfill_job_t *job, const reg_tagredis_script_t *script,
    const reg_str_t args[3])
{
    bool                  done;
    reg_error_t           err = REG_ERROR_INIT;
    reg_tagredis_t       *redis = job->fill->redis;
    const int             ms = (int) (redis->config->redis_read
                                      + redis->config->redis_write);
    reg_redispool_link_t  link;

    reg_tagredis_call_t  call = {
        .script = script, .ms = ms,
        .command = { 7, { REG_STR_NULL, REG_STR_NULL, REG_STR("1"),
                          reg_str_from(job->key), args[0], args[1],
                          args[2] } },
    };

    if (!reg_tagredis_take(redis, &link, ms)) {
        return false;
    }

    /* else the lease is another server's */
    done = reg_tagfill_bind(job, link.server)
           && reg_tagredis_done(redis, &link, &call, &err) == 1;

    reg_redispool_give(redis->pool, &link, &err);

    return done;
}


/* Adds some of the names, from *at on. */
static bool
reg_tagfill_add(reg_tagfill_job_t *job, const reg_names_t *names, size_t *at,
    reg_buf_t *lines)
{
    reg_tag_t  tag;

    lines->len = 0;

    for (size_t n = 0; n < REG_TAGFILL_CHUNK && *at < names->n; (*at)++) {
        if (reg_tag_parse(&tag, names->list[*at]) == 0) {
            reg_buf_putstr(lines, reg_tag_str(&tag));
            reg_buf_puts(lines, "\n");
            n++;
        }
    }

    const reg_str_t  args[] = { reg_str_from(job->lease),
                                REG_STR(REG_TAGFILL_LEASE),
                                reg_buf_str(lines) };

    return lines->len == 0
           || (reg_buf_ok(lines)
               && reg_tagfill_do(job, &job->fill->add, args));
}


/* The end of L1: the list is whole, or will not be kept. */
static bool
reg_tagfill_end(reg_tagfill_job_t *job, reg_str_t mark)
{
    char     ms[24];
    int64_t  left = job->fill->redis->config->tags_ttl
                    - (reg_redispool_now() - job->begin) / REG_CLOCK_MS;

    (void) snprintf(ms, sizeof(ms), "%lld", (long long) left);

    const reg_str_t  args[] = { reg_str_from(job->lease), reg_str_from(ms),
                                mark };

    return left > 0 && reg_tagfill_do(job, &job->fill->whole, args);
}


static bool
reg_tagfill_put(reg_tagfill_job_t *job, const reg_names_t *names)
{
    bool       ours = true;
    size_t     at = 0;
    reg_buf_t  lines = REG_BUF_INIT;

    if ((int64_t) names->n > job->fill->redis->config->tags_list_max) {
        return reg_tagfill_end(job, REG_STR("!-"));
    }

    while (ours && at < names->n) {
        ours = !reg_thread_stops(&job->fill->thread)
               && reg_tagfill_add(job, names, &at, &lines);
    }

    reg_buf_free(&lines);

    return ours && reg_tagfill_end(job, reg_str_from(job->whole));
}


static void
reg_tagfill_run(reg_tagfill_t *fill, const reg_name_t *name)
{
    reg_list_t         list;
    reg_path_t         dir;
    reg_error_t        err = REG_ERROR_INIT;
    reg_tagfill_job_t  job = {
        .fill = fill, .begin = reg_redispool_now(), .lease = "!?",
    };

    const reg_str_t  args[] = { { 2 + REG_TAGREDIS_RANDOM, job.whole },
                                { sizeof(job.lease) - 1, job.lease },
                                REG_STR(REG_TAGFILL_LEASE) };

    reg_tagset_key(job.key, name);
    reg_layout_tags(&dir, &fill->redis->store->v2, name);

    if (!reg_tagredis_trusts(fill->redis, job.begin)
        || reg_tagredis_random(job.lease + 2) == -1
        || !reg_tagfill_do(&job, &fill->lease, args)
        || reg_lists_open(fill->redis->store->lists, &dir, REG_NAMES_TAGS,
                          &list, &err) == -1)
    {
        return;                          /* a lease ends by itself */
    }

    reg_tagredis_count(fill->redis, reg_tagfill_put(&job, list.names)
                                     ? REG_TAGCACHE_LIST_FILLED
                                     : REG_TAGCACHE_LIST_LATE);
    reg_list_close(&list);
}


/* ---- the thread ---------------------------------------------------------- */


/* Somebody else may have asked for the same. */
void
reg_tagfill_want(reg_tagfill_t *fill, const reg_name_t *name)
{
    size_t  i = 0;

    (void) pthread_mutex_lock(&fill->thread.lock);    /* fails for misuse */

    while (i < fill->nwanted
           && !reg_str_eq(reg_name_str(&fill->wanted[i]), reg_name_str(name)))
    {
        i++;
    }

    if (i == fill->nwanted && i < REG_TAGFILL_WANTED) {
        fill->wanted[fill->nwanted++] = *name;
        (void) pthread_cond_signal(&fill->thread.wake);
    }

    (void) pthread_mutex_unlock(&fill->thread.lock);
}


/* Waits until a list is wanted.  False at the end. */
static bool
reg_tagfill_next(reg_tagfill_t *fill, reg_name_t *name)
{
    bool           going;
    reg_thread_t  *thread = &fill->thread;

    (void) pthread_mutex_lock(&thread->lock);     /* fails for misuse only */

    while (!thread->stopping && fill->nwanted == 0) {
        (void) pthread_cond_wait(&thread->wake, &thread->lock);
    }

    going = !thread->stopping;

    if (going) {
        *name = fill->wanted[0];
        fill->nwanted--;
        memmove(fill->wanted, fill->wanted + 1,
                fill->nwanted * sizeof(*fill->wanted));
    }

    (void) pthread_mutex_unlock(&thread->lock);

    return going;
}


static void *
reg_tagfill_thread(void *data)
{
    int64_t         rest = 0;
    reg_name_t      name;
    reg_tagfill_t  *fill = data;

    while (!reg_thread_sleep(&fill->thread, rest)
           && reg_tagfill_next(fill, &name))
    {
        int64_t  begin = reg_clock_ns(CLOCK_MONOTONIC);

        reg_tagfill_run(fill, &name);
        rest = REG_TAGFILL_REST * (reg_clock_ns(CLOCK_MONOTONIC) - begin);
        rest = rest < REG_TAGFILL_LONG ? rest : REG_TAGFILL_LONG;
    }

    return NULL;
}


reg_tagfill_t *
reg_tagfill_create(reg_tagredis_t *redis, reg_error_t *err)
{
    reg_tagfill_t  *fill = calloc(1, sizeof(*fill));

    if (fill == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    fill->redis = redis;
    reg_tagredis_script(&fill->lease, reg_tagfill_lease_text);
    reg_tagredis_script(&fill->add, reg_tagfill_add_text);
    reg_tagredis_script(&fill->whole, reg_tagfill_whole_text);

    if (reg_thread_start(&fill->thread, reg_tagfill_thread, fill, "redis", err)
        == -1)
    {
        free(fill);
        return NULL;
    }

    return fill;
}


void
reg_tagfill_free(reg_tagfill_t *fill)
{
    if (fill != NULL) {
        reg_thread_stop(&fill->thread);
        free(fill);
    }
}
