#include "reg_tagkey.h"

#include <stdlib.h>


void
reg_tagkey_format(reg_tagkey_t *key, const char *prefix,
    const reg_name_t *name, const reg_tag_t *tag)
{
    key->len = (size_t) snprintf(key->text, sizeof(key->text), "%s{%s}:%s",
                                 prefix, name->text, tag->text);    /* fits */
}


reg_str_t
reg_tagkey_str(const reg_tagkey_t *key)
{
    return (reg_str_t) { key->len, key->text };
}


int
reg_tagkey_parse(reg_str_t key, reg_name_t *name, reg_tag_t *tag)
{
    reg_str_t  prefix = REG_STR(REG_TAGKEY_VALUES "{"), part;

    if (!reg_str_starts(key, prefix)
        && !reg_str_starts(key, REG_STR(REG_TAGKEY_WRITES "{")))
    {
        return -1;
    }

    key.data += prefix.len;
    key.len -= prefix.len;
    part = reg_str_cut(&key, '}');

    if (!reg_str_starts(key, REG_STR(":"))) {
        return -1;
    }

    key.data++;
    key.len--;

    return reg_name_parse(name, part) == -1 ? -1 : reg_tag_parse(tag, key);
}


int
reg_tagkey_parse_value(reg_str_t value, uint64_t *fence, reg_digest_t *d)
{
    reg_str_t  part;

    if (reg_str_starts(value, REG_STR("?"))) {
        return 0;
    }

    part = reg_str_cut(&value, ' ');

    if (part.len != 16 || !reg_str_is_hex(part)) {
        return -1;
    }

    *fence = strtoull(part.data, NULL, 16);     /* ends at the blank */

    return reg_digest_parse(d, value) == -1 ? -1 : 1;
}
