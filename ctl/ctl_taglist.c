#include "ctl_taglist.h"

#include <stdio.h>

#include "reg_tag.h"
#include "reg_tagset.h"


#define CTL_TAGLIST_MS     5000      /* for one answer: nobody waits for us */
#define CTL_TAGLIST_LOOKS  3         /* at what differs: it may be changing */
#define CTL_TAGLIST_STEP   1000


static void
ctl_taglist_member(void *ctx, reg_str_t member)
{
    reg_tag_t       tag;
    uint64_t        fence;
    ctl_taglist_t  *list = ctx;

    list->n++;
    list->odd |= reg_tagset_mark_parse(member, &fence) == -1
                 && reg_tagset_member_parse(member, &tag) == -1;

    reg_buf_putstr(&list->members, member);
    reg_buf_puts(&list->members, "\n");
}


/* The last of lines, each with a line end. */
static reg_str_t
ctl_taglist_last(reg_str_t lines)
{
    size_t  i = lines.len - 1;

    while (i > 0 && lines.data[i - 1] != '\n') {
        i--;
    }

    return (reg_str_t) { lines.len - 1 - i, lines.data + i };
}


/* Reads the members from Redis, the first or all of them.  1, 0 if there is no
 * such list, or -1. */
static int
ctl_taglist_read(ctl_taglist_t *list, reg_str_t key, bool all,
    reg_error_t *err)
{
    char                     limit[16];
    reg_buf_t                from = REG_BUF_INIT;
    reg_redis_reply_t        reply;
    const reg_redis_watch_t  item = { ctl_taglist_member, list };

    list->members.len = 0;
    list->odd = false;
    reg_buf_puts(&from, "-");
    (void) snprintf(limit, sizeof(limit), "%d", all ? CTL_TAGLIST_STEP : 1);

    do {
        const reg_redis_command_t  range = {
            7, { REG_STR("ZRANGEBYLEX"), key, reg_buf_str(&from), REG_STR("+"),
                 REG_STR("LIMIT"), REG_STR("0"), reg_str_from(limit) }
        };

        list->n = 0;

        if (reg_redis_list(list->c, &range, &item, &reply, CTL_TAGLIST_MS,
                           err) == -1)
        {
            reg_buf_free(&from);
            return -1;
        }

        if (list->n > 0) {
            from.len = 0;
            reg_buf_puts(&from, "(");
            reg_buf_putstr(&from,
                           ctl_taglist_last(reg_buf_str(&list->members)));
        }
    } while (all && list->n == CTL_TAGLIST_STEP && reg_buf_ok(&from)
             && reg_buf_ok(&list->members));

    list->odd |= reply.kind != REG_REDIS_LIST;
    reg_buf_free(&from);

    return !reg_buf_ok(&list->members)
           ? reg_error_set(err, REG_UNKNOWN, "out of memory")
           : list->odd || list->members.len > 0;
}


static int
ctl_taglist_tag(void *ctx, reg_str_t tag)
{
    ctl_taglist_t  *list = ctx;

    reg_buf_putstr(&list->tags, tag);
    reg_buf_puts(&list->tags, "\n");

    return 0;
}


/* One tag that only one of the two has. */
static void
ctl_taglist_differs(ctl_taglist_t *list, reg_str_t key, reg_str_t tag,
    const char *what)
{
    list->differ++;

    if (what != NULL) {
        (void) fprintf(stderr, "%.*s: %.*s %s\n", REG_STR_ARG(key),
                       REG_STR_ARG(tag), what);
    }
}


/* Walks along both.  What may be a tag (see reg_tagset.h) need be none. */
static void
ctl_taglist_compare(ctl_taglist_t *list, reg_str_t key, bool tell)
{
    int        is = 0;
    reg_tag_t  tag;
    reg_str_t  members = reg_buf_str(&list->members);
    reg_str_t  tags = reg_buf_str(&list->tags);
    reg_str_t  disk = reg_str_cut(&tags, '\n');

    list->differ = 0;

    while (members.len > 0) {
        is = reg_tagset_member_parse(reg_str_cut(&members, '\n'), &tag);

        while (is != -1 && disk.len > 0
               && reg_str_compare(disk, reg_tag_str(&tag)) < 0)
        {
            ctl_taglist_differs(list, key, disk, tell
                                ? "is on disk, and not in Redis" : NULL);
            disk = reg_str_cut(&tags, '\n');
        }

        if (is != -1 && reg_str_eq(disk, reg_tag_str(&tag))) {
            disk = reg_str_cut(&tags, '\n');

        } else if (is == 1) {
            ctl_taglist_differs(list, key, reg_tag_str(&tag), tell
                                ? "is in Redis, and not on disk" : NULL);
        }
    }

    for ( ; disk.len > 0; disk = reg_str_cut(&tags, '\n')) {
        ctl_taglist_differs(list, key, disk, tell
                            ? "is on disk, and not in Redis" : NULL);
    }
}


/* What the first member says. */
static ctl_taglist_state_t
ctl_taglist_state(const ctl_taglist_t *list)
{
    uint64_t   fence;
    reg_str_t  lines = reg_buf_str(&list->members);

    if (list->odd) {
        return CTL_TAGLIST_ODD;
    }

    switch (reg_tagset_mark_parse(reg_str_cut(&lines, '\n'), &fence)) {

    case 1:
        return fence == list->fence ? CTL_TAGLIST_WHOLE : CTL_TAGLIST_VOID;

    case 0:
        return CTL_TAGLIST_UNFINISHED;

    default:
        return CTL_TAGLIST_ODD;
    }
}


static int
ctl_taglist_verify(ctl_taglist_t *list, reg_str_t key, bool tell,
    reg_error_t *err)
{
    reg_name_t   name;
    reg_error_t  quiet = REG_ERROR_INIT;

    list->tags.len = 0;

    /* a repository that is gone has no tags */
    if (reg_tagset_key_parse(key, &name) == 0) {
        (void) reg_tag_list(list->store, &name, REG_STR_NULL, ctl_taglist_tag,
                            list, &quiet);
    }

    if (!reg_buf_ok(&list->tags)) {
        return reg_error_set(err, REG_UNKNOWN, "out of memory");
    }

    ctl_taglist_compare(list, key, tell);

    return 0;
}


int
ctl_taglist_look(ctl_taglist_t *list, reg_str_t key, bool verify,
    reg_error_t *err)
{
    list->state = CTL_TAGLIST_GONE;
    list->differ = 0;

    for (int look = 1; look <= CTL_TAGLIST_LOOKS; look++) {
        int  rc = ctl_taglist_read(list, key, verify, err);

        if (rc != 1) {
            list->state = CTL_TAGLIST_GONE;
            list->differ = 0;
            return rc;
        }

        list->state = ctl_taglist_state(list);

        if (!verify || list->state != CTL_TAGLIST_WHOLE) {
            list->differ = 0;
            return 0;
        }

        if (ctl_taglist_verify(list, key, look == CTL_TAGLIST_LOOKS, err)
            == -1)
        {
            return -1;
        }

        if (list->differ == 0) {
            return 0;
        }
    }

    return 0;
}


void
ctl_taglist_free(ctl_taglist_t *list)
{
    reg_buf_free(&list->members);
    reg_buf_free(&list->tags);
}
