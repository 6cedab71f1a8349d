#include "reg_purge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_removal.h"
#include "reg_repo.h"
#include "reg_upload.h"


typedef struct {
    reg_store_t         *store;
    const reg_purge_t   *purge;
    reg_purge_count_t   *count;
    bool                 ended;
} reg_purge_walk_t;


static void
reg_purge_odd(const reg_purge_walk_t *w, const reg_name_t *name,
    const char *uuid, const reg_error_t *err)
{
    char  about[REG_NAME_MAX + 1 + REG_UUID_LEN + 1];

    w->count->failed++;
    (void) snprintf(about, sizeof(about), "%s%s%.*s", name->text,
                    uuid != NULL ? "/" : "", REG_UUID_LEN,
                    uuid != NULL ? uuid : "");
    w->purge->odd(w->purge->ctx, about, err);
}


/* One upload.  True if it is gone. */
static bool
reg_purge_one(const reg_purge_walk_t *w, const reg_name_t *name,
    const char *uuid)
{
    reg_upload_t  up = REG_UPLOAD_INIT;
    reg_error_t   err = REG_ERROR_INIT;
    int64_t       bytes;
    int           rc;

    rc = reg_upload_claim(&up, w->store, name, uuid, w->purge->since, &err);
    bytes = up.offset;

    if (rc == 1 && !w->purge->dry_run && reg_upload_drop(&up, &err) == -1) {
        rc = -1;
    }

    reg_upload_close(&up);

    if (rc == 1) {
        w->count->purged++;
        w->count->bytes += bytes;

    } else if (rc == -1 && err.sys != ENOENT) {  /* else it has just gone */
        reg_purge_odd(w, name, uuid, &err);
    }

    return rc == 1 && !w->purge->dry_run;
}


/* Whether an _uploads is empty afterwards. */
static bool
reg_purge_sessions(reg_purge_walk_t *w, const reg_name_t *name, DIR *dir)
{
    bool            empty = true;
    struct dirent  *entry;

    while (!w->ended && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0
            || strcmp(entry->d_name, "..") == 0)
        {
            continue;
        }

        if (!reg_uuid_valid(reg_str_from(entry->d_name))) {
            empty = false;                       /* not ours to judge */
            continue;
        }

        w->count->uploads++;
        empty = reg_purge_one(w, name, entry->d_name) && empty;
        w->ended = w->purge->step(w->purge->ctx, w->count) != 0;
    }

    return empty && !w->ended;
}


/* Opens a repository's _uploads.  NULL without an error if there is none. */
static DIR *
reg_purge_open(reg_store_t *store, const reg_path_t *path,
    const reg_path_t *repository, reg_error_t *err)
{
    struct stat  st;
    DIR         *dir = NULL;
    int          fd = store->sys->open(path->text,
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);

    if (fd != -1) {
        dir = fdopendir(fd);
    }

    if (dir != NULL) {
        return dir;
    }

    if (errno != ENOENT) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "open", path->text);

    } else if (lstat(repository->text, &st) == -1) {
        (void) reg_error_sys(err, errno, REG_NAME_UNKNOWN, "open",
                             repository->text);
    }

    if (fd != -1) {
        (void) close(fd);                        /* was only read */
    }

    return NULL;
}


static int
reg_purge_look(reg_purge_walk_t *w, const reg_name_t *name, reg_error_t *err)
{
    reg_path_t  path, repository, stop;
    bool        empty;
    DIR        *dir;

    reg_layout_repository(&repository, &w->store->v2, name);
    reg_layout_uploads(&path, &w->store->v2, name);

    dir = reg_purge_open(w->store, &path, &repository, err);

    if (dir == NULL) {
        return err->code == REG_OK ? 0 : -1;
    }

    w->count->repositories++;
    empty = reg_purge_sessions(w, name, dir);
    (void) closedir(dir);                        /* was only read */

    if (empty && !w->purge->dry_run) {
        reg_layout_repositories(&stop, &w->store->v2);
        reg_removal_prune(w->store, &path, &stop);
    }

    return 0;
}


int
reg_purge_repository(reg_store_t *store, const reg_name_t *name,
    const reg_purge_t *purge, reg_purge_count_t *count, reg_error_t *err)
{
    reg_purge_walk_t  w = { store, purge, count, false };

    return reg_purge_look(&w, name, err) == -1 ? -1 : w.ended;
}


/* For reg_repo_list_all(): text is a name. */
static int
reg_purge_item(void *ctx, reg_str_t text)
{
    reg_purge_walk_t  *w = ctx;
    reg_name_t         name;
    reg_error_t        err = REG_ERROR_INIT;

    if (reg_name_parse(&name, text) == 0
        && reg_purge_look(w, &name, &err) == -1
        && err.code != REG_NAME_UNKNOWN)
    {
        reg_purge_odd(w, &name, NULL, &err);
    }

    w->ended = w->ended || w->purge->step(w->purge->ctx, w->count) != 0;

    return w->ended;
}


int
reg_purge_all(reg_store_t *store, const reg_purge_t *purge,
    reg_purge_count_t *count, reg_error_t *err)
{
    reg_purge_walk_t  w = { store, purge, count, false };

    if (reg_repo_list_all(store, reg_purge_item, &w, err) == -1) {
        return -1;
    }

    return w.ended;
}
