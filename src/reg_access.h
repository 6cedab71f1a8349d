/*
 * reg_access: from a header to a decision.
 *
 * Every request passes here, in the worker; nginx asks for what it serves by
 * itself (fcgi_access.h) and keeps the answer for a while.
 *
 *     Authorization ── who is that ──▶ reg_login_t ── policy ──▶ verdict
 *        Basic    htpasswd, robots; who fails waits before the next try
 *        Bearer   tokens of ours, of another issuer
 *        none     anybody
 *
 * What somebody may do is the policy's word, but for what is carried along:
 *
 *     anybody               policy
 *     an account            policy
 *     a robot               what it was given, and what is everybody's
 *     another's token       what it carries, and what is everybody's
 *     a token of ours       what its account or robot may, and only so much of
 *                           it as it carries
 *
 * Without a policy in the configuration, who can log in may do everything but
 * administer, and others nothing; if nobody can log in either, everybody may do
 * everything ("open"), as in Distribution.
 *
 *     rc = reg_access_open(&access, config, store, throttle, err);
 *     …
 *     if (reg_access_decide(access, &ask, &verdict, err) == 0
 *         && verdict.result == REG_ACCESS_ALLOWED)
 *     …
 *     reg_login_release(verdict.login);
 *     …
 *     reg_access_close(access);
 *
 * One per process, used by all its threads.
 *
 * Blocks: disk, and network where there is a directory (reg_verifiers.h)
 */

#ifndef REG_ACCESS_H
#define REG_ACCESS_H

#include "reg_config.h"
#include "reg_login.h"
#include "reg_store.h"
#include "reg_throttle.h"

typedef struct reg_access_s  reg_access_t;

typedef enum {
    REG_ACCESS_ALLOWED,
    REG_ACCESS_LOGIN,        /* who is not logged in may not: 401 */
    REG_ACCESS_WRONG,        /* the credentials are wrong or over: 401 */
    REG_ACCESS_SHORT,        /* the token carries too little: 401 */
    REG_ACCESS_DENIED,       /* known, and may not: 403 */
    REG_ACCESS_SLOW          /* too many failures before: 429 */
} reg_access_result_t;

typedef struct {
    reg_str_t           authorization;   /* the header's value, or empty */
    reg_str_t           client;          /* address */
    const reg_name_t   *name;            /* NULL: the registry as a whole */
    reg_actions_t       actions;         /* all are needed; 0: to come in */
    time_t              now;
} reg_access_ask_t;

typedef struct {
    reg_access_result_t   result;
    reg_login_t          *login;         /* held; NULL if it is not known */
    time_t                until;         /* ALLOWED: may be kept till then;
                                            0: it has no end of its own */
    int64_t               wait;          /* SLOW: seconds */
    bool                  bearer;        /* a token was shown */
    char                  why[128];      /* for the log, or "" */
} reg_access_verdict_t;

/* How clients are told to log in. */
typedef enum {
    REG_ACCESS_NOBODY,       /* nobody can */
    REG_ACCESS_BASIC,
    REG_ACCESS_TOKENS,       /* at our token server */
    REG_ACCESS_ISSUER        /* at another issuer's */
} reg_access_way_t;


/* store and throttle (NULL: nobody is slowed down) must live as long as what
 * is opened. */
int reg_access_open(reg_access_t **access, const reg_config_t *config,
    reg_store_t *store, reg_throttle_t *throttle, reg_error_t *err);
void reg_access_close(reg_access_t *access);             /* NULL is allowed */

/* 0 and a verdict, whose login the caller releases; -1 if it cannot be told
 * (a disk that fails): then nobody comes in. */
int reg_access_decide(reg_access_t *access, const reg_access_ask_t *ask,
    reg_access_verdict_t *verdict, reg_error_t *err);

/* A password: verdict->result is ALLOWED, WRONG or SLOW.  Of from, the client
 * and the time count. */
int reg_access_login(reg_access_t *access, reg_str_t user, reg_str_t password,
    const reg_access_ask_t *from, reg_access_verdict_t *verdict,
    reg_error_t *err);

/* A refresh token of ours, the same. */
int reg_access_refresh(reg_access_t *access, reg_str_t token,
    const reg_access_ask_t *from, reg_access_verdict_t *verdict,
    reg_error_t *err);

/* Basic credentials of a header, or none (ALLOWED, without a login): what a
 * token server takes. */
int reg_access_basic(reg_access_t *access, const reg_access_ask_t *from,
    reg_access_verdict_t *verdict, reg_error_t *err);

/* Appends a token of ours for a login (NULL: for anybody), with what of asked
 * it may do, which goes to granted; with asked NULL a refresh token. */
int reg_access_issue(reg_access_t *access, const reg_login_t *login,
    const reg_grants_t *asked, time_t now, reg_buf_t *token,
    reg_grants_t *granted, reg_error_t *err);

/* Appends the keys that our tokens are verified with.  -1 with NOT_FOUND if we
 * issue none. */
int reg_access_keys(reg_access_t *access, reg_buf_t *out, reg_error_t *err);

/* What a login may do to a repository, or with NULL to the registry.  login
 * NULL is anybody. */
reg_actions_t reg_access_grant(const reg_access_t *access,
    const reg_login_t *login, const reg_name_t *name);

/* The next thing that an operator should know of the files that were read: 1
 * and a sentence, or 0. */
int reg_access_message(reg_access_t *access, char *out, size_t size);

/* Whether a login only lacks a token of ours that carries more. */
bool reg_access_is_short(const reg_access_t *access, const reg_login_t *login,
    const reg_name_t *name, reg_actions_t actions);

/* What a client that must log in is told. */
reg_access_way_t reg_access_way(const reg_access_t *access);

/* What holds without a policy in the configuration; the caller frees it. */
reg_policy_t *reg_access_default(const reg_config_t *config, reg_error_t *err);

/* Appends a sentence on who may come in, for a person. */
void reg_access_describe(const reg_config_t *config, reg_buf_t *out);

/* True if everybody may do everything. */
bool reg_access_is_open(const reg_access_t *access);

#endif
