// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

int full[16], not_full[16]; /* by state: is it a tcp_sock? */

SEC("iter/tcp")
int count(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	unsigned int state;

	if (!skc)
		return 0;
	state = skc->skc_state & 15;
	if (bpf_skc_to_tcp_sock(skc))
		full[state]++;
	else
		not_full[state]++;
	return 0;
}
