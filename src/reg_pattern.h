/*
 * reg_pattern: names of repositories, many at once.
 *
 * A pattern is a name in which a star stands for anything within one part, and
 * a part of two stars for any number of parts, also none.  "app-" and a star
 * fits app-x and not app-x/y; "team", a slash and two stars fit team itself and
 * all below it; two stars alone fit every repository.
 *
 * ${user} stands for the name of who asks, if that could itself be a part of a
 * repository's name: for others the pattern fits nothing.  docs/access.md has
 * examples, which would end this comment.
 *
 * Time is bounded by the product of both lengths.
 *
 * Blocks: never
 */

#ifndef REG_PATTERN_H
#define REG_PATTERN_H

#include "reg_str.h"

#define REG_PATTERN_MAX  255

bool reg_pattern_valid(reg_str_t pattern);

/* user is "" for who has no account.  pattern is one that is valid: others
 * match nothing. */
bool reg_pattern_match(reg_str_t pattern, reg_str_t name, reg_str_t user);

#endif
