/*
 * reg_epoch: the age of decisions about access.
 *
 * nginx keeps what the worker decided, and the worker keeps which credentials
 * it has verified, both for a short time.  A file of the tree, _auth/epoch,
 * says when all of that is to be forgotten: whoever changes accounts, keys or
 * rules writes it anew, and who keeps decisions looks at it (one stat) and
 * forgets them when it is another file than before.
 *
 * What is in the file does not matter; a file that is not there is an epoch
 * too.
 *
 * Blocks: disk (reg_epoch_look: one stat)
 */

#ifndef REG_EPOCH_H
#define REG_EPOCH_H

#include "reg_store.h"

/* Begins a new epoch, for all hosts that share the tree. */
int reg_epoch_bump(reg_store_t *store, reg_error_t *err);

/* A number that is another one in each epoch. */
uint64_t reg_epoch_look(const reg_store_t *store);

#endif
