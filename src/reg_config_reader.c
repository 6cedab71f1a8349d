#include "reg_config_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <yaml.h>


#define REG_CONFIG_FILE_MAX  (1024 * 1024)
#define REG_CONFIG_DEPTH     16


int
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


const char *
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


int
reg_config_fail(const reg_config_reader_t *r, const char *path,
    const char *why)
{
    char  place[REG_CONFIG_PLACE];

    return reg_error_set(r->err, REG_BAD_REQUEST, "%s: %s",
                         reg_config_place(r, path, place), why);
}


void
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


/* What libyaml found, and what a person has probably done. */
static int
reg_config_malformed(const reg_config_reader_t *r)
{
    static const struct {
        const char  *problem, *hint;
    } hints[] = {
        { "did not find expected key", "wrong indentation?" },
        { "found character that cannot start any token",
          "a tab? indent with spaces" },
        { "did not find expected alphabetic or numeric character",
          "a * needs quotes: \"*\"" },
        { "mapping values are not allowed in this context",
          "wrong indentation?" },
    };

    const char  *problem = r->parser->problem;
    char         why[160];

    if (problem == NULL) {
        return reg_config_fail(r, "", "out of memory");
    }

    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        if (strcmp(problem, hints[i].problem) == 0) {
            (void) snprintf(why, sizeof(why), "%s (%s)", problem,
                            hints[i].hint);
            return reg_config_fail(r, "", why);
        }
    }

    return reg_config_fail(r, "", problem);
}


int
reg_config_next(reg_config_reader_t *r)
{
    const yaml_char_t  *anchor = NULL;

    yaml_event_delete(r->event);

    if (!yaml_parser_parse(r->parser, r->event)) {
        r->line = r->parser->problem_mark.line + 1;
        return reg_config_malformed(r);
    }

    r->line = r->event->start_mark.line + 1;

    switch (r->event->type) {

    case YAML_ALIAS_EVENT:
        anchor = r->event->data.alias.anchor;
        break;

    case YAML_SCALAR_EVENT:
        anchor = r->event->data.scalar.anchor;
        break;

    case YAML_MAPPING_START_EVENT:
        anchor = r->event->data.mapping_start.anchor;
        r->depth++;
        break;

    case YAML_SEQUENCE_START_EVENT:
        anchor = r->event->data.sequence_start.anchor;
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


int
reg_config_skip(reg_config_reader_t *r)
{
    int  depth = r->depth;

    if (r->event->type == YAML_MAPPING_START_EVENT
        || r->event->type == YAML_SEQUENCE_START_EVENT)
    {
        while (r->depth >= depth) {
            if (reg_config_next(r) == -1) {
                return -1;
            }
        }
    }

    return 0;
}


reg_str_t
reg_config_scalar(const reg_config_reader_t *r)
{
    static const char  *nulls[] = { "~", "null", "Null", "NULL" };

    reg_str_t  s = { r->event->data.scalar.length,
                     (const char *) r->event->data.scalar.value };

    if (r->event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
            if (reg_str_eq(s, reg_str_from(nulls[i]))) {
                return REG_STR_NULL;
            }
        }
    }

    return s;
}
