#include "reg_config.h"

#include <assert.h>

#include <yaml.h>

#include "reg_config_access.h"
#include "reg_config_reader.h"
#include "reg_config_value.h"


void
reg_config_init(reg_config_t *config)
{
    const reg_config_key_t  *key;

    memset(config, 0, sizeof(*config));

    for (size_t i = 0; (key = reg_config_key_at(i)) != NULL; i++) {
        if (key->initial != NULL) {
            int  rc = reg_config_value_parse(key, reg_str_from(key->initial),
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

    if (reg_config_value_parse(key, value, &r->config) == 0) {
        return 0;
    }

    reg_config_value_expected(key, expected, sizeof(expected));

    if (value.len == 0) {
        (void) snprintf(why, sizeof(why), "has no value; expected %s",
                        expected);
    } else if (key->kind == REG_CONFIG_SECRET) {
        (void) snprintf(why, sizeof(why), "is wrong; expected %s", expected);
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


/* Whether who may come in would be another if this was not read. */
static bool
reg_config_guards(reg_str_t meant)
{
    return reg_str_eq(meant, REG_STR("auth"))
           || reg_str_eq(meant, REG_STR("nginx_registry.access"));
}


/* Warns of an unknown key of a section, naming the sibling that may have been
 * meant.  -1 if that would have kept somebody out. */
static int
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

    if (reg_config_guards(meant)) {
        (void) snprintf(why, sizeof(why), "unknown key (did you mean %.*s?):"
                        " all that is not read would be open",
                        REG_STR_ARG(meant));
        return reg_config_fail(r, path, why);
    }

    reg_config_warn(r, path, why);
    return 0;
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


/* A list of words, whose start is the current event, as if they stood in one
 * line. */
static int
reg_config_words(reg_config_reader_t *r, const reg_config_key_t *key)
{
    int        rc = -1;
    reg_str_t  word;
    reg_buf_t  line = REG_BUF_INIT;

    for ( ;; ) {
        if (reg_config_next(r) == -1) {
            goto out;
        }

        if (r->event->type == YAML_SEQUENCE_END_EVENT) {
            break;
        }

        word = r->event->type == YAML_SCALAR_EVENT ? reg_config_scalar(r)
                                                  : REG_STR_NULL;

        if (word.len == 0 || memchr(word.data, ' ', word.len) != NULL
            || memchr(word.data, ',', word.len) != NULL)
        {
            (void) reg_config_fail(r, key->path, "expected words in this"
                                   " list");
            goto out;
        }

        reg_buf_putstr(&line, word);
        reg_buf_puts(&line, " ");
    }

    rc = reg_config_store(r, key, reg_buf_str(&line));

out:
    reg_buf_free(&line);
    return rc;
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

    if (key->kind == REG_CONFIG_ACCESS) {
        return reg_config_access(r);
    }

    if (key->kind == REG_CONFIG_WORDS
        && r->event->type == YAML_SEQUENCE_START_EVENT)
    {
        return reg_config_words(r, key);
    }

    if (r->event->type != YAML_SCALAR_EVENT) {
        reg_config_value_expected(key, expected, sizeof(expected));
        (void) snprintf(why, sizeof(why), "expected %s", expected);
        return reg_config_fail(r, key->path, why);
    }

    return reg_config_store(r, key, reg_config_scalar(r));
}


static int reg_config_section(reg_config_reader_t *r, const char *path);


/* The value of a section, which is the current event. */
static int
reg_config_below(reg_config_reader_t *r, const char *path)
{
    if (r->event->type == YAML_MAPPING_START_EVENT) {
        return reg_config_section(r, path);
    }

    if (r->event->type == YAML_SCALAR_EVENT) {
        return reg_config_short(r, path, reg_config_scalar(r));
    }

    return reg_config_fail(r, path, "expected keys below it, found a list");
}


/* The value of a key, which is the current event. */
static int
reg_config_value(reg_config_reader_t *r, const reg_config_key_t *key,
    const char *path)
{
    if (reg_config_key_is_section(path)) {
        return reg_config_below(r, path);
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

    if (r->event->type != YAML_SCALAR_EVENT) {
        return reg_config_fail(r, section, "a key must be plain text");
    }

    s = (reg_str_t) { r->event->data.scalar.length,
                      (const char *) r->event->data.scalar.value };

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
        return reg_config_unknown(r, section, reg_str_from(name), path) == -1
               ? -1 : reg_config_skip(r);
    }

    if (odd) {
        return reg_config_report(r, key, path) == -1 ? -1 : reg_config_skip(r);
    }

    r->config.auth_asked |= strcmp(path, "auth") == 0;

    return reg_config_value(r, key, path);
}


static int
reg_config_section(reg_config_reader_t *r, const char *path)
{
    for ( ;; ) {
        if (reg_config_next(r) == -1) {
            return -1;
        }

        if (r->event->type == YAML_MAPPING_END_EVENT) {
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
    } while (r->event->type == YAML_STREAM_START_EVENT
             || r->event->type == YAML_DOCUMENT_START_EVENT
             || r->event->type == YAML_DOCUMENT_END_EVENT);

    return 0;
}


static int
reg_config_document(reg_config_reader_t *r)
{
    if (reg_config_stream(r) == -1) {
        return -1;
    }

    if (r->event->type == YAML_STREAM_END_EVENT) {
        return 0;                                    /* an empty file */
    }

    if (r->event->type == YAML_MAPPING_START_EVENT) {
        if (reg_config_section(r, "") == -1) {
            return -1;
        }

    } else if (r->event->type != YAML_SCALAR_EVENT
               || reg_config_scalar(r).len > 0)
    {
        return reg_config_fail(r, "", "expected keys with values, such as"
                               " \"version: 0.1\"");
    }

    if (reg_config_stream(r) == -1) {
        return -1;
    }

    if (r->event->type != YAML_STREAM_END_EVENT) {
        return reg_config_fail(r, "", "a second document begins here; one is"
                               " expected");
    }

    return 0;
}


int
reg_config_read(reg_config_t *config, const char *path,
    reg_config_warn_pt warn, void *ctx, reg_error_t *err)
{
    int                  rc = -1;
    reg_buf_t            text = REG_BUF_INIT;
    yaml_parser_t        parser;
    yaml_event_t         event = { 0 };
    reg_config_reader_t  r = { .config = *config, .warn = warn, .ctx = ctx,
                               .err = err, .file = path, .parser = &parser,
                               .event = &event };

    if (reg_config_load(path, &text, err) == -1) {
        goto out;
    }

    if (!yaml_parser_initialize(&parser)) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%s: out of memory", path);
        goto out;
    }

    yaml_parser_set_input_string(&parser, (const unsigned char *) text.data,
                                 text.len);

    rc = reg_config_document(&r);

    yaml_event_delete(&event);
    yaml_parser_delete(&parser);

    if (rc == 0) {
        *config = r.config;

    } else if (r.config.policy != config->policy) {
        reg_policy_free(r.config.policy);
    }

out:
    reg_buf_free(&text);
    return rc;
}


/* "AUTH", "AUTH_…", in any case. */
static bool
reg_config_is_auth(reg_str_t name)
{
    reg_str_t  first = reg_str_cut(&name, '_');

    return reg_str_eq_nocase(first, REG_STR("auth"));
}


/* One variable, without its REGISTRY_. */
static int
reg_config_variable(reg_config_reader_t *r, reg_str_t name, reg_str_t value)
{
    const reg_config_key_t  *key = reg_config_key_spelled(name);
    reg_str_t                section;
    char                     path[REG_CONFIG_PATH];

    /* REGISTRY_STORAGE=filesystem, REGISTRY_AUTH=htpasswd */
    section = reg_config_key_spelled_section(name);
    r->config.auth_asked |= reg_config_is_auth(name);

    if (key != NULL
        && (section.len == 0 || !reg_config_key_is_foreign(key)))
    {
        return reg_config_key_is_foreign(key)
               ? reg_config_report(r, key, key->path)
               : reg_config_store(r, key, value);
    }

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
reg_config_ldap(const reg_config_t *config, reg_ldap_options_t *ldap)
{
    *ldap = (reg_ldap_options_t) {
        .url = config->ldap_url,
        .ca_file = config->ldap_ca_file,
        .dn = config->ldap_dn,
        .base = config->ldap_base,
        .filter = config->ldap_filter,
        .bind_dn = config->ldap_bind_dn,
        .bind_password_file = config->ldap_bind_password_file,
    };
}


void
reg_config_free(reg_config_t *config)
{
    reg_policy_free(config->policy);
    config->policy = NULL;
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
            reg_config_value_expected(key, expected, sizeof(expected));
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
