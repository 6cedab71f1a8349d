/* reg_ldap: against OpenLDAP's slapd, by a unix socket, StartTLS and TLS. */

#include "reg_ldap.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tree.h"

#define PEOPLE  "ou=people,dc=example,dc=org"

/* three times the directory */
#define CONF  \
    "include /etc/ldap/schema/core.schema\n" \
    "include /etc/ldap/schema/cosine.schema\n" \
    "include /etc/ldap/schema/inetorgperson.schema\n" \
    "modulepath /usr/lib/ldap\n" \
    "moduleload back_mdb\n" \
    "TLSCertificateFile %s/cert.pem\n" \
    "TLSCertificateKeyFile %s/key.pem\n" \
    "database mdb\n" \
    "suffix dc=example,dc=org\n" \
    "rootdn cn=admin,dc=example,dc=org\n" \
    "rootpw admin\n" \
    "directory %s/db\n" \
    "access to attrs=userPassword by anonymous auth by * none\n" \
    "access to * by users read by anonymous auth\n"


static reg_error_t  err;
static pid_t        slapd;
static char         ldapi[512], ldap[64], ldaps[64], ca[300];
static char         secret[300], other[300];


static const char  ldif[] =
    "dn: dc=example,dc=org\nobjectClass: domain\ndc: example\n\n"
    "dn: " PEOPLE "\nobjectClass: organizationalUnit\nou: people\n\n"
    "dn: uid=alice," PEOPLE "\nobjectClass: inetOrgPerson\nuid: alice\n"
    "cn: Alice\nsn: A\nmail: alice@example.org\nuserPassword: wonder:land\n\n"
    "dn: uid=bob\\2c the (builder*)," PEOPLE "\nobjectClass: inetOrgPerson\n"
    "uid: bob, the (builder*)\ncn: Bob\nsn: B\nmail: twice@example.org\n"
    "userPassword: builder\n\n"
    "dn: uid=carol," PEOPLE "\nobjectClass: inetOrgPerson\nuid: carol\n"
    "cn: Carol\nsn: C\nmail: twice@example.org\nuserPassword: christmas\n";


static const reg_ldap_options_t  by_dn = {
    .url = ldapi, .dn = "uid=%s," PEOPLE
};
static const reg_ldap_options_t  by_search = {
    .url = ldapi, .base = "dc=example,dc=org",
    .filter = "(&(objectClass=person)(|(uid=%s)(mail=%s)))",
    .bind_dn = "cn=admin,dc=example,dc=org", .bind_password_file = secret
};


static int
verify(const reg_ldap_options_t *o, const char *user, const char *password)
{
    err = (reg_error_t) REG_ERROR_INIT;

    return reg_ldap_verify(o, reg_str_from(user), reg_str_from(password),
                           &err);
}


/* A port of the loopback that nobody has at the moment. */
static int
free_port(void)
{
    int                 fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in  at = { .sin_family = AF_INET };
    socklen_t           len = sizeof(at);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    if (fd == -1 || bind(fd, (struct sockaddr *) &at, len) == -1
        || getsockname(fd, (struct sockaddr *) &at, &len) == -1)
    {
        return -1;
    }

    (void) close(fd);

    return ntohs(at.sin_port);
}


