/*
 * reg_config_value: what may stand behind a key of config.yml, from its text to
 * the field of a reg_config_t.
 *
 *     key = reg_config_key_find("storage.delete.enabled");
 *
 *     if (reg_config_value_parse(key, REG_STR("yes"), &config) == -1) {
 *         reg_config_value_expected(key, text, sizeof(text));
 *         … "is not " text …
 *     }
 *
 * The row of the key (reg_config_key.h) says what kind of value it is and where
 * it goes.  A value comes from a file, from a variable, or as a default from
 * the row itself.
 *
 * Blocks: never
 */

#ifndef REG_CONFIG_VALUE_H
#define REG_CONFIG_VALUE_H

#include "reg_config_key.h"


/* Puts a value where the row says.  -1 if it is not of the row's kind. */
int reg_config_value_parse(const reg_config_key_t *key, reg_str_t value,
    reg_config_t *config);

/* Writes what the value may be, as a part of a sentence. */
void reg_config_value_expected(const reg_config_key_t *key, char *out,
    size_t size);

#endif
