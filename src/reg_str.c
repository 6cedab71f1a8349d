#include "reg_str.h"

#include <stdarg.h>


reg_str_t
reg_str_from(const char *s)
{
    return (reg_str_t) { s == NULL ? 0 : strlen(s), s };
}


bool
reg_str_eq(reg_str_t a, reg_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


int
reg_str_compare(reg_str_t a, reg_str_t b)
{
    size_t  n = a.len < b.len ? a.len : b.len;
    int     rc = n == 0 ? 0 : memcmp(a.data, b.data, n);

    return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}


static char
reg_str_lower(char c)
{
    return (c >= 'A' && c <= 'Z') ? (char) (c | 0x20) : c;
}


bool
reg_str_eq_nocase(reg_str_t a, reg_str_t b)
{
    if (a.len != b.len) {
        return false;
    }

    for (size_t i = 0; i < a.len; i++) {
        if (reg_str_lower(a.data[i]) != reg_str_lower(b.data[i])) {
            return false;
        }
    }

    return true;
}


bool
reg_str_starts(reg_str_t s, reg_str_t prefix)
{
    return s.len >= prefix.len
           && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}


static bool
reg_str_blank(char c)
{
    return c == ' ' || c == '\t';
}


reg_str_t
reg_str_trim(reg_str_t s)
{
    while (s.len > 0 && reg_str_blank(s.data[0])) {
        s.data++;
        s.len--;
    }

    while (s.len > 0 && reg_str_blank(s.data[s.len - 1])) {
        s.len--;
    }

    return s;
}


reg_str_t
reg_str_cut(reg_str_t *s, char c)
{
    reg_str_t    head = *s;
    const char  *p = s->len == 0 ? NULL : memchr(s->data, c, s->len);

    if (p == NULL) {
        *s = REG_STR_NULL;
        return head;
    }

    head.len = (size_t) (p - s->data);
    s->data = p + 1;
    s->len -= head.len + 1;

    return head;
}


int
reg_str_int(reg_str_t s, int64_t max, int64_t *out)
{
    int64_t  n = 0;

    if (s.len == 0) {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        int  digit = s.data[i] - '0';

        if (digit < 0 || digit > 9 || digit > max
            || n > (max - digit) / 10)
        {
            return -1;
        }

        n = n * 10 + digit;
    }

    *out = n;
    return 0;
}


/* Cuts the digits at the start of s off. */
static reg_str_t
reg_str_digits(reg_str_t *s)
{
    reg_str_t  digits = { 0, s->data };

    while (digits.len < s->len && s->data[digits.len] >= '0'
           && s->data[digits.len] <= '9')
    {
        digits.len++;
    }

    s->data += digits.len;
    s->len -= digits.len;

    return digits;
}


/* Cuts a unit of time off; its microseconds, or 0. */
static int64_t
reg_str_unit(reg_str_t *s)
{
    static const struct {
        reg_str_t  name;
        int64_t    us;
    } units[] = {
        { { 1, "h" }, 3600000000 },
        { { 2, "ms" }, 1000 },
        { { 1, "m" }, 60000000 },
        { { 1, "s" }, 1000000 },
        { { 2, "us" }, 1 },
    };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (reg_str_starts(*s, units[i].name)) {
            s->data += units[i].name.len;
            s->len -= units[i].name.len;
            return units[i].us;
        }
    }

    return 0;
}


/* Cuts a number with its unit off; its microseconds, or -1. */
static int64_t
reg_str_duration_part(reg_str_t *s, int64_t max)
{
    int64_t    unit, n = 0, rest = 0, scale = 1;
    reg_str_t  whole = reg_str_digits(s), part = REG_STR_NULL;

    if (s->len > 0 && s->data[0] == '.') {
        s->data++;
        s->len--;
        part = reg_str_digits(s);
    }

    unit = reg_str_unit(s);

    if (unit == 0 || whole.len + part.len == 0
        || (whole.len > 0 && reg_str_int(whole, max / unit, &n) == -1))
    {
        return -1;
    }

    /* less than a microsecond of an hour does not count */
    for (size_t i = 0; i < part.len && scale < 1000000; i++) {
        rest = rest * 10 + (part.data[i] - '0');
        scale *= 10;
    }

    return n * unit + rest * unit / scale;
}


/* All of s, in microseconds; both. */
static int
reg_str_microseconds(reg_str_t s, int64_t max, int64_t *us)
{
    int64_t  one, sum = 0;

    *us = 0;

    if (reg_str_eq(s, REG_STR("0"))) {
        return 0;
    }

    if (s.len == 0) {
        return -1;
    }

    while (s.len > 0) {
        one = reg_str_duration_part(&s, max);

        if (one == -1 || one > max - sum) {
            return -1;
        }

        sum += one;
    }

    *us = sum;
    return 0;
}


