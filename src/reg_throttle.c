#include "reg_throttle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>


#define REG_THROTTLE_SETS     1024
#define REG_THROTTLE_WAYS     8
#define REG_THROTTLE_KEY      32

/* counts are in thousandths, so that they can fall bit by bit */
#define REG_THROTTLE_ONE      1000
#define REG_THROTTLE_MOST     (100 * REG_THROTTLE_ONE)

#define REG_THROTTLE_ATTACK   (50 * REG_THROTTLE_ONE)
#define REG_THROTTLE_TRUST    (24 * 60 * 60 * 1000)

/* a login that was right is kept rather than somebody's second failure */
#define REG_THROTTLE_TRUSTED  (2 * REG_THROTTLE_ONE)

typedef enum {
    REG_THROTTLE_PAIR,
    REG_THROTTLE_ADDRESS,
    REG_THROTTLE_ACCOUNT,
    REG_THROTTLE_KINDS
} reg_throttle_kind_t;

static const struct {
    int      free;                       /* failures without a wait */
    int64_t  longest;                    /* wait, ms */
    int64_t  fall;                       /* ms for one failure less */
} reg_throttle_kinds[REG_THROTTLE_KINDS] = {
    [REG_THROTTLE_PAIR] = { 5, 60000, 120000 },
    [REG_THROTTLE_ADDRESS] = { 30, 30000, 10000 },
    [REG_THROTTLE_ACCOUNT] = { 0, 0, 10000 },
};

typedef struct {
    uint64_t  tag;                       /* 0: free */
    int64_t   last;                      /* when count was set */
    int64_t   tried;                     /* when somebody was let through who
                                            would have had to wait next */
    int64_t   count;
    int64_t   trusted;                   /* until then; 0: not */
} reg_throttle_entry_t;

struct reg_throttle_s {
    pthread_mutex_t       lock;
    unsigned char         key[REG_THROTTLE_KEY];
    reg_throttle_entry_t  sets[REG_THROTTLE_SETS][REG_THROTTLE_WAYS];
};

/* Where a key is to be found. */
typedef struct {
    reg_throttle_kind_t    kind;
    uint64_t               tag;
    reg_throttle_entry_t  *set;
} reg_throttle_place_t;


/* ---- places -------------------------------------------------------------- */


/* What of an address counts; text is used as it is if it is none. */
static reg_str_t
reg_throttle_address(reg_str_t address, unsigned char bytes[16])
{
    static const unsigned char  mapped[12] = {
        [10] = 0xff, [11] = 0xff
    };
    char                        text[INET6_ADDRSTRLEN];

    if (reg_str_copy(text, sizeof(text), address) == -1) {
        return address;
    }

    if (inet_pton(AF_INET, text, bytes) == 1) {
        return (reg_str_t) { 4, (char *) bytes };
    }

    if (inet_pton(AF_INET6, text, bytes) != 1) {
        return address;
    }

    return memcmp(bytes, mapped, sizeof(mapped)) == 0
           ? (reg_str_t) { 4, (char *) bytes + sizeof(mapped) }
           : (reg_str_t) { 8, (char *) bytes };
}


/* To a directory Alice is alice: other letters are no new account to guess. */
static void
reg_throttle_account(reg_buf_t *text, reg_str_t account)
{
    for (size_t i = 0; i < account.len; i++) {
        char  c = account.data[i];

        c = c >= 'A' && c <= 'Z' ? (char) (c | 0x20) : c;
        reg_buf_put(text, &c, 1);
    }
}


/* -1 without memory: then nothing is known, and nobody waits. */
static int
reg_throttle_find_place(reg_throttle_t *t, reg_throttle_kind_t kind,
    const reg_throttle_key_t *key, reg_throttle_place_t *place)
{
    int            rc = -1;
    char           head[32];
    unsigned char  address[16], hash[EVP_MAX_MD_SIZE];
    uint64_t       words[2];
    reg_buf_t      text = REG_BUF_INIT;
    reg_str_t      from = reg_throttle_address(key->address, address);

    if (kind == REG_THROTTLE_ACCOUNT) {
        from = REG_STR_NULL;
    }

    (void) snprintf(head, sizeof(head), "%d:%zu:", (int) kind, from.len);
    reg_buf_puts(&text, head);
    reg_buf_putstr(&text, from);

    if (kind != REG_THROTTLE_ADDRESS) {
        reg_throttle_account(&text, key->account);
    }

    if (reg_buf_ok(&text)
        && HMAC(EVP_sha256(), t->key, sizeof(t->key),
                (const unsigned char *) text.data, text.len, hash, NULL)
           != NULL)
    {
        memcpy(words, hash, sizeof(words));
        place->kind = kind;
        place->tag = words[0] | 1;
        place->set = t->sets[words[1] % REG_THROTTLE_SETS];
        rc = 0;
    }

    reg_buf_free(&text);

    return rc;
}


