#include "reg_epoch.h"

#include <errno.h>
#include <sys/random.h>

#include "reg_durable.h"
#include "reg_hash.h"


int
reg_epoch_bump(reg_store_t *store, reg_error_t *err)
{
    int            rc;
    char           text[17];
    uint64_t       number;
    reg_path_t     path;
    reg_durable_t  t;

    /* another text each time: it is never taken for what is there already */
    if (getrandom(&number, sizeof(number), 0) != (ssize_t) sizeof(number)) {
        return reg_error_sys(err, errno, REG_UNKNOWN, "getrandom", "");
    }

    (void) snprintf(text, sizeof(text), "%016llx",
                    (unsigned long long) number);               /* fits */

    reg_layout_epoch(&path, &store->v2);
    reg_durable_init(&t, store);

    rc = reg_durable_put(&t, 0, &path, reg_str_from(text), err) == -1
         || reg_durable_commit(&t, err) == -1 ? -1 : 0;

    reg_durable_free(&t);

    return rc;
}


uint64_t
reg_epoch_look(const reg_store_t *store)
{
    reg_path_t   path;
    struct stat  st;

    reg_layout_epoch(&path, &store->v2);

    if (stat(path.text, &st) == -1) {
        return 0;
    }

    const uint64_t  words[] = {
        st.st_ino, (uint64_t) st.st_mtim.tv_sec, (uint64_t) st.st_mtim.tv_nsec,
        (uint64_t) st.st_ctim.tv_sec, (uint64_t) st.st_ctim.tv_nsec
    };

    return reg_hash_words(words, sizeof(words) / sizeof(words[0])) | 1;
}
