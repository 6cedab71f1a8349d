#include "reg_taglist.h"

#include <errno.h>
#include <stdlib.h>

#include "reg_tag.h"
#include "reg_tagfill.h"
#include "reg_tagset.h"


#define REG_TAGLIST_STEP  256           /* members in one reply */
#define REG_TAGLIST_UNIT  64            /* so many tags cost what a call does */


struct reg_taglist_s {
    reg_tagredis_t         *redis;
    reg_tagfill_t          *fill;
    reg_tagredis_script_t   look;
    reg_tagredis_script_t   found;
    reg_tagredis_means_t    means;              /* ns for each unit */
};

/* One page, from step to step. */
typedef struct {
    reg_taglist_t             *lists;
    const reg_name_t          *name;
    const reg_taglist_page_t  *page;
    char                       key[REG_TAGSET_KEY];
    reg_tag_t                  last;            /* that was seen, or none */
    int64_t                    shown;
    bool                       full;
    int64_t                    ns;              /* that Redis took */

    /* of the last step */
    size_t                     asked;
    size_t                     n;
    bool                       odd;
    char                       mark[REG_TAGSET_MARK];
    reg_tag_t                  before;          /* that was received, or last */
    reg_buf_t                  members;         /* each with a line end */
    reg_buf_t                  found;           /* the same after + or - */
} reg_taglist_walk_t;


/* KEYS the list; ARGV "!FENCE ", from where, how many.  The mark and what
 * follows; 0 if it is filled or written; nothing if it may be filled.  Where
 * the last one has another score, the order is not that of the names. */
static const char  reg_taglist_look_text[] =
    REG_TAGSET_LUA_MARK
    "if m.err then return m end "
    "m = m[1] "
    "if not m or redis.call('PTTL', KEYS[1]) < 0 then return false end "
    "if string.sub(m, 1, #ARGV[1]) ~= ARGV[1] then "
    "if m == '!w' or m == '!-' or string.sub(m, 1, 2) == '!?' then return 0 "
    "end return false end "
    "if redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] ~= '0' then "
    "return redis.error_reply('WRONGTYPE of score') end "
    "local r = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[2], '+', 'LIMIT', 0,"
    " ARGV[3]) "
    "table.insert(r, 1, m) "
    "return r";

/* KEYS the list; ARGV its mark, lines of members after + or -. */
static const char  reg_taglist_found_text[] =
    "if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end "
    "for s, m in string.gmatch(ARGV[2], '([+-])([^\\n]+)\\n') do "
    "if redis.call('ZREM', KEYS[1], m) == 1 and s == '+' then "
    "redis.call('ZADD', KEYS[1], 0, string.match(m, '^[^\\1]+')) end end "
    "return 1";


/* ---- a step -------------------------------------------------------------- */


/* A member of the reply, of which the first is the mark. */
static void
reg_taglist_member(void *ctx, reg_str_t member)
{
    uint64_t             fence;
    reg_tag_t            tag;
    reg_taglist_walk_t  *walk = ctx;

    if (walk->mark[0] == '\0') {
        walk->odd = reg_tagset_mark_parse(member, &fence) != 1
                    || reg_str_copy(walk->mark, sizeof(walk->mark), member)
                       == -1;
        return;
    }

    if (walk->odd || walk->n == walk->asked
        || reg_tagset_member_parse(member, &tag) == -1
        || reg_str_compare(reg_tag_str(&tag), reg_tag_str(&walk->before))
           <= 0)
    {
        walk->odd = true;
        return;
    }

    walk->before = tag;
    reg_buf_putstr(&walk->members, member);
    reg_buf_puts(&walk->members, "\n");
    walk->n++;
}


/* 1 if the members are a step of the list; 0 if there is none; -1 for one that
 * is not ours. */
static int
reg_taglist_answer(reg_taglist_walk_t *walk, const reg_redis_reply_t *reply)
{
    if (reply->kind == REG_REDIS_LIST && walk->mark[0] != '\0' && !walk->odd) {
        return reg_buf_ok(&walk->members) ? 1 : 0;
    }

    if (reply->kind == REG_REDIS_REFUSED
        && !reg_redis_refused(reply, "WRONGTYPE"))
    {
        reg_tagredis_refused(walk->lists->redis, reply);
        return 0;
    }

    return reply->kind == REG_REDIS_NIL || reply->kind == REG_REDIS_NUMBER
           ? 0 : -1;
}


