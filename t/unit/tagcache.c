/* reg_tagcache: tags without a Redis. */

#include "reg_tagcache.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "reg_revision.h"
#include "tree.h"


static reg_error_t  err;
static reg_name_t   name;
static reg_tag_t    tag;


static void
line(void *ctx, reg_log_level_t level, const char *message)
{
    (void) ctx;
    (void) level;
    fail_msg("%s", message);
}


static void
without_redis_the_disk_is_asked_each_time(void **state)
{
    const reg_tagcache_log_t  log = { .line = line };

    static reg_config_t   config;
    reg_tagcache_t       *cache;
    reg_tagcache_stats_t  stats;
    reg_tagcache_write_t  w;
    reg_digest_t          found, one, two;
    reg_path_t            path;

    (void) state;

    reg_config_init(&config);
    name = tree_name("a");
    tag = tree_tag("t");
    one = tree_digest(REG_SHA256, REG_STR("one"));
    two = tree_digest(REG_SHA256, REG_STR("two"));

    assert_int_equal(reg_tagcache_open(&cache, &tree_store, &config, &log,
                                       &err), 0);
    assert_int_equal(reg_tagcache_resolve(cache, &name, &tag, &found, &err),
                     -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
    err = (reg_error_t) REG_ERROR_INIT;

    reg_tagcache_begin(&w, cache, &name);
    reg_tagcache_touch(&w, &tag);
    assert_int_equal(tree_push(&name, &one, REG_STR("one"),
                     &tag, 1, &err), 0);
    reg_tagcache_end(&w);
    assert_int_equal(reg_tagcache_resolve(cache, &name, &tag, &found, &err),
                     0);
    assert_true(reg_digest_eq(&found, &one));

    /* behind its back */
    assert_int_equal(tree_push(&name, &two, REG_STR("two"),
                     &tag, 1, &err), 0);
    assert_int_equal(reg_tagcache_resolve(cache, &name, &tag, &found, &err),
                     0);
    assert_true(reg_digest_eq(&found, &two));

    /* a tag without its manifest is none */
    reg_layout_revision(&path, &tree_store.v2, &name, &two);
    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(reg_tagcache_resolve(cache, &name, &tag, &found, &err),
                     -1);

    reg_tagcache_stats(cache, &stats);
    assert_false(stats.used);
    assert_int_equal(stats.counts[REG_TAGCACHE_DISK], 4);
    assert_int_equal(stats.counts[REG_TAGCACHE_MEMORY], 0);
    reg_layout_fence(&path, &tree_store.v2);
    assert_false(tree_has(path.text));
    reg_tagcache_close(cache);
    reg_config_free(&config);
}


#define TEST(f)  cmocka_unit_test_setup(f, tree_renew)

int
main(void)
{
    const struct CMUnitTest  tests[] = {
        TEST(without_redis_the_disk_is_asked_each_time),
    };

    return cmocka_run_group_tests_name("tagcache", tests, tree_setup,
                                       tree_teardown);
}