static int
setup(void **state)
{
    char   path[300], text[4096], urls[1024];
    char  *p;

    if (tree_setup(state) == -1) {
        return -1;
    }

    (void) snprintf(path, sizeof(path), "%s/slapd.conf", tree_root);
    (void) snprintf(text, sizeof(text), CONF, tree_root, tree_root,
                    tree_root);

    if (tree_write(path, text, strlen(text)) == -1) {
        return -1;
    }

    (void) snprintf(path, sizeof(path), "%s/all.ldif", tree_root);
    (void) snprintf(ca, sizeof(ca), "%s/cert.pem", tree_root);
    (void) snprintf(secret, sizeof(secret), "%s/secret", tree_root);
    (void) snprintf(other, sizeof(other), "%s/other", tree_root);

    if (tree_write(path, ldif, strlen(ldif)) == -1
        || tree_write(secret, "admin\n", 6) == -1
        || tree_write(other, "wrong\n", 6) == -1
        || setenv("DIR", tree_root, 1) == -1
        || system("cd $DIR && mkdir db && openssl req -x509 -newkey ec -pkeyopt"
                 " ec_paramgen_curve:P-256 -nodes -keyout key.pem -out"
                 " cert.pem -days 2 -subj /CN=localhost -addext"
                 " subjectAltName=DNS:localhost,IP:127.0.0.1 2> /dev/null"
                 " && /usr/sbin/slapadd -q -f slapd.conf -l all.ldif")
           != 0)
    {
        return -1;
    }

    /* a path in an ldapi URL has its slashes escaped */
    p = ldapi + snprintf(ldapi, sizeof(ldapi), "ldapi://");

    for (const char *c = tree_root; *c != '\0'; c++) {
        p += *c == '/' ? snprintf(p, 4, "%%2f") : snprintf(p, 2, "%c", *c);
    }

    (void) snprintf(p, 16, "%%2fldapi");
    (void) snprintf(ldap, sizeof(ldap), "ldap://127.0.0.1:%d", free_port());
    (void) snprintf(ldaps, sizeof(ldaps), "ldaps://127.0.0.1:%d",
                    free_port());
    (void) snprintf(urls, sizeof(urls), "%s %s %s", ldapi, ldap, ldaps);
    (void) snprintf(path, sizeof(path), "%s/slapd.conf", tree_root);

    slapd = fork();

    if (slapd == 0) {
        (void) execl("/usr/sbin/slapd", "slapd", "-d", "0", "-h", urls, "-f",
                     path, (char *) NULL);
        _exit(127);
    }

    for (int i = 0; i < 2400; i++) {
        if (verify(&by_dn, "alice", "wonder:land") == 1) {
            return 0;
        }

        (void) usleep(50000);
    }

    return -1;
}


static int
teardown(void **state)
{
    int  status;

    if (slapd > 0) {
        (void) kill(slapd, SIGTERM);
        (void) waitpid(slapd, &status, 0);
    }

    return tree_teardown(state);
}


static void
a_password_is_right_or_wrong(void **state)
{
    const reg_ldap_options_t  *ways[] = { &by_dn, &by_search };

    (void) state;

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(verify(ways[i], "alice", "wonder:land"), 1);
        assert_int_equal(verify(ways[i], "alice", "wonder"), 0);
        assert_int_equal(verify(ways[i], "mallory", "wonder:land"), 0);
        assert_int_equal(verify(ways[i], "bob, the (builder*)", "builder"), 1);
        assert_int_equal(verify(ways[i], "bob, the (builder*)", "x"), 0);
    }

    assert_int_equal(verify(&by_search, "alice@example.org", "wonder:land"),
                     1);

    /* two have this address: nobody knows who is meant */
    assert_int_equal(verify(&by_search, "twice@example.org", "builder"), 0);
}


/* A bind without a password succeeds, as nobody. */
static void
an_empty_password_is_wrong(void **state)
{
    char       nul[] = "\0wonder";
    reg_str_t  with_nul = { sizeof(nul) - 1, nul };

    (void) state;

    assert_int_equal(verify(&by_dn, "alice", ""), 0);
    assert_int_equal(verify(&by_search, "alice", ""), 0);
    assert_int_equal(verify(&by_dn, "", "x"), 0);
    assert_int_equal(reg_ldap_verify(&by_dn, REG_STR("alice"), with_nul,
                                     &err), 0);
    assert_int_equal(verify(&by_dn, "alice", "\xff"), 0);
}


