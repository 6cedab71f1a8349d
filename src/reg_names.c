#include "reg_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


static int
reg_names_order(const void *a, const void *b)
{
    return reg_str_compare(*(const reg_str_t *) a, *(const reg_str_t *) b);
}


static unsigned
reg_names_type(reg_names_kind_t kind)
{
    return kind == REG_NAMES_FILES || kind == REG_NAMES_CATALOG ? DT_REG
                                                                : DT_DIR;
}


static bool
reg_names_takes(const char *name, reg_names_kind_t kind)
{
    return name[0] != '.' && (name[0] != '_' || kind != REG_NAMES_PARTS);
}


static bool
reg_names_is(DIR *dir, const struct dirent *entry, reg_names_kind_t kind)
{
    unsigned     type = entry->d_type;
    struct stat  st;

    if (type == DT_UNKNOWN
        && fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    {
        type = IFTODT(st.st_mode);
    }

    return type == reg_names_type(kind);
}


/* The next entry of this kind, or NULL with errno, which is 0 at the end. */
static const char *
reg_names_next(DIR *dir, reg_names_kind_t kind)
{
    struct dirent  *entry;

    while (errno = 0, (entry = readdir(dir)) != NULL) {
        if (reg_names_takes(entry->d_name, kind)
            && reg_names_is(dir, entry, kind))
        {
            return entry->d_name;
        }
    }

    return NULL;
}


/* Collects the names one after the other, each with its NUL. */
static int
reg_names_collect(reg_names_t *names, DIR *dir, reg_names_kind_t kind)
{
    const char  *name;

    while ((name = reg_names_next(dir, kind)) != NULL) {
        reg_buf_put(&names->text, name, strlen(name) + 1);
        names->n++;
    }

    if (!reg_buf_ok(&names->text)) {
        errno = ENOMEM;
    }

    return errno == 0 ? 0 : -1;
}


/* To names from what is on disk. */
static void
reg_names_decode(reg_buf_t *text, reg_names_kind_t kind)
{
    char  *p = text->data;

    while (kind == REG_NAMES_CATALOG
           && (p = memchr(p, '+', text->len - (size_t) (p - text->data)))
              != NULL)
    {
        *p = '/';
    }
}


/* With what a large directory may have more before it must grow. */
static size_t
reg_names_spare(size_t n)
{
    return n + n / 16;
}


/* Lists may be kept for long: what the buffer grew too large goes back. */
static void
reg_names_fit(reg_names_t *names)
{
    size_t  size = reg_names_spare(names->text.len);
    char   *text = realloc(names->text.data, size);

    if (text != NULL) {
        names->text.data = text;
        names->text.size = size;
    }
}


static int
reg_names_sort(reg_names_t *names)
{
    const char  *p;

    reg_names_fit(names);
    p = names->text.data;
    names->room = reg_names_spare(names->n);
    names->list = calloc(names->room, sizeof(*names->list));

    if (names->list == NULL) {
        return -1;
    }

    for (size_t i = 0; i < names->n; i++) {
        names->list[i] = reg_str_from(p);
        p += names->list[i].len + 1;
    }

    qsort(names->list, names->n, sizeof(*names->list), reg_names_order);

    return 0;
}


/* Reads dir and closes it. */
static int
reg_names_read_dir(reg_names_t *names, DIR *dir, const char *path,
    reg_names_kind_t kind, reg_error_t *err)
{
    int  rc = reg_names_collect(names, dir, kind);

    if (rc == -1) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "read", path);
    }

    (void) closedir(dir);               /* was only read */

    if (rc == -1 || names->n == 0) {
        return rc;
    }

    reg_names_decode(&names->text, kind);

    return reg_names_sort(names) == 0
           ? 0 : reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", path);
}


int
reg_names_read(reg_names_t *names, const char *path, reg_names_kind_t kind,
    reg_error_code_t missing, reg_error_t *err)
{
    DIR  *dir = opendir(path);

    return dir != NULL ? reg_names_read_dir(names, dir, path, kind, err)
                       : reg_error_sys(err, errno, missing, "open", path);
}


