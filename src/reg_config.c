#include "reg_config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <yaml.h>


#define REG_CONFIG_FILE_MAX  (1024 * 1024)
#define REG_CONFIG_DEPTH     16
#define REG_CONFIG_PATH      128
#define REG_CONFIG_FOUND     48      /* of a wrong value, in a message */
#define REG_CONFIG_PLACE     256
#define REG_CONFIG_NOWHERE   SIZE_MAX


typedef enum {
    REG_CONFIG_BOOL,
    REG_CONFIG_NOT,          /* a bool, stored inverted */
    REG_CONFIG_INT,
    REG_CONFIG_SIZE,         /* bytes; k, m or g may follow */
    REG_CONFIG_MODE,         /* octal; max is the mask of what is allowed */
    REG_CONFIG_ENUM,
    REG_CONFIG_ABSOLUTE,     /* a path from "/"; max is its length */

    /* known to Distribution, without meaning here; with all below them */
    REG_CONFIG_HARMLESS,     /* nginx does it, or nothing is lost */
    REG_CONFIG_IGNORED,      /* something is lost: a warning */
    REG_CONFIG_REFUSED       /* going on would weaken what was asked for */
} reg_config_kind_t;

typedef struct {
    const char          *path;
    reg_config_kind_t    kind;
    const char          *help;        /* or why not, and what instead */
    const char          *initial;     /* the default, as one would write it */
    size_t               offset;
    int64_t              min;
    int64_t              max;
    const char *const   *words;       /* of an enum: the value is the index */
} reg_config_key_t;


static const char *const  reg_config_versions[] = { "0.1", NULL };

static const char *const  reg_config_levels[] = {
    [REG_LOG_ERROR] = "error",
    [REG_LOG_WARN] = "warn",
    [REG_LOG_INFO] = "info",
    [REG_LOG_DEBUG] = "debug",
    NULL
};

static const char *const  reg_config_formats[] = {
    [REG_LOG_TEXT] = "text",
    [REG_LOG_JSON] = "json",
    NULL
};

_Static_assert(sizeof(reg_log_level_t) == sizeof(int)
               && sizeof(reg_log_format_t) == sizeof(int),
               "an enum is stored as an int");

#define AT(field)      offsetof(reg_config_t, field)
#define HARMLESS(why)  REG_CONFIG_HARMLESS, why, NULL, 0, 0, 0, NULL
#define IGNORED(why)   REG_CONFIG_IGNORED, why, NULL, 0, 0, 0, NULL
#define REFUSED(why)   REG_CONFIG_REFUSED, why, NULL, 0, 0, 0, NULL
#define DRIVER         REFUSED("only storage.filesystem is there; blobs would" \
                               " not be where this says: remove it")

