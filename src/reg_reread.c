#include "reg_reread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>


#define REG_REREAD_CHUNK  (64 * 1024)

/* two changes within this may leave the same times: a kernel's tick, with room;
 * file systems that keep whole seconds, of which FAT's are even ones */
#define REG_REREAD_GRAIN         100
#define REG_REREAD_GRAIN_COARSE  2000


struct reg_reread_s {
    pthread_mutex_t           lock;
    pthread_cond_t            idle;      /* busy has become false */
    const reg_reread_kind_t  *kind;
    char                     *path;
    reg_reading_t            *reading;
    bool                      busy;      /* somebody reads it again */
    uint64_t                  begun;     /* readings */
    int                       sys;       /* of the last look: errno, or 0 */
    struct stat               seen;      /* when that was 0 */
    struct timespec           when;      /* seen was read */
    bool                      failed;    /* the last reading; was said */
    uint64_t                  age;
    reg_buf_t                 says;
    size_t                    said;      /* bytes of it */
};

/* One attempt to read the file. */
typedef struct {
    int              sys;
    struct stat      st;
    struct timespec  when;
    reg_reading_t   *reading;            /* NULL: it failed */
    reg_buf_t        says;
    reg_error_t      err;
} reg_reread_try_t;


int
reg_reread_load(int fd, size_t max, reg_buf_t *out)
{
    while (out->len <= max) {
        char     *p = reg_buf_reserve(out, REG_REREAD_CHUNK);
        ssize_t   n = p == NULL ? -1 : read(fd, p, REG_REREAD_CHUNK);

        if (n == -1 && p != NULL && errno == EINTR) {
            continue;
        }

        if (n <= 0) {
            return p == NULL ? ENOMEM : n == -1 ? errno : 0;
        }

        out->len += (size_t) n;
    }

    return EFBIG;
}


static void
reg_reread_discard(const reg_reread_kind_t *kind, reg_reading_t *reading)
{
    if (reading != NULL) {
        if (reading->owned != NULL) {
            kind->free(reading->owned);
        }

        reg_buf_free(&reading->text);
        free(reading);
    }
}


/* ---- reading ------------------------------------------------------------- */


/* Fills text and what fstat says.  0, or errno. */
static int
reg_reread_text(const reg_reread_t *file, reg_reread_try_t *t, reg_buf_t *text)
{
    /* what is no file must not keep us waiting */
    int  sys, fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd == -1) {
        return errno;
    }

    if (fstat(fd, &t->st) == -1) {
        sys = errno;
    } else if (!S_ISREG(t->st.st_mode)) {
        sys = EINVAL;
    } else {
        sys = reg_reread_load(fd, file->kind->max, text);
    }

    (void) close(fd);                            /* it was only read */

    return sys;
}


static void
reg_reread_complain(const reg_reread_t *file, reg_reread_try_t *t)
{
    char  text[128];

    if (t->sys == EFBIG) {
        (void) reg_error_set(&t->err, REG_BAD_REQUEST, "%.160s: larger than"
                             " %zu bytes", file->path, file->kind->max);

    } else if (t->sys == EINVAL) {
        (void) reg_error_set(&t->err, REG_BAD_REQUEST, "%.160s: not a file",
                             file->path);

    } else {
        (void) reg_error_set(&t->err, REG_BAD_REQUEST, "%.160s: %s",
                             file->path,
                             strerror_r(t->sys, text, sizeof(text)));
    }
}


/* Needs no lock: path and kind never change. */
static void
reg_reread_try(const reg_reread_t *file, reg_reread_try_t *t, bool missing_ok)
{
    reg_reading_t  *reading = calloc(1, sizeof(*reading));

    memset(t, 0, sizeof(*t));
    (void) clock_gettime(CLOCK_REALTIME, &t->when);      /* cannot fail */

    if (reading == NULL) {
        t->sys = ENOMEM;
        reg_reread_complain(file, t);
        return;
    }

    t->sys = reg_reread_text(file, t, &reading->text);

    if (t->sys != 0 && !(missing_ok && t->sys == ENOENT)) {
        reg_reread_complain(file, t);

    } else {
        reading->owned = file->kind->parse(reg_buf_str(&reading->text),
                                           file->path, &t->says, &t->err);
        reading->content = reading->owned;
        reading->holders = 1;
    }

    if (reading->owned == NULL) {
        reg_reread_discard(file->kind, reading);
        return;
    }

    t->reading = reading;
}


/* ---- looking ------------------------------------------------------------- */


static bool
reg_reread_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev
           && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec
           && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}


/* Whether a change after our reading would show. */
static bool
reg_reread_settled(const reg_reread_t *file)
{
    const struct timespec  *last = &file->seen.st_ctim;
    int64_t                 age = (int64_t) (file->when.tv_sec - last->tv_sec)
                                  * 1000
                                  + (file->when.tv_nsec - last->tv_nsec)
                                    / 1000000;

    return age < 0 || age > (last->tv_nsec == 0 ? REG_REREAD_GRAIN_COARSE
                                                : REG_REREAD_GRAIN);
}


static bool
reg_reread_is_due(const reg_reread_t *file, int sys, const struct stat *st)
{
    return sys != file->sys
           || (sys == 0 && (!reg_reread_same(st, &file->seen)
                            || !reg_reread_settled(file)));
}


/* Whether the caller is to read the file, which looked so when it came.  Who
 * finds somebody reading waits: what is decided by the old content now could be
 * remembered as if it was by the new one.  A reading that has begun since is as
 * good as one's own. */
