#include "reg_tagset.h"

#include <stdlib.h>


#define REG_TAGSET_WRITE  "10000"       /* ms that a writer may take */


/* KEYS the list; ARGV lines of tags, what follows each of them, and the ms of
 * a writer's mark, or nothing after the write.  It is no error if the key is
 * of another kind, or if we may not write lists: then nobody may have one. */
static const char  reg_tagset_touch_text[] =
    REG_TAGSET_LUA_MARK
    "if m.err then return redis.call('DEL', KEYS[1]) end "
    "m = m[1] "
    "if not m or m == '!w' or m == '!-' then "
    "if ARGV[3] == '' then return m == '!w' and redis.call('DEL', KEYS[1]) end "
    "if not m then redis.pcall('ZADD', KEYS[1], 0, '!w') end "
    "if m ~= '!-' then redis.pcall('PEXPIRE', KEYS[1], ARGV[3]) end "
    "return 0 end "
    "for t in string.gmatch(ARGV[1], '[^\\n]+') do "
    "redis.call('ZREMRANGEBYLEX', KEYS[1], '[' .. t, '(' .. t .. '\\2') "
    "redis.call('ZADD', KEYS[1], 0, t .. ARGV[2]) end "
    "return 1";


/* ---- keys and members ---------------------------------------------------- */


void
reg_tagset_key(char key[REG_TAGSET_KEY], const reg_name_t *name)
{
    (void) snprintf(key, REG_TAGSET_KEY, REG_TAGSET_KEYS "{%s}",
                    name->text);                                /* fits */
}


int
reg_tagset_key_parse(reg_str_t key, reg_name_t *name)
{
    reg_str_t  prefix = REG_STR(REG_TAGSET_KEYS "{");

    if (!reg_str_starts(key, prefix) || key.data[key.len - 1] != '}') {
        return -1;
    }

    return reg_name_parse(name, (reg_str_t) { key.len - prefix.len - 1,
                                              key.data + prefix.len });
}


int
reg_tagset_mark_parse(reg_str_t member, uint64_t *fence)
{
    reg_str_t  number;

    if (!reg_str_starts(member, REG_STR("!"))) {
        return -1;
    }

    number = reg_str_cut(&member, ' ');
    number.data++;
    number.len--;

    if (number.len == REG_TAGREDIS_RANDOM && reg_str_is_hex(number)
        && member.len == REG_TAGREDIS_RANDOM && reg_str_is_hex(member))
    {
        *fence = strtoull(number.data, NULL, 16);       /* ends at the blank */
        return 1;
    }

    return 0;
}


int
reg_tagset_member_parse(reg_str_t member, reg_tag_t *tag)
{
    bool       asks = member.len > 0
                      && memchr(member.data, REG_TAGSET_ASKS, member.len)
                         != NULL;
    reg_str_t  text = reg_str_cut(&member, REG_TAGSET_ASKS);

    if (reg_tag_parse(tag, text) == -1) {
        return -1;
    }

    if (!asks) {
        return 1;
    }

    return member.len == 0 || reg_str_eq(member, REG_STR("!"))
           || (member.len == REG_TAGREDIS_RANDOM && reg_str_is_hex(member))
           ? 0 : -1;
}


/* ---- writing ------------------------------------------------------------- */


int
reg_tagset_touch(reg_tagset_touch_t *touch, const reg_name_t *name,
    reg_str_t tags, bool done)
{
    touch->mark[0] = REG_TAGSET_ASKS;
    touch->mark[1] = '!';
    touch->mark[2] = '\0';

    if (done && reg_tagredis_random(touch->mark + 1) == -1) {
        return -1;
    }

    reg_tagset_key(touch->key, name);

    /* with its text: to send it again would be one more round trip */
    touch->command = (reg_redis_command_t) {
        7, { REG_STR("EVAL"), REG_STR(reg_tagset_touch_text), REG_STR("1"),
             reg_str_from(touch->key), tags, reg_str_from(touch->mark),
             done ? REG_STR_NULL : REG_STR(REG_TAGSET_WRITE) }
    };

    return 0;
}

