#include "reg_config_value.h"


static int
reg_config_value_bool(reg_str_t s, bool *out)
{
    static const char  *words[][2] = {
        { "false", "true" }, { "no", "yes" }, { "off", "on" }
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        for (int k = 0; k < 2; k++) {
            if (reg_str_eq_nocase(s, reg_str_from(words[i][k]))) {
                *out = k == 1;
                return 0;
            }
        }
    }

    return -1;
}


static int
reg_config_value_size(reg_str_t s, int64_t max, int64_t *out)
{
    static const char  units[] = "kmg";

    int          shift = 0;
    const char  *unit;

    if (s.len > 0 && s.data[s.len - 1] > '9') {
        unit = strchr(units, s.data[s.len - 1] | 0x20);

        if (unit == NULL || *unit == '\0') {
            return -1;
        }

        shift = 10 * (int) (unit - units + 1);
        s.len--;
    }

    if (reg_str_int(s, max >> shift, out) == -1) {
        return -1;
    }

    *out <<= shift;
    return 0;
}


static int
reg_config_value_mode(reg_str_t s, int64_t mask, int64_t *out)
{
    int64_t  mode = 0;

    if (s.len == 0 || s.len > 4) {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '7') {
            return -1;
        }

        mode = mode << 3 | (s.data[i] - '0');
    }

    *out = mode;
    return (mode & ~mask) == 0 ? 0 : -1;
}


static int
reg_config_value_enum(reg_str_t s, const char *const *words, int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (reg_str_eq_nocase(s, reg_str_from(words[i]))) {
            *out = i;
            return 0;
        }
    }

    return -1;
}


static int
reg_config_value_text(reg_str_t s, const reg_config_key_t *key, char *out)
{
    if ((int64_t) s.len < key->min || (int64_t) s.len > key->max) {
        return -1;
    }

    for (size_t i = 0; i < s.len; i++) {
        unsigned char  c = (unsigned char) s.data[i];

        if (c < 0x20 || c == 0x7f) {
            return -1;
        }
    }

    return reg_str_copy(out, (size_t) key->max + 1, s);
}


static int
reg_config_value_absolute(reg_str_t s, const reg_config_key_t *key, char *out)
{
    return s.len > 0 && s.data[0] == '/' ? reg_config_value_text(s, key, out)
                                         : -1;
}


/* Words between blanks and commas, put together with one blank. */
static int
reg_config_value_words(reg_str_t s, const reg_config_key_t *key, char *out)
{
    size_t  n = 0;
    char    words[REG_CONFIG_TEXT];

    for (size_t i = 0; i < s.len; i++) {
        bool  gap = s.data[i] == ' ' || s.data[i] == ',';

        if (gap && (n == 0 || words[n - 1] == ' ')) {
            continue;
        }

        if (n == sizeof(words)) {
            return -1;
        }

        words[n++] = gap ? ' ' : s.data[i];
    }

    return reg_config_value_text(reg_str_trim((reg_str_t) { n, words }), key,
                                 out);
}


int
reg_config_value_parse(const reg_config_key_t *key, reg_str_t value,
    reg_config_t *config)
{
    bool     yes = false;
    int      word = 0, rc;
    int64_t  number = 0;
    size_t   size = sizeof(number);
    void    *from = &number;

    switch (key->kind) {

    case REG_CONFIG_INT:
        rc = reg_str_int(value, key->max, &number);
        break;

    case REG_CONFIG_SIZE:
        rc = reg_config_value_size(value, key->max, &number);
        break;

    case REG_CONFIG_DURATION:
        rc = reg_str_duration(value, key->max, &number);
        break;

    case REG_CONFIG_MOMENT:
        rc = reg_str_milliseconds(value, key->max, &number);
        break;

    case REG_CONFIG_MODE:
        rc = reg_config_value_mode(value, key->max, &number);
        break;

    case REG_CONFIG_ABSOLUTE:
        return reg_config_value_absolute(value, key,
                                         (char *) config + key->offset);

    case REG_CONFIG_TEXT_LINE:
    case REG_CONFIG_SECRET:
        return reg_config_value_text(value, key, (char *) config + key->offset);

    case REG_CONFIG_WORDS:
        return reg_config_value_words(value, key,
                                      (char *) config + key->offset);

    case REG_CONFIG_ACCESS:
        return -1;                               /* no value of one line */

    case REG_CONFIG_ENUM:
        rc = reg_config_value_enum(value, key->words, &word);
        from = &word;
        size = sizeof(word);
        break;

    default:
        rc = reg_config_value_bool(value, &yes);
        yes = yes != (key->kind == REG_CONFIG_NOT);
        from = &yes;
        size = sizeof(yes);
    }

    if (rc == -1 || (from == &number && number < key->min)) {
        return -1;
    }

    if (key->offset != REG_CONFIG_NOWHERE) {
        memcpy((char *) config + key->offset, from, size);
    }

    return 0;
}


void
reg_config_value_expected(const reg_config_key_t *key, char *out, size_t size)
{
    long long  min = key->min, max = key->max;
    size_t     n;

    switch (key->kind) {

    case REG_CONFIG_INT:
        (void) snprintf(out, size, "a number from %lld to %lld", min, max);
        break;

    case REG_CONFIG_SIZE:
        (void) snprintf(out, size, "a size such as 512k, 8m or 1g, at most"
                        " %lldm", max >> 20);
        break;

    case REG_CONFIG_DURATION:
        (void) snprintf(out, size, "a duration such as 168h or 1h30m, from"
                        " %llds to %lldh", min, max / 3600);
        break;

    case REG_CONFIG_MOMENT:
        (void) snprintf(out, size, "a duration such as 5ms or 1m, from %lldms"
                        " to %llds", min, max / 1000);
        break;

    case REG_CONFIG_MODE:
        (void) snprintf(out, size, "an octal mode such as 0660, within 0%llo",
                        (unsigned long long) max);
        break;

    case REG_CONFIG_ABSOLUTE:
        (void) snprintf(out, size, "a path that begins with / and has at most"
                        " %lld bytes", max);
        break;

    case REG_CONFIG_TEXT_LINE:
    case REG_CONFIG_SECRET:
        (void) snprintf(out, size, "a line of %lld to %lld bytes", min, max);
        break;

    case REG_CONFIG_WORDS:
        (void) snprintf(out, size, "a list, of %lld bytes in all at most",
                        max);
        break;

    case REG_CONFIG_ACCESS:
        (void) snprintf(out, size, "groups and rules below it, in the file");
        break;

    case REG_CONFIG_ENUM:
        n = 0;

        for (size_t i = 0; key->words[i] != NULL && n < size; i++) {
            n += (size_t) snprintf(out + n, size - n, "%s%s",
                                   i == 0 ? "" : " or ", key->words[i]);
        }

        break;

    default:
        (void) snprintf(out, size, "true or false");
    }
}
