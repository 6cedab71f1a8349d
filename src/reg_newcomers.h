/*
 * reg_newcomers: repositories that another program makes, seen where they
 * appear, so that nobody must walk through the tree for them.
 *
 *     newcomers = reg_newcomers_create(&store);
 *     reg_newcomers_look(newcomers, &known, found, ctx);     as often as asked
 *
 * A new repository is a new directory, most often in repositories/ or in that
 * of a group: of what stands before a '/' in a name that is known.  A look asks
 * for the times of these directories (reg_stamp.h) and reads the ones that have
 * changed.  Names there that are not known, of directories whose ctime is of
 * the last hour, are newcomers.  Another registry makes the directory when the
 * first upload begins and the manifest when the last one is over, so a newcomer
 * is looked at again each time, and what is in it as well, which is how a new
 * group is found, until it is known or an hour has passed.
 *
 * This is bounded: the first REG_NEWCOMERS_GROUPS groups, REG_NEWCOMERS_MAX
 * newcomers at a time, and after each look a rest that is twenty times as long,
 * or a second.  What is missed (a new repository in one that is no group, a
 * manifest in a directory that is old) a walk finds.
 *
 * Safe to call from all threads: one looks, and the others do not wait.
 *
 * Blocks: disk
 */

#ifndef REG_NEWCOMERS_H
#define REG_NEWCOMERS_H

#include "reg_names.h"

#define REG_NEWCOMERS_GROUPS  1024
#define REG_NEWCOMERS_MAX     256

typedef struct reg_newcomers_s  reg_newcomers_t;


/* The store must live longer.  NULL without memory. */
reg_newcomers_t *reg_newcomers_create(reg_store_t *store);
void reg_newcomers_free(reg_newcomers_t *newcomers);     /* NULL is allowed */

/* Calls found for each newcomer with a manifest, unless it is too early for a
 * look.  known has the names of the repositories that need not be found. */
void reg_newcomers_look(reg_newcomers_t *newcomers, const reg_names_t *known,
    void (*found)(void *ctx, const reg_name_t *name), void *ctx);

#endif
