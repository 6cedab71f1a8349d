/*
 * reg_redis: one connection to a Redis server, and what it may cost.
 *
 *     reg_redis_t  *c = reg_redis_dial(&to, &err);
 *
 *     commands[0] = (reg_redis_command_t) { 2, { REG_STR("GET"), key } };
 *     commands[1] = …
 *     if (reg_redis_call(c, commands, 2, replies, 10, &err) == -1) …
 *
 *     reg_redis_close(c);
 *
 * Commands of one call are sent together, and their replies must all be there
 * within ms milliseconds of the call, whatever the server does: sends byte by
 * byte, sends without an end, or nothing.  A reply is a value with a bound;
 * what is longer, or of a kind that nobody asked for, is REG_REDIS_ODD.
 *
 * After -1 the connection is of no use: what is still to come would be taken
 * for the answer to something else.  err->message says what was wrong, for the
 * log; no Redis error is a client's.
 *
 * A host's name is looked up by reg_redis_dial(), which may then take long:
 * it is nothing for a thread that has a request.
 *
 * Not safe for two threads at a time.
 *
 * Blocks: network
 */

#ifndef REG_REDIS_H
#define REG_REDIS_H

#include "reg_error.h"

#define REG_REDIS_ARGS  10
#define REG_REDIS_MAX   256             /* bytes of a reply's text */
#define REG_REDIS_RUN   41              /* a run id and a NUL */

typedef struct reg_redis_s  reg_redis_t;

/* Who is dialled, and as whom; what is empty is not said. */
typedef struct {
    char         address[256];          /* host:port, or a path from "/" */
    const char  *username;
    const char  *password;
    int64_t      db;
    int          dial_ms;               /* for connecting */
    int          call_ms;               /* then for saying who we are */
} reg_redis_peer_t;

typedef struct {
    size_t     n;
    reg_str_t  args[REG_REDIS_ARGS];
} reg_redis_command_t;

typedef enum {
    REG_REDIS_NIL,
    REG_REDIS_TEXT,                     /* a string, or a status */
    REG_REDIS_NUMBER,
    REG_REDIS_REFUSED,                  /* an error; text is its begin */
    REG_REDIS_LIST,                     /* number of its entries is told */
    REG_REDIS_ODD                       /* too long, or not what was asked */
} reg_redis_kind_t;

typedef struct {
    reg_redis_kind_t  kind;
    int64_t           number;
    size_t            len;
    char              text[REG_REDIS_MAX];
} reg_redis_reply_t;

/* Keys that changed, as CLIENT TRACKING tells, an empty slice for all of them;
 * or entries of a list. */
typedef struct {
    void  (*changed)(void *ctx, reg_str_t key);
    void   *ctx;
} reg_redis_watch_t;


/* Connects, and says who we are.  NULL with err filled. */
reg_redis_t *reg_redis_dial(const reg_redis_peer_t *to, reg_error_t *err);
void reg_redis_close(reg_redis_t *c);                    /* NULL is allowed */

int reg_redis_call(reg_redis_t *c, const reg_redis_command_t *commands,
    size_t n, reg_redis_reply_t *replies, int ms, reg_error_t *err);

/* One command, whose reply may be a list of strings: item is called for each,
 * however many there are. */
int reg_redis_list(reg_redis_t *c, const reg_redis_command_t *command,
    const reg_redis_watch_t *item, reg_redis_reply_t *reply, int ms,
    reg_error_t *err);

/* True for an error with this word, such as "READONLY": what a script met is
 * wrapped by some servers. */
bool reg_redis_refused(const reg_redis_reply_t *reply, const char *word);

/* False if something came, or the connection ended, while nobody asked. */
bool reg_redis_is_quiet(const reg_redis_t *c);

/* The server's own id, another one after each start, and whether it is a
 * master; "" if it does not tell. */
int reg_redis_identify(reg_redis_t *c, char run[REG_REDIS_RUN],
    bool *is_master, int ms, reg_error_t *err);

/* Asks a Sentinel for the address of a master. */
int reg_redis_master(reg_redis_t *sentinel, const char *name,
    char address[256], int ms, reg_error_t *err);

/* Calls item for the keys of one step of a SCAN, whose cursor begins and ends
 * as 0. */
int reg_redis_scan(reg_redis_t *c, uint64_t *cursor, const char *pattern,
    const reg_redis_watch_t *item, int ms, reg_error_t *err);


/* Makes listener receive what tells of changes of keys that begin with prefix;
 * control must stay open as long.  1, or 0 if the server does not do that. */
int reg_redis_track(reg_redis_t *control, reg_redis_t *listener,
    const char *prefix, int ms, reg_error_t *err);

/* Asks a listener's server for a sign of life; reg_redis_listen() sees it. */
int reg_redis_ping(reg_redis_t *listener, int ms, reg_error_t *err);

/* Waits for ms milliseconds at most.  1 when the sign of life has come, after
 * all that changed before it; 0 if it has not. */
int reg_redis_listen(reg_redis_t *listener, int ms,
    const reg_redis_watch_t *watch, reg_error_t *err);

#endif
