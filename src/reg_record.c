#include "reg_record.h"

#include <endian.h>
#include <openssl/crypto.h>

#include "reg_hash.h"


#define REG_RECORD_MAGIC  0x31766e6c756f6a72u

/* of a record: kind, rank, known, ahead, lengths of path and content, change */
#define REG_RECORD_HEAD      20
#define REG_RECORD_PATH_MAX  1024
#define REG_RECORD_RANKS     3


static void
reg_record_put32(unsigned char *p, size_t value)
{
    uint32_t  le = htole32((uint32_t) value);

    memcpy(p, &le, sizeof(le));
}


static size_t
reg_record_get32(const void *p)
{
    uint32_t  le;

    memcpy(&le, p, sizeof(le));
    return le32toh(le);
}


static void
reg_record_put64(unsigned char *p, uint64_t value)
{
    uint64_t  le = htole64(value);

    memcpy(p, &le, sizeof(le));
}


static uint64_t
reg_record_get64(const void *p)
{
    uint64_t  le;

    memcpy(&le, p, sizeof(le));
    return le64toh(le);
}


/* ---- records ------------------------------------------------------------- */


void
reg_record_add(reg_buf_t *out, const reg_record_t *record)
{
    unsigned char  head[REG_RECORD_HEAD] = { 0 };

    head[0] = (unsigned char) record->kind;
    head[1] = (unsigned char) record->rank;
    head[2] = record->known;
    head[3] = record->ahead;
    reg_record_put32(head + 4, record->path.len);
    reg_record_put32(head + 8, record->content.len);
    reg_record_put64(head + 12, record->change);

    reg_buf_put(out, head, sizeof(head));
    reg_buf_putstr(out, record->path);
    reg_buf_putstr(out, record->content);
}


/* Whether a path stays in the part of the tree that records are about. */
static bool
reg_record_place(reg_str_t path)
{
    static const char *const  rooms[] = {
        "blobs/", "repositories/", "_catalog/"
    };

    bool  found = false;

    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        found |= reg_str_starts(path, reg_str_from(rooms[i]));
    }

    if (!found || memchr(path.data, '\0', path.len) != NULL
        || path.data[path.len - 1] == '/')
    {
        return false;
    }

    while (path.len > 0) {
        reg_str_t  part = reg_str_cut(&path, '/');

        if (part.len == 0 || reg_str_eq(part, REG_STR("."))
            || reg_str_eq(part, REG_STR("..")))
        {
            return false;
        }
    }

    return true;
}


int
reg_record_next(reg_str_t *rest, reg_record_t *record)
{
    const unsigned char  *p = (const unsigned char *) rest->data;
    size_t                left = rest->len;

    if (left == 0) {
        return 0;
    }

    if (left < REG_RECORD_HEAD
        || p[0] < REG_RECORD_PUT || p[0] > REG_RECORD_VOID
        || p[1] >= REG_RECORD_RANKS || p[2] > 1 || p[3] > 1)
    {
        return -1;
    }

    record->kind = (reg_record_kind_t) p[0];
    record->rank = p[1];
    record->known = p[2];
    record->ahead = p[3];
    record->path.len = reg_record_get32(p + 4);
    record->content.len = reg_record_get32(p + 8);
    record->change = reg_record_get64(p + 12);
    left -= REG_RECORD_HEAD;

    if (record->path.len == 0 || record->path.len > REG_RECORD_PATH_MAX
        || record->path.len > left
        || record->content.len > left - record->path.len)
    {
        return -1;
    }

    record->path.data = rest->data + REG_RECORD_HEAD;
    record->content.data = record->path.data + record->path.len;
    rest->data = record->content.data + record->content.len;
    rest->len = left - record->path.len - record->content.len;

    return reg_record_place(record->path) ? 1 : -1;
}


/* ---- batches ------------------------------------------------------------- */


size_t
reg_record_size(size_t records)
{
    return (REG_RECORD_SEAL + records + REG_RECORD_ALIGN - 1)
           / REG_RECORD_ALIGN * REG_RECORD_ALIGN;
}


void
reg_record_seal(const reg_record_seal_t *seal, reg_str_t records,
    unsigned char out[REG_RECORD_SEAL])
{
    reg_hash_t  h;

    reg_record_put64(out, REG_RECORD_MAGIC);
    reg_record_put64(out + 8, seal->generation);
    reg_record_put64(out + 16, seal->offset);
    reg_record_put64(out + 24, (uint64_t) seal->time);
    reg_record_put64(out + 32, records.len);

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, seal->key, sizeof(seal->key));
    reg_hash_update(&h, out, 40);
    reg_hash_update(&h, records.data, records.len);
    reg_hash_binary(&h, out + 40);
}


int
reg_record_open(reg_record_seal_t *seal, reg_str_t from, reg_str_t *records)
{
    unsigned char  want[REG_RECORD_SEAL];
    uint64_t       len;

    if (from.len < REG_RECORD_SEAL
        || reg_record_get64(from.data) != REG_RECORD_MAGIC)
    {
        return -1;
    }

    len = reg_record_get64(from.data + 32);

    if (len > from.len - REG_RECORD_SEAL) {
        return -1;
    }

    seal->time = (int64_t) reg_record_get64(from.data + 24);
    records->data = from.data + REG_RECORD_SEAL;
    records->len = (size_t) len;

    reg_record_seal(seal, *records, want);

    return CRYPTO_memcmp(want, from.data, sizeof(want)) == 0 ? 0 : -1;
}
