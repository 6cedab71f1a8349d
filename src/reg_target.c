#include "reg_target.h"


/* Of the registry as a whole: nothing of these can be a repository's name. */
static const struct {
    reg_str_t          uri;
    reg_target_kind_t  kind;
} reg_target_fixed[] = {
    { { 4, "/v2/" }, REG_TARGET_BASE },
    { { 3, "/v2" }, REG_TARGET_BASE },
    { { 12, "/v2/_catalog" }, REG_TARGET_CATALOG },
    { { 10, "/v2/_token" }, REG_TARGET_TOKEN },
    { { 6, "/token" }, REG_TARGET_TOKEN },
    { { 9, "/v2/_keys" }, REG_TARGET_KEYS },
    { { 11, "/v2/_health" }, REG_TARGET_HEALTH },
};

#define REG_TARGET_FIXED                                                      \
    (sizeof(reg_target_fixed) / sizeof(reg_target_fixed[0]))


bool
reg_target_has_name(reg_target_kind_t kind)
{
    return kind >= REG_TARGET_TAGS;
}


bool
reg_uuid_valid(reg_str_t s)
{
    static const char  form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (s.len != REG_UUID_LEN) {
        return false;
    }

    for (size_t i = 0; i < s.len; i++) {
        reg_str_t  one = { 1, s.data + i };

        if (form[i] == '-' ? s.data[i] != '-' : !reg_str_is_hex(one)) {
            return false;
        }
    }

    return true;
}


/* Cuts the part after the last '/' off *s and returns it. */
static reg_str_t
reg_target_pop(reg_str_t *s)
{
    const char  *slash = s->len == 0 ? NULL : memrchr(s->data, '/', s->len);
    reg_str_t    part = *s;

    if (slash == NULL) {
        s->len = 0;
        return part;
    }

    s->len = (size_t) (slash - s->data);
    part.data = slash + 1;
    part.len -= s->len + 1;

    return part;
}


/* What follows a '%' that hides a '.', '/', '\\' or NUL. */
static bool
reg_target_hides(const char *two)
{
    static const reg_str_t  hidden[] = {
        { 2, "2e" }, { 2, "2f" }, { 2, "5c" }, { 2, "00" }
    };

    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        if (reg_str_eq_nocase((reg_str_t) { 2, two }, hidden[i])) {
            return true;
        }
    }

    return false;
}


/* Forms that nginx's normalization would make disappear, or that hide a '/':
 * refused, since the name that is left is not the one that was asked for. */
static bool
reg_target_raw_odd(reg_str_t raw)
{
    reg_str_t  path = reg_str_cut(&raw, '?'), rest = path, part;

    (void) reg_str_cut(&rest, '%');              /* what is before it */

    while (rest.len >= 2) {
        if (reg_target_hides(rest.data)) {
            return true;
        }

        (void) reg_str_cut(&rest, '%');
    }

    (void) reg_str_cut(&path, '/');

    while (path.len > 0) {
        part = reg_str_cut(&path, '/');

        if (part.len == 0 || reg_str_eq(part, REG_STR("."))
            || reg_str_eq(part, REG_STR("..")))
        {
            return true;
        }
    }

    return false;
}


static int
reg_target_name(reg_target_t *t, reg_target_kind_t kind, reg_str_t name,
    reg_error_t *err)
{
    t->kind = kind;

    if (reg_name_parse(&t->name, name) == 0) {
        return 0;
    }

    reg_error_detail(err, "name", name);
    return reg_error_set(err, REG_NAME_INVALID, NULL);
}


static int
reg_target_digest(reg_target_t *t, reg_str_t s, reg_error_t *err)
{
    if (reg_digest_parse(&t->digest, s) == 0) {
        return 0;
    }

    reg_error_detail(err, "digest", s);
    return reg_error_set(err, REG_DIGEST_INVALID,
                         "not a digest: write sha256: and 64, or sha512: and"
                         " 128 lower-case hexadecimal digits");
}


static int
reg_target_ref(reg_target_t *t, reg_str_t s, reg_error_t *err)
{
    if (reg_ref_parse(&t->ref, s) == 0) {
        return 0;
    }

    if (t->ref.is_digest) {
        return reg_target_digest(t, s, err);
    }

    reg_error_detail(err, "tag", s);
    return reg_error_set(err, REG_MANIFEST_INVALID,
                         "invalid tag: a tag has 1 to 128 letters, digits,"
                         " '_', '.' and '-', and begins with none of the last"
                         " two");
}


static int
reg_target_upload(reg_target_t *t, reg_str_t s, reg_error_t *err)
{
    if (reg_uuid_valid(s)) {
        return reg_str_copy(t->uuid, sizeof(t->uuid), s);
    }

    reg_error_detail(err, "uuid", s);
    return reg_error_set(err, REG_BLOB_UPLOAD_UNKNOWN, NULL);
}


int
reg_target_parse(reg_target_t *t, reg_str_t uri, reg_str_t raw,
    reg_error_t *err)
{
    reg_str_t  s = uri, last, word, before;

    for (size_t i = 0; i < REG_TARGET_FIXED; i++) {
        if (reg_str_eq(uri, reg_target_fixed[i].uri)) {
            t->kind = reg_target_fixed[i].kind;
            return 0;
        }
    }

    if (!reg_str_starts(s, REG_STR("/v2/"))) {
        return reg_error_set(err, REG_NOT_FOUND, NULL);
    }

    if (reg_target_raw_odd(raw)) {
        reg_error_detail(err, "path", raw);
        return reg_error_set(err, REG_NAME_INVALID, NULL);
    }

    s.data += 4;
    s.len -= 4;

    last = reg_target_pop(&s);
    word = reg_target_pop(&s);

    if (reg_str_eq(word, REG_STR("manifests"))) {
        return reg_target_name(t, REG_TARGET_MANIFEST, s, err) == -1
               ? -1 : reg_target_ref(t, last, err);
    }

    if (reg_str_eq(word, REG_STR("tags"))
        && reg_str_eq(last, REG_STR("list")))
    {
        return reg_target_name(t, REG_TARGET_TAGS, s, err);
    }

    if (reg_str_eq(word, REG_STR("referrers"))) {
        return reg_target_name(t, REG_TARGET_REFERRERS, s, err) == -1
               ? -1 : reg_target_digest(t, last, err);
    }

    if (reg_str_eq(word, REG_STR("blobs"))) {
        if (reg_str_eq(last, REG_STR("uploads"))) {
            return reg_target_name(t, REG_TARGET_UPLOADS, s, err);
        }

        return reg_target_name(t, REG_TARGET_BLOB, s, err) == -1
               ? -1 : reg_target_digest(t, last, err);
    }

    if (reg_str_eq(word, REG_STR("uploads"))) {
        before = reg_target_pop(&s);

        if (reg_str_eq(before, REG_STR("blobs"))) {
            if (last.len == 0) {
                return reg_target_name(t, REG_TARGET_UPLOADS, s, err);
            }

            return reg_target_name(t, REG_TARGET_UPLOAD, s, err) == -1
                   ? -1 : reg_target_upload(t, last, err);
        }
    }

    return reg_error_set(err, REG_NOT_FOUND, NULL);
}
