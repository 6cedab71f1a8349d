#include "ctl_accounts.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "ctl_store.h"
#include "reg_epoch.h"


static ssize_t
ctl_accounts_line(char out[CTL_ACCOUNTS_PASSWORD])
{
    char     *line = NULL;
    size_t    size = 0;
    ssize_t   n = getline(&line, &size, stdin);

    if (n <= 0) {
        (void) fputs("registryctl: there is no line on stdin\n", stderr);
        free(line);
        return -1;
    }

    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) {
        n--;
    }

    if (n >= CTL_ACCOUNTS_PASSWORD) {
        (void) fputs("registryctl: the line on stdin is too long\n", stderr);
        n = -1;
    } else {
        memcpy(out, line, (size_t) n);           /* also what is no text: that
                                                    is refused later */
    }

    explicit_bzero(line, size);
    free(line);

    return n;
}


ssize_t
ctl_accounts_password(char out[CTL_ACCOUNTS_PASSWORD],
    ctl_accounts_from_t from)
{
    if (from == CTL_ACCOUNTS_STDIN) {
        return ctl_accounts_line(out);
    }

    if (isatty(STDIN_FILENO) != 1) {
        (void) fputs("registryctl: there is no terminal to ask for the"
                     " password on: write it to stdin, with --stdin\n",
                     stderr);
        return -1;
    }

    /* OpenSSL's own: no echo, asks twice, gives the terminal back on signals */
    if (EVP_read_pw_string(out, CTL_ACCOUNTS_PASSWORD - 1, "Password: ", 1)
        != 0)
    {
        (void) fputs("registryctl: no password: nothing was changed\n",
                     stderr);
        return -1;
    }

    return (ssize_t) strlen(out);
}


ctl_exit_t
ctl_accounts_forget(const char *config)
{
    int                  rc;
    static reg_store_t   store;                  /* large */
    reg_error_t          err = REG_ERROR_INIT;

    rc = ctl_store_open(&store, config, NULL, &err);

    if (rc == -1 && err.sys == ENOENT) {
        return CTL_OK;               /* no tree yet: nothing was decided */
    }

    if (rc == 0) {
        rc = reg_epoch_bump(&store, &err);
        reg_store_close(&store);
    }

    if (rc == -1) {
        ctl_store_complain("changed, but nginx does not know it yet: run"
                           " registryctl auth flush", &err);
    }

    return rc == 0 ? CTL_OK : CTL_FAILED;
}


const char *
ctl_accounts_time(char out[CTL_ACCOUNTS_TIME], time_t t)
{
    char  text[REG_CLOCK_TEXT];

    (void) snprintf(out, CTL_ACCOUNTS_TIME, "%sZ", reg_clock_text(text, t));

    return out;                                                 /* fits */
}
