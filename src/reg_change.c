#include "reg_change.h"

#include "reg_durable.h"


/* what is older was synced by the kernel long ago */
#define REG_CHANGE_YOUNG  3600

/* in one transaction */
#define REG_CHANGE_FILES  128

#define REG_CHANGE_RANKS  (sizeof(((reg_change_t *) NULL)->below)             \
                           / sizeof(size_t))


void
reg_change_init(reg_change_t *c, reg_store_t *store)
{
    *c = (reg_change_t) { .store = store, .records = REG_BUF_INIT };
}


static void
reg_change_add(reg_change_t *c, const reg_path_t *path, reg_record_t record)
{
    record.kind = REG_RECORD_PUT;
    record.path = reg_path_rest(path, &c->store->v2);
    reg_record_add(&c->records, &record);

    for (size_t i = (size_t) record.rank; i < REG_CHANGE_RANKS; i++) {
        c->below[i] = c->records.len;
    }
}


void
reg_change_put(reg_change_t *c, int rank, const reg_path_t *path,
    reg_str_t content)
{
    reg_change_add(c, path, (reg_record_t) { .rank = rank,
                                             .content = content });
}


void
reg_change_replace(reg_change_t *c, int rank, const reg_path_t *path,
    reg_str_t content)
{
    struct stat  st;

    c->failed |= reg_journal_place(&c->places,
                                   reg_path_rest(path, &c->store->v2)) == -1;
    reg_change_add(c, path, (reg_record_t) {
        .rank = rank, .content = content,
        .ahead = c->store->journal != NULL && lstat(path->text, &st) == 0
                 && st.st_mtime > time(NULL),
    });
}


void
reg_change_need(reg_change_t *c, const reg_path_t *path, reg_str_t content)
{
    struct stat  st;

    if (lstat(path->text, &st) == 0
        && st.st_mtime > time(NULL) - REG_CHANGE_YOUNG)
    {
        reg_change_add(c, path, (reg_record_t) { .known = true,
                                                 .content = content });
    }
}


/* ---- the two ways -------------------------------------------------------- */


/* The next of the records, with its path. */
static int
reg_change_next(const reg_change_t *c, reg_str_t *records,
    reg_record_t *record, reg_path_t *path, reg_error_t *err)
{
    int  rc = reg_record_next(records, record);

    return rc == -1
           || (rc == 1 && reg_path_below(path, &c->store->v2, record->path)
                          == -1)
           ? reg_error_set(err, REG_UNKNOWN, "a path that is none") : rc;
}


/* A transaction of the next records; each of its files is open until it ends.
 * 1: there may be more. */
static int
reg_change_transact(const reg_change_t *c, reg_str_t *records,
    reg_error_t *err)
{
    reg_durable_t  t;
    reg_record_t   record;
    reg_path_t     path;
    int            rc = 1;

    reg_durable_init(&t, c->store);

    for (int n = 0; rc == 1 && n < REG_CHANGE_FILES; n++) {
        rc = reg_change_next(c, records, &record, &path, err);

        if (rc == 1
            && reg_durable_put(&t, record.rank, &path, record.content, err)
               == -1)
        {
            rc = -1;
        }
    }

    if (rc != -1 && reg_durable_commit(&t, err) == -1) {
        rc = -1;
    }

    reg_durable_free(&t);

    return rc;
}


/* Ranks ascend, so it makes no difference to their order where they are cut. */
static int
reg_change_durably(const reg_change_t *c, reg_str_t records, reg_error_t *err)
{
    int  rc;

    do {
        rc = reg_change_transact(c, &records, err);
    } while (rc == 1);

    return rc;
}


static int
reg_change_apply(const reg_change_t *c, reg_str_t records, reg_error_t *err)
{
    reg_record_t  record;
    reg_path_t    path;
    int           rc;

    while ((rc = reg_change_next(c, &records, &record, &path, err)) == 1) {
        if (!record.known
            && reg_durable_place(c->store, &path, record.content, err) == -1)
        {
            return -1;
        }
    }

    return rc;
}


/* A record that cannot be put in place stays: it is whole, and a crash before
 * the next checkpoint makes of it what was asked for. */
static int
reg_change_journal(const reg_change_t *c, reg_str_t records, reg_error_t *err)
{
    reg_journal_t  *j = c->store->journal;
    int             rc = -1, half;

    if (reg_journal_order(j, &c->places, err) == -1) {
        return -1;
    }

    if (reg_journal_append(j, records, &half, err) == 0) {
        rc = reg_change_apply(c, records, err);
        reg_journal_applied(j, half);
    }

    reg_journal_unorder(j, &c->places);

    return rc;
}


int
reg_change_commit(reg_change_t *c, reg_error_t *err)
{
    reg_str_t  records = reg_buf_str(&c->records);
    reg_str_t  lowest = { c->below[0], records.data };

    if (c->failed || !reg_buf_ok(&c->records)) {
        return reg_error_set(err, REG_UNKNOWN, "a change that is too large");
    }

    if (c->store->journal == NULL) {
        return reg_change_durably(c, records, err);
    }

    /* what is large goes to the disk once, and before what names it */
    if (records.len > REG_JOURNAL_RECORDS_MAX) {
        if (reg_change_durably(c, lowest, err) == -1) {
            return -1;
        }

        records.data += lowest.len;
        records.len -= lowest.len;
    }

    return reg_change_journal(c, records, err);
}


void
reg_change_free(reg_change_t *c)
{
    reg_buf_free(&c->records);
}


/* ---- removals ------------------------------------------------------------ */


int
reg_change_gone(reg_store_t *store, const reg_path_t *path, reg_error_t *err)
{
    reg_buf_t  records = REG_BUF_INIT;
    int        half, rc = -1;

    if (store->journal == NULL) {
        return 0;
    }

    reg_record_add(&records, &(reg_record_t) {
        .kind = REG_RECORD_GONE, .path = reg_path_rest(path, &store->v2),
    });

    if (!reg_buf_ok(&records)) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");

    } else if (reg_journal_append(store->journal, reg_buf_str(&records), &half,
                                  err) == 0)
    {
        reg_journal_applied(store->journal, half);
        rc = 0;
    }

    reg_buf_free(&records);

    return rc;
}
