// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

#include "sockops_close.h"

struct ending endings[ENDINGS];
unsigned int ended;

static void note(struct bpf_sock_ops *ctx)
{
	struct tcp_sock *tp = ctx->sk ? bpf_skc_to_tcp_sock(ctx->sk) : NULL;
	unsigned int i = ended;

	if (!tp || i >= ENDINGS)
		return;
	endings[i].error = tp->inet_conn.icsk_inet.sk.sk_err;
	endings[i].unanswered = tp->inet_conn.icsk_probes_out;
	endings[i].port = tp->inet_conn.icsk_inet.sk.__sk_common.skc_num;
	endings[i].source_port = __builtin_bswap16(tp->inet_conn.icsk_inet.inet_sport);
	ended = i + 1;
}

SEC("sockops")
int on_close(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_STATE_CB_FLAG);
	else if (ctx->op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == CLOSE)
		note(ctx);
	return 1;
}
