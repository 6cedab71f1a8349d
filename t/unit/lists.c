/* reg_lists: the sorted names of directories, kept. */

#include "reg_lists.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


#define GRAIN  REG_STAMP_GRAIN


static reg_lists_t       *lists;
static reg_lists_count_t  total;         /* since the test began */
static reg_path_t         dir;
static reg_error_t        err;
static int64_t            now;           /* ns */
static int64_t            grain;         /* of the file system; 0: its own */
static int64_t            changed;       /* when it thinks dir was; ns */
static void             (*meddle)(void); /* between two steps of a reading, … */
static int                meddle_at;     /* at the n-th step */
static char               shared[32];    /* a directory in memory */


static int64_t
clock_of_the_test(void)
{
    return now;
}


static void
step(void)
{
    if (meddle != NULL && --meddle_at == 0) {
        meddle();
    }
}


/* A file system whose clock is the test's, with a grain, and that counts no
 * links. */
static int
coarse_fstat(int fd, struct stat *st)
{
    int  rc;

    step();
    rc = fstat(fd, st);
    step();

    if (grain > 0) {
        st->st_mtim.tv_sec = changed / 1000000000;
        st->st_mtim.tv_nsec = changed % 1000000000;
        st->st_ctim = st->st_mtim;
        st->st_nlink = 1;
    }

    return rc;
}


static const reg_lists_sys_t  world = { clock_of_the_test, coarse_fstat, 0 };
static const reg_lists_sys_t  watched = { clock_of_the_test, coarse_fstat, 1 };
static const reg_lists_sys_t  kernel_watched = { reg_stamp_now, fstat, 1 };


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    now = 1000 * GRAIN + GRAIN / 4;
    grain = 0;
    meddle = NULL;
    total = (reg_lists_count_t) { 0 };

    if (tree_renew(state) == -1) {
        return -1;
    }

    dir.len = (size_t) snprintf(dir.text, sizeof(dir.text), "%s/names",
                                tree_root);
    lists = reg_lists_create(1 << 20, &world);

    return lists == NULL ? -1 : mkdir(dir.text, 0755);
}


static int
give_up(void **state)
{
    (void) state;

    reg_lists_free(lists);
    return 0;
}


/* On a file system that can be watched, whatever the tests run on. */
static int
renew_in_memory(void **state)
{
    int  rc = renew(state);

    (void) snprintf(shared, sizeof(shared), "/dev/shm/unit-XXXXXX");

    if (rc == -1 || mkdtemp(shared) == NULL) {
        return -1;
    }

    dir.len = (size_t) snprintf(dir.text, sizeof(dir.text), "%s/names",
                                shared);
    reg_lists_free(lists);
    lists = reg_lists_create(1 << 20, &watched);

    return lists == NULL ? -1 : mkdir(dir.text, 0755);
}


static int
give_up_in_memory(void **state)
{
    return give_up(state) == 0
           && nftw(shared, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0
           ? rmdir(shared) : -1;
}


static void
touch(void)
{
    changed = grain > 0 ? now / grain * grain : 0;
}


static void
make(const char *name)
{
    reg_path_t  path = dir;

    reg_path_add(&path, name);
    assert_int_equal(mkdir(path.text, 0755), 0);
    touch();
}


static void
drop(const char *name)
{
    reg_path_t  path = dir;

    reg_path_add(&path, name);
    assert_int_equal(rmdir(path.text), 0);
    touch();
}


static void
expect_either(const char *want, const char *or)
{
    reg_list_t  list;
    reg_buf_t   got = REG_BUF_INIT;

    assert_int_equal(reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list, &err),
                     0);

    for (size_t i = 0; i < list.names->n; i++) {
        reg_buf_printf(&got, "%.*s ", REG_STR_ARG(list.names->list[i]));
    }

    reg_list_close(&list);
    reg_buf_put(&got, "", 1);

    if (strcmp(got.data, or) != 0) {
        assert_string_equal(got.data, want);
    }

    reg_buf_free(&got);
}


static void
expect(const char *want)
{
    expect_either(want, want);
}


/* Since the test began. */
static reg_lists_count_t
counted(void)
{
    reg_lists_count_t  news;

    reg_lists_take_count(lists, &news);
    total.opened += news.opened;
    total.read += news.read;
    total.updated += news.updated;
    total.bytes = news.bytes;

    return total;
}


static int64_t
updates(void)
{
    return counted().updated;
}


static int64_t
reads(void)
{
    return counted().read;
}


