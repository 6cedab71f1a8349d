/*
 * reg_record: the bytes of the journal (reg_journal.h).
 *
 * A record says what becomes of one name in the tree:
 *
 *     put     the file PATH shall hold this content
 *     gone    what was put at PATH or below it before is not wanted any more
 *     void    what the change put that has this number was never put
 *
 *     reg_record_add(&buf, &(reg_record_t) { .kind = REG_RECORD_PUT, … });
 *     …
 *     reg_str_t  rest = reg_buf_str(&buf);
 *     while ((rc = reg_record_next(&rest, &record)) == 1) … record.path …
 *
 * Records go to disk in batches, each with a seal before it, on a multiple of
 * REG_RECORD_ALIGN bytes.  A seal proves that all bytes of its batch are there,
 * that they are of this generation, and that they are where they were written:
 * it is a SHA-256 that begins with a key, so that no content which somebody
 * pushes can look like a batch.
 *
 * Numbers are little endian.  What is read may be anything.
 *
 * Blocks: never
 */

#ifndef REG_RECORD_H
#define REG_RECORD_H

#include "reg_str.h"

#define REG_RECORD_ALIGN  4096
#define REG_RECORD_KEY    32
#define REG_RECORD_SEAL   72

typedef enum {
    REG_RECORD_PUT = 1,
    REG_RECORD_GONE,
    REG_RECORD_VOID
} reg_record_kind_t;

typedef struct {
    reg_record_kind_t  kind;
    int                rank;            /* of a put: see reg_durable.h */
    bool               known;           /* was in place already */
    bool               ahead;           /* of the clock was what it replaces */
    uint64_t           change;          /* whose it is; random */
    reg_str_t          path;            /* borrowed; from below v2 */
    reg_str_t          content;         /* borrowed */
} reg_record_t;

/* Of a batch. */
typedef struct {
    unsigned char  key[REG_RECORD_KEY];
    uint64_t       generation;
    uint64_t       offset;              /* of the seal, in the file */
    int64_t        time;                /* real time, ns */
} reg_record_seal_t;


/* Appends a record. */
void reg_record_add(reg_buf_t *out, const reg_record_t *record);

/* The next record of *rest, which then begins after it.  0: there is none; -1:
 * the bytes are none, or the path does not lead to a place in the tree that
 * records are about. */
int reg_record_next(reg_str_t *rest, reg_record_t *record);

/* Writes the seal of a batch of records to out. */
void reg_record_seal(const reg_record_seal_t *seal, reg_str_t records,
    unsigned char out[REG_RECORD_SEAL]);

/* Finds the batch that begins at from: its records, and its time in seal, of
 * which the rest says what is wanted.  -1: there is none. */
int reg_record_open(reg_record_seal_t *seal, reg_str_t from,
    reg_str_t *records);

/* Bytes that a batch takes in the file. */
size_t reg_record_size(size_t records);

#endif
