#include "reg_redis.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "reg_clock.h"


/* of what has not become a reply yet: a server that lies costs this */
#define REG_REDIS_PENDING  (1024 * 1024)
#define REG_REDIS_ENTRIES  65536         /* of a list */
#define REG_REDIS_CHUNK    16384

#define REG_REDIS_CHANNEL  "__redis__:invalidate"


struct reg_redis_s {
    redisContext               *hi;
    redisReplyObjectFunctions   make;
    void                     *(*array)(const redisReadTask *, int);
};


static int64_t
reg_redis_now(void)
{
    return reg_clock_ns(CLOCK_MONOTONIC) / REG_CLOCK_MS;
}


static int
reg_redis_fail(reg_error_t *err, const char *what)
{
    return reg_error_set(err, REG_UNKNOWN, "%s", what);
}


/* ---- replies ------------------------------------------------------------- */


/* A server that announces a billion entries would have hiredis reserve room
 * for them. */
static void *
reg_redis_array(const redisReadTask *task, int elements)
{
    const reg_redis_t  *c = task->privdata;

    return elements > REG_REDIS_ENTRIES ? NULL : c->array(task, elements);
}


static int
reg_redis_wait(const reg_redis_t *c, short events, int64_t until,
    reg_error_t *err)
{
    struct pollfd  p = { .fd = c->hi->fd, .events = events };
    int64_t        left = until - reg_redis_now();
    int            rc;

    do {
        rc = poll(&p, 1, left > 0 ? (int) left : 0);
        left = until - reg_redis_now();
    } while (rc == -1 && errno == EINTR && left > 0);

    if (rc == 1) {
        return 1;
    }

    return rc == 0 || errno == EINTR
           ? 0 : reg_redis_fail(err, strerror(errno));
}


