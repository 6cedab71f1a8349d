/* reg_catalog: an index of repositories. */

#include "reg_catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/file.h>
#include <time.h>

#include <cmocka.h>

#include "reg_lists.h"
#include "reg_revision.h"
#include "tree.h"


#define AGE  600

static reg_catalog_t        *catalog;
static reg_error_t           err;
static reg_buf_t             listed;
static int                   most;
static reg_catalog_count_t   count;
static int                   steps_left;      /* -1: as many as it takes */


static int
renew(void **state)
{
    int  rc = tree_renew(state);

    err = (reg_error_t) REG_ERROR_INIT;
    steps_left = -1;
    tree_store.lists = reg_lists_create(1 << 20, NULL);
    catalog = reg_catalog_create(&tree_store, AGE, &err);

    return rc == 0 && tree_store.lists != NULL && catalog != NULL ? 0 : -1;
}


static int
give_up(void **state)
{
    (void) state;

    reg_catalog_free(catalog);
    reg_lists_free(tree_store.lists);
    tree_store.lists = NULL;

    return 0;
}


/* ---- what is done to the tree -------------------------------------------- */


static reg_digest_t
digest_of(int n)
{
    char  body[32];

    (void) snprintf(body, sizeof(body), "{\"n\":%d}", n);

    return tree_digest(REG_SHA256, reg_str_from(body));
}


static void
push(const char *repository, int n)
{
    char          body[32];
    reg_name_t    name = tree_name(repository);
    reg_digest_t  d = digest_of(n);

    (void) snprintf(body, sizeof(body), "{\"n\":%d}", n);
    assert_int_equal(tree_push(&name, &d, reg_str_from(body),
                     NULL, 0, &err), 0);
}


static void
delete(const char *repository, int n)
{
    reg_name_t    name = tree_name(repository);
    reg_digest_t  d = digest_of(n);

    assert_int_equal(reg_revision_delete(&tree_store, &name, &d, NULL, &err),
                     0);
}


/* As another program would. */
static void
foreign(const char *repository, int n)
{
    reg_name_t    name = tree_name(repository);
    reg_digest_t  d = digest_of(n);
    reg_path_t    path;

    reg_layout_revision(&path, &tree_store.v2, &name, &d);
    assert_int_equal(tree_write(path.text, d.text, 71), 0);
}


static void
foreign_delete(const char *repository, int n)
{
    reg_name_t    name = tree_name(repository);
    reg_digest_t  d = digest_of(n);
    reg_path_t    path;

    reg_layout_revision(&path, &tree_store.v2, &name, &d);
    assert_int_equal(unlink(path.text), 0);
}


static bool
indexed(const char *repository)
{
    reg_name_t  name = tree_name(repository);
    reg_path_t  path;

    reg_layout_catalog_entry(&path, &tree_store.v2, &name);

    return tree_has(path.text);
}


/* Into the index, as nobody should. */
static void
write_entries(const char *const *names, size_t n)
{
    reg_path_t  path;

    for (size_t i = 0; i < n; i++) {
        reg_layout_catalog(&path, &tree_store.v2);
        reg_path_add(&path, names[i]);
        assert_int_equal(tree_write(path.text, "x", 1), 0);
    }
}


/* ---- what is asked ------------------------------------------------------- */


static int
collect(void *ctx, reg_str_t name)
{
    reg_buf_putstr(ctx, name);
    reg_buf_puts(ctx, " ");

    return --most == 0;
}


static void
expect_page(const char *last, int n, const char *want)
{
    most = n;
    assert_int_equal(reg_catalog_list(catalog, reg_str_from(last), collect,
                                      &listed, &err), 0);
    reg_buf_put(&listed, "", 1);
    assert_string_equal(listed.data, want);
    reg_buf_free(&listed);
}


static void
expect(const char *want)
{
    expect_page("", 0, want);
}


/* What appears is seen when it is time for the next look. */
static void
expect_soon(const char *want)
{
    const struct timespec  moment = { 0, 1000000 };

    for (int i = 0; i < 20000; i++) {
        most = 0;
        assert_int_equal(reg_catalog_list(catalog, REG_STR_NULL, collect,
                                          &listed, &err), 0);
        reg_buf_put(&listed, "", 1);

        if (strcmp(listed.data, want) == 0) {
            break;
        }

        reg_buf_free(&listed);
        (void) nanosleep(&moment, NULL);
    }

    assert_string_equal(listed.data != NULL ? listed.data : "", want);
    reg_buf_free(&listed);
}


static int
step(void *ctx)
{
    (void) ctx;

    return steps_left >= 0 && steps_left-- == 0;
}


static int
check(void)
{
    const reg_catalog_watch_t  watch = { step, NULL };

    count = (reg_catalog_count_t) { 0, 0, 0 };

    return reg_catalog_check(catalog, &watch, &count, &err);
}


