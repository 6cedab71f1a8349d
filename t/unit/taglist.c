/* reg_taglist: what keys and members say, and who wins when a list is read,
 * filled and written at once.  With a real Redis. */

#include "reg_tagcache.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "reg_lists.h"
#include "reg_revision.h"
#include "reg_tag.h"
#include "reg_tagset.h"
#include "tree.h"


#define LIST  "nginx-registry:l:{a}"

static reg_error_t      err;
static reg_config_t     config;
static reg_tagcache_t  *cache;
static reg_lists_t     *lists;
static reg_redis_t     *redis;           /* the test's own connection */
static char             socket_dir[64];
static pid_t            server;
static reg_name_t       a;
static pthread_t        test;

/* Done once, by who fills, when the directory was looked at, and before it is
 * read. */
static void           (*_Atomic meanwhile)(void);


static int64_t
clock_of_the_test(void)
{
    static _Atomic int64_t  now;

    return atomic_fetch_add(&now, 1);    /* too slow for names to be kept */
}


static int
looked(int fd, struct stat *st)
{
    int    rc = fstat(fd, st);
    void (*f)(void) = pthread_equal(pthread_self(), test)
                      ? NULL : atomic_exchange(&meanwhile, NULL);

    if (f != NULL) {
        f();
    }

    return rc;
}


static void
line(void *ctx, reg_log_level_t level, const char *message)
{
    (void) ctx;
    (void) level;
    (void) message;
}


/* The reply to a command of words, the last of which is NULL. */
static reg_redis_reply_t
ask(const char *word, ...)
{
    va_list              words;
    reg_redis_command_t  command = { 0 };
    reg_redis_reply_t    reply = { .kind = REG_REDIS_ODD };
    reg_error_t          odd = REG_ERROR_INIT;

    va_start(words, word);

    for ( ; word != NULL; word = va_arg(words, const char *)) {
        command.args[command.n++] = reg_str_from(word);
    }

    va_end(words);
    (void) reg_redis_call(redis, &command, 1, &reply, 5000, &odd);

    return reply;
}


static bool
has(const char *member)
{
    return ask("ZSCORE", LIST, member, NULL).kind == REG_REDIS_TEXT;
}


static int64_t
count(reg_tagcache_count_t what)
{
    reg_tagcache_stats_t  stats;

    reg_tagcache_stats(cache, &stats);

    return stats.counts[what];
}


/* ---- writers ------------------------------------------------------------- */


static void
store_tag(const char *text)
{
    reg_tag_t     tag = tree_tag(text);
    reg_digest_t  d = tree_digest(REG_SHA256, REG_STR("one"));
    reg_error_t   odd = REG_ERROR_INIT;

    (void) tree_push(&a, &d, REG_STR("one"),
                     &tag, 1, &odd);
}


static void
remove_tag(const char *text)
{
    reg_tag_t    tag = tree_tag(text);
    reg_error_t  odd = REG_ERROR_INIT;

    (void) reg_tag_delete(&tree_store, &a, &tag, &odd);
}


/* What a worker does; or the begin of it, if it dies then. */
static void
write_tag(const char *text, void (*change)(const char *text), bool dies)
{
    reg_tag_t             tag = tree_tag(text);
    reg_tagcache_write_t  w;

    reg_tagcache_begin(&w, cache, &a);
    reg_tagcache_touch(&w, &tag);
    change(text);

    if (dies) {
        reg_buf_free(&w.tags);
    } else {
        reg_tagcache_end(&w);
    }
}


static void push_zero(void)       { write_tag("zero", store_tag, false); }
static void delete_one(void)      { write_tag("one", remove_tag, false); }
static void flush(void)           { (void) ask("FLUSHALL", NULL); }


