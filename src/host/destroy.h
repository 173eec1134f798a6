/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ending one connection of this host from outside, as `ss -K` does (sock_diag, SOCK_DESTROY). */
#ifndef HF_HOST_DESTROY_H
#define HF_HOST_DESTROY_H

#include "host/bpf/wire.h"

/*
 * The program is told ECONNABORTED, the peer gets a RST. The record must hold the cookie and the
 * device (HF_GATHER_COOKIE | HF_GATHER_NUMBERS): another connection with the same ends is left
 * alone. In the namespace that the calling thread is in. 0 or -errno: -ENOENT where it is gone, or
 * the kernel's module tcp_diag is not there, -EOPNOTSUPP where the kernel was built without
 * CONFIG_INET_DIAG_DESTROY, -EPERM without CAP_NET_ADMIN.
 */
int hf_destroy(const struct hf_record *record);

#endif