static int
reg_taglist_ask(reg_taglist_walk_t *walk, const reg_redispool_link_t *link,
    reg_error_t *err)
{
    int                 rc;
    char                fence[REG_TAGREDIS_FENCE + 1], count[24];
    char                from[REG_TAG_MAX + 4];
    reg_tagredis_t     *redis = walk->lists->redis;
    reg_redis_reply_t   reply;

    fence[0] = '!';
    reg_tagredis_fence(fence + 1, redis->fence ^ link->server);
    (void) snprintf(count, sizeof(count), "%zu", walk->asked);

    /* after what may be the last tag, or after the mark */
    (void) snprintf(from, sizeof(from), "(%s%c", walk->last.text,
                    walk->last.len > 0 ? REG_TAGSET_ASKS + 1 : '"');

    reg_tagredis_call_t  call = {
        .script = &walk->lists->look, .ms = (int) redis->config->tags_timeout,
        .command = { 7, { REG_STR_NULL, REG_STR_NULL, REG_STR("1"),
                          reg_str_from(walk->key), reg_str_from(fence),
                          reg_str_from(from), reg_str_from(count) } },
        .item = { reg_taglist_member, walk },
    };

    if (reg_tagredis_run(link, &call, &reply, err) == -1) {
        reg_tagredis_count(redis, REG_TAGCACHE_FAILED);
        return 0;
    }

    rc = reg_taglist_answer(walk, &reply);

    if (rc == -1) {
        reg_tagredis_odd(redis, link, reg_str_from(walk->key), err);
    }

    if (rc == 0 && reply.kind == REG_REDIS_NIL) {
        reg_tagfill_want(walk->lists->fill, walk->name);
    }

    return rc;
}


/* The members of the next step.  False if there are none to be had. */
static bool
reg_taglist_fetch(reg_taglist_walk_t *walk)
{
    int                   rc;
    int64_t               left = walk->page->max + 1 - walk->shown;
    int64_t               begin = reg_redispool_now();
    reg_error_t           err = REG_ERROR_INIT;
    reg_redispool_link_t  link;

    walk->asked = left < REG_TAGLIST_STEP ? (size_t) left : REG_TAGLIST_STEP;
    walk->n = 0;
    walk->odd = false;
    walk->before = walk->last;
    walk->mark[0] = '\0';
    walk->members.len = walk->found.len = 0;

    if (!reg_tagredis_trusts(walk->lists->redis, begin)
        || !reg_tagredis_take(walk->lists->redis, &link, 0))
    {
        return false;
    }

    rc = reg_taglist_ask(walk, &link, &err);
    reg_redispool_give(walk->lists->redis->pool, &link, &err);
    walk->ns += reg_redispool_now() - begin;

    return rc == 1;
}


/* ---- a page -------------------------------------------------------------- */


static int
reg_taglist_show(void *ctx, reg_str_t tag)
{
    int                  rc;
    reg_taglist_walk_t  *walk = ctx;

    rc = walk->page->item(walk->page->ctx, tag);
    walk->shown += rc == 0;

    return rc;
}


/* Whether it is a tag, by its link; that goes into the list, if the member is
 * not of a write that goes on, and if the disk was clear. */
static bool
reg_taglist_look(reg_taglist_walk_t *walk, reg_str_t member,
    const reg_tag_t *tag)
{
    reg_digest_t  d;
    reg_error_t   err = REG_ERROR_INIT;
    bool          is = reg_tag_read(walk->lists->redis->store, walk->name, tag,
                                    &d, &err) == 0;

    if (member.data[member.len - 1] != '!'
        && (is || err.sys == ENOENT || err.sys == ENOTDIR))
    {
        reg_buf_puts(&walk->found, is ? "+" : "-");
        reg_buf_putstr(&walk->found, member);
        reg_buf_puts(&walk->found, "\n");
    }

    return is;
}


