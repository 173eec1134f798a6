/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading one TCP socket: settings, silence, addresses, owner. */
#ifndef HF_HOST_BPF_SOCKET_H
#define HF_HOST_BPF_SOCKET_H

#include "host/bpf/kernel.h"
#include "host/bpf/wire.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

extern const volatile struct hf_fixed fixed;

static __always_inline __u64 jiffies_to_ms(__u32 jiffies)
{
	return jiffies * fixed.jiffy_ms >> HF_JIFFY_MS_BITS;
}

static __always_inline __u32 jiffies_to_s(__u32 jiffies)
{
	return jiffies * fixed.jiffy_s >> HF_JIFFY_S_BITS;
}

/* Linux keepalive_time_elapsed: when data or an acceptable ACK was received, whichever is later. */
static __always_inline __u32 heard_at(const struct tcp_sock *tp)
{
	__u32 now = (__u32)bpf_jiffies64();
	__u32 data = tp->inet_conn.icsk_ack.lrcvtime;
	__u32 ack = tp->rcv_tstamp;

	return now - data < now - ack ? data : ack;
}

static __always_inline __u32 silent_ms(const struct tcp_sock *tp)
{
	__u64 ms = jiffies_to_ms((__u32)bpf_jiffies64() - heard_at(tp));

	return ms > UINT32_MAX ? UINT32_MAX : (__u32)ms;
}

static __always_inline bool is_kept_alive(const struct tcp_sock *tp)
{
	__u64 keepopen = bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN);

	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> keepopen & 1;
}

/* HF_NO_PROBE: none is due. */
static __always_inline __u32 next_probe_ms(const struct tcp_sock *tp)
{
	__u8 state = tp->inet_conn.icsk_inet.sk.__sk_common.skc_state;
	__s32 left = (__u32)tp->inet_conn.icsk_inet.sk.sk_timer.expires - (__u32)bpf_jiffies64();

	if (!is_kept_alive(tp) || !(HF_STATES_JUDGED >> state & 1))
		return HF_NO_PROBE;
	return left > 0 ? (__u32)jiffies_to_ms(left) : 0;
}

/* The same of the first one of a silence: nothing is unanswered yet. */
static __always_inline __u32 first_probe_ms(const struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_probes_out || tp->packets_out ? HF_NO_PROBE : next_probe_ms(tp);
}

/* What its timestamps count, else milliseconds. */
static __always_inline bool counts_microseconds(const struct tcp_sock *tp)
{
	return bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts);
}

/* Linux retransmits_timed_out: since the first retransmission, whatever was heard meanwhile. */
static __always_inline __u32 retransmitting_ms(const struct tcp_sock *tp)
{
	__u64 now_us = bpf_ktime_get_ns() / 1000;

	if (!tp->retrans_stamp)
		return silent_ms(tp);
	if (counts_microseconds(tp))
		return ((__u32)now_us - tp->retrans_stamp) / 1000;
	return (__u32)(now_us / 1000) - tp->retrans_stamp;
}

/* Where a program has set nothing, its namespace's defaults are in force. */
static __always_inline void read_settings(const struct tcp_sock *tp, const struct net *net,
					  struct hf_settings *out)
{
	__u32 idle = tp->keepalive_time;
	__u32 interval = tp->keepalive_intvl;
	__u32 count = tp->keepalive_probes;

	if (!idle)
		idle = net->ipv4.sysctl_tcp_keepalive_time;
	if (!interval)
		interval = net->ipv4.sysctl_tcp_keepalive_intvl;
	if (!count)
		count = net->ipv4.sysctl_tcp_keepalive_probes;
	out->keepalive = is_kept_alive(tp);
	out->idle = jiffies_to_s(idle);
	out->interval = jiffies_to_s(interval);
	out->count = count;
	out->user_timeout_ms = tp->inet_conn.icsk_user_timeout;
}

static __always_inline bool is_orphan(const struct tcp_sock *tp)
{
	__u64 dead = bpf_core_enum_value(enum sock_flags, SOCK_DEAD);

	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> dead & 1;
}

static __always_inline bool is_kernels(struct tcp_sock *tp)
{
	return BPF_CORE_READ_BITFIELD(tp, inet_conn.icsk_inet.sk.sk_kern_sock);
}

static __always_inline const struct net *net_of(const struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net;
}

/* word: four 32-bit words in network order, whatever the machine's byte order. */
static __always_inline void read_address(const struct sock_common *skc, bool remote,
					 struct hf_address *out)
{
	__u32 *word = (__u32 *)out;

	if (skc->skc_family == AF_INET) {
		word[0] = 0;
		word[1] = 0;
		word[2] = bpf_htonl(0xffff);
		word[3] = remote ? skc->skc_daddr : skc->skc_rcv_saddr;
		return;
	}
#pragma unroll
	for (int i = 0; i < 4; i++)
		word[i] = remote ? skc->skc_v6_daddr.in6_u.u6_addr32[i] :
				   skc->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
}

#endif
