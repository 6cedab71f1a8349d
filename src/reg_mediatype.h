/*
 * reg_mediatype: the table of manifest types.
 *
 * Blocks: never
 */

#ifndef REG_MEDIATYPE_H
#define REG_MEDIATYPE_H

#include "reg_str.h"

typedef enum {
    REG_KIND_IMAGE,          /* has "layers", and a "config" */
    REG_KIND_INDEX,          /* has "manifests" */
    REG_KIND_SCHEMA1         /* refused, with a clear message */
} reg_kind_t;

typedef struct {
    reg_str_t   name;
    reg_kind_t  kind;
    bool        oci;         /* the body may leave mediaType out */
} reg_mediatype_t;

extern const reg_mediatype_t  reg_mediatypes[];

/* application/vnd.oci.image.manifest.v1+json and its index */
extern const reg_mediatype_t *const  reg_mediatype_oci_image;
extern const reg_mediatype_t *const  reg_mediatype_oci_index;

/* Finds a type by its name; parameters ("; charset=…") are ignored.  NULL if
 * it is none of ours. */
const reg_mediatype_t *reg_mediatype_find(reg_str_t name);

/* Whether an Accept header covers the type: names it, or a range such as a
 * star, or is empty.  Quality values are ignored, except q=0. */
bool reg_mediatype_accepted(reg_str_t accept, const reg_mediatype_t *type);

#endif
