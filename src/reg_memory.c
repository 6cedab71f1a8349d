#include "reg_memory.h"

#include <errno.h>
#include <pthread.h>
#include <sys/random.h>

#include <openssl/hmac.h>


#define REG_MEMORY_WAYS  8               /* places that a key may have */
#define REG_MEMORY_SECRET  32
#define REG_MEMORY_SETS  (REG_MEMORY_LOGINS / REG_MEMORY_WAYS)


typedef struct {
    unsigned char   key[REG_LOGIN_PRINT];
    reg_login_t    *login;               /* NULL: free */
    uint64_t        age;
    time_t          until;
} reg_memory_place_t;

struct reg_memory_s {
    pthread_mutex_t     lock;
    unsigned char       secrets[REG_MEMORY_KINDS][REG_MEMORY_SECRET];
    reg_memory_place_t  places[REG_MEMORY_SETS][REG_MEMORY_WAYS];
};


reg_memory_t *
reg_memory_create(reg_error_t *err)
{
    reg_memory_t  *m = calloc(1, sizeof(*m));

    if (m == NULL || pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        (void) reg_error_set(err, REG_UNKNOWN, "out of memory");
        return NULL;
    }

    if (getrandom(m->secrets, sizeof(m->secrets), 0)
        != (ssize_t) sizeof(m->secrets))
    {
        (void) reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "");
        reg_memory_free(m);
        return NULL;
    }

    return m;
}


void
reg_memory_free(reg_memory_t *m)
{
    if (m == NULL) {
        return;
    }

    for (size_t i = 0; i < REG_MEMORY_SETS; i++) {
        for (size_t k = 0; k < REG_MEMORY_WAYS; k++) {
            reg_login_release(m->places[i][k].login);
        }
    }

    (void) pthread_mutex_destroy(&m->lock);
    explicit_bzero(m->secrets, sizeof(m->secrets));
    free(m);
}


int
reg_memory_key(const reg_memory_t *m, reg_memory_kind_t kind,
    reg_str_t credentials, unsigned char key[REG_LOGIN_PRINT])
{
    return HMAC(EVP_sha256(), m->secrets[kind], REG_MEMORY_SECRET,
                (const unsigned char *) credentials.data, credentials.len, key,
                NULL) != NULL ? 0 : -1;
}


static reg_memory_place_t *
reg_memory_set(reg_memory_t *m, const unsigned char key[REG_LOGIN_PRINT])
{
    uint16_t  n;

    memcpy(&n, key, sizeof(n));

    return m->places[n % REG_MEMORY_SETS];
}


static void
reg_memory_forget(reg_memory_place_t *place)
{
    reg_login_release(place->login);
    *place = (reg_memory_place_t) { .login = NULL };
}


reg_login_t *
reg_memory_get(reg_memory_t *m, const unsigned char key[REG_LOGIN_PRINT],
    uint64_t age, time_t now)
{
    reg_login_t         *found = NULL;
    reg_memory_place_t  *set = reg_memory_set(m, key);

    (void) pthread_mutex_lock(&m->lock);           /* fails for misuse only */

    for (size_t k = 0; k < REG_MEMORY_WAYS; k++) {
        reg_memory_place_t  *place = &set[k];

        if (place->login == NULL
            || memcmp(place->key, key, REG_LOGIN_PRINT) != 0)
        {
            continue;
        }

        if (place->age == age && now < place->until) {
            found = reg_login_hold(place->login);
        } else {
            reg_memory_forget(place);
        }

        break;
    }

    (void) pthread_mutex_unlock(&m->lock);

    return found;
}


void
reg_memory_put(reg_memory_t *m, const unsigned char key[REG_LOGIN_PRINT],
    reg_login_t *login, uint64_t age, time_t until)
{
    reg_memory_place_t  *set = reg_memory_set(m, key);
    reg_memory_place_t  *best = &set[0];

    if (login->grants.n > REG_MEMORY_GRANTS
        || login->protections.n > REG_MEMORY_GRANTS)
    {
        return;
    }

    (void) pthread_mutex_lock(&m->lock);

    for (size_t k = 0; k < REG_MEMORY_WAYS; k++) {
        reg_memory_place_t  *place = &set[k];

        if (place->login != NULL
            && memcmp(place->key, key, REG_LOGIN_PRINT) == 0)
        {
            best = place;
            break;
        }

        if (best->login != NULL
            && (place->login == NULL || place->until < best->until))
        {
            best = place;
        }
    }

    reg_memory_forget(best);
    memcpy(best->key, key, REG_LOGIN_PRINT);
    best->login = reg_login_hold(login);
    best->age = age;
    best->until = until;

    (void) pthread_mutex_unlock(&m->lock);
}
