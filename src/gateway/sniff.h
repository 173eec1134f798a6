/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers as they pass: bare ACKs and RSTs of flows in dialogue, of either family. */
#ifndef HF_GATEWAY_SNIFF_H
#define HF_GATEWAY_SNIFF_H

#include <holdfast/segment.h>

#include "core/table.h"
#include "host/problem.h"

#define HF_SNIFF_SOCKETS 2
#define HF_SNIFF_BATCH 64

struct hf_sniff {
	int fd[HF_SNIFF_SOCKETS]; /* IPv4, IPv6; -1 = not open */
	struct hf_sniff_filter *filter;
	uint64_t heard;	  /* packets that came up */
	uint64_t refused; /* of them, no such segments after all */
};

/* Segments that come in by the device with this index (our own) are left out. */
int hf_sniff_open(struct hf_sniff *sniff, unsigned int own_device, struct hf_problem *problem);
void hf_sniff_close(struct hf_sniff *sniff);

/*
 * Let up what arrives with these sources and destinations, or no more. Where the kernel takes no
 * eBPF, all that looks like an answer comes up anyhow.
 */
void hf_sniff_listen(struct hf_sniff *sniff, const struct hf_table_key ends[2], bool on);

/* Up to HF_SNIFF_BATCH of what has arrived at a socket; how many, 0 = nothing is there. */
size_t hf_sniff_read(struct hf_sniff *sniff, int fd, struct hf_segment out[HF_SNIFF_BATCH]);

/* How many that passed the filter did not fit into the sockets' buffers since the last call. */
uint64_t hf_sniff_lost(const struct hf_sniff *sniff);

#endif
