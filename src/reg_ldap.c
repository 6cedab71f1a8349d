#include "reg_ldap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

#include <ldap.h>

#include "reg_identity.h"
#include "reg_reread.h"


#define REG_LDAP_TIMEOUT   5000
#define REG_LDAP_PASSWORD  512
#define REG_LDAP_TEXT      4096          /* a DN or a filter, with the name */


typedef struct {
    const reg_ldap_options_t  *options;
    LDAP                      *ld;
    struct timeval             timeout;
} reg_ldap_t;


static bool
reg_ldap_has(const char *option)
{
    return option != NULL && option[0] != '\0';
}


/* ---- texts with a name --------------------------------------------------- */


/* RFC 4514: what is not a letter or digit, as \XX. */
static void
reg_ldap_escape_dn(reg_buf_t *out, unsigned char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
        || c == '@' || c >= 0x80)
    {
        reg_buf_put(out, &c, 1);
    } else {
        reg_buf_printf(out, "\\%02x", c);
    }
}


/* RFC 4515: the same escapes, and a '\' of a DN is one more of them. */
static void
reg_ldap_escape_filter(reg_buf_t *out, unsigned char c)
{
    if (c == '*' || c == '(' || c == ')' || c == '\\' || c < 0x20
        || c >= 0x7f)
    {
        reg_buf_printf(out, "\\%02x", c);
    } else {
        reg_buf_put(out, &c, 1);
    }
}


/* Appends the template with each %s replaced, and a NUL.  -1 if there is no
 * room for it. */
static int
reg_ldap_fill(reg_buf_t *out, const char *template, reg_str_t value,
    void (*escape)(reg_buf_t *out, unsigned char c))
{
    for (const char *p = template; *p != '\0'; p++) {
        if (p[0] != '%' || p[1] != 's') {
            reg_buf_put(out, p, 1);
            continue;
        }

        p++;

        for (size_t i = 0; i < value.len; i++) {
            escape(out, (unsigned char) value.data[i]);
        }
    }

    reg_buf_put(out, "", 1);

    return reg_buf_ok(out) && out->len <= REG_LDAP_TEXT ? 0 : -1;
}


int
reg_ldap_check(const reg_ldap_options_t *o, reg_error_t *err)
{
    static const char *const  schemes[] = {
        "ldaps://", "ldap://", "ldapi://"
    };
    bool  known = false;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        known |= o->url != NULL
                 && reg_str_starts(reg_str_from(o->url),
                                   reg_str_from(schemes[i]));
    }

    if (!known || ldap_is_ldap_url(o->url) == 0) {
        return reg_error_set(err, REG_BAD_REQUEST, "ldap: url must be ldaps://,"
                             " ldap:// (with StartTLS) or ldapi://");
    }

    if (reg_ldap_has(o->dn) == reg_ldap_has(o->base)) {
        return reg_error_set(err, REG_BAD_REQUEST, "ldap: either dn, or base"
                             " and filter");
    }

    if (reg_ldap_has(o->dn) && strstr(o->dn, "%s") == NULL) {
        return reg_error_set(err, REG_BAD_REQUEST, "ldap: dn needs %%s, for the"
                             " user's name");
    }

    if (reg_ldap_has(o->base)
        && (!reg_ldap_has(o->filter) || strstr(o->filter, "%s") == NULL))
    {
        return reg_error_set(err, REG_BAD_REQUEST, "ldap: filter needs %%s, for"
                             " the user's name");
    }

    if (reg_ldap_has(o->bind_dn) && !reg_ldap_has(o->bind_password_file)) {
        return reg_error_set(err, REG_BAD_REQUEST, "ldap: bind_dn needs"
                             " bind_password_file");
    }

    return 0;
}


/* ---- the server ---------------------------------------------------------- */


static int
reg_ldap_fail(int code, const char *what, reg_error_t *err)
{
    (void) reg_error_set(err, REG_UNAVAILABLE, "the directory of users does"
                         " not answer; try again");
    reg_error_where(err, what, ldap_err2string(code));

    return -1;
}


