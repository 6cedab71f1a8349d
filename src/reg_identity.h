/*
 * reg_identity: who is asking.
 *
 * A value: copied by assignment, nothing to free.
 *
 * Blocks: never
 */

#ifndef REG_IDENTITY_H
#define REG_IDENTITY_H

#include "reg_str.h"

#define REG_USER_MAX    128
#define REG_USER_ROBOT  REG_STR("robot$")    /* a robot's name begins so */

typedef enum {
    REG_WHO_ANYBODY,         /* no credentials */
    REG_WHO_USER,            /* an account: htpasswd or LDAP */
    REG_WHO_ROBOT,           /* robot$NAME */
    REG_WHO_BEARER           /* the subject of another issuer's token */
} reg_who_t;

typedef struct {
    reg_who_t  who;
    char       name[REG_USER_MAX + 1];       /* "" for ANYBODY */
} reg_identity_t;

#define REG_IDENTITY_ANYBODY  { REG_WHO_ANYBODY, "" }


/* 1 to 128 bytes of UTF-8 without control characters, blanks at an end or
 * ':', which cannot be part of a name in Basic credentials. */
bool reg_user_valid(reg_str_t name);

#endif
