#include "reg_robot.h"

#include <errno.h>
#include <sys/random.h>

#include <jansson.h>
#include <openssl/sha.h>

#include "reg_digest.h"
#include "reg_pattern.h"


#define REG_ROBOT_PREFIX  "nrr_"
#define REG_ROBOT_RANDOM  32             /* bytes: 52 letters of base32 */
#define REG_ROBOT_CHECK   5              /* bytes: 8 letters */

_Static_assert(sizeof(REG_ROBOT_PREFIX) - 1 + 52 + 8 == REG_ROBOT_SECRET,
               "a secret's length");
_Static_assert(REG_LOGIN_PRINT == SHA256_DIGEST_LENGTH, "what is kept of one");


static bool
reg_robot_name_valid(reg_str_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        char  c = name.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
        {
            return false;
        }
    }

    return name.len > 0 && name.len <= REG_ROBOT_NAME_MAX;
}


/* Of a description: one line of text. */
static bool
reg_robot_text_valid(reg_str_t s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char) s.data[i] < 0x20 || s.data[i] == 0x7f) {
            return false;
        }
    }

    return s.len <= REG_ROBOT_DESCRIPTION && reg_str_is_utf8(s);
}


const char *
reg_robot_odd(const reg_robot_t *robot)
{
    if (!reg_robot_name_valid(robot->name)) {
        return "a name has 1 to 64 letters, digits, and . _ -";
    }

    if (robot->actions == 0) {
        return "there is no action among the actions";
    }

    if (robot->npatterns == 0 || robot->npatterns > REG_ROBOT_PATTERNS) {
        return "there must be 1 to 32 repositories";
    }

    for (size_t i = 0; i < robot->npatterns; i++) {
        reg_str_t  pattern = robot->patterns[i];

        if (!reg_pattern_valid(pattern)) {
            return "a repository is neither a name nor a pattern";
        }

        if (memchr(pattern.data, '$', pattern.len) != NULL) {
            return "${user} fits no robot";
        }
    }

    if (robot->created < 0 || robot->expires < 0) {
        return "a time before 1970";
    }

    return reg_robot_text_valid(robot->description) ? NULL
           : "a description has up to 200 bytes, in one line";
}


json_t *
reg_robot_document(reg_str_t text, const char *path, reg_error_t *err)
{
    json_error_t  why;
    json_t       *root, *list;

    if (text.len == 0) {
        root = json_pack("{s:[]}", "robots");

        if (root == NULL) {
            (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", path);
        }

        return root;
    }

    root = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &why);

    if (root == NULL) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%.120s:%d: no JSON: %.80s",
                             path, why.line, why.text);
        return NULL;
    }

    list = json_object_get(root, "robots");

    if (!json_is_array(list) || json_array_size(list) > REG_ROBOTS_MAX) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "%.160s: \"robots\" is no"
                             " list of at most %d robots", path,
                             REG_ROBOTS_MAX);
        json_decref(root);
        return NULL;
    }

    return root;
}


static reg_str_t
reg_robot_string(const json_t *value)
{
    return json_is_string(value)
           ? (reg_str_t) { json_string_length(value), json_string_value(value) }
           : REG_STR_NULL;
}


/* -1 if there is a word that is no action, or none. */
static int
reg_robot_actions(reg_actions_t *actions, reg_str_t words)
{
    *actions = 0;

    do {
        reg_actions_t  one = reg_action_parse(reg_str_cut(&words, ','));

        if (one == 0) {
            return -1;
        }

        *actions |= one;
    } while (words.len > 0);

    return 0;
}


static int
reg_robot_secret_parse(unsigned char hash[REG_LOGIN_PRINT], reg_str_t s)
{
    reg_digest_t  d;

    if (reg_digest_parse(&d, s) == -1 || d.alg != REG_SHA256) {
        return -1;
    }

    for (size_t i = 0; i < REG_LOGIN_PRINT; i++) {
        const char  *hex = s.data + s.len - 2 * REG_LOGIN_PRINT + 2 * i;
        const char   pair[] = { hex[0], hex[1], '\0' };

        hash[i] = (unsigned char) strtoul(pair, NULL, 16);
    }

    return 0;
}