/* ---- what is seen -------------------------------------------------------- */


static void
names_are_read_once_after_the_grain(void **state)
{
    (void) state;

    make("b");
    make("a");
    expect("a b ");
    assert_int_equal(reads(), 1);
    now += GRAIN;
    expect("a b ");
    assert_int_equal(reads(), 2);       /* the first may have come too early */
    expect("a b ");
    expect("a b ");
    assert_int_equal(reads(), 2);

    make("c");
    expect("a b c ");
    assert_int_equal(reads(), 3);
    now += GRAIN;
    expect("a b c ");
    now += GRAIN;
    expect("a b c ");
    assert_int_equal(reads(), 4);
}


static void
within_the_grain_names_are_read_each_time(void **state)
{
    (void) state;

    make("a");
    expect("a ");

    for (int i = 2; i <= 10; i++) {
        now += GRAIN / 10;
        expect("a ");
        assert_int_equal(reads(), i);
    }

    now += GRAIN / 10;
    expect("a ");
    expect("a ");
    assert_int_equal(reads(), 11);
}


/* Every step of a clock against every step of changes: what is listed is what
 * there is, and after a while it is not read any more. */
static void
changes_within_the_grain_of(int64_t fs, int64_t step, int64_t trust)
{
    char       name[16];
    reg_buf_t  want = REG_BUF_INIT;
    int64_t    before;

    grain = fs;
    touch();

    for (int i = 10; i < 60; i++) {
        (void) snprintf(name, sizeof(name), "t%d", i);
        make(name);
        reg_buf_printf(&want, "%s ", name);
        reg_buf_put(&want, "", 1);
        want.len--;
        expect(want.data);
        now += step;
        expect(want.data);
    }

    now += trust;
    expect(want.data);
    before = reads();
    expect(want.data);
    now += step;
    expect(want.data);
    assert_int_equal(reads(), before);
    drop("t59");
    want.data[want.len - 4] = '\0';
    expect(want.data);
    reg_buf_free(&want);
}


static void
changes_at_the_same_time_are_seen(void **state)
{
    (void) state;

    changes_within_the_grain_of(10000000, 3000000, REG_STAMP_GRAIN);
}


static void
changes_in_the_same_second_are_seen(void **state)
{
    (void) state;

    changes_within_the_grain_of(1000000000, 170000000, REG_STAMP_GRAIN_LONG);
}


static void
changes_as_the_kernel_stamps_them_are_seen(void **state)
{
    char  name[16];

    (void) state;

    reg_lists_free(lists);
    lists = reg_lists_create(1 << 20, NULL);

    for (int i = 1; i <= 1000; i++) {
        reg_list_t  list;
        int         n = i <= 500 ? i : 1000 - i;

        (void) snprintf(name, sizeof(name), "t%d", i <= 500 ? i : 1001 - i);
        (i <= 500 ? make : drop)(name);
        assert_int_equal(reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list,
                                        &err), 0);
        assert_int_equal(list.names->n, n);
        reg_list_close(&list);
    }
}


/* What rsync -a does to a directory that it has written to. */
static void
a_time_that_was_set_back_hides_nothing(void **state)
{
    struct stat  before;

    (void) state;

    make("a");
    expect("a ");
    now += GRAIN;
    expect("a ");

    assert_int_equal(stat(dir.text, &before), 0);
    make("b");
    drop("a");

    const struct timespec  times[2] = { before.st_atim, before.st_mtim };

    assert_int_equal(utimensat(AT_FDCWD, dir.text, times, 0), 0);
    expect("b ");
}


static void
another_directory_in_its_place_is_seen(void **state)
{
    reg_path_t  other = dir;

    (void) state;

    make("a");
    expect("a ");
    now += GRAIN;
    expect("a ");

    other.len += (size_t) snprintf(other.text + other.len, 8, "-old");
    assert_int_equal(rename(dir.text, other.text), 0);
    assert_int_equal(mkdir(dir.text, 0755), 0);
    make("b");
    expect("b ");
}


static void
a_directory_that_is_gone_is_unknown(void **state)
{
    reg_list_t  list;

    (void) state;

    expect("");
    now += GRAIN;
    expect("");
    assert_int_equal(rmdir(dir.text), 0);
    assert_int_equal(reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list, &err),
                     -1);
    assert_int_equal(err.code, REG_NAME_UNKNOWN);

    assert_int_equal(mkdir(dir.text, 0755), 0);
    err = (reg_error_t) REG_ERROR_INIT;
    make("a");
    expect("a ");
}


