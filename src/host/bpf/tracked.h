/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the gateway asks of the connection tracking table's own numbers. */
#ifndef HF_HOST_BPF_TRACKED_H
#define HF_HOST_BPF_TRACKED_H

#include <stdbool.h>
#include <stdint.h>

struct hf_tracked_question {
	uint8_t address[2][16]; /* source and destination of a packet as it arrives here: IPv6, */
	uint32_t address_v4[2]; /* or this, in network order */
	uint16_t port[2];	/* in network order */
	bool v6;
};

/* By direction: 0 = that of the packet. */
struct hf_tracked_answer {
	bool known;	 /* there is such an entry */
	bool liberal;	 /* its numbers are not held to */
	uint32_t end[2]; /* where the segments seen end, in sequence numbers */
	uint32_t window; /* the largest that either side has offered */
};

#endif
