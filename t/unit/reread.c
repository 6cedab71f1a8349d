/* reg_reread: nobody is told of old content who asks when the file is a new
 * one (SECURITY.md S13). */

#include "reg_reread.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tree.h"


#define PATIENCE  300                    /* ms */


static char             path[300];
static reg_error_t      err;
static reg_reread_t    *file;

/* The reading of a file that has changed waits for whoever is not to wait for
 * it, for as long as PATIENCE. */
static pthread_mutex_t  lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t   turn = PTHREAD_COND_INITIALIZER;
static bool             slow, reading, answered;
static int              readings;


static void *
parse(reg_str_t text, const char *where, reg_buf_t *says, reg_error_t *why)
{
    struct timespec  until;

    (void) where;
    (void) says;
    (void) why;
    (void) clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec + PATIENCE * 1000000L) / 1000000000;
    until.tv_nsec = (until.tv_nsec + PATIENCE * 1000000L) % 1000000000;

    (void) pthread_mutex_lock(&lock);
    readings++;
    reading = slow;
    (void) pthread_cond_broadcast(&turn);

    while (slow && !answered
           && pthread_cond_timedwait(&turn, &lock, &until) == 0)
    {
        /* woken for something else */
    }

    (void) pthread_mutex_unlock(&lock);

    return strndup(text.data, text.len);
}


static void
put(const char *text)
{
    char  tmp[310];

    (void) snprintf(tmp, sizeof(tmp), "%s.new", path);
    assert_int_equal(tree_write(tmp, text, strlen(text)), 0);
    assert_int_equal(rename(tmp, path), 0);
}


/* What the file says, as somebody who asks now is told. */
static void
look(char out[16])
{
    const reg_reading_t  *r = reg_reread_hold(file);

    (void) snprintf(out, 16, "%s", (const char *) r->content);
    reg_reread_release(file, r);
}


static void *
look_first(void *out)
{
    look(out);

    return NULL;
}


static void
nobody_gets_old_content_while_the_new_one_is_read(void **state)
{
    static const reg_reread_kind_t  kind = { 100, false, parse, free };

    char       first[16], second[16];
    uint64_t   age;
    pthread_t  thread;

    (void) state;
    (void) snprintf(path, sizeof(path), "%s/file", tree_root);
    put("old");
    assert_int_equal(reg_reread_open(&file, path, &kind, &err), 0);
    look(first);
    assert_string_equal(first, "old");
    age = reg_reread_age(file);

    put("new");
    slow = true;
    assert_int_equal(pthread_create(&thread, NULL, look_first, first), 0);

    (void) pthread_mutex_lock(&lock);
    while (!reading) {
        (void) pthread_cond_wait(&turn, &lock);
    }
    (void) pthread_mutex_unlock(&lock);

    look(second);

    (void) pthread_mutex_lock(&lock);
    answered = true;
    (void) pthread_cond_broadcast(&turn);
    (void) pthread_mutex_unlock(&lock);

    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(first, "new");
    assert_string_equal(second, "new");
    assert_int_not_equal(reg_reread_age(file), age);

    reg_reread_close(file);
}


typedef struct {
    int   wrong;
    char  least;                         /* what was there when it began */
} looker_t;

static _Atomic char  newest;


static void *
look_often(void *data)
{
    looker_t  *l = data;
    char       text[16];

    for (int i = 0; i < 300; i++) {
        l->least = newest;
        look(text);
        l->wrong += text[0] < l->least;
    }

    return NULL;
}


static void
many_look_while_it_changes(void **state)
{
    static const reg_reread_kind_t  kind = { 100, false, parse, free };

    looker_t   lookers[8] = { { 0, 0 } };
    pthread_t  threads[8];

    (void) state;
    slow = false;
    put("a");
    newest = 'a';
    assert_int_equal(reg_reread_open(&file, path, &kind, &err), 0);

    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, look_often,
                                        &lookers[i]), 0);
    }

    for (char c = 'b'; c <= 'z'; c++) {
        const char  text[] = { c, '\0' };

        put(text);
        newest = c;
    }

    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(lookers[i].wrong, 0);
    }

    reg_reread_close(file);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(
            nobody_gets_old_content_while_the_new_one_is_read, tree_renew),
        cmocka_unit_test_setup(many_look_while_it_changes, tree_renew),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
