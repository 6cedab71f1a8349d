#include "reg_password.h"

#include <crypt.h>
#include <errno.h>

#include <openssl/crypto.h>


/* tail: characters after the last '$', of bcrypt salt and hash together */
static const struct {
    reg_str_t  prefix;
    size_t     tail;
} reg_password_kinds[] = {
    { { 4, "$2y$" }, 53 },
    { { 4, "$2b$" }, 53 },
    { { 4, "$2a$" }, 53 },
    { { 3, "$y$" }, 43 },
    { { 4, "$gy$" }, 43 },
    { { 3, "$7$" }, 43 },
    { { 3, "$6$" }, 86 },
    { { 3, "$5$" }, 43 },
};

#define REG_PASSWORD_KINDS                                                    \
    (sizeof(reg_password_kinds) / sizeof(reg_password_kinds[0]))

static const struct {
    reg_str_t    prefix;
    const char  *why;
} reg_password_others[] = {
    { { 6, "$apr1$" }, "an MD5 hash, which is not safe" },
    { { 3, "$1$" }, "an MD5 hash, which is not safe" },
    { { 4, "$md5" }, "an MD5 hash, which is not safe" },
    { { 5, "{SHA}" }, "a SHA-1 hash, which is not safe" },
    { { 6, "{SSHA}" }, "a SHA-1 hash, which is not safe" },
    { { 4, "$2x$" }, "a hash of a broken bcrypt" },
    { { 3, "$3$" }, "an NT hash, which is not safe" },
    { { 5, "$sha1" }, "a SHA-1 hash, which is not safe" },
    { { 6, "$argon" }, "an argon2 hash, which libcrypt does not have" },
    { { 1, "!" }, "a locked account" },
    { { 1, "*" }, "a locked account" },
};

#define REG_PASSWORD_OTHERS                                                   \
    (sizeof(reg_password_others) / sizeof(reg_password_others[0]))


/* ---- hashes -------------------------------------------------------------- */


/* The letters of crypt(5): what is outside of them never is a hash. */
static bool
reg_password_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("./$=,+-", c) != NULL);
}


static bool
reg_password_is_bcrypt(reg_str_t hash)
{
    return reg_str_starts(hash, REG_STR("$2"));
}


/* A cost that would keep a thread for minutes is not accepted either. */
static bool
reg_password_bcrypt_cost_good(reg_str_t hash)
{
    int64_t  cost;

    return hash.len == 60 && hash.data[6] == '$'
           && reg_str_int((reg_str_t) { 2, hash.data + 4 },
                          REG_PASSWORD_COST_MAX, &cost) == 0
           && cost >= 4;
}


const char *
reg_password_refuse(reg_str_t hash)
{
    size_t  i, tail = 0;

    for (i = 0; i < REG_PASSWORD_OTHERS; i++) {
        if (reg_str_starts(hash, reg_password_others[i].prefix)) {
            return reg_password_others[i].why;
        }
    }

    for (i = 0; i < REG_PASSWORD_KINDS; i++) {
        if (reg_str_starts(hash, reg_password_kinds[i].prefix)) {
            break;
        }
    }

    if (i == REG_PASSWORD_KINDS) {
        return "DES, or no hash at all: not safe";
    }

    if (hash.len > REG_PASSWORD_HASH_MAX) {
        return "a hash that is too long";
    }

    for (size_t k = hash.len; k > 0 && hash.data[k - 1] != '$'; k--) {
        tail++;
    }

    for (size_t k = 0; k < hash.len; k++) {
        if (!reg_password_is_letter(hash.data[k])) {
            return "a hash with a character that hashes do not have";
        }
    }

    if (tail != reg_password_kinds[i].tail) {
        return "half a hash";
    }

    return reg_password_is_bcrypt(hash) && !reg_password_bcrypt_cost_good(hash)
           ? "a bcrypt hash whose cost is not 4 to 16" : NULL;
}


/* ---- passwords ----------------------------------------------------------- */