static void
only_what_was_asked_for_is_listed(void **state)
{
    static const char  *files[] = { "a+b", "a-b", "a", "a+b+c", ".whole" };

    reg_list_t  list;
    reg_path_t  path;
    reg_buf_t   got = REG_BUF_INIT;

    (void) state;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        path = dir;
        reg_path_add(&path, files[i]);
        assert_int_equal(tree_write(path.text, "", 0), 0);
    }

    path = dir;
    reg_path_add(&path, "link");
    assert_int_equal(symlink("a", path.text), 0);
    path = dir;
    reg_path_add(&path, "fifo");
    assert_int_equal(mkfifo(path.text, 0600), 0);
    make("directory");

    assert_int_equal(reg_lists_open(NULL, &dir, REG_NAMES_CATALOG, &list,
                                    &err), 0);

    for (size_t i = 0; i < list.names->n; i++) {
        reg_buf_printf(&got, "%.*s ", REG_STR_ARG(list.names->list[i]));
    }

    reg_list_close(&list);
    reg_buf_put(&got, "", 1);
    assert_string_equal(got.data, "a a-b a/b a/b/c ");
    reg_buf_free(&got);
    expect("directory ");
}


/* ---- what is heard ------------------------------------------------------- */


static void
what_is_watched_is_read_once(void **state)
{
    (void) state;

    make("b");
    expect("b ");
    make("d");
    make("a");
    expect("a b d ");
    expect("a b d ");
    assert_int_equal(updates(), 1);
    drop("b");
    make("c");
    drop("d");
    make("d");
    make("gone");
    drop("gone");
    expect("a c d ");
    drop("a");
    drop("c");
    drop("d");
    expect("");
    make("e");
    expect("e ");
    assert_int_equal(updates(), 4);
    assert_int_equal(reads(), 1);
}


/* A rename takes a name away, brings one, or puts one in another's place. */
static void
what_is_renamed_is_heard(void **state)
{
    reg_path_t  here = dir, there = dir;

    (void) state;

    make("a");
    make("b");
    expect("a b ");

    reg_path_add(&here, "a");
    there.len += (size_t) snprintf(there.text + there.len, 8, "-out");
    assert_int_equal(rename(here.text, there.text), 0);
    expect("b ");
    assert_int_equal(rename(there.text, here.text), 0);
    expect("a b ");

    there = dir;
    reg_path_add(&there, "b");
    assert_int_equal(rename(here.text, there.text), 0);
    expect("b ");
    assert_int_equal(rename(there.text, here.text), 0);
    expect("a ");
    assert_int_equal(reads(), 1);

    /* what is another kind of thing now */
    drop("a");
    assert_int_equal(symlink("/", here.text), 0);
    assert_int_equal(tree_write(there.text, "", 0), 0);
    expect("");
    assert_int_equal(unlink(here.text), 0);
    assert_int_equal(unlink(there.text), 0);
    make("b");
    expect("b ");
    assert_int_equal(reads(), 1);
}


static void
a_change_that_nobody_told_of_is_read(void **state)
{
    (void) state;

    make("a");
    expect("a ");
    assert_int_equal(chmod(dir.text, 0700), 0);
    expect("a ");
    assert_int_equal(reads(), 2);
    expect("a ");
    make("b");
    expect("a b ");
    assert_int_equal(reads(), 2);
}


static void
make_one_more(void)
{
    make("meddled");
}


static void
drop_one(void)
{
    drop("b");
}


/* A change before or after any look of a first and a second list. */
static void
meddle_between(void (*with)(void), const char *before, const char *after)
{
    for (int i = 0; i < 16; i++) {
        bool  first = i / 8 == 0;

        (void) give_up_in_memory(NULL);
        assert_int_equal(renew_in_memory(NULL), 0);
        make("b");

        if (!first) {
            expect("b ");
        }

        make("a");
        meddle = with;
        meddle_at = i % 8 + 1;
        expect_either(before, after);
        expect_either(meddle_at > 0 ? before : after, after);
        assert_true(meddle_at <= 0);
        expect(after);
        assert_int_equal(reads(), 1);
    }
}


static void
a_change_between_two_steps_is_heard(void **state)
{
    (void) state;

    meddle_between(make_one_more, "a b ", "a b meddled ");
    meddle_between(drop_one, "a b ", "a ");
}


