#include "reg_users.h"

#include <errno.h>

#include <openssl/sha.h>

#include "reg_password.h"
#include "reg_reread.h"


/* lines that are named one by one; of more there is a count */
#define REG_USERS_NAMED  10


typedef struct {
    reg_str_t  name;
    reg_str_t  hash;
    size_t     line;
} reg_user_t;

typedef struct {
    reg_str_t    any;                    /* hash of the first account */
    size_t       n;
    reg_user_t  *list;                   /* sorted by name, then line */
} reg_users_content_t;

/* What is said about the lines while they are read. */
typedef struct {
    const char  *path;
    reg_buf_t   *says;
    size_t       n;
} reg_users_odd_t;


/* ---- lines --------------------------------------------------------------- */


void
reg_users_line_parse(reg_users_line_t *line, reg_str_t text)
{
    memset(line, 0, sizeof(*line));

    if (text.len > 0 && text.data[text.len - 1] == '\r') {
        text.len--;
    }

    text = reg_str_trim(text);

    if (text.len == 0 || text.data[0] == '#') {
        return;
    }

    line->kind = REG_USERS_ODD;

    if (memchr(text.data, ':', text.len) == NULL) {
        line->why = "no NAME:HASH";
        return;
    }

    line->hash = text;
    line->name = reg_str_cut(&line->hash, ':');

    if (!reg_user_valid(line->name)) {
        line->why = "a name that no account can have";
        return;
    }

    line->why = reg_str_starts(line->name, REG_USER_ROBOT)
                ? "robot$ is what names of robots begin with"
                : reg_password_refuse(line->hash);

    if (line->why == NULL) {
        line->kind = REG_USERS_ACCOUNT;
    }
}


static void
reg_users_odd(reg_users_odd_t *odd, size_t line, const char *why)
{
    if (odd->n++ < REG_USERS_NAMED) {
        reg_buf_printf(odd->says, "%.200s:%zu: not used: %s\n", odd->path,
                       line, why);
    }
}


static int
reg_users_order(const void *a, const void *b)
{
    const reg_user_t  *x = a, *y = b;
    int                order = reg_str_compare(x->name, y->name);

    return order != 0 ? order : (x->line > y->line) - (x->line < y->line);
}


/* ---- the file ------------------------------------------------------------ */


static void
reg_users_free(void *content)
{
    reg_users_content_t  *users = content;

    free(users->list);
    free(users);
}


/* Of the lines for one account the last one stays. */
static void
reg_users_unite(reg_users_content_t *users, reg_users_odd_t *odd)
{
    size_t  n = 0;

    qsort(users->list, users->n, sizeof(*users->list), reg_users_order);

    for (size_t i = 0; i < users->n; i++) {
        if (i + 1 < users->n
            && reg_str_eq(users->list[i].name, users->list[i + 1].name))
        {
            reg_users_odd(odd, users->list[i].line, "a later line is for the"
                          " same account");
        } else {
            users->list[n++] = users->list[i];
        }
    }

    users->n = n;
}


static void
reg_users_read(reg_users_content_t *users, reg_str_t text,
    reg_users_odd_t *odd)
{
    reg_users_line_t  line;

    for (size_t number = 1; text.len > 0; number++) {
        reg_users_line_parse(&line, reg_str_cut(&text, '\n'));

        if (line.kind == REG_USERS_ODD) {
            reg_users_odd(odd, number, line.why);

        } else if (line.kind == REG_USERS_ACCOUNT) {
            users->list[users->n++] = (reg_user_t) { line.name, line.hash,
                                                     number };
            if (users->any.len == 0) {
                users->any = line.hash;
            }
        }
    }
}


