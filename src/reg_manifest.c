#include "reg_manifest.h"

#include <jansson.h>

#include "reg_json.h"


#define REG_MANIFEST_DEPTH   32
#define REG_MANIFEST_VALUES  262144

#define REG_MANIFEST_SCHEMA1                                                  \
    "Docker schema 1 is not supported: push with docker 1.10 or newer, or"    \
    " convert the image (skopeo copy --format v2s2)"


/* A descriptor's place in the document, for messages: layers[3]. */
typedef struct {
    const char  *field;
    size_t       index;
    bool         in_array;
} reg_manifest_place_t;


static int
reg_manifest_scan(reg_str_t body, reg_error_t *err)
{
    const reg_json_t  most = { REG_MANIFEST_DEPTH, REG_MANIFEST_VALUES };
    reg_json_t        has;

    /* jansson takes one for the end of a number */
    if (body.len > 0 && memchr(body.data, '\0', body.len) != NULL) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "not JSON: there is a NUL byte in it");
    }

    has = reg_json_count(body, &most);

    if (has.depth > most.depth) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "the manifest is nested deeper than %d levels",
                             REG_MANIFEST_DEPTH);
    }

    if (has.values > most.values) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "the manifest has more than %d values",
                             REG_MANIFEST_VALUES);
    }

    return 0;
}


/* The caller owns the tree; NULL with err. */
static json_t *
reg_manifest_load(reg_str_t body, size_t flags, reg_error_t *err)
{
    json_t        *root;
    json_error_t   at;

    if (reg_manifest_scan(body, err) == -1) {
        return NULL;
    }

    /* NUL is no threat to us (lengths are kept), and not ours to forbid */
    root = json_loadb(body.len > 0 ? body.data : "", body.len,
                      flags | JSON_ALLOW_NUL, &at);

    if (root == NULL) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID,
                             "the manifest is not valid JSON: %s (line %d,"
                             " byte %d)", at.text, at.line, at.position);
        return NULL;
    }

    if (!json_is_object(root)) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID,
                             "the manifest is not a JSON object");
        json_decref(root);
        return NULL;
    }

    return root;
}


/* Borrowed from object; null, as Go writes empty lists, counts as absent. */
static json_t *
reg_manifest_field(const json_t *object, const char *name)
{
    json_t  *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}


/* Borrowed from object; empty if absent or not a string. */
static reg_str_t
reg_manifest_text(const json_t *object, const char *name)
{
    const json_t  *value = json_object_get(object, name);

    if (!json_is_string(value)) {
        return REG_STR_NULL;
    }

    return (reg_str_t) { json_string_length(value), json_string_value(value) };
}


static int
reg_manifest_version(const json_t *root, reg_error_t *err)
{
    const json_t  *version = json_object_get(root, "schemaVersion");

    if (json_is_integer(version) && json_integer_value(version) == 1) {
        return reg_error_set(err, REG_MANIFEST_INVALID, REG_MANIFEST_SCHEMA1);
    }

    if (!json_is_integer(version) || json_integer_value(version) != 2) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "schemaVersion must be 2");
    }

    return 0;
}


static const reg_mediatype_t *
reg_manifest_known(reg_str_t name, const char *where, reg_error_t *err)
{
    const reg_mediatype_t  *type = reg_mediatype_find(name);

    if (type == NULL) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID,
                             "%s \"%.*s\" is no manifest type of this registry",
                             where, (int) (name.len < 100 ? name.len : 100),
                             name.data);
    }

    return type;
}


/* What the client and the body say that it is; both, if both do, the same. */
static const reg_mediatype_t *
reg_manifest_decide(const json_t *root, reg_str_t content_type,
    reg_error_t *err)
{
    const json_t           *field = reg_manifest_field(root, "mediaType");
    const reg_mediatype_t  *sent = NULL, *stated = NULL, *type;

    content_type = reg_str_trim(content_type);

    if (content_type.len > 0) {
        sent = reg_manifest_known(content_type, "Content-Type", err);
        if (sent == NULL) {
            return NULL;
        }
    }

    if (field != NULL) {
        stated = reg_manifest_known(reg_manifest_text(root, "mediaType"),
                                    "mediaType", err);
        if (stated == NULL) {
            return NULL;
        }
    }

    if (sent != NULL && stated != NULL && sent != stated) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID,
                             "Content-Type is %.*s, but the manifest's"
                             " mediaType is %.*s", REG_STR_ARG(sent->name),
                             REG_STR_ARG(stated->name));
        return NULL;
    }

    type = sent != NULL ? sent : stated;

    if (type == NULL) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID,
                             "neither Content-Type nor mediaType says what"
                             " kind of manifest this is");
        return NULL;
    }

    if (type->kind == REG_KIND_SCHEMA1) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID, REG_MANIFEST_SCHEMA1);
        return NULL;
    }

    if (stated == NULL && !type->oci) {
        (void) reg_error_set(err, REG_MANIFEST_INVALID,
                             "a Docker manifest must state its mediaType");
        return NULL;
    }

    return type;
}


