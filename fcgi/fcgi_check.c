#include "fcgi_check.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg_keys.h"
#include "reg_owner.h"
#include "reg_store.h"


/* In a service (systemd.exec(5): INVOCATION_ID) it is rather the unit that has
 * made a file system read-only. */
static const char *
fcgi_check_hint(int sys)
{
    return sys == EROFS && getenv("INVOCATION_ID") != NULL
           ? ", unless ReadWritePaths= of the unit names it" : "";
}


static int
fcgi_check_bad(const char *what, const char *path, reg_error_t *err)
{
    (void) reg_error_sys(err, errno, REG_UNKNOWN, "use", path);
    (void) snprintf(err->message, sizeof(err->message), "%s: %.130s: %.40s%s",
                    what, path, strerror(err->sys), fcgi_check_hint(err->sys));
    return -1;
}


/* Goes up to the deepest directory that is there; returns the topmost that is
 * not, "" if none is missing. */
static reg_path_t
fcgi_check_climb(reg_path_t *at)
{
    reg_path_t   missing = { 0 };
    struct stat  st;

    while (at->len > 1 && stat(at->text, &st) == -1
           && (errno == ENOENT || errno == ENOTDIR))
    {
        missing = *at;
        reg_path_parent(at);
    }

    return missing;
}


/* A directory of the tree, which is made with those above it: *first is then
 * the topmost. */
static int
fcgi_check_dir(const reg_path_t *dir, reg_path_t *first, reg_error_t *err)
{
    static const char  what[] = "the tree cannot be used";

    reg_path_t   at = *dir;
    struct stat  st;

    *first = fcgi_check_climb(&at);

    if (stat(at.text, &st) == -1) {
        return fcgi_check_bad(what, at.text, err);
    }

    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return fcgi_check_bad(what, at.text, err);
    }

    return access(at.text, R_OK | W_OK | X_OK) == -1
           ? fcgi_check_bad(what, at.text, err) : 0;
}


void
fcgi_check_refusal(const reg_config_t *config, int refused,
    char text[FCGI_CHECK_TEXT])
{
    /* fits: the path is REG_CONFIG_TEXT at most */
    (void) snprintf(text, FCGI_CHECK_TEXT, "the tree %s cannot be written"
                    " (%s%s): pulls are served, pushes and deletes get 503"
                    " until it can", config->root, strerror(refused),
                    fcgi_check_hint(refused));
}


/* A part of the tree, or why it refuses. */
static int
fcgi_check_part(const reg_store_t *look, const reg_path_t *dir,
    reg_path_t *first, int *refused, reg_error_t *err)
{
    reg_error_t  why = REG_ERROR_INIT;

    if (fcgi_check_dir(dir, first, &why) == 0) {
        return 0;
    }

    if (!reg_store_refuses(why.sys)
        || access(look->v2.text, R_OK | X_OK) == -1)
    {
        *err = why;
        return -1;
    }

    *refused = why.sys;

    return 0;
}


static int
fcgi_check_tree(const reg_config_t *config, reg_buf_t *missing,
    int *refused, reg_error_t *err)
{
    static void  (*const dirs[])(reg_path_t *path, const reg_path_t *v2) = {
        reg_layout_repositories, reg_layout_spare, reg_layout_tmp
    };

    int          rc;
    reg_path_t   dir, first, last = { 0 };
    reg_store_t  look;                           /* for the paths */

    if (reg_store_init(&look, reg_str_from(config->root), err) == -1) {
        return -1;
    }

    *refused = 0;
    rc = reg_store_refuse_database(&look, err);

    for (size_t i = 0; rc == 0 && *refused == 0
                       && i < sizeof(dirs) / sizeof(dirs[0]); i++)
    {
        dirs[i](&dir, &look.v2);
        rc = fcgi_check_part(&look, &dir, &first, refused, err);

        if (*refused == 0 && strcmp(first.text, last.text) != 0) {
            reg_buf_printf(missing, "makes: %s\n", first.text);
            last = first;
        }
    }

    reg_store_close(&look);

    return rc;
}


/* The directory of keys (S_IFDIR) or the file of the audit: those above them
 * are not made. */
static int
fcgi_check_alone(const char *what, const char *text, mode_t kind,
    reg_error_t *err)
{
    reg_path_t   path = { .len = strlen(text) };
    struct stat  st;

    (void) reg_str_copy(path.text, sizeof(path.text),
                        reg_str_from(text));     /* REG_CONFIG_TEXT fits */

    if (stat(text, &st) == -1) {
        if (errno == ENOENT) {
            reg_path_parent(&path);
        }

    } else if (S_ISDIR(st.st_mode) != (kind == S_IFDIR)) {
        errno = kind == S_IFDIR ? ENOTDIR : EISDIR;
        return fcgi_check_bad(what, text, err);
    }

    return access(path.text, W_OK | (kind == S_IFDIR ? X_OK : 0)) == -1
           ? fcgi_check_bad(what, text, err) : 0;
}


/* Keys that are there need no place to write to. */
static bool
fcgi_check_has_keys(const reg_config_t *config)
{
    reg_path_t  path = { .len = strlen(config->state) };

    (void) reg_str_copy(path.text, sizeof(path.text),
                        reg_str_from(config->state));            /* it fits */
    reg_path_add(&path, REG_KEYS_FILE);

    return access(path.text, R_OK) == 0;
}


int
fcgi_check_owner(const reg_config_t *config, reg_error_t *err)
{
    int          rc;
    reg_store_t  look;                           /* for the path */

    if (reg_store_init(&look, reg_str_from(config->root), err) == -1) {
        return -1;
    }

    (void) fcgi_check_climb(&look.v2);           /* it is at what is there */
    rc = reg_owner_become(look.v2.text, err);
    reg_store_close(&look);

    return rc;
}


/* Its directory is systemd's to make, or somebody's who makes it once. */
static void
fcgi_check_socket(const reg_config_t *config, reg_buf_t *missing)
{
    reg_path_t  dir = { .len = strlen(config->socket) };

    (void) reg_str_copy(dir.text, sizeof(dir.text),
                        reg_str_from(config->socket));           /* it fits */
    reg_path_parent(&dir);

    if (access(dir.text, F_OK) == -1) {
        reg_buf_printf(missing, "needs: %s, for nginx_registry.socket\n",
                       dir.text);
    }
}


int
fcgi_check_places(const reg_config_t *config, reg_buf_t *missing,
    int *refused, reg_error_t *err)
{
    fcgi_check_socket(config, missing);

    if (fcgi_check_tree(config, missing, refused, err) == -1) {
        return -1;
    }

    if (config->tokens_enabled) {
        if (!fcgi_check_has_keys(config)
            && fcgi_check_alone("nginx_registry.state", config->state,
                                S_IFDIR, err) == -1)
        {
            return -1;
        }

        if (access(config->state, F_OK) == -1) {
            reg_buf_printf(missing, "makes: %s\n", config->state);
        }
    }

    return config->audit_path[0] == '\0'
           ? 0 : fcgi_check_alone("nginx_registry.audit.path",
                                  config->audit_path, S_IFREG, err);
}
