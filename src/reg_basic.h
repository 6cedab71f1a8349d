/*
 * reg_basic: a name and a password, as a header has them (RFC 7617).
 *
 *     reg_basic_t  basic;
 *
 *     if (reg_basic_parse(&basic, value) == 0) {
 *         … basic.user, basic.password …
 *     }
 *
 *     reg_basic_wipe(&basic);                           in any case
 *
 * Blocks: never
 */

#ifndef REG_BASIC_H
#define REG_BASIC_H

#include "reg_str.h"

#define REG_BASIC_MAX  1024              /* bytes of "user:password" */

typedef struct {
    reg_str_t      user;                 /* both within text */
    reg_str_t      password;
    unsigned char  text[REG_BASIC_MAX + 4];
} reg_basic_t;


/* value is what follows the scheme: base64 of "user:password", with padding.
 * -1 if it is something else, or too long. */
int reg_basic_parse(reg_basic_t *basic, reg_str_t value);

void reg_basic_wipe(reg_basic_t *basic);

#endif
