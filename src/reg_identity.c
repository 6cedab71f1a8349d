#include "reg_identity.h"


/* The length of the character that s begins with; 0 if it is not UTF-8
 * (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
static size_t
reg_user_character(reg_str_t s)
{
    static const struct {
        unsigned char  mask, lead;
        uint32_t       least;
    } forms[] = {
        { 0x80, 0x00, 0 },
        { 0xe0, 0xc0, 0x80 },
        { 0xf0, 0xe0, 0x800 },
        { 0xf8, 0xf0, 0x10000 },
    };

    for (size_t len = 1; len <= 4 && len <= s.len; len++) {
        unsigned char  c = (unsigned char) s.data[0];
        uint32_t       point;

        if ((c & forms[len - 1].mask) != forms[len - 1].lead) {
            continue;
        }

        point = c & (unsigned char) ~forms[len - 1].mask;

        for (size_t i = 1; i < len; i++) {
            c = (unsigned char) s.data[i];

            if ((c & 0xc0) != 0x80) {
                return 0;
            }

            point = point << 6 | (c & 0x3f);
        }

        return point >= forms[len - 1].least && point <= 0x10ffff
               && (point < 0xd800 || point > 0xdfff) ? len : 0;
    }

    return 0;
}


bool
reg_user_valid(reg_str_t name)
{
    if (name.len == 0 || name.len > REG_USER_MAX
        || name.data[0] == ' ' || name.data[name.len - 1] == ' ')
    {
        return false;
    }

    while (name.len > 0) {
        unsigned char  c = (unsigned char) name.data[0];
        size_t         len = reg_user_character(name);

        if (len == 0 || c < 0x20 || c == 0x7f || c == ':'
            || (len == 2 && c == 0xc2 && (unsigned char) name.data[1] < 0xa0))
        {
            return false;
        }

        name.data += len;
        name.len -= len;
    }

    return true;
}
