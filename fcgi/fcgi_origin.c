#include "fcgi_origin.h"

#include "reg_address.h"


#define FCGI_ORIGIN_HOST_MAX  255


/* A host with an optional port, as it may stand in a URL and a header. */
static bool
fcgi_origin_host_valid(reg_str_t host)
{
    for (size_t i = 0; i < host.len; i++) {
        char  c = host.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || strchr(".-:[]_", c) != NULL)
            || c == '\0')
        {
            return false;
        }
    }

    return host.len > 0 && host.len <= FCGI_ORIGIN_HOST_MAX;
}


/* The first of a list: what the client's own end said. */
static reg_str_t
fcgi_origin_first(reg_str_t list)
{
    return reg_str_trim(reg_str_cut(&list, ','));
}


void
fcgi_origin(const reg_config_t *config, const fcgi_request_t *r,
    reg_buf_t *out)
{
    reg_str_t  scheme = r->scheme, host = r->host, said;

    if (config->external_url[0] != '\0') {
        said = reg_str_from(config->external_url);

        while (said.len > 0 && said.data[said.len - 1] == '/') {
            said.len--;
        }

        reg_buf_putstr(out, said);
        return;
    }

    if (reg_address_in(reg_str_from(config->trusted_proxies), r->client)) {
        said = fcgi_origin_first(r->forwarded_proto);

        if (reg_str_eq_nocase(said, REG_STR("https"))
            || reg_str_eq_nocase(said, REG_STR("http")))
        {
            scheme = said;
        }

        said = fcgi_origin_first(r->forwarded_host);
        host = fcgi_origin_host_valid(said) ? said : host;
    }

    reg_buf_puts(out, reg_str_eq_nocase(scheme, REG_STR("https"))
                      ? "https://" : "http://");
    reg_buf_putstr(out, fcgi_origin_host_valid(host) ? host
                                                     : REG_STR("localhost"));
}
