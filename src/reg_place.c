#include "reg_place.h"

#include <errno.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_file.h"
#include "reg_removal.h"


/* how often a rename is tried again when gc or a delete removes the directory
 * that was just made for it */
#define REG_PLACE_RETRIES  8


static int
reg_place_create(reg_store_t *store, const reg_path_t *path,
    reg_str_t content, reg_error_t *err)
{
    int  fd = reg_tmp_create(store, path, content, err);

    if (fd == -1) {
        return -1;
    }

    (void) close(fd);                   /* somebody else sees to it */
    return 0;
}


/* A new file in _tmp/, which is to be put. */
static int
reg_place_write(reg_store_t *store, reg_place_t *place, reg_str_t content,
    reg_error_t *err)
{
    reg_path_t  path;

    if (reg_tmp_name(place->name, err) == -1) {
        return -1;
    }

    reg_tmp_path(&path, store, place->name);

    return reg_place_create(store, &path, content, err);
}


static int
reg_place_make_parent(reg_store_t *store, const reg_path_t *path,
    reg_error_t *err)
{
    reg_path_t  dir = *path;

    reg_path_parent(&dir);

    return reg_dir_make(store, &dir, err);
}


/* ---- before -------------------------------------------------------------- */


/* From above, since nothing of it is there: the directories that path goes
 * through from this byte on. */
static int
reg_place_make_below(reg_store_t *store, size_t from, const reg_path_t *path,
    reg_error_t *err)
{
    reg_path_t  dir = *path;

    for (size_t i = from; i < path->len; i++) {
        if (path->text[i] != '/') {
            continue;
        }

        dir.text[i] = '\0';

        if (store->sys->mkdir(dir.text, REG_DIR_MODE) == -1) {
            return reg_place_make_parent(store, path, err);
        }

        dir.text[i] = '/';
    }

    return 0;
}


/* False if that cannot be: some file systems have no second names. */
static bool
reg_place_link(const reg_store_t *store, const char *twin,
    const reg_path_t *path)
{
    reg_path_t  from;

    if (twin == NULL) {
        return false;
    }

    reg_tmp_path(&from, store, twin);

    return store->sys->link(from.text, path->text) == 0;
}


/* A file of a directory in _tmp/. */
static int
reg_place_prepare_inside(reg_store_t *store, const reg_place_file_t *file,
    const reg_place_t *before, reg_place_t *place, reg_error_t *err)
{
    reg_path_t  path;
    size_t      from;

    if (before != NULL) {
        memcpy(place->name, before->name, sizeof(place->name));
    } else if (reg_tmp_name(place->name, err) == -1) {
        return -1;
    }

    place->whole = file->whole;
    reg_tmp_path(&path, store, place->name);
    from = before != NULL ? path.len + 1 : path.len;
    reg_path_add(&path, file->path->text + file->whole + 1);

    if (reg_place_make_below(store, from, &path, err) == -1) {
        return -1;
    }

    return reg_place_link(store, file->twin, &path)
           ? 0 : reg_place_create(store, &path, file->content, err);
}


int
reg_place_prepare(reg_store_t *store, const reg_place_file_t *file,
    const reg_place_t *before, reg_place_t *place, reg_error_t *err)
{
    int  rc, fd;

    *place = (reg_place_t) { .whole = 0 };

    if (file->whole > 0) {
        return reg_place_prepare_inside(store, file, before, place, err);
    }

    rc = reg_place_make_parent(store, file->path, err);

    if (rc == -1) {
        return -1;
    }

    /* nothing is in a directory that is new */
    errno = 0;
    fd = rc == 1 ? -1 : reg_file_open_same(store, file->path->text,
                                           file->content);
    if (fd != -1) {
        (void) close(fd);               /* was only read */
        return 0;
    }

    if (errno == ENOTDIR) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open",
                             file->path->text);
    }

    return reg_place_write(store, place, file->content, err);
}


/* ---- after --------------------------------------------------------------- */


