/*
 * reg_ldap: passwords that a directory knows.
 *
 * A login is a simple bind as the person, over TLS or a local socket.  The name
 * of the entry comes from a template,
 *
 *     .dn = "uid=%s,ou=people,dc=example,dc=org"
 *
 * or from a search, as somebody who may (or anonymously, with bind_dn ""):
 *
 *     .base = "ou=people,dc=example,dc=org", .filter = "(uid=%s)"
 *     .bind_dn = "cn=registry,dc=example,dc=org", .bind_password_file = "…"
 *
 * %s is the user's name, escaped (RFC 4514, RFC 4515).  A search must find one
 * entry.
 *
 *     if (reg_ldap_check(&options, err) == -1) …           at start
 *     rc = reg_ldap_verify(&options, user, password, err);
 *
 * Most directories take names that differ only in case, or in the blanks within
 * them, for the same person; to the policy they are different accounts.
 *
 * An empty password is wrong: servers take a bind without one for an anonymous
 * one, and say yes (RFC 4513, 5.1.2).  ldap:// is used with StartTLS, which is
 * not optional: no password goes over a network in the clear.  Referrals are
 * not followed.
 *
 * Each call has a connection of its own and no state: safe to call from all
 * threads.
 *
 * Blocks: network (at most timeout, for each of at most five steps)
 */

#ifndef REG_LDAP_H
#define REG_LDAP_H

#include "reg_error.h"

/* Borrowed, NUL-terminated; NULL is the same as "". */
typedef struct {
    const char  *url;                    /* ldaps://, ldap://, ldapi:// */
    const char  *ca_file;                /* "": the system's */
    const char  *dn;                     /* or "" for a search: */
    const char  *base;
    const char  *filter;
    const char  *bind_dn;
    const char  *bind_password_file;     /* its first line; read each time */
    int64_t      timeout;                /* ms of one step; 0: 5000 */
} reg_ldap_options_t;


/* -1 with BAD_REQUEST and a sentence if the options make no sense.  Asks no
 * server. */
int reg_ldap_check(const reg_ldap_options_t *options, reg_error_t *err);

/* 1: the password is right.  0: it is wrong, or there is no such person.  -1
 * with UNAVAILABLE if the directory cannot tell; err->where says why. */
int reg_ldap_verify(const reg_ldap_options_t *options, reg_str_t user,
    reg_str_t password, reg_error_t *err);

#endif
