/*
 * reg_upload: the session that becomes a blob.
 *
 *          create                open               commit
 *     (none) ──▶ on disk, idle ──────▶ open, locked ──────▶ a blob
 *                     ▲                │  append…      │ digest differs
 *                     └── suspend ─────┴───────────────┘
 *                cancel, drop: on disk ──▶ (none)
 *
 * The session lives on disk (_uploads/UUID), so that the next request may
 * arrive at another process or host.  Its offset is the size of its data file;
 * the running digest is kept beside it under the offset (reg_hashstate.h),
 * and what that does not cover, after a crash, is read and hashed again.
 *
 * One writer: open takes a lock on the data file and does not wait for it.
 * The lock is the kernel's, so it dies with the process.
 *
 * A data file with a second name (hard link) is a blob, or somebody's copy of
 * the tree: nobody writes to it, the session is unknown.
 *
 *     reg_upload_t  up = REG_UPLOAD_INIT;
 *
 *     if (reg_upload_open(&up, store, &name, uuid, NULL, err) == -1)
 *     ...
 *     reg_upload_append(&up, data, err)               any number of times
 *     reg_upload_suspend(&up, err)                    PATCH: until next time
 *     reg_upload_commit(&up, &digest, err)            PUT: publish
 *     reg_upload_close(&up)                           always
 *
 * The beginning of the data goes through the page cache, since what is pushed
 * is often pulled soon; how much, is the caller's to say.  Beyond that, and
 * where the file system can, whole blocks go past it (O_DIRECT): no memory is
 * taken from others and the processor does not copy.  For this, data must begin
 * at a multiple of REG_UPLOAD_BLOCK in the file and in memory; any other is
 * merely slower.
 * Where that cannot be, append starts write-back as it goes and bounds what is
 * dirty.  Either way the sync in commit has little left to do however large
 * the blob.
 *
 * The kernel says only once that bytes could not be written, and goes on to
 * show them as long as it has them.  So a session of which that was said is
 * removed when it is closed: another request would be told that all is well.
 *
 * Blocks: disk
 */

#ifndef REG_UPLOAD_H
#define REG_UPLOAD_H

#include "reg_hash.h"
#include "reg_store.h"
#include "reg_target.h"

#define REG_UPLOAD_BLOCK  4096

typedef struct {
    reg_store_t  *store;
    reg_name_t    name;
    char          uuid[REG_UUID_LEN + 1];
    reg_path_t    dir;
    int           fd;               /* -1 when closed */
    int64_t       offset;           /* bytes that have arrived */
    int64_t       saved;            /* offset of the newest saved state */
    int64_t       synced;           /* write-back was started up to here */
    reg_hash_t    hash;             /* covers [0, offset), unless a failure
                                       left it elsewhere */
    int64_t       cached;           /* so much goes through the page cache */
    bool          lost;             /* bytes of it may be: see above */
} reg_upload_t;

/* what of a blob is left in the page cache for who pulls it soon, unless the
 * caller says otherwise */
#define REG_UPLOAD_CACHED  (8 * 1024 * 1024)

#define REG_UPLOAD_INIT  { .fd = -1, .cached = REG_UPLOAD_CACHED }


/* Starts a session and writes its UUID (NUL-terminated) to uuid.  alg is what
 * the running digest will use.  Not durable: 202 promises nothing. */
int reg_upload_create(reg_store_t *store, const reg_name_t *name,
    reg_alg_t alg, char uuid[REG_UUID_LEN + 1], reg_error_t *err);

/* The bytes that a session holds.  -1 with BLOB_UPLOAD_UNKNOWN. */
int reg_upload_stat(reg_store_t *store, const reg_name_t *name,
    const char *uuid, int64_t *offset, reg_error_t *err);

/* Locks a session and takes its digest up.  If want is not NULL and nothing
 * has arrived yet, the running digest uses want's algorithm.  -1 with
 * BLOB_UPLOAD_UNKNOWN, or UPLOAD_BUSY (another writer). */
int reg_upload_open(reg_upload_t *up, reg_store_t *store,
    const reg_name_t *name, const char *uuid, const reg_digest_t *want,
    reg_error_t *err);

/* Writes and hashes data, at the end. */
int reg_upload_append(reg_upload_t *up, reg_str_t data, reg_error_t *err);

/* The two halves of append, for who runs them side by side: the one touches
 * the file and the offset, the other the running digest, and nothing else.
 * Each may cut the data into pieces as it likes.  Both must have had all of it
 * before anything else is done. */
int reg_upload_write(reg_upload_t *up, reg_str_t data, reg_error_t *err);
void reg_upload_hash(reg_upload_t *up, reg_str_t data);

/* Takes back what was appended after offset. */
int reg_upload_rewind(reg_upload_t *up, int64_t offset, reg_error_t *err);

/* Saves the digest's state for the next request and unlocks.  The data is
 * synced first: a power cut that kept the state and lost the data would make
 * the state lie.  Of 256 KiB and less neither is done. */
int reg_upload_suspend(reg_upload_t *up, reg_error_t *err);

/* Verifies the digest, makes the blob and NAME's link durable, and removes the
 * session.  -1 with DIGEST_INVALID leaves the session as it was. */
int reg_upload_commit(reg_upload_t *up, const reg_digest_t *want,
    reg_error_t *err);

/* Closes and unlocks, if open. */
void reg_upload_close(reg_upload_t *up);

/* Removes a session.  -1 with BLOB_UPLOAD_UNKNOWN, or UPLOAD_BUSY. */
int reg_upload_cancel(reg_store_t *store, const reg_name_t *name,
    const char *uuid, reg_error_t *err);

/* Locks a session that nobody goes on with: 1 if nothing was added to it after
 * `since` and nobody is writing to it; up->offset is what it holds.  0 if not,
 * or if it is gone.  To be closed in any case. */
int reg_upload_claim(reg_upload_t *up, reg_store_t *store,
    const reg_name_t *name, const char *uuid, time_t since, reg_error_t *err);

/* Removes a session that was claimed, and closes it.  Not synced: a crash may
 * bring it back. */
int reg_upload_drop(reg_upload_t *up, reg_error_t *err);

#endif
