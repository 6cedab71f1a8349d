/*
 * reg_throttle: who fails to log in waits before the next try.
 *
 *     reg_throttle_t  *t = reg_throttle_create(err);    before workers fork
 *
 *     wait = reg_throttle_wait(t, &key, now);
 *     if (wait > 0) …                      429, Retry-After; nothing is tried
 *     … verify …
 *     reg_throttle_failed(t, &key, now);            or reg_throttle_passed()
 *     reg_throttle_free(t);
 *
 * Failures are counted three ways; each count falls by one in a while:
 *
 *     this account, this address    5 are free, then 1 s, 2 s, 4 s … 60 s;
 *                                   falls every 2 minutes
 *     this address, any account     30 are free, then 1 s, 2 s … 30 s;
 *                                   falls every 10 s
 *     this account, any address     never makes anybody wait; from 50 on only
 *                                   one failure of an address is free instead
 *                                   of 5; falls every 10 s
 *
 * Thus nobody is locked out by what others do from elsewhere, not even while
 * thousands of addresses try one account: from a new address there is a try,
 * at once.  Who has logged in to an account from an address within a day does
 * not wait for what others do from that address (an office, a proxy) with other
 * accounts.  A guesser has 5 tries and then about one a minute for an account
 * and an address, about six a minute for all accounts from one address.
 *
 * A try counts when it ends, so of the free ones as many can run at the same
 * time as there are threads of workers.  When there is a wait, whoever is let
 * through has claimed the try: others wait until it has ended well, or for as
 * long as before.
 *
 * Accounts are the same in any case of ASCII letters, as most directories take
 * them.
 *
 * An address is that of a client, as text; of IPv6 its first 64 bits count,
 * which is what one client has.  What is kept is a keyed hash, with a key that
 * lives as long as the table.  The table has a fixed size, is shared by the
 * processes that fork after it is made, and safe to use from all their threads;
 * when it is full, who failed least and longest ago makes room.  It starts
 * empty when the worker is started anew.
 *
 * now is in milliseconds of a clock that is the same for all (CLOCK_MONOTONIC).
 *
 * Blocks: never
 */

#ifndef REG_THROTTLE_H
#define REG_THROTTLE_H

#include "reg_error.h"

typedef struct reg_throttle_s  reg_throttle_t;

typedef struct {
    reg_str_t  account;
    reg_str_t  address;
} reg_throttle_key_t;


reg_throttle_t *reg_throttle_create(reg_error_t *err);
void reg_throttle_free(reg_throttle_t *t);               /* NULL is allowed */

/* Milliseconds to wait; 0: go on, and say how it ended. */
int64_t reg_throttle_wait(reg_throttle_t *t, const reg_throttle_key_t *key,
    int64_t now);

/* How the try ended. */
void reg_throttle_failed(reg_throttle_t *t, const reg_throttle_key_t *key,
    int64_t now);
void reg_throttle_passed(reg_throttle_t *t, const reg_throttle_key_t *key,
    int64_t now);

#endif
