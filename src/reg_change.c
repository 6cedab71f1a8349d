#include "reg_change.h"

#include <errno.h>
#include <sys/random.h>

#include "reg_durable.h"
#include "reg_place.h"


/* what is older was synced by the kernel long ago */
#define REG_CHANGE_YOUNG  3600

/* in one transaction */
#define REG_CHANGE_FILES  128

/* what has this rank, a manifest's tags, takes as long as the disk */
#define REG_CHANGE_URGE   2


/* Of a record: as many bytes of its absolute path are a directory that is not
 * there yet (0: it is), and which of these directories. */
typedef struct {
    uint32_t  len;
    uint32_t  group;
    bool      fixed;                    /* its name says what is in it */
} reg_change_whole_t;


void
reg_change_init(reg_change_t *c, reg_store_t *store)
{
    *c = (reg_change_t) { .store = store, .records = REG_BUF_INIT,
                          .wholes = REG_BUF_INIT };

    c->failed = store->journal != NULL
                && getrandom(&c->number, sizeof(c->number), 0)
                   != sizeof(c->number);
}


static void
reg_change_add(reg_change_t *c, const reg_path_t *path, reg_record_t record,
    bool fixed)
{
    const reg_change_whole_t  whole = { (uint32_t) c->whole, c->group, fixed };

    record.kind = REG_RECORD_PUT;
    record.path = reg_path_rest(path, &c->store->v2);
    record.change = c->number;
    reg_record_add(&c->records, &record);
    reg_buf_put(&c->wholes, &whole, sizeof(whole));
    c->n++;

    if (record.rank == 0) {
        c->nlowest++;
        c->lowest = c->records.len;
    }
}


void
reg_change_put(reg_change_t *c, int rank, const reg_path_t *path,
    reg_str_t content)
{
    reg_change_add(c, path, (reg_record_t) { .rank = rank,
                                             .content = content }, true);
}


void
reg_change_enter(reg_change_t *c, const reg_path_t *dir)
{
    struct stat  st;

    c->group++;
    c->whole = c->store->journal != NULL && lstat(dir->text, &st) == -1
               && errno == ENOENT ? dir->len : 0;
}


void
reg_change_replace(reg_change_t *c, int rank, const reg_path_t *path,
    reg_str_t content)
{
    struct stat  st;

    c->failed |= reg_order_add(&c->replaced,
                               reg_path_rest(path, &c->store->v2)) == -1;
    reg_change_add(c, path, (reg_record_t) {
        .rank = rank, .content = content,
        .ahead = c->store->journal != NULL && c->whole == 0
                 && lstat(path->text, &st) == 0 && st.st_mtime > time(NULL),
    }, false);
}


bool
reg_change_need(reg_change_t *c, const reg_path_t *path, reg_str_t content)
{
    struct stat  st;

    if (lstat(path->text, &st) == -1) {
        return errno != ENOENT;
    }

    if (st.st_mtime > time(NULL) - REG_CHANGE_YOUNG) {
        reg_change_add(c, path, (reg_record_t) { .known = true,
                                                 .content = content }, true);
    }

    return true;
}


/* ---- as a transaction --------------------------------------------------- */


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


/* ---- by the journal ------------------------------------------------------ */


