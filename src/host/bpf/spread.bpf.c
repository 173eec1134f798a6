// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over the TCP sockets of a network namespace (iter/tcp) that keeps probes apart.
 *
 * The kernel's timers fire on a grid: the farther away, the coarser (Linux __mod_timer: an eighth
 * of the distance). What is set to probe in half a minute leaves with all else of the same two
 * seconds, in one go. A device repeats what it cannot take; loopback and what is like it drops
 * what the queue to the next namespace does not hold, and the probe counts as unanswered. Setting
 * TCP_KEEPIDLE anew shortly before arms the timer for the same moment on the fine grid.
 */
#include "host/bpf/hold.h"

#define SPREAD_MS 6000 /* so long before; passes come every other second */

#define IFF_LOOPBACK 0x8
#define KIND 8 /* no name looked for is longer */

/* Does it leave over a device that puts packets into a queue of this host's own? */
static __always_inline bool stays_within(const struct tcp_sock *tp)
{
	const struct dst_entry *route = tp->inet_conn.icsk_inet.sk.sk_dst_cache;
	const struct net_device *device = BPF_CORE_READ(route, dev);
	char kind[KIND] = {};

	if (!device || BPF_CORE_READ(device, flags) & IFF_LOOPBACK)
		return true;
	bpf_probe_read_kernel_str(kind, sizeof(kind), BPF_CORE_READ(device, rtnl_link_ops, kind));
	return !bpf_strncmp(kind, KIND, "veth") || !bpf_strncmp(kind, KIND, "bridge") ||
	       !bpf_strncmp(kind, KIND, "netkit");
}

/* There and back: a timer that is set to what it is set to stays where it is. */
static __always_inline void rearm(struct sock *sk, const struct tcp_sock *tp)
{
	struct hf_memory *m = memory_of(sk, 0);
	__u32 idle = jiffies_to_s(tp->keepalive_time);

	/* One that is overdue would probe at once. */
	if (!m || !held_by_us(m) || (__u32)bpf_jiffies64() - heard_at(tp) >= tp->keepalive_time)
		return;
	if (!set_option(sk, SOL_TCP, TCP_KEEPIDLE, idle + 1))
		set_option(sk, SOL_TCP, TCP_KEEPIDLE, idle);
}

SEC("iter/tcp")
int hf_spread(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp = skc ? bpf_skc_to_tcp_sock(skc) : 0;
	__u32 left;

	if (!tp)
		return 0;
	left = first_probe_ms(tp);
	if (left >= HF_DUE_SLOTS * HF_DUE_SLOT_MS || !stays_within(tp))
		return 0;
	forecast(left);
	if (left < SPREAD_MS)
		rearm(&tp->inet_conn.icsk_inet.sk, tp);
	return 0;
}
