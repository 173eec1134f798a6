/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/connection.h"

#include <assert.h>

#include "sim/keeper.h"
#include "sim/network.h"
#include "sim/scenario_check.h"
#include "sim/truth.h"

#define FIRST_PORT 1024
#define PORTS 64512
#define RETRY_MS 1000 /* a connection that is not opened anew tries so often to be opened at all */
#define CLOCK_SPREAD 2654435761u /* hosts' timestamps do not begin alike */

/* --- Who and where --- */

static uint32_t ordinal(const struct hf_world *world, uint32_t flow)
{
	return flow - world->first[world->about[flow].section];
}

uint32_t hf_connection_host(const struct hf_world *world, uint32_t flow, enum hf_side side)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);
	uint32_t number = ordinal(world, flow), from = world->scenario->host[spec->from].count;

	if (side == HF_ORIGINATOR)
		return number % from;
	return (number + number / from) % world->scenario->host[spec->to].count;
}

/* Each incarnation has another one; no two connections of a host have the same at a time. */
uint16_t hf_connection_port(const struct hf_world *world, uint32_t flow, enum hf_side side)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);
	uint32_t before = 0, all = 0, number;

	if (side == HF_RESPONDER)
		return (uint16_t)spec->port;
	for (uint32_t i = 0; i < world->scenario->flows; i++) {
		if (world->scenario->flow[i].from != spec->from)
			continue;
		if (i < world->about[flow].section)
			before += hf_scenario_per_host(world->scenario, i);
		all += hf_scenario_per_host(world->scenario, i);
	}
	assert(all);
	number = before + ordinal(world, flow) / world->scenario->host[spec->from].count +
		 world->about[flow].incarnation * all;
	return (uint16_t)(FIRST_PORT + number % (PORTS / all * all));
}

uint8_t hf_connection_marks(const struct hf_world *world, uint32_t flow, enum hf_side side)
{
	return world->host[hf_connection_hosts(world, flow, side)]
			  [hf_connection_host(world, flow, side)];
}

void hf_connection_time(const struct hf_world *world, uint32_t flow, enum hf_side side,
			struct hf_tcp_time *out)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);

	out->now_ms = hf_world_ms(world);
	out->tsval = out->now_ms + (hf_connection_host(world, flow, side) + 1) * CLOCK_SPREAD;
	out->timestamps = world->scenario->host[spec->from].timestamps &&
			  world->scenario->host[spec->to].timestamps;
}

/* --- Sending, and the timer that goes with it --- */

static void run_timer(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	struct hf_tcp *end = &world->flow[flow].end[side];
	uint32_t timeout = hf_tcp_timeout(end);

	if (!timeout || end->flags & HF_TCP_TIMER)
		return;
	end->flags |= HF_TCP_TIMER;
	hf_clock_post(&world->clock, world->clock.now + 1000ull * timeout, HF_TIMES_OUT,
		      2 * flow + side);
}

static void send_in(struct hf_world *world, uint32_t flow, enum hf_side side,
		    const struct hf_segment *segment, uint64_t generations)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);
	uint32_t delay_ms = world->scenario->host[hf_connection_hosts(world, flow, side)].delay_ms;

	hf_network_send(world, flow, side, hf_place_of_end(spec, side), true, segment, generations,
			1000ull * delay_ms);
}

void hf_connection_sends(struct hf_world *world, uint32_t flow, enum hf_side side,
			 const struct hf_segment *segment)
{
	hf_keeper_says(world, &world->keeper[side], flow, segment);
	send_in(world, flow, side, segment, 0);
	run_timer(world, flow, side);
}

static void send_data(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	struct hf_segment segment;
	struct hf_tcp_time time;

	hf_connection_time(world, flow, side, &time);
	if (hf_tcp_send(&world->flow[flow].end[side], hf_world_spec(world, flow)->bytes, &time,
			&segment))
		hf_connection_sends(world, flow, side, &segment);
	else
		run_timer(world, flow, side);
}

void hf_connection_times_out(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	struct hf_tcp *end = &world->flow[flow].end[side];
	uint32_t timeout = hf_tcp_timeout(end), passed;
	struct hf_segment segment;
	struct hf_tcp_time time;

	end->flags &= (uint8_t)~HF_TCP_TIMER;
	hf_connection_time(world, flow, side, &time);
	passed = time.now_ms - end->timed_ms;
	if (!timeout)
		return;
	if (passed < timeout || hf_connection_marks(world, flow, side) & HF_HOST_FROZEN) {
		uint32_t left = passed < timeout ? timeout - passed : timeout;

		end->flags |= HF_TCP_TIMER;
		hf_clock_post(&world->clock, world->clock.now + 1000ull * left, HF_TIMES_OUT,
			      2 * flow + side);
		return;
	}
	switch (hf_tcp_timer(end, &time, &segment)) {
	case HF_TCP_SENDS:
		hf_connection_sends(world, flow, side, &segment);
		break;
	case HF_TCP_GIVES_UP:
		world->result->given_up++;
		hf_connection_lost(world, flow, side);
		break;
	case HF_TCP_IDLE:
		break;
	}
}