static const reg_config_key_t  reg_config_keys[] = {

    { "version", REG_CONFIG_ENUM,
      "the schema of this file",
      NULL, REG_CONFIG_NOWHERE, 0, 0, reg_config_versions },

    { "log.level", REG_CONFIG_ENUM,
      "the least that is logged",
      "info", AT(log_level), 0, 0, reg_config_levels },
    { "log.formatter", REG_CONFIG_ENUM,
      "the form of a log line",
      "text", AT(log_format), 0, 0, reg_config_formats },
    { "log.accesslog.disabled", REG_CONFIG_NOT,
      "no line for each request that the worker answers",
      "false", AT(access_log), 0, 0, NULL },
    { "log.fields", HARMLESS("the log's lines have fixed fields") },
    { "log.hooks", IGNORED("no mail is sent; let the log's reader do it") },
    { "loglevel", IGNORED("deprecated; write log.level") },

    { "storage.filesystem.rootdirectory", REG_CONFIG_ABSOLUTE,
      "the tree; the same as of nginx's registry directive",
      "/var/lib/registry", AT(root), 0, REG_CONFIG_TEXT - 1, NULL },
    { "storage.filesystem.maxthreads",
      HARMLESS("the worker has nginx_registry.threads") },
    { "storage.delete.enabled", REG_CONFIG_BOOL,
      "manifests, tags and blobs may be deleted",
      "false", AT(delete_enabled), 0, 0, NULL },
    { "storage.maintenance.readonly.enabled", REG_CONFIG_BOOL,
      "nothing may be pushed or deleted",
      "false", AT(readonly), 0, 0, NULL },
    { "storage.maintenance.uploadpurging",
      IGNORED("the worker purges no abandoned uploads") },
    { "storage.cache", HARMLESS("nginx and the worker have their own") },
    { "storage.redirect", HARMLESS("a file system never redirects") },
    { "storage.tag", HARMLESS("tags are read one by one") },
    { "storage.inmemory", DRIVER },
    { "storage.s3", DRIVER },
    { "storage.s3aws", DRIVER },
    { "storage.azure", DRIVER },
    { "storage.gcs", DRIVER },
    { "storage.oss", DRIVER },
    { "storage.swift", DRIVER },
    { "storage.cos", DRIVER },
    { "storage.rados", DRIVER },

    { "auth",
      REFUSED("the worker checks no access, all would be open: remove this"
              " and protect nginx's location (auth_basic, allow)") },

    { "middleware", IGNORED("there is no middleware") },
    { "reporting", IGNORED("nothing is reported elsewhere; read the log") },
    { "notifications", IGNORED("no notifications are sent") },
    { "redis", IGNORED("no Redis is used") },

    { "http.addr", HARMLESS("nginx's listen says where") },
    { "http.net", HARMLESS("nginx's listen says how") },
    { "http.prefix", IGNORED("the registry is at /v2/ of nginx's server") },
    { "http.host", HARMLESS("every Location that is sent is relative") },
    { "http.relativeurls", HARMLESS("every Location that is sent is relative") },
    { "http.secret", HARMLESS("an upload's state is on disk, not in its URL") },
    { "http.draintimeout", IGNORED("write nginx_registry.drain_timeout") },
    { "http.tls", IGNORED("nginx ends TLS; write ssl_certificate there") },
    { "http.tls.clientcas",
      REFUSED("clients would not be asked for certificates: remove this and"
              " write ssl_client_certificate and ssl_verify_client in nginx") },
    { "http.debug", IGNORED("there is no debug server") },
    { "http.headers", IGNORED("write add_header in nginx's location") },
    { "http.headers.X-Content-Type-Options", HARMLESS("always sent") },
    { "http.http2", HARMLESS("nginx's listen says") },
    { "http.h2c", HARMLESS("nginx's listen says") },

    { "health.storagedriver", HARMLESS("a failing disk is told to clients") },
    { "health.file", IGNORED("ask GET /v2/ for the registry's health") },
    { "health.http", IGNORED("ask GET /v2/ for the registry's health") },
    { "health.tcp", IGNORED("ask GET /v2/ for the registry's health") },

    { "proxy",
      REFUSED("there is no pull-through cache, all would be missing: remove"
              " this, or use another registry for mirrors") },

    { "compatibility.schema1",
      IGNORED("Docker's schema 1 manifests are always refused") },

    { "validation.disabled", REG_CONFIG_BOOL,
      "a manifest may be pushed before what it refers to",
      "false", AT(validation_disabled), 0, 0, NULL },
    { "validation.enabled", IGNORED("deprecated; write validation.disabled") },
    { "validation.manifests.urls",
      REFUSED("layers' URLs are not compared with a list, all would be"
              " accepted: remove this") },
    { "validation.manifests.indexes",
      IGNORED("an index must have all its images, unless"
              " validation.disabled") },

    { "policy",
      REFUSED("repositories have no classes, all would be accepted: remove"
              " this") },

    { "catalog.maxentries", REG_CONFIG_INT,
      "the longest page of the catalog",
      "1000", AT(catalog_max), 1, 1000000, NULL },

    { "nginx_registry.socket", REG_CONFIG_ABSOLUTE,
      "where the worker listens; nginx's fastcgi_pass names it",
      "/run/nginx-registry/registry.sock", AT(socket), 0, 107, NULL },
    { "nginx_registry.socket_mode", REG_CONFIG_MODE,
      "who may connect to the socket",
      "0660", AT(socket_mode), 0, 0775, NULL },
    { "nginx_registry.processes", REG_CONFIG_INT,
      "worker processes",
      "1", AT(processes), 1, 256, NULL },
    { "nginx_registry.threads", REG_CONFIG_INT,
      "threads of each: requests that are answered at a time",
      "16", AT(threads), 1, 1024, NULL },
    { "nginx_registry.manifest_cache", REG_CONFIG_SIZE,
      "memory for manifests, in each process",
      "8m", AT(manifest_cache), 0, 16LL << 30, NULL },
    { "nginx_registry.tags_max", REG_CONFIG_INT,
      "the longest page of a tag list",
      "10000", AT(tags_max), 1, 1000000, NULL },
    { "nginx_registry.drain_timeout", REG_CONFIG_INT,
      "seconds that requests have to end when the worker stops",
      "30", AT(drain_timeout), 0, 3600, NULL },
};

