// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

int sockets, refused, callbacks_refused, closes;

SEC("iter/tcp")
int set_open(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;

	tp = skc && skc->skc_state == ESTABLISHED ? bpf_skc_to_tcp_sock(skc) : NULL;
	if (!tp)
		return 0;
	sockets++;
	refused += set_five(tp, 41, 7, 5, 9000);
	callbacks_refused +=
		!!set_option(tp, SOL_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, BPF_SOCK_OPS_STATE_CB_FLAG);
	return 0;
}

SEC("sockops")
int on_state(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_STATE_CB && ctx->args[1] == CLOSE)
		closes++;
	return 1;
}
