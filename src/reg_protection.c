#include "reg_protection.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>


/* What one search may cost: some milliseconds at most, for any pattern. */
#define REG_PROTECTION_STEPS  100000
#define REG_PROTECTION_DEPTH  1000
#define REG_PROTECTION_HEAP   1024       /* KiB */

#define REG_PROTECTION_BIT(kind)  (1u << (kind))


int
reg_protections_add(reg_protections_t *p, reg_protection_kind_t kind,
    const reg_name_t *name, reg_str_t pattern, reg_error_t *err)
{
    reg_protection_t  *list, *one;

    if (p->n == REG_PROTECTION_MAX) {
        return reg_error_set(err, REG_UNAUTHORIZED, "it has more than %d"
                             " patterns of tags", REG_PROTECTION_MAX);
    }

    /* grows by doubling: at 1, 2, 4 … */
    if ((p->n & (p->n - 1)) == 0) {
        list = realloc(p->list, (p->n == 0 ? 1 : p->n * 2) * sizeof(*list));

        if (list == NULL) {
            return reg_error_set(err, REG_UNKNOWN, "out of memory");
        }

        p->list = list;
    }

    one = &p->list[p->n++];
    one->kind = kind;
    one->name = *name;
    one->len = pattern.len;

    if (reg_str_copy(one->text, sizeof(one->text), pattern) == -1) {
        one->len = REG_PROTECTION_PATTERN + 1;
    }

    return 0;
}


void
reg_protections_free(reg_protections_t *p)
{
    free(p->list);
    p->list = NULL;
    p->n = 0;
}


/* How many of these kinds a repository has. */
static size_t
reg_protections_count(const reg_protections_t *p, unsigned kinds,
    const reg_name_t *name)
{
    size_t  n = 0;

    for (size_t i = 0; i < p->n; i++) {
        n += (kinds & REG_PROTECTION_BIT(p->list[i].kind)) != 0
             && reg_str_eq(reg_name_str(&p->list[i].name),
                           reg_name_str(name));
    }

    return n;
}


/* 1: the tag has it, 0: it has not, -1: we cannot tell. */
static int
reg_protection_search(const pcre2_code *code, reg_str_t tag)
{
    int                   rc = PCRE2_ERROR_NOMEMORY;
    pcre2_match_data     *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context  *limits = pcre2_match_context_create(NULL);

    if (data != NULL && limits != NULL
        && pcre2_set_match_limit(limits, REG_PROTECTION_STEPS) == 0
        && pcre2_set_depth_limit(limits, REG_PROTECTION_DEPTH) == 0
        && pcre2_set_heap_limit(limits, REG_PROTECTION_HEAP) == 0)
    {
        rc = pcre2_match(code, (PCRE2_SPTR) tag.data, tag.len, 0, 0, data,
                         limits);
    }

    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);

    return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0
           : rc == PCRE2_ERROR_NOMEMORY ? -1 : 1;
}


static int
reg_protection_matches(const reg_protection_t *one, reg_str_t tag,
    reg_error_t *err)
{
    int          rc, odd;
    PCRE2_SIZE   at;
    pcre2_code  *code = NULL;

    if (one->len <= REG_PROTECTION_PATTERN) {
        code = pcre2_compile((PCRE2_SPTR) one->text, one->len,
                             PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                             &odd, &at, NULL);
    }

    if (code == NULL) {
        return reg_error_set(err, REG_TAG_PROTECTION_PATTERN_INVALID,
                             "a pattern of the project's protected tags makes"
                             " no sense: \"%.100s\"", one->text);
    }

    rc = reg_protection_search(code, tag);
    pcre2_code_free(code);

    return rc != -1 ? rc : reg_error_set(err, REG_UNKNOWN, "out of memory");
}


/* Whether a tag has none of these kinds. */
static int
reg_protections_check(const reg_protections_t *p, unsigned kinds,
    const reg_name_t *name, const reg_tag_t *tag, reg_error_t *err)
{
    for (size_t i = 0; i < p->n; i++) {
        const reg_protection_t  *one = &p->list[i];
        int                      rc;

        if ((kinds & REG_PROTECTION_BIT(one->kind)) == 0
            || !reg_str_eq(reg_name_str(&one->name), reg_name_str(name)))
        {
            continue;
        }

        rc = reg_protection_matches(one, reg_tag_str(tag), err);

        if (rc == -1) {
            return -1;
        }

        if (rc == 1) {
            reg_error_detail(err, "tag", reg_tag_str(tag));
            return reg_error_set(err, one->kind == REG_PROTECTION_IMMUTABLE
                                 ? REG_IMMUTABLE_TAG : REG_PROTECTED_TAG,
                                 NULL);
        }
    }

    return 0;
}


/* The same, if they are not too many. */
static int
reg_protections_refuse(const reg_protections_t *p, unsigned kinds,
    const reg_name_t *name, const reg_tag_t *tag, reg_error_t *err)
{
    if (reg_protections_count(p, kinds | REG_PROTECTION_BIT(
                              REG_PROTECTION_IMMUTABLE), name)
        > REG_PROTECTION_ASKED)
    {
        return reg_error_set(err, REG_TAG_PATTERN_COUNT_LIMIT_EXCEEDED, NULL);
    }

    return reg_protections_check(p, kinds, name, tag, err);
}


int
reg_protections_push(const reg_protections_t *p, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err)
{
    return reg_protections_refuse(p, REG_PROTECTION_BIT(REG_PROTECTION_PUSH),
                                  name, tag, err);
}


int
reg_protections_move(const reg_protections_t *p, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err)
{
    return reg_protections_refuse(p, REG_PROTECTION_BIT(REG_PROTECTION_PUSH)
                                  | REG_PROTECTION_BIT(
                                    REG_PROTECTION_IMMUTABLE),
                                  name, tag, err);
}


int
reg_protections_delete(const reg_protections_t *p, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err)
{
    return reg_protections_refuse(p, REG_PROTECTION_BIT(REG_PROTECTION_DELETE)
                                  | REG_PROTECTION_BIT(
                                    REG_PROTECTION_IMMUTABLE),
                                  name, tag, err);
}


int
reg_protections_delete_manifest(const reg_protections_t *p,
    const reg_name_t *name, reg_error_t *err)
{
    return reg_protections_count(p, REG_PROTECTION_BIT(REG_PROTECTION_DELETE)
                                 | REG_PROTECTION_BIT(
                                   REG_PROTECTION_IMMUTABLE), name) == 0
           ? 0 : reg_error_set(err, REG_PROTECTED_MANIFEST, NULL);
}