static bool
reg_reread_claim(reg_reread_t *file, int sys, const struct stat *st)
{
    bool      due;
    uint64_t  begun;

    (void) pthread_mutex_lock(&file->lock);      /* fails for misuse only */
    begun = file->begun;

    while (file->busy) {
        (void) pthread_cond_wait(&file->idle, &file->lock);
    }

    due = file->begun == begun && reg_reread_is_due(file, sys, st);

    if (due) {
        file->busy = true;
        file->begun++;
    }

    (void) pthread_mutex_unlock(&file->lock);

    return due;
}


static void
reg_reread_failed(reg_reread_t *file, const reg_reread_try_t *t)
{
    bool  same = file->failed && t->sys == file->sys
                 && (t->sys != 0 || reg_reread_same(&t->st, &file->seen));

    if (!same) {
        reg_buf_printf(&file->says, "%s; what was read before stays in"
                       " force\n", reg_error_message(&t->err));
    }

    file->failed = true;
}


/* Under the lock.  Returns what nobody holds any more. */
static reg_reading_t *
reg_reread_install(reg_reread_t *file, reg_reread_try_t *t)
{
    reg_reading_t  *old = file->reading;

    file->failed = false;

    /* the same text again is no change: what was remembered stays good */
    if (reg_str_eq(reg_buf_str(&t->reading->text), reg_buf_str(&old->text))) {
        return t->reading;
    }

    file->age++;
    file->reading = t->reading;
    reg_buf_putstr(&file->says, reg_buf_str(&t->says));

    return --old->holders == 0 ? old : NULL;
}


/* Reads the file again if that is due. */
static void
reg_reread_look(reg_reread_t *file)
{
    struct stat        st;
    reg_reread_try_t   t;
    reg_reading_t     *old = NULL;
    int                sys = stat(file->path, &st) == -1 ? errno : 0;

    if (!reg_reread_claim(file, sys, &st)) {
        return;
    }

    reg_reread_try(file, &t, false);

    (void) pthread_mutex_lock(&file->lock);

    if (t.reading == NULL) {
        reg_reread_failed(file, &t);
    } else {
        old = reg_reread_install(file, &t);
    }

    file->sys = t.sys;
    file->seen = t.st;
    file->when = t.when;
    file->busy = false;
    (void) pthread_cond_broadcast(&file->idle);
    (void) pthread_mutex_unlock(&file->lock);

    reg_reread_discard(file->kind, old);
    reg_buf_free(&t.says);
}


/* ---- for the caller ------------------------------------------------------ */


int
reg_reread_open(reg_reread_t **out, const char *path,
    const reg_reread_kind_t *kind, reg_error_t *err)
{
    reg_reread_try_t   t;
    reg_reread_t      *file = calloc(1, sizeof(*file));

    if (file == NULL || (file->path = strdup(path)) == NULL
        || pthread_mutex_init(&file->lock, NULL) != 0)
    {
        if (file != NULL) {
            free(file->path);
        }

        free(file);
        return reg_error_sys(err, ENOMEM, REG_UNKNOWN, "open", path);
    }

    (void) pthread_cond_init(&file->idle, NULL);     /* cannot fail */
    file->kind = kind;
    file->age = 1;
    reg_reread_try(file, &t, kind->optional);

    file->reading = t.reading;
    file->says = t.says;
    file->sys = t.sys;
    file->seen = t.st;
    file->when = t.when;

    if (t.reading == NULL) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%s",
                             reg_error_message(&t.err));
        reg_reread_close(file);
        return -1;
    }

    *out = file;
    return 0;
}


void
reg_reread_close(reg_reread_t *file)
{
    if (file == NULL) {
        return;
    }

    reg_reread_discard(file->kind, file->reading);
    reg_buf_free(&file->says);
    (void) pthread_cond_destroy(&file->idle);
    (void) pthread_mutex_destroy(&file->lock);
    free(file->path);
    free(file);
}


const reg_reading_t *
reg_reread_hold(reg_reread_t *file)
{
    reg_reading_t  *reading;

    reg_reread_look(file);

    (void) pthread_mutex_lock(&file->lock);
    reading = file->reading;
    reading->holders++;
    (void) pthread_mutex_unlock(&file->lock);

    return reading;
}


void
reg_reread_release(reg_reread_t *file, const reg_reading_t *held)
{
    /* what we gave out as const is ours */
    reg_reading_t  *reading = (reg_reading_t *) (uintptr_t) held;
    bool            last;

    (void) pthread_mutex_lock(&file->lock);
    last = --reading->holders == 0;
    (void) pthread_mutex_unlock(&file->lock);

    if (last) {
        reg_reread_discard(file->kind, reading);
    }
}


uint64_t
reg_reread_age(reg_reread_t *file)
{
    uint64_t  age;

    reg_reread_look(file);

    (void) pthread_mutex_lock(&file->lock);
    age = file->age;
    (void) pthread_mutex_unlock(&file->lock);

    return age;
}


int
reg_reread_message(reg_reread_t *file, char *out, size_t size)
{
    reg_str_t  rest, line;

    (void) pthread_mutex_lock(&file->lock);

    rest = (reg_str_t) { file->says.len - file->said,
                         file->says.data + file->said };
    line = rest.len == 0 ? REG_STR_NULL : reg_str_cut(&rest, '\n');

    if (line.len > 0) {
        file->said = file->says.len - rest.len;
        (void) snprintf(out, size, "%.*s", REG_STR_ARG(line));

    } else {
        reg_buf_free(&file->says);               /* starts anew, also after
                                                    a failure */
        file->said = 0;
    }

    (void) pthread_mutex_unlock(&file->lock);

    return line.len > 0;
}