static void *
reg_users_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    size_t                lines = 1;
    reg_users_odd_t       odd = { path, says, 0 };
    reg_users_content_t  *users;

    for (size_t i = 0; i < text.len; i++) {
        lines += text.data[i] == '\n';
    }

    if (lines > REG_USERS_MAX + 1) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%.160s: more than %d"
                             " lines", path, REG_USERS_MAX);
        return NULL;
    }

    users = calloc(1, sizeof(*users));

    if (users == NULL
        || (users->list = calloc(lines, sizeof(*users->list))) == NULL)
    {
        free(users);
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", path);
        return NULL;
    }

    reg_users_read(users, text, &odd);
    reg_users_unite(users, &odd);

    if (odd.n > REG_USERS_NAMED) {
        reg_buf_printf(says, "%.200s: %zu more lines are not used\n", path,
                       odd.n - REG_USERS_NAMED);
    }

    return users;
}


static const reg_reread_kind_t  reg_users_kind = {
    .max = REG_USERS_FILE_MAX,
    .optional = false,
    .parse = reg_users_parse,
    .free = reg_users_free,
};


/* reg_users_t is a name for what reg_reread keeps. */
static reg_reread_t *
reg_users_file(reg_users_t *users)
{
    return (reg_reread_t *) users;
}


int
reg_users_open(reg_users_t **users, const char *path, reg_error_t *err)
{
    reg_reread_t  *file;

    if (reg_reread_open(&file, path, &reg_users_kind, err) == -1) {
        return -1;
    }

    *users = (reg_users_t *) file;
    return 0;
}


void
reg_users_close(reg_users_t *users)
{
    reg_reread_close(reg_users_file(users));
}


uint64_t
reg_users_age(reg_users_t *users)
{
    return reg_reread_age(reg_users_file(users));
}


int
reg_users_message(reg_users_t *users, char *out, size_t size)
{
    return reg_reread_message(reg_users_file(users), out, size);
}


/* ---- passwords ----------------------------------------------------------- */


static const reg_user_t *
reg_users_find(const reg_users_content_t *users, reg_str_t name)
{
    size_t  low = 0, high = users->n;

    while (low < high) {
        size_t  mid = low + (high - low) / 2;
        int     order = reg_str_compare(users->list[mid].name, name);

        if (order == 0) {
            return &users->list[mid];
        }

        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return NULL;
}


static void
reg_users_print(const reg_user_t *user, unsigned char print[REG_LOGIN_PRINT])
{
    (void) SHA256((const unsigned char *) user->hash.data, user->hash.len,
                  print);
}


int
reg_users_verify(reg_users_t *users, reg_str_t name, reg_str_t password,
    unsigned char print[REG_LOGIN_PRINT], reg_error_t *err)
{
    /* of the usual cost, of nothing: for a file without accounts */
    const reg_str_t             nobody = REG_STR("$2y$10$abcdefghijklmnopqrstuu"
                                                 "WVSX1ZVZ7IUvYyQ9oD8rWRXnmYzT"
                                                 "5CK");
    int                         rc;
    const reg_reading_t        *reading;
    const reg_users_content_t  *content;
    const reg_user_t           *user;

    if (!reg_user_valid(name)) {
        return 0;
    }

    reading = reg_reread_hold(reg_users_file(users));
    content = reading->content;
    user = reg_users_find(content, name);

    if (user != NULL) {
        rc = reg_password_verify(user->hash, password, err);

    } else {
        /* takes as long as somebody's, and is wrong in any case */
        rc = reg_password_verify(content->any.len > 0 ? content->any : nobody,
                                 password, err);
        rc = rc == 1 ? 0 : rc;
    }

    if (rc == 1) {
        reg_users_print(user, print);
    }

    reg_reread_release(reg_users_file(users), reading);

    return rc;
}


bool
reg_users_has(reg_users_t *users, reg_str_t name,
    unsigned char print[REG_LOGIN_PRINT])
{
    const reg_reading_t  *reading = reg_reread_hold(reg_users_file(users));
    const reg_user_t     *user = reg_users_find(reading->content, name);

    if (user != NULL) {
        reg_users_print(user, print);
    }

    reg_reread_release(reg_users_file(users), reading);

    return user != NULL;
}
