/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP entries of this machine's connection tracking table, over netlink. */
#ifndef HF_GATEWAY_CONNTRACK_H
#define HF_GATEWAY_CONNTRACK_H

#include <holdfast/address.h>

#include "host/problem.h"

/* One entry. Of each direction: source and destination of its packets as they arrive here. */
struct hf_entry {
	struct hf_endpoint original[2];
	struct hf_endpoint reply[2];
	uint32_t id;
	uint32_t status; /* IPS_... of <linux/netfilter/nf_conntrack_common.h> */
	uint32_t mark;
	uint32_t remaining_s; /* until it expires */
	uint16_t zone;
	uint8_t state;	  /* TCP_CONNTRACK_... of <linux/netfilter/nf_conntrack_tcp.h> */
	uint8_t flags[2]; /* IP_CT_TCP_FLAG_..., by enum hf_side of who sent */
};

struct hf_conntrack;

/* -1 with HF_EXIT_MISSING where privileges or connection tracking lack. */
int hf_conntrack_open(struct hf_conntrack **out, struct hf_problem *problem);
void hf_conntrack_close(struct hf_conntrack **conntrack);

typedef void (*hf_entry_fn)(void *arg, const struct hf_entry *entry, bool gone);

/*
 * A dump of the whole table. The kernel writes a part whenever one is read, so that it may go on
 * while other things are done. hf_conntrack_dump_read: 1 = it is complete, 0 = that was a part, or
 * nothing is there yet; -errno. Non-TCP entries are left out.
 */
int hf_conntrack_dump(struct hf_conntrack *conntrack);
int hf_conntrack_dump_fd(const struct hf_conntrack *conntrack);
int hf_conntrack_dump_read(struct hf_conntrack *conntrack, hf_entry_fn fn, void *arg);

/* Entries as they change or go. 0, or -ENOBUFS: some were lost, a dump tells. */
int hf_conntrack_events_fd(const struct hf_conntrack *conntrack);
int hf_conntrack_events_read(struct hf_conntrack *conntrack, hf_entry_fn fn, void *arg);

/* The very entry (by its id, too) that was seen. 0 or -errno; -ENOENT: it is gone already. */
int hf_conntrack_delete(struct hf_conntrack *conntrack, const struct hf_endpoint original[2],
			uint32_t id);

/* TCP_CONNTRACK_... of that entry, now; -errno; -ENOENT: it is gone, or another one. */
int hf_conntrack_state(struct hf_conntrack *conntrack, const struct hf_endpoint original[2],
		       uint32_t id);

/* How full the table is: entries of all kinds, and how many it takes; 0 where unknown. */
void hf_conntrack_fill(uint32_t *count, uint32_t *most);

#endif
