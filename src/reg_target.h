/*
 * reg_target: what a request is about, read from its path.
 *
 * One grammar for nginx and for the worker, so that no name is good for the
 * one and bad for the other.  The path is nginx's normalized URI ($uri); the
 * raw request line ($request_uri) is looked at too, because normalization
 * would quietly turn "a/../b", "a//b" and "a%2fb" into somebody's name.
 *
 *     GET  /v2/                              BASE
 *     GET  /v2/_catalog                      CATALOG
 *     any  /v2/_token, /token                TOKEN
 *     GET  /v2/_keys                         KEYS
 *     GET  /v2/_health                       HEALTH
 *     GET  /v2/NAME/tags/list                TAGS
 *     any  /v2/NAME/manifests/REFERENCE      MANIFEST
 *     any  /v2/NAME/blobs/DIGEST             BLOB
 *     POST /v2/NAME/blobs/uploads/           UPLOADS
 *     any  /v2/NAME/blobs/uploads/UUID       UPLOAD
 *     GET  /v2/NAME/referrers/DIGEST         REFERRERS
 *
 * The path is read from its right end: a part of NAME may itself be "blobs",
 * "manifests" or "tags".
 *
 * Blocks: never
 */

#ifndef REG_TARGET_H
#define REG_TARGET_H

#include "reg_error.h"
#include "reg_ref.h"

#define REG_UUID_LEN  36

typedef enum {
    REG_TARGET_BASE,
    REG_TARGET_CATALOG,
    REG_TARGET_TOKEN,
    REG_TARGET_KEYS,
    REG_TARGET_HEALTH,
    REG_TARGET_TAGS,
    REG_TARGET_MANIFEST,
    REG_TARGET_BLOB,
    REG_TARGET_UPLOADS,
    REG_TARGET_UPLOAD,
    REG_TARGET_REFERRERS,
    REG_TARGETS
} reg_target_kind_t;

typedef struct {
    reg_target_kind_t  kind;
    reg_name_t         name;                     /* if it lies in one */
    reg_ref_t          ref;                      /* MANIFEST */
    reg_digest_t       digest;                   /* BLOB, REFERRERS */
    char               uuid[REG_UUID_LEN + 1];   /* UPLOAD */
} reg_target_t;


/* -1 with NAME_INVALID, DIGEST_INVALID, MANIFEST_INVALID (a tag),
 * BLOB_UPLOAD_UNKNOWN (a UUID) or NOT_FOUND.  raw may carry a query. */
int reg_target_parse(reg_target_t *t, reg_str_t uri, reg_str_t raw,
    reg_error_t *err);

/* True for what lies in a repository. */
bool reg_target_has_name(reg_target_kind_t kind);

/* True for 8-4-4-4-12 lower-case hexadecimal digits. */
bool reg_uuid_valid(reg_str_t s);

#endif