/* 1: from is a directory, and to is there. */
int
reg_place_rename(reg_store_t *store, const reg_path_t *from,
    const reg_path_t *to, reg_error_t *err)
{
    for (int tries = 0; ; tries++) {
        if (store->sys->rename(from->text, to->text) == 0) {
            return 0;
        }

        if (errno == ENOTEMPTY || errno == EEXIST) {
            return 1;
        }

        if (errno != ENOENT || tries == REG_PLACE_RETRIES) {
            return reg_error_sys(err, errno, REG_UNKNOWN, "rename", to->text);
        }

        /* somebody removed the directory while it was empty */
        if (reg_place_make_parent(store, to, err) == -1) {
            return -1;
        }
    }
}


/* The directory; or of one that has come since, this file. */
static int
reg_place_put_whole(reg_store_t *store, reg_place_t *place,
    const reg_path_t *path, reg_error_t *err)
{
    reg_path_t  from, dir = *path;
    int         rc;

    dir.len = place->whole;
    dir.text[dir.len] = '\0';
    reg_tmp_path(&from, store, place->name);

    rc = reg_place_rename(store, &from, &dir, err);

    if (rc == -1) {
        return -1;
    }

    if (rc == 0) {
        place->name[0] = '\0';
        return 1;
    }

    reg_path_add(&from, path->text + place->whole + 1);

    return reg_place_rename(store, &from, path, err);
}


int
reg_place_put(reg_store_t *store, reg_place_t *place, const reg_path_t *path,
    reg_error_t *err)
{
    reg_path_t  from;

    if (place->name[0] == '\0') {
        return 0;
    }

    if (place->whole > 0) {
        return reg_place_put_whole(store, place, path, err);
    }

    reg_tmp_path(&from, store, place->name);

    if (reg_place_rename(store, &from, path, err) != 0) {
        return -1;
    }

    place->name[0] = '\0';
    return 0;
}


void
reg_place_abandon(reg_store_t *store, reg_place_t *place)
{
    reg_path_t  path;

    if (place->name[0] == '\0') {
        return;
    }

    reg_tmp_path(&path, store, place->name);

    if (place->whole > 0) {
        reg_removal_discard(&path);
    } else {
        (void) store->sys->unlink(path.text);    /* else litter */
    }

    place->name[0] = '\0';
}


/* ---- after a crash ------------------------------------------------------- */


/* Whether something is there that a file, or a directory, cannot be made of.
 * A directory may be a link to one on another disk. */
static bool
reg_place_is_odd(const char *path, bool is_file)
{
    struct stat  st;

    return is_file ? lstat(path, &st) == 0 && !S_ISREG(st.st_mode)
                   : stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}


/* Of the tree's names that lead to path, moves the first one away that is not
 * what it should be. */
static int
reg_place_clear(reg_store_t *store, const reg_path_t *path, reg_error_t *err)
{
    reg_path_t  part = *path, tmp;
    size_t      len = store->v2.len;

    while (len < path->len) {
        do {
            len++;
        } while (len < path->len && path->text[len] != '/');

        part.text[len] = '\0';
        part.len = len;

        if (reg_place_is_odd(part.text, len == path->len)) {
            return reg_tmp_new(&tmp, store, err) == -1
                   ? -1
                   : reg_removal_set_aside(store, &part, &tmp, REG_UNKNOWN,
                                           err);
        }

        part.text[len] = path->text[len];
    }

    return 0;
}


int
reg_place_restore(reg_store_t *store, const reg_path_t *path,
    reg_str_t content, reg_error_t *err)
{
    reg_place_t  place = { .whole = 0 };
    int          rc = -1;

    if (reg_place_clear(store, path, err) == -1
        || reg_place_make_parent(store, path, err) == -1)
    {
        return -1;
    }

    if (reg_place_write(store, &place, content, err) == 0) {
        rc = reg_place_put(store, &place, path, err);
    }

    reg_place_abandon(store, &place);

    return rc;
}