#define REG_CONFIG_KEYS  (sizeof(reg_config_keys) / sizeof(reg_config_keys[0]))


/* One reading of a file, or of an environment. */
typedef struct {
    reg_config_t        config;        /* the caller's, once all is well */
    reg_config_warn_pt  warn;
    void               *ctx;
    reg_error_t        *err;

    const char         *file;          /* NULL: an environment */
    size_t              line;
    reg_str_t           variable;

    yaml_parser_t       parser;
    yaml_event_t        event;
    int                 depth;

    size_t              seen[REG_CONFIG_KEYS];   /* line of first mention */
} reg_config_reader_t;


/* s for a message: cut, and nothing in it that could forge a log line. */
static const char *
reg_config_printable(reg_str_t s, char *out, size_t size)
{
    size_t  n = s.len < size ? s.len : size - 1;

    for (size_t i = 0; i < n; i++) {
        out[i] = s.data[i] >= ' ' && s.data[i] <= '~' ? s.data[i] : '?';
    }

    out[n] = '\0';
    return out;
}


/* Writes "config.yml:12: log.level", or the variable's name. */
static const char *
reg_config_place(const reg_config_reader_t *r, const char *path, char *out)
{
    size_t  len;

    if (r->file == NULL) {
        return reg_config_printable(r->variable, out, REG_CONFIG_PLACE / 2);
    }

    /* of a long name the end matters, and the message must still fit */
    len = strlen(r->file);

    (void) snprintf(out, REG_CONFIG_PLACE, "%s:%zu%s%s",
                    len > 80 ? r->file + len - 80 : r->file, r->line,
                    path[0] == '\0' ? "" : ": ", path);
    return out;
}


static int
reg_config_fail(const reg_config_reader_t *r, const char *path,
    const char *why)
{
    char  place[REG_CONFIG_PLACE];

    return reg_error_set(r->err, REG_BAD_REQUEST, "%s: %s",
                         reg_config_place(r, path, place), why);
}


static void
reg_config_warn(const reg_config_reader_t *r, const char *path,
    const char *why)
{
    char  place[REG_CONFIG_PLACE], message[2 * REG_CONFIG_PLACE];

    (void) snprintf(message, sizeof(message), "%s: %s",
                    reg_config_place(r, path, place), why);

    if (r->warn != NULL) {
        r->warn(r->ctx, message);
    }
}


/* What a key's value may be, as a part of a sentence. */
static void
reg_config_expected(const reg_config_key_t *key, char *out, size_t size)
{
    long long  min = key->min, max = key->max;
    size_t     n;

    switch (key->kind) {

    case REG_CONFIG_INT:
        (void) snprintf(out, size, "a number from %lld to %lld", min, max);
        break;

    case REG_CONFIG_SIZE:
        (void) snprintf(out, size, "a size such as 512k, 8m or 1g, at most"
                        " %lldm", max >> 20);
        break;

    case REG_CONFIG_MODE:
        (void) snprintf(out, size, "an octal mode such as 0660, within 0%llo",
                        (unsigned long long) max);
        break;

    case REG_CONFIG_ABSOLUTE:
        (void) snprintf(out, size, "a path that begins with / and has at most"
                        " %lld bytes", max);
        break;

    case REG_CONFIG_ENUM:
        n = 0;

        for (size_t i = 0; key->words[i] != NULL && n < size; i++) {
            n += (size_t) snprintf(out + n, size - n, "%s%s",
                                   i == 0 ? "" : " or ", key->words[i]);
        }

        break;

    default:
        (void) snprintf(out, size, "true or false");
    }
}


static int
reg_config_bool(reg_str_t s, bool *out)
{
    static const char  *words[][2] = {
        { "false", "true" }, { "no", "yes" }, { "off", "on" }
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int k = 0; k < 2; k++) {
            if (reg_str_eq_nocase(s, reg_str_from(words[i][k]))) {
                *out = k == 1;
                return 0;
            }
        }
    }

    return -1;
}


