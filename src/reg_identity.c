#include "reg_identity.h"


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
        size_t         len = reg_str_utf8(name);

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