static int
reg_manifest_refuse(const reg_manifest_place_t *place, const char *what,
    reg_error_t *err)
{
    if (place->in_array) {
        return reg_error_set(err, REG_MANIFEST_INVALID, "%s[%zu] %s",
                             place->field, place->index, what);
    }

    return reg_error_set(err, REG_MANIFEST_INVALID, "%s %s", place->field,
                         what);
}


/* digest and size, which every descriptor must have (image spec,
 * "Descriptors"). */
static int
reg_manifest_read_descriptor(const json_t *json,
    const reg_manifest_place_t *place, reg_manifest_ref_t *ref,
    reg_error_t *err)
{
    const json_t  *size = json_object_get(json, "size");

    if (!json_is_object(json)) {
        return reg_manifest_refuse(place, "is not a descriptor", err);
    }

    if (reg_digest_parse(&ref->digest, reg_manifest_text(json, "digest"))
        == -1)
    {
        return reg_manifest_refuse(place, "has no valid digest: sha256: and"
                                   " 64, or sha512: and 128 lower-case"
                                   " hexadecimal digits", err);
    }

    if (!json_is_integer(size) || json_integer_value(size) < 0) {
        return reg_manifest_refuse(place, "has no valid size: a whole number"
                                   " from 0 up", err);
    }

    ref->size = (int64_t) json_integer_value(size);

    return 0;
}


/* Layers that may not or need not be in a registry: their type says so, or
 * urls tell where they are. */
static bool
reg_manifest_is_foreign(const json_t *json)
{
    char       type[160];
    reg_str_t  text = reg_manifest_text(json, "mediaType");

    if (json_array_size(json_object_get(json, "urls")) > 0) {
        return true;
    }

    return reg_str_copy(type, sizeof(type), text) == 0
           && (strstr(type, "nondistributable") != NULL
               || strstr(type, ".foreign.") != NULL);
}


/* "os/architecture" or "os/architecture/variant"; "" if the descriptor does
 * not say, or too much. */
static void
reg_manifest_platform(const json_t *json, char *out, size_t size)
{
    const json_t  *platform = json_object_get(json, "platform");
    reg_str_t      os = reg_manifest_text(platform, "os");
    reg_str_t      arch = reg_manifest_text(platform, "architecture");
    reg_str_t      variant = reg_manifest_text(platform, "variant");

    out[0] = '\0';

    if (os.len == 0 || arch.len == 0
        || os.len + arch.len + variant.len + 3 > size)
    {
        return;
    }

    (void) snprintf(out, size, "%.*s/%.*s%s%.*s", REG_STR_ARG(os),
                    REG_STR_ARG(arch), variant.len > 0 ? "/" : "",
                    (int) variant.len, variant.len > 0 ? variant.data : "");
}


/* The config if there is one, then a list of layers or manifests. */
static int
reg_manifest_refs(reg_manifest_t *m, const json_t *config, const char *field,
    const json_t *list, reg_error_t *err)
{
    size_t  n = json_array_size(list) + (config != NULL ? 1 : 0);

    if (n == 0) {
        return 0;
    }

    m->refs = calloc(n, sizeof(*m->refs));
    if (m->refs == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    if (config != NULL) {
        reg_manifest_place_t  place = { "config", 0, false };

        m->refs[0].kind = REG_REF_BLOB;

        if (reg_manifest_read_descriptor(config, &place, &m->refs[0], err)
            == -1)
        {
            return -1;
        }

        m->nrefs = 1;
    }

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t          *json = json_array_get(list, i);
        reg_manifest_ref_t    *ref = &m->refs[m->nrefs];
        reg_manifest_place_t   place = { field, i, true };

        if (reg_manifest_read_descriptor(json, &place, ref, err) == -1) {
            return -1;
        }

        if (m->type->kind == REG_KIND_INDEX) {
            ref->kind = REG_REF_MANIFEST;
            reg_manifest_platform(json, ref->platform, sizeof(ref->platform));

        } else {
            ref->kind = reg_manifest_is_foreign(json) ? REG_REF_FOREIGN
                                                      : REG_REF_BLOB;
        }

        m->nrefs++;
    }

    return 0;
}


/* A document that one client reads as an image and another as an index is
 * neither (CVE-2021-41190). */
static int
reg_manifest_shape(reg_manifest_t *m, const json_t *root, reg_error_t *err)
{
    const json_t  *config = reg_manifest_field(root, "config");
    const json_t  *layers = reg_manifest_field(root, "layers");
    const json_t  *manifests = reg_manifest_field(root, "manifests");

    if (manifests != NULL && (layers != NULL || config != NULL)) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "a manifest has config and layers, or manifests,"
                             " not both");
    }

    if (m->type->kind == REG_KIND_INDEX) {
        if (config != NULL || layers != NULL) {
            return reg_error_set(err, REG_MANIFEST_INVALID,
                                 "the type is an index's, but there are config"
                                 " or layers");
        }

        if (!json_is_array(manifests)
            && json_object_get(root, "manifests") == NULL)
        {
            return reg_error_set(err, REG_MANIFEST_INVALID,
                                 "an index must have manifests");
        }

        if (manifests != NULL && !json_is_array(manifests)) {
            return reg_error_set(err, REG_MANIFEST_INVALID,
                                 "manifests is not a list");
        }

        return reg_manifest_refs(m, NULL, "manifests", manifests, err);
    }

    if (manifests != NULL) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "the type is an image's, but there are"
                             " manifests");
    }

    if (config == NULL) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "an image must have a config");
    }

    if (layers != NULL && !json_is_array(layers)) {
        return reg_error_set(err, REG_MANIFEST_INVALID,
                             "layers is not a list");
    }

    return reg_manifest_refs(m, config, "layers", layers, err);
}


