#include "reg_digest.h"


static const struct {
    reg_str_t    name;
    size_t       size;
    const char  *empty;
} reg_algs[REG_ALGS] = {

    [REG_SHA256] = { { 6, "sha256" }, 32,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },

    [REG_SHA512] = { { 6, "sha512" }, 64,
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
};


int
reg_alg_parse(reg_alg_t *alg, reg_str_t name)
{
    for (int i = 0; i < REG_ALGS; i++) {
        if (reg_str_eq(name, reg_algs[i].name)) {
            *alg = (reg_alg_t) i;
            return 0;
        }
    }

    return -1;
}


const char *
reg_alg_name(reg_alg_t alg)
{
    return reg_algs[alg].name.data;
}


size_t
reg_alg_size(reg_alg_t alg)
{
    return reg_algs[alg].size;
}


int
reg_digest_parse(reg_digest_t *d, reg_str_t s)
{
    reg_str_t  hex = s;
    reg_str_t  name = reg_str_cut(&hex, ':');

    if (s.len >= sizeof(d->text)
        || reg_alg_parse(&d->alg, name) == -1
        || hex.len != reg_algs[d->alg].size * 2
        || !reg_str_is_hex(hex))
    {
        return -1;
    }

    return reg_str_copy(d->text, sizeof(d->text), s);
}


void
reg_digest_format(reg_digest_t *d, reg_alg_t alg, const unsigned char *binary)
{
    static const char  hex[] = "0123456789abcdef";

    reg_str_t  name = reg_algs[alg].name;
    char      *p = d->text;

    d->alg = alg;
    memcpy(p, name.data, name.len);
    p += name.len;
    *p++ = ':';

    for (size_t i = 0; i < reg_algs[alg].size; i++) {
        *p++ = hex[binary[i] >> 4];
        *p++ = hex[binary[i] & 0x0f];
    }

    *p = '\0';
}


const char *
reg_digest_hex(const reg_digest_t *d)
{
    return d->text + reg_algs[d->alg].name.len + 1;
}


reg_str_t
reg_digest_str(const reg_digest_t *d)
{
    return (reg_str_t) { reg_algs[d->alg].name.len + 1
                         + reg_algs[d->alg].size * 2, d->text };
}


bool
reg_digest_eq(const reg_digest_t *a, const reg_digest_t *b)
{
    return reg_str_eq(reg_digest_str(a), reg_digest_str(b));
}


bool
reg_digest_is_empty(const reg_digest_t *d)
{
    return reg_str_eq(reg_str_from(reg_digest_hex(d)),
                      reg_str_from(reg_algs[d->alg].empty));
}
