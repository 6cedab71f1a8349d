#include "reg_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg_edit.h"
#include "reg_keyset.h"
#include "reg_reread.h"


struct reg_keys_s {
    reg_reread_t  *file;
};


/* ---- the file ------------------------------------------------------------ */


static int
reg_keys_path(const char *state, char *out, size_t size, reg_error_t *err)
{
    int  n = snprintf(out, size, "%s/%s", state, REG_KEYS_FILE);

    return n > 0 && (size_t) n < size ? 0
           : reg_error_set(err, REG_BAD_REQUEST, "the path %.100s is too long",
                           state);
}


/* Appends the whole set, with the private parts: first, then the others but
 * without (which may be NULL). */
static int
reg_keys_format(const reg_keyset_t *set, const reg_jwk_t *first,
    const reg_jwk_t *without, reg_buf_t *out, reg_error_t *err)
{
    const char  *comma = "";

    reg_buf_puts(out, "{\"keys\":[");

    if (first != NULL) {
        if (reg_jwk_format(first, out, err) == -1) {
            return -1;
        }

        comma = ",\n";
    }

    for (size_t i = 0; set != NULL && i < set->n; i++) {
        if (set->list[i] == without) {
            continue;
        }

        reg_buf_puts(out, comma);

        if (reg_jwk_format(set->list[i], out, err) == -1) {
            return -1;
        }

        comma = ",\n";
    }

    reg_buf_puts(out, "]}\n");

    return 0;
}


static int
reg_keys_write(reg_edit_t *edit, const reg_keyset_t *set,
    const reg_jwk_t *first, const reg_jwk_t *without, reg_error_t *err)
{
    int        rc = -1;
    reg_buf_t  text = REG_BUF_INIT;

    if (reg_keys_format(set, first, without, &text, err) == -1) {
        goto out;
    }

    if (!reg_buf_ok(&text) || text.len > REG_KEYS_FILE_MAX) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "too many keys: remove old"
                             " ones first");
        goto out;
    }

    rc = reg_edit_commit(edit, reg_buf_str(&text), err);

out:
    if (text.data != NULL) {
        explicit_bzero(text.data, text.len);
    }

    reg_buf_free(&text);
    return rc;
}


/* What is in the file, which is locked; an empty one has no keys. */
static int
reg_keys_begin(const char *path, reg_edit_t *edit, reg_keyset_t **set,
    reg_error_t *err)
{
    reg_buf_t  says = REG_BUF_INIT;

    *set = NULL;

    if (reg_edit_begin(edit, path, REG_KEYS_FILE_MAX, err) == -1) {
        return -1;
    }

    if (reg_edit_text(edit).len > 0) {
        *set = reg_keyset_parse(reg_edit_text(edit), path, &says, err);
        reg_buf_free(&says);

        if (*set == NULL) {
            reg_edit_end(edit);
            return -1;
        }
    }

    return 0;
}


/* A new file is for whoever the directory belongs to, and nobody else: other
 * files that are edited may be read by a group. */
static int
reg_keys_touch(const char *state, const char *path, reg_error_t *err)
{
    struct stat  st;
    int          sys = 0, fd;

    fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd == -1) {
        return errno == EEXIST ? 0
               : reg_error_sys(err, errno, REG_UNKNOWN, "create", path);
    }

    /* registryctl may be root's; the worker is to read it */
    if (geteuid() == 0
        && (stat(state, &st) == -1 || fchown(fd, st.st_uid, st.st_gid) == -1))
    {
        sys = errno;
    }

    (void) close(fd);                            /* nothing was written */

    return sys == 0 ? 0 : reg_error_sys(err, sys, REG_UNKNOWN, "chown", path);
}


static int
reg_keys_new(const char *path, reg_jwk_kind_t kind, bool only_first,
    char id[REG_JWK_ID], reg_error_t *err)
{
    int            rc = -1;
    reg_edit_t     edit;
    reg_keyset_t  *set;
    reg_jwk_t     *key = NULL;

    if (reg_keys_begin(path, &edit, &set, err) == -1) {
        return -1;
    }

    if (only_first && set != NULL && set->n > 0) {
        rc = 0;                          /* another one was there before us */
        goto out;
    }

    key = reg_jwk_generate(kind, err);

    if (key == NULL || reg_keys_write(&edit, set, key, NULL, err) == -1) {
        goto out;
    }

    (void) snprintf(id, REG_JWK_ID, "%s", reg_jwk_thumbprint(key));
    rc = 0;

out:
    reg_jwk_free(key);
    reg_keyset_free(set);
    reg_edit_end(&edit);

    return rc;
}


int
reg_keys_rotate(const char *state, reg_jwk_kind_t kind, char id[REG_JWK_ID],
    reg_error_t *err)
{
    char  path[REG_PATH_MAX];

    return reg_keys_path(state, path, sizeof(path), err) == -1
           || reg_keys_touch(state, path, err) == -1 ? -1
           : reg_keys_new(path, kind, false, id, err);
}


