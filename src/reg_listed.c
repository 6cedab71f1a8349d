#include "reg_listed.h"

#include <errno.h>
#include <stdlib.h>


static reg_listed_t *
reg_listed_new(void)
{
    reg_listed_t  *listed = calloc(1, sizeof(*listed));

    if (listed != NULL) {
        atomic_init(&listed->refs, 1);
    }

    return listed;
}


reg_listed_t *
reg_listed_hold(reg_listed_t *listed)
{
    (void) atomic_fetch_add(&listed->refs, 1);
    return listed;
}


void
reg_listed_release(reg_listed_t *listed)
{
    if (listed != NULL && atomic_fetch_sub(&listed->refs, 1) == 1) {
        reg_names_free(&listed->names);
        free(listed);
    }
}


reg_listed_t *
reg_listed_read(int fd, const char *path, reg_names_kind_t kind,
    reg_error_t *err)
{
    reg_listed_t  *listed = reg_listed_new();

    if (listed == NULL) {
        (void) reg_error_sys(err, ENOMEM, REG_UNKNOWN, "list", path);
        return NULL;
    }

    if (reg_names_read_at(&listed->names, fd, path, kind, err) == -1) {
        reg_listed_release(listed);
        return NULL;
    }

    return listed;
}


reg_listed_t *
reg_listed_copy(const reg_listed_t *from)
{
    reg_listed_t  *listed = reg_listed_new();

    if (listed != NULL && reg_names_copy(&listed->names, &from->names) == -1)
    {
        free(listed);
        return NULL;
    }

    return listed;
}


bool
reg_listed_is_alone(reg_listed_t *listed)
{
    return atomic_load(&listed->refs) == 1;
}


size_t
reg_listed_size(const reg_listed_t *listed)
{
    return sizeof(*listed) + listed->names.text.size
           + listed->names.room * sizeof(*listed->names.list);
}