static int
reg_config_size(reg_str_t s, int64_t max, int64_t *out)
{
    static const char  units[] = "kmg";

    int          shift = 0;
    const char  *unit;

    if (s.len > 0 && s.data[s.len - 1] > '9') {
        unit = strchr(units, s.data[s.len - 1] | 0x20);

        if (unit == NULL || *unit == '\0') {
            return -1;
        }

        shift = 10 * (int) (unit - units + 1);
        s.len--;
    }

    if (reg_str_int(s, max >> shift, out) == -1) {
        return -1;
    }

    *out <<= shift;
    return 0;
}


static int
reg_config_mode(reg_str_t s, int64_t mask, int64_t *out)
{
    int64_t  mode = 0;

    if (s.len == 0 || s.len > 4) {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '7') {
            return -1;
        }

        mode = mode << 3 | (s.data[i] - '0');
    }

    *out = mode;
    return (mode & ~mask) == 0 ? 0 : -1;
}


static int
reg_config_enum(reg_str_t s, const char *const *words, int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (reg_str_eq_nocase(s, reg_str_from(words[i]))) {
            *out = i;
            return 0;
        }
    }

    return -1;
}


static int
reg_config_absolute(reg_str_t s, int64_t max, char *out)
{
    if (s.len == 0 || s.len > (size_t) max || s.data[0] != '/') {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.data[i];

        if (c < 0x20 || c == 0x7f) {
            return -1;
        }
    }

    return reg_str_copy(out, REG_CONFIG_TEXT, s);
}


/* Puts a value of its kind where the table says. */
static int
reg_config_parse(reg_config_t *config, const reg_config_key_t *key,
    reg_str_t value)
{
    bool     yes = false;
    int      word = 0, rc;
    int64_t  number = 0;
    size_t   size = sizeof(number);
    void    *from = &number;

    switch (key->kind) {

    case REG_CONFIG_INT:
        rc = reg_str_int(value, key->max, &number);
        break;

    case REG_CONFIG_SIZE:
        rc = reg_config_size(value, key->max, &number);
        break;

    case REG_CONFIG_MODE:
        rc = reg_config_mode(value, key->max, &number);
        break;

    case REG_CONFIG_ABSOLUTE:
        return reg_config_absolute(value, key->max,
                                   (char *) config + key->offset);

    case REG_CONFIG_ENUM:
        rc = reg_config_enum(value, key->words, &word);
        from = &word;
        size = sizeof(word);
        break;

    default:
        rc = reg_config_bool(value, &yes);
        yes = yes != (key->kind == REG_CONFIG_NOT);
        from = &yes;
        size = sizeof(yes);
    }

    if (rc == -1 || (from == &number && number < key->min)) {
        return -1;
    }

    if (key->offset != REG_CONFIG_NOWHERE) {
        memcpy((char *) config + key->offset, from, size);
    }

    return 0;
}


void
reg_config_init(reg_config_t *config)
{
    memset(config, 0, sizeof(*config));

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const reg_config_key_t  *key = &reg_config_keys[i];

        if (key->initial != NULL) {
            int  rc = reg_config_parse(config, key,
                                       reg_str_from(key->initial));

            assert(rc == 0);
            (void) rc;                          /* without assertions */
        }
    }
}


static int
reg_config_store(reg_config_reader_t *r, const reg_config_key_t *key,
    reg_str_t value)
{
    char  expected[96], found[REG_CONFIG_FOUND], why[192];

    if (reg_config_parse(&r->config, key, value) == 0) {
        return 0;
    }

    reg_config_expected(key, expected, sizeof(expected));

    if (value.len == 0) {
        (void) snprintf(why, sizeof(why), "has no value; expected %s",
                        expected);
    } else {
        (void) snprintf(why, sizeof(why), "\"%s\" is wrong; expected %s",
                        reg_config_printable(value, found, sizeof(found)),
                        expected);
    }

    return reg_config_fail(r, key->path, why);
}


static bool
reg_config_is_known_but(const reg_config_key_t *key)
{
    return key->kind >= REG_CONFIG_HARMLESS;
}


/* Says, once for each row, what becomes of a key without meaning here. */
static int
reg_config_report(reg_config_reader_t *r, const reg_config_key_t *key,
    const char *path)
{
    size_t  *seen = &r->seen[key - reg_config_keys];
    char     why[192];

    if (key->kind == REG_CONFIG_REFUSED) {
        return reg_config_fail(r, path, key->help);
    }

    if (key->kind == REG_CONFIG_IGNORED && *seen == 0) {
        (void) snprintf(why, sizeof(why), "ignored: %s", key->help);
        reg_config_warn(r, path, why);
    }

    *seen = 1;
    return 0;
}


