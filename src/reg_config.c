#include "reg_config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <yaml.h>

#include "reg_config_key.h"


#define REG_CONFIG_FILE_MAX  (1024 * 1024)
#define REG_CONFIG_DEPTH     16
#define REG_CONFIG_FOUND     48      /* of a wrong value, in a message */
#define REG_CONFIG_PLACE     256


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

    size_t              seen[REG_CONFIG_KEYS_MAX];   /* line of first mention */
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


void
reg_config_init(reg_config_t *config)
{
    const reg_config_key_t  *key;

    memset(config, 0, sizeof(*config));

    for (size_t i = 0; (key = reg_config_key_at(i)) != NULL; i++) {
        if (key->initial != NULL) {
            int  rc = reg_config_key_parse(key, reg_str_from(key->initial),
                                           config);

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

    if (reg_config_key_parse(key, value, &r->config) == 0) {
        return 0;
    }

    reg_config_key_expected(key, expected, sizeof(expected));

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


/* Says, once for each row, what becomes of a key without meaning here. */
static int
reg_config_report(reg_config_reader_t *r, const reg_config_key_t *key,
    const char *path)
{
    size_t  *seen = &r->seen[reg_config_key_index(key)];
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


/* Warns of an unknown key of a section, naming the sibling that may have been
 * meant. */
static void
reg_config_unknown(reg_config_reader_t *r, const char *section,
    reg_str_t name, const char *path)
{
    char       why[2 * REG_CONFIG_PATH];
    reg_str_t  meant = reg_config_key_nearest(section, name);

    if (meant.len == 0) {
        (void) snprintf(why, sizeof(why), "unknown key");
    } else {
        (void) snprintf(why, sizeof(why), "unknown key (did you mean %.*s?)",
                        REG_STR_ARG(meant));
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

    key = reg_config_key_find(path);

    if (key != NULL && reg_config_key_is_foreign(key)) {
        return reg_config_report(r, key, path);
    }

    if (reg_config_key_is_section(path)) {
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
    size_t  *seen = &r->seen[reg_config_key_index(key)];
    char     expected[96], why[128];

    if (*seen != 0) {
        (void) snprintf(why, sizeof(why), "is on line %zu already", *seen);
        return reg_config_fail(r, key->path, why);
    }

    *seen = r->line;

    if (r->event.type != YAML_SCALAR_EVENT) {
        reg_config_key_expected(key, expected, sizeof(expected));
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
    if (reg_config_key_is_section(path)) {

        if (r->event.type == YAML_MAPPING_START_EVENT) {
            return reg_config_section(r, path);
        }

        if (r->event.type == YAML_SCALAR_EVENT) {
            return reg_config_short(r, path, reg_config_scalar(r));
        }

        return reg_config_fail(r, path, "expected keys below it, found a"
                               " list");
    }

    if (!reg_config_key_is_foreign(key)) {
        return reg_config_typed(r, key);
    }

    return reg_config_report(r, key, path) == -1 ? -1 : reg_config_skip(r);
}


/* One key of a section, which is the current event, with its value. */
static int
reg_config_pair(reg_config_reader_t *r, const char *section)
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
    key = reg_config_key_find(odd ? section : path);

    if (key == NULL && (odd || !reg_config_key_is_section(path))) {
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

        if (reg_config_pair(r, path) == -1) {
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


/* One variable, without its REGISTRY_. */
static int
reg_config_variable(reg_config_reader_t *r, reg_str_t name, reg_str_t value)
{
    const reg_config_key_t  *key = reg_config_key_spelled(name);
    reg_str_t                section;
    char                     path[REG_CONFIG_PATH];

    if (key != NULL) {
        return reg_config_key_is_foreign(key)
               ? reg_config_report(r, key, key->path)
               : reg_config_store(r, key, value);
    }

    /* REGISTRY_STORAGE=filesystem */
    section = reg_config_key_spelled_section(name);

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

    const reg_config_key_t  *key;
    char                     expected[96];

    for (size_t i = 0; (key = reg_config_key_at(i)) != NULL; i++) {
        if (!reg_config_key_is_foreign(key)) {
            reg_config_key_expected(key, expected, sizeof(expected));
            reg_buf_printf(out, "%s\n    %s\n    %s%s%s\n", key->path,
                           key->help, expected,
                           key->initial == NULL ? "" : "; default ",
                           key->initial == NULL ? "" : key->initial);
        }
    }

    for (size_t k = 0; k < sizeof(classes) / sizeof(classes[0]); k++) {
        reg_buf_printf(out, "\n%s\n", classes[k].title);

        for (size_t i = 0; (key = reg_config_key_at(i)) != NULL; i++) {
            if (key->kind == classes[k].kind) {
                reg_buf_printf(out, "%s\n    %s\n", key->path, key->help);
            }
        }
    }
}
