#include "ctl_user.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "ctl_accounts.h"
#include "ctl_json.h"
#include "ctl_options.h"
#include "ctl_store.h"
#include "reg_password.h"
#include "reg_users_edit.h"


/* a login that takes longer is felt, and ties up a thread of the worker */
#define CTL_USER_SLOW  300


typedef struct {
    const char           *config;
    char                  file[REG_CONFIG_TEXT];
    ctl_accounts_from_t   from;
    int64_t               cost;
    bool                  json;
    const char           *name;
} ctl_user_options_t;

typedef struct {
    const char  *file;
    json_t      *users;                  /* NULL: as text */
    json_t      *odd;
} ctl_user_list_t;


static const char  ctl_user_help[] =
    "Usage: registryctl user add NAME    [--config FILE] [--file FILE]\n"
    "                                    [--stdin] [--cost N]\n"
    "       registryctl user passwd NAME [the same]\n"
    "       registryctl user del NAME    [--config FILE] [--file FILE]\n"
    "       registryctl user list        [--config FILE] [--file FILE]"
    " [--json]\n"
    "\n"
    "Adds accounts, gives them other passwords, removes and lists them. They\n"
    "count at once, the running registry need not be told. The password is\n"
    "asked for on the terminal.\n"
    "\n"
    "  --config FILE  the worker's config.yml: auth.htpasswd.path in it is\n"
    "                 the file of accounts, and nginx, which remembers\n"
    "                 decisions for a short time, forgets them\n"
    "  --file FILE    the file of accounts\n"
    "  --stdin        the password is a line on stdin\n"
    "  --cost N       of the bcrypt hash, 8 to 16, default 10: one more\n"
    "                 doubles what a login costs, and what guessing costs\n"
    "  --json         print the list as JSON\n"
    "  --help         print this and exit\n"
    "\n"
    "Exit status: 0 done; 1 it failed, and nothing was changed if the message\n"
    "does not say otherwise; 2 wrong usage.\n";


/* ---- changes ------------------------------------------------------------- */


/* A file that root has just made must be one that the worker can read. */
static void
ctl_user_give(const ctl_user_options_t *o)
{
    struct stat   st;
    reg_error_t   err = REG_ERROR_INIT;
    reg_config_t  config;

    if (geteuid() != 0 || o->config == NULL) {
        return;
    }

    if (ctl_store_config(&config, o->config, NULL, &err) == 0
        && (stat(config.root, &st) == -1
            || lchown(o->file, (uid_t) -1, st.st_gid) == -1))
    {
        (void) fprintf(stderr, "registryctl: see to it that the worker can read"
                       " the new %s (chgrp www-data): %s: %s\n", o->file,
                       config.root, strerror(errno));
    }

    reg_config_free(&config);
}


static int64_t
ctl_user_clock(void)
{
    struct timespec  t;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);   /* cannot fail */

    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}


/* Asks for a password and makes its hash. */
static int
ctl_user_hash(const ctl_user_options_t *o, char *hash)
{
    char         password[CTL_ACCOUNTS_PASSWORD];
    int          rc;
    ssize_t      n = ctl_accounts_password(password, o->from);
    int64_t      start = ctl_user_clock(), took;
    reg_error_t  err = REG_ERROR_INIT;

    if (n == -1) {
        return -1;
    }

    rc = reg_password_hash(hash, (reg_str_t) { (size_t) n, password },
                           (int) o->cost, &err);
    explicit_bzero(password, sizeof(password));

    if (rc == -1) {
        ctl_store_complain(o->name, &err);
        return -1;
    }

    took = ctl_user_clock() - start;

    if (took > CTL_USER_SLOW) {
        (void) fprintf(stderr, "registryctl: with --cost %d each login takes"
                       " %lld ms of a processor\n", (int) o->cost,
                       (long long) took);
    }

    return 0;
}


static ctl_exit_t
ctl_user_change(const ctl_user_options_t *o, reg_users_change_t change)
{
    char         hash[REG_PASSWORD_HASH_MAX + 1];
    bool         made = access(o->file, F_OK) == -1;
    reg_error_t  err = REG_ERROR_INIT;

    if (change != REG_USERS_REMOVE && ctl_user_hash(o, hash) == -1) {
        return CTL_FAILED;
    }

    if (reg_users_edit(o->file, change, reg_str_from(o->name),
                       change == REG_USERS_REMOVE ? NULL : hash, &err) == -1)
    {
        ctl_store_complain(o->name, &err);
        return CTL_FAILED;
    }

    if (made) {
        ctl_user_give(o);
    }

    return o->config == NULL ? CTL_OK : ctl_accounts_forget(o->config);
}


static ctl_exit_t
ctl_user_add(const ctl_user_options_t *o)
{
    return ctl_user_change(o, REG_USERS_ADD);
}


static ctl_exit_t
ctl_user_passwd(const ctl_user_options_t *o)
{
    return ctl_user_change(o, REG_USERS_CHANGE);
}


static ctl_exit_t
ctl_user_del(const ctl_user_options_t *o)
{
    return ctl_user_change(o, REG_USERS_REMOVE);
}


/* ---- the list ------------------------------------------------------------ */