/* True if `below` is path, or below it. */
static bool
reg_config_covers(const char *path, const char *below)
{
    size_t  len = strlen(path);

    return strncmp(path, below, len) == 0
           && (below[len] == '\0' || below[len] == '.');
}


/* The row of a path: its own, or the nearest above that covers all below. */
static const reg_config_key_t *
reg_config_find(const char *path)
{
    const reg_config_key_t  *best = NULL;

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const reg_config_key_t  *key = &reg_config_keys[i];

        if (strcmp(key->path, path) == 0) {
            return key;
        }

        if (reg_config_is_known_but(key) && reg_config_covers(key->path, path)
            && (best == NULL || strlen(key->path) > strlen(best->path)))
        {
            best = key;
        }
    }

    return best;
}


static bool
reg_config_is_section(const char *path)
{
    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const char  *other = reg_config_keys[i].path;

        if (reg_config_covers(path, other) && other[strlen(path)] == '.') {
            return true;
        }
    }

    return false;
}


/* Insertions, deletions and replacements that make a of b. */
static size_t
reg_config_distance(reg_str_t a, reg_str_t b)
{
    enum { MAX = 32 };

    size_t  row[MAX + 1], corner, above;

    if (a.len > MAX || b.len > MAX) {
        return SIZE_MAX;
    }

    for (size_t k = 0; k <= b.len; k++) {
        row[k] = k;
    }

    for (size_t i = 1; i <= a.len; i++) {
        corner = row[0];
        row[0] = i;

        for (size_t k = 1; k <= b.len; k++) {
            size_t  change = corner + (a.data[i - 1] != b.data[k - 1]);
            size_t  shift = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;

            above = row[k];
            row[k] = change < shift ? change : shift;
            corner = above;
        }
    }

    return row[b.len];
}


/* Warns of an unknown key of a section, naming the sibling that may have been
 * meant. */
static void
reg_config_unknown(reg_config_reader_t *r, const char *section,
    reg_str_t name, const char *path)
{
    size_t       skip = section[0] == '\0' ? 0 : strlen(section) + 1;
    size_t       best = name.len > 3 ? 3 : name.len, distance;
    const char  *meant = NULL;
    size_t       len = 0;
    char         why[2 * REG_CONFIG_PATH];

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const char  *other = reg_config_keys[i].path;
        reg_str_t    rest, sibling;

        if (skip > 0 && (!reg_config_covers(section, other)
                         || strlen(other) <= skip))
        {
            continue;
        }

        rest = reg_str_from(other + skip);
        sibling = reg_str_cut(&rest, '.');
        distance = reg_config_distance(name, sibling);

        if (distance < best) {
            best = distance;
            meant = other;
            len = skip + sibling.len;
        }
    }

    if (meant == NULL) {
        (void) snprintf(why, sizeof(why), "unknown key");
    } else {
        (void) snprintf(why, sizeof(why), "unknown key (did you mean %.*s?)",
                        (int) len, meant);
    }

    reg_config_warn(r, path, why);
}


/* A word where keys are expected: Distribution's short form for a driver
 * without parameters ("storage: filesystem"). */
static int
reg_config_short(reg_config_reader_t *r, const char *section, reg_str_t value)
{
    const reg_config_key_t  *key;
    char                     found[REG_CONFIG_FOUND];
    char                     path[REG_CONFIG_PATH + REG_CONFIG_FOUND];
    char                     why[128];

    if (value.len == 0) {
        return 0;
    }

    (void) reg_config_printable(value, found, sizeof(found));
    (void) snprintf(path, sizeof(path), "%s.%s", section, found);

    key = reg_config_find(path);

    if (key != NULL && reg_config_is_known_but(key)) {
        return reg_config_report(r, key, path);
    }

    if (reg_config_is_section(path)) {
        return 0;
    }

    (void) snprintf(why, sizeof(why), "expected keys below it, found \"%s\"",
                    found);
    return reg_config_fail(r, section, why);
}


/* The next event of the file.  What could make a small file large, or the
 * walk deep, ends here. */