static void
a_directory_in_place_of_one_that_is_watched_is_seen(void **state)
{
    char        name[16], want[24];
    reg_path_t  other = dir;

    (void) state;

    other.len += (size_t) snprintf(other.text + other.len, 8, "-old");
    make("a");
    expect("a ");

    for (int i = 0; i < 20; i++) {
        (void) snprintf(name, sizeof(name), "t%d", i);
        assert_int_equal(rename(dir.text, other.text), 0);
        assert_int_equal(mkdir(dir.text, 0755), 0);
        make(name);
        reg_path_add(&other, i == 0 ? "a" : "x");
        assert_int_equal(rmdir(other.text), 0);
        other.text[other.len -= 2] = '\0';
        assert_int_equal(rmdir(other.text), 0);
        (void) snprintf(want, sizeof(want), "%s ", name);
        expect(want);
        drop(name);
        make("x");
        expect("x ");
    }
}


static void
more_than_the_kernel_tells_is_read(void **state)
{
    char     text[16] = "";
    int64_t  most;
    int      fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY);

    (void) state;

    assert_true(fd != -1 && read(fd, text, sizeof(text) - 1) > 1);
    assert_int_equal(close(fd), 0);
    text[strcspn(text, "\n")] = '\0';
    assert_int_equal(reg_str_int(reg_str_from(text), INT32_MAX, &most), 0);

    make("a");
    expect("a ");

    for (int64_t i = 0; i <= most / 2; i++) {
        make("x");
        drop("x");
    }

    make("b");
    expect("a b ");
    assert_int_equal(reads(), 2);
    make("c");
    expect("a b c ");
    assert_int_equal(reads(), 2);
}


/* Others' lists make us hear of it, but nobody asks for this one. */
static void
more_than_is_kept_of_what_was_heard_is_read(void **state)
{
    char        name[128];
    reg_path_t  top = dir;

    (void) state;

    make("other");
    make("a");
    dir = top;
    reg_path_add(&dir, "other");
    make("b");
    expect("b ");
    dir = top;
    expect("a other ");

    for (int i = 0; i < 2 * REG_LISTS_HEARD_MAX / 100; i++) {
        (void) snprintf(name, sizeof(name), "%0100d", i);
        make(name);
        drop(name);

        if (i % 100 == 0) {
            reg_path_add(&dir, "other");
            expect("b ");
            dir = top;
            assert_true(counted().bytes <= 3 * REG_LISTS_HEARD_MAX);
        }
    }

    make("c");
    expect("a c other ");
    assert_int_equal(reads(), 3);
    make("d");
    expect("a c d other ");
    assert_int_equal(reads(), 3);
}


static void
names_in_use_do_not_change(void **state)
{
    reg_list_t  old;

    (void) state;

    make("b");
    make("c");
    assert_int_equal(reg_lists_open(lists, &dir, REG_NAMES_TAGS, &old, &err),
                     0);
    drop("b");
    make("a");
    expect("a c ");
    make("d");
    drop("c");
    expect("a d ");
    assert_int_equal(reads(), 1);
    assert_int_equal(old.names->n, 2);
    assert_string_equal(old.names->list[0].data, "b");
    assert_string_equal(old.names->list[1].data, "c");
    reg_list_close(&old);
}


/* ---- all of it, at random ------------------------------------------------ */


static unsigned  seed;


static unsigned
any(unsigned n)
{
    seed = seed * 1103515245u + 12345u;

    return (seed >> 16) % n;
}


static void
any_path(reg_path_t *path, reg_names_kind_t kind)
{
    static const char *const  tags[] = { "", "v1.", "_", ".", "a-" };
    static const char *const  catalog[] = { "", "a+", "a-", ".", "b+c+" };

    char  name[32];

    (void) snprintf(name, sizeof(name), "%s%u",
                    (kind == REG_NAMES_CATALOG ? catalog : tags)[any(5)],
                    any(40));
    *path = dir;
    reg_path_add(path, name);
}


static void
any_change(reg_names_kind_t kind)
{
    reg_path_t  path, other;

    any_path(&path, kind);
    any_path(&other, kind);

    /* any may fail, as there is or is not what it wants */
    switch (any(8)) {
    case 0: case 1: case 2:
        if (kind == REG_NAMES_CATALOG) {
            (void) tree_write(path.text, "", 0);
        } else {
            (void) mkdir(path.text, 0755);
        }
        break;
    case 3: case 4:
        (void) remove(path.text);
        break;
    case 5:
        (void) rename(path.text, other.text);
        break;
    case 6:
        (void) !symlink("x", path.text);
        break;
    default:
        if (kind == REG_NAMES_CATALOG) {
            (void) mkdir(path.text, 0755);
        } else {
            (void) tree_write(path.text, "", 0);
        }
    }
}


