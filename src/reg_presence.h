/*
 * reg_presence: that a repository has a blob, known for a moment without a look
 * at the disk.
 *
 *     reg_presence_t  *presence = reg_presence_create(&store->v2);
 *
 *     blob = reg_presence_find(presence, &name, &digest, now);
 *     if (blob == NULL) {
 *         if (!reg_presence_look(presence, &name, &digest, now)) … no …
 *         … look at the content; if it is there: …
 *         reg_presence_note(presence, &name, &digest, now);
 *     }
 *
 * What is found is true.  The directories of the link and of the content are
 * watched (reg_watch.h) from before both were looked at, and find() has heard
 * of every change in them that was over when it was called, whoever made it.
 * So a removal ends it at once, and so does whatever is written to them or put
 * in their place.
 *
 * No directory further up is watched.  So nothing is known, and no directory
 * kept open, for longer than now is the same: a second of the clock.  A
 * repository that somebody moves away, or a file system that is mounted over
 * the tree, is seen then.  And a blob that is asked for once in a second is not
 * worth a watch, so the second note() of it sets one.
 *
 * Bounded: REG_PRESENCE_SLOTS blobs and twice as many watches; of two blobs
 * that fall on one slot the first is known, as long as it is.  In a tree that
 * cannot be watched nothing is ever known, which costs one try each second for
 * each blob.
 *
 * One thread at a time.
 *
 * Blocks: disk (look: one lstat; note: four such looks; find: never)
 */

#ifndef REG_PRESENCE_H
#define REG_PRESENCE_H

#include <sys/types.h>
#include <time.h>

#include "reg_layout.h"

#define REG_PRESENCE_SLOTS  1024

typedef struct reg_presence_s  reg_presence_t;

typedef struct {
    off_t  size;
    ino_t  inode;                       /* of the content */
} reg_presence_blob_t;


/* v2 is ROOT/docker/registry/v2, borrowed.  NULL without memory. */
reg_presence_t *reg_presence_create(const reg_path_t *v2);

/* NULL is allowed. */
void reg_presence_free(reg_presence_t *presence);

/* NULL: not known.  What is found lives until the next call. */
const reg_presence_blob_t *reg_presence_find(reg_presence_t *presence,
    const reg_name_t *name, const reg_digest_t *digest, time_t now);

/* Whether the repository links to it, as reg_link_looks_like() has it. */
bool reg_presence_look(reg_presence_t *presence, const reg_name_t *name,
    const reg_digest_t *digest, time_t now);

/* The blob was there. */
void reg_presence_note(reg_presence_t *presence, const reg_name_t *name,
    const reg_digest_t *digest, time_t now);

#endif