const char *
reg_robot_parse(reg_robot_t *robot, const json_t *entry)
{
    json_t  *patterns = json_object_get(entry, "repositories");

    memset(robot, 0, sizeof(*robot));
    robot->name = reg_robot_string(json_object_get(entry, "name"));
    robot->description = reg_robot_string(json_object_get(entry,
                                                          "description"));
    robot->npatterns = json_array_size(patterns);
    robot->created = json_integer_value(json_object_get(entry, "created"));

    for (size_t i = 0; i < robot->npatterns && i < REG_ROBOT_PATTERNS; i++) {
        robot->patterns[i] = reg_robot_string(json_array_get(patterns, i));
    }

    if (reg_robot_actions(&robot->actions,
                          reg_robot_string(json_object_get(entry, "actions")))
        == -1)
    {
        return "the actions are not a list of actions";
    }

    if (reg_robot_secret_parse(robot->secret,
                               reg_robot_string(json_object_get(entry,
                                                                "secret")))
        == -1)
    {
        return "the secret is not the SHA-256 of one";
    }

    /* what is mistyped must not live for ever */
    if (!json_is_integer(json_object_get(entry, "expires"))) {
        return "expires is not a number of seconds";
    }

    robot->expires = json_integer_value(json_object_get(entry, "expires"));

    return reg_robot_odd(robot);
}


json_t *
reg_robot_format(const reg_robot_t *robot, const char *secret)
{
    unsigned char  hash[REG_LOGIN_PRINT];
    char           hex[7 + 2 * sizeof(hash) + 1] = "sha256:";
    reg_buf_t      actions = REG_BUF_INIT;
    json_t        *patterns = json_array(), *value = NULL;
    int            bad = 0;

    reg_robot_hash(hash, reg_str_from(secret));

    for (size_t i = 0; i < sizeof(hash); i++) {
        (void) snprintf(hex + 7 + 2 * i, 3, "%02x", hash[i]);       /* fits */
    }

    for (size_t i = 0; i < robot->npatterns; i++) {
        bad |= json_array_append_new(patterns,
                                     json_stringn(robot->patterns[i].data,
                                                  robot->patterns[i].len));
    }

    reg_actions_format(&actions, robot->actions);

    if (bad == 0 && reg_buf_ok(&actions)) {
        value = json_pack("{s:s%, s:s, s:O, s:s%, s:I, s:I, s:s%}",
                          "name", robot->name.data, robot->name.len,
                          "secret", hex,
                          "repositories", patterns,
                          "actions", actions.data, actions.len,
                          "created", (json_int_t) robot->created,
                          "expires", (json_int_t) robot->expires,
                          "description", robot->description.len > 0
                          ? robot->description.data : "",
                          robot->description.len);
    }

    json_decref(patterns);
    reg_buf_free(&actions);

    return value;
}


/* ---- secrets ------------------------------------------------------------- */


/* Appends the base32 of n bytes (RFC 4648, small letters, no padding). */
static char *
reg_robot_base32(char *out, const unsigned char *data, size_t n)
{
    static const char  letters[] = "abcdefghijklmnopqrstuvwxyz234567";

    unsigned  bits = 0, value = 0;

    for (size_t i = 0; i < n; i++) {
        value = (value << 8 | data[i]) & 0xffff;
        bits += 8;

        while (bits >= 5) {
            bits -= 5;
            *out++ = letters[value >> bits & 31];
        }
    }

    if (bits > 0) {
        *out++ = letters[value << (5 - bits) & 31];
    }

    *out = '\0';
    return out;
}


void
reg_robot_hash(unsigned char hash[REG_LOGIN_PRINT], reg_str_t text)
{
    (void) SHA256((const unsigned char *) text.data, text.len, hash);
}


int
reg_robot_secret(char secret[REG_ROBOT_SECRET + 1], reg_error_t *err)
{
    unsigned char  bytes[REG_ROBOT_RANDOM], sum[REG_LOGIN_PRINT];
    char          *end;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t) sizeof(bytes)) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "");
    }

    memcpy(secret, REG_ROBOT_PREFIX, sizeof(REG_ROBOT_PREFIX));
    end = reg_robot_base32(secret + sizeof(REG_ROBOT_PREFIX) - 1, bytes,
                           sizeof(bytes));
    reg_robot_hash(sum, (reg_str_t) { (size_t) (end - secret), secret });
    (void) reg_robot_base32(end, sum, REG_ROBOT_CHECK);

    explicit_bzero(bytes, sizeof(bytes));

    return 0;
}
