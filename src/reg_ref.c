#include "reg_ref.h"


static bool
reg_ref_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}


/* The length of the separator at the start of s: one '.', one or two '_', any
 * number of '-'; 0 if there is none. */
static size_t
reg_name_separator(reg_str_t s)
{
    size_t  n = 0;

    switch (s.data[0]) {

    case '.':
        return 1;

    case '_':
        return s.len > 1 && s.data[1] == '_' ? 2 : 1;

    case '-':
        while (n < s.len && s.data[n] == '-') {
            n++;
        }
        return n;

    default:
        return 0;
    }
}


static int
reg_name_part(reg_str_t s)
{
    size_t  i = 0, n;

    for ( ;; ) {
        n = 0;

        while (i < s.len && reg_ref_alnum(s.data[i])) {
            i++;
            n++;
        }

        if (n == 0) {
            return -1;
        }

        if (i == s.len) {
            return 0;
        }

        n = reg_name_separator((reg_str_t) { s.len - i, s.data + i });

        if (n == 0) {
            return -1;
        }

        i += n;
    }
}


int
reg_name_parse(reg_name_t *name, reg_str_t s)
{
    reg_str_t  left = s;

    if (s.len == 0 || s.len > REG_NAME_MAX || s.data[s.len - 1] == '/') {
        return -1;
    }

    while (left.len > 0) {
        if (reg_name_part(reg_str_cut(&left, '/')) == -1) {
            return -1;
        }
    }

    name->len = s.len;
    return reg_str_copy(name->text, sizeof(name->text), s);
}


reg_str_t
reg_name_str(const reg_name_t *name)
{
    return (reg_str_t) { name->len, name->text };
}


int
reg_tag_parse(reg_tag_t *tag, reg_str_t s)
{
    if (s.len == 0 || s.len > REG_TAG_MAX
        || s.data[0] == '.' || s.data[0] == '-')
    {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        char  c = s.data[i];

        if (!reg_ref_alnum(c) && !(c >= 'A' && c <= 'Z')
            && c != '.' && c != '_' && c != '-')
        {
            return -1;
        }
    }

    tag->len = s.len;
    return reg_str_copy(tag->text, sizeof(tag->text), s);
}


reg_str_t
reg_tag_str(const reg_tag_t *tag)
{
    return (reg_str_t) { tag->len, tag->text };
}


int
reg_ref_parse(reg_ref_t *ref, reg_str_t s)
{
    ref->is_digest = s.len > 0 && memchr(s.data, ':', s.len) != NULL;

    return ref->is_digest ? reg_digest_parse(&ref->digest, s)
                          : reg_tag_parse(&ref->tag, s);
}


reg_str_t
reg_ref_str(const reg_ref_t *ref)
{
    return ref->is_digest ? reg_digest_str(&ref->digest)
                          : reg_tag_str(&ref->tag);
}
