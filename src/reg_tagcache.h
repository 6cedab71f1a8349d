/*
 * reg_tagcache: which digest a tag has, as cheaply as can be said.
 *
 *     reg_tagcache_t  *cache;
 *
 *     reg_tagcache_open(&cache, store, config, &log, &err)
 *
 *     reg_tagcache_resolve(cache, &name, &tag, &digest, &err)
 *
 *     reg_tagcache_begin(&write, cache, &name);
 *     reg_tagcache_touch(&write, &tag);         each tag, before it changes
 *     … change it on disk …
 *     reg_tagcache_end(&write);                 in any case, before the answer
 *
 * The truth is tags/TAG/current/link.  Without Redis that is what is read, each
 * time: it costs less than to find out whether something else still holds.
 * With Redis there are three levels:
 *
 *     memory    reg_tagmap.h, of this process
 *     Redis     nginx-registry:v:{NAME}:TAG   "FENCE DIGEST", or "?LEASE"
 *               nginx-registry:w:{NAME}:TAG   somebody writes this tag
 *     disk
 *
 *   T1  Who reads a tag from disk puts it into Redis only if its lease still
 *       lies there, and into memory only if its ticket is still good: both are
 *       taken before the disk is read, and any writer destroys both.
 *   T2  A writer sets w and removes v before the disk changes, and again
 *       before anybody hears that it has.  w is what the others follow, by
 *       CLIENT TRACKING: a change of it drops the tag from their memory.  If a
 *       writer dies in between, w ends by itself, which is a change as well,
 *       and until then nothing is put into Redis.
 *   T3  A writer that cannot tell Redis raises the fence (reg_fence.h) before
 *       anybody hears of the change.  A value with another fence than the one
 *       that lies in the tree now is none.  The server's own id is a part of
 *       FENCE: what it remembers from before a restart or a failover is void.
 *   T4  Memory and Redis are used only while reg_redispool_proven() is not
 *       older than its window: the fence was read, and all changes that were
 *       told by then are known.  So what is used is REG_REDISPOOL_WINDOW old
 *       at most, whatever stops, stalls or is cut off.
 *   T5  What comes from Redis is parsed, and is a digest of this repository
 *       (its revision link is there) before it is used or kept.  A manifest is
 *       removed after its tags, so as long as T2 keeps a tag in memory its
 *       manifest is there.
 *   T6  Nothing is remembered longer than ttl, which is so also the longest
 *       that what another program writes into the tree is not seen.
 *
 * No failure of Redis is an error of ours; it is counted.
 *
 * Safe to call from all threads.
 *
 * Blocks: disk, and network for nginx_registry.tags.timeout
 */

#ifndef REG_TAGCACHE_H
#define REG_TAGCACHE_H

#include "reg_taglist.h"

typedef struct reg_tagcache_s  reg_tagcache_t;

typedef struct {
    bool     used;              /* there is a Redis in the configuration */
    bool     up;
    int64_t  counts[REG_TAGCACHE_COUNTS];
} reg_tagcache_stats_t;

/* A change of some tags of one repository. */
typedef struct {
    reg_tagcache_t    *cache;
    const reg_name_t  *name;
    reg_buf_t          tags;            /* owned: each with a line end */
} reg_tagcache_write_t;


/* store, config and log must live as long as the cache.  Starts a thread if
 * there is a Redis.  -1 with err filled. */
int reg_tagcache_open(reg_tagcache_t **out, reg_store_t *store,
    const reg_config_t *config, const reg_tagcache_log_t *log,
    reg_error_t *err);
void reg_tagcache_close(reg_tagcache_t *cache);          /* NULL is allowed */

/* The digest that a tag points to; the repository has its manifest.  -1 with
 * MANIFEST_UNKNOWN. */
int reg_tagcache_resolve(reg_tagcache_t *cache, const reg_name_t *name,
    const reg_tag_t *tag, reg_digest_t *d, reg_error_t *err);

/* The tags of a repository, from Redis where that pays: reg_taglist.h.  -1
 * with NAME_UNKNOWN if there is no such repository. */
int reg_tagcache_list(reg_tagcache_t *cache, const reg_name_t *name,
    const reg_taglist_page_t *page, reg_error_t *err);

/* name must live until the end. */
void reg_tagcache_begin(reg_tagcache_write_t *w, reg_tagcache_t *cache,
    const reg_name_t *name);
void reg_tagcache_touch(reg_tagcache_write_t *w, const reg_tag_t *tag);
void reg_tagcache_end(reg_tagcache_write_t *w);

void reg_tagcache_stats(reg_tagcache_t *cache, reg_tagcache_stats_t *stats);

/* The name of a count, as in metrics: "memory". */
const char *reg_tagcache_count_name(reg_tagcache_count_t count);

#endif
