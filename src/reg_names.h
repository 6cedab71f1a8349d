/*
 * reg_names: the entries of one directory, sorted by their bytes.
 *
 *     reg_names_t  names = REG_NAMES_INIT;
 *
 *     if (reg_names_read(&names, path, REG_NAMES_TAGS, REG_NAME_UNKNOWN, err)
 *         == -1) …
 *     for (size_t i = 0; i < names.n; i++) … names.list[i] …
 *     reg_names_free(&names);
 *
 * Who knows which entries have changed since needs no second reading:
 *
 *     reg_names_update(&names, fd, REG_NAMES_TAGS, changed)
 *
 * Entries that begin with '.' or '_' are left out: no tag, repository part or
 * digest that we list does, save tags beginning with '_', which are asked for
 * by REG_NAMES_TAGS.
 *
 * Blocks: disk
 */

#ifndef REG_NAMES_H
#define REG_NAMES_H

#include "reg_store.h"

typedef enum {
    REG_NAMES_PARTS,        /* directories, none that begin with '_' */
    REG_NAMES_TAGS,         /* directories */
    REG_NAMES_FILES,        /* regular files */
    REG_NAMES_CATALOG       /* regular files, where '+' stands for '/': see
                               reg_catalog.h */
} reg_names_kind_t;

typedef struct {
    size_t      n;
    reg_str_t  *list;       /* owned; each is NUL-terminated */
    reg_buf_t   text;       /* owned; what list points into */
    size_t      room;       /* in list, for so many */
} reg_names_t;

#define REG_NAMES_INIT  { 0, NULL, REG_BUF_INIT, 0 }


/* Symbolic links are neither directories nor files.  -1 with the missing code
 * if the directory is not there. */
int reg_names_read(reg_names_t *names, const char *path,
    reg_names_kind_t kind, reg_error_code_t missing, reg_error_t *err);

/* The same of the directory that is open at fd, which stays the caller's; path
 * is for errors. */
int reg_names_read_at(reg_names_t *names, int fd, const char *path,
    reg_names_kind_t kind, reg_error_t *err);

/* Looks at entries of the directory that is open at fd, and adds or removes
 * their names.  changed has them as they are on disk, each with its NUL, as
 * often as it likes; it is written over.  Costs one look for each of them and
 * moves each other name at most once or twice.  -1, with errno: some may still
 * be wrong. */
int reg_names_update(reg_names_t *names, int fd, reg_names_kind_t kind,
    reg_buf_t *changed);

/* A second one of the same names; -1 without memory. */
int reg_names_copy(reg_names_t *names, const reg_names_t *from);

/* Calls is for one entry after the other, in no order, until it says other than
 * 0, and returns that: 1, it is the one, or -1 with errno.  dir is the open
 * directory; one that is not there has no entries. */
int reg_names_find(const char *path, reg_names_kind_t kind,
    int (*is)(void *ctx, int dir, const char *name), void *ctx,
    reg_error_t *err);

/* The index of the first name after last; 0 for an empty last. */
size_t reg_names_after(const reg_names_t *names, reg_str_t last);

void reg_names_free(reg_names_t *names);

#endif
