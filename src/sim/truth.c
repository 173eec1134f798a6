/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/truth.h"

#include <math.h>

#include "sim/connection.h"
#include "sim/keeper.h"
#include "sim/network.h"

#define RETRANSMISSIONS_MS 7000 /* three of them, from HF_TCP_RTO_MS on, doubled */

static const struct hf_probing *probing_of(const struct hf_world *world,
					   const struct hf_keeper *keeper, uint32_t flow)
{
	return &keeper->probing[hf_keeper_policy(world, keeper, world->about[flow].section)];
}

uint64_t hf_truth_bound(const struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow)
{
	return hf_probing_bound(probing_of(world, keeper, flow), hf_keeper_sides(keeper),
				keeper->tick_ms);
}

/* With data in flight: a write into silence leaves time to answer, and three retransmissions. */
static uint64_t bound_in_flight(const struct hf_world *world, const struct hf_keeper *keeper,
				uint32_t flow)
{
	const struct hf_probing *probing = probing_of(world, keeper, flow);
	uint64_t bound = hf_truth_bound(world, keeper, flow);
	uint32_t third = probing->in_flight_ms / 3;

	return (bound > probing->in_flight_ms ? bound : probing->in_flight_ms) +
	       (third > RETRANSMISSIONS_MS ? third : RETRANSMISSIONS_MS) + probing->interval_ms;
}

static bool can_answer(const struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		       enum hf_side side)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);
	uint8_t own = hf_keeper_place(world, keeper, world->about[flow].section);
	uint8_t other = hf_place_of_end(spec, side);

	if (!(world->flow[flow].end[side].flags & (HF_TCP_OPEN | HF_TCP_DONE)) ||
	    hf_connection_marks(world, flow, side) & (HF_HOST_OFF | HF_HOST_FROZEN))
		return false;
	return own < other ? hf_network_passable(world, flow, own, other) :
			     hf_network_passable(world, flow, other, own);
}

static void miss(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		 enum hf_side side)
{
	const struct hf_watch *watch = &keeper->watch[flow];
	uint32_t now = hf_world_ms(world), since = watch->gone_ms[side];

	if (!since || watch->told & 1 << side ||
	    now + 1 - since <= bound_in_flight(world, keeper, flow))
		return;
	world->result->real++;
	world->result->missed++;
}

static void update(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		   enum hf_side side)
{
	struct hf_watch *watch = &keeper->watch[flow];
	bool answers = can_answer(world, keeper, flow, side);

	if (!answers && !watch->gone_ms[side])
		watch->gone_ms[side] = hf_world_ms(world) + 1;
	if (!answers || !watch->gone_ms[side])
		return;
	miss(world, keeper, flow, side);
	watch->gone_ms[side] = 0;
}

void hf_truth_update(struct hf_world *world, uint32_t flow)
{
	for (unsigned int i = 0; i < world->keepers; i++) {
		const struct hf_keeper *keeper = &world->keeper[i];

		if (!keeper->engine || keeper->watch[flow].id == HF_NO_FLOW)
			continue;
		for (int side = 0; side < 2; side++)
			if (hf_keeper_watches(keeper, side))
				update(world, keeper, flow, side);
	}
}

void hf_truth_opens(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow)
{
	struct hf_watch *watch = &keeper->watch[flow];
	struct hf_tcp_time time;

	*watch = (struct hf_watch){ .id = watch->id };
	for (int side = 0; side < 2; side++) {
		hf_connection_time(world, flow, side, &time);
		watch->heard_ms[side] = watch->answered_ms[side] = time.now_ms;
		watch->tsval[side] = time.tsval;
		watch->reach[side] = world->flow[flow].end[side].next;
	}
}

void hf_truth_leaves(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow)
{
	for (int side = 0; side < 2; side++)
		if (hf_keeper_watches(keeper, side))
			miss(world, keeper, flow, side);
}