/* NULL, or what is wrong with it. */
static const char *
reg_password_odd(reg_str_t password)
{
    if (password.len == 0) {
        return "the password is empty";
    }

    if (password.len > REG_PASSWORD_MAX) {
        return "the password is longer than 511 bytes";
    }

    if (memchr(password.data, '\0', password.len) != NULL
        || !reg_str_is_utf8(password))
    {
        return "the password is not UTF-8 text";
    }

    return NULL;
}


int
reg_password_verify(reg_str_t hash, reg_str_t password, reg_error_t *err)
{
    int                 right;
    char                text[REG_PASSWORD_MAX + 1];
    char                want[REG_PASSWORD_HASH_MAX + 1];
    const char         *made;
    struct crypt_data  *data;

    if (reg_password_odd(password) != NULL
        || reg_str_copy(want, sizeof(want), hash) == -1)
    {
        return 0;
    }

    data = calloc(1, sizeof(*data));             /* 32 KiB */

    if (data == NULL) {
        return reg_error_sys(err, ENOMEM, REG_UNKNOWN, "verify", "a password");
    }

    (void) reg_str_copy(text, sizeof(text), password);           /* fits */
    errno = 0;
    made = crypt_r(text, want, data);

    if (made == NULL || made[0] == '*') {        /* a hash that is none, or … */
        right = errno == ENOMEM ? reg_error_sys(err, ENOMEM, REG_UNKNOWN,
                                                "verify", "a password") : 0;
    } else {
        right = strlen(made) == hash.len
                && CRYPTO_memcmp(made, want, hash.len) == 0
                && !(reg_password_is_bcrypt(hash)
                     && password.len > REG_PASSWORD_BCRYPT_MAX);
    }

    explicit_bzero(text, sizeof(text));
    explicit_bzero(data, sizeof(*data));
    free(data);

    return right;
}


static int
reg_password_check(reg_str_t password, int cost, reg_error_t *err)
{
    const char  *odd = reg_password_odd(password);

    if (odd != NULL) {
        return reg_error_set(err, REG_BAD_REQUEST, "%s", odd);
    }

    if (password.len > REG_PASSWORD_BCRYPT_MAX) {
        return reg_error_set(err, REG_BAD_REQUEST, "the password has %zu bytes:"
                             " bcrypt looks at the first %d only, so take a"
                             " shorter one", password.len,
                             REG_PASSWORD_BCRYPT_MAX);
    }

    return cost >= REG_PASSWORD_COST_MIN && cost <= REG_PASSWORD_COST_MAX ? 0
           : reg_error_set(err, REG_BAD_REQUEST, "the cost must be %d to %d",
                           REG_PASSWORD_COST_MIN, REG_PASSWORD_COST_MAX);
}


int
reg_password_hash(char out[REG_PASSWORD_HASH_MAX + 1], reg_str_t password,
    int cost, reg_error_t *err)
{
    int                 rc;
    char                text[REG_PASSWORD_BCRYPT_MAX + 1];
    char                salt[CRYPT_GENSALT_OUTPUT_SIZE];
    const char         *made;
    struct crypt_data  *data;

    if (reg_password_check(password, cost, err) == -1) {
        return -1;
    }

    data = calloc(1, sizeof(*data));

    /* without bytes of ours libcrypt takes the kernel's random ones */
    if (data == NULL
        || crypt_gensalt_rn("$2y$", (unsigned long) cost, NULL, 0, salt,
                            sizeof(salt)) == NULL)
    {
        free(data);
        return reg_error_sys(err, errno, REG_UNKNOWN, "make", "a salt");
    }

    (void) reg_str_copy(text, sizeof(text), password);           /* fits */
    made = crypt_r(text, salt, data);

    rc = made == NULL || made[0] == '*'
         || reg_str_copy(out, REG_PASSWORD_HASH_MAX + 1, reg_str_from(made))
            == -1
         ? reg_error_sys(err, errno, REG_UNKNOWN, "make", "a hash") : 0;

    explicit_bzero(text, sizeof(text));
    explicit_bzero(data, sizeof(*data));
    free(data);

    return rc;
}