/* Appends one record of which nothing is to be put in place. */
static int
reg_change_say(reg_store_t *store, const reg_record_t *record,
    reg_error_t *err)
{
    reg_buf_t  records = REG_BUF_INIT;
    int        half, rc = -1;

    reg_record_add(&records, record);

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


/* The records of a change that go by it. */
typedef struct {
    reg_str_t                  records;
    const reg_change_whole_t  *wholes;
    reg_place_t               *places;      /* zero: there is nothing to put */
} reg_change_rest_t;


/* Does of each record what takes long, and nobody sees.  The link of a revision
 * and that in a tag's index are one file with two names. */
static int
reg_change_prepare(const reg_change_t *c, const reg_change_rest_t *rest,
    reg_error_t *err)
{
    reg_str_t     records = rest->records, content = REG_STR_NULL;
    const char   *twin = NULL;          /* of this content */
    bool          urged = false;
    reg_record_t  record;
    reg_path_t    path;
    int           rc;

    for (size_t i = 0;
         (rc = reg_change_next(c, &records, &record, &path, err)) == 1; i++)
    {
        const reg_change_whole_t  *w = &rest->wholes[i];
        const bool                 more = i > 0 && w->group == w[-1].group;
        const reg_place_file_t     file = {
            &path, record.content, w->len,
            w->fixed && reg_str_eq(record.content, content) ? twin : NULL,
        };

        if (record.rank == REG_CHANGE_URGE && !urged) {
            reg_journal_urge(c->store->journal);
            urged = true;
        }

        if (!record.known
            && reg_place_prepare(c->store, &file,
                                 more ? &rest->places[i - 1] : NULL,
                                 &rest->places[i], err) == -1)
        {
            return -1;
        }

        if (w->fixed && w->len == 0 && rest->places[i].name[0] != '\0') {
            content = record.content;
            twin = rest->places[i].name;
        }
    }

    return rc;
}


static int
reg_change_place(const reg_change_t *c, const reg_change_rest_t *rest,
    reg_error_t *err)
{
    reg_str_t     records = rest->records;
    reg_record_t  record;
    reg_path_t    path;
    uint32_t      done = 0;             /* a group that is whole */
    int           rc;

    for (size_t i = 0;
         (rc = reg_change_next(c, &records, &record, &path, err)) == 1; i++)
    {
        if (done != 0 && rest->wholes[i].group == done) {
            rest->places[i].name[0] = '\0';
            continue;
        }

        rc = reg_place_put(c->store, &rest->places[i], &path, err);

        if (rc == -1) {
            return -1;
        }

        if (rc == 1) {
            done = rest->wholes[i].group;
        }
    }

    return rc;
}


/* Nothing of it was put in place, and no crash is to do that. */
static int
reg_change_take_back(const reg_change_t *c, reg_str_t records,
    reg_error_t *err)
{
    reg_record_t  record;

    return reg_record_next(&records, &record) == 1
           ? reg_change_say(c->store, &(reg_record_t) {
                 .kind = REG_RECORD_VOID, .path = record.path,
                 .change = c->number,
             }, err)
           : -1;
}


/* What takes long is done while the records are on their way to the disk.  One
 * that cannot be put in place then stays: it is whole, and a crash before the
 * next checkpoint makes of it what was asked for. */
static int
reg_change_append(const reg_change_t *c, const reg_change_rest_t *rest,
    reg_error_t *err)
{
    reg_journal_t        *j = c->store->journal;
    reg_journal_entry_t   entry;
    reg_error_t           why = REG_ERROR_INIT;
    int                   rc, half;

    reg_journal_submit(j, &entry, rest->records);
    rc = reg_change_prepare(c, rest, &why);

    if (reg_journal_await(j, &entry, &half, err) == -1) {
        return -1;
    }

    if (rc == 0) {
        rc = reg_change_place(c, rest, err);
    }

    /* first of all: what follows may have to wait for a checkpoint */
    reg_journal_applied(j, half);

    if (why.code != REG_OK) {
        /* if that fails as well, it stays too */
        (void) reg_change_take_back(c, rest->records, err);
        *err = why;
    }

    return rc;
}


static int
reg_change_journal(const reg_change_t *c, size_t skip, reg_str_t records,
    reg_error_t *err)
{
    reg_journal_t      *j = c->store->journal;
    reg_change_rest_t   rest = { .records = records };
    int                 rc = -1;

    rest.wholes = (const reg_change_whole_t *) (void *) c->wholes.data + skip;
    rest.places = calloc(c->n, sizeof(*rest.places));

    if (rest.places == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    if (reg_order_enter(reg_journal_order(j), &c->replaced, err) == 0) {
        rc = reg_change_append(c, &rest, err);
        reg_order_leave(reg_journal_order(j), &c->replaced);
    }

    for (size_t i = 0; i < c->n - skip; i++) {
        reg_place_abandon(c->store, &rest.places[i]);
    }

    free(rest.places);

    return rc;
}


int
reg_change_commit(reg_change_t *c, reg_error_t *err)
{
    reg_str_t  records = reg_buf_str(&c->records);
    reg_str_t  lowest = { c->lowest, records.data };
    size_t     skip = 0;

    if (c->failed || !reg_buf_ok(&c->records) || !reg_buf_ok(&c->wholes)) {
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
        skip = c->nlowest;
    }

    return reg_change_journal(c, skip, records, err);
}


void
reg_change_free(reg_change_t *c)
{
    reg_buf_free(&c->records);
    reg_buf_free(&c->wholes);
}


/* ---- removals ------------------------------------------------------------ */


int
reg_change_gone(reg_store_t *store, const reg_path_t *path, reg_error_t *err)
{
    return store->journal == NULL
           ? 0
           : reg_change_say(store, &(reg_record_t) {
                 .kind = REG_RECORD_GONE,
                 .path = reg_path_rest(path, &store->v2),
             }, err);
}