/* --- Opening --- */

static bool can_open(const struct hf_world *world, uint32_t flow)
{
	const struct hf_path *via = &hf_world_spec(world, flow)->via;

	for (int side = 0; side < 2; side++)
		if (hf_connection_marks(world, flow, side) & (HF_HOST_OFF | HF_HOST_FROZEN))
			return false;
	for (uint32_t i = 0; i < via->count; i++) {
		const struct hf_element *what = &via->element[i];

		if (what->kind == HF_LINK &&
		    world->link[what->index].state[hf_network_which(world, flow, what)].down)
			return false;
		if (what->kind == HF_GATEWAY && world->keeper[2 + what->index].suspended)
			return false;
	}
	return true;
}

static void post_reopening(struct hf_world *world, uint32_t flow, uint32_t after_ms)
{
	if (!after_ms || world->about[flow].reopening)
		return;
	world->about[flow].reopening = true;
	hf_clock_post(&world->clock, world->clock.now + 1000ull * after_ms, HF_REOPENS, flow);
}

static void post_talk(struct hf_world *world, uint32_t flow)
{
	uint32_t mean = hf_world_spec(world, flow)->activity_ms;

	if (mean)
		hf_clock_post(&world->clock,
			      world->clock.now + 1 +
				      (uint64_t)hf_random_exponential(&world->random,
								      1000.0 * mean),
			      HF_TALKS, flow);
}

/* The handshake itself is not simulated: it succeeds where all is up, and is not lost. */
static void open_now(struct hf_world *world, uint32_t flow)
{
	struct hf_flow_state *state = &world->flow[flow];
	struct hf_flow_about *about = &world->about[flow];
	uint64_t numbers = hf_random_next(&world->random);
	uint32_t own = (uint32_t)numbers, other = (uint32_t)(numbers >> 32);
	bool first = !about->incarnation;
	struct hf_tcp_time time;

	about->incarnation++;
	about->counted = true;
	world->open++;
	hf_tcp_open(&state->end[HF_ORIGINATOR], own, other);
	hf_tcp_open(&state->end[HF_RESPONDER], other, own);
	for (int side = 0; side < 2; side++) {
		hf_connection_time(world, flow, !side, &time);
		state->end[side].ts_recent = time.timestamps ? time.tsval : 0;
		if (hf_connection_marks(world, flow, side) & HF_HOST_PAUSED)
			state->end[side].flags |= HF_TCP_NOT_READING;
	}
	world->result->opened++;
	hf_network_opens(world, flow);
	hf_keepers_open(world, flow);
	if (first)
		post_talk(world, flow);
}

void hf_connection_opens(struct hf_world *world, uint32_t section)
{
	const struct hf_flows_spec *spec = &world->scenario->flow[section];
	uint32_t number = world->opened[section]++, flow = world->first[section] + number;

	if (number + 1 < spec->count)
		hf_clock_post(&world->clock,
			      1000ull * spec->open_over_ms * (number + 1) / spec->count, HF_OPENS,
			      section);
	if (can_open(world, flow))
		open_now(world, flow);
	else
		post_reopening(world, flow, spec->reopen_ms ? spec->reopen_ms : RETRY_MS);
}

/*
 * A program connects anew once the old connection is out of everybody's mind: the simulation has
 * one place for both.
 */
void hf_connection_reopens(struct hf_world *world, uint32_t flow)
{
	const struct hf_flows_spec *spec = hf_world_spec(world, flow);

	world->about[flow].reopening = false;
	if (hf_connection_holds(world, flow, HF_ORIGINATOR))
		return;
	if (!can_open(world, flow) || hf_keepers_hold(world, flow)) {
		post_reopening(world, flow, spec->reopen_ms ? spec->reopen_ms : RETRY_MS);
		return;
	}
	hf_network_closes(world, flow);
	open_now(world, flow);
}

/* --- Ending --- */

static void over_for(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	world->open -= world->about[flow].counted;
	world->about[flow].counted = false;
	if (side == HF_ORIGINATOR)
		post_reopening(world, flow, hf_world_spec(world, flow)->reopen_ms);
	if (hf_connection_holds(world, flow, !side))
		return;
	hf_network_closes(world, flow);
}

