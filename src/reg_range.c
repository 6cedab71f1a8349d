#include "reg_range.h"


int
reg_range_parse(reg_range_t *range, reg_str_t s, int64_t length,
    reg_error_t *err)
{
    reg_str_t  size, last, first;
    int64_t    whole;
    bool       sized;

    s = reg_str_trim(s);

    if (reg_str_starts(s, REG_STR("bytes"))) {
        s.data += 5;
        s.len -= 5;

        if (s.len > 0 && (s.data[0] == '=' || s.data[0] == ' ')) {
            s.data++;
            s.len--;
        }
    }

    sized = s.len > 0 && memchr(s.data, '/', s.len) != NULL;

    size = s;
    last = reg_str_cut(&size, '/');
    first = reg_str_cut(&last, '-');

    if (reg_str_int(first, INT64_MAX - 1, &range->first) == -1
        || reg_str_int(last, INT64_MAX - 1, &range->last) == -1
        || range->last < range->first)
    {
        return reg_error_set(err, REG_RANGE_INVALID,
                             "invalid Content-Range: write first-last, the"
                             " numbers of the chunk's first and last byte");
    }

    if (sized && !reg_str_eq(size, REG_STR("*"))
        && (reg_str_int(size, INT64_MAX, &whole) == -1
            || whole <= range->last))
    {
        return reg_error_set(err, REG_RANGE_INVALID,
                             "invalid Content-Range: what follows the / is the"
                             " size of the whole, or a *");
    }

    if (length >= 0 && range->last - range->first + 1 != length) {
        return reg_error_set(err, REG_SIZE_INVALID,
                             "Content-Range and Content-Length disagree");
    }

    return 0;
}