static void
compare_with_the_disk(reg_names_kind_t kind, reg_list_t *held)
{
    reg_list_t   list;
    reg_names_t  fresh = REG_NAMES_INIT;

    assert_int_equal(reg_lists_open(lists, &dir, kind, &list, &err), 0);
    assert_int_equal(reg_names_read(&fresh, dir.text, kind, REG_UNKNOWN,
                                    &err), 0);
    assert_int_equal(list.names->n, fresh.n);

    for (size_t i = 0; i < fresh.n; i++) {
        assert_string_equal(list.names->list[i].data, fresh.list[i].data);
        assert_int_equal(list.names->list[i].len, fresh.list[i].len);
    }

    reg_names_free(&fresh);

    if (held->listed == NULL && any(4) == 0) {
        *held = list;
        return;
    }

    reg_list_close(&list);

    if (held->listed != NULL && any(4) == 0) {
        reg_list_close(held);
        held->listed = NULL;
    }
}


static void
change_at_random(reg_names_kind_t kind)
{
    reg_list_t  held = { -1, NULL, NULL };

    seed = (unsigned) getpid();
    print_message("from %u\n", seed);

    for (int i = 0; i < 3000; i++) {
        for (unsigned n = any(50) == 0 ? 200 : any(4); n > 0; n--) {
            any_change(kind);
        }

        compare_with_the_disk(kind, &held);
    }

    if (held.listed != NULL) {
        reg_list_close(&held);
    }

    print_message("%lld lists read, %lld updated\n", (long long) reads(),
                  (long long) updates());
}


static void
whatever_changes_is_seen(void **state)
{
    (void) state;

    reg_lists_free(lists);
    lists = reg_lists_create(1 << 20, &kernel_watched);
    change_at_random(REG_NAMES_TAGS);
}


static void
whatever_changes_of_files_is_seen(void **state)
{
    (void) state;

    reg_lists_free(lists);
    lists = reg_lists_create(1 << 20, &kernel_watched);
    change_at_random(REG_NAMES_CATALOG);
}


static void
whatever_changes_is_heard(void **state)
{
    (void) state;

    change_at_random(REG_NAMES_TAGS);
    assert_int_equal(reads(), 1);
}


static void
whatever_changes_of_files_is_heard(void **state)
{
    (void) state;

    change_at_random(REG_NAMES_CATALOG);
    assert_int_equal(reads(), 1);
}


/* ---- bounds -------------------------------------------------------------- */


static void
what_was_counted_is_taken_once(void **state)
{
    reg_lists_count_t  count;

    (void) state;

    make("a");
    expect("a ");
    now += GRAIN;
    expect("a ");
    expect("a ");
    reg_lists_take_count(lists, &count);
    assert_int_equal(count.opened, 3);
    assert_int_equal(count.read, 2);
    assert_true(count.bytes > 0);

    expect("a ");
    reg_lists_take_count(lists, &count);
    assert_int_equal(count.opened, 1);
    assert_int_equal(count.read, 0);

    reg_lists_take_count(lists, &count);
    assert_int_equal(count.opened, 0);
    assert_true(count.bytes > 0);
}


static void
what_is_kept_stays_within_its_bound(void **state)
{
    reg_list_t         old, list;
    reg_lists_count_t  count;
    reg_path_t         top = dir;
    char               name[32];

    (void) state;

    reg_lists_free(lists);
    lists = reg_lists_create(16 * 1024, &world);

    for (int i = 0; i < 100; i++) {
        (void) snprintf(name, sizeof(name), "a-tag-of-some-length-%d", i);
        make(name);
    }

    assert_int_equal(reg_lists_open(lists, &dir, REG_NAMES_TAGS, &old, &err),
                     0);

    for (int i = 0; i < 100; i++) {
        (void) snprintf(name, sizeof(name), "%d", i);
        dir = top;
        reg_path_add(&dir, name);
        assert_int_equal(mkdir(dir.text, 0755), 0);
        make("x");
        expect("x ");
        assert_true(counted().bytes <= 16 * 1024);
    }

    /* the first has made room, and is still good for who holds it */
    assert_int_equal(old.names->n, 100);
    assert_string_equal(old.names->list[99].data, "a-tag-of-some-length-99");
    reg_list_close(&old);

    /* larger than all that may be kept: read each time */
    dir = top;
    reg_lists_free(lists);
    lists = reg_lists_create(1024, &world);

    for (int i = 1; i <= 3; i++) {
        now += GRAIN;
        assert_int_equal(reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list,
                                        &err), 0);
        assert_int_equal(list.names->n, 200);
        reg_list_close(&list);
        reg_lists_take_count(lists, &count);
        assert_int_equal(count.read, 1);
        assert_int_equal(count.bytes, 0);
    }
}