int
reg_str_duration(reg_str_t s, int64_t max, int64_t *seconds)
{
    int64_t  us;

    if (reg_str_microseconds(s, max * 1000000, &us) == -1) {
        return -1;
    }

    *seconds = (us + 999999) / 1000000;
    return 0;
}


int
reg_str_milliseconds(reg_str_t s, int64_t max, int64_t *ms)
{
    int64_t  us;

    if (reg_str_microseconds(s, max * 1000, &us) == -1) {
        return -1;
    }

    *ms = (us + 999) / 1000;
    return 0;
}


int
reg_str_copy(char *dst, size_t size, reg_str_t s)
{
    if (size == 0) {
        return -1;
    }

    dst[0] = '\0';

    if (s.len >= size) {
        return -1;
    }

    if (s.len > 0) {
        memcpy(dst, s.data, s.len);
    }

    dst[s.len] = '\0';
    return 0;
}


uint64_t
reg_str_hash(reg_str_t s)
{
    uint64_t  h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < s.len; i++) {
        h = (h ^ (unsigned char) s.data[i]) * 0x100000001b3u;
    }

    return h ^ h >> 32;
}


bool
reg_str_is_hex(reg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        char  c = s.data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }

    return true;
}


char *
reg_buf_reserve(reg_buf_t *b, size_t len)
{
    if (b->failed) {
        return NULL;
    }

    if (len > REG_BUF_MAX - b->len) {
        b->failed = true;
        return NULL;
    }

    if (b->data == NULL || b->len + len > b->size) {
        size_t  size = b->size < 256 ? 256 : b->size * 2;
        char   *p;

        if (size > REG_BUF_MAX) {
            size = REG_BUF_MAX;
        }

        if (size < b->len + len) {
            size = b->len + len;
        }

        p = realloc(b->data, size);
        if (p == NULL) {
            b->failed = true;
            return NULL;
        }

        b->data = p;
        b->size = size;
    }

    return b->data + b->len;
}


void
reg_buf_put(reg_buf_t *b, const void *data, size_t len)
{
    char  *p = reg_buf_reserve(b, len);

    if (p != NULL && len > 0) {
        memcpy(p, data, len);
        b->len += len;
    }
}


void
reg_buf_puts(reg_buf_t *b, const char *s)
{
    reg_buf_put(b, s, strlen(s));
}


void
reg_buf_putstr(reg_buf_t *b, reg_str_t s)
{
    reg_buf_put(b, s.data, s.len);
}


void
reg_buf_printf(reg_buf_t *b, const char *fmt, ...)
{
    va_list  args;
    char    *p;
    int      n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    p = n < 0 ? NULL : reg_buf_reserve(b, (size_t) n + 1);

    if (p == NULL) {
        b->failed = true;
        return;
    }

    va_start(args, fmt);
    (void) vsnprintf(p, (size_t) n + 1, fmt, args);  /* fits: measured above */
    va_end(args);

    b->len += (size_t) n;
}


size_t
reg_str_utf8(reg_str_t from)
{
    const unsigned char  *s = (const unsigned char *) from.data;
    size_t                n, len = from.len;
    unsigned long         code, min;

    if (len == 0) {
        return 0;
    }

    if (s[0] < 0x80) {
        return 1;
    }

    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2; code = s[0] & 0x1f; min = 0x80;

    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3; code = s[0] & 0x0f; min = 0x800;

    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4; code = s[0] & 0x07; min = 0x10000;

    } else {
        return 0;
    }

    if (n > len) {
        return 0;
    }

    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (s[i] & 0x3f);
    }

    if (code < min || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return 0;
    }

    return n;
}


bool
reg_str_is_utf8(reg_str_t s)
{
    while (s.len > 0) {
        size_t  n = reg_str_utf8(s);

        if (n == 0) {
            return false;
        }

        s.data += n;
        s.len -= n;
    }

    return true;
}


void
reg_buf_json(reg_buf_t *b, reg_str_t s)
{
    const unsigned char  *p = (const unsigned char *) s.data;
    size_t                left = s.len;

    reg_buf_put(b, "\"", 1);

    while (left > 0) {
        size_t  n = reg_str_utf8((reg_str_t) { left, (const char *) p });

        if (n == 0) {
            reg_buf_puts(b, "\\ufffd");
            n = 1;

        } else if (*p == '"' || *p == '\\') {
            reg_buf_printf(b, "\\%c", *p);

        } else if (*p < 0x20 || *p == 0x7f) {
            reg_buf_printf(b, "\\u%04x", *p);

        } else {
            reg_buf_put(b, p, n);
        }

        p += n;
        left -= n;
    }

    reg_buf_put(b, "\"", 1);
}


bool
reg_buf_ok(const reg_buf_t *b)
{
    return !b->failed;
}


reg_str_t
reg_buf_str(const reg_buf_t *b)
{
    return (reg_str_t) { b->len, b->data };
}


void
reg_buf_free(reg_buf_t *b)
{
    free(b->data);
    *b = (reg_buf_t) REG_BUF_INIT;
}
