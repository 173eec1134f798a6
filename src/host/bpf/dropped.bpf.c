// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Which of the gateway's packets this machine's own firewall, or its source validation, has dropped:
 * nobody was asked by them. Runs where the kernel frees a packet that it does not deliver. That a
 * neighbour does not answer is no such reason: it is what a dead end looks like.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "host/bpf/answers.h"

#define MOST (1 << 18) /* pairs of ends */

/* The few types and fields that are read; offsets and values are those of the kernel that loads this. */
enum skb_drop_reason {
	SKB_DROP_REASON_NETFILTER_DROP = 1,
	SKB_DROP_REASON_IP_RPFILTER,
	SKB_DROP_REASON_IP_LOCAL_SOURCE,
	SKB_DROP_REASON_IP_INVALID_SOURCE,
};

struct ns_common {
	unsigned int inum;
} __attribute__((preserve_access_index));

struct net {
	struct ns_common ns;
} __attribute__((preserve_access_index));

typedef struct {
	struct net *net;
} __attribute__((preserve_access_index)) possible_net_t;

struct net_device {
	possible_net_t nd_net;
} __attribute__((preserve_access_index));

struct sk_buff {
	struct net_device *dev;
	unsigned char *head;
	uint16_t transport_header;
	uint16_t network_header;
	uint32_t skb_iif;
} __attribute__((preserve_access_index));

struct ipv4 {
	uint8_t version, unused[11];
	uint32_t address[2];
};

struct ipv6 {
	uint32_t unused[2];
	uint32_t address[2][4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MOST);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct hf_answer_key);
	__type(value, uint32_t); /* how many, until user space forgets them */
} hf_drops SEC(".maps");

const volatile uint32_t hf_own_device; /* what has come in there is the gateway's */
const volatile uint32_t hf_own_netns;
bool hf_noted; /* anything, ever */

#define IS(reason, what)                                                             \
	(bpf_core_enum_value_exists(enum skb_drop_reason, SKB_DROP_REASON_##what) && \
	 (reason) == bpf_core_enum_value(enum skb_drop_reason, SKB_DROP_REASON_##what))

static __always_inline bool read_key(const struct sk_buff *packet, struct hf_answer_key *key)
{
	const unsigned char *network = packet->head + packet->network_header;
	struct ipv4 v4;
	struct ipv6 v6;

	if (bpf_probe_read_kernel(&v4, sizeof(v4), network) ||
	    bpf_probe_read_kernel(key->port, sizeof(key->port),
				  packet->head + packet->transport_header))
		return false;
	key->port[0] = bpf_ntohs(key->port[0]);
	key->port[1] = bpf_ntohs(key->port[1]);
	if (v4.version >> 4 == 4) {
		key->address[0][2] = key->address[1][2] = bpf_htonl(0xffff);
		key->address[0][3] = v4.address[0];
		key->address[1][3] = v4.address[1];
		return true;
	}
	if (bpf_probe_read_kernel(&v6, sizeof(v6), network))
		return false;
	__builtin_memcpy(key->address, v6.address, sizeof(key->address));
	return true;
}

static __always_inline void note(const struct hf_answer_key *key)
{
	uint32_t *dropped = bpf_map_lookup_elem(&hf_drops, key), first = 1;

	hf_noted = true;
	if (dropped)
		__sync_fetch_and_add(dropped, 1);
	else
		bpf_map_update_elem(&hf_drops, key, &first, BPF_ANY);
}

SEC("tp_btf/kfree_skb")
int hf_dropped(uint64_t *arguments) /* the packet, where it is freed, why */
{
	struct sk_buff *packet = (struct sk_buff *)arguments[0];
	unsigned int reason = (unsigned int)arguments[2];
	struct hf_answer_key key = {};
	struct net_device *device;

	if (packet->skb_iif != hf_own_device)
		return 0;
	if (!IS(reason, NETFILTER_DROP) && !IS(reason, IP_RPFILTER) &&
	    !IS(reason, IP_LOCAL_SOURCE) && !IS(reason, IP_INVALID_SOURCE))
		return 0;
	device = packet->dev; /* indexes are each namespace's own */
	if (device && device->nd_net.net->ns.inum == hf_own_netns && read_key(packet, &key))
		note(&key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
