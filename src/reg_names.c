#include "reg_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>


int
reg_names_compare(reg_str_t a, reg_str_t b)
{
    size_t  n = a.len < b.len ? a.len : b.len;
    int     rc = n == 0 ? 0 : memcmp(a.data, b.data, n);

    return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}


static int
reg_names_order(const void *a, const void *b)
{
    return reg_names_compare(*(const reg_str_t *) a, *(const reg_str_t *) b);
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

    return type == (kind == REG_NAMES_FILES || kind == REG_NAMES_CATALOG
                    ? DT_REG : DT_DIR);
}


/* The next entry of this kind, or NULL with errno, which is 0 at the end. */
static const char *
reg_names_next(DIR *dir, reg_names_kind_t kind)
{
    struct dirent  *entry;

    while (errno = 0, (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.'
            && (entry->d_name[0] != '_' || kind != REG_NAMES_PARTS)
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


static void
reg_names_decode(reg_names_t *names)
{
    char  *p = names->text.data;

    while ((p = memchr(p, '+', names->text.len
                               - (size_t) (p - names->text.data))) != NULL)
    {
        *p = '/';
    }
}


/* Lists may be kept for long: what the buffer grew too large goes back. */
static void
reg_names_fit(reg_names_t *names)
{
    char  *text = realloc(names->text.data, names->text.len);

    if (text != NULL) {
        names->text.data = text;
        names->text.size = names->text.len;
    }
}


static int
reg_names_sort(reg_names_t *names)
{
    const char  *p;

    reg_names_fit(names);
    p = names->text.data;
    names->list = malloc(names->n * sizeof(*names->list));

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

    if (kind == REG_NAMES_CATALOG) {
        reg_names_decode(names);
    }

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


bool
reg_names_find(const char *path, reg_names_kind_t kind,
    bool (*is)(void *ctx, int dir, const char *name), void *ctx)
{
    const char  *name;
    bool         found = false;
    DIR         *dir = opendir(path);

    if (dir == NULL) {
        return false;
    }

    while (!found && (name = reg_names_next(dir, kind)) != NULL) {
        found = is(ctx, dirfd(dir), name);
    }

    (void) closedir(dir);               /* was only read */

    return found;
}


size_t
reg_names_after(const reg_names_t *names, reg_str_t last)
{
    size_t  low = 0, high = names->n;

    while (low < high && last.len > 0) {
        size_t  middle = low + (high - low) / 2;

        if (reg_names_compare(names->list[middle], last) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }

    return low;
}


void
reg_names_free(reg_names_t *names)
{
    free(names->list);
    reg_buf_free(&names->text);
    *names = (reg_names_t) REG_NAMES_INIT;
}