void hf_connection_lost(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	world->flow[flow].end[side].flags &= (uint8_t) ~(HF_TCP_OPEN | HF_TCP_WAITING);
	hf_keeper_closes(world, &world->keeper[side], flow);
	over_for(world, flow, side);
	hf_truth_update(world, flow);
}

void hf_connection_aborts(struct hf_world *world, uint32_t flow, enum hf_side side)
{
	struct hf_segment segment;
	struct hf_tcp_time time;

	hf_connection_time(world, flow, side, &time);
	hf_tcp_abort(&world->flow[flow].end[side], &time, &segment);
	send_in(world, flow, side, &segment, 0);
	hf_connection_lost(world, flow, side);
}

void hf_connection_finishes(struct hf_world *world, uint32_t flow, enum hf_side side, bool half)
{
	struct hf_flow_state *state = &world->flow[flow];
	struct hf_segment segment;
	struct hf_tcp_time time;

	if (half)
		state->end[!side].flags |= HF_TCP_STAYS;
	hf_connection_time(world, flow, side, &time);
	if (hf_connection_holds(world, flow, side) &&
	    hf_tcp_finish(&state->end[side], &time, &segment))
		hf_connection_sends(world, flow, side, &segment);
}

void hf_connection_reads(struct hf_world *world, uint32_t flow, enum hf_side side, bool reading)
{
	struct hf_segment segment;
	struct hf_tcp_time time;

	hf_connection_time(world, flow, side, &time);
	if (hf_tcp_read(&world->flow[flow].end[side], reading, &time, &segment))
		hf_connection_sends(world, flow, side, &segment);
}

/* --- Arriving --- */

/* No such connection here: the host is up, and says so unless it is told not to. */
static void refuse(struct hf_world *world, const struct hf_travel *travel, enum hf_side side)
{
	const struct hf_hosts *hosts =
		&world->scenario->host[hf_connection_hosts(world, travel->flow, side)];
	struct hf_segment answer;

	if (hosts->answers_unknown && hf_tcp_refuse(&travel->segment, &answer))
		send_in(world, travel->flow, side, &answer, travel->generations);
}

static void act_on(struct hf_world *world, uint32_t flow, enum hf_side side, unsigned int outcome,
		   const struct hf_segment *answer)
{
	struct hf_tcp *end = &world->flow[flow].end[side];

	if (outcome & HF_TCP_ANSWERS)
		hf_connection_sends(world, flow, side, answer);
	if (outcome & HF_TCP_RESET) {
		hf_connection_lost(world, flow, side);
		return;
	}
	if (outcome & HF_TCP_CLOSED) {
		world->result->closed++;
		hf_keeper_closes(world, &world->keeper[side], flow);
		over_for(world, flow, side);
		return;
	}
	if (outcome & HF_TCP_TOOK && end->flags & HF_TCP_WAITING)
		send_data(world, flow, side);
	if ((end->flags & (HF_TCP_FIN_HEARD | HF_TCP_FIN_SENT | HF_TCP_STAYS)) == HF_TCP_FIN_HEARD)
		hf_connection_finishes(world, flow, side, false);
}

void hf_connection_arrives(struct hf_world *world, const struct hf_travel *travel)
{
	enum hf_side side = !travel->from;
	struct hf_tcp *end = &world->flow[travel->flow].end[side];
	bool known = end->flags & (HF_TCP_OPEN | HF_TCP_DONE) &&
		     (side == HF_ORIGINATOR || !travel->generations);
	struct hf_segment answer;
	struct hf_tcp_time time;
	unsigned int outcome;

	if (hf_connection_marks(world, travel->flow, side) & (HF_HOST_OFF | HF_HOST_FROZEN))
		return;
	if (!known) {
		refuse(world, travel, side);
		return;
	}
	hf_keeper_hears(world, &world->keeper[side], travel);
	hf_connection_time(world, travel->flow, side, &time);
	outcome = hf_tcp_receive(end, &travel->segment, &time, &answer);
	act_on(world, travel->flow, side, outcome, &answer);
}

/* --- The program --- */

void hf_connection_talks(struct hf_world *world, uint32_t flow)
{
	uint32_t talker = hf_world_spec(world, flow)->talker;
	enum hf_side side = talker == HF_TO_TALKS ? HF_RESPONDER : HF_ORIGINATOR;

	if (talker == HF_BOTH_TALK)
		side = hf_random_next(&world->random) & 1;
	if (hf_connection_holds(world, flow, side) &&
	    !(hf_connection_marks(world, flow, side) & (HF_HOST_FROZEN | HF_HOST_PAUSED)))
		send_data(world, flow, side);
	post_talk(world, flow);
}
