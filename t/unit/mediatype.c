/* reg_mediatype: the table of manifest types, and Accept. */

#include "reg_mediatype.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>


#define OCI     "application/vnd.oci.image.manifest.v1+json"
#define INDEX   "application/vnd.oci.image.index.v1+json"
#define DOCKER  "application/vnd.docker.distribution.manifest.v2+json"
#define LIST    "application/vnd.docker.distribution.manifest.list.v2+json"
#define OLD     "application/vnd.docker.distribution.manifest.v1+json"
#define SIGNED  "application/vnd.docker.distribution.manifest.v1+prettyjws"


static const reg_mediatype_t *
find(const char *name)
{
    return reg_mediatype_find(reg_str_from(name));
}


static bool
accepted(const char *accept)
{
    return reg_mediatype_accepted(reg_str_from(accept), find(OCI));
}


static void
every_type_has_its_kind(void **state)
{
    static const struct {
        const char  *name;
        reg_kind_t   kind;
        bool         oci;
    } rows[] = {
        { OCI, REG_KIND_IMAGE, true },
        { INDEX, REG_KIND_INDEX, true },
        { DOCKER, REG_KIND_IMAGE, false },
        { LIST, REG_KIND_INDEX, false },
        { OLD, REG_KIND_SCHEMA1, false },
        { SIGNED, REG_KIND_SCHEMA1, false },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const reg_mediatype_t  *type = find(rows[i].name);

        assert_non_null(type);
        assert_true(reg_str_eq(type->name, reg_str_from(rows[i].name)));
        assert_int_equal(type->kind, rows[i].kind);
        assert_int_equal(type->oci, rows[i].oci);
    }

    assert_ptr_equal(find(OCI), reg_mediatype_oci_image);
    assert_ptr_equal(find(INDEX), reg_mediatype_oci_index);
}


static void
parameters_and_case_do_not_matter(void **state)
{
    (void) state;

    assert_ptr_equal(find(OCI "; charset=utf-8"), find(OCI));
    assert_ptr_equal(find(" " OCI " ;x"), find(OCI));
    assert_ptr_equal(find("Application/VND.oci.image.manifest.v1+JSON"),
                     find(OCI));
}


static void
other_types_are_not_found(void **state)
{
    (void) state;

    assert_null(find(""));
    assert_null(reg_mediatype_find(REG_STR_NULL));
    assert_null(find(";"));
    assert_null(find("application/json"));
    assert_null(find(OCI "x"));
    assert_null(find("application/vnd.oci.image.manifest.v1"));
    assert_null(find("*/*"));
    assert_null(reg_mediatype_find(REG_STR(OCI "\0")));
}


static void
an_accept_header_covers_what_it_names(void **state)
{
    (void) state;

    assert_true(accepted(""));
    assert_true(accepted(" "));
    assert_true(accepted(OCI));
    assert_true(accepted("*/*"));
    assert_true(accepted("application/*"));
    assert_true(accepted("text/html, */*;q=0.1"));
    assert_true(accepted(DOCKER "," OCI));
    assert_true(accepted(DOCKER " , " OCI ";q=0.5 , " LIST));
    assert_true(accepted(OCI ";q=0.001"));
    assert_true(accepted(OCI ";q=1"));

    assert_false(accepted(DOCKER));
    assert_false(accepted("text/html"));
    assert_false(accepted("application/json"));
    assert_false(accepted("text/*"));
}


static void
a_quality_of_zero_refuses(void **state)
{
    (void) state;

    assert_false(accepted(OCI ";q=0"));
    assert_false(accepted(OCI "; q=0.000"));
    assert_false(accepted(OCI ";Q=0.0"));
    assert_false(accepted("*/*, " OCI ";q=0"));
    assert_false(accepted(OCI ";q=0, */*"));
    assert_false(accepted("*/*;q=0"));
    assert_true(accepted(DOCKER ";q=0, " OCI));
    assert_true(accepted("*/*;q=0, " OCI));
}


static void
odd_headers_do_no_harm(void **state)
{
    (void) state;

    assert_false(accepted(","));
    assert_false(accepted(",,,;;;,=,"));
    assert_false(accepted(";q=0"));
    assert_true(accepted(",," OCI ",,"));
    assert_true(accepted(OCI ";q="));
    assert_true(accepted(OCI ";q"));
    assert_false(accepted("\r\n\x01\xff"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(every_type_has_its_kind),
        cmocka_unit_test(parameters_and_case_do_not_matter),
        cmocka_unit_test(other_types_are_not_found),
        cmocka_unit_test(an_accept_header_covers_what_it_names),
        cmocka_unit_test(a_quality_of_zero_refuses),
        cmocka_unit_test(odd_headers_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