static int
reg_redis_send(const reg_redis_t *c, reg_str_t bytes, int64_t until,
    reg_error_t *err)
{
    while (bytes.len > 0) {
        ssize_t  n = send(c->hi->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        int      rc;

        if (n > 0) {
            bytes.data += n;
            bytes.len -= (size_t) n;
            continue;
        }

        if (n == -1 && errno != EAGAIN && errno != EINTR) {
            return reg_redis_fail(err, strerror(errno));
        }

        rc = reg_redis_wait(c, POLLOUT, until, err);

        if (rc != 1) {
            return rc == 0 ? reg_redis_fail(err, "it did not take a command"
                                            " in time") : -1;
        }
    }

    return 0;
}


/* One read into the parser.  1 if something came, 0 if there was nothing. */
static int
reg_redis_feed(const reg_redis_t *c, reg_error_t *err)
{
    char     chunk[REG_REDIS_CHUNK];
    ssize_t  n = recv(c->hi->fd, chunk, sizeof(chunk), 0);

    if (n == -1) {
        return errno == EAGAIN || errno == EINTR
               ? 0 : reg_redis_fail(err, strerror(errno));
    }

    if (n == 0) {
        return reg_redis_fail(err, "it closed the connection");
    }

    if (c->hi->reader->len - c->hi->reader->pos > REG_REDIS_PENDING) {
        return reg_redis_fail(err, "its reply has no end");
    }

    if (redisReaderFeed(c->hi->reader, chunk, (size_t) n) != REDIS_OK) {
        return reg_redis_fail(err, c->hi->reader->errstr);
    }

    return 1;
}


/* The next reply, to be freed; NULL in *out at the time until. */
static int
reg_redis_read(const reg_redis_t *c, redisReply **out, int64_t until,
    reg_error_t *err)
{
    void  *reply = NULL;
    int    rc;

    *out = NULL;

    for ( ;; ) {
        if (redisReaderGetReply(c->hi->reader, &reply) != REDIS_OK) {
            return reg_redis_fail(err, c->hi->reader->errstr);
        }

        if (reply != NULL) {
            *out = reply;
            return 0;
        }

        rc = reg_redis_wait(c, POLLIN, until, err);

        if (rc == 1) {
            rc = reg_redis_feed(c, err);
        } else if (rc == 0) {
            return 0;
        }

        /* one that sends byte by byte is never silent */
        if (rc == -1 || reg_redis_now() > until) {
            return rc;
        }
    }
}


static void
reg_redis_value(const redisReply *reply, reg_redis_reply_t *out)
{
    static const reg_redis_kind_t  kinds[] = {
        [REDIS_REPLY_STRING] = REG_REDIS_TEXT,
        [REDIS_REPLY_STATUS] = REG_REDIS_TEXT,
        [REDIS_REPLY_ERROR] = REG_REDIS_REFUSED,
        [REDIS_REPLY_INTEGER] = REG_REDIS_NUMBER,
        [REDIS_REPLY_NIL] = REG_REDIS_NIL,
        [REDIS_REPLY_ARRAY] = REG_REDIS_ODD,
    };

    /* a newer hiredis knows more types, which a server may send unasked */
    out->kind = (size_t) reply->type < sizeof(kinds) / sizeof(kinds[0])
                ? kinds[reply->type] : REG_REDIS_ODD;
    out->number = 0;
    out->len = 0;
    out->text[0] = '\0';

    if (out->kind == REG_REDIS_NUMBER) {
        out->number = reply->integer;

    } else if (out->kind == REG_REDIS_TEXT || out->kind == REG_REDIS_REFUSED) {
        out->len = reply->len < sizeof(out->text) ? reply->len
                                                  : sizeof(out->text) - 1;
        memcpy(out->text, reply->str, out->len);
        out->text[out->len] = '\0';

        if (out->len < reply->len && out->kind == REG_REDIS_TEXT) {
            out->kind = REG_REDIS_ODD;
        }
    }
}


bool
reg_redis_is_quiet(const reg_redis_t *c)
{
    reg_error_t  err = REG_ERROR_INIT;

    return reg_redis_wait(c, POLLIN, 0, &err) == 0;
}


bool
reg_redis_refused(const reg_redis_reply_t *reply, const char *word)
{
    return reply->kind == REG_REDIS_REFUSED
           && strstr(reply->text, word) != NULL;
}


/* ---- calls --------------------------------------------------------------- */


static int
reg_redis_format(reg_buf_t *out, const reg_redis_command_t *command)
{
    const char  *args[REG_REDIS_ARGS];
    size_t       lens[REG_REDIS_ARGS];
    char        *text = NULL;
    int          n;

    for (size_t i = 0; i < command->n; i++) {
        args[i] = command->args[i].len > 0 ? command->args[i].data : "";
        lens[i] = command->args[i].len;
    }

    n = redisFormatCommandArgv(&text, (int) command->n, args, lens);

    if (n > 0) {
        reg_buf_put(out, text, (size_t) n);
    }

    redisFreeCommand(text);

    return n > 0 && reg_buf_ok(out) ? 0 : -1;
}


static int
reg_redis_ask(reg_redis_t *c, const reg_redis_command_t *commands, size_t n,
    int64_t until, reg_error_t *err)
{
    int        rc = -1;
    reg_buf_t  text = REG_BUF_INIT;

    for (size_t i = 0; i < n; i++) {
        if (reg_redis_format(&text, &commands[i]) == -1) {
            (void) reg_redis_fail(err, "out of memory");
            goto out;
        }
    }

    rc = reg_redis_send(c, reg_buf_str(&text), until, err);

out:
    reg_buf_free(&text);
    return rc;
}


/* One reply, which must come. */
static int
reg_redis_reply(reg_redis_t *c, redisReply **out, int64_t until,
    reg_error_t *err)
{
    if (reg_redis_read(c, out, until, err) == -1) {
        return -1;
    }

    return *out == NULL ? reg_redis_fail(err, "it did not answer in time") : 0;
}


/* One command and its reply, to be freed. */
static int
reg_redis_one(reg_redis_t *c, const reg_redis_command_t *command,
    redisReply **out, int ms, reg_error_t *err)
{
    int64_t  until = reg_redis_now() + ms;

    return reg_redis_ask(c, command, 1, until, err) == -1
           ? -1 : reg_redis_reply(c, out, until, err);
}


int
reg_redis_call(reg_redis_t *c, const reg_redis_command_t *commands, size_t n,
    reg_redis_reply_t *replies, int ms, reg_error_t *err)
{
    int64_t      until = reg_redis_now() + ms;
    redisReply  *reply;

    if (reg_redis_ask(c, commands, n, until, err) == -1) {
        return -1;
    }

    for (size_t i = 0; i < n; i++) {
        if (reg_redis_reply(c, &reply, until, err) == -1) {
            return -1;
        }

        reg_redis_value(reply, &replies[i]);
        freeReplyObject(reply);
    }

    return 0;
}


/* False if an entry is none. */
static bool
reg_redis_entries(const redisReply *list, const reg_redis_watch_t *item)
{
    for (size_t i = 0; i < list->elements; i++) {
        if (list->element[i]->type != REDIS_REPLY_STRING) {
            return false;
        }
    }

    for (size_t i = 0; i < list->elements; i++) {
        item->changed(item->ctx, (reg_str_t) { list->element[i]->len,
                                               list->element[i]->str });
    }

    return true;
}


int
reg_redis_list(reg_redis_t *c, const reg_redis_command_t *command,
    const reg_redis_watch_t *item, reg_redis_reply_t *reply, int ms,
    reg_error_t *err)
{
    redisReply  *r;

    if (reg_redis_one(c, command, &r, ms, err) == -1) {
        return -1;
    }

    reg_redis_value(r, reply);

    if (r->type == REDIS_REPLY_ARRAY && reg_redis_entries(r, item)) {
        reply->kind = REG_REDIS_LIST;
        reply->number = (int64_t) r->elements;
    }

    freeReplyObject(r);

    return 0;
}


/* ---- connecting ---------------------------------------------------------- */


static redisContext *
reg_redis_connect(const reg_redis_peer_t *to, reg_error_t *err)
{
    struct timeval  tv = { to->dial_ms / 1000, to->dial_ms % 1000 * 1000 };
    char            host[sizeof(to->address)];
    const char     *colon = strrchr(to->address, ':');
    int64_t         port = 6379;
    size_t          len = strlen(to->address);

    if (to->address[0] == '/') {
        return redisConnectUnixWithTimeout(to->address, tv);
    }

    if (colon != NULL) {
        len = (size_t) (colon - to->address);

        if (reg_str_int(reg_str_from(colon + 1), 65535, &port) == -1) {
            (void) reg_redis_fail(err, "its address has no port");
            return NULL;
        }
    }

    if (len > 1 && to->address[0] == '[' && to->address[len - 1] == ']') {
        (void) reg_str_copy(host, sizeof(host), (reg_str_t) {
                                len - 2, to->address + 1 });    /* fits */
    } else {
        (void) reg_str_copy(host, sizeof(host), (reg_str_t) {
                                len, to->address });            /* fits */
    }

    return redisConnectWithTimeout(host, (int) port, tv);
}


/* AUTH and SELECT, as far as they are needed; a PING tells whether that was
 * enough. */
static int
reg_redis_greet(reg_redis_t *c, const reg_redis_peer_t *to, reg_error_t *err)
{
    char                  db[24];
    size_t                n = 0;
    reg_redis_command_t   commands[3];
    reg_redis_reply_t     replies[3];
    const char           *user = to->username, *password = to->password;

    if (password != NULL && password[0] != '\0') {
        commands[n] = (reg_redis_command_t) { 2, { REG_STR("AUTH"),
                                                   reg_str_from(password) } };

        if (user != NULL && user[0] != '\0') {
            commands[n] = (reg_redis_command_t) {
                3, { REG_STR("AUTH"), reg_str_from(user),
                     reg_str_from(password) } };
        }

        n++;
    }

    if (to->db != 0) {
        (void) snprintf(db, sizeof(db), "%lld", (long long) to->db);
        commands[n++] = (reg_redis_command_t) { 2, { REG_STR("SELECT"),
                                                     reg_str_from(db) } };
    }

    commands[n++] = (reg_redis_command_t) { 1, { REG_STR("PING") } };

    if (reg_redis_call(c, commands, n, replies, to->call_ms, err) == -1) {
        return -1;
    }

    for (size_t i = 0; i < n; i++) {
        if (replies[i].kind != REG_REDIS_TEXT) {
            reg_str_t  text = { replies[i].len, replies[i].text };

            /* no more than a word: the rest may repeat the password */
            text = reg_str_cut(&text, ' ');
            return reg_error_set(err, REG_UNKNOWN, "it refuses %s (%.*s)",
                                 commands[i].args[0].data, REG_STR_ARG(text));
        }
    }

    return 0;
}


reg_redis_t *
reg_redis_dial(const reg_redis_peer_t *to, reg_error_t *err)
{
    int           flags;
    reg_redis_t  *c = calloc(1, sizeof(*c));

    if (c == NULL || (c->hi = reg_redis_connect(to, err)) == NULL) {
        (void) reg_redis_fail(err, "out of memory");
        goto failed;
    }

    if (c->hi->err != 0) {
        (void) reg_redis_fail(err, c->hi->errstr);
        goto failed;
    }

    flags = fcntl(c->hi->fd, F_GETFL);

    if (flags == -1
        || fcntl(c->hi->fd, F_SETFL, flags | O_NONBLOCK) == -1
        || fcntl(c->hi->fd, F_SETFD, FD_CLOEXEC) == -1)
    {
        (void) reg_redis_fail(err, strerror(errno));
        goto failed;
    }

    c->make = *c->hi->reader->fn;
    c->array = c->make.createArray;
    c->make.createArray = reg_redis_array;
    c->hi->reader->fn = &c->make;
    c->hi->reader->privdata = c;

    if (reg_redis_greet(c, to, err) == 0) {
        return c;
    }

failed:
    reg_redis_close(c);
    return NULL;
}


void
reg_redis_close(reg_redis_t *c)
{
    if (c != NULL) {
        if (c->hi != NULL) {
            redisFree(c->hi);
        }

        free(c);
    }
}


/* ---- questions ----------------------------------------------------------- */


/* The value of a line "field:value" of INFO; empty if there is none. */
static reg_str_t
reg_redis_info(reg_str_t text, reg_str_t field)
{
    while (text.len > 0) {
        reg_str_t  value = reg_str_cut(&text, '\n');
        reg_str_t  name = reg_str_cut(&value, ':');

        if (reg_str_eq(name, field)) {
            return reg_str_cut(&value, '\r');
        }
    }

    return REG_STR_NULL;
}


int
reg_redis_identify(reg_redis_t *c, char run[REG_REDIS_RUN], bool *is_master,
    int ms, reg_error_t *err)
{
    redisReply  *reply;
    reg_str_t    text, value;

    const reg_redis_command_t  command = { 1, { REG_STR("INFO") } };

    run[0] = '\0';
    *is_master = true;

    if (reg_redis_one(c, &command, &reply, ms, err) == -1) {
        return -1;
    }

    if (reply->type == REDIS_REPLY_STRING) {
        text = (reg_str_t) { reply->len, reply->str };
        value = reg_redis_info(text, REG_STR("run_id"));
        (void) reg_str_copy(run, REG_REDIS_RUN, value);   /* or it is none */
        value = reg_redis_info(text, REG_STR("role"));
        *is_master = value.len == 0 || reg_str_eq(value, REG_STR("master"));
    }

    freeReplyObject(reply);

    return 0;
}


int
reg_redis_master(reg_redis_t *sentinel, const char *name, char address[256],
    int ms, reg_error_t *err)
{
    int          n, rc = -1;
    redisReply  *r;

    const reg_redis_command_t  command = {
        3, { REG_STR("SENTINEL"), REG_STR("get-master-addr-by-name"),
             reg_str_from(name) }
    };

    if (reg_redis_one(sentinel, &command, &r, ms, err) == -1) {
        return -1;
    }

    if (r->type == REDIS_REPLY_ARRAY && r->elements == 2
        && r->element[0]->type == REDIS_REPLY_STRING
        && r->element[1]->type == REDIS_REPLY_STRING)
    {
        n = snprintf(address, 256,
                     strchr(r->element[0]->str, ':') != NULL ? "[%s]:%s"
                                                             : "%s:%s",
                     r->element[0]->str, r->element[1]->str);
        rc = n > 0 && n < 256 ? 0 : -1;
    }

    if (rc == -1) {
        (void) reg_error_set(err, REG_UNKNOWN, "the Sentinel knows no master"
                             " \"%.60s\"", name);
    }

    freeReplyObject(r);

    return rc;
}


static void
reg_redis_keys(const redisReply *list, const reg_redis_watch_t *watch)
{
    for (size_t i = 0; i < list->elements; i++) {
        const redisReply  *key = list->element[i];

        if (key->type == REDIS_REPLY_STRING && key->len > 0) {
            watch->changed(watch->ctx, (reg_str_t) { key->len, key->str });
        }
    }
}


int
reg_redis_scan(reg_redis_t *c, uint64_t *cursor, const char *pattern,
    const reg_redis_watch_t *item, int ms, reg_error_t *err)
{
    char         at[24];
    int          rc = -1;
    redisReply  *r;

    (void) snprintf(at, sizeof(at), "%llu", (unsigned long long) *cursor);

    const reg_redis_command_t  command = {
        6, { REG_STR("SCAN"), reg_str_from(at), REG_STR("MATCH"),
             reg_str_from(pattern), REG_STR("COUNT"), REG_STR("500") }
    };

    if (reg_redis_one(c, &command, &r, ms, err) == -1) {
        return -1;
    }

    if (r->type == REDIS_REPLY_ARRAY && r->elements == 2
        && r->element[0]->type == REDIS_REPLY_STRING
        && r->element[1]->type == REDIS_REPLY_ARRAY)
    {
        *cursor = strtoull(r->element[0]->str, NULL, 10);
        reg_redis_keys(r->element[1], item);
        rc = 0;

    } else {
        (void) reg_error_set(err, REG_UNKNOWN, "SCAN is refused: %.120s",
                             r->type == REDIS_REPLY_ERROR ? r->str : "");
    }

    freeReplyObject(r);

    return rc;
}


/* ---- changes ------------------------------------------------------------- */


/* What SUBSCRIBE says is no plain value. */
static int
reg_redis_subscribe(reg_redis_t *c, int ms, reg_error_t *err)
{
    int          done;
    redisReply  *reply;

    const reg_redis_command_t  command = {
        2, { REG_STR("SUBSCRIBE"), REG_STR(REG_REDIS_CHANNEL) }
    };

    if (reg_redis_one(c, &command, &reply, ms, err) == -1) {
        return -1;
    }

    done = reply->type == REDIS_REPLY_ARRAY;
    freeReplyObject(reply);

    return done;
}


int
reg_redis_track(reg_redis_t *control, reg_redis_t *listener,
    const char *prefix, int ms, reg_error_t *err)
{
    int                rc;
    char               id[24];
    reg_redis_reply_t  reply;

    const reg_redis_command_t  whoami = { 2, { REG_STR("CLIENT"),
                                               REG_STR("ID") } };

    if (reg_redis_call(listener, &whoami, 1, &reply, ms, err) == -1) {
        return -1;
    }

    if (reply.kind != REG_REDIS_NUMBER) {
        return 0;
    }

    (void) snprintf(id, sizeof(id), "%lld", (long long) reply.number);
    rc = reg_redis_subscribe(listener, ms, err);

    if (rc != 1) {
        return rc;
    }

    const reg_redis_command_t  track = {
        8, { REG_STR("CLIENT"), REG_STR("TRACKING"), REG_STR("ON"),
             REG_STR("REDIRECT"), reg_str_from(id), REG_STR("BCAST"),
             REG_STR("PREFIX"), reg_str_from(prefix) }
    };

    if (reg_redis_call(control, &track, 1, &reply, ms, err) == -1) {
        return -1;
    }

    return reply.kind == REG_REDIS_TEXT;
}


int
reg_redis_ping(reg_redis_t *listener, int ms, reg_error_t *err)
{
    const reg_redis_command_t  ping = { 1, { REG_STR("PING") } };

    return reg_redis_ask(listener, &ping, 1, reg_redis_now() + ms, err);
}


static bool
reg_redis_is(const redisReply *reply, const char *text)
{
    return (reply->type == REDIS_REPLY_STRING
            || reply->type == REDIS_REPLY_STATUS)
           && reg_str_eq_nocase((reg_str_t) { reply->len, reply->str },
                                reg_str_from(text));
}


/* [message, channel, keys] or [pong, ""].  1 for a pong, -1 for nonsense. */
static int
reg_redis_message(const redisReply *r, const reg_redis_watch_t *watch)
{
    if (reg_redis_is(r, "PONG")) {
        return 1;                        /* before the first subscription */
    }

    if (r->type != REDIS_REPLY_ARRAY || r->elements < 2) {
        return -1;
    }

    if (reg_redis_is(r->element[0], "pong")) {
        return 1;
    }

    if (!reg_redis_is(r->element[0], "message") || r->elements != 3) {
        return -1;
    }

    if (r->element[2]->type == REDIS_REPLY_ARRAY) {
        reg_redis_keys(r->element[2], watch);
    } else {
        watch->changed(watch->ctx, REG_STR_NULL);        /* FLUSHDB, or odd */
    }

    return 0;
}


int
reg_redis_listen(reg_redis_t *listener, int ms,
    const reg_redis_watch_t *watch, reg_error_t *err)
{
    int          rc;
    int64_t      until = reg_redis_now() + ms;
    redisReply  *reply;

    for ( ;; ) {
        if (reg_redis_read(listener, &reply, until, err) == -1) {
            return -1;
        }

        if (reply == NULL) {
            return 0;
        }

        rc = reg_redis_message(reply, watch);
        freeReplyObject(reply);

        if (rc == -1) {
            return reg_redis_fail(err, "it tells of changes in an unknown"
                                  " way");
        }

        if (rc == 1 || reg_redis_now() > until) {
            return rc;
        }
    }
}
