/* reg_robot: what is written of a robot is read as it was, and no two secrets
 * are alike. */

#include "reg_robot.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>
#include <jansson.h>


#define SECRET  "nrr_of_the_test"


static reg_error_t  err;


static reg_robot_t
robot(void)
{
    return (reg_robot_t) {
        .name = REG_STR("ci"), .actions = REG_ACTION_PULL | REG_ACTION_DELETE,
        .npatterns = 2, .patterns = { REG_STR("team/*"), REG_STR("tools/**") },
        .created = 1764000000, .expires = 1771776000,
        .description = REG_STR("of the \"pipelines\" \xc3\xa9")
    };
}


static void
what_was_written_is_read(void **state)
{
    const reg_robot_t  r = robot();
    unsigned char      hash[REG_LOGIN_PRINT];
    reg_robot_t        back;
    json_t            *entry = reg_robot_format(&r, SECRET);

    (void) state;

    assert_non_null(entry);
    assert_null(reg_robot_parse(&back, entry));
    assert_true(reg_str_eq(back.name, r.name));
    assert_int_equal(back.actions, r.actions);
    assert_int_equal(back.npatterns, 2);
    assert_true(reg_str_eq(back.patterns[0], r.patterns[0]));
    assert_true(reg_str_eq(back.patterns[1], r.patterns[1]));
    assert_int_equal(back.created, r.created);
    assert_int_equal(back.expires, r.expires);
    assert_true(reg_str_eq(back.description, r.description));

    reg_robot_hash(hash, REG_STR(SECRET));
    assert_memory_equal(back.secret, hash, sizeof(hash));

    json_decref(entry);
}


/* Whatever part is missing or of another kind, something is said. */
static void
what_is_no_robot_is_told(void **state)
{
    static const char  *parts[] = {
        "name", "secret", "repositories", "actions", "expires"
    };

    const reg_robot_t  r = robot();
    reg_robot_t        back;

    (void) state;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        json_t  *entry = reg_robot_format(&r, SECRET);

        assert_int_equal(json_object_set_new(entry, parts[i], json_true()), 0);
        assert_non_null(reg_robot_parse(&back, entry));
        assert_int_equal(json_object_del(entry, parts[i]), 0);
        assert_non_null(reg_robot_parse(&back, entry));
        json_decref(entry);
    }

    assert_non_null(reg_robot_parse(&back, NULL));
}


static void
a_document_has_a_list_of_robots(void **state)
{
    static const char  *bad[] = {
        "{", "[]", "{}", "{\"robots\":{}}", "{\"robots\":[],\"robots\":[]}"
    };

    json_t  *root = reg_robot_document(REG_STR(""), "a", &err);

    (void) state;

    assert_int_equal(json_array_size(json_object_get(root, "robots")), 0);
    json_decref(root);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err = (reg_error_t) REG_ERROR_INIT;
        assert_null(reg_robot_document(reg_str_from(bad[i]), "a", &err));
        assert_int_equal(err.code, REG_BAD_REQUEST);
    }
}


static void
secrets_are_of_one_form_and_never_the_same(void **state)
{
    static const char  letters[] = "abcdefghijklmnopqrstuvwxyz234567";

    char  one[REG_ROBOT_SECRET + 1], two[REG_ROBOT_SECRET + 1];

    (void) state;

    assert_int_equal(reg_robot_secret(one, &err), 0);
    assert_int_equal(reg_robot_secret(two, &err), 0);
    assert_string_not_equal(one, two);
    assert_int_equal(strlen(one), REG_ROBOT_SECRET);
    assert_memory_equal(one, "nrr_", 4);
    assert_int_equal(strspn(one + 4, letters), REG_ROBOT_SECRET - 4);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_is_no_robot_is_told),
        cmocka_unit_test(a_document_has_a_list_of_robots),
        cmocka_unit_test(secrets_are_of_one_form_and_never_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
