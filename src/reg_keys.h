/*
 * reg_keys: the keys that we sign tokens with.
 *
 * A file of its own, STATE/keys.json, a JSON Web Key Set with the private
 * parts.  The first key signs, all of them verify: after a new one was put
 * before the others (rotate), tokens of the old ones are good until they end,
 * and then the old keys can go (remove).  A file that is not there is made,
 * with one key, by whoever comes first; the others wait for that.  Its mode is
 * 0600, and it belongs to the owner of the directory.
 *
 *     reg_keys_t  *keys;
 *
 *     if (reg_keys_open(&keys, state, REG_JWK_ES256, err) == -1) …
 *     reg_keys_sign(keys, payload, &token, err)
 *     reg_keys_verify(keys, &jws)
 *     reg_keys_close(keys);
 *
 * The file is read again when it has changed (reg_reread.h).  Safe to call from
 * all threads.
 *
 * Blocks: disk
 */

#ifndef REG_KEYS_H
#define REG_KEYS_H

#include "reg_jwk.h"

#define REG_KEYS_FILE      "keys.json"
#define REG_KEYS_FILE_MAX  (256 * 1024)

typedef struct reg_keys_s  reg_keys_t;


/* state is a directory, which is made if it is not there (mode 0700). */
int reg_keys_open(reg_keys_t **keys, const char *state, reg_jwk_kind_t kind,
    reg_error_t *err);
void reg_keys_close(reg_keys_t *keys);                   /* NULL is allowed */

/* Appends a token with this payload. */
int reg_keys_sign(reg_keys_t *keys, reg_str_t payload, reg_buf_t *out,
    reg_error_t *err);

/* Whether one of them, the one that the token names, has signed it. */
bool reg_keys_verify(reg_keys_t *keys, const reg_jws_t *jws);

/* Appends the JSON Web Key Set that everybody may see. */
int reg_keys_publish(reg_keys_t *keys, reg_buf_t *out, reg_error_t *err);

/* As of reg_reread.h. */
uint64_t reg_keys_age(reg_keys_t *keys);
int reg_keys_message(reg_keys_t *keys, char *out, size_t size);


/* For registryctl, without opening: puts a new key before the others; its name
 * goes to id. */
int reg_keys_rotate(const char *state, reg_jwk_kind_t kind,
    char id[REG_JWK_ID], reg_error_t *err);

/* Removes a key; the last one stays. */
int reg_keys_remove(const char *state, reg_str_t id, reg_error_t *err);

/* Calls item for each, the one that signs first. */
typedef void (*reg_keys_item_pt)(void *ctx, const reg_jwk_t *key,
    bool signs);

int reg_keys_list(const char *state, reg_keys_item_pt item, void *ctx,
    reg_error_t *err);

#endif