static int
ctl_user_line(void *ctx, size_t number, reg_str_t name, const char *why)
{
    ctl_user_list_t  *list = ctx;

    if (list->users == NULL && why == NULL) {
        return printf("%.*s\n", REG_STR_ARG(name)) < 0 ? -1 : 0;
    }

    if (list->users == NULL) {
        (void) fprintf(stderr, "registryctl: %s:%zu: not used: %s\n",
                       list->file, number, why);
        return 0;
    }

    /* a name that is no text is left out: it is no name */
    return why == NULL
           ? json_array_append_new(list->users, json_stringn(name.data,
                                                             name.len))
           : json_array_append_new(list->odd, json_pack(
                                       "{s:I, s:o?, s:s}", "line",
                                       (json_int_t) number, "name",
                                       name.len == 0 ? NULL
                                       : json_stringn(name.data, name.len),
                                       "why", why));
}


static ctl_exit_t
ctl_user_list(const ctl_user_options_t *o)
{
    int              rc;
    reg_error_t      err = REG_ERROR_INIT;
    json_t          *all = NULL;
    ctl_user_list_t  list = { o->file, NULL, NULL };

    if (o->json) {
        list.users = json_array();
        list.odd = json_array();
        all = json_pack("{s:o, s:o}", "users", list.users, "not_used",
                        list.odd);
    }

    rc = reg_users_list(o->file, ctl_user_line, &list, &err);

    if (rc == -1) {
        ctl_store_complain("", &err);
        json_decref(all);

    } else if (o->json) {
        rc = ctl_json_print_new(all);
    }

    return rc == 0 && fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
}


/* ---- what is asked ------------------------------------------------------- */


static const struct {
    const char   *name;
    int           words;                 /* that follow */
    ctl_exit_t  (*run)(const ctl_user_options_t *o);
} ctl_user_verbs[] = {
    { "add", 1, ctl_user_add },
    { "passwd", 1, ctl_user_passwd },
    { "del", 1, ctl_user_del },
    { "list", 0, ctl_user_list },
};

#define CTL_USER_VERBS  (sizeof(ctl_user_verbs) / sizeof(ctl_user_verbs[0]))


/* The file of accounts that a configuration names. */
static ctl_exit_t
ctl_user_find_file(ctl_user_options_t *o)
{
    reg_error_t   err = REG_ERROR_INIT;
    reg_config_t  config;
    ctl_exit_t    status = CTL_FAILED;

    if (o->config == NULL) {
        (void) fputs("registryctl: which accounts? Say --config FILE or --file"
                     " FILE\n", stderr);
        return CTL_USAGE;
    }

    if (ctl_store_config(&config, o->config, NULL, &err) == -1) {
        ctl_store_complain("", &err);

    } else if (config.htpasswd_path[0] == '\0') {
        (void) fprintf(stderr, "registryctl: %s has no auth.htpasswd.path\n",
                       o->config);
    } else {
        memcpy(o->file, config.htpasswd_path, sizeof(o->file));
        status = CTL_OK;
    }

    reg_config_free(&config);

    return status;
}


static ctl_exit_t
ctl_user_run(ctl_user_options_t *o, int n, char **words)
{
    ctl_exit_t  status;

    for (size_t i = 0; n > 0 && i < CTL_USER_VERBS; i++) {
        if (strcmp(words[0], ctl_user_verbs[i].name) != 0
            || n != 1 + ctl_user_verbs[i].words)
        {
            continue;
        }

        o->name = n > 1 ? words[1] : "";
        status = o->file[0] != '\0' ? CTL_OK : ctl_user_find_file(o);

        return status == CTL_OK ? ctl_user_verbs[i].run(o) : status;
    }

    return ctl_options_refuse("user", n, words, ctl_user_help);
}


static int
ctl_user_file(void *ctx, const char *text)
{
    ctl_user_options_t  *o = ctx;

    if (text[0] != '\0'
        && reg_str_copy(o->file, sizeof(o->file), reg_str_from(text)) == 0)
    {
        return 0;
    }

    (void) fputs("registryctl: --file is no path\n", stderr);
    return -1;
}


static int
ctl_user_cost(void *ctx, const char *text)
{
    ctl_user_options_t  *o = ctx;

    if (reg_str_int(reg_str_from(text), REG_PASSWORD_COST_MAX, &o->cost) == 0
        && o->cost >= REG_PASSWORD_COST_MIN)
    {
        return 0;
    }

    (void) fprintf(stderr, "registryctl: --cost is %d to %d\n",
                   REG_PASSWORD_COST_MIN, REG_PASSWORD_COST_MAX);
    return -1;
}


ctl_exit_t
ctl_user(int argc, char **argv)
{
    int                 first;
    bool                from_stdin = false;
    ctl_exit_t          status;
    ctl_user_options_t  o = { .cost = REG_PASSWORD_COST };

    const ctl_option_t  options[] = {
        { "config", .text = &o.config, .place = true },
        { "file", .take = ctl_user_file, .ctx = &o, .place = true },
        { "stdin", .flag = &from_stdin },
        { "cost", .take = ctl_user_cost, .ctx = &o },
        { "json", .flag = &o.json },
        { .name = NULL }
    };

    first = ctl_options_read(argc, argv, options, ctl_user_help, &status);

    if (first == -1) {
        return status;
    }

    if (from_stdin) {
        o.from = CTL_ACCOUNTS_STDIN;
    }

    return ctl_user_run(&o, argc - first, argv + first);
}