static int
reg_config_next(reg_config_reader_t *r)
{
    const yaml_char_t  *anchor = NULL;
    const char         *problem;

    yaml_event_delete(&r->event);

    if (!yaml_parser_parse(&r->parser, &r->event)) {
        problem = r->parser.problem;
        r->line = r->parser.problem_mark.line + 1;
        return reg_config_fail(r, "", problem != NULL ? problem
                                                      : "out of memory");
    }

    r->line = r->event.start_mark.line + 1;

    switch (r->event.type) {

    case YAML_ALIAS_EVENT:
        anchor = r->event.data.alias.anchor;
        break;

    case YAML_SCALAR_EVENT:
        anchor = r->event.data.scalar.anchor;
        break;

    case YAML_MAPPING_START_EVENT:
        anchor = r->event.data.mapping_start.anchor;
        r->depth++;
        break;

    case YAML_SEQUENCE_START_EVENT:
        anchor = r->event.data.sequence_start.anchor;
        r->depth++;
        break;

    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        r->depth--;
        break;

    default:
        break;
    }

    if (anchor != NULL) {
        return reg_config_fail(r, "", "anchors (&) and aliases (*) are not"
                               " supported; write the value itself");
    }

    if (r->depth > REG_CONFIG_DEPTH) {
        return reg_config_fail(r, "", "more than 16 levels deep");
    }

    return 0;
}


/* Passes over the value that begins with the current event. */
static int
reg_config_skip(reg_config_reader_t *r)
{
    int  depth = r->depth;

    if (r->event.type == YAML_MAPPING_START_EVENT
        || r->event.type == YAML_SEQUENCE_START_EVENT)
    {
        while (r->depth >= depth) {
            if (reg_config_next(r) == -1) {
                return -1;
            }
        }
    }

    return 0;
}


/* The current scalar; what YAML reads as null has no bytes. */
static reg_str_t
reg_config_scalar(const reg_config_reader_t *r)
{
    static const char  *nulls[] = { "~", "null", "Null", "NULL" };

    reg_str_t  s = { r->event.data.scalar.length,
                     (const char *) r->event.data.scalar.value };

    if (r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
            if (reg_str_eq(s, reg_str_from(nulls[i]))) {
                return REG_STR_NULL;
            }
        }
    }

    return s;
}


static int
reg_config_typed(reg_config_reader_t *r, const reg_config_key_t *key)
{
    size_t  *seen = &r->seen[key - reg_config_keys];
    char     expected[96], why[128];

    if (*seen != 0) {
        (void) snprintf(why, sizeof(why), "is on line %zu already", *seen);
        return reg_config_fail(r, key->path, why);
    }

    *seen = r->line;

    if (r->event.type != YAML_SCALAR_EVENT) {
        reg_config_expected(key, expected, sizeof(expected));
        (void) snprintf(why, sizeof(why), "expected %s", expected);
        return reg_config_fail(r, key->path, why);
    }

    return reg_config_store(r, key, reg_config_scalar(r));
}


static int reg_config_section(reg_config_reader_t *r, const char *path);


/* The value of a key, which is the current event. */
static int
reg_config_value(reg_config_reader_t *r, const reg_config_key_t *key,
    const char *path)
{
    if (reg_config_is_section(path)) {

        if (r->event.type == YAML_MAPPING_START_EVENT) {
            return reg_config_section(r, path);
        }

        if (r->event.type == YAML_SCALAR_EVENT) {
            return reg_config_short(r, path, reg_config_scalar(r));
        }

        return reg_config_fail(r, path, "expected keys below it, found a"
                               " list");
    }

    if (!reg_config_is_known_but(key)) {
        return reg_config_typed(r, key);
    }

    return reg_config_report(r, key, path) == -1 ? -1 : reg_config_skip(r);
}


