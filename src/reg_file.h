/*
 * reg_file: the bytes of a file: written, synced, compared, replaced.
 *
 * Short writes and EINTR are dealt with.  path is for the error only, where
 * there is a descriptor.
 *
 * Blocks: disk
 */

#ifndef REG_FILE_H
#define REG_FILE_H

#include "reg_store.h"

/* Writes all of data at offset. */
int reg_file_write(const reg_sys_t *sys, int fd, reg_str_t data,
    int64_t offset, const char *path, reg_error_t *err);

/* After -1 nothing is known of what was written before: a second call that
 * works would prove nothing. */
int reg_file_sync(const reg_sys_t *sys, int fd, const char *path,
    reg_error_t *err);

/* Opens what is at path if it is a regular file with exactly this content; -1
 * if not. */
int reg_file_open_same(reg_store_t *store, const char *path,
    reg_str_t content);

/* Replaces a file that is not of the tree, such as one of accounts, with mode
 * and owner of like: after a crash there is the old one or the new one.  path
 * is absolute.  The caller lets nobody else do the same (reg_edit.h): PATH.new
 * is made on the way. */
int reg_file_replace(const reg_sys_t *sys, const char *path,
    const struct stat *like, reg_str_t content, reg_error_t *err);

#endif
