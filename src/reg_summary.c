#include "reg_summary.h"

#include <fcntl.h>
#include <stdlib.h>

#include <jansson.h>

#include "reg_blob.h"
#include "reg_json.h"
#include "reg_link.h"
#include "reg_manifest.h"
#include "reg_revision.h"


#define REG_SUMMARY_WAYS   4             /* places that a digest may have */
#define REG_SUMMARY_DEPTH  32            /* of a configuration */


typedef struct {
    reg_digest_t   digest;               /* "": free */
    reg_summary_t  summary;
} reg_summary_place_t;

typedef struct {
    unsigned             next;           /* the place that goes next */
    reg_summary_place_t  places[REG_SUMMARY_WAYS];
} reg_summary_set_t;

struct reg_summaries_s {
    pthread_mutex_t     lock;
    size_t              n;
    reg_summary_set_t  *sets;            /* owned; NULL if n is 0 */
};


reg_summaries_t *
reg_summary_create(size_t max, reg_error_t *err)
{
    reg_summaries_t  *s = calloc(1, sizeof(*s));

    if (s != NULL) {
        s->n = max / sizeof(*s->sets);
        s->sets = s->n > 0 ? calloc(s->n, sizeof(*s->sets)) : NULL;
    }

    if (s == NULL || (s->n > 0 && s->sets == NULL)) {
        free(s);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    (void) pthread_mutex_init(&s->lock, NULL);       /* cannot fail */

    return s;
}


void
reg_summary_free(reg_summaries_t *s)
{
    if (s != NULL) {
        (void) pthread_mutex_destroy(&s->lock);      /* nobody holds it */
        free(s->sets);
        free(s);
    }
}


/* ---- memory -------------------------------------------------------------- */


/* Eight hexadecimal digits of what is a hash already. */
static reg_summary_set_t *
reg_summary_set(reg_summaries_t *s, const reg_digest_t *digest)
{
    const char  *hex = reg_digest_hex(digest);
    uint32_t     n = 0;

    for (int i = 0; i < 8; i++) {
        n = n << 4 | (uint32_t) (hex[i] <= '9' ? hex[i] - '0'
                                               : hex[i] - 'a' + 10);
    }

    return &s->sets[n % s->n];
}


static bool
reg_summary_recall(reg_summaries_t *s, const reg_digest_t *digest,
    reg_summary_t *out)
{
    bool                found = false;
    reg_summary_set_t  *set;

    if (s->n == 0) {
        return false;
    }

    set = reg_summary_set(s, digest);
    (void) pthread_mutex_lock(&s->lock);          /* fails for misuse only */

    for (size_t i = 0; i < REG_SUMMARY_WAYS && !found; i++) {
        found = reg_digest_eq(&set->places[i].digest, digest);

        if (found) {
            *out = set->places[i].summary;
        }
    }

    (void) pthread_mutex_unlock(&s->lock);

    return found;
}


/* Two threads that read the same may both keep it: it costs a place. */
static void
reg_summary_keep(reg_summaries_t *s, const reg_digest_t *digest,
    const reg_summary_t *summary)
{
    reg_summary_set_t  *set;

    if (s->n == 0) {
        return;
    }

    set = reg_summary_set(s, digest);
    (void) pthread_mutex_lock(&s->lock);          /* fails for misuse only */
    set->places[set->next++ % REG_SUMMARY_WAYS] =
        (reg_summary_place_t) { *digest, *summary };
    (void) pthread_mutex_unlock(&s->lock);
}


/* ---- the config ---------------------------------------------------------- */


/* A word of a platform: what else a config says is not repeated. */
static const char *
reg_summary_word(const json_t *config, const char *key)
{
    const char  *word = json_string_value(json_object_get(config, key));

    return word != NULL && word[0] != '\0' && strlen(word) < 32
           && strspn(word, "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
              == strlen(word)
           ? word : NULL;
}


static void
reg_summary_config(reg_summary_t *s, const json_t *config)
{
    const char  *os = reg_summary_word(config, "os");
    const char  *arch = reg_summary_word(config, "architecture");
    const char  *variant = reg_summary_word(config, "variant");
    const char  *created = json_string_value(json_object_get(config,
                                                             "created"));

    if (os != NULL && arch != NULL) {
        (void) snprintf(s->platforms, sizeof(s->platforms), "%s/%s%s%s", os,
                        arch, variant != NULL ? "/" : "",
                        variant != NULL ? variant : "");
    }

    if (created != NULL && strspn(created, "0123456789-:.+TZtz")
                           == strlen(created))
    {
        /* what does not fit is no date */
        (void) reg_str_copy(s->created, sizeof(s->created),
                            reg_str_from(created));
    }
}


/* False if the config may still come: then nothing is to be remembered. */
static bool
reg_summary_read_config(reg_store_t *store, reg_summary_t *s)
{
    const reg_json_t  most = { REG_SUMMARY_DEPTH, REG_SUMMARY_CONFIG_MAX };
    bool              there;
    reg_buf_t         text = REG_BUF_INIT;
    reg_error_t       quiet = REG_ERROR_INIT;
    json_t           *config = NULL;

    there = reg_blob_content_read(store, &s->config, REG_SUMMARY_CONFIG_MAX,
                                  &text, &quiet) == 0;

    if (there && text.len > 0 && reg_json_within(reg_buf_str(&text), &most)) {
        config = json_loadb(text.data, text.len, 0, NULL);
    }

    if (json_is_object(config)) {
        reg_summary_config(s, config);
    }

    json_decref(config);
    reg_buf_free(&text);

    return there || quiet.code == REG_SIZE_INVALID;
}


/* ---- the manifest -------------------------------------------------------- */


/* Adds a platform, unless it is there or does not fit. */
static void
reg_summary_add_platform(reg_summary_t *s, const char *platform)
{
    size_t      len = strlen(s->platforms), n = strlen(platform);
    const char *p = s->platforms;

    while ((p = strstr(p, platform)) != NULL) {
        if ((p == s->platforms || p[-1] == ' ')
            && (p[n] == '\0' || p[n] == ' '))
        {
            return;
        }

        p += n;
    }

    if (len + n + 2 <= sizeof(s->platforms)) {
        (void) snprintf(s->platforms + len, sizeof(s->platforms) - len,
                        "%s%s", len > 0 ? " " : "", platform);
    }
}


static void
reg_summary_index(reg_summary_t *s, const reg_manifest_t *m)
{
    s->children = (int64_t) m->nrefs;

    for (size_t i = 0; i < m->nrefs; i++) {
        const char  *platform = m->refs[i].platform;

        /* attestations hang in an index as unknown/unknown */
        if (platform[0] != '\0'
            && strncmp(platform, "unknown", strlen("unknown")) != 0)
        {
            reg_summary_add_platform(s, platform);
        }
    }
}


/* Sizes are the pusher's word where layers are elsewhere: they cannot add up
 * to more than there is. */
static void
reg_summary_image(reg_summary_t *s, const reg_manifest_t *m)
{
    for (size_t i = 0; i < m->nrefs; i++) {
        s->size = m->refs[i].size > INT64_MAX - s->size
                  ? INT64_MAX : s->size + m->refs[i].size;
    }

    /* an image's first reference is its config */
    if (m->nrefs > 0) {
        s->config = m->refs[0].digest;
    }
}


static int
reg_summary_read(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *digest, reg_summary_t *s, reg_error_t *err)
{
    int             rc;
    reg_buf_t       body = REG_BUF_INIT;
    reg_manifest_t  m = REG_MANIFEST_INIT;

    rc = reg_revision_read(store, name, digest, &body, err);

    if (rc == 0) {
        s->type = reg_manifest_type(reg_buf_str(&body));
        rc = s->type != NULL && s->type->kind != REG_KIND_SCHEMA1
             ? reg_manifest_parse(&m, reg_buf_str(&body), s->type->name, err)
             : reg_error_set(err, REG_MANIFEST_INVALID,
                             "it is of no known type");
    }

    if (rc == 0) {
        s->size = m.size;

        if (s->type->kind == REG_KIND_INDEX) {
            reg_summary_index(s, &m);
        } else {
            reg_summary_image(s, &m);
        }
    }

    reg_manifest_free(&m);
    reg_buf_free(&body);

    return rc;
}


/* Whether NAME may see what the config says. */
static bool
reg_summary_may(reg_store_t *store, const reg_name_t *name,
    const reg_digest_t *config)
{
    reg_path_t  link;

    reg_layout_layer(&link, &store->v2, name, config);

    return reg_link_looks_like(AT_FDCWD, link.text, config);
}


int
reg_summary_get(reg_summaries_t *summaries, reg_store_t *store,
    const reg_name_t *name, const reg_digest_t *digest, reg_summary_t *s,
    reg_error_t *err)
{
    bool  whole = true;

    if (reg_revision_require(store, name, digest, err) == -1) {
        return -1;
    }

    if (!reg_summary_recall(summaries, digest, s)) {
        *s = (reg_summary_t) { 0 };

        if (reg_summary_read(store, name, digest, s, err) == -1) {
            return -1;
        }

        if (s->config.text[0] != '\0') {
            whole = reg_summary_read_config(store, s);
        }

        if (whole) {
            reg_summary_keep(summaries, digest, s);
        }
    }

    if (s->config.text[0] != '\0'
        && !reg_summary_may(store, name, &s->config))
    {
        s->created[0] = '\0';
        s->platforms[0] = '\0';
    }

    return 0;
}