/* As if the last check had begun so many seconds ago. */
static void
age(int seconds)
{
    reg_path_t             path;
    time_t                 then = time(NULL) - seconds;
    const struct timespec  times[2] = { { then, 0 }, { then, 0 } };

    reg_layout_catalog(&path, &tree_store.v2);
    reg_path_add(&path, ".whole");
    assert_int_equal(utimensat(AT_FDCWD, path.text, times, 0), 0);
}


/* ---- tests --------------------------------------------------------------- */


static void
without_a_check_the_tree_is_walked(void **state)
{
    (void) state;

    expect("");
    foreign("b", 1);
    push("a/b", 1);
    assert_true(indexed("a/b"));
    assert_false(indexed("b"));
    expect("a/b b ");
    assert_int_equal(reg_catalog_age(catalog, time(NULL)), -1);
}


static void
a_check_makes_an_index_of_what_is_there(void **state)
{
    (void) state;

    foreign("b", 1);
    foreign("a/b/c", 1);
    push("a", 1);
    assert_int_equal(check(), 0);
    assert_int_equal(count.directories, 4);
    assert_int_equal(count.added, 2);
    assert_int_equal(count.dropped, 0);
    assert_true(indexed("b") && indexed("a/b/c") && indexed("a"));
    assert_false(indexed("a/b"));
    assert_in_range(reg_catalog_age(catalog, time(NULL)), 0, 60);
    expect("a a/b/c b ");

    assert_int_equal(check(), 0);
    assert_int_equal(count.added, 0);
    assert_int_equal(count.dropped, 0);
}


static void
pages_are_in_byte_order(void **state)
{
    static const char  *names[] = {
        "b", "a/b", "a", "a-b", "a.b", "a_b", "a/b/c", "a/b-c", "a0", "a-b/c"
    };

    (void) state;

    assert_int_equal(check(), 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        push(names[i], 1);
    }

    expect("a a-b a-b/c a.b a/b a/b-c a/b/c a0 a_b b ");
    expect_page("a", 2, "a-b a-b/c ");
    expect_page("a-b/c", 3, "a.b a/b a/b-c ");
    expect_page("a/", 1, "a/b ");
    expect_page("a/b", 2, "a/b-c a/b/c ");
    expect_page("a/zzz", 1, "a0 ");
    expect_page("b", 0, "");
    expect_page("0", 1, "a ");
}


static void
pushes_and_deletes_are_seen_at_once(void **state)
{
    (void) state;

    assert_int_equal(check(), 0);
    expect("");
    push("a", 1);
    expect("a ");
    push("a", 2);
    delete("a", 1);
    expect("a ");                        /* it was looked for first */
    delete("a", 2);
    expect("");
    assert_false(indexed("a"));
    push("a", 3);
    expect("a ");
    assert_true(indexed("a"));
}


static void
what_another_program_removes_is_seen_at_once(void **state)
{
    (void) state;

    push("a", 1);
    push("b", 1);
    push("c", 1);
    assert_int_equal(check(), 0);
    expect("a b c ");
    foreign_delete("b", 1);
    expect("a c ");
    assert_true(indexed("b"));
    assert_int_equal(check(), 0);
    assert_int_equal(count.dropped, 1);
    assert_false(indexed("b"));
    foreign("b", 2);
    assert_int_equal(check(), 0);
    expect("a b c ");
}


/* Below a repository that is no group. */
static void
what_is_not_where_it_is_looked_for_is_seen_after_max_age(void **state)
{
    (void) state;

    push("a", 1);
    assert_int_equal(check(), 0);
    push("b/c", 1);
    foreign("a/b", 1);
    expect("a b/c ");

    age(AGE - 60);
    expect("a b/c ");
    age(AGE + 1);
    expect("a a/b b/c ");                /* walked */
    age(-60);
    expect("a a/b b/c ");                /* a clock was wrong: walked */
    assert_int_equal(reg_catalog_age(catalog, time(NULL)), -1);

    assert_int_equal(check(), 0);
    assert_int_equal(count.added, 1);
    age(AGE - 60);
    expect("a a/b b/c ");
}


static void
what_appears_is_seen_soon(void **state)
{
    (void) state;

    assert_int_equal(check(), 0);
    push("team/app", 1);
    expect("team/app ");
    foreign("b", 1);
    expect_soon("b team/app ");
    assert_true(indexed("b"));
    foreign("team/b", 1);
    expect_soon("b team/app team/b ");
    foreign("team/app2", 1);
    foreign("new/group/of/c", 1);        /* of which nobody knows a thing */
    expect_soon("b new/group/of/c team/app team/app2 team/b ");
    foreign("new/d", 1);
    foreign("new/group/e", 1);
    expect_soon("b new/d new/group/e new/group/of/c team/app team/app2"
                " team/b ");
    foreign_delete("b", 1);
    expect("new/d new/group/e new/group/of/c team/app team/app2 team/b ");
}


