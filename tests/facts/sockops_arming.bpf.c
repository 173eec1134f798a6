// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

int armed, cleared;

SEC("sockops")
int arm(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_RTO_CB_FLAG | BPF_SOCK_OPS_RTT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_RTO_CB:
		if (!set_option(ctx, SOL_TCP, TCP_USER_TIMEOUT, 2000))
			armed++;
		break;
	case BPF_SOCK_OPS_RTT_CB:
		if (get_option(ctx, SOL_TCP, TCP_USER_TIMEOUT) > 0 &&
		    !set_option(ctx, SOL_TCP, TCP_USER_TIMEOUT, 0))
			cleared++;
		break;
	}
	return 1;
}