static void
let_another_fill(void)
{
    /* at once: another filling may be wanted already */
    (void) ask("EVAL", "redis.call('DEL', KEYS[1])"
               " redis.call('ZADD', KEYS[1], 0, '!?fedcba9876543210')"
               " redis.call('PEXPIRE', KEYS[1], 3000)", "1", LIST, NULL);
}


/* The list becomes another one, of the same members. */
static void
let_another_have_filled(void)
{
    (void) ask("EVAL", "local m = redis.call('ZRANGEBYLEX', KEYS[1], '-', '+')"
               " redis.call('DEL', KEYS[1])"
               " m[1] = string.sub(m[1], 1, 18) .. '0123456789abcdef'"
               " for i = 1, #m do redis.call('ZADD', KEYS[1], 0, m[i]) end"
               " redis.call('PEXPIRE', KEYS[1], 60000)", "1", LIST, NULL);
}


/* ---- readers ------------------------------------------------------------- */


static char    shown[1024];
static void  (*when_shown)(void);


static int
show(void *ctx, reg_str_t tag)
{
    size_t  len = strlen(shown);
    void  (*f)(void) = when_shown;

    (void) ctx;
    (void) snprintf(shown + len, sizeof(shown) - len, "%.*s ",
                    REG_STR_ARG(tag));

    when_shown = NULL;

    if (f != NULL) {
        f();
    }

    return 0;
}


/* The tags, and whether Redis had them. */
static bool
list(void)
{
    int64_t             before = count(REG_TAGCACHE_LIST_REDIS);
    reg_error_t         odd = REG_ERROR_INIT;
    reg_taglist_page_t  page = { REG_STR_NULL, 1000, show, NULL };

    shown[0] = '\0';

    if (reg_tagcache_list(cache, &a, &page, &odd) == -1) {
        (void) snprintf(shown, sizeof(shown), "%s", odd.message);
    }

    return count(REG_TAGCACHE_LIST_REDIS) > before;
}


/* Lets the list be filled from the start, with something in the middle of it,
 * until that has come to what is counted. */
static void
fill(reg_tagcache_count_t what, void (*f)(void))
{
    int64_t  before = count(what);

    atomic_store(&meanwhile, f);
    flush();

    for (int i = 0; i < 100000 && (atomic_load(&meanwhile) != NULL
                                 || count(what) == before); i++)
    {
        (void) list();
        (void) usleep(1000);
    }

    assert_true(atomic_load(&meanwhile) == NULL && count(what) > before);
}


/* A machine that has much to do may leave the proof too old for a moment: then
 * the disk answers, which must be right as well. */
static void
expect(const char *want, bool from_redis)
{
    bool  is_redis = list();

    for (int i = 0; i < 20000 && is_redis != from_redis; i++) {
        assert_string_equal(shown, want);
        (void) usleep(5000);
        is_redis = list();
    }

    assert_string_equal(shown, want);
    assert_int_equal(is_redis, from_redis);
}


/* A page from Redis on which "one" is to be looked at, since it was written,
 * and during which something happens. */
static void
expect_while(const char *want, void (*change)(const char *text),
    void (*f)(void))
{
    bool  is_redis = false;

    for (int i = 0; i < 20000 && !is_redis; i++) {
        (void) usleep(i > 0 ? 5000 : 0);
        write_tag("one", change, false);
        when_shown = f;
        is_redis = list();
        assert_string_equal(shown, want);
    }

    assert_true(is_redis);
}


/* ---- keys and members ---------------------------------------------------- */


static void
keys_are_parsed_whole(void **state)
{
    reg_name_t          name;
    static const char  *wrong[] = {
        "", "nginx-registry:l:", "nginx-registry:l:{", "nginx-registry:l:{}",
        "nginx-registry:l:{a", "nginx-registry:l:a}", "nginx-registry:v:{a}",
        "nginx-registry:l:{a}:t", "nginx-registry:l:{A}",
        "nginx-registry:l:{a/../b}", "nginx-registry:l:{a}}",
        "xnginx-registry:l:{a}", "nginx-registry:l:{a}\n",
    };

    (void) state;

    assert_int_equal(reg_tagset_key_parse(REG_STR("nginx-registry:l:{a/b-c}"),
                                           &name), 0);
    assert_string_equal(name.text, "a/b-c");

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(reg_tagset_key_parse(reg_str_from(wrong[i]), &name),
                         -1);
    }
}


