#include "reg_publish.h"

#include <errno.h>
#include <unistd.h>

#include "reg_dir.h"
#include "reg_durable.h"
#include "reg_file.h"
#include "reg_guest.h"
#include "reg_place.h"


/* An existing blob of that name is replaced, which heals a damaged one. */
static int
reg_publish_durably(const reg_publish_t *p, reg_error_t *err)
{
    reg_durable_t  t;
    reg_path_t     blob, link;
    int            rc = -1;

    reg_layout_blob(&blob, &p->store->v2, p->digest);
    reg_layout_layer(&link, &p->store->v2, p->name, p->digest);
    reg_durable_init(&t, p->store);

    if (reg_durable_move(&t, 0, p->from, p->fd, &blob, err) == 0
        && reg_durable_put(&t, 1, &link, reg_digest_str(p->digest), err) == 0
        && reg_durable_commit(&t, err) == 0)
    {
        rc = 0;
    }

    reg_durable_free(&t);

    return rc;
}


/* ---- by the journal ------------------------------------------------------ */


typedef struct {
    const reg_publish_t  *p;
    reg_buf_t             content;      /* owned */
    reg_buf_t             records;      /* owned */
    reg_path_t            blob;
    reg_path_t            link;
    bool                  there;        /* the blob is, with this content */
    reg_place_t           place;        /* of the link */
} reg_publish_small_t;


static int
reg_publish_read(reg_publish_small_t *s, reg_error_t *err)
{
    const reg_publish_t  *p = s->p;
    size_t                size = (size_t) p->size;
    char                 *to = reg_buf_reserve(&s->content, size);

    if (to == NULL) {
        return reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", p->from->text);
    }

    while (s->content.len < size) {
        ssize_t  n = pread(p->fd, to + s->content.len, size - s->content.len,
                           (off_t) s->content.len);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return reg_error_sys(err, n == 0 ? EIO : errno, REG_UNKNOWN,
                                 "read", p->from->text);
        }

        s->content.len += (size_t) n;
    }

    return 0;
}


static int
reg_publish_record(reg_publish_small_t *s, reg_error_t *err)
{
    const reg_path_t  *v2 = &s->p->store->v2;

    reg_record_add(&s->records, &(reg_record_t) {
        .kind = REG_RECORD_PUT, .rank = 0,
        .path = reg_path_rest(&s->blob, v2),
        .content = reg_buf_str(&s->content),
    });
    reg_record_add(&s->records, &(reg_record_t) {
        .kind = REG_RECORD_PUT, .rank = 1,
        .path = reg_path_rest(&s->link, v2),
        .content = reg_digest_str(s->p->digest),
    });

    return reg_buf_ok(&s->records)
           ? 0 : reg_error_set(err, REG_UNKNOWN, "out of memory");
}


/* A blob that is there and whole is left alone: it was made durable without
 * the journal, or by an earlier record. */
static int
reg_publish_look(reg_publish_small_t *s, reg_error_t *err)
{
    reg_path_t  dir = s->blob;
    int         fd, rc;

    reg_path_parent(&dir);
    rc = reg_dir_make(s->p->store, &dir, err);

    if (rc != 0) {
        return rc == 1 ? 0 : -1;
    }

    fd = reg_file_open_same(s->p->store, s->blob.text,
                            reg_buf_str(&s->content));

    if (fd != -1) {
        (void) close(fd);               /* was only read */
        s->there = true;
    }

    return 0;
}


/* What takes long, and nobody sees. */
static int
reg_publish_prepare(reg_publish_small_t *s, reg_error_t *err)
{
    const reg_place_file_t  link = {
        .path = &s->link, .content = reg_digest_str(s->p->digest),
    };

    return reg_publish_read(s, err) == -1
           || reg_publish_record(s, err) == -1
           || reg_publish_look(s, err) == -1
           ? -1 : reg_place_prepare(s->p->store, &link, NULL, &s->place, err);
}


static int
reg_publish_place(reg_publish_small_t *s, reg_error_t *err)
{
    const reg_publish_t  *p = s->p;

    if ((!s->there
         && reg_place_rename(p->store, p->from, &s->blob, err) != 0)
        || reg_place_put(p->store, &s->place, &s->link, err) == -1)
    {
        return -1;
    }

    if (s->there) {
        (void) p->store->sys->unlink(p->from->text);    /* else it goes with
                                                           its session */
    }

    return 0;
}


/* In place of the file of the session, if that is there still. */
static int
reg_publish_anew(const reg_publish_small_t *s, reg_error_t *err)
{
    const reg_publish_t  *p = s->p;
    reg_durable_t         t;
    int                   rc = -1;

    reg_durable_init(&t, p->store);

    if (reg_durable_put(&t, 0, &s->blob, reg_buf_str(&s->content), err) == 0
        && reg_durable_put(&t, 1, &s->link, reg_digest_str(p->digest), err)
           == 0
        && reg_durable_commit(&t, err) == 0)
    {
        (void) p->store->sys->unlink(p->from->text);    /* as above */
        rc = 0;
    }

    reg_durable_free(&t);

    return rc;
}


/* A record that cannot be put in place stays: see reg_change.c.  Whoever has
 * locked us out (reg_logfile.h), or mounted another tree here, may not have
 * seen it. */
static int
reg_publish_append(reg_publish_small_t *s, reg_journal_t *j, reg_error_t *err)
{
    int  half, rc;

    if (reg_journal_append(j, reg_buf_str(&s->records), &half, err) == 0) {
        rc = reg_publish_place(s, err);
        reg_journal_applied(j, half);

        if (rc == -1 || reg_journal_is_there(j)) {
            return rc;
        }

    } else if (err->sys != ESTALE) {
        return -1;
    }

    *err = (reg_error_t) REG_ERROR_INIT;

    return reg_publish_anew(s, err);
}


static int
reg_publish_small(const reg_publish_t *p, reg_journal_t *j, reg_error_t *err)
{
    reg_publish_small_t  s = {
        .p = p, .content = REG_BUF_INIT, .records = REG_BUF_INIT,
    };
    int                  rc = -1;

    reg_layout_blob(&s.blob, &p->store->v2, p->digest);
    reg_layout_layer(&s.link, &p->store->v2, p->name, p->digest);

    if (reg_publish_prepare(&s, err) == 0) {
        rc = reg_publish_append(&s, j, err);
    }

    reg_place_abandon(p->store, &s.place);
    reg_buf_free(&s.records);
    reg_buf_free(&s.content);

    return rc;
}


int
reg_publish(const reg_publish_t *p, reg_error_t *err)
{
    reg_guest_t  *guest = NULL;
    int           rc;

    if (p->size > REG_PUBLISH_SMALL) {
        return reg_publish_durably(p, err);
    }

    if (p->store->journal != NULL) {
        return reg_publish_small(p, p->store->journal, err);
    }

    guest = reg_guest_enter(p->store);

    if (guest == NULL) {
        return reg_publish_durably(p, err);
    }

    rc = reg_publish_small(p, reg_guest_journal(guest), err);
    reg_guest_leave(guest);

    return rc;
}
