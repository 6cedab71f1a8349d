#include "reg_presence.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg_hash.h"
#include "reg_link.h"
#include "reg_watch.h"


#define REG_PRESENCE_NEVER  ((time_t) -1)

typedef struct {
    reg_name_t           name;
    reg_digest_t         digest;
    time_t               noted;
    time_t               tried;         /* to know it */
    time_t               known;
    reg_presence_blob_t  blob;
} reg_presence_slot_t;

/* Apart from the slots, because one that is heard is looked for in all. */
typedef struct {
    int  link;
    int  content;                       /* repositories may share it */
} reg_presence_watched_t;

struct reg_presence_s {
    const reg_path_t       *v2;
    int                     dir;        /* v2, or -1, */
    time_t                  opened;     /* since then */
    reg_watch_t             watch;
    reg_presence_watched_t  watched[REG_PRESENCE_SLOTS];
    reg_presence_slot_t     slots[REG_PRESENCE_SLOTS];
};


/* for paths that count from dir */
static const reg_path_t  reg_presence_here = { 1, "." };


reg_presence_t *
reg_presence_create(const reg_path_t *v2)
{
    reg_presence_t  *presence = calloc(1, sizeof(*presence));

    if (presence == NULL) {
        return NULL;
    }

    presence->v2 = v2;
    presence->dir = -1;
    presence->opened = REG_PRESENCE_NEVER;
    presence->watch = (reg_watch_t) REG_WATCH_INIT;

    for (size_t i = 0; i < REG_PRESENCE_SLOTS; i++) {
        presence->watched[i].link = REG_WATCH_NONE;
        presence->watched[i].content = REG_WATCH_NONE;
    }

    return presence;
}


void
reg_presence_free(reg_presence_t *presence)
{
    if (presence == NULL) {
        return;
    }

    if (presence->dir != -1) {
        (void) close(presence->dir);    /* was only looked into */
    }

    reg_watch_close(&presence->watch);
    free(presence);
}


static size_t
reg_presence_index(const reg_name_t *name, const reg_digest_t *digest)
{
    uint64_t  words[2] = { reg_str_hash(reg_name_str(name)) };

    memcpy(&words[1], reg_digest_hex(digest), sizeof(words[1]));

    return reg_hash_words(words, 2) % REG_PRESENCE_SLOTS;
}


static bool
reg_presence_is(const reg_presence_slot_t *slot, const reg_name_t *name,
    const reg_digest_t *digest)
{
    return reg_digest_eq(&slot->digest, digest)
           && reg_str_eq(reg_name_str(&slot->name), reg_name_str(name));
}


/* For reg_watch_read(). */
static void
reg_presence_heard(void *ctx, int id, const char *name)
{
    reg_presence_t  *presence = ctx;

    (void) name;

    for (size_t i = 0; i < REG_PRESENCE_SLOTS; i++) {
        const reg_presence_watched_t  *w = &presence->watched[i];

        if (id == REG_WATCH_NONE || w->link == id || w->content == id) {
            presence->slots[i].known = REG_PRESENCE_NEVER;
        }
    }
}


static void
reg_presence_listen(reg_presence_t *presence)
{
    if (reg_watch_told(&presence->watch)) {
        reg_watch_read(&presence->watch, reg_presence_heard, presence);
    }
}


const reg_presence_blob_t *
reg_presence_find(reg_presence_t *presence, const reg_name_t *name,
    const reg_digest_t *digest, time_t now)
{
    reg_presence_slot_t  *slot;

    slot = &presence->slots[reg_presence_index(name, digest)];

    if (slot->known != now || !reg_presence_is(slot, name, digest)) {
        return NULL;
    }

    reg_presence_listen(presence);

    return slot->known == now ? &slot->blob : NULL;
}


/* The directory that paths count from: half of their parts need not be walked
 * for every look. */
