/* reg_link: a file that holds a digest (SECURITY.md S17). */

#include "reg_link.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

#include "tree.h"


#define HEX    "e3b0c44298fc1c149afbf4c8996fb924" \
                "27ae41e4649b934ca495991b7852b855"
#define OTHER  "a3b0c44298fc1c149afbf4c8996fb924" \
                "27ae41e4649b934ca495991b7852b855"


static reg_path_t    path;
static reg_digest_t  digest;
static reg_error_t   err;


static int
renew(void **state)
{
    path.len = (size_t) snprintf(path.text, sizeof(path.text), "%s/link",
                                 tree_root);
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_digest_parse(&digest, REG_STR("sha256:" HEX)) == 0
           ? tree_renew(state) : -1;
}


static void
expect_absent(void)
{
    reg_digest_t  d;

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_link_read(&path, &d, REG_BLOB_UNKNOWN, &err), -1);
    assert_int_equal(err.code, REG_BLOB_UNKNOWN);
    assert_string_not_equal(err.where, "");

    err = (reg_error_t) REG_ERROR_INIT;
    assert_int_equal(reg_link_require(&path, &digest, REG_MANIFEST_UNKNOWN,
                                      &err), -1);
    assert_int_equal(err.code, REG_MANIFEST_UNKNOWN);
    assert_string_not_equal(err.where, "");
}


static void
a_link_names_a_digest(void **state)
{
    reg_digest_t  d;

    (void) state;

    assert_int_equal(tree_write(path.text, "sha256:" HEX, 71), 0);
    assert_int_equal(reg_link_read(&path, &d, REG_BLOB_UNKNOWN, &err), 0);
    assert_true(reg_digest_eq(&d, &digest));
    assert_int_equal(reg_link_require(&path, &digest, REG_BLOB_UNKNOWN, &err),
                     0);
    assert_true(reg_link_looks_like(AT_FDCWD, path.text, &digest));
}


static void
a_link_to_another_digest_is_not_the_required_one(void **state)
{
    (void) state;

    assert_int_equal(tree_write(path.text, "sha256:" OTHER, 71), 0);
    assert_int_equal(reg_link_require(&path, &digest, REG_BLOB_UNKNOWN, &err),
                     -1);
    assert_int_equal(err.code, REG_BLOB_UNKNOWN);
}


static void
what_is_not_there_is_absent(void **state)
{
    (void) state;

    expect_absent();
    assert_false(reg_link_looks_like(AT_FDCWD, path.text, &digest));

    reg_path_add(&path, "below");
    expect_absent();
}


static void
odd_contents_are_absent(void **state)
{
    static const struct {
        size_t       len;
        const char  *text;
    } odd[] = {
        { 0, "" },
        { 72, "sha256:" HEX "\n" },
        { 72, "sha256:" HEX "0" },
        { 70, "sha256:" HEX },
        { 64, HEX },
        { 71, "sha512:" HEX },
        { 71, "SHA256:" HEX },
        { 36, "md5:d41d8cd98f00b204e9800998ecf8427e" },
        { 25, "../../../../../etc/passwd" },
        { 71, "sha256:../../../../../../../../../../../../../../../../../.."
              "/../x/etcc" },
        { 72, "sha256:" HEX "\0" },
    };

    (void) state;

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        assert_int_equal(tree_write(path.text, odd[i].text, odd[i].len), 0);
        expect_absent();
    }
}


static void
a_link_of_10_mib_is_absent(void **state)
{
    static char  text[10 << 20];

    (void) state;

    memset(text, 'a', sizeof(text));
    memcpy(text, "sha256:" HEX, 71);
    assert_int_equal(tree_write(path.text, text, sizeof(text)), 0);
    expect_absent();
    assert_false(reg_link_looks_like(AT_FDCWD, path.text, &digest));

    memcpy(text, "sha512:", 7);
    assert_int_equal(tree_write(path.text, text, sizeof(text)), 0);
    expect_absent();
}


static void
symbolic_links_are_absent(void **state)
{
    reg_path_t  real = path;

    (void) state;

    reg_path_parent(&real);
    reg_path_add(&real, "real");
    assert_int_equal(tree_write(real.text, "sha256:" HEX, 71), 0);
    assert_int_equal(symlink(real.text, path.text), 0);
    expect_absent();
    assert_false(reg_link_looks_like(AT_FDCWD, path.text, &digest));

    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(symlink("/nowhere", path.text), 0);
    expect_absent();

    assert_int_equal(unlink(path.text), 0);
    assert_int_equal(symlink(path.text, path.text), 0);
    expect_absent();
}


static void
directories_are_absent(void **state)
{
    (void) state;

    assert_int_equal(mkdir(path.text, 0755), 0);
    expect_absent();
    assert_false(reg_link_looks_like(AT_FDCWD, path.text, &digest));
}


static void
a_fifo_is_absent_and_holds_nobody(void **state)
{
    int  fd;

    (void) state;

    assert_int_equal(mkfifo(path.text, 0644), 0);
    expect_absent();

    /* with a writer that says nothing, and one that says the right thing */
    fd = open(path.text, O_RDWR | O_NONBLOCK);
    assert_int_not_equal(fd, -1);
    expect_absent();
    assert_int_equal(write(fd, "sha256:" HEX, 71), 71);
    expect_absent();
    (void) close(fd);

    assert_false(reg_link_looks_like(AT_FDCWD, path.text, &digest));
}


static void
a_socket_is_absent(void **state)
{
    struct sockaddr_un  sun = { .sun_family = AF_UNIX };
    int                 fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void) state;

    assert_int_equal(reg_str_copy(sun.sun_path, sizeof(sun.sun_path),
                                  reg_str_from(path.text)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &sun, sizeof(sun)), 0);
    expect_absent();
    (void) close(fd);
}


static void
a_device_is_absent(void **state)
{
    (void) state;

    if (mknod(path.text, S_IFCHR | 0666, 0x0105) == -1) {
        skip();                         /* needs to be root; this is zero */
    }

    expect_absent();
    assert_false(reg_link_looks_like(AT_FDCWD, path.text, &digest));
}


int
main(void)
{
#define TEST(f)  cmocka_unit_test_setup(f, renew)

    const struct CMUnitTest  tests[] = {
        TEST(a_link_names_a_digest),
        TEST(a_link_to_another_digest_is_not_the_required_one),
        TEST(what_is_not_there_is_absent),
        TEST(odd_contents_are_absent),
        TEST(a_link_of_10_mib_is_absent),
        TEST(symbolic_links_are_absent),
        TEST(directories_are_absent),
        TEST(a_fifo_is_absent_and_holds_nobody),
        TEST(a_socket_is_absent),
        TEST(a_device_is_absent),
    };

    return cmocka_run_group_tests(tests, tree_setup, tree_teardown);
}
