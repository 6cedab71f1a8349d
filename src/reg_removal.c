#include "reg_removal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_file.h"
#include "reg_tmp.h"


/* deeper than anything that the layout has below an upload or a tag */
#define REG_REMOVAL_DEPTH  8


void
reg_removal_prune(reg_store_t *store, reg_path_t *dir, const reg_path_t *stop)
{
    while (dir->len > stop->len && store->sys->rmdir(dir->text) == 0) {
        reg_path_parent(dir);
    }
}


int
reg_removal_unlink(reg_store_t *store, const reg_path_t *path,
    const reg_path_t *stop, reg_error_code_t missing, reg_error_t *err)
{
    reg_path_t  dir = *path;
    int         fd, rc;

    if (store->sys->unlink(path->text) == -1) {
        return reg_error_sys(err, errno, missing, "unlink", path->text);
    }

    reg_path_parent(&dir);
    reg_removal_prune(store, &dir, stop);

    /* the deepest directory that is left: its sync makes all below vanish; it
     * may have gone too, with somebody else's delete */
    while ((fd = reg_dir_open(store, dir.text)) == -1
           && errno == ENOENT && dir.len > store->v2.len)
    {
        reg_path_parent(&dir);
    }

    if (fd == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "open", dir.text);
    }

    rc = reg_file_sync(store->sys, fd, dir.text, err);
    (void) close(fd);

    return rc;
}


static void
reg_removal_discard_at(int parent, const char *name, int depth)
{
    struct dirent  *entry;
    DIR            *dir;
    int             fd;

    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    dir = fd == -1 ? NULL : fdopendir(fd);

    if (dir == NULL) {
        if (fd != -1) {
            (void) close(fd);
        }
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0
            || strcmp(entry->d_name, "..") == 0)
        {
            continue;
        }

        /* what is a directory is not unlinked: EISDIR (EPERM elsewhere) */
        if (unlinkat(fd, entry->d_name, 0) == -1 && depth > 0) {
            reg_removal_discard_at(fd, entry->d_name, depth - 1);
        }
    }

    (void) closedir(dir);
    (void) unlinkat(parent, name, AT_REMOVEDIR);    /* best effort */
}


void
reg_removal_discard(const reg_path_t *dir)
{
    reg_removal_discard_at(AT_FDCWD, dir->text, REG_REMOVAL_DEPTH);
}


int
reg_removal_set_aside(reg_store_t *store, const reg_path_t *dir,
    const reg_path_t *tmp, reg_error_code_t missing, reg_error_t *err)
{
    reg_path_t  parent = *tmp;

    if (store->sys->rename(dir->text, tmp->text) == 0) {
        return 0;
    }

    reg_path_parent(&parent);

    /* it may be _tmp that is missing */
    if (errno == ENOENT
        && (reg_dir_mkdir(store, &parent, err) == -1
            || store->sys->rename(dir->text, tmp->text) == 0))
    {
        return err->code == REG_OK ? 0 : -1;
    }

    return reg_error_sys(err, errno, missing, "rename", dir->text);
}


int
reg_removal_rmtree(reg_store_t *store, const reg_path_t *dir,
    reg_error_code_t missing, reg_error_t *err)
{
    reg_path_t  parent = *dir;
    reg_path_t  tmp;
    int         fd, rc;

    if (reg_tmp_new(&tmp, store, err) == -1) {
        return -1;
    }

    reg_path_parent(&parent);
    fd = reg_dir_open(store, parent.text);

    if (fd == -1) {
        return reg_error_sys(err, errno, missing, "open", parent.text);
    }

    if (reg_removal_set_aside(store, dir, &tmp, missing, err) == -1) {
        (void) close(fd);
        return -1;
    }

    rc = reg_file_sync(store->sys, fd, parent.text, err);
    (void) close(fd);

    reg_removal_discard(&tmp);

    return rc;
}


int
reg_removal_drop(reg_store_t *store, const reg_path_t *dir,
    reg_error_code_t missing, reg_error_t *err)
{
    reg_path_t  tmp;

    if (reg_tmp_new(&tmp, store, err) == -1
        || reg_removal_set_aside(store, dir, &tmp, missing, err) == -1)
    {
        return -1;
    }

    reg_removal_discard(&tmp);

    return 0;
}


void
reg_removal_sweep(reg_store_t *store, time_t now, time_t age)
{
    struct dirent  *entry;
    struct stat     st;
    reg_path_t      path;
    DIR            *dir;

    reg_layout_tmp(&path, &store->v2);
    dir = opendir(path.text);

    if (dir == NULL) {
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.'
            || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW)
               == -1
            || st.st_mtime > now - age)
        {
            continue;
        }

        if (unlinkat(dirfd(dir), entry->d_name, 0) == -1) {
            reg_removal_discard_at(dirfd(dir), entry->d_name,
                                   REG_REMOVAL_DEPTH);
        }
    }

    (void) closedir(dir);
}
