/*
 * reg_publish: the file of a session becomes a blob that a repository has.
 *
 * It is the caller's, who has its lock and knows that it matches the digest.
 * After 0 blob and link are durable, the blob first (D1 to D4), and the
 * session has the file no more; a session that was not emptied by a crash
 * names another file, or is refused (reg_upload.h).
 *
 * A small one goes by the journal, if there is one: content and link are one
 * append, with one wait for the disk, which all share that push at the same
 * time.  Any other is a transaction of reg_durable.h: large content would go
 * to the disk twice.
 *
 * Blocks: disk
 */

#ifndef REG_PUBLISH_H
#define REG_PUBLISH_H

#include "reg_store.h"

/* so much at most goes by the journal */
#define REG_PUBLISH_SMALL  (64 * 1024)

typedef struct {
    reg_store_t         *store;
    const reg_name_t    *name;
    const reg_digest_t  *digest;
    const reg_path_t    *from;
    int                  fd;
    int64_t              size;
} reg_publish_t;


int reg_publish(const reg_publish_t *p, reg_error_t *err);

#endif
