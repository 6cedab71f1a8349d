#include "reg_robots.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "reg_digest.h"
#include "reg_edit.h"
#include "reg_pattern.h"
#include "reg_policy.h"
#include "reg_reread.h"


#define REG_ROBOTS_MAX    10000
#define REG_ROBOTS_NAMED  10             /* odd ones that are told */

#define REG_ROBOT_PREFIX  "nrr_"
#define REG_ROBOT_RANDOM  32             /* bytes: 52 letters of base32 */
#define REG_ROBOT_CHECK   5              /* bytes: 8 letters */

_Static_assert(sizeof(REG_ROBOT_PREFIX) - 1 + 52 + 8 == REG_ROBOT_SECRET,
               "a secret's length");

typedef struct {
    json_t       *root;                  /* the slices point into it */
    size_t        n;
    reg_robot_t  *list;
} reg_robots_content_t;


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


static void
reg_robot_hash(unsigned char hash[SHA256_DIGEST_LENGTH], reg_str_t text)
{
    (void) SHA256((const unsigned char *) text.data, text.len, hash);
}


static int
reg_robot_make(char secret[REG_ROBOT_SECRET + 1], reg_error_t *err)
{
    unsigned char  bytes[REG_ROBOT_RANDOM], sum[SHA256_DIGEST_LENGTH];
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


/* ---- one robot ----------------------------------------------------------- */


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


/* NULL, or what is wrong. */
static const char *
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
reg_robot_secret_parse(unsigned char hash[SHA256_DIGEST_LENGTH], reg_str_t s)
{
    reg_digest_t  d;

    if (reg_digest_parse(&d, s) == -1 || d.alg != REG_SHA256) {
        return -1;
    }

    for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
        const char  *hex = s.data + s.len - 2 * SHA256_DIGEST_LENGTH + 2 * i;
        const char   pair[] = { hex[0], hex[1], '\0' };

        hash[i] = (unsigned char) strtoul(pair, NULL, 16);
    }

    return 0;
}


/* NULL, or what is wrong with it. */
static const char *
reg_robot_parse(reg_robot_t *robot, const json_t *value)
{
    json_t  *patterns = json_object_get(value, "repositories");

    memset(robot, 0, sizeof(*robot));
    robot->name = reg_robot_string(json_object_get(value, "name"));
    robot->description = reg_robot_string(json_object_get(value,
                                                          "description"));
    robot->npatterns = json_array_size(patterns);
    robot->created = json_integer_value(json_object_get(value, "created"));

    for (size_t i = 0; i < robot->npatterns && i < REG_ROBOT_PATTERNS; i++) {
        robot->patterns[i] = reg_robot_string(json_array_get(patterns, i));
    }

    if (reg_robot_actions(&robot->actions,
                          reg_robot_string(json_object_get(value, "actions")))
        == -1)
    {
        return "the actions are not a list of actions";
    }

    if (reg_robot_secret_parse(robot->secret,
                               reg_robot_string(json_object_get(value,
                                                                "secret")))
        == -1)
    {
        return "the secret is not the SHA-256 of one";
    }

    /* what is mistyped must not live for ever */
    if (!json_is_integer(json_object_get(value, "expires"))) {
        return "expires is not a number of seconds";
    }

    robot->expires = json_integer_value(json_object_get(value, "expires"));

    return reg_robot_odd(robot);
}


/* ---- the file ------------------------------------------------------------ */


/* The document, of which "robots" is an array; an empty text is one without
 * robots.  NULL with err. */
static json_t *
reg_robots_load(reg_str_t text, const char *path, reg_error_t *err)
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


static void
reg_robots_free(void *content)
{
    reg_robots_content_t  *robots = content;

    json_decref(robots->root);
    free(robots->list);
    free(robots);
}


static void *
reg_robots_parse(reg_str_t text, const char *path, reg_buf_t *says,
    reg_error_t *err)
{
    json_t                *root = reg_robots_load(text, path, err), *list;
    reg_robots_content_t  *robots = calloc(1, sizeof(*robots));
    size_t                 i, odd = 0, n;

    if (root == NULL || robots == NULL) {
        goto failed;
    }

    list = json_object_get(root, "robots");
    n = json_array_size(list);
    robots->list = calloc(n + 1, sizeof(*robots->list));

    if (robots->list == NULL) {
        goto failed;
    }

    for (i = 0; i < n; i++) {
        const char  *why = reg_robot_parse(&robots->list[robots->n],
                                           json_array_get(list, i));

        if (why == NULL) {
            robots->n++;

        } else if (odd++ < REG_ROBOTS_NAMED) {
            reg_buf_printf(says, "%.160s: robot %zu is not used: %s\n", path,
                           i + 1, why);
        }
    }

    robots->root = root;
    return robots;

failed:
    (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "read", path);
    json_decref(root);
    free(robots);

    return NULL;
}