/* ---- threads ------------------------------------------------------------- */


#define CHANGES  400
#define READERS  6

/* of changes: those that have begun, and those that are over */
static atomic_int  making, made, dropping, dropped;
static atomic_int  wrong;


static void *
read_all_the_time(void *data)
{
    (void) data;

    for (int before = 0; before < CHANGES; ) {
        reg_list_t   list;
        reg_error_t  quiet = REG_ERROR_INIT;
        int          gone = atomic_load(&dropped), n;

        before = atomic_load(&made);

        if (reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list, &quiet) == -1) {
            atomic_fetch_add(&wrong, 1);
            break;
        }

        n = (int) list.names->n;

        if (n < before - atomic_load(&dropping)
            || n > atomic_load(&making) - gone)
        {
            atomic_fetch_add(&wrong, 1);
        }

        reg_list_close(&list);
    }

    return NULL;
}


static void
while_threads_read(const reg_lists_sys_t *sys)
{
    pthread_t          readers[READERS];
    char               name[16];
    reg_lists_count_t  count;

    reg_lists_free(lists);
    lists = reg_lists_create(1 << 20, sys);
    atomic_store(&making, 0);
    atomic_store(&made, 0);
    atomic_store(&dropping, 0);
    atomic_store(&dropped, 0);
    atomic_store(&wrong, 0);

    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time,
                                        NULL), 0);
    }

    for (int i = 0; i < CHANGES; i++) {
        (void) snprintf(name, sizeof(name), "t%d", i);
        atomic_fetch_add(&making, 1);
        make(name);
        atomic_fetch_add(&made, 1);

        if (i % 3 == 0) {
            atomic_fetch_add(&dropping, 1);
            drop(name);
            atomic_fetch_add(&dropped, 1);
        }
    }

    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }

    assert_int_equal(atomic_load(&wrong), 0);
    count = counted();
    assert_true(count.read <= count.opened);
    print_message("%lld lists, of which %lld were read, %lld updated\n",
                  (long long) count.opened, (long long) count.read,
                  (long long) count.updated);
}


static void
no_thread_misses_what_was_done_before(void **state)
{
    (void) state;

    while_threads_read(NULL);
}


static void
no_thread_misses_what_was_told_before(void **state)
{
    (void) state;

    while_threads_read(&kernel_watched);
}


int
main(void)
{
#define TEST(f)   cmocka_unit_test_setup_teardown(f, renew, give_up)
#define HEARD(f)  cmocka_unit_test_setup_teardown(f, renew_in_memory,         \
                                                  give_up_in_memory)

    const struct CMUnitTest  tests[] = {
        TEST(names_are_read_once_after_the_grain),
        TEST(within_the_grain_names_are_read_each_time),
        TEST(changes_at_the_same_time_are_seen),
        TEST(changes_in_the_same_second_are_seen),
        TEST(changes_as_the_kernel_stamps_them_are_seen),
        TEST(a_time_that_was_set_back_hides_nothing),
        TEST(another_directory_in_its_place_is_seen),
        TEST(a_directory_that_is_gone_is_unknown),
        TEST(only_what_was_asked_for_is_listed),
        HEARD(what_is_watched_is_read_once),
        HEARD(what_is_renamed_is_heard),
        HEARD(a_change_that_nobody_told_of_is_read),
        HEARD(a_change_between_two_steps_is_heard),
        HEARD(a_directory_in_place_of_one_that_is_watched_is_seen),
        HEARD(more_than_the_kernel_tells_is_read),
        HEARD(more_than_is_kept_of_what_was_heard_is_read),
        HEARD(names_in_use_do_not_change),
        TEST(whatever_changes_is_seen),
        TEST(whatever_changes_of_files_is_seen),
        HEARD(whatever_changes_is_heard),
        HEARD(whatever_changes_of_files_is_heard),
        TEST(what_was_counted_is_taken_once),
        TEST(what_is_kept_stays_within_its_bound),
        TEST(no_thread_misses_what_was_done_before),
        TEST(no_thread_misses_what_was_told_before),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
