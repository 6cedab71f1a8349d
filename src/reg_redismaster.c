#include "reg_redismaster.h"


bool
reg_redismaster_is_wanted(const reg_config_t *config)
{
    return config->redis_addr[0] != '\0' || config->redis_addrs[0] != '\0'
           || config->redis_sentinels[0] != '\0';
}


int
reg_redismaster_patience(const reg_config_t *config)
{
    return (int) (config->redis_read + config->redis_write);
}


/* Empty if there are none.  With mastername, addrs are Sentinels as well, as
 * in Distribution. */
static reg_str_t
reg_redismaster_sentinels(const reg_config_t *config)
{
    reg_str_t  addrs = reg_str_from(config->redis_addrs);

    if (config->redis_sentinels[0] != '\0') {
        return reg_str_from(config->redis_sentinels);
    }

    return config->redis_master[0] != '\0' ? addrs : REG_STR_NULL;
}


bool
reg_redismaster_moves(const reg_config_t *config)
{
    return reg_redismaster_sentinels(config).len > 0;
}


static void
reg_redismaster_peer(const reg_config_t *config, reg_redis_peer_t *peer)
{
    *peer = (reg_redis_peer_t) {
        .username = config->redis_username,
        .password = config->redis_password,
        .db = config->redis_db,
        .dial_ms = (int) config->redis_dial,
        .call_ms = reg_redismaster_patience(config),
    };
}


/* The address of the master, from the first Sentinel that knows it. */
int
reg_redismaster_ask(const reg_config_t *config, char address[256],
    reg_error_t *err)
{
    reg_str_t         words = reg_redismaster_sentinels(config);
    reg_redis_peer_t  peer;

    reg_redismaster_peer(config, &peer);
    peer.username = config->redis_sentinel_username;
    peer.password = config->redis_sentinel_password;
    peer.db = 0;

    while (words.len > 0) {
        int           rc = -1;
        reg_redis_t  *c = NULL;
        reg_error_t   odd = REG_ERROR_INIT;
        reg_str_t     word = reg_str_cut(&words, ' ');

        if (reg_str_copy(peer.address, sizeof(peer.address), word) == 0
            && (c = reg_redis_dial(&peer, &odd)) != NULL)
        {
            rc = reg_redis_master(c, config->redis_master, address,
                                  peer.call_ms, &odd);
        }

        reg_redis_close(c);

        if (rc == 0) {
            return 0;
        }

        if (words.len == 0) {
            return reg_error_set(err, REG_UNKNOWN, "Sentinel %.80s: %.120s",
                                 peer.address, reg_error_message(&odd));
        }
    }

    return reg_error_set(err, REG_UNKNOWN, "no Sentinel is named");
}


reg_redis_t *
reg_redismaster_dial(const reg_config_t *config, const char address[256],
    reg_error_t *err)
{
    reg_redis_peer_t  peer;

    reg_redismaster_peer(config, &peer);
    memcpy(peer.address, address, sizeof(peer.address));

    return reg_redis_dial(&peer, err);
}


/* Connects, and looks whether that is a master. */
static int
reg_redismaster_try(const reg_config_t *config, reg_redismaster_t *master,
    reg_error_t *err)
{
    bool  is_master;
    char  run[REG_REDIS_RUN];

    master->c = reg_redismaster_dial(config, master->address, err);

    if (master->c != NULL
        && reg_redis_identify(master->c, run, &is_master,
                              reg_redismaster_patience(config), err) == 0)
    {
        if (is_master) {
            master->server = reg_str_hash(reg_str_from(run));
            return 0;
        }

        (void) reg_error_set(err, REG_UNKNOWN, "it is a replica");
    }

    reg_redis_close(master->c);
    master->c = NULL;

    return -1;
}


int
reg_redismaster_find(const reg_config_t *config, reg_redismaster_t *master,
    reg_error_t *err)
{
    reg_str_t  words = reg_str_from(config->redis_addr);

    *master = (reg_redismaster_t) { .c = NULL };

    if (reg_redismaster_moves(config)) {
        return reg_redismaster_ask(config, master->address, err) == -1
               ? -1 : reg_redismaster_try(config, master, err);
    }

    if (words.len == 0) {
        words = reg_str_from(config->redis_addrs);
    }

    while (words.len > 0) {
        reg_error_t  odd = REG_ERROR_INIT;
        reg_str_t    word = reg_str_cut(&words, ' ');

        if (reg_str_copy(master->address, sizeof(master->address), word) == 0
            && reg_redismaster_try(config, master, &odd) == 0)
        {
            return 0;
        }

        if (words.len == 0) {
            *err = odd;
        }
    }

    return -1;
}