static void
a_name_is_no_filter_and_no_dn(void **state)
{
    static const char *const  names[] = {
        "*", "al*", "alice)(uid=*", "*)(|(uid=*", "alice,ou=people",
        "alice,ou=people,dc=example,dc=org#", "alice\\", "alice+cn=Alice",
        "Alice\\2c", "\"alice\"", "#alice", "alice;", "=", "\\61lice"
    };

    (void) state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(verify(&by_dn, names[i], "wonder:land"), 0);
        assert_int_equal(verify(&by_search, names[i], "wonder:land"), 0);
    }
}


static void
a_network_is_encrypted(void **state)
{
    reg_ldap_options_t  o = by_dn;
    const char         *urls[] = { ldap, ldaps };

    (void) state;

    for (size_t i = 0; i < 2; i++) {
        o.url = urls[i];
        o.ca_file = ca;
        assert_int_equal(verify(&o, "alice", "wonder:land"), 1);
        assert_int_equal(verify(&o, "alice", "wonder"), 0);

        /* whom nobody vouches for gets no password */
        o.ca_file = "";
        assert_int_equal(verify(&o, "alice", "wonder:land"), -1);
        assert_int_equal(err.code, REG_UNAVAILABLE);
    }
}


static void
a_directory_that_does_not_answer_is_no_yes(void **state)
{
    struct timespec      from, to;
    struct sockaddr_in   at = { .sin_family = AF_INET };
    socklen_t            len = sizeof(at);
    char                 url[64];
    reg_ldap_options_t   o = by_search;
    int                  fd = socket(AF_INET, SOCK_STREAM, 0);

    (void) state;

    o.bind_password_file = other;
    assert_int_equal(verify(&o, "alice", "wonder:land"), -1);
    assert_int_equal(err.code, REG_UNAVAILABLE);
    assert_non_null(strstr(err.where, "bind_dn"));
    assert_null(strstr(err.where, "wonder"));

    o.bind_password_file = "/nowhere";
    assert_int_equal(verify(&o, "alice", "wonder:land"), -1);
    o.bind_password_file = "/dev/null";
    assert_int_equal(verify(&o, "alice", "wonder:land"), -1);

    o = by_dn;
    o.url = "ldapi://%2fnowhere%2fldapi";
    assert_int_equal(verify(&o, "alice", "wonder:land"), -1);

    /* somebody takes the connection and says nothing */
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *) &at, len), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &len), 0);
    (void) snprintf(url, sizeof(url), "ldap://127.0.0.1:%d",
                    ntohs(at.sin_port));
    o.url = url;
    o.timeout = 300;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &from), 0);
    assert_int_equal(verify(&o, "alice", "wonder:land"), -1);
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &to), 0);
    assert_true(to.tv_sec - from.tv_sec <= 60);
    (void) close(fd);
}


static void
options_that_make_no_sense_are_refused(void **state)
{
    static const reg_ldap_options_t  bad[] = {
        { .dn = "uid=%s" },
        { .url = "http://x", .dn = "uid=%s" },
        { .url = "ldaps://x" },
        { .url = "ldaps://x", .dn = "uid=x" },
        { .url = "ldaps://x", .dn = "uid=%s", .base = "dc=x" },
        { .url = "ldaps://x", .base = "dc=x" },
        { .url = "ldaps://x", .base = "dc=x", .filter = "(uid=x)" },
        { .url = "ldaps://x", .base = "dc=x", .filter = "(uid=%s)",
          .bind_dn = "cn=x" },
    };

    (void) state;

    assert_int_equal(reg_ldap_check(&by_dn, &err), 0);
    assert_int_equal(reg_ldap_check(&by_search, &err), 0);

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err = (reg_error_t) REG_ERROR_INIT;
        assert_int_equal(reg_ldap_check(&bad[i], &err), -1);
        assert_int_equal(err.code, REG_BAD_REQUEST);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(a_password_is_right_or_wrong),
        cmocka_unit_test(an_empty_password_is_wrong),
        cmocka_unit_test(a_name_is_no_filter_and_no_dn),
        cmocka_unit_test(a_network_is_encrypted),
        cmocka_unit_test(a_directory_that_does_not_answer_is_no_yes),
        cmocka_unit_test(options_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
