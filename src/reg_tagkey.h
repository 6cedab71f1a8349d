/*
 * reg_tagkey: a tag as it lies in Redis.
 *
 *     nginx-registry:v:{NAME}:TAG   "FENCE DIGEST", or "?LEASE"
 *     nginx-registry:w:{NAME}:TAG   somebody writes this tag
 *
 * What they are for is reg_tagcache.h's.  In braces stands what tells a cluster
 * the place of a key, so all of a repository is in one.
 *
 * Blocks: never
 */

#ifndef REG_TAGKEY_H
#define REG_TAGKEY_H

#include "reg_digest.h"
#include "reg_ref.h"

#define REG_TAGKEY_PREFIX  "nginx-registry:"             /* of all keys */
#define REG_TAGKEY_VALUES  REG_TAGKEY_PREFIX "v:"
#define REG_TAGKEY_WRITES  REG_TAGKEY_PREFIX "w:"

typedef struct {
    char    text[sizeof(REG_TAGKEY_VALUES) + REG_NAME_MAX + REG_TAG_MAX + 4];
    size_t  len;
} reg_tagkey_t;


/* prefix is one of the last two. */
void reg_tagkey_format(reg_tagkey_t *key, const char *prefix,
    const reg_name_t *name, const reg_tag_t *tag);

reg_str_t reg_tagkey_str(const reg_tagkey_t *key);

/* Parses a key of either. */
int reg_tagkey_parse(reg_str_t key, reg_name_t *name, reg_tag_t *tag);

/* What stands in v: 1 for a digest, with its fence; 0 for a lease; -1 for
 * neither. */
int reg_tagkey_parse_value(reg_str_t value, uint64_t *fence,
    reg_digest_t *d);

#endif
