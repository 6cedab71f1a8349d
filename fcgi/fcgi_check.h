/*
 * fcgi_check: what --check looks at on the disk.
 *
 *     fcgi_check_owner(&config, err)       root looks as the tree's owner
 *     fcgi_check_places(&config, &missing, err)
 *
 * The tree, the directory of keys and the file of the audit: whether they are
 * there and may be written to, or else could be made, by the process as it is.
 * Nothing is made: missing gets a line for each directory that a start would
 * make ("makes: PATH", the topmost only), and for the one of the socket, which
 * it would not ("needs: PATH, for …").
 *
 * The message of a failure names the place, and the key of the configuration.
 */

#ifndef FCGI_CHECK_H
#define FCGI_CHECK_H

#include "reg_config.h"

/* The owner of the deepest directory on the tree's path that is there. */
int fcgi_check_owner(const reg_config_t *config, reg_error_t *err);

int fcgi_check_places(const reg_config_t *config, reg_buf_t *missing,
    reg_error_t *err);

#endif
