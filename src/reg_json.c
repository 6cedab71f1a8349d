#include "reg_json.h"

#include <jansson.h>


reg_json_t
reg_json_count(reg_str_t text, const reg_json_t *most)
{
    reg_json_t  has = { 0, 0 };
    size_t      depth = 0;
    bool        quoted = false;

    for (size_t i = 0; i < text.len && has.depth <= most->depth
                       && has.values <= most->values; i++)
    {
        char  c = text.data[i];

        if (quoted) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                quoted = false;
            }
            continue;
        }

        switch (c) {

        case '"':
            quoted = true;
            break;

        case '{':
        case '[':
            depth++;
            has.values++;
            has.depth = depth > has.depth ? depth : has.depth;
            break;

        case '}':
        case ']':
            depth -= depth > 0 ? 1 : 0;
            break;

        case ',':
        case ':':
            has.values++;
            break;
        }
    }

    return has;
}


bool
reg_json_within(reg_str_t text, const reg_json_t *most)
{
    reg_json_t  has = reg_json_count(text, most);

    return has.depth <= most->depth && has.values <= most->values;
}


json_t *
reg_json_load(reg_str_t text, const reg_json_t *most)
{
    return reg_json_within(text, most)
           ? json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, NULL)
           : NULL;
}
