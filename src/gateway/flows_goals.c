/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From goals to probing, and to the pace of dumps. */
#include "gateway/flows_private.h"

#define SIDES 2
#define PACE_MIN_MS 500
#define PACE_MAX_MS 30000
#define PACE_TIGHT_MS 200 /* where a short goal leaves nothing to spare */
#define TURN_TIGHT_MS 600 /* half the shortest interval, and a tick */

/*
 * Traffic is seen a dump later, and a verdict may wait for the other end's turn: the goals less
 * that. What an entry itself has left counts from its last packet, whenever that is seen.
 */
static enum hf_derivation derive(const struct hf_flows *flows, uint32_t forgotten_ms,
				 struct hf_probing *out)
{
	struct hf_goals goals = flows->goals;

	if (goals.dead_within_ms)
		goals.dead_within_ms -= hf_smaller(flows->late_ms, goals.dead_within_ms - 1);
	if (goals.keep_open_ms)
		goals.keep_open_ms -= hf_smaller(flows->pace_most_ms, goals.keep_open_ms - 1);
	if (forgotten_ms && (!goals.keep_open_ms || forgotten_ms < goals.keep_open_ms))
		goals.keep_open_ms = forgotten_ms;
	return hf_probing_derive(&goals, SIDES, HF_GATEWAY_TICK_MS, out);
}

static bool possible(enum hf_derivation derivation)
{
	return derivation <= HF_DERIVED_ONE_LOSS;
}

static uint32_t pace_of(const struct hf_flows *flows)
{
	uint32_t pace = PACE_MAX_MS;

	if (flows->goals.dead_within_ms)
		pace = hf_smaller(pace, flows->goals.dead_within_ms / 8);
	if (flows->goals.keep_open_ms)
		pace = hf_smaller(pace, flows->goals.keep_open_ms / 8);
	if (flows->shortest_ms)
		pace = hf_smaller(pace, flows->shortest_ms / 4);
	return hf_larger(pace, PACE_MIN_MS);
}

enum hf_derivation hf_flows_derive(struct hf_flows *flows)
{
	struct hf_probing *usual = &flows->probing[HF_FLOWS_GOAL];
	enum hf_derivation derivation;

	flows->pace_most_ms = pace_of(flows);
	flows->late_ms = flows->pace_most_ms +
			 hf_larger(HF_INTERVAL_MIN_MS, flows->goals.dead_within_ms / 16);
	derivation = derive(flows, 0, usual);
	if (!possible(derivation)) {
		flows->pace_most_ms = PACE_TIGHT_MS;
		flows->late_ms = PACE_TIGHT_MS + TURN_TIGHT_MS;
		derivation = derive(flows, 0, usual);
	}
	flows->pace_ms = flows->pace_most_ms;
	if (possible(derivation))
		hf_engine_set_probing(flows->engine, HF_FLOWS_GOAL, usual);
	return derivation;
}

void hf_flows_set_pace(struct hf_flows *flows)
{
	flows->pace_ms = hf_smaller(pace_of(flows), flows->pace_most_ms);
}

/* The class of times that a time of at least 4 ms belongs to: four to an octave. */
static unsigned int class_of(uint32_t ms)
{
	unsigned int octave = 31 - (unsigned int)__builtin_clz(ms);

	return octave * 4 + (ms >> (octave - 2) & 3);
}

static uint32_t least_of(unsigned int class)
{
	return (4u + class % 4) << (class / 4 - 2);
}

uint8_t hf_flows_policy(struct hf_flows *flows, uint64_t forgotten_ms)
{
	uint32_t ms = forgotten_ms < HF_PROBING_MAX ? (uint32_t)forgotten_ms : HF_PROBING_MAX;
	unsigned int class = class_of(hf_larger(ms, HF_KEEP_OPEN_MIN));
	struct hf_probing *probing = &flows->probing[1 + class];

	if (!probing->count) {
		for (unsigned int nearest = class;
		     !possible(derive(flows, least_of(nearest), probing));)
			nearest++;
		hf_engine_set_probing(flows->engine, (uint8_t)(1 + class), probing);
	}
	if (probing->idle_ms >= flows->probing[HF_FLOWS_GOAL].idle_ms)
		return HF_FLOWS_GOAL;
	if (!flows->shortest_ms || ms < flows->shortest_ms) {
		flows->shortest_ms = ms;
		flows->pace_ms = hf_smaller(flows->pace_ms, pace_of(flows));
	}
	return (uint8_t)(1 + class);
}

/*
 * In each idle time both ends are probed, after a question where their numbers are not known; an
 * end that does not answer takes a question of each kind in two intervals, besides, and probes of
 * what is known.
 */
uint32_t hf_flows_need_of(const struct hf_flows *flows, const struct hf_flow_view *view)
{
	const struct hf_probing *probing = &flows->probing[view->policy];
	uint32_t need = 0;

	for (unsigned int side = 0; side < SIDES; side++) {
		uint32_t first = view->learned[side] ? 1 : HF_TICKLES + 1;
		uint32_t further = HF_TICKLES + 1 + (view->learned[side] ? 2 : 0);

		need += first * 1000000 / probing->idle_ms;
		if (view->dialogue && view->unanswered[side] > 1)
			need += further * 500000 / probing->interval_ms;
	}
	return need;
}
