#include "reg_tagmap.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "reg_hash.h"


#define REG_TAGMAP_WAYS   8
#define REG_TAGMAP_LOCKS  64
#define REG_TAGMAP_KEY    32
#define REG_TAGMAP_BIN    64            /* of a sha512 */


typedef struct {
    unsigned char  id[REG_TAGMAP_ID];
    unsigned char  digest[REG_TAGMAP_BIN];
    int64_t        until;               /* 0: nobody's */
    uint32_t       flushes;
    uint32_t       alg;
} reg_tagmap_entry_t;

typedef struct {
    reg_tagmap_entry_t  entries[REG_TAGMAP_WAYS];
    uint32_t            age;
} reg_tagmap_set_t;

struct reg_tagmap_s {
    unsigned char       key[REG_TAGMAP_KEY];
    size_t              n;
    reg_tagmap_set_t   *sets;           /* owned; NULL: it keeps nothing */
    _Atomic uint32_t    flushes;
    pthread_mutex_t     locks[REG_TAGMAP_LOCKS];
};


reg_tagmap_t *
reg_tagmap_create(size_t bytes, reg_error_t *err)
{
    reg_tagmap_t  *map = calloc(1, sizeof(*map));

    if (map == NULL) {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    map->n = bytes / sizeof(reg_tagmap_set_t);

    for (size_t i = 0; i < REG_TAGMAP_LOCKS; i++) {
        (void) pthread_mutex_init(&map->locks[i], NULL);  /* cannot fail */
    }

    if (getrandom(map->key, sizeof(map->key), 0)
        != (ssize_t) sizeof(map->key))
    {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "");
        reg_tagmap_free(map);
        return NULL;
    }

    /* pages that nobody writes to cost nothing */
    if (map->n > 0
        && (map->sets = calloc(map->n, sizeof(*map->sets))) == NULL)
    {
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        reg_tagmap_free(map);
        return NULL;
    }

    return map;
}


void
reg_tagmap_free(reg_tagmap_t *map)
{
    if (map == NULL) {
        return;
    }

    for (size_t i = 0; i < REG_TAGMAP_LOCKS; i++) {
        (void) pthread_mutex_destroy(&map->locks[i]);    /* nobody holds it */
    }

    free(map->sets);
    free(map);
}


/* Neither a name nor a tag has a line end in it. */
static void
reg_tagmap_id(const reg_tagmap_t *map, const reg_name_t *name,
    const reg_tag_t *tag, reg_tagmap_ticket_t *ticket)
{
    reg_hash_t     h;
    unsigned char  hash[SHA256_DIGEST_LENGTH];
    uint64_t       number;

    reg_hash_init(&h, REG_SHA256);
    reg_hash_update(&h, map->key, sizeof(map->key));
    reg_hash_update(&h, name->text, name->len);
    reg_hash_update(&h, "\n", 1);
    reg_hash_update(&h, tag->text, tag->len);
    reg_hash_binary(&h, hash);

    memcpy(ticket->id, hash, sizeof(ticket->id));
    memcpy(&number, hash + sizeof(ticket->id), sizeof(number));
    ticket->set = map->n > 0 ? (size_t) (number % map->n) : 0;
}


static pthread_mutex_t *
reg_tagmap_lock(reg_tagmap_t *map, size_t set)
{
    pthread_mutex_t  *lock = &map->locks[set % REG_TAGMAP_LOCKS];

    (void) pthread_mutex_lock(lock);              /* fails for misuse only */

    return lock;
}


static reg_tagmap_entry_t *
reg_tagmap_find(reg_tagmap_t *map, const reg_tagmap_ticket_t *ticket)
{
    reg_tagmap_set_t  *set = &map->sets[ticket->set];

    for (size_t i = 0; i < REG_TAGMAP_WAYS; i++) {
        reg_tagmap_entry_t  *e = &set->entries[i];

        if (e->until != 0
            && memcmp(e->id, ticket->id, sizeof(e->id)) == 0)
        {
            return e;
        }
    }

    return NULL;
}


