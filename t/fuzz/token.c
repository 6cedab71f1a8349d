/* Tokens, by libFuzzer: none is believed but those of t/corpus/token/valid,
 * and none does harm.  The same bytes are read as the claims of a token. */

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reg_token.h"
#include "reg_trust.h"

/* what those of the corpus say, and nobody else can sign */
#define PAYLOAD  "{\"iss\":\"us\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static reg_trust_t *
open_trust(void)
{
    static const char  set[] = "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"hmac\","
        "\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}]}";

    char                 path[] = "/tmp/fuzz-XXXXXX";
    int                  fd = mkstemp(path);
    reg_error_t          err = REG_ERROR_INIT;
    reg_trust_t         *trust;
    reg_trust_sources_t  sources = { "", path, "" };

    if (fd == -1 || write(fd, set, sizeof(set) - 1) != sizeof(set) - 1
        || close(fd) == -1 || reg_trust_open(&trust, &sources, &err) == -1)
    {
        abort();
    }

    (void) remove(path);                 /* what was read stays */

    return trust;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static reg_trust_t       *trust;
    static const reg_token_expect_t  expect = { "us", "registry", 1767225600 };
    reg_str_t                 token = { size, (const char *) data };
    reg_jws_t                 jws;
    reg_buf_t                 payload = REG_BUF_INIT;
    reg_claims_t              claims = REG_CLAIMS_INIT;
    reg_error_t               err = REG_ERROR_INIT;

    if (trust == NULL) {
        trust = open_trust();
    }

    if (reg_jws_parse(&jws, token, &err) == 0
        && reg_trust_verify(trust, &jws, expect.now, &err) == 0
        && (reg_jws_payload(&jws, &payload, &err) == -1
            || !reg_str_eq(reg_buf_str(&payload), REG_STR(PAYLOAD))))
    {
        abort();
    }

    reg_jws_free(&jws);
    reg_buf_free(&payload);

    err = (reg_error_t) REG_ERROR_INIT;

    if (reg_claims_parse(&claims, token, &expect, &err) == 0) {
        reg_claims_free(&claims);
    }

    return 0;
}
