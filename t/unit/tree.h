/*
 * tree: a directory of its own for a test that needs the disk, and a store in
 * it.  It is made under $TMPDIR, or /tmp, and gone at the end.
 */

#ifndef TREE_H
#define TREE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg_hash.h"
#include "reg_lists.h"
#include "reg_revision.h"
#include "reg_store.h"


static char         tree_root[256];
static reg_store_t  tree_store;
static bool         tree_is_open;


/* The sanitizer of threads: the child of a process with threads may have some
 * too. */
const char *__tsan_default_options(void);

const char *
__tsan_default_options(void)
{
    return "die_after_fork=0";
}


static inline int
tree_make(void)
{
    const char  *tmp = getenv("TMPDIR");

    (void) snprintf(tree_root, sizeof(tree_root), "%s/unit-XXXXXX",
                    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");

    return mkdtemp(tree_root) == NULL ? -1 : 0;
}


static inline int
tree_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) st;
    (void) type;

    return ftw->level == 0 ? 0 : remove(path);
}


/* Removes all that is in the directory. */
static inline int
tree_empty(void)
{
    return nftw(tree_root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}


static inline int
tree_remove(void)
{
    return tree_empty() == 0 ? rmdir(tree_root) : -1;
}


/* Opens the store afresh, as a new process would. */
static inline int
tree_open(void)
{
    reg_error_t  err = REG_ERROR_INIT;

    if (tree_is_open) {
        reg_store_close(&tree_store);
    }

    tree_is_open = reg_store_open(&tree_store, reg_str_from(tree_root), &err)
                   == 0;

    return tree_is_open ? 0 : -1;
}


static inline int
tree_setup(void **state)
{
    (void) state;
    return tree_make() == 0 ? tree_open() : -1;
}


static inline int
tree_teardown(void **state)
{
    (void) state;

    if (tree_is_open) {
        reg_store_close(&tree_store);
        tree_is_open = false;
    }

    return tree_remove();
}


/* A fresh store for each test. */
static inline int
tree_renew(void **state)
{
    (void) state;
    return tree_empty() == 0 ? tree_open() : -1;
}


static inline reg_name_t
tree_name(const char *text)
{
    reg_name_t  name = { 0, "" };

    (void) reg_name_parse(&name, reg_str_from(text));
    return name;
}


static inline reg_tag_t
tree_tag(const char *text)
{
    reg_tag_t  tag = { 0, "" };

    (void) reg_tag_parse(&tag, reg_str_from(text));
    return tag;
}


/* v2 + "/repositories/" + part */
static inline reg_path_t
tree_at(const char *part)
{
    reg_path_t  path;

    reg_layout_repositories(&path, &tree_store.v2);
    reg_path_add(&path, part);

    return path;
}


static inline reg_digest_t
tree_digest(reg_alg_t alg, reg_str_t content)
{
    reg_hash_t    h;
    reg_digest_t  d;

    reg_hash_init(&h, alg);
    reg_hash_update(&h, content.data, content.len);
    reg_hash_digest(&h, &d);

    return d;
}


/* Makes path's directories. */
static inline int
tree_way(const char *path)
{
    char  dir[REG_PATH_MAX];
    int   rc = 0;

    (void) snprintf(dir, sizeof(dir), "%s", path);

    for (char *p = dir + 1; (p = strchr(p, '/')) != NULL; *p++ = '/') {
        *p = '\0';
        rc = mkdir(dir, 0755) == -1 && errno != EEXIST ? -1 : 0;
    }

    return rc;
}


/* Makes path's directories and writes a file, whatever was there. */
static inline int
tree_write(const char *path, const void *data, size_t len)
{
    int  fd;

    (void) tree_way(path);                         /* open will tell */
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd == -1 || write(fd, data, len) != (ssize_t) len) {
        return -1;
    }

    return close(fd);
}


/* Reads a file of at most size - 1 bytes; its length, or -1. */
static inline ssize_t
tree_read(const char *path, char *out, size_t size)
{
    int      fd = open(path, O_RDONLY);
    ssize_t  n = fd == -1 ? -1 : read(fd, out, size - 1);

    if (n >= 0) {
        out[n] = '\0';
    }

    if (fd != -1) {
        (void) close(fd);
    }

    return n;
}


/* Makes what is no file of ours, each of TREE_ODD kinds: a way out of the tree,
 * something that keeps a reader waiting, a directory. */
#define TREE_ODD  3

static inline int
tree_odd(const char *path, int kind)
{
    return kind == 0 ? symlink("/etc/passwd", path)
           : kind == 1 ? mkfifo(path, 0600)
           : mkdir(path, 0700);
}


static inline bool
tree_has(const char *path)
{
    struct stat  st;

    return lstat(path, &st) == 0;
}


/* A push of a manifest that requires nothing. */
static inline int
tree_push(const reg_name_t *name, const reg_digest_t *d, reg_str_t body,
    const reg_tag_t *tags, size_t ntags, reg_error_t *err)
{
    return reg_revision_put(&tree_store, name, &(reg_revision_new_t) {
                                .digest = d, .body = body, .tags = tags,
                                .ntags = ntags }, err);
}


/* Leaves the process so many descriptors; -1: all that it may have. */
static inline int
tree_leave_descriptors(int n)
{
    struct rlimit  limit;
    rlim_t         fd = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit) == -1) {
        return -1;
    }

    for ( ; n >= 0; fd++) {
        n -= fcntl((int) fd, F_GETFD) == -1 ? 1 : 0;
    }

    limit.rlim_cur = fd > 0 ? fd - 1 : limit.rlim_max;

    return setrlimit(RLIMIT_NOFILE, &limit);
}


/* Takes away all that is in place; the journal is left. */
static inline int
tree_lose(void)
{
    char  command[REG_PATH_MAX + 64];

    (void) snprintf(command, sizeof(command), "cd '%s' && rm -rf blobs"
                    " repositories _catalog", tree_store.v2.text);

    return system(command);
}


/* An hour later each time: what was read before is old enough to be kept. */
static inline int64_t
tree_hours(void)
{
    static int64_t  now;

    return now += 3600 * INT64_C(1000000000);
}


static const reg_lists_sys_t  tree_hourly = { tree_hours, fstat, 0 };


static size_t  tree_nfiles;

static inline int
tree_count_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
    (void) path;
    (void) st;
    (void) ftw;

    tree_nfiles += type == FTW_F ? 1 : 0;
    return 0;
}


/* Regular files below path. */
static inline size_t
tree_count(const char *path)
{
    tree_nfiles = 0;
    (void) nftw(path, tree_count_one, 16, FTW_PHYS);      /* absent: none */
    return tree_nfiles;
}


/* Regular files that wait in _tmp/. */
static inline size_t
tree_litter(void)
{
    reg_path_t  tmp;

    reg_layout_tmp(&tmp, &tree_store.v2);
    return tree_count(tmp.text);
}

#endif
