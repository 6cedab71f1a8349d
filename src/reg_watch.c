#include "reg_watch.h"

#include <errno.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "banned.h"


#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC  0x58465342
#endif

#define REG_WATCH_MASK  (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO  \
                         | IN_ONLYDIR)

#define REG_WATCH_BUFFER  16384


static bool
reg_watch_hears_all(int fd)
{
    struct statfs  fs;

    return fstatfs(fd, &fs) == 0
           && (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC
               || fs.f_type == BTRFS_SUPER_MAGIC
               || fs.f_type == TMPFS_MAGIC);
}


static int
reg_watch_open(reg_watch_t *watch)
{
    struct epoll_event  event = { .events = EPOLLIN };

    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    watch->poll = epoll_create1(EPOLL_CLOEXEC);

    if (watch->fd == -1 || watch->poll == -1
        || epoll_ctl(watch->poll, EPOLL_CTL_ADD, watch->fd, &event) == -1)
    {
        reg_watch_close(watch);
        return -1;
    }

    return 0;
}


static int
reg_watch_begin(reg_watch_t *watch, int fd, uint32_t mask)
{
    char  path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

    if (!reg_watch_hears_all(fd)
        || (watch->fd == -1 && reg_watch_open(watch) == -1))
    {
        return REG_WATCH_NONE;
    }

    /* a path could by now be another directory's */
    (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    return inotify_add_watch(watch->fd, path, mask);
}


int
reg_watch_add(reg_watch_t *watch, int fd)
{
    /* one that is watched already is not to be watched for two */
    return reg_watch_begin(watch, fd, REG_WATCH_MASK | IN_MASK_CREATE);
}


int
reg_watch_add_files(reg_watch_t *watch, int fd)
{
    return reg_watch_begin(watch, fd, REG_WATCH_MASK | IN_MODIFY);
}


void
reg_watch_remove(reg_watch_t *watch, int id)
{
    /* fails if the directory has gone: then it is watched no longer */
    (void) inotify_rm_watch(watch->fd, id);
}


static void
reg_watch_tell(const struct inotify_event *event, reg_watch_heard_pt heard,
    void *ctx)
{
    if (event->mask & IN_Q_OVERFLOW) {
        heard(ctx, REG_WATCH_NONE, NULL);

    } else if (event->mask & IN_IGNORED) {
        heard(ctx, event->wd, NULL);

    } else if (event->len > 0) {
        heard(ctx, event->wd, event->name);
    }
}


bool
reg_watch_told(const reg_watch_t *watch)
{
    struct epoll_event  event;

    /* if the question fails, reading says why */
    return watch->fd != -1 && epoll_wait(watch->poll, &event, 1, 0) != 0;
}


void
reg_watch_read(reg_watch_t *watch, reg_watch_heard_pt heard, void *ctx)
{
    _Alignas(struct inotify_event) char  buffer[REG_WATCH_BUFFER];
    ssize_t                              n;

    if (watch->fd == -1) {
        return;
    }

    while ((n = read(watch->fd, buffer, sizeof(buffer))) > 0) {
        const char  *p = buffer, *end = buffer + n;

        while (p < end) {
            const struct inotify_event  *event = (const void *) p;

            reg_watch_tell(event, heard, ctx);
            p += sizeof(*event) + event->len;
        }
    }

    if (n == 0 || errno != EAGAIN) {
        heard(ctx, REG_WATCH_NONE, NULL);
    }
}


void
reg_watch_close(reg_watch_t *watch)
{
    if (watch->poll != -1) {
        (void) close(watch->poll);               /* holds nothing */
        watch->poll = -1;
    }

    if (watch->fd != -1) {
        (void) close(watch->fd);                 /* was only read */
        watch->fd = -1;
    }
}
