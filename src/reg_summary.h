/*
 * reg_summary: what a list of images shows of each: its type, size, date and
 * platforms.
 *
 *     summaries = reg_summary_create(max, err);
 *
 *     if (reg_summary_get(summaries, store, &name, &digest, &s, err) == -1) ...
 *     … s.size, s.created, s.platforms …
 *
 *     reg_summary_free(summaries);
 *
 * A manifest and its config never change, so what was read once is remembered
 * by the manifest's digest and is never out of date.  To remember is no
 * permission: the repository's link to the manifest is asked each time, and
 * what comes from a config is shown only to a repository that may serve it.
 *
 * The date and the platform of an image stand in its config (OCI image spec,
 * "Image Configuration"), which is read up to REG_SUMMARY_CONFIG_MAX bytes.  A
 * config that is larger, absent, or not an image's leaves them empty.
 *
 * Bounded: max bytes are all that is ever taken; of those that share a place
 * the oldest goes.  Safe to call from all threads.
 *
 * Blocks: disk
 */

#ifndef REG_SUMMARY_H
#define REG_SUMMARY_H

#include "reg_mediatype.h"
#include "reg_store.h"

#define REG_SUMMARY_CONFIG_MAX  (256 * 1024)

typedef struct reg_summaries_s  reg_summaries_t;

typedef struct {
    const reg_mediatype_t  *type;
    int64_t                 size;       /* of an image: manifest, config and
                                           layers; of an index: the manifest */
    int64_t                 children;   /* of an index */
    reg_digest_t            config;     /* "": it has none */
    char                    created[40];     /* RFC 3339, or "" */
    char                    platforms[256];  /* "linux/amd64 linux/arm64/v8",
                                                as many as fit */
} reg_summary_t;


/* max in bytes; 0 remembers nothing.  NULL with err filled. */
reg_summaries_t *reg_summary_create(size_t max, reg_error_t *err);
void reg_summary_free(reg_summaries_t *summaries);       /* NULL is allowed */

/* -1 with MANIFEST_UNKNOWN if NAME does not have the manifest, or with
 * MANIFEST_INVALID if it is none that we know. */
int reg_summary_get(reg_summaries_t *summaries, reg_store_t *store,
    const reg_name_t *name, const reg_digest_t *digest, reg_summary_t *s,
    reg_error_t *err);

#endif