/* Spec 1.1, "Listing Referrers": the manifest's artifactType, or that of an
 * image's config; all annotations. */
static int
reg_manifest_referrer(reg_manifest_t *m, const json_t *root, reg_error_t *err)
{
    const json_t  *annotations = reg_manifest_field(root, "annotations");
    reg_str_t      type = reg_manifest_text(root, "artifactType");
    char          *text;

    if (type.len == 0 && m->type->kind == REG_KIND_IMAGE) {
        type = reg_manifest_text(reg_manifest_field(root, "config"),
                                 "mediaType");
    }

    reg_buf_putstr(&m->artifact_type, type);

    if (json_is_object(annotations)) {
        text = json_dumps(annotations, JSON_COMPACT);

        if (text == NULL) {
            return reg_error_set(err, REG_UNKNOWN, "out of memory");
        }

        reg_buf_puts(&m->annotations, text);
        free(text);
    }

    return reg_buf_ok(&m->artifact_type) && reg_buf_ok(&m->annotations)
           ? 0 : reg_error_set(err, REG_UNKNOWN, "out of memory");
}


static int
reg_manifest_subject(reg_manifest_t *m, const json_t *root, reg_error_t *err)
{
    const json_t         *subject = reg_manifest_field(root, "subject");
    reg_manifest_ref_t    ref;
    reg_manifest_place_t  place = { "subject", 0, false };

    if (subject == NULL) {
        return 0;
    }

    if (reg_manifest_read_descriptor(subject, &place, &ref, err) == -1) {
        return -1;
    }

    m->has_subject = true;
    m->subject = ref.digest;

    return reg_manifest_referrer(m, root, err);
}


int
reg_manifest_parse(reg_manifest_t *m, reg_str_t body, reg_str_t content_type,
    reg_error_t *err)
{
    int      rc = -1;
    json_t  *root = reg_manifest_load(body, JSON_REJECT_DUPLICATES, err);

    *m = (reg_manifest_t) REG_MANIFEST_INIT;

    if (root == NULL || reg_manifest_version(root, err) == -1) {
        goto out;
    }

    m->size = (int64_t) body.len;
    m->type = reg_manifest_decide(root, content_type, err);

    if (m->type == NULL
        || reg_manifest_shape(m, root, err) == -1
        || reg_manifest_subject(m, root, err) == -1)
    {
        goto out;
    }

    rc = 0;

out:
    json_decref(root);

    if (rc == -1) {
        reg_manifest_free(m);
    }

    return rc;
}


void
reg_manifest_descriptor(const reg_manifest_t *m, const reg_digest_t *d,
    reg_buf_t *out)
{
    reg_buf_puts(out, "{\"mediaType\":");
    reg_buf_json(out, m->type->name);
    reg_buf_printf(out, ",\"digest\":\"%s\",\"size\":%lld", d->text,
                   (long long) m->size);

    if (m->artifact_type.len > 0) {
        reg_buf_puts(out, ",\"artifactType\":");
        reg_buf_json(out, reg_buf_str(&m->artifact_type));
    }

    if (m->annotations.len > 0) {
        reg_buf_puts(out, ",\"annotations\":");
        reg_buf_putstr(out, reg_buf_str(&m->annotations));
    }

    reg_buf_puts(out, "}");
}


const reg_mediatype_t *
reg_manifest_type(reg_str_t body)
{
    reg_error_t             err = REG_ERROR_INIT;
    json_t                 *root = reg_manifest_load(body, 0, &err);
    const reg_mediatype_t  *type;

    if (root == NULL) {
        return NULL;
    }

    type = reg_mediatype_find(reg_manifest_text(root, "mediaType"));

    if (type == NULL) {
        if (json_object_get(root, "fsLayers") != NULL) {
            type = reg_mediatype_find(REG_STR("application/vnd.docker."
                                              "distribution.manifest.v1"
                                              "+prettyjws"));

        } else if (json_object_get(root, "manifests") != NULL) {
            type = reg_mediatype_oci_index;

        } else if (json_object_get(root, "config") != NULL
                   || json_object_get(root, "layers") != NULL)
        {
            type = reg_mediatype_oci_image;
        }
    }

    json_decref(root);

    return type;
}


void
reg_manifest_free(reg_manifest_t *m)
{
    free(m->refs);
    reg_buf_free(&m->artifact_type);
    reg_buf_free(&m->annotations);
    *m = (reg_manifest_t) REG_MANIFEST_INIT;
}