static const reg_reread_kind_t  reg_robots_kind = {
    .max = REG_ROBOTS_FILE_MAX,
    .optional = true,
    .parse = reg_robots_parse,
    .free = reg_robots_free,
};


/* reg_robots_t is a name for what reg_reread keeps. */
static reg_reread_t *
reg_robots_file(reg_robots_t *robots)
{
    return (reg_reread_t *) robots;
}


int
reg_robots_open(reg_robots_t **robots, const char *path, reg_error_t *err)
{
    reg_reread_t  *file;

    if (reg_reread_open(&file, path, &reg_robots_kind, err) == -1) {
        return -1;
    }

    *robots = (reg_robots_t *) file;
    return 0;
}


void
reg_robots_close(reg_robots_t *robots)
{
    reg_reread_close(reg_robots_file(robots));
}


uint64_t
reg_robots_age(reg_robots_t *robots)
{
    return reg_reread_age(reg_robots_file(robots));
}


int
reg_robots_message(reg_robots_t *robots, char *out, size_t size)
{
    return reg_reread_message(reg_robots_file(robots), out, size);
}


/* ---- logging in ---------------------------------------------------------- */


/* NULL without memory. */
static reg_policy_t *
reg_robot_policy(const reg_robot_t *robot, reg_error_t *err)
{
    int            rc;
    reg_buf_t      words = REG_BUF_INIT;
    reg_str_t      rest;
    reg_policy_t  *policy = reg_policy_create();

    if (policy == NULL) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "login", "of a robot");
        return NULL;
    }

    rc = reg_policy_rule(policy, 0, err) == -1
         || reg_policy_who(policy, REG_STR("anonymous"), err) == -1 ? -1 : 0;

    for (size_t i = 0; rc == 0 && i < robot->npatterns; i++) {
        rc = reg_policy_repository(policy, robot->patterns[i], err);
    }

    reg_actions_format(&words, robot->actions);
    rest = reg_buf_str(&words);

    while (rc == 0 && rest.len > 0) {
        rc = reg_policy_action(policy, reg_str_cut(&rest, ','), err);
    }

    if (rc == 0 && !reg_buf_ok(&words)) {
        rc = reg_error_sys(err, ENOMEM, REG_UNKNOWN, "login", "of a robot");
    }

    reg_buf_free(&words);

    if (rc == -1 || reg_policy_check(policy, err) == -1) {
        reg_policy_free(policy);
        return NULL;
    }

    return policy;
}


static const reg_robot_t *
reg_robots_find(const reg_robots_content_t *robots, reg_str_t user, time_t now)
{
    if (!reg_str_starts(user, REG_USER_ROBOT)) {
        return NULL;
    }

    user.data += REG_USER_ROBOT.len;
    user.len -= REG_USER_ROBOT.len;

    for (size_t i = 0; i < robots->n; i++) {
        const reg_robot_t  *robot = &robots->list[i];

        if (reg_str_eq(robot->name, user)) {
            return robot->expires == 0 || now < robot->expires ? robot : NULL;
        }
    }

    return NULL;
}


static int
reg_robot_login(const reg_robot_t *robot, reg_str_t user, reg_login_t **out,
    reg_error_t *err)
{
    reg_login_t  *login = reg_login_create(REG_WHO_ROBOT, user, err);

    if (login == NULL) {
        return -1;
    }

    login->expires = robot->expires;
    login->robot = reg_robot_policy(robot, err);
    reg_robot_hash(login->print, (reg_str_t) {
                       sizeof(robot->secret), (const char *) robot->secret });

    if (login->robot == NULL) {
        reg_login_release(login);
        return -1;
    }

    *out = login;
    return 1;
}


int
reg_robots_verify(reg_robots_t *robots, reg_str_t user, reg_str_t secret,
    time_t now, reg_login_t **login, reg_error_t *err)
{
    int                   rc = 0;
    unsigned char         hash[SHA256_DIGEST_LENGTH];
    const reg_reading_t  *reading;
    const reg_robot_t    *robot;

    if (secret.len != REG_ROBOT_SECRET) {
        return 0;
    }

    reading = reg_reread_hold(reg_robots_file(robots));
    robot = reg_robots_find(reading->content, user, now);
    reg_robot_hash(hash, secret);

    if (robot != NULL && CRYPTO_memcmp(hash, robot->secret, sizeof(hash)) == 0)
    {
        rc = reg_robot_login(robot, user, login, err);
    }

    reg_reread_release(reg_robots_file(robots), reading);
    explicit_bzero(hash, sizeof(hash));

    return rc;
}


int
reg_robots_login(reg_robots_t *robots, reg_str_t user, time_t now,
    reg_login_t **login, reg_error_t *err)
{
    const reg_reading_t  *reading = reg_reread_hold(reg_robots_file(robots));
    const reg_robot_t    *robot = reg_robots_find(reading->content, user, now);
    int                   rc;

    rc = robot == NULL ? 0 : reg_robot_login(robot, user, login, err);
    reg_reread_release(reg_robots_file(robots), reading);

    return rc;
}


