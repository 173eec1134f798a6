/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/keeper.h"

#include <errno.h>
#include <stdlib.h>

#include "sim/connection.h"
#include "sim/network.h"
#include "sim/scenario_check.h"
#include "sim/truth.h"

#define LINE 64	  /* alignment of an engine's memory */
#define JITTER 10 /* idle is shortened by up to a tenth */
#define BATCH 32  /* actions on whose memory is waited at once */

/* --- Whose business it is --- */

uint32_t hf_keeper_policy(const struct hf_world *world, const struct hf_keeper *keeper,
			  uint32_t section)
{
	const struct hf_flows_spec *spec = &world->scenario->flow[section];

	if (!keeper->gateway)
		return spec->keepalive[keeper->end];
	for (uint32_t i = 0; i < spec->via.count; i++)
		if (spec->via.element[i].kind == HF_GATEWAY &&
		    &world->scenario->gateway[spec->via.element[i].index] == keeper->gateway)
			return keeper->gateway->keepalive;
	return HF_NONE;
}

uint8_t hf_keeper_place(const struct hf_world *world, const struct hf_keeper *keeper,
			uint32_t section)
{
	const struct hf_flows_spec *spec = &world->scenario->flow[section];

	for (uint32_t i = 0; keeper->gateway && i < spec->via.count; i++)
		if (spec->via.element[i].kind == HF_GATEWAY &&
		    &world->scenario->gateway[spec->via.element[i].index] == keeper->gateway)
			return hf_place_of_element(i);
	return hf_place_of_end(spec, keeper->end);
}

/* --- Making and unmaking --- */

static uint32_t flows_of(const struct hf_world *world, const struct hf_keeper *keeper)
{
	uint32_t flows = 0;

	for (uint32_t i = 0; i < world->scenario->flows; i++)
		if (hf_keeper_policy(world, keeper, i) != HF_NONE)
			flows += world->scenario->flow[i].count;
	return flows;
}

static int make_engine(struct hf_world *world, struct hf_keeper *keeper, uint32_t flows)
{
	struct hf_engine_options options = {
		.flows = flows,
		.tick_ms = keeper->tick_ms,
		.key = { hf_random_next(&world->random), hf_random_next(&world->random) },
		.seed = hf_random_next(&world->random),
		.jitter = JITTER,
	};
	size_t size = hf_engine_size(&options);

	keeper->memory = aligned_alloc(LINE, (size + LINE - 1) / LINE * LINE);
	keeper->watch = malloc(world->flows * sizeof(*keeper->watch));
	keeper->flow = malloc(flows * sizeof(*keeper->flow));
	if (!keeper->memory || !keeper->watch || !keeper->flow)
		return -ENOMEM;
	for (uint32_t i = 0; i < world->flows; i++)
		keeper->watch[i].id = HF_NO_FLOW;
	keeper->engine = hf_engine_init(keeper->memory, size, &options, hf_world_ms(world));
	return keeper->engine ? 0 : -ENOMEM;
}

/* How it probes, and with what chance all segments of a dialogue are lost on sound ways. */
static void set_policies(struct hf_world *world, struct hf_keeper *keeper)
{
	const struct hf_scenario *scenario = world->scenario;
	size_t number = (size_t)(keeper - world->keeper);

	for (uint32_t i = 0; i < scenario->flows; i++) {
		uint32_t policy = hf_keeper_policy(world, keeper, i);
		uint8_t own = hf_keeper_place(world, keeper, i);
		uint8_t last = hf_place_of_end(&scenario->flow[i], HF_RESPONDER);
		struct hf_probing *probing = &keeper->probing[policy == HF_NONE ? 0 : policy];

		if (policy == HF_NONE)
			continue;
		hf_scenario_probing(&scenario->keepalive[policy], hf_keeper_sides(keeper),
				    keeper->tick_ms, probing);
		hf_engine_set_probing(keeper->engine, (uint8_t)policy, probing);
		world->all_lost[i][number][HF_ORIGINATOR] = pow(
			1 - hf_network_survival(world, &scenario->flow[i], 0, own), probing->count);
		world->all_lost[i][number][HF_RESPONDER] =
			pow(1 - hf_network_survival(world, &scenario->flow[i], own, last),
			    probing->count);
	}
}

