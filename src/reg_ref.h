/*
 * reg_ref: names of repositories, tags, and references.
 *
 * Values with inline arrays: copied by assignment, nothing to free.
 * Grammar: OCI distribution spec 1.1, "Pulling manifests"; names are at most
 * 255 bytes here, so that every one fits into a path.
 *
 * Blocks: never
 */

#ifndef REG_REF_H
#define REG_REF_H

#include "reg_digest.h"

#define REG_NAME_MAX  255
#define REG_TAG_MAX   128

typedef struct {
    size_t  len;
    char    text[REG_NAME_MAX + 1];
} reg_name_t;

typedef struct {
    size_t  len;
    char    text[REG_TAG_MAX + 1];
} reg_tag_t;

/* What follows /manifests/: a tag, or a digest. */
typedef struct {
    bool          is_digest;
    reg_tag_t     tag;
    reg_digest_t  digest;
} reg_ref_t;


/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* in parts joined by '/'. */
int reg_name_parse(reg_name_t *name, reg_str_t s);
reg_str_t reg_name_str(const reg_name_t *name);

/* [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} */
int reg_tag_parse(reg_tag_t *tag, reg_str_t s);
reg_str_t reg_tag_str(const reg_tag_t *tag);

/* What has a ':' is a digest, anything else a tag.  -1 if it is neither. */
int reg_ref_parse(reg_ref_t *ref, reg_str_t s);
reg_str_t reg_ref_str(const reg_ref_t *ref);

#endif
