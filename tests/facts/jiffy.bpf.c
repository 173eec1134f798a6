// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "fact.bpf.h"

__u64 jiffies;

SEC("syscall")
int read_jiffies(void *ctx)
{
	(void)ctx;
	jiffies = bpf_jiffies64();
	return 0;
}
