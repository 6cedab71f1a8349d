#include "reg_users.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>


#define REG_USERS_FILE_MAX   (4 * 1024 * 1024)
#define REG_USERS_HASH_MAX   255

/* bcrypt looks at no more: a longer password would be another's as well */
#define REG_USERS_BCRYPT_MAX    72
#define REG_USERS_PASSWORD_MAX  511


typedef struct {
    reg_str_t  name;
    reg_str_t  hash;
} reg_user_t;

/* One reading of the file; freed by the last who looks at it. */
typedef struct {
    unsigned     holders;                /* under the lock */
    reg_buf_t    text;                   /* what the users point into */
    size_t       n;
    reg_user_t  *list;                   /* sorted by name */
} reg_users_file_t;

struct reg_users_s {
    pthread_mutex_t    lock;
    char              *path;
    reg_users_file_t  *file;
    struct stat        seen;             /* of the file that was read */
    struct timespec    when;             /* that was */
    uint64_t           age;
    char               message[256];     /* not said yet, or "" */
};


static const char *const  reg_users_kinds[] = {
    "$2a$", "$2b$", "$2y$", "$y$", "$7$", "$6$", "$5$"
};


/* ---- the file ------------------------------------------------------------ */


static bool
reg_users_hash_known(reg_str_t hash)
{
    size_t  n = sizeof(reg_users_kinds) / sizeof(reg_users_kinds[0]);

    for (size_t i = 0; i < n && hash.len <= REG_USERS_HASH_MAX; i++) {
        if (reg_str_starts(hash, reg_str_from(reg_users_kinds[i]))) {
            return true;
        }
    }

    return false;
}


static int
reg_users_order(const void *a, const void *b)
{
    const reg_user_t  *x = a, *y = b;
    size_t             n = x->name.len < y->name.len ? x->name.len
                                                     : y->name.len;
    int                order = memcmp(x->name.data, y->name.data, n);

    /* of two lines for one account the first counts, as for htpasswd */
    return order != 0 ? order
           : x->name.len != y->name.len
             ? (x->name.len < y->name.len ? -1 : 1)
             : (x->name.data < y->name.data ? -1 : 1);
}


static void
reg_users_file_free(reg_users_file_t *file)
{
    if (file != NULL) {
        reg_buf_free(&file->text);
        free(file->list);
        free(file);
    }
}


/* Splits the text into accounts; the first line that is none is named. */
static int
reg_users_lines(reg_users_file_t *file, const char *path, char *message,
    size_t size)
{
    size_t     room = 1, line = 0, bad = 0, first = 0;
    reg_str_t  rest = reg_buf_str(&file->text);

    for (size_t i = 0; i < rest.len; i++) {
        room += rest.data[i] == '\n';
    }

    file->list = calloc(room, sizeof(*file->list));

    if (file->list == NULL) {
        return -1;
    }

    while (rest.len > 0) {
        reg_str_t   hash = reg_str_cut(&rest, '\n'), name;

        line++;

        if (hash.len > 0 && hash.data[hash.len - 1] == '\r') {
            hash.len--;
        }

        if (hash.len == 0 || hash.data[0] == '#') {
            continue;
        }

        name = reg_str_cut(&hash, ':');

        if (reg_user_valid(name) && reg_users_hash_known(hash)) {
            file->list[file->n++] = (reg_user_t) { name, hash };

        } else if (bad++ == 0) {
            first = line;
        }
    }

    qsort(file->list, file->n, sizeof(*file->list), reg_users_order);

    if (bad > 0) {
        (void) snprintf(message, size, "%.160s:%zu: no account: write it with"
                        " htpasswd -B (%zu such lines)", path, first, bad);
    }

    return 0;
}


/* 0, or errno. */
static int
reg_users_load(int fd, reg_buf_t *out)
{
    while (out->len <= REG_USERS_FILE_MAX) {
        char     *p = reg_buf_reserve(out, 64 * 1024);
        ssize_t   n = p == NULL ? -1 : read(fd, p, 64 * 1024);

        if (n <= 0) {
            return p == NULL ? ENOMEM : n == -1 ? errno : 0;
        }

        out->len += (size_t) n;
    }

    return EFBIG;
}