/* Passes on the tags of one step. */
static void
reg_taglist_pass(reg_taglist_walk_t *walk)
{
    reg_str_t  list = reg_buf_str(&walk->members);

    while (list.len > 0 && !walk->full) {
        reg_str_t  member = reg_str_cut(&list, '\n');
        reg_tag_t  tag;
        int        rc = reg_tagset_member_parse(member, &tag);

        walk->last = tag;

        if (rc == 1 || reg_taglist_look(walk, member, &tag)) {
            walk->full = reg_taglist_show(walk, reg_tag_str(&tag)) != 0;
        }
    }
}


/* L3 */
static void
reg_taglist_tell(reg_taglist_walk_t *walk)
{
    reg_error_t           err = REG_ERROR_INIT;
    reg_tagredis_t       *redis = walk->lists->redis;
    reg_redispool_link_t  link;

    if (walk->found.len == 0 || !reg_buf_ok(&walk->found)
        || !reg_tagredis_take(redis, &link, 0))
    {
        return;
    }

    reg_tagredis_call_t  call = {
        .script = &walk->lists->found, .ms = (int) redis->config->tags_timeout,
        .command = { 6, { REG_STR_NULL, REG_STR_NULL, REG_STR("1"),
                          reg_str_from(walk->key), reg_str_from(walk->mark),
                          reg_buf_str(&walk->found) } },
    };

    (void) reg_tagredis_done(redis, &link, &call, &err);    /* it is counted */
    reg_redispool_give(redis->pool, &link, &err);
}


/* False if the rest is to be read from disk. */
static bool
reg_taglist_walk(reg_taglist_walk_t *walk)
{
    do {
        if (!reg_taglist_fetch(walk)) {
            return false;
        }

        reg_taglist_pass(walk);
        reg_taglist_tell(walk);
    } while (!walk->full && walk->n == walk->asked);

    reg_tagredis_mean(&walk->lists->means.redis,
                      walk->ns / (REG_TAGLIST_UNIT + walk->shown));

    return true;
}


static int
reg_taglist_disk(reg_taglist_walk_t *walk, reg_error_t *err)
{
    int64_t    begin = reg_redispool_now(), shown = walk->shown;
    reg_str_t  last = walk->last.len > 0 ? reg_tag_str(&walk->last)
                                         : walk->page->last;

    if (reg_tag_list(walk->lists->redis->store, walk->name, last,
                     reg_taglist_show, walk, err) == -1)
    {
        return -1;
    }

    reg_tagredis_mean(&walk->lists->means.disk,
                      (reg_redispool_now() - begin)
                      / (REG_TAGLIST_UNIT + walk->shown - shown));

    return 0;
}


int
reg_taglist_page(reg_taglist_t *lists, const reg_name_t *name,
    const reg_taglist_page_t *page, reg_error_t *err)
{
    int                 rc;
    bool                done;
    reg_taglist_walk_t  walk = {
        .lists = lists, .name = name, .page = page,
        .members = REG_BUF_INIT, .found = REG_BUF_INIT,
    };

    reg_tagset_key(walk.key, name);

    done = lists->redis->config->tags_list_max > 0
           && (page->last.len == 0 || reg_tag_parse(&walk.last, page->last)
                                      == 0)
           && reg_tagredis_pays(lists->redis, &lists->means)
           && reg_taglist_walk(&walk);

    reg_tagredis_count(lists->redis, done ? REG_TAGCACHE_LIST_REDIS
                                          : REG_TAGCACHE_LIST_DISK);

    rc = done ? 0 : reg_taglist_disk(&walk, err);
    reg_buf_free(&walk.members);
    reg_buf_free(&walk.found);

    return rc;
}


/* ---- open and close ------------------------------------------------------ */


reg_taglist_t *
reg_taglist_create(reg_tagredis_t *redis, reg_error_t *err)
{
    reg_taglist_t  *lists = calloc(1, sizeof(*lists));

    if (lists == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    lists->redis = redis;
    reg_tagredis_script(&lists->look, reg_taglist_look_text);
    reg_tagredis_script(&lists->found, reg_taglist_found_text);
    lists->fill = reg_tagfill_create(redis, err);

    if (lists->fill == NULL) {
        free(lists);
        return NULL;
    }

    return lists;
}


void
reg_taglist_free(reg_taglist_t *lists)
{
    if (lists != NULL) {
        reg_tagfill_free(lists->fill);
        free(lists);
    }
}
