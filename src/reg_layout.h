/*
 * reg_layout: names on disk, and only names.
 *
 * The tree is CNCF Distribution's, unchanged:
 *
 *     ROOT/docker/registry/v2/
 *       blobs/ALG/ab/abcd…/data                  content
 *       repositories/NAME/
 *         _layers/ALG/HEX/link                   NAME may serve the blob
 *         _manifests/revisions/ALG/HEX/link      the manifest exists in NAME
 *         _manifests/tags/TAG/current/link       the tag's digest
 *         _manifests/tags/TAG/index/ALG/HEX/link digests it has had
 *         _referrers/ALG/HEX                     ours: see reg_referrers.h
 *         _uploads/UUID/data                     an upload under way
 *         _uploads/UUID/startedat                RFC 3339 time
 *         _uploads/UUID/hashstates/ALG/OFFSET    see reg_hashstate.h
 *       _catalog/                                ours: see reg_catalog.h
 *       _auth/epoch                              ours: see reg_epoch.h
 *       _tmp/                                    ours: files about to be
 *                                                renamed into place
 *       _spare/N/                                ours: directories to be used
 *                                                again, see reg_spare.h
 *       _journal/                                ours: see reg_journal.h
 *       _purge                                   ours: see reg_turn.h
 *       _fence                                   ours: see reg_fence.h
 *
 * A link file holds a digest ("sha256:HEX"), no newline.
 *
 * A path is a value.  Every function fills it whole and cannot fail: the
 * bounds of root, name, tag and digest leave room (see the assertion in the
 * .c file).
 *
 * Blocks: never
 */

#ifndef REG_LAYOUT_H
#define REG_LAYOUT_H

#include "reg_ref.h"

#define REG_ROOT_MAX  512
#define REG_PATH_MAX  1536

typedef struct {
    size_t  len;
    char    text[REG_PATH_MAX];
} reg_path_t;


void reg_layout_blobs(reg_path_t *p, const reg_path_t *v2);
void reg_layout_blob(reg_path_t *p, const reg_path_t *v2,
    const reg_digest_t *d);                               /* …/data */
void reg_layout_tmp(reg_path_t *p, const reg_path_t *v2);
void reg_layout_catalog(reg_path_t *p, const reg_path_t *v2);
void reg_layout_catalog_entry(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name);                              /* …/a+b of a/b */
void reg_layout_spare(reg_path_t *p, const reg_path_t *v2);
void reg_layout_journal(reg_path_t *p, const reg_path_t *v2);
void reg_layout_epoch(reg_path_t *p, const reg_path_t *v2);
void reg_layout_purge(reg_path_t *p, const reg_path_t *v2);
void reg_layout_fence(reg_path_t *p, const reg_path_t *v2);
void reg_layout_repositories(reg_path_t *p, const reg_path_t *v2);
void reg_layout_repository(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name);

void reg_layout_layers(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name);                              /* …/_layers */
void reg_layout_layer(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_digest_t *d);       /* …/link */
void reg_layout_manifests(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name);                              /* …/_manifests */
void reg_layout_revisions(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, reg_alg_t alg);               /* …/ALG */
void reg_layout_revision(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_digest_t *d);       /* …/link */
void reg_layout_tags(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name);                              /* …/tags */
void reg_layout_tag(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_tag_t *tag);        /* …/TAG */
void reg_layout_tag_current(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_tag_t *tag);        /* …/link */
void reg_layout_tag_index(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_tag_t *tag,
    const reg_digest_t *d);                               /* …/link */

void reg_layout_subjects(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, reg_alg_t alg);               /* …/ALG */
void reg_layout_referrers(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const reg_digest_t *subject);
void reg_layout_uploads(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name);                              /* …/_uploads */
void reg_layout_upload(reg_path_t *p, const reg_path_t *v2,
    const reg_name_t *name, const char *uuid);            /* …/UUID */

/* Appends "/part". */
void reg_path_add(reg_path_t *p, const char *part);

/* What lies at rest below dir; and the part of a path below dir, in which it
 * is.  -1, which paths that were made here never give: it does not fit. */
int reg_path_below(reg_path_t *p, const reg_path_t *dir, reg_str_t rest);
reg_str_t reg_path_rest(const reg_path_t *p, const reg_path_t *dir);

/* The path without its last part. */
void reg_path_parent(reg_path_t *p);

#endif