#define HEX  "0123456789abcdef"

static void
members_are_parsed_whole(void **state)
{
    reg_tag_t    tag;
    uint64_t     fence = 0;
    char         longest[REG_TAG_MAX + 3];

    static const struct {
        const char  *text;
        int          mark, member;
    } all[] = {
        { "v1", -1, 1 },                { "v1\1", -1, 0 },
        { "v1\1!", -1, 0 },             { "v1\1" HEX, -1, 0 },
        { "v1\1" HEX "0", -1, -1 },     { "v1\1x", -1, -1 },
        { "v1\1!!", -1, -1 },           { "v1\1\1", -1, -1 },
        { "v1\2", -1, -1 },             { "\1", -1, -1 },
        { "", -1, -1 },                 { "a b", -1, -1 },
        { "-v", -1, -1 },               { "v1\n", -1, -1 },
        { "!" HEX " " HEX, 1, -1 },     { "!?" HEX, 0, -1 },
        { "!w", 0, -1 },                { "!-", 0, -1 },
        { "!", 0, -1 },                 { "!" HEX " " HEX "0", 0, -1 },
        { "!" HEX HEX " ", 0, -1 },     { "!" HEX " 0123456789abcdeg", 0, -1 },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        reg_str_t  text = reg_str_from(all[i].text);

        assert_int_equal(reg_tagset_mark_parse(text, &fence), all[i].mark);
        assert_int_equal(reg_tagset_member_parse(text, &tag), all[i].member);
    }

    assert_true(fence == 0x0123456789abcdef);

    memset(longest, 'x', sizeof(longest));
    longest[REG_TAG_MAX] = '\1';
    assert_int_equal(reg_tagset_member_parse((reg_str_t) {
                         REG_TAG_MAX + 1, longest }, &tag), 0);
    assert_int_equal(tag.len, REG_TAG_MAX);
    longest[REG_TAG_MAX] = 'x';
    assert_int_equal(reg_tagset_member_parse((reg_str_t) {
                         REG_TAG_MAX + 1, longest }, &tag), -1);
}


/* ---- readers, who fills, and writers -------------------------------------- */


static void
a_list_is_filled_once_and_then_proven(void **state)
{
    bool        is_redis = false;
    char        aside[sizeof(tree_root) + 8];
    reg_path_t  tags;

    (void) state;

    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    assert_true(has("one\1") || has("one"));
    expect("one three two ", true);
    assert_true(has("one") && !has("one\1"));

    /* without the disk, then */
    reg_layout_tags(&tags, &tree_store.v2, &a);
    (void) snprintf(aside, sizeof(aside), "%s/aside", tree_root);

    for (int i = 0; i < 20000 && !is_redis; i++) {
        assert_int_equal(rename(tags.text, aside), 0);
        is_redis = list();
        assert_int_equal(rename(aside, tags.text), 0);
    }

    assert_true(is_redis);
    assert_string_equal(shown, "one three two ");
}


static void
writers_change_a_list_in_place(void **state)
{
    (void) state;

    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect("one three two ", true);

    push_zero();
    expect("one three two zero ", true);
    assert_true(has("zero"));
    delete_one();
    assert_false(has("one"));
    expect("three two zero ", true);
    write_tag("one", store_tag, false);
    expect("one three two zero ", true);
    assert_int_equal(count(REG_TAGCACHE_LIST_FILLED), 1);
    assert_int_equal(count(REG_TAGCACHE_FENCED), 0);
}


