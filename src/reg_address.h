/*
 * reg_address: whether an address is in a list of addresses and networks.
 *
 *     "127.0.0.1 ::1 10.0.0.0/8 fd00::/8 unix:"
 *
 * An IPv4 address that is written as an IPv6 one (::ffff:10.1.2.3) is the IPv4
 * one.  "unix:" is what nginx calls a client at a unix socket.
 *
 * Blocks: never
 */

#ifndef REG_ADDRESS_H
#define REG_ADDRESS_H

#include "reg_error.h"

/* -1, with BAD_REQUEST and the word that is no address or network. */
int reg_address_check(reg_str_t list, reg_error_t *err);

/* list is one that was checked: other words match nothing. */
bool reg_address_in(reg_str_t list, reg_str_t address);

#endif