int
reg_names_read_at(reg_names_t *names, int fd, const char *path,
    reg_names_kind_t kind, reg_error_t *err)
{
    /* a description of its own: where reading stands is not shared */
    int   own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR  *dir = own == -1 ? NULL : fdopendir(own);

    if (dir != NULL) {
        return reg_names_read_dir(names, dir, path, kind, err);
    }

    (void) reg_error_sys(err, errno, REG_NAME_UNKNOWN, "open", path);

    if (own != -1) {
        (void) close(own);              /* nothing was read */
    }

    return -1;
}


int
reg_names_find(const char *path, reg_names_kind_t kind,
    int (*is)(void *ctx, int dir, const char *name), void *ctx,
    reg_error_t *err)
{
    const char  *name;
    int          found = 0;
    DIR         *dir = opendir(path);

    if (dir == NULL) {
        return reg_error_is_missing(errno)
               ? 0 : reg_error_sys(err, errno, REG_UNKNOWN, "open", path);
    }

    while (found == 0 && (name = reg_names_next(dir, kind)) != NULL) {
        found = is(ctx, dirfd(dir), name);
    }

    if (found == -1 || (found == 0 && errno != 0)) {
        found = reg_error_sys(err, errno, REG_UNKNOWN, "read", path);
    }

    (void) closedir(dir);               /* was only read */

    return found;
}


