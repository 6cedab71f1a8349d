/* reg_lists: the sorted names of directories, kept. */

#include "reg_lists.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


#define GRAIN  REG_LISTS_GRAIN


static reg_lists_t  *lists;
static reg_path_t    dir;
static reg_error_t   err;
static int64_t       now;                /* ns */
static int64_t       grain;              /* of the file system; 0: its own */
static int64_t       changed;            /* when it thinks dir was; ns */


static int64_t
clock_of_the_test(void)
{
    return now;
}


/* A file system whose clock is the test's, with a grain, and that counts no
 * links. */
static int
coarse_fstat(int fd, struct stat *st)
{
    int  rc = fstat(fd, st);

    if (grain > 0) {
        st->st_mtim.tv_sec = changed / 1000000000;
        st->st_mtim.tv_nsec = changed % 1000000000;
        st->st_ctim = st->st_mtim;
        st->st_nlink = 1;
    }

    return rc;
}


static const reg_lists_sys_t  world = { clock_of_the_test, coarse_fstat };


static int
renew(void **state)
{
    err = (reg_error_t) REG_ERROR_INIT;
    now = 1000 * GRAIN + GRAIN / 4;
    grain = 0;

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
expect(const char *want)
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
    assert_string_equal(got.data, want);
    reg_buf_free(&got);
}


static int64_t
reads(void)
{
    reg_lists_count_t  count;

    reg_lists_count(lists, &count);
    return count.read;
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

    changes_within_the_grain_of(10000000, 3000000, REG_LISTS_GRAIN);
}


static void
changes_in_the_same_second_are_seen(void **state)
{
    (void) state;

    changes_within_the_grain_of(1000000000, 170000000, REG_LISTS_GRAIN_LONG);
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

    reg_lists_count(lists, &count);
    assert_int_equal(count.opened, 4);
    assert_int_equal(count.read, 2);
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
        reg_lists_count(lists, &count);
        assert_true(count.bytes <= 16 * 1024);
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
        reg_lists_count(lists, &count);
        assert_int_equal(count.read, i);
        assert_int_equal(count.bytes, 0);
    }
}


/* ---- threads ------------------------------------------------------------- */


#define CHANGES  400
#define READERS  6

static atomic_int  made;
static atomic_int  wrong;


static void *
read_all_the_time(void *data)
{
    (void) data;

    for (int before = 0; before < CHANGES; ) {
        reg_list_t   list;
        reg_error_t  quiet = REG_ERROR_INIT;

        before = atomic_load(&made);

        if (reg_lists_open(lists, &dir, REG_NAMES_TAGS, &list, &quiet) == -1) {
            atomic_fetch_add(&wrong, 1);
            break;
        }

        if (list.names->n < (size_t) before) {
            atomic_fetch_add(&wrong, 1);
        }

        reg_list_close(&list);
    }

    return NULL;
}


static void
no_thread_misses_what_was_done_before(void **state)
{
    pthread_t          readers[READERS];
    char               name[16];
    reg_lists_count_t  count;

    (void) state;

    reg_lists_free(lists);
    lists = reg_lists_create(1 << 20, NULL);
    atomic_store(&made, 0);
    atomic_store(&wrong, 0);

    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time,
                                        NULL), 0);
    }

    for (int i = 0; i < CHANGES; i++) {
        (void) snprintf(name, sizeof(name), "t%d", i);
        make(name);
        atomic_fetch_add(&made, 1);
    }

    for (int i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }

    assert_int_equal(atomic_load(&wrong), 0);
    reg_lists_count(lists, &count);
    assert_true(count.read <= count.opened);
    print_message("%lld lists, of which %lld were read\n",
                  (long long) count.opened, (long long) count.read);
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, give_up)

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
        TEST(what_was_counted_is_taken_once),
        TEST(what_is_kept_stays_within_its_bound),
        TEST(no_thread_misses_what_was_done_before),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
