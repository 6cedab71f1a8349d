/*
 * reg_tagset: the sorted tags of a repository, as they lie in Redis, and what a
 * writer says to them.
 *
 *     nginx-registry:l:{NAME}    a sorted set, all of one score
 *
 * whose members are, in this order,
 *
 *     "!FENCE ID"                the list is whole; or, in its place,
 *     "!?ID"                     somebody fills it: ID is the lease
 *     "!w"                       somebody writes a tag: nobody fills
 *     "!-"                       not kept: larger than list_max
 *
 *     "TAG"                      is a tag: its link was read, and nobody has
 *                                written it since
 *     "TAG" 1 …                  may be one: the disk is asked.  After the byte
 *                                1 (which no tag has, and which sorts before
 *                                all that tags have) stands nothing, from a
 *                                filling; a number, from a write; or "!", as
 *                                long as somebody writes it
 *
 *   L1  Who fills takes the lease, then reads the directory, then adds its
 *       names as what may be tags, some hundred at a time, as long as the lease
 *       lies there, and but for what a writer has put there meanwhile: a tag
 *       has one member.  The mark that the list is whole comes last, and is a
 *       part of the same key: there is never a part of a list, whatever is
 *       evicted or ends.
 *   L2  A writer puts its tag into the list as one that is written, before the
 *       disk changes, and as one that may be a tag, with a new number, before
 *       anybody hears that it has.  So a push or a delete changes one member
 *       and fills nothing anew, and what it leaves is right whether the tag is
 *       there or not.  It goes with what the writer says to Redis anyway.
 *   L3  What a page found on disk is put into the list, if the member is still
 *       the very one that made it look: any writer has replaced that.
 *   L4  Lists are used as T3 and T4 of reg_tagcache.h say: by the same fence,
 *       the server's id, and the proof.  Nothing is kept longer than ttl.
 *   L5  What comes from Redis is a tag by its grammar, greater than the one
 *       before it, and no more than was asked for; else the key is removed and
 *       the disk answers, from where the page stands.
 *
 * Blocks: never
 */

#ifndef REG_TAGSET_H
#define REG_TAGSET_H

#include "reg_tagkey.h"
#include "reg_tagredis.h"

#define REG_TAGSET_KEYS    REG_TAGKEY_PREFIX "l:"
#define REG_TAGSET_KEY     (sizeof(REG_TAGSET_KEYS) + REG_NAME_MAX + 2)
#define REG_TAGSET_MARK    (2 + 2 * REG_TAGREDIS_RANDOM + 1)
#define REG_TAGSET_ASKS    '\1'         /* the disk is to be asked */

/* Lua: m becomes what the first members say, or has an error in it. */
#define REG_TAGSET_LUA_MARK                                                   \
    "local m = redis.pcall('ZRANGEBYLEX', KEYS[1], '[!', '(\"',"              \
    " 'LIMIT', 0, 1) "

/* What a writer says. */
typedef struct {
    reg_redis_command_t  command;
    char                 key[REG_TAGSET_KEY];
    char                 mark[REG_TAGREDIS_RANDOM + 2];
} reg_tagset_touch_t;


void reg_tagset_key(char key[REG_TAGSET_KEY], const reg_name_t *name);
int reg_tagset_key_parse(reg_str_t key, reg_name_t *name);

/* 1 for a list that is whole, with its fence; 0 for one that is not; -1 for
 * neither. */
int reg_tagset_mark_parse(reg_str_t member, uint64_t *fence);

/* 1 for a tag; 0 for what may be one; -1 for neither. */
int reg_tagset_member_parse(reg_str_t member, reg_tag_t *tag);

/* L2: the command for tags, each with a line end, that are about to be
 * written, or were.  It points into touch, which must stay, and into tags.  -1
 * if there are no random numbers. */
int reg_tagset_touch(reg_tagset_touch_t *touch, const reg_name_t *name,
    reg_str_t tags, bool done);

#endif
