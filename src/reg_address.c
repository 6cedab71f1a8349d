#include "reg_address.h"

#include <arpa/inet.h>


typedef struct {
    unsigned char  bytes[16];
    int64_t        bits;                 /* that count */
} reg_address_t;


/* An address, as one of 128 bits. */
static int
reg_address_bytes(reg_str_t s, unsigned char bytes[16], bool *v4)
{
    static const unsigned char  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
    };

    char  text[INET6_ADDRSTRLEN];

    if (reg_str_copy(text, sizeof(text), s) == -1) {
        return -1;
    }

    *v4 = inet_pton(AF_INET, text, bytes + 12) == 1;

    if (*v4) {
        memcpy(bytes, mapped, sizeof(mapped));
        return 0;
    }

    return inet_pton(AF_INET6, text, bytes) == 1 ? 0 : -1;
}


static int
reg_address_parse(reg_address_t *a, reg_str_t word)
{
    bool       v4;
    reg_str_t  bits = word, address = reg_str_cut(&bits, '/');
    int64_t    max;

    if (reg_address_bytes(address, a->bytes, &v4) == -1) {
        return -1;
    }

    max = v4 ? 32 : 128;
    a->bits = max;

    if (address.len < word.len && reg_str_int(bits, max, &a->bits) == -1) {
        return -1;
    }

    a->bits += 128 - max;

    return 0;
}


static bool
reg_address_covers(const reg_address_t *network, const reg_address_t *a)
{
    size_t         whole = (size_t) network->bits / 8;
    int            rest = (int) (network->bits % 8);
    unsigned char  mask = (unsigned char) (0xff00 >> rest);

    return memcmp(network->bytes, a->bytes, whole) == 0
           && (rest == 0
               || ((network->bytes[whole] ^ a->bytes[whole]) & mask) == 0);
}


int
reg_address_check(reg_str_t list, reg_error_t *err)
{
    while (list.len > 0) {
        reg_str_t      word = reg_str_cut(&list, ' ');
        reg_address_t  a;

        if (!reg_str_eq(word, REG_STR("unix:"))
            && reg_address_parse(&a, word) == -1)
        {
            return reg_error_set(err, REG_BAD_REQUEST, "\"%.*s\" is no address"
                                 " or network, such as 10.0.0.0/8",
                                 (int) (word.len < 64 ? word.len : 64),
                                 word.data);
        }
    }

    return 0;
}


bool
reg_address_in(reg_str_t list, reg_str_t address)
{
    bool           local = reg_str_eq(address, REG_STR("unix:"));
    reg_address_t  a, network;

    if (!local && reg_address_parse(&a, address) == -1) {
        return false;
    }

    while (list.len > 0) {
        reg_str_t  word = reg_str_cut(&list, ' ');

        if (local ? reg_str_eq(word, address)
                  : reg_address_parse(&network, word) == 0
                    && reg_address_covers(&network, &a))
        {
            return true;
        }
    }

    return false;
}
