#include "reg_spare.h"


/* directories that are kept for another use, and how many places are looked
 * at for one */
#define REG_SPARE_PLACES  64
#define REG_SPARE_LOOKS   4


static void
reg_spare_path(reg_path_t *path, reg_store_t *store)
{
    char      name[16];
    unsigned  n = atomic_fetch_add_explicit(&store->spare, 1,
                                            memory_order_relaxed);

    (void) snprintf(name, sizeof(name), "%u", n % REG_SPARE_PLACES);
    reg_layout_spare(path, &store->v2);
    reg_path_add(path, name);
}


/* A rename is all that two who want the same need: one of them has it.  It
 * does not replace a directory that has something in it. */
bool
reg_spare_take(reg_store_t *store, const reg_path_t *dir)
{
    reg_path_t  spare;

    for (int i = 0; i < REG_SPARE_LOOKS; i++) {
        reg_spare_path(&spare, store);

        if (store->sys->rename(spare.text, dir->text) == 0) {
            return true;
        }
    }

    return false;
}


bool
reg_spare_give(reg_store_t *store, const reg_path_t *dir)
{
    reg_path_t  spare;

    for (int i = 0; i < REG_SPARE_LOOKS; i++) {
        reg_spare_path(&spare, store);

        if (store->sys->rename(dir->text, spare.text) == 0) {
            return true;
        }
    }

    return false;
}
