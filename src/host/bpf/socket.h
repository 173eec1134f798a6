/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading one TCP socket: settings, silence, addresses, owner. */
#ifndef HF_HOST_BPF_SOCKET_H
#define HF_HOST_BPF_SOCKET_H

#include "host/bpf/kernel.h"
#include "host/bpf/wire.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

extern const volatile __u32 hf_hz;

static __always_inline __u64 jiffies_to_ms(__u64 jiffies)
{
	return jiffies * 1000 / hf_hz;
}

/* Linux keepalive_time_elapsed: since data or an acceptable ACK was received, whichever is later. */
static __always_inline __u32 silent_ms(const struct tcp_sock *tp)
{
	__u32 now = (__u32)bpf_jiffies64();
	__u32 data = now - tp->inet_conn.icsk_ack.lrcvtime;
	__u32 ack = now - tp->rcv_tstamp;
	__u32 since = data < ack ? data : ack;
	__u64 ms = jiffies_to_ms(since);

	return ms > UINT32_MAX ? UINT32_MAX : (__u32)ms;
}

static __always_inline void read_settings(const struct tcp_sock *tp, struct hf_settings *out)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	const struct net *net = sk->__sk_common.skc_net.net;
	__u32 idle = tp->keepalive_time;
	__u32 interval = tp->keepalive_intvl;
	__u32 count = tp->keepalive_probes;
	__u64 keepopen = bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN);

	if (!idle)
		idle = net->ipv4.sysctl_tcp_keepalive_time;
	if (!interval)
		interval = net->ipv4.sysctl_tcp_keepalive_intvl;
	if (!count)
		count = net->ipv4.sysctl_tcp_keepalive_probes;
	out->keepalive = sk->__sk_common.skc_flags >> keepopen & 1;
	out->idle = idle / hf_hz;
	out->interval = interval / hf_hz;
	out->count = count;
	out->user_timeout_ms = tp->inet_conn.icsk_user_timeout;
}

static __always_inline bool is_orphan(const struct sock *sk)
{
	__u64 dead = bpf_core_enum_value(enum sock_flags, SOCK_DEAD);

	return sk->__sk_common.skc_flags >> dead & 1;
}

static __always_inline bool is_kernels(struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD(sk, sk_kern_sock);
}

/* word: four 32-bit words in network order, whatever the machine's byte order. */
static __always_inline void read_address(const struct sock_common *skc, bool remote,
					 struct hf_address *out)
{
	__u32 *word = (__u32 *)out;
	const struct in6_addr *v6 = remote ? &skc->skc_v6_daddr : &skc->skc_v6_rcv_saddr;

	if (skc->skc_family == AF_INET) {
		word[0] = 0;
		word[1] = 0;
		word[2] = bpf_htonl(0xffff);
		word[3] = remote ? skc->skc_daddr : skc->skc_rcv_saddr;
		return;
	}
	word[0] = v6->in6_u.u6_addr32[0];
	word[1] = v6->in6_u.u6_addr32[1];
	word[2] = v6->in6_u.u6_addr32[2];
	word[3] = v6->in6_u.u6_addr32[3];
}

#endif
