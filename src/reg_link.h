/*
 * reg_link: a file that holds a digest.
 *
 * What is not a regular file (a symbolic link, a FIFO, a directory), is longer
 * than a digest, or holds anything else, is no link: it reads as absent, and
 * err->where says what was found, for the log.
 *
 * Blocks: disk
 */

#ifndef REG_LINK_H
#define REG_LINK_H

#include "reg_store.h"

/* Reads the link at path.  -1 with the missing code if there is none, also if
 * it is malformed. */
int reg_link_read(const reg_path_t *path, reg_digest_t *d,
    reg_error_code_t missing, reg_error_t *err);

/* The same, for a path that counts from the directory dir. */
int reg_link_read_at(int dir, const char *path, reg_digest_t *d,
    reg_error_code_t missing, reg_error_t *err);

/* The same, for a link that must name d: its content is compared. */
int reg_link_require(const reg_path_t *path, const reg_digest_t *d,
    reg_error_code_t missing, reg_error_t *err);

/* A cheap look for nginx's event loop: one lstat, of a path that counts from
 * the directory dir (AT_FDCWD if it is absolute).  True if there is a regular
 * file of the size that a link to d has. */
bool reg_link_looks_like(int dir, const char *path, const reg_digest_t *d);

#endif
