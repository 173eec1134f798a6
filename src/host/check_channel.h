/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segments in and out of one network namespace, as its own connections send and get them: past the
 * hooks of its firewall, before and after NAT as they are. What comes in are bare ACKs and RSTs only.
 */
#ifndef HF_HOST_CHECK_CHANNEL_H
#define HF_HOST_CHECK_CHANNEL_H

#include <holdfast/segment.h>

#include "host/problem.h"

struct hf_channel {
	int fd[2]; /* raw sockets: IPv4, and IPv6 or -1 */
};

/* In the namespace that the calling thread is in. HF_EXIT_MISSING without CAP_NET_RAW. */
int hf_channel_open(struct hf_channel *out, struct hf_problem *problem);
void hf_channel_close(struct hf_channel *channel);

/* What decides about a segment's way, beside its addresses. */
struct hf_route {
	uint32_t mark;	 /* of the firewall and policy routing, 0 = none */
	uint32_t device; /* to leave by, 0 = any */
};

/*
 * Send it, its hop count being 255: as far as any that the connection itself may have, and near
 * enough for a peer that asks for neighbours (RFC 5082). 0 or -errno.
 */
int hf_channel_send(const struct hf_channel *channel, const struct hf_segment *segment,
		    const struct hf_route *route);

/* arrived_ns: when the kernel got it, CLOCK_MONOTONIC. */
typedef void (*hf_channel_fn)(void *arg, const struct hf_segment *segment, uint64_t arrived_ns);

/* What lies there, without waiting. */
void hf_channel_hear(const struct hf_channel *channel, hf_channel_fn fn, void *arg);

/* CLOCK_MONOTONIC. */
uint64_t hf_channel_now(void);

#endif
