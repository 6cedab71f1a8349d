#include "reg_basic.h"

#include <openssl/evp.h>


static bool
reg_basic_is_base64(reg_str_t s)
{
    static const char  alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\0' || strchr(alphabet, s.data[i]) == NULL) {
            return false;
        }
    }

    return s.len > 0 && s.len % 4 == 0;
}


int
reg_basic_parse(reg_basic_t *basic, reg_str_t value)
{
    int  n;

    if (!reg_basic_is_base64(value) || value.len / 4 * 3 > REG_BASIC_MAX) {
        return -1;
    }

    n = EVP_DecodeBlock(basic->text, (const unsigned char *) value.data,
                        (int) value.len);

    /* it counts what stands for the padding */
    for (size_t i = 1; n > 0 && i <= 2 && value.data[value.len - i] == '=';
         i++)
    {
        n--;
    }

    if (n <= 0 || memchr(basic->text, ':', (size_t) n) == NULL) {
        return -1;
    }

    basic->password = (reg_str_t) { (size_t) n, (const char *) basic->text };
    basic->user = reg_str_cut(&basic->password, ':');

    return 0;
}


void
reg_basic_wipe(reg_basic_t *basic)
{
    explicit_bzero(basic, sizeof(*basic));
}
