/* reg_presence: that a repository has a blob. */

#include "reg_presence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tree.h"


#define CONTENT  REG_STR("some content")
#define NOW      1000

static reg_presence_t  *presence;
static reg_name_t       one, two;
static reg_digest_t     digest;


static reg_path_t
link_of(const reg_name_t *name)
{
    reg_path_t  path;

    reg_layout_layer(&path, &tree_store.v2, name, &digest);
    return path;
}


static reg_path_t
content(void)
{
    reg_path_t  path;

    reg_layout_blob(&path, &tree_store.v2, &digest);
    return path;
}


static void
put(const reg_path_t *path, reg_str_t text)
{
    assert_int_equal(tree_write(path->text, text.data, text.len), 0);
}


static void
put_link(const reg_name_t *name)
{
    reg_path_t  path = link_of(name);

    put(&path, reg_digest_str(&digest));
}


static void
put_content(reg_str_t text)
{
    reg_path_t  path = content();

    put(&path, text);
}


static void
note(const reg_name_t *name, time_t now)
{
    reg_presence_note(presence, name, &digest, now);
}


static const reg_presence_blob_t *
find(const reg_name_t *name, time_t now)
{
    return reg_presence_find(presence, name, &digest, now);
}


static void
know(const reg_name_t *name, time_t now)
{
    note(name, now);
    note(name, now);
    assert_non_null(find(name, now));
}


/* Both repositories have the blob. */
static int
renew(void **state)
{
    if (tree_renew(state) == -1) {
        return -1;
    }

    one = tree_name("team/one");
    two = tree_name("team/two");
    digest = tree_digest(REG_SHA256, CONTENT);
    presence = reg_presence_create(&tree_store.v2);

    put_link(&one);
    put_link(&two);
    put_content(CONTENT);

    return presence == NULL ? -1 : 0;
}


static int
give_up(void **state)
{
    (void) state;
    reg_presence_free(presence);

    return 0;
}


static void
the_second_note_makes_it_known(void **state)
{
    reg_path_t   path = content();
    struct stat  st;

    (void) state;

    assert_null(find(&one, NOW));
    note(&one, NOW);
    assert_null(find(&one, NOW));
    note(&one, NOW);
    assert_non_null(find(&one, NOW));
    assert_null(find(&two, NOW));

    assert_int_equal(stat(path.text, &st), 0);
    assert_int_equal(find(&one, NOW)->size, CONTENT.len);
    assert_true(find(&one, NOW)->inode == st.st_ino);
}


static void
it_is_known_for_a_second(void **state)
{
    (void) state;

    know(&one, NOW);
    assert_null(find(&one, NOW + 1));
    note(&one, NOW + 1);
    assert_null(find(&one, NOW + 1));
    note(&one, NOW + 1);
    assert_non_null(find(&one, NOW + 1));

    /* noted once in each of two */
    assert_null(find(&one, NOW + 2));
    note(&one, NOW + 3);
    note(&one, NOW + 4);
    assert_null(find(&one, NOW + 4));
}


static void
a_link_that_goes_ends_it(void **state)
{
    reg_path_t  path = link_of(&one);

    (void) state;

    know(&one, NOW);
    know(&two, NOW);
    assert_int_equal(unlink(path.text), 0);
    assert_null(find(&one, NOW));
    assert_non_null(find(&two, NOW));

    /* the directory too, and all of it comes back */
    reg_path_parent(&path);
    assert_int_equal(rmdir(path.text), 0);
    assert_null(find(&one, NOW));
    put_link(&one);
    assert_null(find(&one, NOW));
    know(&one, NOW + 1);
    path = link_of(&one);
    assert_int_equal(unlink(path.text), 0);
    assert_null(find(&one, NOW + 1));
}


static void
content_that_goes_ends_it_for_all(void **state)
{
    reg_path_t  path = content();

    (void) state;

    know(&one, NOW);
    know(&two, NOW);
    assert_int_equal(unlink(path.text), 0);
    assert_null(find(&one, NOW));
    assert_null(find(&two, NOW));
}


