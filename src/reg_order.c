#include "reg_order.h"


void
reg_order_init(reg_order_t *order, const reg_logfile_t *file)
{
    order->file = file;

    for (size_t i = 0; i < REG_LOGFILE_TAGS; i++) {
        (void) pthread_mutex_init(&order->places[i], NULL);  /* cannot fail */
    }
}


void
reg_order_free(reg_order_t *order)
{
    for (size_t i = 0; i < REG_LOGFILE_TAGS; i++) {
        (void) pthread_mutex_destroy(&order->places[i]);
    }
}


int
reg_order_add(reg_order_names_t *names, reg_str_t path)
{
    uint16_t  place = (uint16_t) (reg_str_hash(path) % REG_LOGFILE_TAGS);
    size_t    i;

    for (i = 0; i < names->n && names->list[i] < place; i++) {
        /* void */
    }

    if (i < names->n && names->list[i] == place) {
        return 0;
    }

    if (names->n == REG_ORDER_NAMES) {
        return -1;
    }

    memmove(&names->list[i + 1], &names->list[i],
            (names->n - i) * sizeof(names->list[0]));
    names->list[i] = place;
    names->n++;

    return 0;
}


static void
reg_order_leave_first(reg_order_t *order, const reg_order_names_t *names,
    size_t n)
{
    while (n-- > 0) {
        uint16_t  place = names->list[n];

        reg_logfile_release(order->file, &order->places[place],
                            REG_LOGFILE_TAG + place);
    }
}


/* In ascending order, so that nobody waits in a circle. */
int
reg_order_enter(reg_order_t *order, const reg_order_names_t *names,
    reg_error_t *err)
{
    for (size_t i = 0; i < names->n; i++) {
        uint16_t  place = names->list[i];

        if (reg_logfile_take(order->file, &order->places[place],
                             REG_LOGFILE_TAG + place, err) == -1)
        {
            reg_order_leave_first(order, names, i);
            return -1;
        }
    }

    return 0;
}


void
reg_order_leave(reg_order_t *order, const reg_order_names_t *names)
{
    reg_order_leave_first(order, names, names->n);
}