static int
reg_throttle_find_places(reg_throttle_t *t, const reg_throttle_key_t *key,
    reg_throttle_place_t places[REG_THROTTLE_KINDS])
{
    for (int kind = 0; kind < REG_THROTTLE_KINDS; kind++) {
        if (reg_throttle_find_place(t, (reg_throttle_kind_t) kind, key,
                                    &places[kind]) == -1)
        {
            return -1;
        }
    }

    return 0;
}


/* ---- entries, under the lock --------------------------------------------- */


static void
reg_throttle_lock(reg_throttle_t *t)
{
    /* who held it was killed: a number may be half of an update, which does no
     * more than let somebody wait or not */
    if (pthread_mutex_lock(&t->lock) == EOWNERDEAD) {
        (void) pthread_mutex_consistent(&t->lock);
    }
}


static reg_throttle_entry_t *
reg_throttle_entry(const reg_throttle_place_t *place)
{
    for (size_t i = 0; i < REG_THROTTLE_WAYS; i++) {
        if (place->set[i].tag == place->tag) {
            return &place->set[i];
        }
    }

    return NULL;
}


/* What is left of a count. */
static int64_t
reg_throttle_count(const reg_throttle_entry_t *e, int64_t fall, int64_t now)
{
    int64_t  age = now > e->last ? now - e->last : 0;
    int64_t  left = e->count - age * REG_THROTTLE_ONE / fall;

    return left > 0 ? left : 0;
}


/* The less, the sooner it is taken for somebody else.  Entries of a set are of
 * all kinds: they fall as fast as the slowest, which is good enough here. */
static int64_t
reg_throttle_interest(const reg_throttle_entry_t *e, int64_t now)
{
    return e->tag == 0 ? -1
           : reg_throttle_count(e, reg_throttle_kinds[REG_THROTTLE_PAIR].fall,
                                now)
             + (e->trusted > now ? REG_THROTTLE_TRUSTED : 0);
}


/* The entry of a key, made if need be. */
static reg_throttle_entry_t *
reg_throttle_take(const reg_throttle_place_t *place, int64_t now)
{
    reg_throttle_entry_t  *least = reg_throttle_entry(place);
    int64_t                interest, lowest;

    if (least != NULL) {
        return least;
    }

    least = &place->set[0];
    lowest = reg_throttle_interest(least, now);

    for (size_t i = 1; i < REG_THROTTLE_WAYS; i++) {
        interest = reg_throttle_interest(&place->set[i], now);

        if (interest < lowest
            || (interest == lowest && place->set[i].last < least->last))
        {
            least = &place->set[i];
            lowest = interest;
        }
    }

    *least = (reg_throttle_entry_t) { .tag = place->tag, .last = now };

    return least;
}


/* Failures that are not free, of what is left of them; a part of one is one. */
static int64_t
reg_throttle_over(const reg_throttle_place_t *place,
    const reg_throttle_entry_t *e, int max_free, int64_t now)
{
    int64_t  count = reg_throttle_count(e,
                                        reg_throttle_kinds[place->kind].fall,
                                        now);

    return (count + REG_THROTTLE_ONE - 1) / REG_THROTTLE_ONE - max_free;
}


static int64_t
reg_throttle_left(const reg_throttle_place_t *place, int max_free, int64_t now)
{
    const reg_throttle_entry_t  *e = reg_throttle_entry(place);
    int64_t                      longest, wait, over, since;

    if (e == NULL) {
        return 0;
    }

    longest = reg_throttle_kinds[place->kind].longest;
    over = e->tried > e->last ? reg_throttle_over(place, e, max_free, e->tried)
                              : e->count / REG_THROTTLE_ONE - max_free;

    if (over < 0) {
        return 0;
    }

    wait = over < 16 ? INT64_C(1000) << over : longest;
    wait = wait < longest ? wait : longest;

    since = e->last > e->tried ? e->last : e->tried;

    /* a clock that went back must not make it longer */
    return now < since ? wait : since + wait > now ? since + wait - now : 0;
}


/* Who was to wait and has done so has one try: those that come before it has
 * ended wait on. */
