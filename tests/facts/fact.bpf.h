/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the facts' eBPF programs share: the host's declarations of the kernel's types, and options.
 */
#ifndef HF_FACT_BPF_H
#define HF_FACT_BPF_H

#include "host/bpf/kernel.h"

#ifndef TCP_BPF_SOCK_OPS_CB_FLAGS /* missing in <linux/bpf.h> before 6.12 */
#define TCP_BPF_SOCK_OPS_CB_FLAGS 1008
#endif

enum {
	ESTABLISHED = 1,
	CLOSE = 7
};

static __always_inline int get_option(void *ctx, int level, int name)
{
	int value = -1;

	bpf_getsockopt(ctx, level, name, &value, sizeof(value));
	return value;
}

static __always_inline int set_option(void *ctx, int level, int name, int value)
{
	return bpf_setsockopt(ctx, level, name, &value, sizeof(value));
}

/* All five options; how many were refused. */
static __always_inline int set_five(void *ctx, int idle, int interval, int count, int timeout_ms)
{
	return !!set_option(ctx, SOL_TCP, TCP_KEEPIDLE, idle) +
	       !!set_option(ctx, SOL_TCP, TCP_KEEPINTVL, interval) +
	       !!set_option(ctx, SOL_TCP, TCP_KEEPCNT, count) +
	       !!set_option(ctx, SOL_TCP, TCP_USER_TIMEOUT, timeout_ms) +
	       !!set_option(ctx, SOL_SOCKET, SO_KEEPALIVE, 1);
}

char _license[] SEC("license") = "Dual BSD/GPL";

#endif
