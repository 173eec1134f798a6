/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the flows_*.c files share. */
#ifndef HF_GATEWAY_FLOWS_PRIVATE_H
#define HF_GATEWAY_FLOWS_PRIVATE_H

#include "gateway/flows.h"

#define HF_FLOWS_JITTER 10
#define HF_FLOWS_GOAL 0 /* the policy that the goals alone make */

struct hf_flows {
	struct hf_engine *engine;
	struct hf_crossing *crossing;
	struct hf_table replies; /* reply tuples of flows under NAT */
	void *reply_memory;
	struct hf_flows_user user;
	uint64_t key[2];
	uint32_t capacity;

	struct hf_goals goals;
	struct hf_flow_filter filter;
	struct hf_probing probing[HF_PROBINGS_MAX]; /* count 0: not derived yet */
	uint32_t pace_ms, pace_most_ms; /* from one dump to the next; what the goals allow */
	uint32_t late_ms;		/* what a verdict takes beside the engine's bound */
	uint32_t shortest_ms;		/* what the dump going on has seen forgotten soonest */
	uint64_t need;			/* packets that probing takes, in 1/1000 a second */

	struct hf_address *own; /* sorted */
	size_t owns;
	uint32_t dump;
	struct hf_flows_counts counts, counting;
};

static inline uint32_t hf_smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t hf_larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* --- flows_goals.c --- */

/* Pace and usual probing from the goals; other than HF_DERIVED...: they cannot be kept. */
enum hf_derivation hf_flows_derive(struct hf_flows *flows);

/* The policy of entries that are forgotten after so long; dumps come often enough for it. */
uint8_t hf_flows_policy(struct hf_flows *flows, uint64_t forgotten_ms);

/* A dump is complete: the pace by what it has seen. */
void hf_flows_set_pace(struct hf_flows *flows);

/* Packets that a flow takes, in 1/1000 a second. */
uint32_t hf_flows_need_of(const struct hf_flows *flows, const struct hf_flow_view *view);

/* --- flows_wanted.c --- */

/* Addresses come and go; where they cannot be read, those known last are kept. */
void hf_flows_read_own(struct hf_flows *flows);

/* Is it one to be probed? What is left out is counted by why. */
bool hf_flows_want(struct hf_flows *flows, const struct hf_entry *entry);

/* --- flows.c --- */

void hf_flows_key(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		  struct hf_table_key *out);

/* Twice as many flows as before; -ENOMEM. */
int hf_flows_grow(struct hf_flows *flows);

#endif