/* As another registry does it: manifests come last, after a while. */
static void
what_is_not_a_repository_yet_is_seen_when_it_is(void **state)
{
    static const char *const  names[] = { "a", "team/b", "new/group/c" };

    reg_path_t  path;
    reg_name_t  name;

    (void) state;

    push("team/app", 1);
    assert_int_equal(check(), 0);

    for (size_t i = 0; i < 3; i++) {
        name = tree_name(names[i]);
        reg_layout_layers(&path, &tree_store.v2, &name);
        reg_path_add(&path, "file");
        assert_int_equal(tree_write(path.text, "", 0), 0);
        foreign("z", (int) i);
        expect_soon("team/app z ");
    }

    assert_int_equal(check(), 0);        /* it forgets nobody */
    foreign("team/b", 1);
    expect_soon("team/app team/b z ");
    foreign("new/group/c", 1);
    foreign("a", 1);
    expect_soon("a new/group/c team/app team/b z ");
}


static int
count_them(void *ctx, reg_str_t name)
{
    (void) name;
    ++*(int *) ctx;

    return 0;
}


/* More than are looked at together. */
static void
many_that_appear_are_all_seen(void **state)
{
    const struct timespec  moment = { 0, 1000000 };

    char  name[32];
    int   n = 0;

    (void) state;

    assert_int_equal(check(), 0);

    for (int i = 0; i < 600; i++) {
        (void) snprintf(name, sizeof(name), i % 2 ? "r%d" : "group/r%d", i);
        foreign(name, 1);
    }

    for (int i = 0; n != 600 && i < 20000; i++) {
        n = 0;
        assert_int_equal(reg_catalog_list(catalog, REG_STR_NULL, count_them,
                                          &n, &err), 0);
        (void) nanosleep(&moment, NULL);
    }

    assert_int_equal(n, 600);
}


/* Whoever writes to the tree may do this by mistake. */
static void
strange_places_are_not_looked_into(void **state)
{
    static const char *const  files[] = {
        "..+..+x", "a++b", "+", "a+", "linked+x", "file+x", "gone+x", "..+x"
    };

    reg_path_t  dir, path;

    (void) state;

    push("a", 1);
    assert_int_equal(check(), 0);
    write_entries(files, sizeof(files) / sizeof(files[0]));
    foreign("b/in", 1);
    reg_layout_repositories(&dir, &tree_store.v2);
    path = dir;
    reg_path_add(&path, "linked");
    assert_int_equal(symlink("b", path.text), 0);
    path = dir;
    reg_path_add(&path, "file");
    assert_int_equal(tree_write(path.text, "", 0), 0);
    path = dir;
    reg_path_add(&path, "Upper");
    assert_int_equal(mkdir(path.text, 0755), 0);
    expect_soon("a b/in ");
    foreign("c", 1);
    expect_soon("a b/in c ");
    assert_false(indexed("linked/in"));
}


static void
a_repository_that_is_gone_leaves_the_index(void **state)
{
    reg_path_t  path, aside;
    reg_name_t  name = tree_name("a");

    (void) state;

    push("a", 1);
    push("b", 1);
    assert_int_equal(check(), 0);

    reg_layout_repository(&path, &tree_store.v2, &name);
    reg_layout_tmp(&aside, &tree_store.v2);
    reg_path_add(&aside, "aside");
    assert_int_equal(rename(path.text, aside.text), 0);
    expect("b ");
    assert_int_equal(check(), 0);
    assert_int_equal(count.dropped, 1);
    assert_false(indexed("a"));
    assert_int_equal(rename(aside.text, path.text), 0);
}


static void
a_check_that_ends_early_claims_nothing(void **state)
{
    (void) state;

    foreign("a", 1);
    foreign("b", 1);
    foreign("c", 1);
    steps_left = 2;
    assert_int_equal(check(), 1);
    assert_int_equal(reg_catalog_age(catalog, time(NULL)), -1);
    expect("a b c ");

    /* while entries are looked at */
    steps_left = 4;
    assert_int_equal(check(), 1);
    assert_int_equal(reg_catalog_age(catalog, time(NULL)), -1);
    steps_left = -1;
    assert_int_equal(check(), 0);
    expect("a b c ");
}