static void
reg_throttle_claim(const reg_throttle_place_t *place, int max_free, int64_t now)
{
    reg_throttle_entry_t  *e = reg_throttle_entry(place);

    if (e != NULL && reg_throttle_over(place, e, max_free, now) >= 0) {
        e->tried = now;
    }
}


/* ---- for the caller ------------------------------------------------------ */


reg_throttle_t *
reg_throttle_create(reg_error_t *err)
{
    pthread_mutexattr_t  how;
    reg_throttle_t      *t;

    t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (t == MAP_FAILED) {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "mmap", "");
        return NULL;
    }

    if (pthread_mutexattr_init(&how) != 0) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "make", "a lock");
        (void) munmap(t, sizeof(*t));
        return NULL;
    }

    /* neither fails for a value that is one */
    (void) pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    (void) pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);

    if (pthread_mutex_init(&t->lock, &how) != 0
        || getrandom(t->key, sizeof(t->key), 0) != (ssize_t) sizeof(t->key))
    {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "make", "a lock");
        (void) munmap(t, sizeof(*t));
        t = NULL;
    }

    (void) pthread_mutexattr_destroy(&how);

    return t;
}


void
reg_throttle_free(reg_throttle_t *t)
{
    if (t != NULL) {
        /* the lock stays: other processes may have the table too */
        (void) munmap(t, sizeof(*t));
    }
}


int64_t
reg_throttle_wait(reg_throttle_t *t, const reg_throttle_key_t *key,
    int64_t now)
{
    int                          max_free, address_free = INT_MAX;
    int64_t                      wait, other;
    reg_throttle_place_t         places[REG_THROTTLE_KINDS];
    const reg_throttle_entry_t  *pair, *account;

    if (reg_throttle_find_places(t, key, places) == -1) {
        return 0;
    }

    reg_throttle_lock(t);

    pair = reg_throttle_entry(&places[REG_THROTTLE_PAIR]);
    account = reg_throttle_entry(&places[REG_THROTTLE_ACCOUNT]);
    max_free = reg_throttle_kinds[REG_THROTTLE_PAIR].free;

    if (account != NULL
        && reg_throttle_count(account,
                              reg_throttle_kinds[REG_THROTTLE_ACCOUNT].fall,
                              now) >= REG_THROTTLE_ATTACK
        && (pair == NULL || pair->trusted <= now))
    {
        max_free = 1;
    }

    wait = reg_throttle_left(&places[REG_THROTTLE_PAIR], max_free, now);

    if (pair == NULL || pair->trusted <= now) {
        address_free = reg_throttle_kinds[REG_THROTTLE_ADDRESS].free;
        other = reg_throttle_left(&places[REG_THROTTLE_ADDRESS], address_free,
                                  now);
        wait = wait > other ? wait : other;
    }

    if (wait == 0) {
        reg_throttle_claim(&places[REG_THROTTLE_PAIR], max_free, now);
        reg_throttle_claim(&places[REG_THROTTLE_ADDRESS], address_free, now);
    }

    (void) pthread_mutex_unlock(&t->lock);

    return wait;
}


void
reg_throttle_failed(reg_throttle_t *t, const reg_throttle_key_t *key,
    int64_t now)
{
    reg_throttle_place_t  places[REG_THROTTLE_KINDS];

    if (reg_throttle_find_places(t, key, places) == -1) {
        return;
    }

    reg_throttle_lock(t);

    for (int kind = 0; kind < REG_THROTTLE_KINDS; kind++) {
        reg_throttle_entry_t  *e = reg_throttle_take(&places[kind], now);

        e->count = reg_throttle_count(e, reg_throttle_kinds[kind].fall, now)
                   + REG_THROTTLE_ONE;

        if (e->count > REG_THROTTLE_MOST) {
            e->count = REG_THROTTLE_MOST;
        }

        e->last = now;
    }

    (void) pthread_mutex_unlock(&t->lock);
}


void
reg_throttle_passed(reg_throttle_t *t, const reg_throttle_key_t *key,
    int64_t now)
{
    reg_throttle_place_t   place;
    reg_throttle_entry_t  *e;

    if (reg_throttle_find_place(t, REG_THROTTLE_PAIR, key, &place) == -1) {
        return;
    }

    reg_throttle_lock(t);
    e = reg_throttle_take(&place, now);
    e->count = 0;
    e->tried = 0;
    e->last = now;
    e->trusted = now + REG_THROTTLE_TRUST;
    (void) pthread_mutex_unlock(&t->lock);
}
