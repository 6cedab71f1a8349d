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
 * it would not ("needs: PATH, for …").  A tree that is there and can only be
 * read is no failure: it is served.
 *
 * The message of a failure names the place, and the key of the configuration.
 */

#ifndef FCGI_CHECK_H
#define FCGI_CHECK_H

#include "reg_config.h"

#define FCGI_CHECK_TEXT  1024

/* The owner of the deepest directory on the tree's path that is there. */
int fcgi_check_owner(const reg_config_t *config, reg_error_t *err);

/* *refused: why a tree that is there cannot be written, an errno; 0: it can. */
int fcgi_check_places(const reg_config_t *config, reg_buf_t *missing,
    int *refused, reg_error_t *err);

/* What is said of such a tree. */
void fcgi_check_refusal(const reg_config_t *config, int refused,
    char text[FCGI_CHECK_TEXT]);

#endif
