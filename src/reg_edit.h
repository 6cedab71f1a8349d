/*
 * reg_edit: a small file that is changed as a whole, by one at a time.
 *
 *     reg_edit_t  edit;
 *
 *     if (reg_edit_begin(&edit, path, max, err) == -1) …   waits for others
 *     … reg_edit_text(&edit) …
 *     rc = reg_edit_commit(&edit, text, err);
 *     reg_edit_end(&edit);                                 always
 *
 * A file that is not there is made first, empty, with mode 0640 and the group
 * of its directory.  Mode and owner stay.  A symbolic link stays one: what it
 * leads to is replaced.  After a crash there is the old text or the new one.
 *
 * The lock is the file's own (flock), so whoever edits it by other means is not
 * kept out; readers never wait.
 *
 * Blocks: disk
 */

#ifndef REG_EDIT_H
#define REG_EDIT_H

#include <sys/stat.h>

#include "reg_error.h"
#include "reg_layout.h"

typedef struct {
    int          fd;                     /* holds the lock */
    struct stat  st;
    char         path[REG_PATH_MAX];     /* without symbolic links */
    reg_buf_t    text;
} reg_edit_t;


/* max: the bytes that the file may have.  After -1 nothing is held. */
int reg_edit_begin(reg_edit_t *edit, const char *path, size_t max,
    reg_error_t *err);

reg_str_t reg_edit_text(const reg_edit_t *edit);

int reg_edit_commit(reg_edit_t *edit, reg_str_t text, reg_error_t *err);

void reg_edit_end(reg_edit_t *edit);

#endif