static void
who_writes_while_a_list_is_filled_is_in_it(void **state)
{
    (void) state;

    /* after the look at the directory: its names may be of before */
    fill(REG_TAGCACHE_LIST_FILLED, push_zero);
    expect("one three two zero ", true);
    expect("one three two zero ", true);

    fill(REG_TAGCACHE_LIST_FILLED, delete_one);
    expect("three two zero ", true);
    expect("three two zero ", true);
}


static void
a_lease_that_is_lost_puts_nothing_there(void **state)
{
    (void) state;

    fill(REG_TAGCACHE_LIST_LATE, let_another_fill);
    assert_true(has("!?fedcba9876543210"));
    assert_int_equal(ask("ZCARD", LIST, NULL).number, 1);
    expect("one three two ", false);

    fill(REG_TAGCACHE_LIST_LATE, flush);
    (void) list();
    assert_string_equal(shown, "one three two ");
    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect("one three two ", true);
}


/* What a page found on disk is told when the page is done; so what happens when
 * a tag is shown comes between the two. */
static void
what_was_found_before_a_write_is_not_put_back(void **state)
{
    (void) state;

    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect_while("one three two ", store_tag, delete_one);
    expect("three two ", true);
    assert_int_equal(count(REG_TAGCACHE_ODD), 0);
}


static void
push_one(void)
{
    write_tag("one", store_tag, false);
}


static void
what_was_missing_before_a_write_is_not_put_back(void **state)
{
    (void) state;

    remove_tag("one");
    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect("three two ", true);

    expect_while("three two ", remove_tag, push_one);
    expect("one three two ", true);
    assert_int_equal(count(REG_TAGCACHE_ODD), 0);
}


static void
a_list_is_not_a_page_of_another(void **state)
{
    (void) state;

    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect_while("one three two ", store_tag, let_another_fill);
    assert_int_equal(ask("ZCARD", LIST, NULL).number, 1);

    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect_while("one three two ", store_tag, let_another_have_filled);
    assert_int_equal(ask("ZCARD", LIST, NULL).number, 4);
    assert_false(has("one"));
}


static void
who_dies_while_he_writes_leaves_the_disk(void **state)
{
    (void) state;

    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect("one three two ", true);
    write_tag("one", remove_tag, true);
    expect("three two ", true);
    assert_true(has("one\1!"));

    store_tag("one");                            /* by whomsoever */
    expect("one three two ", true);
    assert_true(has("one\1!"));

    /* where there is no list, none is begun; one may be wanted already */
    for (int i = 0; i < 20000 && !has("!w"); i++) {
        flush();
        store_tag("one");
        write_tag("one", remove_tag, true);
    }

    assert_true(has("!w"));
    assert_true(ask("PTTL", LIST, NULL).number > 0);
    expect("three two ", false);
    expect("three two ", false);
    assert_int_equal(ask("ZCARD", LIST, NULL).number, 1);
    push_zero();
    assert_false(has("!w"));
    fill(REG_TAGCACHE_LIST_FILLED, NULL);
    expect("three two zero ", true);
}


static void
what_is_too_large_is_not_kept(void **state)
{
    (void) state;

    config.tags_list_max = 2;

    for (int i = 0; i < 100000 && !has("!-"); i++) {
        expect("one three two ", false);
        (void) usleep(1000);
    }

    assert_true(has("!-"));
    write_tag("zero", store_tag, false);
    assert_int_equal(ask("ZCARD", LIST, NULL).number, 1);
    expect("one three two zero ", false);

    config.tags_list_max = 0;

    for (int i = 0; i < 100000 && ask("EXISTS", LIST, NULL).number == 1; i++) {
        flush();
        expect("one three two zero ", false);
        (void) usleep(1000);
    }

    assert_int_equal(ask("EXISTS", LIST, NULL).number, 0);
    config.tags_list_max = 1000;
}


/* ---- all of it ----------------------------------------------------------- */