/* Reads the file; NULL with errno.  st is of what was read. */
static reg_users_file_t *
reg_users_read(const char *path, struct stat *st, char *message, size_t size)
{
    int                fd, sys = 0;
    reg_users_file_t  *file = calloc(1, sizeof(*file));

    if (file == NULL) {
        return NULL;
    }

    fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1 || fstat(fd, st) == -1) {
        sys = errno;
    } else {
        sys = reg_users_load(fd, &file->text);
    }

    if (fd != -1) {
        (void) close(fd);                            /* it was only read */
    }

    if (sys == 0 && reg_users_lines(file, path, message, size) == -1) {
        sys = ENOMEM;
    }

    if (sys != 0) {
        reg_users_file_free(file);
        errno = sys;
        return NULL;
    }

    file->holders = 1;
    return file;
}


static bool
reg_users_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev
           && a->st_size == b->st_size
           && a->st_mtim.tv_sec == b->st_mtim.tv_sec
           && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec
           && a->st_ctim.tv_sec == b->st_ctim.tv_sec
           && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}


/* A file that was written just before it was read may be written again without
 * a change that one could see: the file system's clock has a grain. */
static bool
reg_users_settled(const reg_users_t *users)
{
    int64_t  age = (int64_t) (users->when.tv_sec - users->seen.st_mtim.tv_sec)
                   * 1000
                   + (users->when.tv_nsec - users->seen.st_mtim.tv_nsec)
                     / 1000000;

    return age > 100 || age < 0;
}


/* Reads the file again if it is another one.  Under the lock. */
static void
reg_users_refresh(reg_users_t *users)
{
    char               message[sizeof(users->message)] = "";
    struct stat        st;
    reg_users_file_t  *file;

    if (stat(users->path, &st) == 0 && reg_users_same(&st, &users->seen)
        && reg_users_settled(users))
    {
        return;
    }

    (void) clock_gettime(CLOCK_REALTIME, &users->when);  /* cannot fail */
    file = reg_users_read(users->path, &st, message, sizeof(message));

    if (file == NULL) {
        if (users->seen.st_ino != 0) {
            (void) snprintf(users->message, sizeof(users->message),
                            "%.160s: %.60s; the accounts stay as they were",
                            users->path, strerror(errno));
        }

        memset(&users->seen, 0, sizeof(users->seen));
        return;
    }

    /* the same text again is no other file: nothing remembered need go */
    if (!reg_str_eq(reg_buf_str(&file->text), reg_buf_str(&users->file->text)))
    {
        users->age++;
        memcpy(users->message, message, sizeof(message));
    }

    users->seen = st;

    if (--users->file->holders == 0) {
        reg_users_file_free(users->file);
    }

    users->file = file;
}


/* The newest reading, held. */
static reg_users_file_t *
reg_users_hold(reg_users_t *users)
{
    reg_users_file_t  *file;

    (void) pthread_mutex_lock(&users->lock);       /* fails for misuse only */
    reg_users_refresh(users);
    file = users->file;
    file->holders++;
    (void) pthread_mutex_unlock(&users->lock);

    return file;
}


static void
reg_users_release(reg_users_t *users, reg_users_file_t *file)
{
    bool  last;

    (void) pthread_mutex_lock(&users->lock);
    last = --file->holders == 0;
    (void) pthread_mutex_unlock(&users->lock);

    if (last) {
        reg_users_file_free(file);
    }
}


int
reg_users_open(reg_users_t **out, const char *path, reg_error_t *err)
{
    reg_users_t  *users = calloc(1, sizeof(*users));

    if (users == NULL || (users->path = strdup(path)) == NULL
        || pthread_mutex_init(&users->lock, NULL) != 0)
    {
        if (users != NULL) {
            free(users->path);
        }

        free(users);
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    (void) clock_gettime(CLOCK_REALTIME, &users->when);
    users->file = reg_users_read(path, &users->seen, users->message,
                                 sizeof(users->message));

    if (users->file == NULL) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "accounts: %.160s: %.60s",
                             path, strerror(errno));
        reg_users_close(users);
        return -1;
    }

    *out = users;
    return 0;
}


void
reg_users_close(reg_users_t *users)
{
    if (users != NULL) {
        reg_users_file_free(users->file);
        (void) pthread_mutex_destroy(&users->lock);
        free(users->path);
        free(users);
    }
}


