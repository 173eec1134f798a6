/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How far the connection tracking table has seen a flow's sequence numbers go: netlink does not
 * tell. Run on demand (BPF_PROG_TEST_RUN), question and answer are global; nothing is attached.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include <bpf/bpf_helpers.h>

#include "host/bpf/tracked.h"

#define IPPROTO_TCP 6
#define OWN_NETNS (-1)
#define BE_LIBERAL 8 /* IP_CT_TCP_FLAG_BE_LIBERAL */

/* The few fields that are read; offsets are those of the kernel that loads this. */
struct nf_tcp_net {
	uint8_t tcp_be_liberal;
} __attribute__((preserve_access_index));

struct nf_ip_net {
	struct nf_tcp_net tcp;
} __attribute__((preserve_access_index));

struct netns_ct {
	struct nf_ip_net nf_ct_proto;
} __attribute__((preserve_access_index));

struct net {
	struct netns_ct ct;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct ip_ct_tcp_state {
	uint32_t td_end;
	uint32_t td_maxwin;
	uint8_t flags;
} __attribute__((preserve_access_index));

struct ip_ct_tcp {
	struct ip_ct_tcp_state seen[2];
} __attribute__((preserve_access_index));

union nf_conntrack_proto {
	struct ip_ct_tcp tcp;
} __attribute__((preserve_access_index));

struct nf_conn {
	possible_net_t ct_net;
	union nf_conntrack_proto proto;
} __attribute__((preserve_access_index));

/* As the kernel has it since 5.18; later ones take this shorter form, too. */
struct bpf_ct_opts {
	int32_t netns_id, error;
	uint8_t l4proto, dir, reserved[2];
};

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *, struct bpf_sock_tuple *, uint32_t,
					 struct bpf_ct_opts *, uint32_t) __ksym;
extern void bpf_ct_release(struct nf_conn *) __ksym;

struct hf_tracked_question hf_question;
struct hf_tracked_answer hf_answer;

static __always_inline void read_side(const struct ip_ct_tcp_state *seen, unsigned int side)
{
	hf_answer.end[side] = seen->td_end;
	hf_answer.liberal |= seen->flags & BE_LIBERAL || !seen->td_maxwin;
	if (seen->td_maxwin > hf_answer.window)
		hf_answer.window = seen->td_maxwin;
}

SEC("tc")
int hf_track(struct __sk_buff *packet)
{
	struct bpf_ct_opts options = { .netns_id = OWN_NETNS, .l4proto = IPPROTO_TCP };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *entry;

	hf_answer = (struct hf_tracked_answer){};
	if (hf_question.v6) {
		__builtin_memcpy(tuple.ipv6.saddr, hf_question.address[0], 16);
		__builtin_memcpy(tuple.ipv6.daddr, hf_question.address[1], 16);
		tuple.ipv6.sport = hf_question.port[0];
		tuple.ipv6.dport = hf_question.port[1];
		entry = bpf_skb_ct_lookup(packet, &tuple, sizeof(tuple.ipv6), &options,
					  sizeof(options));
	} else {
		tuple.ipv4.saddr = hf_question.address_v4[0];
		tuple.ipv4.daddr = hf_question.address_v4[1];
		tuple.ipv4.sport = hf_question.port[0];
		tuple.ipv4.dport = hf_question.port[1];
		entry = bpf_skb_ct_lookup(packet, &tuple, sizeof(tuple.ipv4), &options,
					  sizeof(options));
	}
	if (!entry)
		return 0;
	hf_answer.known = true;
	hf_answer.liberal = entry->ct_net.net->ct.nf_ct_proto.tcp.tcp_be_liberal;
	read_side(&entry->proto.tcp.seen[0], options.dir & 1);
	read_side(&entry->proto.tcp.seen[1], !(options.dir & 1));
	bpf_ct_release(entry);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