static int
reg_ldap_set(reg_ldap_t *l, const reg_ldap_options_t *o)
{
    int  version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, fresh = 0;
    int  ms = (int) (o->timeout > 0 && o->timeout < 60000 ? o->timeout
                                                          : REG_LDAP_TIMEOUT);

    l->options = o;
    l->timeout = (struct timeval) { ms / 1000, ms % 1000 * 1000 };

    return ldap_set_option(l->ld, LDAP_OPT_PROTOCOL_VERSION, &version)
               == LDAP_OPT_SUCCESS
           && ldap_set_option(l->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF)
              == LDAP_OPT_SUCCESS
           && ldap_set_option(l->ld, LDAP_OPT_NETWORK_TIMEOUT, &l->timeout)
              == LDAP_OPT_SUCCESS
           && ldap_set_option(l->ld, LDAP_OPT_TIMEOUT, &l->timeout)
              == LDAP_OPT_SUCCESS
           && ldap_set_option(l->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand)
              == LDAP_OPT_SUCCESS
           && (!reg_ldap_has(o->ca_file)
               || ldap_set_option(l->ld, LDAP_OPT_X_TLS_CACERTFILE,
                                  o->ca_file) == LDAP_OPT_SUCCESS)
           && ldap_set_option(l->ld, LDAP_OPT_X_TLS_NEWCTX, &fresh)
              == LDAP_OPT_SUCCESS ? 0 : -1;
}


static int
reg_ldap_open(reg_ldap_t *l, const reg_ldap_options_t *o, reg_error_t *err)
{
    int  rc;

    l->ld = NULL;
    rc = ldap_initialize(&l->ld, o->url);

    if (rc != LDAP_SUCCESS) {
        return reg_ldap_fail(rc, "ldap:", err);
    }

    if (reg_ldap_set(l, o) == -1) {
        return reg_ldap_fail(LDAP_PARAM_ERROR, "ldap: options:", err);
    }

    if (reg_str_starts(reg_str_from(o->url), REG_STR("ldap://"))) {
        rc = ldap_start_tls_s(l->ld, NULL, NULL);

        if (rc != LDAP_SUCCESS) {
            return reg_ldap_fail(rc, "ldap: StartTLS:", err);
        }
    }

    return 0;
}


static void
reg_ldap_close(reg_ldap_t *l)
{
    if (l->ld != NULL) {
        (void) ldap_unbind_ext_s(l->ld, NULL, NULL);     /* closes, whatever it
                                                            says */
    }
}


/* An LDAP result code.  The password is not empty unless dn is. */
static int
reg_ldap_bind(reg_ldap_t *l, const char *dn, reg_str_t password)
{
    int             rc, code, id;
    char            copy[REG_LDAP_PASSWORD];
    LDAPMessage    *answer = NULL;
    struct berval   secret = { password.len, copy };

    if (reg_str_copy(copy, sizeof(copy), password) == -1) {
        return LDAP_INVALID_CREDENTIALS;
    }

    rc = ldap_sasl_bind(l->ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, &id);
    explicit_bzero(copy, sizeof(copy));

    if (rc != LDAP_SUCCESS) {
        return rc;
    }

    rc = ldap_result(l->ld, id, LDAP_MSG_ALL, &l->timeout, &answer);

    if (rc <= 0) {
        ldap_msgfree(answer);
        return rc == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN;
    }

    /* frees the answer */
    rc = ldap_parse_result(l->ld, answer, &code, NULL, NULL, NULL, NULL, 1);

    return rc != LDAP_SUCCESS ? rc : code;
}


