#include "reg_owner.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>


int
reg_owner_become(const char *path, reg_error_t *err)
{
    struct stat  st;

    if (stat(path, &st) == -1) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "no registry's tree:",
                             path);
    }

    if (geteuid() != 0 || st.st_uid == 0) {
        return 0;
    }

    if (setgroups(0, NULL) == -1 || setgid(st.st_gid) == -1
        || setuid(st.st_uid) == -1)
    {
        return reg_error_sys(err, errno, REG_UNKNOWN, "become the owner of",
                             path);
    }

    return 0;
}
