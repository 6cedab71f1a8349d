#include "reg_scope.h"


static const struct {
    reg_str_t      word;
    reg_actions_t  actions;
} reg_action_words[] = {
    { { 4, "pull" }, REG_ACTION_PULL },
    { { 4, "push" }, REG_ACTION_PUSH },
    { { 6, "delete" }, REG_ACTION_DELETE },
    { { 7, "catalog" }, REG_ACTION_CATALOG },
    { { 5, "admin" }, REG_ACTION_ADMIN },
    { { 1, "*" }, REG_ACTIONS_REPOSITORY },
};

#define REG_ACTION_WORDS                                                      \
    (sizeof(reg_action_words) / sizeof(reg_action_words[0]))


reg_actions_t
reg_action_parse(reg_str_t word)
{
    for (size_t i = 0; i < REG_ACTION_WORDS; i++) {
        if (reg_str_eq(word, reg_action_words[i].word)) {
            return reg_action_words[i].actions;
        }
    }

    return 0;
}


void
reg_actions_format(reg_buf_t *out, reg_actions_t actions)
{
    const char  *comma = "";

    for (size_t i = 0; i < REG_ACTION_WORDS; i++) {
        reg_actions_t  one = reg_action_words[i].actions;

        /* "*" stands for the first three, which were said */
        if ((actions & one) == one && (one & (one - 1)) == 0) {
            reg_buf_puts(out, comma);
            reg_buf_putstr(out, reg_action_words[i].word);
            comma = ",";
        }
    }
}


int
reg_scope_parse(reg_scope_t *scope, reg_str_t s)
{
    reg_str_t  type = reg_str_cut(&s, ':');
    reg_str_t  name = s, word, list;
    size_t     i = s.len;

    /* "repository(class)" */
    word = type;
    type = reg_str_cut(&word, '(');

    /* a name may hold a host with its port: the last ':' ends it */
    while (i > 0 && s.data[i - 1] != ':') {
        i--;
    }

    if (i == 0) {
        return -1;
    }

    name.len = i - 1;
    list = (reg_str_t) { s.len - i, s.data + i };
    scope->actions = 0;
    scope->name.len = 0;
    scope->name.text[0] = '\0';

    if (reg_str_eq(type, REG_STR("registry"))
        && reg_str_eq(name, REG_STR("catalog")))
    {
        scope->kind = REG_SCOPE_REGISTRY;
        scope->actions = REG_ACTION_CATALOG;     /* whatever the action says */
        return list.len > 0 ? 0 : -1;
    }

    scope->kind = REG_SCOPE_REPOSITORY;

    if (!reg_str_eq(type, REG_STR("repository"))
        || reg_name_parse(&scope->name, name) == -1)
    {
        return -1;
    }

    while (list.len > 0) {
        word = reg_str_cut(&list, ',');
        scope->actions |= reg_action_parse(word) & REG_ACTIONS_REPOSITORY;
    }

    return 0;
}


void
reg_scope_format(reg_buf_t *out, const reg_scope_t *scope)
{
    if (scope->kind == REG_SCOPE_REGISTRY) {
        reg_buf_puts(out, "registry:catalog:*");
        return;
    }

    reg_buf_puts(out, "repository:");
    reg_buf_putstr(out, reg_name_str(&scope->name));
    reg_buf_puts(out, ":");
    reg_actions_format(out, scope->actions);
}


static bool
reg_scope_same(const reg_scope_t *a, const reg_scope_t *b)
{
    return a->kind == b->kind
           && (a->kind == REG_SCOPE_REGISTRY
               || reg_str_eq(reg_name_str(&a->name), reg_name_str(&b->name)));
}


int
reg_grants_add(reg_grants_t *grants, const reg_scope_t *scope,
    reg_error_t *err)
{
    reg_scope_t  *list;

    for (size_t i = 0; i < grants->n; i++) {
        if (reg_scope_same(&grants->list[i], scope)) {
            grants->list[i].actions |= scope->actions;
            return 0;
        }
    }

    if (grants->n == REG_GRANTS_MAX) {
        return reg_error_set(err, REG_BAD_REQUEST, "more than %d scopes",
                             REG_GRANTS_MAX);
    }

    /* grows by doubling: at 1, 2, 4 … */
    if ((grants->n & (grants->n - 1)) == 0) {
        size_t  room = grants->n == 0 ? 1 : grants->n * 2;

        list = realloc(grants->list, room * sizeof(*list));

        if (list == NULL) {
            return reg_error_set(err, REG_UNKNOWN, "out of memory");
        }

        grants->list = list;
    }

    grants->list[grants->n++] = *scope;

    return 0;
}


int
reg_grants_parse(reg_grants_t *grants, reg_str_t s, reg_error_t *err)
{
    while (s.len > 0) {
        reg_scope_t  scope;

        if (reg_scope_parse(&scope, reg_str_cut(&s, ' ')) == 0
            && reg_grants_add(grants, &scope, err) == -1)
        {
            return -1;
        }
    }

    return 0;
}


reg_actions_t
reg_grants_allow(const reg_grants_t *grants, const reg_name_t *name)
{
    reg_actions_t  actions = 0;

    for (size_t i = 0; i < grants->n; i++) {
        const reg_scope_t  *scope = &grants->list[i];

        if (name == NULL ? scope->kind == REG_SCOPE_REGISTRY
                         : scope->kind == REG_SCOPE_REPOSITORY
                           && reg_str_eq(reg_name_str(&scope->name),
                                         reg_name_str(name)))
        {
            actions |= scope->actions;
        }
    }

    return actions;
}


void
reg_grants_free(reg_grants_t *grants)
{
    free(grants->list);
    grants->list = NULL;
    grants->n = 0;
}
