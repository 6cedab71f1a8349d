/*
 * reg_protection: tags that a token's bearer must leave alone.
 *
 * GitLab puts the rules of a project into the "meta" of an entry of "access":
 *
 *     {"type": "repository", "name": "group/project", "actions": ["push"],
 *      "meta": {"tag_deny_access_patterns": {"push": ["^v"], "delete": ["^v"]},
 *               "tag_immutable_patterns": ["-final$"]}}
 *
 *     push        such a tag is not pushed                     PROTECTED_TAG
 *     delete      such a tag is not deleted                    PROTECTED_TAG
 *     immutable   a tag that is there is neither deleted nor
 *                 given another manifest                       IMMUTABLE_TAG
 *
 * A manifest takes its tags along when it is deleted by digest, so that is
 * refused where delete or immutable patterns are (PROTECTED_MANIFEST).
 *
 * Patterns are regular expressions that are looked for anywhere in the tag.
 * People of a project write them, so each is bounded: REG_PROTECTION_PATTERN
 * bytes, REG_PROTECTION_ASKED of them for one request, and so many steps of
 * libpcre2's; one that needs more counts as found.  One that makes no sense
 * refuses the request, whatever the tag.
 *
 * Blocks: never
 */

#ifndef REG_PROTECTION_H
#define REG_PROTECTION_H

#include "reg_error.h"
#include "reg_ref.h"

#define REG_PROTECTION_MAX      64       /* patterns of one token */
#define REG_PROTECTION_ASKED    5        /* of one request */
#define REG_PROTECTION_PATTERN  100      /* bytes of one */

typedef enum {
    REG_PROTECTION_PUSH,
    REG_PROTECTION_DELETE,
    REG_PROTECTION_IMMUTABLE
} reg_protection_kind_t;

typedef struct {
    reg_protection_kind_t  kind;
    reg_name_t             name;         /* of the repository */
    size_t                 len;          /* one too many: it was longer */
    char                   text[REG_PROTECTION_PATTERN + 1];
} reg_protection_t;

typedef struct {
    size_t             n;
    reg_protection_t  *list;             /* owned */
} reg_protections_t;

#define REG_PROTECTIONS_INIT  { 0, NULL }


/* -1 with UNAUTHORIZED if there are too many, UNKNOWN without memory. */
int reg_protections_add(reg_protections_t *p, reg_protection_kind_t kind,
    const reg_name_t *name, reg_str_t pattern, reg_error_t *err);
void reg_protections_free(reg_protections_t *p);

/* These give 0, or -1 with what is above. */

/* A tag is pushed. */
int reg_protections_push(const reg_protections_t *p, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err);

/* The same for one that points to another manifest now. */
int reg_protections_move(const reg_protections_t *p, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err);

/* A tag is deleted; a manifest is. */
int reg_protections_delete(const reg_protections_t *p, const reg_name_t *name,
    const reg_tag_t *tag, reg_error_t *err);
int reg_protections_delete_manifest(const reg_protections_t *p,
    const reg_name_t *name, reg_error_t *err);

#endif
