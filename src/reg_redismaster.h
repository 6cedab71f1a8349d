/*
 * reg_redismaster: which Redis server the configuration means, and how it is
 * reached.
 *
 *     reg_redismaster_t  master;
 *
 *     if (reg_redismaster_find(config, &master, err) == -1) …
 *     … master.c …
 *     another = reg_redismaster_dial(config, master.address, err);
 *
 * With Sentinels in the configuration it is whom the first of them names that
 * knows the master; else the first of the addresses where a master answers.  A
 * replica is never taken.
 *
 * A host's name is looked up, which may take long (reg_redis.h).
 *
 * Blocks: network
 */

#ifndef REG_REDISMASTER_H
#define REG_REDISMASTER_H

#include "reg_config.h"
#include "reg_redis.h"

typedef struct {
    reg_redis_t  *c;                    /* the caller's to close */
    char          address[256];         /* also after -1, for messages */
    uint64_t      server;               /* another after each of its starts */
} reg_redismaster_t;


/* Whether the configuration has a Redis at all. */
bool reg_redismaster_is_wanted(const reg_config_t *config);

/* Finds it, and connects.  -1 leaves c NULL. */
int reg_redismaster_find(const reg_config_t *config,
    reg_redismaster_t *master, reg_error_t *err);

/* One more connection to an address that was found.  NULL with err filled. */
reg_redis_t *reg_redismaster_dial(const reg_config_t *config,
    const char address[256], reg_error_t *err);

/* Milliseconds that a call may take in which somebody waits for certainty. */
int reg_redismaster_patience(const reg_config_t *config);

/* Whether Sentinels say where it is, and what they say now. */
bool reg_redismaster_moves(const reg_config_t *config);
int reg_redismaster_ask(const reg_config_t *config, char address[256],
    reg_error_t *err);

#endif
