/*
 * reg_config_reader: one reading of a config.yml, or of an environment.
 *
 * YAML as a stream of events, of which the current one is in the reader; what
 * could make a small file large, or a walk deep, ends with an error.  Messages
 * name file, line and key.  Shared by reg_config.c, which walks the file, and
 * reg_config_access.c, which walks a part of it.
 *
 * Blocks: disk
 */

#ifndef REG_CONFIG_READER_H
#define REG_CONFIG_READER_H

#include "reg_config_key.h"

#define REG_CONFIG_FOUND  48             /* of a wrong value, in a message */
#define REG_CONFIG_PLACE  256

typedef struct {
    reg_config_t        config;          /* the caller's, once all is well */
    reg_config_warn_pt  warn;
    void               *ctx;
    reg_error_t        *err;

    const char         *file;            /* NULL: an environment */
    size_t              line;
    reg_str_t           variable;

    struct yaml_parser_s  *parser;       /* yaml.h's, for the .c files */
    struct yaml_event_s   *event;
    int                 depth;

    size_t              seen[REG_CONFIG_KEYS_MAX];   /* line of first mention */
} reg_config_reader_t;


/* Appends a file, of 1 MiB at most, to out. */
int reg_config_load(const char *path, reg_buf_t *out, reg_error_t *err);

/* s for a message, in out: cut, and nothing in it that could forge a log
 * line. */
const char *reg_config_printable(reg_str_t s, char *out, size_t size);

/* Sets the error "config.yml:12: path: why".  Returns -1. */
int reg_config_fail(const reg_config_reader_t *r, const char *path,
    const char *why);

/* The same as a warning. */
void reg_config_warn(const reg_config_reader_t *r, const char *path,
    const char *why);

/* Goes to the next event of the file. */
int reg_config_next(reg_config_reader_t *r);

/* Passes over the value that begins with the current event. */
int reg_config_skip(reg_config_reader_t *r);

/* The current scalar, until the next event; what YAML reads as null has no
 * bytes. */
reg_str_t reg_config_scalar(const reg_config_reader_t *r);

#endif
