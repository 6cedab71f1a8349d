/*
 * reg_place: files that something else makes durable (reg_journal.h) are put
 * in place, as whole as by a transaction of reg_durable.h, but nothing is
 * synced.
 *
 *     reg_place_t  place;
 *
 *     reg_place_prepare(store, &file, NULL, &place, err)
 *     …                                        when it is durable
 *     reg_place_put(store, &place, &path, err)
 *     …
 *     reg_place_abandon(store, &place);        also after success
 *
 * All that takes long is done before, where nobody sees it: directories are
 * made, which is no harm (an empty one says nothing), and the file is written
 * in _tmp/, unless one with this content is there already.  Then it is one
 * rename(2).
 *
 * Files of a directory that is not there yet, as of a new tag, are made in
 * _tmp/ with it, and the rename is that of the directory.
 *
 * Blocks: disk
 */

#ifndef REG_PLACE_H
#define REG_PLACE_H

#include "reg_tmp.h"

typedef struct {
    const reg_path_t  *path;
    reg_str_t          content;
    size_t             whole;       /* as many bytes of path are a directory
                                       that is not there yet; or 0 */
    const char        *twin;        /* a file in _tmp/ of this content, if
                                       neither will ever change: another name
                                       of it will do; or NULL */
} reg_place_file_t;

typedef struct {
    char               name[REG_TMP_NAME];       /* in _tmp/; "": none */
    size_t             whole;                    /* name is this directory */
} reg_place_t;


/* before: one of the same directory that is not there yet, or NULL.  After -1
 * there is nothing to put, but to abandon. */
int reg_place_prepare(reg_store_t *store, const reg_place_file_t *file,
    const reg_place_t *before, reg_place_t *place, reg_error_t *err);

/* 1: with all of its directory. */
int reg_place_put(reg_store_t *store, reg_place_t *place,
    const reg_path_t *path, reg_error_t *err);

/* Gives what is at `from` its place, whose directory is made again if it went
 * while it was empty.  1: a directory, where there is one already. */
int reg_place_rename(reg_store_t *store, const reg_path_t *from,
    const reg_path_t *to, reg_error_t *err);

/* Removes what was not put. */
void reg_place_abandon(reg_store_t *store, reg_place_t *place);

/* Both at once, after a crash: also if a file with this content is there, which
 * may be in memory only; and what stands in the way, such as a file where a
 * directory should be, goes to _tmp/. */
int reg_place_restore(reg_store_t *store, const reg_path_t *path,
    reg_str_t content, reg_error_t *err);

#endif
