#include "reg_query.h"


static int
reg_query_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c = (char) (c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


/* The length of the decoded value, or -1. */
static int
reg_query_decode(reg_str_t s, char *out, size_t size)
{
    size_t  n = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.data[i];

        if (c == '%') {
            bool  whole = i + 2 < s.len;
            int   high = whole ? reg_query_hex(s.data[i + 1]) : -1;
            int   low = whole ? reg_query_hex(s.data[i + 2]) : -1;

            if (high == -1 || low == -1) {
                return -1;
            }

            c = (unsigned char) (high << 4 | low);
            i += 2;
        }

        if (c < 0x20 || c == 0x7f || n + 1 >= size) {
            return -1;
        }

        out[n++] = (char) c;
    }

    out[n] = '\0';
    return 0;
}


int
reg_query_get_nth(reg_str_t query, const char *key, size_t n, char *out,
    size_t size)
{
    reg_str_t  name = reg_str_from(key);

    while (query.len > 0) {
        reg_str_t  value = reg_str_cut(&query, '&');
        reg_str_t  word = reg_str_cut(&value, '=');

        if (!reg_str_eq(word, name)) {
            continue;
        }

        if (n-- == 0) {
            return reg_query_decode(value, out, size) == -1 ? -1 : 1;
        }
    }

    out[0] = '\0';
    return 0;
}


int
reg_query_get(reg_str_t query, const char *key, char *out, size_t size)
{
    return reg_query_get_nth(query, key, 0, out, size);
}


void
reg_query_encode(reg_buf_t *out, reg_str_t s)
{
    static const char  safe[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.data[i];

        if (c != '\0' && strchr(safe, c) != NULL) {
            reg_buf_put(out, &s.data[i], 1);
        } else {
            reg_buf_printf(out, "%%%02X", c);
        }
    }
}