/* One key of a section, which is the current event, with its value. */
static int
reg_config_key(reg_config_reader_t *r, const char *section)
{
    const reg_config_key_t  *key;
    char                     name[REG_CONFIG_FOUND];
    char                     path[REG_CONFIG_PATH];
    size_t                   line = r->line;
    reg_str_t                s;
    bool                     odd;

    if (r->event.type != YAML_SCALAR_EVENT) {
        return reg_config_fail(r, section, "a key must be plain text");
    }

    s = (reg_str_t) { r->event.data.scalar.length,
                      (const char *) r->event.data.scalar.value };

    /* "a.b: 1" is not the key b of a; nor is what had to be cut */
    odd = s.len >= sizeof(name)
          || (s.len > 0 && memchr(s.data, '.', s.len) != NULL);

    (void) reg_config_printable(s, name, sizeof(name));
    (void) snprintf(path, sizeof(path), "%s%s%s", section,
                    section[0] == '\0' ? "" : ".", name);

    if (reg_config_next(r) == -1) {
        return -1;
    }

    r->line = line;              /* a section begins on the line after */
    key = reg_config_find(odd ? section : path);

    if (key == NULL && (odd || !reg_config_is_section(path))) {
        reg_config_unknown(r, section, reg_str_from(name), path);
        return reg_config_skip(r);
    }

    if (odd) {
        return reg_config_report(r, key, path) == -1 ? -1 : reg_config_skip(r);
    }

    return reg_config_value(r, key, path);
}


static int
reg_config_section(reg_config_reader_t *r, const char *path)
{
    for ( ;; ) {
        if (reg_config_next(r) == -1) {
            return -1;
        }

        if (r->event.type == YAML_MAPPING_END_EVENT) {
            return 0;
        }

        if (reg_config_key(r, path) == -1) {
            return -1;
        }
    }
}


/* Passes events of the stream itself, up to one of another type. */
static int
reg_config_stream(reg_config_reader_t *r)
{
    do {
        if (reg_config_next(r) == -1) {
            return -1;
        }
    } while (r->event.type == YAML_STREAM_START_EVENT
             || r->event.type == YAML_DOCUMENT_START_EVENT
             || r->event.type == YAML_DOCUMENT_END_EVENT);

    return 0;
}


static int
reg_config_document(reg_config_reader_t *r)
{
    if (reg_config_stream(r) == -1) {
        return -1;
    }

    if (r->event.type == YAML_STREAM_END_EVENT) {
        return 0;                                    /* an empty file */
    }

    if (r->event.type == YAML_MAPPING_START_EVENT) {
        if (reg_config_section(r, "") == -1) {
            return -1;
        }

    } else if (r->event.type != YAML_SCALAR_EVENT
               || reg_config_scalar(r).len > 0)
    {
        return reg_config_fail(r, "", "expected keys with values, such as"
                               " \"version: 0.1\"");
    }

    if (reg_config_stream(r) == -1) {
        return -1;
    }

    if (r->event.type != YAML_STREAM_END_EVENT) {
        return reg_config_fail(r, "", "a second document begins here; one is"
                               " expected");
    }

    return 0;
}


/* Appends a file to out. */
static int
reg_config_load(const char *path, reg_buf_t *out, reg_error_t *err)
{
    char     text[128];
    int      fd, sys = 0;
    char    *p;
    ssize_t  n = 0;

    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        sys = errno;
    }

    while (sys == 0 && out->len <= REG_CONFIG_FILE_MAX) {
        p = reg_buf_reserve(out, 64 * 1024);
        n = p == NULL ? -1 : read(fd, p, 64 * 1024);

        if (n <= 0) {
            sys = p == NULL ? ENOMEM : n == -1 ? errno : 0;
            break;
        }

        out->len += (size_t) n;
    }

    if (fd != -1) {
        (void) close(fd);                            /* it was only read */
    }

    if (sys != 0) {
        return reg_error_set(err, REG_BAD_REQUEST, "%s: %s", path,
                             strerror_r(sys, text, sizeof(text)));
    }

    if (out->len > REG_CONFIG_FILE_MAX) {
        return reg_error_set(err, REG_BAD_REQUEST,
                             "%s: is larger than 1 MiB", path);
    }

    return 0;
}


int
reg_config_read(reg_config_t *config, const char *path,
    reg_config_warn_pt warn, void *ctx, reg_error_t *err)
{
    int                  rc = -1;
    reg_buf_t            text = REG_BUF_INIT;
    reg_config_reader_t  r = { .config = *config, .warn = warn, .ctx = ctx,
                               .err = err, .file = path };

    if (reg_config_load(path, &text, err) == -1) {
        goto out;
    }

    if (!yaml_parser_initialize(&r.parser)) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%s: out of memory", path);
        goto out;
    }

    yaml_parser_set_input_string(&r.parser, (const unsigned char *) text.data,
                                 text.len);

    rc = reg_config_document(&r);

    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);

    if (rc == 0) {
        *config = r.config;
    }

out:
    reg_buf_free(&text);
    return rc;
}


