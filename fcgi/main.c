/*
 * registry-fcgi: the worker of nginx-registry.
 *
 * nginx hands it what is not the moving of a blob's bytes: manifests, tags,
 * the catalog, the start and the end of uploads, deletes, and every error.
 */

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <unistd.h>

#include "fcgi_check.h"
#include "fcgi_listen.h"
#include "fcgi_log.h"
#include "fcgi_master.h"
#include "reg_access.h"
#include "reg_config_check.h"
#include "reg_store.h"
#include "reg_verifiers.h"


#ifndef REG_VERSION
#define REG_VERSION  "0.1.0"
#endif


typedef enum {
    MAIN_SERVE,
    MAIN_CHECK,
    MAIN_VERSION,
    MAIN_HELP,
    MAIN_HELP_CONFIG
} main_action_t;

typedef struct {
    main_action_t   action;
    const char     *config;
    const char     *socket;
    const char     *root;
    reg_buf_t       missing;                     /* for --check */
    fcgi_log_t      log;
} main_options_t;


static const struct {
    const char  *name;
    char         value;
    const char  *arg;
    const char  *help;
} main_table[] = {

    { "config", 'c', "FILE",
      "read FILE, a config.yml in CNCF Distribution's schema" },
    { "socket", 's', "PATH",
      "listen on this unix socket, whatever the configuration says" },
    { "root", 'r', "DIR",
      "serve the tree in DIR, whatever the configuration says" },
    { "check", 'k', NULL,
      "check configuration and tree, make nothing, say what is wrong, exit" },
    { "version", 'v', NULL,
      "print the version and exit" },
    { "help", 'h', NULL,
      "print this and exit" },
    { "help-config", 'H', NULL,
      "print every key of the configuration with its default and exit" },
};

#define MAIN_OPTIONS  (sizeof(main_table) / sizeof(main_table[0]))


static void
main_help(void)
{
    printf("Usage: registry-fcgi [--config FILE] [options]\n\n"
           "The FastCGI worker of nginx-registry. It runs in the foreground"
           " and logs to\nstderr; SIGTERM ends it after the requests that it"
           " has, SIGHUP makes it read\nits configuration again, SIGUSR2 starts"
           " the program anew.\n\n");

    for (size_t i = 0; i < MAIN_OPTIONS; i++) {
        char  option[32];

        (void) snprintf(option, sizeof(option), "--%s %s", main_table[i].name,
                        main_table[i].arg != NULL ? main_table[i].arg : "");
        printf("  %-16s  %s\n", option, main_table[i].help);
    }

    printf("\nEnvironment: REGISTRY_STORAGE_DELETE_ENABLED=true overrides"
           " storage.delete.enabled,\nand so for every key.\n");
}


static int
main_parse(main_options_t *o, int argc, char **argv)
{
    static char    name[] = "registry-fcgi";     /* for getopt's messages */
    struct option  longs[MAIN_OPTIONS + 1] = { { 0 } };
    int            c;

    argv[0] = name;

    for (size_t i = 0; i < MAIN_OPTIONS; i++) {
        longs[i].name = main_table[i].name;
        longs[i].has_arg = main_table[i].arg != NULL ? required_argument
                                                     : no_argument;
        longs[i].val = main_table[i].value;
    }

    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (c) {

        case 'c':
            o->config = optarg;
            break;

        case 's':
            o->socket = optarg;
            break;

        case 'r':
            o->root = optarg;
            break;

        case 'k':
            o->action = MAIN_CHECK;
            break;

        case 'v':
            o->action = MAIN_VERSION;
            break;

        case 'h':
            o->action = MAIN_HELP;
            break;

        case 'H':
            o->action = MAIN_HELP_CONFIG;
            break;

        default:
            return -1;                           /* getopt has said why */
        }
    }

    if (optind < argc) {
        (void) fprintf(stderr, "registry-fcgi: what is \"%s\"? See --help\n",
                       argv[optind]);
        return -1;
    }

    return 0;
}


/* ---- configuration ------------------------------------------------------- */


static void
main_warn(void *ctx, const char *message)
{
    main_options_t  *o = ctx;

    fcgi_log(&o->log, REG_LOG_WARN, "%s", message);
}


/* An option's path, which may be relative to where we were started. */
static int
main_path(char *out, size_t size, const char *path, reg_error_t *err)
{
    char  here[PATH_MAX];
    int   n;

    if (path[0] == '/') {
        n = snprintf(out, size, "%s", path);

    } else if (getcwd(here, sizeof(here)) != NULL) {
        n = snprintf(out, size, "%s/%s", here, path);

    } else {
        return reg_error_sys(err, errno, REG_UNKNOWN, "getcwd", path);
    }

    if (n < 0 || (size_t) n >= size) {
        return reg_error_set(err, REG_BAD_REQUEST, "the path %.100s is too"
                             " long", path);
    }

    return 0;
}


