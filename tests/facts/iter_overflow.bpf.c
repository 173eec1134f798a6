// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

#include "iter_overflow.h"

int runs, written, again;
__u64 previous;

SEC("iter/tcp")
int dump(struct bpf_iter__tcp *ctx)
{
	static struct record record;
	struct sock_common *skc = ctx->sk_common;
	__u64 which = (__u64)skc;

	if (!skc)
		return 0;
	runs++;
	again += which == previous;
	previous = which;
	if (!bpf_seq_write(ctx->meta->seq, &record, sizeof(record)))
		written++;
	return 0;
}