static void
one_checks_at_a_time(void **state)
{
    reg_path_t  dir;
    int         fd;

    (void) state;

    assert_int_equal(check(), 0);
    reg_layout_catalog(&dir, &tree_store.v2);
    fd = open(dir.text, O_RDONLY | O_DIRECTORY);
    assert_int_not_equal(fd, -1);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(check(), 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(check(), 0);
}


static void
strange_entries_are_passed_over(void **state)
{
    static const char *const  files[] = {
        "Upper", "a++b", "+a", "a+", "sp ace", "-x", "no+such", "_x"
    };

    reg_path_t  dir, path;

    (void) state;

    push("a", 1);
    assert_int_equal(check(), 0);
    write_entries(files, sizeof(files) / sizeof(files[0]));
    reg_layout_catalog(&dir, &tree_store.v2);
    path = dir;
    reg_path_add(&path, "linked");
    assert_int_equal(symlink("a", path.text), 0);
    path = dir;
    reg_path_add(&path, "fifo");
    assert_int_equal(mkfifo(path.text, 0600), 0);
    path = dir;
    reg_path_add(&path, "directory");
    assert_int_equal(mkdir(path.text, 0755), 0);

    expect("a ");
    push("fifo", 1);                     /* no push fails for that */
    push("directory", 1);
    push("linked", 1);
    assert_int_equal(check(), 0);
    expect("a ");

    /* an index that is no directory is none */
    path = dir;
    path.len += (size_t) snprintf(path.text + path.len, 8, "-aside");
    assert_int_equal(rename(dir.text, path.text), 0);
    assert_int_equal(symlink("/nowhere", dir.text), 0);
    expect("a directory fifo linked ");
    assert_int_equal(check(), -1);
    err = (reg_error_t) REG_ERROR_INIT;
}


/* ---- without descriptors -------------------------------------------------- */


/* One that knows of no manifest yet, with so many descriptors. */
static void
starve(int n)
{
    reg_catalog_free(catalog);
    err = (reg_error_t) REG_ERROR_INIT;
    catalog = reg_catalog_create(&tree_store, AGE, &err);
    assert_non_null(catalog);
    assert_int_equal(tree_leave_descriptors(n), 0);
}


static void
feed(int rc)
{
    assert_int_equal(tree_leave_descriptors(-1), 0);
    assert_true(rc >= 0 || err.sys == EMFILE);
    err = (reg_error_t) REG_ERROR_INIT;
}


static void
push_two(void)
{
    reg_lists_free(tree_store.lists);
    tree_store.lists = reg_lists_create(1 << 20, &tree_hourly);
    push("a", 1);
    push("b", 1);
    push("b", 2);
}


/* What cannot be looked at may be a repository. */
static void
a_list_is_whole_or_fails(void **state)
{
    (void) state;

    push_two();

    for (int indexed = 0; indexed < 2; indexed++) {
        expect("a b ");
        expect("a b ");                      /* from here on it is kept */

        for (int n = 0, rc = -1; rc == -1; n++) {
            starve(n);
            most = 0;
            rc = reg_catalog_list(catalog, REG_STR_NULL, collect, &listed,
                                  &err);
            feed(rc);
            reg_buf_put(&listed, "", 1);
            assert_true(rc == -1 || strcmp(listed.data, "a b ") == 0);
            reg_buf_free(&listed);
        }

        assert_int_equal(check(), 0);
    }
}


static int
starve_in_step(void *ctx)
{
    int  *left = ctx;

    return tree_leave_descriptors(--*left == 0 ? 0 : -1) == 0 ? 0 : 1;
}


static void
a_check_drops_nothing_that_it_cannot_look_at(void **state)
{
    int  rc, left = 0;

    const reg_catalog_watch_t  watch = { starve_in_step, &left };

    (void) state;

    push_two();

    for (int n = 1; left <= 0; n++) {
        starve(-1);
        left = n;
        rc = reg_catalog_check(catalog, &watch, &count, &err);
        feed(rc);
        assert_int_equal(rc, left > 0 ? 0 : -1);
        assert_true(indexed("a"));
        assert_true(indexed("b"));
        assert_int_equal(reg_catalog_age(catalog, time(NULL)) == -1,
                         rc == -1);
    }
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, give_up)

    const struct CMUnitTest  tests[] = {
        TEST(without_a_check_the_tree_is_walked),
        TEST(a_check_makes_an_index_of_what_is_there),
        TEST(pages_are_in_byte_order),
        TEST(pushes_and_deletes_are_seen_at_once),
        TEST(what_another_program_removes_is_seen_at_once),
        TEST(what_is_not_where_it_is_looked_for_is_seen_after_max_age),
        TEST(what_appears_is_seen_soon),
        TEST(what_is_not_a_repository_yet_is_seen_when_it_is),
        TEST(many_that_appear_are_all_seen),
        TEST(strange_places_are_not_looked_into),
        TEST(a_repository_that_is_gone_leaves_the_index),
        TEST(a_check_that_ends_early_claims_nothing),
        TEST(one_checks_at_a_time),
        TEST(strange_entries_are_passed_over),
        TEST(a_list_is_whole_or_fails),
        TEST(a_check_drops_nothing_that_it_cannot_look_at),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