static int make(struct hf_world *world, struct hf_keeper *keeper)
{
	uint32_t flows = flows_of(world, keeper);

	if (!flows)
		return 0;
	if (keeper->gateway && keeper->gateway->capacity)
		flows = keeper->gateway->capacity;
	if (make_engine(world, keeper, flows))
		return -ENOMEM;
	set_policies(world, keeper);
	return 0;
}

int hf_keepers_init(struct hf_world *world)
{
	const struct hf_scenario *scenario = world->scenario;

	world->keepers = 2 + scenario->gateways;
	for (unsigned int i = 0; i < world->keepers; i++) {
		struct hf_keeper *keeper = &world->keeper[i];

		keeper->end = (uint8_t)i;
		keeper->tick_ms = HF_TICK_MS;
		if (i >= 2) {
			keeper->gateway = &scenario->gateway[i - 2];
			keeper->tick_ms = keeper->gateway->tick_ms;
		}
		if (make(world, keeper))
			return -ENOMEM;
	}
	return 0;
}

void hf_keepers_free(struct hf_world *world)
{
	for (unsigned int i = 0; i < world->keepers; i++) {
		free(world->keeper[i].memory);
		free(world->keeper[i].watch);
		free(world->keeper[i].flow);
	}
}

/* --- Flows come and go --- */

/* What the handshake has shown: an end knows it, a gateway has seen it pass. */
static void teach(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		  enum hf_side target)
{
	const struct hf_tcp *end = &world->flow[flow].end[target];
	struct hf_tcp_time own, other;
	struct hf_numbers numbers = { .expected = end->expected,
				      .next = end->next,
				      .window = end->window };

	hf_connection_time(world, flow, !target, &own);
	hf_connection_time(world, flow, target, &other);
	numbers.has_timestamps = own.timestamps;
	numbers.tsval = own.timestamps ? own.tsval : 0;
	numbers.tsecr = own.timestamps ? other.tsval : 0;
	hf_engine_learn(keeper->engine, keeper->watch[flow].id, target, &numbers);
}

static void tell_time(const struct hf_world *world, const struct hf_keeper *keeper)
{
	hf_engine_advance(keeper->engine, hf_world_ms(world), 0);
}

void hf_keeper_opens(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow)
{
	uint32_t section = world->about[flow].section;
	uint32_t policy = keeper->engine ? hf_keeper_policy(world, keeper, section) : HF_NONE;
	uint8_t place = hf_keeper_place(world, keeper, section);
	unsigned int options = keeper->gateway		    ? HF_WATCH_BOTH :
			       keeper->end == HF_ORIGINATOR ? HF_WATCH_RESPONDER :
							      HF_WATCH_ORIGINATOR;
	struct hf_flow_key key;
	hf_flow id;

	if (policy == HF_NONE)
		return;
	if (keeper->gateway && keeper->gateway->asks)
		options |= HF_ASK;
	hf_network_endpoint(world, flow, HF_ORIGINATOR, place, 0, &key.end[HF_ORIGINATOR]);
	hf_network_endpoint(world, flow, HF_RESPONDER, place, 0, &key.end[HF_RESPONDER]);
	tell_time(world, keeper);
	if (hf_engine_add(keeper->engine, &key, options, (uint8_t)policy, 0, &id) != HF_ADDED) {
		world->result->gateway_refused++;
		return;
	}
	keeper->watch[flow].id = id;
	hf_truth_opens(world, keeper, flow);
	keeper->flow[id] = flow;
	for (int side = 0; side < 2; side++)
		if (hf_keeper_watches(keeper, side) && !(options & HF_ASK))
			teach(world, keeper, flow, side);
}

void hf_keepers_open(struct hf_world *world, uint32_t flow)
{
	for (unsigned int i = 0; i < world->keepers; i++)
		hf_keeper_opens(world, &world->keeper[i], flow);
}

void hf_keeper_closes(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow)
{
	if (!keeper->engine || keeper->watch[flow].id == HF_NO_FLOW)
		return;
	hf_truth_leaves(world, keeper, flow);
	hf_engine_remove(keeper->engine, keeper->watch[flow].id);
	keeper->watch[flow].id = HF_NO_FLOW;
}

bool hf_keepers_hold(const struct hf_world *world, uint32_t flow)
{
	for (unsigned int i = 0; i < world->keepers; i++)
		if (world->keeper[i].engine && world->keeper[i].watch[flow].id != HF_NO_FLOW)
			return true;
	return false;
}

/* --- Saying --- */

