/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The flows of the connection tracking table in the engine, and what of each the engine has no
 * place for. The engine knows a flow by its original tuple; NAT makes the reply tuple another one.
 */
#ifndef HF_GATEWAY_FLOWS_H
#define HF_GATEWAY_FLOWS_H

#include <holdfast/engine.h>

#include "core/table.h"
#include "gateway/conntrack.h"

#define HF_EXCLUDES_MAX 32
#define HF_GATEWAY_TICK_MS 100

/* Which flows: all conditions hold, and neither end lies in an excluded prefix. */
struct hf_flow_filter {
	struct hf_prefix source, destination; /* of the original tuple */
	struct hf_prefix exclude[HF_EXCLUDES_MAX];
	size_t excludes;
	uint32_t mark, mark_mask; /* mask 0 = any */
};

enum hf_crossing_flag {
	HF_CROSSING_NATED = 1 << 0,   /* the reply tuple is not the original one turned round */
	HF_CROSSING_MIDWAY = 1 << 1,  /* taken up in the middle: who opened it is not known */
	HF_CROSSING_LATER_0 = 1 << 2, /* given up; what follows waits for the other end's answer */
	HF_CROSSING_LATER_1 = 1 << 3,
	HF_CROSSING_TOLD_0 = 1 << 4, /* its death was told */
	HF_CROSSING_TOLD_1 = 1 << 5,
	HF_CROSSING_ENDING = 1 << 6, /* it was reset: the entry is freed in a moment */
	HF_CROSSING_RST = 1 << 7,    /* an end's RST was seen; the table is to confirm it */
	HF_CROSSING_FREED = 1 << 8,  /* the entry was deleted; a dump going on may still show it */
	HF_CROSSING_LISTENED = 1 << 9, /* what its ends send is let up */
};
#define HF_CROSSING_LATER(side) (HF_CROSSING_LATER_0 << (side))
#define HF_CROSSING_TOLD(side) (HF_CROSSING_TOLD_0 << (side))

/* What is known of a flow beside what the engine knows; by its number. Times: ms modulo 2^32. */
struct hf_crossing {
	struct hf_table_key reply; /* source and destination, as the responder sends */
	uint32_t id;		   /* the entry's */
	uint32_t dump;		   /* the last one that had it */
	uint32_t base_ms, base_s;  /* so much remained at that time, nothing has passed since */
	uint32_t added_ms;	   /* before that nothing is known */
	uint32_t touched_ms;	   /* when a dialogue last had a segment pass */
	uint32_t label[2];	   /* by enum hf_side: the IPv6 flow label of its last answer */
	uint16_t flags;		   /* enum hf_crossing_flag */
	uint8_t state;		   /* TCP_CONNTRACK_... */
	uint8_t unacked;	   /* bit n: side n's data was not acknowledged */
	uint8_t said[2];	   /* packets sent to each side since it was last heard */
};

struct hf_flows_counts { /* entries of the last dump that are left out, by why */
	uint32_t own;	 /* of this machine itself */
	uint32_t offloaded;
	uint32_t altered; /* a helper shifts their sequence numbers */
	uint32_t filtered;
};

struct hf_flows;
struct hf_sniff;

/* Whom flows are of use to. */
struct hf_flows_user {
	struct hf_sniff *sniff; /* what listens for them */
	/* The entry of a flow in dialogue was closed by a RST; it is gone in a moment. */
	void (*closed)(void *arg, hf_flow flow);
	void *arg;
};

/* -1 with HF_EXIT_USAGE where the goals cannot be kept, HF_EXIT_FAILED without memory. */
int hf_flows_open(struct hf_flows **out, const struct hf_goals *goals,
		  const struct hf_flow_filter *filter, const struct hf_flows_user *user,
		  uint64_t now_ms, struct hf_problem *problem);
void hf_flows_close(struct hf_flows **flows);

/* Valid until the next hf_flows_look. */
struct hf_engine *hf_flows_engine(struct hf_flows *flows);
struct hf_crossing *hf_flows_at(struct hf_flows *flows, hf_flow flow);

/* A dump begins, an entry was seen (in it, or in an event), the dump was complete. */
void hf_flows_begin(struct hf_flows *flows);
void hf_flows_look(struct hf_flows *flows, const struct hf_entry *entry, bool gone,
		   uint64_t now_ms);
void hf_flows_end(struct hf_flows *flows);

/* Its entry was deleted: nothing is asked any more, and it is gone when a later dump lacks it. */
void hf_flows_retire(struct hf_flows *flows, hf_flow flow);

/* How a segment toward that end is addressed, to be what the other end sends. */
void hf_flows_address(const struct hf_flows *flows, hf_flow flow, enum hf_side target,
		      struct hf_endpoint *source, struct hf_endpoint *destination);

/* Whose segment that is, as it arrives here; HF_NO_FLOW if nobody's. */
hf_flow hf_flows_find(const struct hf_flows *flows, const struct hf_segment *segment,
		      enum hf_side *side);

/* Let up what its ends send, or no more. */
void hf_flows_listen(struct hf_flows *flows, hf_flow flow, bool on);

/* The time from one dump to the next; shorter at once when an entry is seen that takes it. */
uint32_t hf_flows_pace(const struct hf_flows *flows);

/* Packets a second that probing takes, by the last dump. */
uint64_t hf_flows_need(const struct hf_flows *flows);

void hf_flows_count(const struct hf_flows *flows, struct hf_flows_counts *out);

#endif
