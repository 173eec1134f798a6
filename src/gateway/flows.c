/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flows in memory: the engine, what it has no place for, and reply tuples under NAT. */
#include "gateway/flows.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gateway/flows_private.h"
#include "gateway/sniff.h"

#define LINE 64
#define FIRST_CAPACITY 4096

void hf_flows_key(const struct hf_endpoint *source, const struct hf_endpoint *destination,
		  struct hf_table_key *out)
{
	memcpy(out->address[0], source->address.byte, sizeof(out->address[0]));
	memcpy(out->address[1], destination->address.byte, sizeof(out->address[1]));
	out->port[0] = source->port;
	out->port[1] = destination->port;
}

static size_t in_lines(size_t size)
{
	return (size + LINE - 1) / LINE * LINE;
}

/* The table of reply tuples for so many flows; those under NAT are entered again. */
static int furnish(struct hf_flows *flows, uint32_t capacity)
{
	size_t size = in_lines(hf_table_size(capacity));
	void *memory = aligned_alloc(LINE, size);

	if (!memory)
		return -ENOMEM;
	free(flows->reply_memory);
	flows->reply_memory = memory;
	hf_table_init(&flows->replies, memory, size, flows->key, flows->crossing,
		      sizeof(struct hf_crossing));
	for (hf_flow flow = 0; flow < flows->capacity; flow++)
		if (hf_engine_exists(flows->engine, flow) &&
		    flows->crossing[flow].flags & HF_CROSSING_NATED)
			hf_table_add(&flows->replies,
				     hf_table_hash(&flows->replies, &flows->crossing[flow].reply),
				     flow);
	return 0;
}

static int make_engine(struct hf_flows *flows, uint64_t now_ms)
{
	struct hf_engine_options options = { .flows = FIRST_CAPACITY,
					     .tick_ms = HF_GATEWAY_TICK_MS,
					     .jitter = HF_FLOWS_JITTER };
	size_t size;
	void *memory;

	/* Fixed, or what is outgrown is kept, once something as large was freed before. */
	mallopt(M_MMAP_THRESHOLD, FIRST_CAPACITY * sizeof(*flows->crossing));
	if (getrandom(options.key, sizeof(options.key), 0) < 0 ||
	    getrandom(&options.seed, sizeof(options.seed), 0) < 0 ||
	    getrandom(flows->key, sizeof(flows->key), 0) < 0)
		return -errno;
	size = in_lines(hf_engine_size(&options));
	memory = aligned_alloc(LINE, size);
	flows->engine = memory ? hf_engine_init(memory, size, &options, now_ms) : NULL;
	flows->crossing = calloc(FIRST_CAPACITY, sizeof(*flows->crossing));
	if (!flows->engine || !flows->crossing || furnish(flows, FIRST_CAPACITY))
		return -ENOMEM;
	flows->capacity = FIRST_CAPACITY;
	return 0;
}

int hf_flows_grow(struct hf_flows *flows)
{
	struct hf_engine_options options = { .flows = flows->capacity * 2,
					     .tick_ms = HF_GATEWAY_TICK_MS };
	size_t size = in_lines(hf_engine_size(&options));
	struct hf_crossing *crossing =
		reallocarray(flows->crossing, options.flows, sizeof(*crossing));
	void *memory = aligned_alloc(LINE, size);
	struct hf_engine *old = flows->engine;

	if (crossing)
		flows->crossing = crossing;
	if (!crossing || !memory || furnish(flows, options.flows)) {
		free(memory);
		return -ENOMEM;
	}
	flows->engine = hf_engine_move(old, memory, size, options.flows);
	free(old);
	flows->capacity = options.flows;
	return 0;
}

static int refuse(const struct hf_goals *goals, enum hf_derivation derivation,
		  struct hf_problem *problem)
{
	bool dead = derivation == HF_DEAD_WITHIN_TOO_SHORT;

	return hf_problem_set(problem, HF_EXIT_USAGE,
			      dead ? "try: --dead-within 7s" : "try: --keep-open 6s",
			      "%s %u ms cannot be kept by probing two ends in turns",
			      dead ? "--dead-within" : "--keep-open",
			      dead ? goals->dead_within_ms : goals->keep_open_ms);
}