uint64_t
reg_users_age(reg_users_t *users)
{
    uint64_t  age;

    (void) pthread_mutex_lock(&users->lock);
    reg_users_refresh(users);
    age = users->age;
    (void) pthread_mutex_unlock(&users->lock);

    return age;
}


int
reg_users_message(reg_users_t *users, char *out, size_t size)
{
    int  there;

    (void) pthread_mutex_lock(&users->lock);
    there = users->message[0] != '\0';
    (void) snprintf(out, size, "%s", users->message);
    users->message[0] = '\0';
    (void) pthread_mutex_unlock(&users->lock);

    return there;
}


/* ---- passwords ----------------------------------------------------------- */


static const reg_user_t *
reg_users_find(const reg_users_file_t *file, reg_str_t name)
{
    size_t  low = 0, high = file->n;

    /* the first that is not before it: of two lines the first one */
    while (low < high) {
        size_t      mid = low + (high - low) / 2;
        reg_user_t  key = { name, REG_STR_NULL };

        if (reg_users_order(&file->list[mid], &key) < 0
            && !reg_str_eq(file->list[mid].name, name))
        {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low < file->n && reg_str_eq(file->list[low].name, name)
           ? &file->list[low] : NULL;
}


static void
reg_users_print(const reg_user_t *user, unsigned char print[REG_LOGIN_PRINT])
{
    (void) SHA256((const unsigned char *) user->hash.data, user->hash.len,
                  print);
}


/* Whether the password gives the hash: 1, 0, or -1. */
static int
reg_users_crypt(reg_str_t hash, const char *password, reg_error_t *err)
{
    int                 rc = -1;
    char                text[REG_USERS_HASH_MAX + 1];
    const char         *made;
    struct crypt_data  *data = calloc(1, sizeof(*data));

    if (data == NULL) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    (void) reg_str_copy(text, sizeof(text), hash);                /* fits */
    made = crypt_r(password, text, data);

    /* a hash that libcrypt does not know gives "*0": no account */
    rc = made != NULL && made[0] != '*' && strlen(made) == hash.len
         && CRYPTO_memcmp(made, text, hash.len) == 0;

    explicit_bzero(data, sizeof(*data));
    free(data);

    return rc;
}


int
reg_users_verify(reg_users_t *users, reg_str_t name, reg_str_t password,
    unsigned char print[REG_LOGIN_PRINT], reg_error_t *err)
{
    /* of a bcrypt cost that is usual; for a file without accounts */
    static const char  nobody[] =
        "$2y$10$abcdefghijklmnopqrstuuWVSX1ZVZ7IUvYyQ9oD8rWRXnmYzT5CK";

    int                rc;
    char               text[REG_USERS_PASSWORD_MAX + 1];
    reg_str_t          hash = { sizeof(nobody) - 1, nobody };
    reg_users_file_t  *file;
    const reg_user_t  *user;

    /* also what has a NUL in it, which crypt would not see the end of */
    if (!reg_user_valid(name) || password.len == 0
        || memchr(password.data, '\0', password.len) != NULL
        || reg_str_copy(text, sizeof(text), password) == -1)
    {
        return 0;
    }

    file = reg_users_hold(users);
    user = reg_users_find(file, name);

    if (user != NULL) {
        hash = user->hash;

    } else if (file->n > 0) {
        hash = file->list[0].hash;       /* takes as long as somebody's */
    }

    rc = reg_users_crypt(hash, text, err);

    if (rc == 1
        && (user == NULL || (reg_str_starts(hash, REG_STR("$2"))
                             && password.len > REG_USERS_BCRYPT_MAX)))
    {
        rc = 0;
    }

    if (rc == 1) {
        reg_users_print(user, print);
    }

    reg_users_release(users, file);
    explicit_bzero(text, sizeof(text));

    return rc;
}


bool
reg_users_has(reg_users_t *users, reg_str_t name,
    unsigned char print[REG_LOGIN_PRINT])
{
    reg_users_file_t  *file = reg_users_hold(users);
    const reg_user_t  *user = reg_users_find(file, name);

    if (user != NULL) {
        reg_users_print(user, print);
    }

    reg_users_release(users, file);

    return user != NULL;
}
