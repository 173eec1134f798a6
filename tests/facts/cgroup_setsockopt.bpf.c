// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

int inside_refused;

SEC("cgroup/setsockopt")
int clamp(struct bpf_sockopt *ctx)
{
	int *value = ctx->optval;

	if (ctx->level != SOL_TCP || ctx->optname != TCP_KEEPIDLE ||
	    (void *)(value + 1) > ctx->optval_end)
		return 1;
	if (*value > 10)
		*value = 10;
	inside_refused += !!set_option(ctx->sk, SOL_TCP, TCP_KEEPINTVL, 7);
	return 1;
}