int hf_flows_open(struct hf_flows **out, const struct hf_goals *goals,
		  const struct hf_flow_filter *filter, const struct hf_flows_user *user,
		  uint64_t now_ms, struct hf_problem *problem)
{
	struct hf_flows *flows = calloc(1, sizeof(*flows));
	enum hf_derivation derivation;

	if (!flows || make_engine(flows, now_ms)) {
		hf_flows_close(&flows);
		return hf_problem_set(problem, HF_EXIT_FAILED, NULL, "out of memory");
	}
	flows->goals = *goals;
	flows->filter = *filter;
	flows->user = *user;
	derivation = hf_flows_derive(flows);
	if (derivation > HF_DERIVED_ONE_LOSS) {
		hf_flows_close(&flows);
		return refuse(goals, derivation, problem);
	}
	*out = flows;
	return 0;
}

void hf_flows_close(struct hf_flows **flows)
{
	struct hf_flows *old = *flows;

	*flows = NULL;
	if (!old)
		return;
	free(old->engine);
	free(old->crossing);
	free(old->reply_memory);
	free(old->own);
	free(old);
}

struct hf_engine *hf_flows_engine(struct hf_flows *flows)
{
	return flows->engine;
}

struct hf_crossing *hf_flows_at(struct hf_flows *flows, hf_flow flow)
{
	return &flows->crossing[flow];
}

/* --- What they are called on the wire --- */

static void endpoint_of(const struct hf_table_key *key, unsigned int which, struct hf_endpoint *out)
{
	memcpy(out->address.byte, key->address[which], sizeof(out->address.byte));
	out->port = key->port[which];
	out->family = hf_address_is_mapped(&out->address) ? HF_IPV4 : HF_IPV6;
}

void hf_flows_address(const struct hf_flows *flows, hf_flow flow, enum hf_side target,
		      struct hf_endpoint *source, struct hf_endpoint *destination)
{
	struct hf_flow_view view;

	if (target == HF_ORIGINATOR) {
		endpoint_of(&flows->crossing[flow].reply, 0, source);
		endpoint_of(&flows->crossing[flow].reply, 1, destination);
		return;
	}
	hf_engine_look(flows->engine, flow, &view);
	*source = view.key.end[HF_ORIGINATOR];
	*destination = view.key.end[HF_RESPONDER];
}

hf_flow hf_flows_find(const struct hf_flows *flows, const struct hf_segment *segment,
		      enum hf_side *side)
{
	struct hf_table_key key;
	bool reversed = false;
	hf_flow flow = hf_engine_find(flows->engine, &segment->source, &segment->destination, side);

	if (flow != HF_NO_FLOW &&
	    (*side == HF_ORIGINATOR || !(flows->crossing[flow].flags & HF_CROSSING_NATED)))
		return flow;
	hf_flows_key(&segment->source, &segment->destination, &key);
	flow = hf_table_find(&flows->replies, hf_table_hash(&flows->replies, &key), &key,
			     &reversed);
	if (flow == HF_NO_FLOW || reversed)
		return HF_NO_FLOW;
	*side = HF_RESPONDER;
	return flow;
}

/* As the packets of each end arrive here, before any NAT. */
static void keys_of(const struct hf_flows *flows, hf_flow flow, struct hf_table_key out[2])
{
	struct hf_flow_view view;

	hf_engine_look(flows->engine, flow, &view);
	hf_flows_key(&view.key.end[0], &view.key.end[1], &out[HF_ORIGINATOR]);
	out[HF_RESPONDER] = flows->crossing[flow].reply;
}

void hf_flows_listen(struct hf_flows *flows, hf_flow flow, bool on)
{
	struct hf_crossing *crossing = &flows->crossing[flow];
	struct hf_table_key keys[2];

	if (on == !!(crossing->flags & HF_CROSSING_LISTENED))
		return;
	crossing->flags ^= HF_CROSSING_LISTENED;
	keys_of(flows, flow, keys);
	hf_sniff_listen(flows->user.sniff, keys, on);
}

uint32_t hf_flows_pace(const struct hf_flows *flows)
{
	return flows->pace_ms;
}

void hf_flows_count(const struct hf_flows *flows, struct hf_flows_counts *out)
{
	*out = flows->counts;
}

uint64_t hf_flows_need(const struct hf_flows *flows)
{
	return flows->need / 1000;
}
