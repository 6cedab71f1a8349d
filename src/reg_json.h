/*
 * reg_json: how deep a JSON text goes and how many values it has, counted
 * before a tree is made of it.
 *
 *     static const reg_json_t  most = { .depth = 32, .values = 262144 };
 *
 *     has = reg_json_count(text, &most);
 *
 *     if (has.depth > most.depth) … refuse it …
 *
 *     json = reg_json_load(text, &most);           where no reason is given
 *
 * A tree of "[[[[" or "1,1,1," takes 30 and more bytes for each of theirs, and
 * whatever walks through it, or writes it out again, calls itself once for each
 * level: of 2000 levels a stack of half a MiB is not enough.
 *
 * Outside strings every value but the first comes after one of [ { , : hence
 * their number bounds that of the values.  A text that is no JSON has numbers
 * too: to find out what it is, is not asked here.
 *
 * Blocks: never
 */

#ifndef REG_JSON_H
#define REG_JSON_H

#include "reg_str.h"

typedef struct {
    size_t  depth;                       /* of the deepest value */
    size_t  values;
} reg_json_t;


struct json_t;                           /* jansson's */

/* Ends where more than most was found of either. */
reg_json_t reg_json_count(reg_str_t text, const reg_json_t *most);

/* Whether the text has no more than most. */
bool reg_json_within(reg_str_t text, const reg_json_t *most);

/* A tree, which is the caller's.  NULL if the text has more, is no JSON, or has
 * a name twice in an object or a NUL in a text. */
struct json_t *reg_json_load(reg_str_t text, const reg_json_t *most);

#endif
