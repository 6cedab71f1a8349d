#define OPENSSL_SUPPRESS_DEPRECATED

#include "reg_hash.h"


void
reg_hash_init(reg_hash_t *h, reg_alg_t alg)
{
    h->alg = alg;

    /* these cannot fail: they only set words */
    if (alg == REG_SHA256) {
        (void) SHA256_Init(&h->u.sha256);
    } else {
        (void) SHA512_Init(&h->u.sha512);
    }
}


void
reg_hash_update(reg_hash_t *h, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }

    if (h->alg == REG_SHA256) {
        (void) SHA256_Update(&h->u.sha256, data, len);
    } else {
        (void) SHA512_Update(&h->u.sha512, data, len);
    }
}


void
reg_hash_binary(const reg_hash_t *h, unsigned char *out)
{
    reg_hash_t  copy = *h;

    if (h->alg == REG_SHA256) {
        (void) SHA256_Final(out, &copy.u.sha256);
    } else {
        (void) SHA512_Final(out, &copy.u.sha512);
    }
}


void
reg_hash_digest(const reg_hash_t *h, reg_digest_t *d)
{
    unsigned char  binary[SHA512_DIGEST_LENGTH];

    reg_hash_binary(h, binary);
    reg_digest_format(d, h->alg, binary);
}


uint64_t
reg_hash_words(const uint64_t *words, size_t n)
{
    uint64_t  h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++) {
        h = (h ^ words[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }

    return h;
}


int64_t
reg_hash_length(const reg_hash_t *h)
{
    if (h->alg == REG_SHA256) {
        return (int64_t) (((uint64_t) h->u.sha256.Nh << 32
                           | h->u.sha256.Nl) >> 3);
    }

    return (int64_t) (h->u.sha512.Nh << 61 | h->u.sha512.Nl >> 3);
}


static unsigned char *
reg_hash_put(unsigned char *p, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        *p++ = (unsigned char) (value >> (8 * i));
    }

    return p;
}


static const unsigned char *
reg_hash_get(const unsigned char *p, uint64_t *value, int bytes)
{
    *value = 0;

    for (int i = 0; i < bytes; i++) {
        *value = *value << 8 | *p++;
    }

    return p;
}


static const struct {
    unsigned char  magic[4];
    int            word;
    size_t         block;
    size_t         size;
} reg_hash_forms[REG_ALGS] = {
    [REG_SHA256] = { { 's', 'h', 'a', 3 }, 4, SHA256_CBLOCK, 108 },
    [REG_SHA512] = { { 's', 'h', 'a', 7 }, 8, SHA512_CBLOCK, 204 },
};


size_t
reg_hash_export(const reg_hash_t *h, unsigned char out[REG_HASH_STATE_MAX])
{
    unsigned char        *p = out;
    const unsigned char  *block;
    size_t                num;

    memcpy(p, reg_hash_forms[h->alg].magic, 4);
    p += 4;

    for (int i = 0; i < 8; i++) {
        p = reg_hash_put(p, h->alg == REG_SHA256 ? h->u.sha256.h[i]
                                                 : h->u.sha512.h[i],
                         reg_hash_forms[h->alg].word);
    }

    if (h->alg == REG_SHA256) {
        block = (const unsigned char *) h->u.sha256.data;
        num = h->u.sha256.num;
    } else {
        block = h->u.sha512.u.p;
        num = h->u.sha512.num;
    }

    memset(p, 0, reg_hash_forms[h->alg].block);
    memcpy(p, block, num);
    p += reg_hash_forms[h->alg].block;

    (void) reg_hash_put(p, (uint64_t) reg_hash_length(h), 8);

    return reg_hash_forms[h->alg].size;
}


int
reg_hash_import(reg_hash_t *h, reg_alg_t alg, const unsigned char *in,
    size_t len)
{
    const unsigned char  *p;
    uint64_t              words[8], length;
    size_t                num;

    reg_hash_init(h, alg);

    if (len != reg_hash_forms[alg].size
        || memcmp(in, reg_hash_forms[alg].magic, 4) != 0)
    {
        return -1;
    }

    p = in + 4;

    for (int i = 0; i < 8; i++) {
        p = reg_hash_get(p, &words[i], reg_hash_forms[alg].word);
    }

    (void) reg_hash_get(p + reg_hash_forms[alg].block, &length, 8);

    if (length > INT64_MAX / 8) {
        return -1;
    }

    num = (size_t) (length % reg_hash_forms[alg].block);

    if (alg == REG_SHA256) {
        for (int i = 0; i < 8; i++) {
            h->u.sha256.h[i] = (SHA_LONG) words[i];
        }

        memcpy(h->u.sha256.data, p, num);
        h->u.sha256.num = (unsigned int) num;
        h->u.sha256.Nl = (SHA_LONG) (length << 3);
        h->u.sha256.Nh = (SHA_LONG) (length >> 29);

    } else {
        for (int i = 0; i < 8; i++) {
            h->u.sha512.h[i] = words[i];
        }

        memcpy(h->u.sha512.u.p, p, num);
        h->u.sha512.num = (unsigned int) num;
        h->u.sha512.Nl = length << 3;
        h->u.sha512.Nh = length >> 61;
    }

    return 0;
}
