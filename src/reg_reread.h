/*
 * reg_reread: a small file that is kept in memory, and read again when it is
 * another one: accounts, robots.
 *
 *     static const reg_reread_kind_t  kind = { max, false, parse, free };
 *     reg_reread_t         *file;
 *     const reg_reading_t  *reading;
 *
 *     if (reg_reread_open(&file, path, &kind, err) == -1) …
 *
 *     reading = reg_reread_hold(file);          looks whether it has changed
 *     … reading->content, what parse made of it …
 *     reg_reread_release(file, reading);
 *
 *     while (reg_reread_message(file, line, sizeof(line))) … the log's
 *     reg_reread_close(file);
 *
 * To look is one stat.  A file counts as changed when its inode, size or times
 * are others, and also for as long as its last change is so near to our reading
 * that a further one could leave the same times (the grain of the file system's
 * clock).
 *
 * A file that cannot be read again, or makes no sense, changes nothing: the
 * old content stays, and a message says so once.
 *
 * Safe to call from all threads: one that finds the file changed reads it, the
 * others wait until it has: nobody is given what was no longer in the file when
 * he asked.  What was held stays as it is until it is released.
 *
 * Blocks: disk
 */

#ifndef REG_REREAD_H
#define REG_REREAD_H

#include "reg_error.h"

typedef struct {
    size_t   max;              /* bytes; a larger file makes no sense */
    bool     optional;         /* not there when it is opened: as if empty */

    /* What a text means, or NULL with err: then the old content stays.  text
     * lives as long as the content.  says gets lines for the log, each with
     * its '\n'. */
    void  *(*parse)(reg_str_t text, const char *path, reg_buf_t *says,
                    reg_error_t *err);
    void   (*free)(void *content);
} reg_reread_kind_t;

typedef struct {
    const void  *content;
    void        *owned;        /* the same, for who frees it */
    reg_buf_t    text;
    unsigned     holders;
} reg_reading_t;

typedef struct reg_reread_s  reg_reread_t;


/* kind must live as long as what is opened.  -1 with BAD_REQUEST and a sentence
 * that names the file. */
int reg_reread_open(reg_reread_t **out, const char *path,
    const reg_reread_kind_t *kind, reg_error_t *err);
void reg_reread_close(reg_reread_t *file);               /* NULL is allowed */

const reg_reading_t *reg_reread_hold(reg_reread_t *file);
void reg_reread_release(reg_reread_t *file, const reg_reading_t *reading);

/* A number that is another one when the text is; looks as well. */
uint64_t reg_reread_age(reg_reread_t *file);

/* The next thing that an operator should know: 1, or 0 if there is none. */
int reg_reread_message(reg_reread_t *file, char *out, size_t size);

/* Reads what is left of fd, at most max bytes.  0, or an errno: EFBIG if there
 * is more. */
int reg_reread_load(int fd, size_t max, reg_buf_t *out);

#endif