/* What an end probes with is its own word; a question bears nobody's numbers. */
static void send(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		 enum hf_side target, const struct hf_segment *segment, bool asks)
{
	uint8_t place = hf_keeper_place(world, keeper, world->about[flow].section);

	world->result->bytes += hf_network_bytes(world, flow, segment);
	hf_network_send(world, flow, !target, place, !keeper->gateway && !asks, segment, 0, 0);
}

static void probe(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		  const struct hf_action *action)
{
	static const struct hf_endpoint nowhere; /* travels know their flow, and so their ends */
	struct hf_numbers numbers;
	struct hf_segment segment;

	if (!hf_engine_numbers(keeper->engine, action->flow, action->target, &numbers))
		return;
	hf_segment_probe(&nowhere, &nowhere, &numbers, action->garbage, &segment);
	world->result->probes++;
	send(world, keeper, flow, action->target, &segment, false);
}

static void ask(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
		const struct hf_action *action)
{
	static const struct hf_endpoint nowhere;
	struct hf_segment segment;

	probe(world, keeper, flow, action);
	world->result->questions++;
	if (action->kind == HF_SEND_HANDSHAKE) {
		hf_segment_handshake(&nowhere, &nowhere, action->target == HF_RESPONDER, &segment);
		send(world, keeper, flow, action->target, &segment, true);
		return;
	}
	for (unsigned int which = 0; which < HF_TICKLES; which++) {
		hf_segment_tickle(&nowhere, &nowhere, which, &segment);
		send(world, keeper, flow, action->target, &segment, true);
	}
}

/* The other end is told in the dead one's name. */
static void reset_other(struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow,
			enum hf_side dead)
{
	static const struct hf_endpoint nowhere;
	struct hf_numbers numbers;
	struct hf_segment segment;

	if (!hf_engine_numbers(keeper->engine, keeper->watch[flow].id, !dead, &numbers))
		return;
	hf_segment_reset(&nowhere, &nowhere, &numbers, &segment);
	send(world, keeper, flow, !dead, &segment, false);
}

static void act_on_death(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow,
			 enum hf_side dead)
{
	if (!keeper->gateway) {
		hf_connection_aborts(world, flow, keeper->end);
		return;
	}
	if (keeper->gateway->on_dead == HF_DEAD_OBSERVE)
		return;
	if (keeper->gateway->on_dead == HF_DEAD_RESET)
		reset_other(world, keeper, flow, dead);
	hf_keeper_closes(world, keeper, flow);
}

static void act(struct hf_world *world, struct hf_keeper *keeper, const struct hf_action *action)
{
	uint32_t flow = keeper->flow[action->flow];

	if (keeper->watch[flow].id != action->flow) /* closed by what came before it in the batch */
		return;
	if (action->kind == HF_VERDICT) {
		hf_truth_verdict(world, keeper, flow, action->target, &action->evidence, false);
		act_on_death(world, keeper, flow, action->target);
		return;
	}
	hf_truth_asked(world, keeper, flow, action->target);
	if (action->kind == HF_SEND_PROBE)
		probe(world, keeper, flow, action);
	else
		ask(world, keeper, flow, action);
}

/* An engine wants to be told the time every tick, so that it can tell a jump. */
uint64_t hf_keeper_due(const struct hf_keeper *keeper)
{
	uint64_t due;

	if (!keeper->engine || keeper->suspended)
		return UINT64_MAX;
	due = hf_engine_due(keeper->engine);
	if (due > keeper->told_ms + keeper->tick_ms)
		due = keeper->told_ms + keeper->tick_ms;
	return due * 1000;
}

/* What acting on a flow will touch, on its way into the cache. */
static void prefetch(const struct hf_world *world, const struct hf_keeper *keeper, uint32_t flow)
{
	const struct hf_path *via = &hf_world_spec(world, flow)->via;

	__builtin_prefetch(&keeper->watch[flow], 1);
	__builtin_prefetch(&world->flow[flow], 1);
	for (uint32_t i = 0; i < via->count; i++)
		if (via->element[i].kind == HF_NAT)
			__builtin_prefetch(&world->nat[via->element[i].index].entry[flow], 1);
}

void hf_keeper_acts(struct hf_world *world, struct hf_keeper *keeper)
{
	struct hf_action action[BATCH];
	size_t count = BATCH;

	keeper->told_ms = hf_world_ms(world);
	tell_time(world, keeper);
	while (count == BATCH) {
		count = 0;
		while (count < BATCH && hf_engine_next(keeper->engine, &action[count]))
			prefetch(world, keeper, keeper->flow[action[count++].flow]);
		for (size_t i = 0; i < count; i++)
			act(world, keeper, &action[i]);
	}
}