void hf_truth_sends(const struct hf_keeper *keeper, uint32_t flow, enum hf_side side,
		    const struct hf_segment *segment)
{
	struct hf_watch *watch = &keeper->watch[flow];

	if (!segment->payload && !(segment->flags & HF_FIN))
		return;
	if (segment->payload)
		watch->owes |= (uint8_t)(1 << !side);
	if (hf_seq_before(watch->reach[side], hf_segment_end(segment)))
		watch->reach[side] = hf_segment_end(segment);
	else if (watch->again[!side] < UINT8_MAX)
		watch->again[!side]++;
}

void hf_truth_heard(struct hf_world *world, const struct hf_keeper *keeper,
		    const struct hf_travel *travel)
{
	struct hf_watch *watch = &keeper->watch[travel->flow];
	const struct hf_segment *segment = &travel->segment;
	uint8_t side = travel->from;

	watch->heard_ms[side] = hf_world_ms(world);
	if (segment->has_timestamps && hf_seq_before(segment->tsval, watch->tsval[side]))
		return;
	if (segment->has_timestamps)
		watch->tsval[side] = segment->tsval;
	watch->answered_ms[side] = hf_world_ms(world);
	watch->unanswered[side] = watch->again[side] = 0;
	watch->owes &= (uint8_t) ~(1 << side);
}

void hf_truth_asked(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		    enum hf_side side)
{
	struct hf_watch *watch = &keeper->watch[flow];
	double chance = world->all_lost[world->about[flow].section][keeper - world->keeper][side];

	if (watch->unanswered[side] < UINT8_MAX)
		watch->unanswered[side]++;
	if (watch->unanswered[side] != 1 || watch->gone_ms[side])
		return;
	world->result->dialogues++;
	world->result->all_lost_expected += chance;
	world->result->all_lost_variance += chance * (1 - chance);
}

static void found(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		  enum hf_side side, bool in_flight, bool reset)
{
	const struct hf_watch *watch = &keeper->watch[flow];
	struct hf_result *result = world->result;
	uint32_t now = hf_world_ms(world), silent = now - watch->heard_ms[side];
	uint64_t bound = in_flight || watch->owes & 1 << side ?
				 bound_in_flight(world, keeper, flow) :
				 hf_truth_bound(world, keeper, flow);

	result->real++;
	result->found++;
	result->by_reset += reset;
	result->unreachable += hf_connection_holds(world, flow, side);
	result->late += silent > bound;
	if (!hf_durations_add(in_flight ? &result->in_flight : &result->detection, silent) ||
	    !hf_durations_add(&result->after_death, now + 1 - watch->gone_ms[side]))
		world->failed = true;
}

/* Did the end answer so lately that the verdict is wrong? By our own count of both. */
static bool answered(const struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		     enum hf_side side, bool in_flight)
{
	const struct hf_probing *probing = probing_of(world, keeper, flow);
	const struct hf_watch *watch = &keeper->watch[flow];
	uint32_t silent = hf_world_ms(world) - watch->answered_ms[side];
	uint64_t asked_for = (uint64_t)probing->count * (probing->interval_ms - keeper->tick_ms);

	if (in_flight && silent >= probing->in_flight_ms)
		return false;
	return watch->unanswered[side] + watch->again[side] < probing->count || silent < asked_for;
}

void hf_truth_verdict(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		      enum hf_side side, const struct hf_evidence *evidence, bool reset)
{
	struct hf_watch *watch = &keeper->watch[flow];

	if (watch->told & 1 << side || !hf_keeper_watches(keeper, side))
		return;
	watch->told |= (uint8_t)(1 << side);
	if (watch->gone_ms[side])
		found(world, keeper, flow, side, evidence->in_flight, reset);
	else if (reset || answered(world, keeper, flow, side, evidence->in_flight))
		world->result->wrong++;
	else
		world->result->all_lost++;
}

void hf_truth_end(struct hf_world *world)
{
	for (unsigned int i = 0; i < world->keepers; i++) {
		const struct hf_keeper *keeper = &world->keeper[i];

		for (uint32_t flow = 0; keeper->engine && flow < world->flows; flow++)
			if (keeper->watch[flow].id != HF_NO_FLOW)
				hf_truth_leaves(world, keeper, flow);
	}
}