/* How many bytes of a variable's name spell path with '_' for '.', in any
 * case: all of path, or 0. */
static size_t
reg_config_spells(reg_str_t name, reg_str_t path)
{
    if (name.len < path.len) {
        return 0;
    }

    for (size_t i = 0; i < path.len; i++) {
        char       c = path.data[i] == '.' ? '_' : path.data[i];
        reg_str_t  a = { 1, &name.data[i] }, b = { 1, &c };

        if (!reg_str_eq_nocase(a, b)) {
            return 0;
        }
    }

    return path.len;
}


/* REGISTRY_STORAGE=filesystem: the section that a variable spells, as a slice
 * of a row's path; empty if there is none. */
static reg_str_t
reg_config_spelled_section(reg_str_t name)
{
    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        reg_str_t  path = reg_str_from(reg_config_keys[i].path);

        if (path.len > name.len && path.data[name.len] == '.') {
            path.len = name.len;

            if (reg_config_spells(name, path) == name.len) {
                return path;
            }
        }
    }

    return REG_STR_NULL;
}


/* One variable, without its REGISTRY_. */
static int
reg_config_variable(reg_config_reader_t *r, reg_str_t name, reg_str_t value)
{
    const reg_config_key_t  *best = NULL;
    size_t                   most = 0;
    reg_str_t                section;
    char                     path[REG_CONFIG_PATH];

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const reg_config_key_t  *key = &reg_config_keys[i];
        size_t                   n;

        n = reg_config_spells(name, reg_str_from(key->path));

        if (n > most && (n == name.len || (name.data[n] == '_'
                                           && reg_config_is_known_but(key))))
        {
            best = key;
            most = n;
        }
    }

    if (best != NULL) {
        return reg_config_is_known_but(best)
               ? reg_config_report(r, best, best->path)
               : reg_config_store(r, best, value);
    }

    section = reg_config_spelled_section(name);

    if (section.len > 0) {
        (void) reg_str_copy(path, sizeof(path), section);        /* fits */
        return reg_config_short(r, path, value);
    }

    reg_config_warn(r, "", "ignored: no key has this name");
    return 0;
}


int
reg_config_environment(reg_config_t *config, char *const *env,
    reg_config_warn_pt warn, void *ctx, reg_error_t *err)
{
    reg_config_reader_t  r = { .config = *config, .warn = warn, .ctx = ctx,
                               .err = err };
    reg_str_t            name, value, prefix = REG_STR("REGISTRY_");

    for ( ; *env != NULL; env++) {
        value = reg_str_from(*env);
        name = reg_str_cut(&value, '=');

        if (!reg_str_starts(name, prefix)) {
            continue;
        }

        r.variable = name;
        name.data += prefix.len;
        name.len -= prefix.len;

        /* where Distribution's image looks for its file, not a key */
        if (reg_str_eq(name, REG_STR("CONFIGURATION_PATH"))) {
            continue;
        }

        if (name.len > 0 && reg_config_variable(&r, name, value) == -1) {
            return -1;
        }
    }

    *config = r.config;
    return 0;
}


void
reg_config_describe(reg_buf_t *out)
{
    static const struct {
        reg_config_kind_t  kind;
        const char        *title;
    } classes[] = {
        { REG_CONFIG_HARMLESS, "Accepted, not needed here:" },
        { REG_CONFIG_IGNORED, "Ignored, with a warning:" },
        { REG_CONFIG_REFUSED, "Refused:" },
    };

    char  expected[96];

    for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
        const reg_config_key_t  *key = &reg_config_keys[i];

        if (!reg_config_is_known_but(key)) {
            reg_config_expected(key, expected, sizeof(expected));
            reg_buf_printf(out, "%s\n    %s\n    %s%s%s\n", key->path,
                           key->help, expected,
                           key->initial == NULL ? "" : "; default ",
                           key->initial == NULL ? "" : key->initial);
        }
    }

    for (size_t k = 0; k < sizeof(classes) / sizeof(classes[0]); k++) {
        reg_buf_printf(out, "\n%s\n", classes[k].title);

        for (size_t i = 0; i < REG_CONFIG_KEYS; i++) {
            if (reg_config_keys[i].kind == classes[k].kind) {
                reg_buf_printf(out, "%s\n    %s\n", reg_config_keys[i].path,
                               reg_config_keys[i].help);
            }
        }
    }
}
