#include "reg_tmp.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_file.h"


#define REG_TMP_MODE  0644


int
reg_tmp_name(char name[REG_TMP_NAME], reg_error_t *err)
{
    static const char  hex[] = "0123456789abcdef";

    unsigned char  random[(REG_TMP_NAME - 1) / 2];

    if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "_tmp");
    }

    for (size_t i = 0; i < sizeof(random); i++) {
        name[2 * i] = hex[random[i] >> 4];
        name[2 * i + 1] = hex[random[i] & 0x0f];
    }

    name[2 * sizeof(random)] = '\0';

    return 0;
}


void
reg_tmp_path(reg_path_t *path, const reg_store_t *store, const char *name)
{
    reg_layout_tmp(path, &store->v2);
    reg_path_add(path, name);
}


int
reg_tmp_new(reg_path_t *path, const reg_store_t *store, reg_error_t *err)
{
    char  name[REG_TMP_NAME];

    if (reg_tmp_name(name, err) == -1) {
        return -1;
    }

    reg_tmp_path(path, store, name);

    return 0;
}


static int
reg_tmp_open(reg_store_t *store, const reg_path_t *path, reg_error_t *err)
{
    reg_path_t  dir;
    int         fd;

    for (int tries = 0; ; tries++) {
        fd = store->sys->open(path->text, O_WRONLY | O_CREAT | O_EXCL,
                              REG_TMP_MODE);

        if (fd != -1) {
            return fd;
        }

        if (errno != ENOENT || tries > 0) {
            return reg_error_sys(err, errno, REG_UNKNOWN, "create",
                                 path->text);
        }

        dir = *path;
        reg_path_parent(&dir);

        if (reg_dir_mkdir(store, &dir, err) == -1) {
            return -1;
        }
    }
}


int
reg_tmp_create(reg_store_t *store, const reg_path_t *path, reg_str_t content,
    reg_error_t *err)
{
    int  fd = reg_tmp_open(store, path, err);

    if (fd == -1) {
        return -1;
    }

    if (reg_file_write(store->sys, fd, content, 0, path->text, err) == -1) {
        (void) close(fd);
        (void) store->sys->unlink(path->text);       /* else litter */
        return -1;
    }

    return fd;
}
