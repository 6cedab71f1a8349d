#include "reg_pattern.h"

#include "reg_ref.h"


#define REG_PATTERN_USER  REG_STR("${user}")

/* a pattern with its ${user} replaced, which may stand in it several times */
#define REG_PATTERN_WHOLE  1024


/* Letters, digits and separators of a name, and '*'. */
static bool
reg_pattern_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.'
           || c == '_' || c == '-' || c == '*';
}


/* One part: "**", or letters, '*' one at a time, and ${user}. */
static bool
reg_pattern_part(reg_str_t part)
{
    if (reg_str_eq(part, REG_STR("**"))) {
        return true;
    }

    if (part.len == 0) {
        return false;
    }

    while (part.len > 0) {
        size_t  step = 1;

        if (reg_str_starts(part, REG_PATTERN_USER)) {
            step = REG_PATTERN_USER.len;

        } else if (!reg_pattern_letter(part.data[0])
                   || reg_str_starts(part, REG_STR("**")))
        {
            return false;
        }

        part.data += step;
        part.len -= step;
    }

    return true;
}


bool
reg_pattern_valid(reg_str_t pattern)
{
    if (pattern.len == 0 || pattern.len > REG_PATTERN_MAX
        || pattern.data[pattern.len - 1] == '/')
    {
        return false;
    }

    while (pattern.len > 0) {
        if (!reg_pattern_part(reg_str_cut(&pattern, '/'))) {
            return false;
        }
    }

    return true;
}


/* Copies pattern with each ${user} replaced.  -1 if there is one and user is
 * not a part of a repository's name. */
static int
reg_pattern_expand(reg_str_t pattern, reg_str_t user, char *out, size_t *n)
{
    reg_name_t  part;
    bool        usable = reg_name_parse(&part, user) == 0
                         && memchr(user.data, '/', user.len) == NULL;

    *n = 0;

    while (pattern.len > 0) {
        bool       replace = reg_str_starts(pattern, REG_PATTERN_USER);
        size_t     step = replace ? REG_PATTERN_USER.len : 1;
        reg_str_t  piece = replace ? user : (reg_str_t) { 1, pattern.data };

        if ((replace && !usable) || piece.len > REG_PATTERN_WHOLE - *n) {
            return -1;
        }

        memcpy(out + *n, piece.data, piece.len);
        *n += piece.len;
        pattern.data += step;
        pattern.len -= step;
    }

    return 0;
}


/* '*' within one part.  Going back to the last star only is enough: an earlier
 * one could not do better. */
static bool
reg_pattern_part_match(reg_str_t p, reg_str_t s)
{
    size_t  i = 0, k = 0, star = SIZE_MAX, from = 0;

    while (k < s.len) {
        if (i < p.len && p.data[i] == '*') {
            star = i++;
            from = k;

        } else if (i < p.len && p.data[i] == s.data[k]) {
            i++;
            k++;

        } else if (star != SIZE_MAX) {
            i = star + 1;
            k = ++from;

        } else {
            return false;
        }
    }

    while (i < p.len && p.data[i] == '*') {
        i++;
    }

    return i == p.len;
}


/* The same one level up: "**" among parts. */
static bool
reg_pattern_path_match(reg_str_t p, reg_str_t s)
{
    bool       deep = false;
    reg_str_t  after = REG_STR_NULL, from = REG_STR_NULL;

    while (s.len > 0) {
        reg_str_t  rest = p, left = s;
        reg_str_t  want = reg_str_cut(&rest, '/');
        reg_str_t  part = reg_str_cut(&left, '/');

        if (p.len > 0 && reg_str_eq(want, REG_STR("**"))) {
            deep = true;
            after = rest;
            from = s;
            p = rest;

        } else if (p.len > 0 && reg_pattern_part_match(want, part)) {
            p = rest;
            s = left;

        } else if (deep) {
            (void) reg_str_cut(&from, '/');
            p = after;
            s = from;

        } else {
            return false;
        }
    }

    while (reg_str_eq(p, REG_STR("**")) || reg_str_starts(p, REG_STR("**/"))) {
        (void) reg_str_cut(&p, '/');
    }

    return p.len == 0;
}


bool
reg_pattern_match(reg_str_t pattern, reg_str_t name, reg_str_t user)
{
    char    whole[REG_PATTERN_WHOLE];
    size_t  n;

    return reg_pattern_valid(pattern) && name.len > 0
           && reg_pattern_expand(pattern, user, whole, &n) == 0
           && reg_pattern_path_match((reg_str_t) { n, whole }, name);
}
