#include "reg_owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>


#define REG_OWNER_TEXT  4096             /* a line of passwd(5) */


/* The groups that the worker has as well: one of them may open a socket. */
static int
reg_owner_groups(const struct stat *st)
{
    char            text[REG_OWNER_TEXT];
    struct passwd   account;
    struct passwd  *found = NULL;

    if (getpwuid_r(st->st_uid, &account, text, sizeof(text), &found) != 0
        || found == NULL)
    {
        return setgroups(0, NULL);       /* a number without a name has none */
    }

    return initgroups(found->pw_name, st->st_gid);
}


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

    if (reg_owner_groups(&st) == -1 || setgid(st.st_gid) == -1
        || setuid(st.st_uid) == -1)
    {
        return reg_error_sys(err, errno, REG_UNKNOWN, "become the owner of",
                             path);
    }

    return 0;
}
