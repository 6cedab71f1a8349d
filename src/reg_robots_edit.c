#include "reg_robots_edit.h"

#include <errno.h>
#include <unistd.h>

#include <jansson.h>

#include "reg_edit.h"


/* The place of a robot in the list, or SIZE_MAX. */
static size_t
reg_robots_index(const json_t *list, reg_str_t name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t  *value = json_object_get(json_array_get(list, i), "name");

        if (json_is_string(value)
            && reg_str_eq((reg_str_t) { json_string_length(value),
                                        json_string_value(value) }, name))
        {
            return i;
        }
    }

    return SIZE_MAX;
}


static int
reg_robots_commit(reg_edit_t *edit, const json_t *root, reg_error_t *err)
{
    int        rc;
    reg_buf_t  out = REG_BUF_INIT;
    char      *text = json_dumps(root, JSON_INDENT(2));

    if (text != NULL) {
        reg_buf_puts(&out, text);
        reg_buf_put(&out, "\n", 1);
    }

    rc = text == NULL || !reg_buf_ok(&out)
         ? reg_error_sys(err, ENOMEM, REG_UNKNOWN, "write", edit->path)
         : out.len > REG_ROBOTS_FILE_MAX
         ? reg_error_sys(err, EFBIG, REG_UNKNOWN, "write", edit->path)
         : reg_edit_commit(edit, reg_buf_str(&out), err);

    free(text);
    reg_buf_free(&out);

    return rc;
}


int
reg_robots_create(const char *path, const reg_robot_t *robot,
    char secret[REG_ROBOT_SECRET + 1], reg_error_t *err)
{
    int          rc = -1;
    json_t      *root = NULL, *list;
    reg_edit_t   edit;
    const char  *odd = reg_robot_odd(robot);

    if (odd != NULL) {
        return reg_error_set(err, REG_BAD_REQUEST, "%s", odd);
    }

    if (reg_robot_secret(secret, err) == -1
        || reg_edit_begin(&edit, path, REG_ROBOTS_FILE_MAX, err) == -1)
    {
        return -1;
    }

    root = reg_robot_document(reg_edit_text(&edit), path, err);

    if (root == NULL) {
        goto out;
    }

    list = json_object_get(root, "robots");

    if (reg_robots_index(list, robot->name) != SIZE_MAX) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "there is a robot of that"
                             " name already: revoke it first");
        goto out;
    }

    if (json_array_size(list) >= REG_ROBOTS_MAX
        || json_array_append_new(list, reg_robot_format(robot, secret)) == -1)
    {
        (void) reg_error_set(err, REG_BAD_REQUEST, "no room for one more"
                             " robot");
        goto out;
    }

    rc = reg_robots_commit(&edit, root, err);

out:
    json_decref(root);
    reg_edit_end(&edit);

    return rc;
}


int
reg_robots_revoke(const char *path, reg_str_t name, reg_error_t *err)
{
    int         rc = -1;
    size_t      i;
    json_t     *root, *list;
    reg_edit_t  edit;

    /* no file is made for a robot that goes */
    if (access(path, F_OK) == -1 && errno == ENOENT) {
        return reg_error_set(err, REG_BAD_REQUEST, "there is no robot of that"
                             " name");
    }

    if (reg_edit_begin(&edit, path, REG_ROBOTS_FILE_MAX, err) == -1) {
        return -1;
    }

    root = reg_robot_document(reg_edit_text(&edit), path, err);

    if (root == NULL) {
        goto out;
    }

    list = json_object_get(root, "robots");
    i = reg_robots_index(list, name);

    if (i == SIZE_MAX) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "there is no robot of that"
                             " name");
        goto out;
    }

    /* others by the same name would take its place */
    while (i != SIZE_MAX) {
        (void) json_array_remove(list, i);       /* there is one */
        i = reg_robots_index(list, name);
    }

    rc = reg_robots_commit(&edit, root, err);

out:
    json_decref(root);
    reg_edit_end(&edit);

    return rc;
}
