/*
 * reg_manifest: reads a manifest, once, when it is pushed.
 *
 *     reg_manifest_t  m = REG_MANIFEST_INIT;
 *
 *     if (reg_manifest_parse(&m, body, content_type, err) == -1) ...
 *     for (size_t i = 0; i < m.nrefs; i++) … m.refs[i] …
 *     reg_manifest_free(&m);
 *
 * Refuses (MANIFEST_INVALID): what is not JSON in UTF-8, has duplicate keys,
 * is deeper than 32 levels or has more than 262144 values; a schemaVersion
 * other than 2; a mediaType unlike the Content-Type; both layers and manifests
 * (CVE-2021-41190); a size that is no number from 0 up; a digest that is not
 * sha256 or sha512.  Unknown fields are kept: bytes are stored as received.
 *
 * Blocks: never (CPU and memory in proportion to the body)
 */

#ifndef REG_MANIFEST_H
#define REG_MANIFEST_H

#include "reg_digest.h"
#include "reg_error.h"
#include "reg_mediatype.h"

typedef enum {
    REG_REF_BLOB,              /* config, layer */
    REG_REF_FOREIGN,           /* a layer that is fetched elsewhere */
    REG_REF_MANIFEST           /* a child of an index */
} reg_manifest_ref_kind_t;

typedef struct {
    reg_manifest_ref_kind_t  kind;
    reg_digest_t             digest;
    int64_t                  size;
    char                     platform[64];   /* "linux/amd64", or "" */
} reg_manifest_ref_t;

typedef struct {
    const reg_mediatype_t  *type;
    size_t                  nrefs;
    reg_manifest_ref_t     *refs;            /* owned */
    int64_t                 size;            /* of the body */
    bool                    has_subject;
    reg_digest_t            subject;

    /* only with a subject: what a list of its referrers says of this one */
    reg_buf_t               artifact_type;   /* owned */
    reg_buf_t               annotations;     /* owned; JSON, or empty */
} reg_manifest_t;

#define REG_MANIFEST_INIT  { NULL, 0, NULL, 0, false, { REG_SHA256, "" },     \
                             REG_BUF_INIT, REG_BUF_INIT }


/* content_type may be empty: then the body's mediaType decides. */
int reg_manifest_parse(reg_manifest_t *m, reg_str_t body,
    reg_str_t content_type, reg_error_t *err);

/* Appends the descriptor of this manifest, whose digest is d, as it stands in
 * a list of referrers: JSON in one line. */
void reg_manifest_descriptor(const reg_manifest_t *m, const reg_digest_t *d,
    reg_buf_t *out);

/* The type of a stored manifest, by its body alone; NULL if it is none. */
const reg_mediatype_t *reg_manifest_type(reg_str_t body);

void reg_manifest_free(reg_manifest_t *m);

#endif