static int
main_store(const reg_config_t *config, int *refused, reg_error_t *err)
{
    static reg_store_t  store;                   /* large */
    int                 rc = reg_store_open(&store,
                                            reg_str_from(config->root), err);

    if (rc == 0) {
        *refused = atomic_load(&store.refused);
        reg_store_close(&store);
    }

    return rc;
}


/* --check looks and makes nothing; a start and a reload look first.  The
 * sentence for a failure of the system's says which, and where. */
static int
main_places(main_options_t *o, const reg_config_t *config, reg_error_t *err)
{
    char  text[FCGI_CHECK_TEXT];
    int   rc, refused = 0;

    rc = (o->action == MAIN_CHECK && fcgi_check_owner(config, err) == -1)
         || fcgi_check_places(config, &o->missing, &refused, err) == -1
         ? -1 : 0;

    if (o->action != MAIN_CHECK) {
        reg_buf_free(&o->missing);       /* is made, or is systemd's to make */
        rc = rc == -1 ? -1 : main_store(config, &refused, err);
    }

    if (rc == 0 && refused != 0) {
        fcgi_check_refusal(config, refused, text);
        main_warn(o, text);
    }

    if (rc == -1 && err->sys != 0 && err->message[0] == '\0') {
        (void) snprintf(err->message, sizeof(err->message),
                        "the tree cannot be used: %.160s: %.60s", err->where,
                        strerror(err->sys));
    }

    return rc;
}


/* What the command line says, whatever the configuration does. */
static int
main_override(reg_config_t *config, const main_options_t *o, reg_error_t *err)
{
    if (o->socket != NULL
        && main_path(config->socket, sizeof(config->socket), o->socket, err)
           == -1)
    {
        return -1;
    }

    return o->root == NULL
           ? 0 : main_path(config->root, sizeof(config->root), o->root, err);
}


/* For the start and for each reload: nothing is replaced by what would not
 * work. */
static int
main_load(void *ctx, reg_config_t *config, reg_error_t *err)
{
    main_options_t  *o = ctx;

    reg_config_init(config);

    if ((o->config != NULL
         && reg_config_read(config, o->config, main_warn, o, err) == -1)
        || reg_config_environment(config, environ, main_warn, o, err) == -1
        || reg_config_check(config, err) == -1
        || main_override(config, o, err) == -1
        || main_places(o, config, err) == -1
        || reg_verifiers_check(config, err) == -1)
    {
        reg_config_free(config);
        return -1;
    }

    return 0;
}


/* What --check says when all is well. */
static void
main_checked(main_options_t *o, const reg_config_t *config)
{
    reg_buf_t  text = REG_BUF_INIT;
    reg_str_t  rest = reg_buf_str(&o->missing);

    reg_access_describe(config, &text);
    printf("configuration and tree (%s) are good\naccess: %.*s\n",
           config->root, REG_STR_ARG(reg_buf_str(&text)));

    while (rest.len > 0) {
        reg_str_t  line = reg_str_cut(&rest, '\n');

        printf("a start %.*s\n", REG_STR_ARG(line));
    }

    reg_buf_free(&text);
    reg_buf_free(&o->missing);
}


int
main(int argc, char **argv)
{
    int             rc;
    main_options_t  o = { .action = MAIN_SERVE, .missing = REG_BUF_INIT };
    reg_config_t    config;
    fcgi_upgrade_t  program;
    reg_error_t     err = REG_ERROR_INIT;
    reg_buf_t       text = REG_BUF_INIT;

    if (main_parse(&o, argc, argv) == -1) {
        return 1;
    }

    switch (o.action) {

    case MAIN_VERSION:
        printf("registry-fcgi %s\n", REG_VERSION);
        return 0;

    case MAIN_HELP:
        main_help();
        return 0;

    case MAIN_HELP_CONFIG:
        reg_config_describe(&text);
        printf("%.*s", REG_STR_ARG(reg_buf_str(&text)));
        reg_buf_free(&text);
        return 0;

    default:
        break;
    }

    reg_config_init(&config);
    fcgi_log_init(&o.log, &config);

    if (main_load(&o, &config, &err) == -1) {
        fcgi_log(&o.log, REG_LOG_ERROR, "%s", reg_error_message(&err));

        if (o.action == MAIN_SERVE) {
            fcgi_listen_decline();
        }

        return 1;
    }

    if (o.action == MAIN_CHECK) {
        main_checked(&o, &config);
        reg_config_free(&config);
        return 0;
    }

    fcgi_log_init(&o.log, &config);

    fcgi_upgrade_init(&program, argv);
    rc = fcgi_master_run(&config, &o.log, &program, main_load, &o);
    reg_config_free(&config);

    return rc;
}
