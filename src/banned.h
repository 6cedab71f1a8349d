/*
 * banned: functions that this project does without.  Each has a bounded or
 * reentrant counterpart: snprintf, memcpy, reg_str_int, gmtime_r, mkstemp.
 *
 * Blocks: never
 */

#ifndef REG_BANNED_H
#define REG_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__GNUC__)

/* some are macros in a hardened build */
#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok
#pragma GCC poison atoi atol atoll gmtime localtime mktemp tmpnam
#endif

#endif
