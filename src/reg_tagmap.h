/*
 * reg_tagmap: digests of tags, in memory, for a while.
 *
 *     reg_tagmap_ticket_t  ticket;
 *
 *     if (!reg_tagmap_get(map, &name, &tag, now, &digest, &ticket)) {
 *         … read it where it is true …
 *         reg_tagmap_put(map, &ticket, &digest, until);
 *     }
 *
 * The ticket is what keeps a slow reader from putting back what was dropped
 * meanwhile: it is taken before the truth is read, and void after a drop or a
 * flush.
 *
 * One block of memory, made at the start and touched as it fills: a table of
 * sets of eight entries each.  An entry is known by 128 bits of a keyed SHA-256
 * of repository and tag, so it has the same small size for every name; the key
 * is drawn anew by each process.  In a full set the entry goes that ends first.
 *
 * Safe to call from all threads.
 *
 * Blocks: never
 */

#ifndef REG_TAGMAP_H
#define REG_TAGMAP_H

#include "reg_error.h"
#include "reg_ref.h"

typedef struct reg_tagmap_s  reg_tagmap_t;

#define REG_TAGMAP_ID  16

typedef struct {
    unsigned char  id[REG_TAGMAP_ID];
    size_t         set;
    uint32_t       age;             /* of the set */
    uint32_t       flushes;         /* of the map */
} reg_tagmap_ticket_t;


/* bytes is the bound of its memory; too few for one set: it keeps nothing. */
reg_tagmap_t *reg_tagmap_create(size_t bytes, reg_error_t *err);
void reg_tagmap_free(reg_tagmap_t *map);                 /* NULL is allowed */

/* now and until are nanoseconds of a clock that never jumps.  The ticket is
 * filled in any case. */
bool reg_tagmap_get(reg_tagmap_t *map, const reg_name_t *name,
    const reg_tag_t *tag, int64_t now, reg_digest_t *d,
    reg_tagmap_ticket_t *ticket);

void reg_tagmap_put(reg_tagmap_t *map, const reg_tagmap_ticket_t *ticket,
    const reg_digest_t *d, int64_t until);

/* Forgets one tag, or all of them. */
void reg_tagmap_drop(reg_tagmap_t *map, const reg_name_t *name,
    const reg_tag_t *tag);
void reg_tagmap_flush(reg_tagmap_t *map);

#endif
