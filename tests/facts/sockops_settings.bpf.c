// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

int active, passive, refused;
int idle_before, interval_before, count_before; /* of the last active one */

SEC("sockops")
int on_established(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		active++;
		idle_before = get_option(ctx, SOL_TCP, TCP_KEEPIDLE);
		interval_before = get_option(ctx, SOL_TCP, TCP_KEEPINTVL);
		count_before = get_option(ctx, SOL_TCP, TCP_KEEPCNT);
	} else if (ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		passive++;
	} else {
		return 1;
	}
	refused += set_five(ctx, 41, 7, 5, 9000);
	return 1;
}