/* --- Hearing --- */

static void follow(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow,
		   const struct hf_heard *heard)
{
	struct hf_watch *watch = &keeper->watch[flow];

	switch ((enum hf_event)heard->event) {
	case HF_RESET:
		hf_truth_verdict(world, keeper, flow, heard->side, &heard->evidence, true);
		if (keeper->gateway)
			hf_keeper_closes(world, keeper, flow);
		break;
	case HF_REVIVED:
		world->result->revived++;
		watch->told &= (uint8_t) ~(1 << heard->side);
		break;
	case HF_CLOSED:
		if (keeper->gateway)
			hf_keeper_closes(world, keeper, flow);
		break;
	case HF_ALIVE:
	case HF_DEAD:
	case HF_NOTHING:
		break;
	}
}

/* As a gateway has it: a packet of bytes, whose flow is to be found by its addresses. */
static void hear_bytes(const struct hf_world *world, const struct hf_keeper *keeper,
		       const struct hf_travel *travel, struct hf_heard *heard)
{
	uint8_t place = hf_keeper_place(world, keeper, world->about[travel->flow].section);
	struct hf_segment segment = travel->segment, parsed;
	uint8_t packet[HF_PACKET_MAX];
	size_t size;

	hf_network_endpoint(world, travel->flow, travel->from, place, travel->generations,
			    &segment.source);
	hf_network_endpoint(world, travel->flow, !travel->from, place, travel->generations,
			    &segment.destination);
	size = hf_segment_build(&segment, packet, sizeof(packet));
	if (hf_segment_parse(packet, size, HF_VERIFY_CHECKSUMS, &parsed) != HF_PARSED)
		abort();
	hf_engine_segments(keeper->engine, &parsed, 1, heard);
	if (heard->flow != keeper->watch[travel->flow].id || heard->side != travel->from ||
	    parsed.seq != segment.seq || parsed.ack != segment.ack || parsed.tsval != segment.tsval)
		abort();
}

static bool on_its_own_port(const struct hf_world *world, const struct hf_keeper *keeper,
			    const struct hf_travel *travel)
{
	uint8_t place = hf_keeper_place(world, keeper, world->about[travel->flow].section);
	uint64_t inside = place > 1 ? UINT64_MAX >> (64 - 8 * (place - 1)) : 0;

	return !(travel->generations & inside);
}

void hf_keeper_hears(struct hf_world *world, struct hf_keeper *keeper,
		     const struct hf_travel *travel)
{
	const struct hf_segment *segment = &travel->segment;
	uint32_t flow = travel->flow;
	struct hf_heard heard;
	struct hf_watch *watch;
	bool asked;

	if (!keeper->engine || keeper->watch[flow].id == HF_NO_FLOW ||
	    !on_its_own_port(world, keeper, travel))
		return;
	watch = &keeper->watch[flow];
	asked = watch->unanswered[travel->from] && hf_keeper_watches(keeper, travel->from);
	if (asked)
		world->result->bytes += hf_network_bytes(world, flow, segment);
	if (travel->genuine && !(segment->flags & HF_RST))
		hf_truth_heard(world, keeper, travel);
	hf_truth_sends(keeper, flow, travel->from, segment);
	tell_time(world, keeper);
	if (keeper->gateway && keeper->gateway->asks && !asked) {
		if (!segment->payload) /* an ACK: both have spoken */
			hf_engine_heard(keeper->engine, watch->id, 0);
		return;
	}
	if (segment->payload <= 1 &&
	    hf_random_chance(&world->random, hf_world_spec(world, flow)->as_bytes))
		hear_bytes(world, keeper, travel, &heard);
	else
		hf_engine_segment(keeper->engine, watch->id, travel->from, segment, &heard);
	follow(world, keeper, flow, &heard);
}

void hf_keeper_says(struct hf_world *world, struct hf_keeper *keeper, uint32_t flow,
		    const struct hf_segment *segment)
{
	struct hf_heard heard;

	if (!keeper->engine || keeper->watch[flow].id == HF_NO_FLOW)
		return;
	hf_truth_sends(keeper, flow, keeper->end, segment);
	tell_time(world, keeper);
	hf_engine_segment(keeper->engine, keeper->watch[flow].id, keeper->end, segment, &heard);
}