bool
reg_tagmap_get(reg_tagmap_t *map, const reg_name_t *name,
    const reg_tag_t *tag, int64_t now, reg_digest_t *d,
    reg_tagmap_ticket_t *ticket)
{
    bool                 found = false;
    reg_tagmap_entry_t  *e;
    pthread_mutex_t     *lock;

    reg_tagmap_id(map, name, tag, ticket);
    ticket->flushes = atomic_load(&map->flushes);
    ticket->age = 0;

    if (map->sets == NULL) {
        return false;
    }

    lock = reg_tagmap_lock(map, ticket->set);
    e = reg_tagmap_find(map, ticket);
    ticket->age = map->sets[ticket->set].age;

    if (e != NULL && e->flushes == ticket->flushes && now < e->until) {
        reg_digest_format(d, (reg_alg_t) e->alg, e->digest);
        found = true;
    }

    (void) pthread_mutex_unlock(lock);

    return found;
}


/* Where a new entry goes: its own place, or that of the one which ends first.
 * What was flushed or belongs to nobody ends before all. */
static reg_tagmap_entry_t *
reg_tagmap_place(reg_tagmap_t *map, const reg_tagmap_ticket_t *ticket)
{
    reg_tagmap_set_t    *set = &map->sets[ticket->set];
    reg_tagmap_entry_t  *e = reg_tagmap_find(map, ticket);
    int64_t              least = INT64_MAX;

    if (e != NULL) {
        return e;
    }

    e = &set->entries[0];

    for (size_t i = 0; i < REG_TAGMAP_WAYS; i++) {
        reg_tagmap_entry_t  *other = &set->entries[i];

        if (other->flushes != ticket->flushes) {
            other->until = 0;
        }

        if (other->until < least) {
            least = other->until;
            e = other;
        }
    }

    return e;
}


/* Two hexadecimal digits, which reg_digest_parse() has seen. */
static unsigned char
reg_tagmap_byte(const char *hex)
{
    unsigned  n = 0;

    for (int i = 0; i < 2; i++) {
        unsigned  c = (unsigned char) hex[i];

        n = n << 4 | (c <= '9' ? c - '0' : c - 'a' + 10);
    }

    return (unsigned char) n;
}


void
reg_tagmap_put(reg_tagmap_t *map, const reg_tagmap_ticket_t *ticket,
    const reg_digest_t *d, int64_t until)
{
    reg_tagmap_entry_t  *e;
    pthread_mutex_t     *lock;

    if (map->sets == NULL || until <= 0) {
        return;
    }

    assert(reg_alg_size(d->alg) <= REG_TAGMAP_BIN);
    lock = reg_tagmap_lock(map, ticket->set);

    if (map->sets[ticket->set].age == ticket->age
        && atomic_load(&map->flushes) == ticket->flushes)
    {
        e = reg_tagmap_place(map, ticket);
        memcpy(e->id, ticket->id, sizeof(e->id));

        for (size_t i = 0; i < reg_alg_size(d->alg); i++) {
            e->digest[i] = reg_tagmap_byte(reg_digest_hex(d) + 2 * i);
        }

        e->alg = (uint32_t) d->alg;
        e->until = until;
        e->flushes = ticket->flushes;
    }

    (void) pthread_mutex_unlock(lock);
}


void
reg_tagmap_drop(reg_tagmap_t *map, const reg_name_t *name,
    const reg_tag_t *tag)
{
    reg_tagmap_ticket_t  ticket;
    reg_tagmap_entry_t  *e;
    pthread_mutex_t     *lock;

    if (map->sets == NULL) {
        return;
    }

    reg_tagmap_id(map, name, tag, &ticket);
    lock = reg_tagmap_lock(map, ticket.set);
    map->sets[ticket.set].age++;
    e = reg_tagmap_find(map, &ticket);

    if (e != NULL) {
        e->until = 0;
    }

    (void) pthread_mutex_unlock(lock);
}


void
reg_tagmap_flush(reg_tagmap_t *map)
{
    (void) atomic_fetch_add(&map->flushes, 1);
}
