/*
 * reg_config_key: the table of config.yml's keys.
 *
 * A row is a path ("storage.delete.enabled"), what its value may be, where in
 * a reg_config_t it goes, its default and a sentence of help.  A new key is a
 * new row.
 *
 * Rows of the last three kinds are keys that CNCF Distribution knows and that
 * have no meaning here: each stands for all below it too, and its help says
 * why and what to do instead.
 *
 * Blocks: never
 */

#ifndef REG_CONFIG_KEY_H
#define REG_CONFIG_KEY_H

#include "reg_config.h"

/* bounds of what the reader keeps for each row, and of any row's path */
#define REG_CONFIG_KEYS_MAX  160
#define REG_CONFIG_PATH      128

/* the offset of what is only looked at */
#define REG_CONFIG_NOWHERE   SIZE_MAX

typedef enum {
    REG_CONFIG_BOOL,
    REG_CONFIG_NOT,          /* a bool, stored inverted */
    REG_CONFIG_INT,
    REG_CONFIG_SIZE,         /* bytes; k, m or g may follow */
    REG_CONFIG_DURATION,     /* as 168h or 1h30m; stored in seconds */
    REG_CONFIG_MOMENT,       /* the same; stored in milliseconds */
    REG_CONFIG_MODE,         /* octal; max is the mask of what is allowed */
    REG_CONFIG_ENUM,
    REG_CONFIG_ABSOLUTE,     /* a path from "/"; max is its length */
    REG_CONFIG_TEXT_LINE,    /* one line of text; max is its length */
    REG_CONFIG_SECRET,       /* the same, in no message */
    REG_CONFIG_WORDS,        /* a list, or words in one line; stored with one
                                blank between two; max is its length */
    REG_CONFIG_ACCESS,       /* who may do what: reg_config_access.h */

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


/* The i-th row, NULL after the last. */
const reg_config_key_t *reg_config_key_at(size_t i);

/* Its i. */
size_t reg_config_key_index(const reg_config_key_t *key);

/* True for the last three kinds. */
bool reg_config_key_is_foreign(const reg_config_key_t *key);

/* The row of a path: its own, or the nearest foreign one above.  NULL if there
 * is none. */
const reg_config_key_t *reg_config_key_find(const char *path);

/* True if there are rows below path. */
bool reg_config_key_is_section(const char *path);

/* The path below a section ("": the top) that a mistyped name may have meant,
 * as a slice of a row's; empty if none is near. */
reg_str_t reg_config_key_nearest(const char *section, reg_str_t name);

/* The row that the name of a variable spells, in any case, '_' for '.'; the
 * foreign ones with anything after. */
const reg_config_key_t *reg_config_key_spelled(reg_str_t name);

/* The same for a section, as a slice of a row's path. */
reg_str_t reg_config_key_spelled_section(reg_str_t name);

#endif