int
reg_keys_remove(const char *state, reg_str_t id, reg_error_t *err)
{
    int               rc = -1;
    char              path[REG_PATH_MAX];
    reg_edit_t        edit;
    reg_keyset_t     *set;
    const reg_jwk_t  *key;

    if (reg_keys_path(state, path, sizeof(path), err) == -1
        || reg_keys_begin(path, &edit, &set, err) == -1)
    {
        return -1;
    }

    key = set == NULL ? NULL : reg_keyset_find(set, id);

    if (key == NULL) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "there is no such key");

    } else if (set->n == 1) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "it is the only key: rotate"
                             " first");
    } else {
        rc = reg_keys_write(&edit, set, NULL, key, err);
    }

    reg_keyset_free(set);
    reg_edit_end(&edit);

    return rc;
}


/* ---- reading ------------------------------------------------------------- */


static void *
reg_keys_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    reg_keyset_t  *set = reg_keyset_parse(text, path, says, err);

    if (set != NULL && set->n == 0) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%.160s: no key in it",
                             path);
        reg_keyset_free(set);
        return NULL;
    }

    return set;
}


static void
reg_keys_free(void *content)
{
    reg_keyset_free(content);
}


static const reg_reread_kind_t  reg_keys_kind = {
    REG_KEYS_FILE_MAX, false, reg_keys_parse, reg_keys_free
};


int
reg_keys_open(reg_keys_t **out, const char *state, reg_jwk_kind_t kind,
    reg_error_t *err)
{
    char         path[REG_PATH_MAX], id[REG_JWK_ID];
    reg_keys_t  *keys;

    if (mkdir(state, 0700) == -1 && errno != EEXIST) {
        (void) snprintf(err->message, sizeof(err->message),
                        "nginx_registry.state: %.120s: %.60s", state,
                        strerror(errno));
        return reg_error_sys(err, errno, REG_UNKNOWN, "mkdir", state);
    }

    if (reg_keys_path(state, path, sizeof(path), err) == -1
        || reg_keys_touch(state, path, err) == -1
        || reg_keys_new(path, kind, true, id, err) == -1)
    {
        return -1;
    }

    keys = calloc(1, sizeof(*keys));

    if (keys == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    if (reg_reread_open(&keys->file, path, &reg_keys_kind, err) == -1) {
        free(keys);
        return -1;
    }

    *out = keys;
    return 0;
}


void
reg_keys_close(reg_keys_t *keys)
{
    if (keys != NULL) {
        reg_reread_close(keys->file);
        free(keys);
    }
}


int
reg_keys_sign(reg_keys_t *keys, reg_str_t payload, reg_buf_t *out,
    reg_error_t *err)
{
    int                   rc;
    const reg_reading_t  *reading = reg_reread_hold(keys->file);
    const reg_keyset_t   *set = reading->content;

    rc = reg_jwk_sign(set->list[0], payload, out, err);
    reg_reread_release(keys->file, reading);

    return rc;
}


bool
reg_keys_verify(reg_keys_t *keys, const reg_jws_t *jws)
{
    bool                  good;
    const reg_reading_t  *reading = reg_reread_hold(keys->file);
    const reg_jwk_t      *key;

    key = reg_keyset_find(reading->content, reg_str_from(jws->kid));
    good = key != NULL && reg_jwk_verify(key, jws);
    reg_reread_release(keys->file, reading);

    return good;
}


int
reg_keys_publish(reg_keys_t *keys, reg_buf_t *out, reg_error_t *err)
{
    int                   rc = 0;
    const reg_reading_t  *reading = reg_reread_hold(keys->file);
    const reg_keyset_t   *set = reading->content;

    reg_buf_puts(out, "{\"keys\":[");

    for (size_t i = 0; i < set->n && rc == 0; i++) {
        reg_buf_puts(out, i == 0 ? "" : ",");
        rc = reg_jwk_format_public(set->list[i], out, err);
    }

    reg_buf_puts(out, "]}\n");
    reg_reread_release(keys->file, reading);

    return rc;
}


uint64_t
reg_keys_age(reg_keys_t *keys)
{
    return reg_reread_age(keys->file);
}


int
reg_keys_message(reg_keys_t *keys, char *out, size_t size)
{
    return reg_reread_message(keys->file, out, size);
}


int
reg_keys_list(const char *state, reg_keys_item_pt item, void *ctx,
    reg_error_t *err)
{
    char                  path[REG_PATH_MAX];
    reg_reread_t         *file;
    const reg_reading_t  *reading;
    const reg_keyset_t   *set;

    if (reg_keys_path(state, path, sizeof(path), err) == -1
        || reg_reread_open(&file, path, &reg_keys_kind, err) == -1)
    {
        return -1;
    }

    reading = reg_reread_hold(file);
    set = reading->content;

    for (size_t i = 0; i < set->n; i++) {
        item(ctx, set->list[i], i == 0);
    }

    reg_reread_release(file, reading);
    reg_reread_close(file);

    return 0;
}
