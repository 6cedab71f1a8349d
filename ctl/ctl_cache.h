/*
 * ctl_cache: what Redis remembers of tags.
 *
 *     stats     how many tags that are
 *     flush     all workers forget what they and Redis remember
 *     verify    what differs from the disk
 */

#ifndef CTL_CACHE_H
#define CTL_CACHE_H

#include "ctl_command.h"

ctl_exit_t ctl_cache(int argc, char **argv);

#endif