/* ---- changing ------------------------------------------------------------ */


/* The place of a robot in the list, or SIZE_MAX. */
static size_t
reg_robots_index(const json_t *list, reg_str_t name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t  *robot = json_array_get(list, i);

        if (reg_str_eq(reg_robot_string(json_object_get(robot, "name")), name))
        {
            return i;
        }
    }

    return SIZE_MAX;
}


static int
reg_robots_commit(reg_edit_t *edit, const json_t *root, reg_error_t *err)
{
    int        rc;
    reg_buf_t  out = REG_BUF_INIT;
    char      *text = json_dumps(root, JSON_INDENT(2));

    if (text != NULL) {
        reg_buf_puts(&out, text);
        reg_buf_put(&out, "\n", 1);
    }

    rc = text == NULL || !reg_buf_ok(&out)
         ? reg_error_sys(err, ENOMEM, REG_UNKNOWN, "write", edit->path)
         : out.len > REG_ROBOTS_FILE_MAX
         ? reg_error_sys(err, EFBIG, REG_UNKNOWN, "write", edit->path)
         : reg_edit_commit(edit, reg_buf_str(&out), err);

    free(text);
    reg_buf_free(&out);

    return rc;
}


static json_t *
reg_robot_json(const reg_robot_t *robot, const char *secret)
{
    unsigned char  hash[SHA256_DIGEST_LENGTH];
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


int
reg_robots_create(const char *path, const reg_robot_t *robot,
    char secret[REG_ROBOT_SECRET + 1], reg_error_t *err)
{
    int          rc = -1;
    json_t      *root = NULL, *list;
    reg_edit_t   edit;
    const char  *odd = reg_robot_odd(robot);

    if (odd != NULL) {
        return reg_error_set(err, REG_BAD_REQUEST, "%s", odd);
    }

    if (reg_robot_make(secret, err) == -1
        || reg_edit_begin(&edit, path, REG_ROBOTS_FILE_MAX, err) == -1)
    {
        return -1;
    }

    root = reg_robots_load(reg_edit_text(&edit), path, err);

    if (root == NULL) {
        goto out;
    }

    list = json_object_get(root, "robots");

    if (reg_robots_index(list, robot->name) != SIZE_MAX) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "there is a robot of that"
                             " name already: revoke it first");
        goto out;
    }

    if (json_array_size(list) >= REG_ROBOTS_MAX
        || json_array_append_new(list, reg_robot_json(robot, secret)) == -1)
    {
        (void) reg_error_set(err, REG_BAD_REQUEST, "no room for one more"
                             " robot");
        goto out;
    }

    rc = reg_robots_commit(&edit, root, err);

out:
    json_decref(root);
    reg_edit_end(&edit);

    return rc;
}


int
reg_robots_revoke(const char *path, reg_str_t name, reg_error_t *err)
{
    int         rc = -1;
    size_t      i;
    json_t     *root, *list;
    reg_edit_t  edit;

    /* no file is made for a robot that goes */
    if (access(path, F_OK) == -1 && errno == ENOENT) {
        return reg_error_set(err, REG_BAD_REQUEST, "there is no robot of that"
                             " name");
    }

    if (reg_edit_begin(&edit, path, REG_ROBOTS_FILE_MAX, err) == -1) {
        return -1;
    }

    root = reg_robots_load(reg_edit_text(&edit), path, err);

    if (root == NULL) {
        goto out;
    }

    list = json_object_get(root, "robots");
    i = reg_robots_index(list, name);

    if (i == SIZE_MAX) {
        (void) reg_error_set(err, REG_BAD_REQUEST, "there is no robot of that"
                             " name");
        goto out;
    }

    /* others by the same name would take its place */
    while (i != SIZE_MAX) {
        (void) json_array_remove(list, i);       /* there is one */
        i = reg_robots_index(list, name);
    }

    rc = reg_robots_commit(&edit, root, err);

out:
    json_decref(root);
    reg_edit_end(&edit);

    return rc;
}


int
reg_robots_list(const char *path, const reg_robots_list_t *list,
    reg_error_t *err)
{
    reg_robots_t               *robots;
    const reg_reading_t        *reading;
    const reg_robots_content_t *content;
    char                        line[512];

    if (reg_robots_open(&robots, path, err) == -1) {
        return -1;
    }

    while (reg_robots_message(robots, line, sizeof(line))) {
        list->odd(list->ctx, line);
    }

    reading = reg_reread_hold(reg_robots_file(robots));
    content = reading->content;

    for (size_t i = 0; i < content->n; i++) {
        if (list->robot(list->ctx, &content->list[i]) == -1) {
            break;
        }
    }

    reg_reread_release(reg_robots_file(robots), reading);
    reg_robots_close(robots);

    return 0;
}
