/*
 * reg_lock: who may exclude whom within a repository.
 *
 * What a push makes visible is several names, one after the other; a delete
 * between two of them would leave a tag without its manifest (D4).  So pushes
 * hold the repository's lock together, and a delete holds it alone.
 *
 *     fd = reg_lock_shared(store, &name, err);      push of a blob, a manifest
 *     fd = reg_lock_alone(store, &name, err);       delete
 *     …
 *     reg_lock_release(fd);
 *
 * It is an flock(2) of the repository's _manifests directory, with one of the
 * repository's own as a turnstile before it, so it dies with its process and
 * holds between processes; where a file system cannot lock a directory
 * (some network file systems), there is none.  It is waited for: nobody holds
 * it longer than the disk takes.
 *
 * Order: an upload's own lock (reg_upload.h) is taken first.
 *
 * Blocks: disk
 */

#ifndef REG_LOCK_H
#define REG_LOCK_H

#include "reg_store.h"

/* -1 with err filled.  The repository's directory is made. */
int reg_lock_shared(reg_store_t *store, const reg_name_t *name,
    reg_error_t *err);

/* The same; a repository that is not there gives the missing code. */
int reg_lock_alone(reg_store_t *store, const reg_name_t *name,
    reg_error_code_t missing, reg_error_t *err);

void reg_lock_release(int fd);

#endif