static void
content_that_is_replaced_is_seen(void **state)
{
    reg_path_t   path = content(), other;
    struct stat  st;

    (void) state;

    know(&one, NOW);
    assert_int_equal(reg_path_below(&other, &tree_store.v2,
                                    REG_STR("other")), 0);
    put(&other, REG_STR("healed"));
    assert_int_equal(stat(other.text, &st), 0);
    assert_int_equal(rename(other.text, path.text), 0);
    assert_null(find(&one, NOW));

    know(&one, NOW + 1);
    assert_int_equal(find(&one, NOW + 1)->size, 6);
    assert_true(find(&one, NOW + 1)->inode == st.st_ino);
}


static void
what_is_written_to_is_looked_at_again(void **state)
{
    reg_path_t  path = link_of(&one);

    (void) state;

    know(&one, NOW);
    put_content(REG_STR("longer content"));
    assert_null(find(&one, NOW));
    know(&one, NOW + 1);
    assert_int_equal(find(&one, NOW + 1)->size, 14);
    put(&path, REG_STR("no digest"));
    assert_null(find(&one, NOW + 1));
    note(&one, NOW + 2);
    note(&one, NOW + 2);
    assert_null(find(&one, NOW + 2));
}


static void
what_is_not_as_it_should_be_is_not_known(void **state)
{
    reg_path_t  path = content();

    (void) state;

    assert_int_equal(unlink(path.text), 0);
    note(&one, NOW);
    note(&one, NOW);
    assert_null(find(&one, NOW));

    assert_int_equal(mkdir(path.text, 0755), 0);
    note(&two, NOW);
    note(&two, NOW);
    assert_null(find(&two, NOW));
}


/* It is not tried again before the second is over. */
static void
a_link_of_another_size_is_none(void **state)
{
    reg_path_t  path = link_of(&one);

    (void) state;

    put(&path, REG_STR("sha256:short"));
    note(&one, NOW);
    note(&one, NOW);
    assert_null(find(&one, NOW));
    put_link(&one);
    note(&one, NOW);
    assert_null(find(&one, NOW));
    know(&one, NOW + 1);
}


static void
what_moves_away_is_seen_after_a_second(void **state)
{
    reg_path_t  team, away;

    (void) state;

    know(&one, NOW);
    assert_true(reg_presence_look(presence, &one, &digest, NOW));

    assert_int_equal(reg_path_below(&team, &tree_store.v2,
                                    REG_STR("repositories/team")), 0);
    assert_int_equal(reg_path_below(&away, &tree_store.v2,
                                    REG_STR("away")), 0);
    assert_int_equal(rename(team.text, away.text), 0);

    assert_false(reg_presence_look(presence, &one, &digest, NOW));
    assert_null(find(&one, NOW + 1));
    note(&one, NOW + 1);
    note(&one, NOW + 1);
    assert_null(find(&one, NOW + 1));
}


static void
a_look_is_at_the_link(void **state)
{
    reg_path_t  path = link_of(&one), other = link_of(&two);

    (void) state;

    assert_true(reg_presence_look(presence, &one, &digest, NOW));
    assert_int_equal(unlink(path.text), 0);
    assert_false(reg_presence_look(presence, &one, &digest, NOW));
    assert_int_equal(symlink(other.text, path.text), 0);
    assert_false(reg_presence_look(presence, &one, &digest, NOW));
    assert_true(reg_presence_look(presence, &two, &digest, NOW));
}


static void
a_tree_that_is_another_one_is_seen_after_a_second(void **state)
{
    reg_path_t  path = tree_store.v2, away = tree_store.v2;

    (void) state;

    assert_true(reg_presence_look(presence, &one, &digest, NOW));
    memcpy(away.text + away.len - 2, "v3", 2);
    assert_int_equal(rename(path.text, away.text), 0);
    assert_false(reg_presence_look(presence, &one, &digest, NOW + 1));
    assert_int_equal(rename(away.text, path.text), 0);
    assert_true(reg_presence_look(presence, &one, &digest, NOW + 2));
}


