#include "reg_mediatype.h"


#define REG_MEDIATYPE(name)  { sizeof(name) - 1, (name) }


/* Ends with a row that has no name. */
const reg_mediatype_t  reg_mediatypes[] = {

    { REG_MEDIATYPE("application/vnd.oci.image.manifest.v1+json"),
      REG_KIND_IMAGE, true },

    { REG_MEDIATYPE("application/vnd.oci.image.index.v1+json"),
      REG_KIND_INDEX, true },

    { REG_MEDIATYPE("application/vnd.docker.distribution.manifest.v2+json"),
      REG_KIND_IMAGE, false },

    { REG_MEDIATYPE("application/vnd.docker.distribution.manifest.list.v2"
                    "+json"),
      REG_KIND_INDEX, false },

    { REG_MEDIATYPE("application/vnd.docker.distribution.manifest.v1"
                    "+prettyjws"),
      REG_KIND_SCHEMA1, false },

    { REG_MEDIATYPE("application/vnd.docker.distribution.manifest.v1+json"),
      REG_KIND_SCHEMA1, false },

    { { 0, NULL }, REG_KIND_IMAGE, false }
};

const reg_mediatype_t *const  reg_mediatype_oci_image = &reg_mediatypes[0];
const reg_mediatype_t *const  reg_mediatype_oci_index = &reg_mediatypes[1];


const reg_mediatype_t *
reg_mediatype_find(reg_str_t name)
{
    name = reg_str_trim(reg_str_cut(&name, ';'));

    for (const reg_mediatype_t *t = reg_mediatypes; t->name.len > 0; t++) {
        if (reg_str_eq_nocase(name, t->name)) {
            return t;
        }
    }

    return NULL;
}


/* True for "q=0" and "q=0.000" among the parameters: "anything but this". */
static bool
reg_mediatype_refused(reg_str_t params)
{
    while (params.len > 0) {
        reg_str_t  value = reg_str_cut(&params, ';');
        reg_str_t  name = reg_str_trim(reg_str_cut(&value, '='));

        if (!reg_str_eq_nocase(name, REG_STR("q"))) {
            continue;
        }

        value = reg_str_trim(value);

        for (size_t i = 0; i < value.len; i++) {
            if (value.data[i] != '0' && value.data[i] != '.') {
                return false;
            }
        }

        return value.len > 0;
    }

    return false;
}


static bool
reg_mediatype_is_range(reg_str_t s)
{
    return reg_str_eq(s, REG_STR("*/*"))
           || reg_str_eq(s, REG_STR("*"))
           || reg_str_eq_nocase(s, REG_STR("application/*"));
}


bool
reg_mediatype_accepted(reg_str_t accept, const reg_mediatype_t *type)
{
    bool  accepted = reg_str_trim(accept).len == 0;

    while (accept.len > 0) {
        reg_str_t  params = reg_str_cut(&accept, ',');
        reg_str_t  name = reg_str_trim(reg_str_cut(&params, ';'));
        bool       exact = reg_str_eq_nocase(name, type->name);

        if (!exact && !reg_mediatype_is_range(name)) {
            continue;
        }

        if (!reg_mediatype_refused(params)) {
            accepted = true;

        } else if (exact) {
            return false;
        }
    }

    return accepted;
}
