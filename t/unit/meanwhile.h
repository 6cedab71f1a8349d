/*
 * What somebody else does between our open of a file and what we do with it.
 *
 *     do_meanwhile(is_removed, path);         at the next open of path, once
 *     …
 *     assert_null(meanwhile);                 it was done
 */

#ifndef MEANWHILE_H
#define MEANWHILE_H

#include "tree.h"


static void  (*meanwhile)(const char *path);
static char  meanwhile_path[REG_PATH_MAX];
static int   opened;


static inline int
meanwhile_open(const char *path, int flags, mode_t mode)
{
    void  (*now)(const char *path) = meanwhile;
    int     fd = reg_sys_kernel.open(path, flags, mode);

    if (now != NULL && strcmp(path, meanwhile_path) == 0) {
        opened++;
        meanwhile = NULL;
        now(path);
    }

    return fd;
}


static inline void
do_meanwhile(void (*what)(const char *path), reg_path_t path)
{
    static reg_sys_t  sys;

    sys = reg_sys_kernel;
    sys.open = meanwhile_open;
    tree_store.sys = &sys;
    meanwhile = what;
    memcpy(meanwhile_path, path.text, sizeof(meanwhile_path));
    opened = 0;
}

#endif