/* The kernel says only that it could not keep what it had to tell. */
static void
what_was_told_too_fast_ends_all(void **state)
{
    reg_path_t  path = link_of(&one), noise[2];
    char        text[32];

    (void) state;

    for (int i = 0; i < 2; i++) {
        noise[i] = path;
        reg_path_parent(&noise[i]);
        reg_path_add(&noise[i], i == 0 ? "a" : "b");
    }

    assert_true(tree_read("/proc/sys/fs/inotify/max_queued_events", text,
                          sizeof(text)) > 0);
    know(&one, NOW);
    know(&two, NOW);

    for (long i = strtol(text, NULL, 10) / 2; i >= 0; i--) {
        put(&noise[i % 2], REG_STR(""));         /* two are told for each */
        assert_int_equal(unlink(noise[i % 2].text), 0);
    }

    assert_null(find(&one, NOW));
    assert_null(find(&two, NOW));
    know(&one, NOW + 1);
}


/* Another blob takes the slot of one that shares its content's watch. */
static void
a_watch_that_is_shared_stays(void **state)
{
    reg_path_t    path = content();
    reg_digest_t  shared = digest;
    time_t        now = NOW;
    char          text[32];

    (void) state;

    do {
        assert_in_range(now, NOW, NOW + 50 * REG_PRESENCE_SLOTS);
        know(&one, now);
        know(&two, now++);
        know(&two, now);

        (void) snprintf(text, sizeof(text), "%lld", (long long) now);
        digest = tree_digest(REG_SHA256, reg_str_from(text));
        put_link(&one);
        put_content(reg_str_from(text));
        note(&one, now);
        note(&one, now);

        digest = shared;
        note(&one, now);
        note(&one, now);
    } while (find(&one, now) != NULL);

    assert_non_null(find(&two, now));
    assert_int_equal(unlink(path.text), 0);
    assert_null(find(&two, now));
}


/* More than there are slots: each that is known has a watch that holds. */
static void
many_blobs_take_turns(void **state)
{
    enum { BLOBS = 2 * REG_PRESENCE_SLOTS };

    static reg_digest_t  digests[BLOBS];
    reg_path_t           path;
    size_t               known[2] = { 0, 0 };
    char                 text[32];

    (void) state;

    for (size_t i = 0; i < BLOBS; i++) {
        (void) snprintf(text, sizeof(text), "%zu", i);
        digests[i] = digest = tree_digest(REG_SHA256, reg_str_from(text));
        put_link(&one);
        put_content(reg_str_from(text));
    }

    for (time_t now = NOW; now < NOW + 2; now++) {
        for (size_t i = 0; i < BLOBS; i++) {
            /* in another order each time, so that others come first */
            digest = digests[now == NOW ? i : BLOBS - 1 - i];
            note(&one, now);
            note(&one, now);
        }

        for (size_t i = 0; i < BLOBS; i++) {
            digest = digests[i];
            known[now - NOW] += find(&one, now) != NULL;
        }
    }

    assert_in_range(known[0], REG_PRESENCE_SLOTS / 2, REG_PRESENCE_SLOTS);
    assert_int_equal(known[1], known[0]);

    for (size_t i = 0; i < BLOBS; i++) {
        digest = digests[i];
        path = i % 2 == 0 ? link_of(&one) : content();
        assert_int_equal(unlink(path.text), 0);
        assert_null(find(&one, NOW + 1));
    }
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, give_up)

    const struct CMUnitTest  tests[] = {
        TEST(the_second_note_makes_it_known),
        TEST(it_is_known_for_a_second),
        TEST(a_link_that_goes_ends_it),
        TEST(content_that_goes_ends_it_for_all),
        TEST(content_that_is_replaced_is_seen),
        TEST(what_is_written_to_is_looked_at_again),
        TEST(what_is_not_as_it_should_be_is_not_known),
        TEST(a_link_of_another_size_is_none),
        TEST(what_moves_away_is_seen_after_a_second),
        TEST(a_look_is_at_the_link),
        TEST(a_tree_that_is_another_one_is_seen_after_a_second),
        TEST(what_was_told_too_fast_ends_all),
        TEST(a_watch_that_is_shared_stays),
        TEST(many_blobs_take_turns),
    };

    /* in memory: it can be watched, whatever the tests run on */
    if (setenv("TMPDIR", "/dev/shm", 1) == -1) {
        return 1;
    }

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