static int
reg_presence_dir(reg_presence_t *presence, time_t now)
{
    if (presence->opened != now) {
        if (presence->dir != -1) {
            (void) close(presence->dir);         /* was only looked into */
        }

        presence->dir = open(presence->v2->text,
                             O_PATH | O_DIRECTORY | O_CLOEXEC);
        presence->opened = now;
    }

    return presence->dir;
}


bool
reg_presence_look(reg_presence_t *presence, const reg_name_t *name,
    const reg_digest_t *digest, time_t now)
{
    reg_path_t  path;

    reg_layout_layer(&path, &reg_presence_here, name, digest);

    return reg_link_looks_like(reg_presence_dir(presence, now), path.text,
                               digest);
}


static bool
reg_presence_is_watched(const reg_presence_t *presence, int id)
{
    for (size_t i = 0; i < REG_PRESENCE_SLOTS; i++) {
        if (presence->watched[i].link == id
            || presence->watched[i].content == id)
        {
            return true;
        }
    }

    return false;
}


/* Puts a watch in the place of another one. */
static void
reg_presence_rewatch(reg_presence_t *presence, int *id, int new)
{
    int  old = *id;

    *id = new;

    if (old != REG_WATCH_NONE && !reg_presence_is_watched(presence, old)) {
        reg_watch_remove(&presence->watch, old);
    }
}


/* Opens the directory of a file, when it is watched. */
static int
reg_presence_open(reg_presence_t *presence, int *id, reg_path_t *path)
{
    int  fd;

    reg_path_parent(path);
    fd = openat(presence->dir, path->text, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd == -1) {
        return -1;
    }

    reg_presence_rewatch(presence, id,
                         reg_watch_add_files(&presence->watch, fd));

    if (*id == REG_WATCH_NONE) {
        (void) close(fd);               /* was only looked into, as below */
        return -1;
    }

    return fd;
}


static bool
reg_presence_has_link(reg_presence_t *presence, size_t i)
{
    bool                        has;
    int                         fd;
    reg_path_t                  path;
    const reg_presence_slot_t  *slot = &presence->slots[i];

    reg_layout_layer(&path, &reg_presence_here, &slot->name, &slot->digest);
    fd = reg_presence_open(presence, &presence->watched[i].link, &path);

    if (fd == -1) {
        return false;
    }

    has = reg_link_looks_like(fd, "link", &slot->digest);
    (void) close(fd);

    return has;
}


static bool
reg_presence_has_content(reg_presence_t *presence, size_t i)
{
    bool                  has;
    int                   fd;
    reg_path_t            path;
    struct stat           st;
    reg_presence_slot_t  *slot = &presence->slots[i];

    reg_layout_blob(&path, &reg_presence_here, &slot->digest);
    fd = reg_presence_open(presence, &presence->watched[i].content, &path);

    if (fd == -1) {
        return false;
    }

    has = fstatat(fd, "data", &st, AT_SYMLINK_NOFOLLOW) == 0
          && S_ISREG(st.st_mode);

    if (has) {
        slot->blob = (reg_presence_blob_t) { st.st_size, st.st_ino };
    }

    (void) close(fd);

    return has;
}


void
reg_presence_note(reg_presence_t *presence, const reg_name_t *name,
    const reg_digest_t *digest, time_t now)
{
    size_t                i = reg_presence_index(name, digest);
    reg_presence_slot_t  *slot = &presence->slots[i];

    if (!reg_presence_is(slot, name, digest)) {
        if (slot->known != now) {
            *slot = (reg_presence_slot_t) {
                .name = *name, .digest = *digest, .noted = now,
                .tried = REG_PRESENCE_NEVER, .known = REG_PRESENCE_NEVER
            };
        }

    } else if (slot->noted != now) {
        slot->noted = now;

    } else if (slot->tried != now) {
        slot->tried = now;
        reg_presence_listen(presence);           /* what was before is over */
        slot->known = reg_presence_dir(presence, now) != -1
                      && reg_presence_has_link(presence, i)
                      && reg_presence_has_content(presence, i)
                      ? now : REG_PRESENCE_NEVER;
    }
}