/* As who searches, or as nobody. */
static int
reg_ldap_bind_searcher(reg_ldap_t *l, reg_error_t *err)
{
    int                        rc, fd, sys;
    reg_buf_t                  text = REG_BUF_INIT;
    reg_str_t                  rest, password = REG_STR_NULL;
    const reg_ldap_options_t  *o = l->options;

    if (reg_ldap_has(o->bind_dn)) {
        fd = open(o->bind_password_file, O_RDONLY | O_CLOEXEC);
        sys = fd == -1 ? errno : reg_reread_load(fd, REG_LDAP_PASSWORD, &text);

        if (fd != -1) {
            (void) close(fd);                    /* it was only read */
        }

        rest = reg_buf_str(&text);
        password = rest.len == 0 ? REG_STR_NULL : reg_str_cut(&rest, '\n');

        if (sys != 0 || password.len == 0) {
            reg_buf_free(&text);
            return reg_error_sys(err, sys != 0 ? sys : EINVAL, REG_UNKNOWN,
                                 "ldap: password of bind_dn:",
                                 o->bind_password_file);
        }
    }

    rc = reg_ldap_bind(l, o->bind_dn, password);

    if (text.data != NULL) {
        explicit_bzero(text.data, text.len);
    }

    reg_buf_free(&text);

    return rc == LDAP_SUCCESS
           ? 0 : reg_ldap_fail(rc, "ldap: bind as bind_dn:", err);
}


/* ---- the person ---------------------------------------------------------- */


/* 1 and the DN, 0 if there is not exactly one such person, -1. */
static int
reg_ldap_find(reg_ldap_t *l, reg_str_t user, reg_buf_t *dn, reg_error_t *err)
{
    int                        rc;
    char                      *name, none[] = LDAP_NO_ATTRS;
    char                      *wanted[] = { none, NULL };
    reg_buf_t                  filter = REG_BUF_INIT;
    LDAPMessage               *found = NULL;
    const reg_ldap_options_t  *o = l->options;

    if (reg_ldap_has(o->dn)) {
        return reg_ldap_fill(dn, o->dn, user, reg_ldap_escape_dn) == 0 ? 1 : 0;
    }

    if (reg_ldap_bind_searcher(l, err) == -1) {
        return -1;
    }

    if (reg_ldap_fill(&filter, o->filter, user, reg_ldap_escape_filter) == -1)
    {
        reg_buf_free(&filter);
        return 0;
    }

    rc = ldap_search_ext_s(l->ld, o->base, LDAP_SCOPE_SUBTREE, filter.data,
                           wanted, 0, NULL, NULL, &l->timeout, 2, &found);
    reg_buf_free(&filter);

    if (rc == LDAP_SUCCESS && ldap_count_entries(l->ld, found) == 1) {
        name = ldap_get_dn(l->ld, ldap_first_entry(l->ld, found));

        if (name != NULL) {
            reg_buf_put(dn, name, strlen(name) + 1);
            ldap_memfree(name);
        }
    }

    ldap_msgfree(found);

    if (rc != LDAP_SUCCESS && rc != LDAP_NO_SUCH_OBJECT
        && rc != LDAP_SIZELIMIT_EXCEEDED)
    {
        return reg_ldap_fail(rc, "ldap: search:", err);
    }

    return dn->len > 0 && reg_buf_ok(dn) ? 1 : 0;
}


int
reg_ldap_verify(const reg_ldap_options_t *options, reg_str_t user,
    reg_str_t password, reg_error_t *err)
{
    int         rc, code;
    reg_buf_t   dn = REG_BUF_INIT;
    reg_ldap_t  l;

    if (!reg_user_valid(user) || password.len == 0
        || password.len >= REG_LDAP_PASSWORD
        || memchr(password.data, '\0', password.len) != NULL
        || !reg_str_is_utf8(password))
    {
        return 0;
    }

    rc = reg_ldap_open(&l, options, err);

    if (rc == 0) {
        rc = reg_ldap_find(&l, user, &dn, err);
    }

    if (rc == 1) {
        code = reg_ldap_bind(&l, dn.data, password);

        if (code == LDAP_INVALID_CREDENTIALS
            || code == LDAP_NO_SUCH_OBJECT
            || code == LDAP_INVALID_DN_SYNTAX
            || code == LDAP_UNWILLING_TO_PERFORM
            || code == LDAP_INAPPROPRIATE_AUTH)
        {
            rc = 0;

        } else if (code != LDAP_SUCCESS) {
            rc = reg_ldap_fail(code, "ldap: bind:", err);
        }
    }

    reg_ldap_close(&l);
    reg_buf_free(&dn);

    return rc;
}