static int
setup(void **state)
{
    char  path[sizeof(config.redis_addr)];

    (void) snprintf(socket_dir, sizeof(socket_dir), "/tmp/redis-XXXXXX");

    if (tree_setup(state) == -1 || mkdtemp(socket_dir) == NULL) {
        return -1;
    }

    (void) snprintf(path, sizeof(path), "%s/s", socket_dir);
    server = fork();

    if (server == 0) {
        (void) execlp("redis-server", "redis-server", "--port", "0",
                      "--unixsocket", path, "--save", "", "--loglevel",
                      "warning", "--dir", socket_dir, (char *) NULL);
        _exit(127);
    }

    const reg_redis_peer_t  peer = { .dial_ms = 20000, .call_ms = 20000 };

    for (int i = 0; i < 12000 && redis == NULL; i++) {
        reg_redis_peer_t  to = peer;
        reg_error_t       odd = REG_ERROR_INIT;

        (void) snprintf(to.address, sizeof(to.address), "%s", path);
        redis = reg_redis_dial(&to, &odd);
        (void) usleep(10000);
    }

    return redis == NULL ? -1 : 0;
}


static int
teardown(void **state)
{
    int   status;
    char  path[100];

    reg_redis_close(redis);
    (void) kill(server, SIGKILL);
    (void) waitpid(server, &status, 0);
    (void) snprintf(path, sizeof(path), "%s/s", socket_dir);
    (void) unlink(path);
    (void) rmdir(socket_dir);

    return tree_teardown(state);
}


/* Three tags, and a worker that has found Redis. */
static int
renew(void **state)
{
    static const reg_tagcache_log_t  log = { .line = line };
    static const reg_lists_sys_t     sys = { clock_of_the_test, looked, 0 };

    reg_tagcache_stats_t  stats;

    err = (reg_error_t) REG_ERROR_INIT;
    test = pthread_self();
    a = tree_name("a");
    (void) ask("FLUSHALL", NULL);
    reg_config_init(&config);
    (void) snprintf(config.redis_addr, sizeof(config.redis_addr), "%s/s",
                    socket_dir);
    config.tags_ask = REG_TAGS_ALWAYS;
    config.tags_timeout = 2000;                  /* sanitizers are slow */
    config.redis_read = 2000;
    atomic_store(&meanwhile, NULL);
    when_shown = NULL;
    lists = reg_lists_create(1 << 20, &sys);

    if (lists == NULL || tree_renew(state) == -1
        || reg_tagcache_open(&cache, &tree_store, &config, &log, &err) == -1)
    {
        return -1;
    }

    tree_store.lists = lists;
    store_tag("one");
    store_tag("two");
    store_tag("three");

    for (int i = 0; i < 12000; i++) {
        reg_tagcache_stats(cache, &stats);

        if (stats.up) {
            return 0;
        }

        (void) usleep(10000);
    }

    return -1;
}


static int
give_up(void **state)
{
    (void) state;

    reg_tagcache_close(cache);
    reg_lists_free(lists);
    reg_config_free(&config);

    return 0;
}


#define TEST(f)  cmocka_unit_test_setup_teardown(f, renew, give_up)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(keys_are_parsed_whole),
        cmocka_unit_test(members_are_parsed_whole),
        TEST(a_list_is_filled_once_and_then_proven),
        TEST(writers_change_a_list_in_place),
        TEST(who_writes_while_a_list_is_filled_is_in_it),
        TEST(a_lease_that_is_lost_puts_nothing_there),
        TEST(what_was_found_before_a_write_is_not_put_back),
        TEST(what_was_missing_before_a_write_is_not_put_back),
        TEST(a_list_is_not_a_page_of_another),
        TEST(who_dies_while_he_writes_leaves_the_disk),
        TEST(what_is_too_large_is_not_kept),
    };

    return cmocka_run_group_tests_name("taglist", tests, setup, teardown);
}
