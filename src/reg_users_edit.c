#include "reg_users_edit.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_edit.h"
#include "reg_reread.h"
#include "reg_users.h"


static const struct {
    bool         wanted;                 /* that there is one */
    const char  *why;
} reg_users_changes[] = {
    [REG_USERS_ADD] = { false, "there is an account of that name already" },
    [REG_USERS_CHANGE] = { true, "there is no account of that name" },
    [REG_USERS_REMOVE] = { true, "there is no account of that name" },
};


/* Whether a line is about this account, be it one that works or not. */
static bool
reg_users_edit_is(reg_str_t text, reg_str_t user)
{
    reg_users_line_t  line;

    reg_users_line_parse(&line, text);

    return line.kind != REG_USERS_NOTHING && reg_str_eq(line.name, user);
}


/* Copies all lines but those of user, for the first of which stands hash (if
 * there is one).  Returns whether there was any. */
static bool
reg_users_edit_lines(reg_buf_t *out, reg_str_t text, reg_str_t user,
    const char *hash)
{
    bool  found = false;

    while (text.len > 0) {
        reg_str_t  whole = text;
        reg_str_t  line = reg_str_cut(&text, '\n');

        if (!reg_users_edit_is(line, user)) {
            reg_buf_put(out, whole.data, whole.len - text.len);

        } else if (hash != NULL && !found) {
            reg_buf_printf(out, "%.*s:%s\n", REG_STR_ARG(user), hash);
        }

        found |= reg_users_edit_is(line, user);
    }

    return found;
}


int
reg_users_edit(const char *path, reg_users_change_t change, reg_str_t user,
    const char *hash, reg_error_t *err)
{
    int         rc = -1;
    bool        found;
    reg_buf_t   out = REG_BUF_INIT;
    reg_edit_t  edit;

    if (!reg_user_valid(user) || user.data[0] == '#'
        || reg_str_starts(user, REG_USER_ROBOT))
    {
        return reg_error_set(err, REG_BAD_REQUEST, "a name has 1 to %d bytes"
                             " of text without ':', and begins neither with #"
                             " nor with robot$", REG_USER_MAX);
    }

    /* a new file is made only for an account that comes into it */
    if (change != REG_USERS_ADD && access(path, F_OK) == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", path);
    }

    if (reg_edit_begin(&edit, path, REG_USERS_FILE_MAX, err) == -1) {
        return -1;
    }

    found = reg_users_edit_lines(&out, reg_edit_text(&edit), user, hash);

    if (found != reg_users_changes[change].wanted) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%s",
                             reg_users_changes[change].why);
        goto out;
    }

    if (!found) {
        if (out.len > 0 && out.data[out.len - 1] != '\n') {
            reg_buf_put(&out, "\n", 1);
        }

        reg_buf_printf(&out, "%.*s:%s\n", REG_STR_ARG(user), hash);
    }

    if (!reg_buf_ok(&out)) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "edit", path);

    } else if (out.len > REG_USERS_FILE_MAX) {
        (void) reg_error_sys(err, EFBIG, REG_UNKNOWN, "edit", path);

    } else {
        rc = reg_edit_commit(&edit, reg_buf_str(&out), err);
    }

out:
    reg_edit_end(&edit);
    reg_buf_free(&out);

    return rc;
}


int
reg_users_list(const char *path, reg_users_list_pt call, void *ctx,
    reg_error_t *err)
{
    int               sys, fd = open(path, O_RDONLY | O_CLOEXEC);
    reg_buf_t         text = REG_BUF_INIT;
    reg_str_t         rest;
    reg_users_line_t  line;

    sys = fd == -1 ? errno : reg_reread_load(fd, REG_USERS_FILE_MAX, &text);
    rest = sys == 0 ? reg_buf_str(&text) : REG_STR_NULL;

    for (size_t number = 1; rest.len > 0; number++) {
        reg_users_line_parse(&line, reg_str_cut(&rest, '\n'));

        if (line.kind != REG_USERS_NOTHING
            && call(ctx, number, line.name, line.why) == -1)
        {
            break;
        }
    }

    if (fd != -1) {
        (void) close(fd);                        /* it was only read */
    }

    reg_buf_free(&text);

    return sys == 0 ? 0 : reg_error_sys(err, sys, REG_UNKNOWN, "read", path);
}