/* The index of the first name after one, of those from low to high. */
static size_t
reg_names_above(const reg_names_t *names, size_t low, size_t high,
    reg_str_t name)
{
    while (low < high) {
        size_t  middle = low + (high - low) / 2;

        if (reg_str_compare(names->list[middle], name) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    return low;
}


size_t
reg_names_after(const reg_names_t *names, reg_str_t last)
{
    return last.len == 0 ? 0 : reg_names_above(names, 0, names->n, last);
}


void
reg_names_free(reg_names_t *names)
{
    free(names->list);
    reg_buf_free(&names->text);
    *names = (reg_names_t) REG_NAMES_INIT;
}


/* ---- changes ------------------------------------------------------------- */


/* An entry that was looked at. */
typedef struct {
    reg_str_t  name;
    bool       there;
} reg_names_change_t;

typedef struct {
    size_t               n;
    reg_names_change_t  *list;          /* sorted */
    size_t               added;         /* of them, by what follows */
    size_t               bytes;         /* these take */
} reg_names_changes_t;


static int
reg_names_change_order(const void *a, const void *b)
{
    return reg_str_compare(((const reg_names_change_t *) a)->name,
                             ((const reg_names_change_t *) b)->name);
}


/* What is there now, or will be told of once more. */
static int
reg_names_look(reg_names_changes_t *changes, int fd, reg_names_kind_t kind,
    const reg_buf_t *text)
{
    const char   *p = text->data, *end = p + text->len;
    struct stat   st;
    bool          there;

    for ( ; p < end; p += strlen(p) + 1) {
        if (!reg_names_takes(p, kind)) {
            continue;
        }

        there = fstatat(fd, p, &st, AT_SYMLINK_NOFOLLOW) == 0;

        if (!there && errno != ENOENT) {
            return -1;
        }

        changes->list[changes->n++] = (reg_names_change_t) {
            reg_str_from(p),
            there && IFTODT(st.st_mode) == reg_names_type(kind)
        };
    }

    return 0;
}


static int
reg_names_changed(reg_names_changes_t *changes, int fd,
    reg_names_kind_t kind, reg_buf_t *text)
{
    size_t  n = 0;

    for (size_t i = 0; i < text->len; i++) {
        n += text->data[i] == '\0';
    }

    changes->list = calloc(n, sizeof(*changes->list));

    if (changes->list == NULL || reg_names_look(changes, fd, kind, text) == -1)
    {
        return -1;
    }

    reg_names_decode(text, kind);

    if (changes->n > 0) {
        qsort(changes->list, changes->n, sizeof(*changes->list),
              reg_names_change_order);
    }

    return 0;
}


static void
reg_names_move(reg_names_t *names, size_t to, size_t from, size_t n)
{
    if (n > 0 && to != from) {
        memmove(names->list + to, names->list + from,
                n * sizeof(*names->list));
    }
}


/* Whether the name before this place is it. */
static bool
reg_names_has(const reg_names_t *names, size_t above, reg_str_t name)
{
    return above > 0 && reg_str_eq(names->list[above - 1], name);
}


/* Takes out what is not there, from the first name to the last. */
static void
reg_names_remove(reg_names_t *names, const reg_names_changes_t *changes)
{
    size_t  to = 0, from = 0;

    for (size_t i = 0; i < changes->n; i++) {
        reg_str_t  name = changes->list[i].name;
        size_t     at;

        if (changes->list[i].there) {
            continue;
        }

        at = reg_names_above(names, from, names->n, name);

        if (at > from && reg_names_has(names, at, name)) {
            reg_names_move(names, to, from, at - 1 - from);
            to += at - 1 - from;
            from = at;
        }
    }

    reg_names_move(names, to, from, names->n - from);
    names->n -= from - to;
}


/* Leaves of the changes those that are to be added. */
static void
reg_names_new(const reg_names_t *names, reg_names_changes_t *changes)
{
    for (size_t i = 0; i < changes->n; i++) {
        reg_names_change_t  change = changes->list[i];
        size_t              at = reg_names_above(names, 0, names->n,
                                                 change.name);

        if (change.there && !reg_names_has(names, at, change.name)
            && (changes->added == 0
                || !reg_str_eq(changes->list[changes->added - 1].name,
                               change.name)))
        {
            changes->list[changes->added++] = change;
            changes->bytes += change.name.len + 1;
        }
    }
}


/* Gives the names another text, with room for so many bytes more.  What was
 * removed is left behind.  Returns the old one. */
static int
reg_names_retext(reg_names_t *names, size_t more, reg_buf_t *old)
{
    size_t     size = more;
    reg_buf_t  text = REG_BUF_INIT;

    for (size_t i = 0; i < names->n; i++) {
        size += names->list[i].len + 1;
    }

    text.size = reg_names_spare(size);
    text.data = malloc(text.size);

    if (text.data == NULL) {
        return -1;
    }

    for (size_t i = 0; i < names->n; i++) {
        char  *p = text.data + text.len;

        memcpy(p, names->list[i].data, names->list[i].len + 1);
        text.len += names->list[i].len + 1;
        names->list[i].data = p;
    }

    *old = names->text;
    names->text = text;

    return 0;
}


static int
reg_names_grow(reg_names_t *names, size_t n, size_t bytes)
{
    reg_buf_t  old;

    if (names->n + n > names->room) {
        size_t      room = reg_names_spare(names->n + n);
        reg_str_t  *list = reallocarray(names->list, room, sizeof(*list));

        if (list == NULL) {
            return -1;
        }

        names->list = list;
        names->room = room;
    }

    if (bytes > names->text.size - names->text.len) {
        if (reg_names_retext(names, bytes, &old) == -1) {
            return -1;
        }

        reg_buf_free(&old);
    }

    return 0;
}


/* Puts in what is new, from the last name to the first; there is room. */
static void
reg_names_insert(reg_names_t *names, const reg_names_changes_t *changes)
{
    size_t  end = names->n;

    for (size_t i = changes->added; i > 0; i--) {
        reg_str_t  name = changes->list[i - 1].name;
        size_t     at = reg_names_above(names, 0, end, name);
        char      *p = names->text.data + names->text.len;

        reg_names_move(names, at + i, at, end - at);
        memcpy(p, name.data, name.len + 1);
        names->text.len += name.len + 1;
        names->list[at + i - 1] = (reg_str_t) { name.len, p };
        end = at;
    }

    names->n += changes->added;
}


int
reg_names_update(reg_names_t *names, int fd, reg_names_kind_t kind,
    reg_buf_t *changed)
{
    int                  rc = -1;
    reg_names_changes_t  changes = { 0, NULL, 0, 0 };

    if (reg_names_changed(&changes, fd, kind, changed) == 0) {
        reg_names_remove(names, &changes);
        reg_names_new(names, &changes);

        if (reg_names_grow(names, changes.added, changes.bytes) == 0) {
            reg_names_insert(names, &changes);
            rc = 0;
        }
    }

    free(changes.list);

    return rc;
}


int
reg_names_copy(reg_names_t *names, const reg_names_t *from)
{
    reg_names_t  copy = *from;
    reg_buf_t    old;

    copy.list = calloc(copy.room > 0 ? copy.room : 1, sizeof(*copy.list));

    if (copy.list == NULL) {
        return -1;
    }

    if (copy.n > 0) {
        memcpy(copy.list, from->list, copy.n * sizeof(*copy.list));
    }

    if (reg_names_retext(&copy, 1, &old) == -1) {
        free(copy.list);
        return -1;
    }

    *names = copy;

    return 0;
}
