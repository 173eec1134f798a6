/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The filter of the gateway's packet sockets: lets up bare ACKs and RSTs of flows in dialogue.
 * Most packets end at their flags and lengths; only what looks like an answer is looked up. A
 * packet begins with its IP header, as datagram packet sockets have it.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_endian.h>

#include "host/bpf/answers.h"

#define IPPROTO_TCP 6
#define FRAGMENT 0x3fff
#define FIN_SYN_RST_ACK 0x17
#define RST 0x04
#define ACK 0x10

struct ipv4 {
	uint8_t version_words, service;
	uint16_t length, id, fragment;
	uint8_t ttl, protocol;
	uint16_t checksum;
	uint32_t address[2];
};

struct ipv6 {
	uint32_t version;
	uint16_t payload;
	uint8_t next, hops;
	uint32_t address[2][4];
};

struct tcp {
	uint16_t port[2];
	uint32_t seq, ack;
	uint8_t words, flags;
};

uint8_t hf_answers[HF_ANSWERS_CELLS];

const volatile uint32_t hf_own_device; /* what comes in there we have sent ourselves */
const volatile uint32_t hf_seed;       /* of the cells: nobody outside shall choose them */

/* A bare ACK or a RST, length being that of the TCP segment; and it is looked for. */
static __always_inline bool is_answer(struct __sk_buff *packet, uint32_t at, uint32_t length,
				      struct hf_answer_key *key)
{
	struct tcp tcp;

	if (bpf_skb_load_bytes(packet, at, &tcp, sizeof(tcp)))
		return false;
	if (!(tcp.flags & RST) &&
	    ((tcp.flags & FIN_SYN_RST_ACK) != ACK || length != (uint32_t)(tcp.words >> 4) * 4))
		return false;
	key->port[0] = bpf_ntohs(tcp.port[0]);
	key->port[1] = bpf_ntohs(tcp.port[1]);
	return hf_answers[hf_answer_cell(key, hf_seed)];
}

static __always_inline bool is_answer_v4(struct __sk_buff *packet)
{
	struct hf_answer_key key = { 0 };
	struct ipv4 ip;
	uint32_t header;

	if (bpf_skb_load_bytes(packet, 0, &ip, sizeof(ip)) || ip.protocol != IPPROTO_TCP ||
	    bpf_ntohs(ip.fragment) & FRAGMENT)
		return false;
	header = (ip.version_words & 15) * 4;
	key.address[0][2] = key.address[1][2] = bpf_htonl(0xffff);
	key.address[0][3] = ip.address[0];
	key.address[1][3] = ip.address[1];
	return is_answer(packet, header, bpf_ntohs(ip.length) - header, &key);
}

static __always_inline bool is_answer_v6(struct __sk_buff *packet)
{
	struct hf_answer_key key;
	struct ipv6 ip;

	if (bpf_skb_load_bytes(packet, 0, &ip, sizeof(ip)) || ip.next != IPPROTO_TCP)
		return false;
	__builtin_memcpy(key.address, ip.address, sizeof(key.address));
	return is_answer(packet, sizeof(ip), bpf_ntohs(ip.payload), &key);
}

SEC("socket")
int hf_answer(struct __sk_buff *packet)
{
	uint8_t version;

	if (packet->ifindex == hf_own_device || bpf_skb_load_bytes(packet, 0, &version, 1))
		return 0;
	if (version >> 4 == 4 ? is_answer_v4(packet) : is_answer_v6(packet))
		return HF_ANSWERS_SNAP;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
