/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine's promises under random operations, against the model of engine_model.h.
 *
 * All invariants are checked now and then; and with each action, and all the time:
 *	- an end is dead only after so many segments unanswered since it was heard
 *	- an end that fell silent is given up within hf_probing_bound
 *	- nothing is sent before the idle time, and to one end not within an interval of the last
 *	- no octet of garbage ever lies inside a receive window
 *	- RESET is told only of an end that has forgotten the connection
 *	- after a jump in time the suspect is sent to once more before it is given up
 *
 * Each run has a seed of its own, the one before plus 1. The first one is printed, and the one that
 * failed; HOLDFAST_SEED=N begins with N.
 */
#include "engine_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RUNS 100
#define STEPS 3000
#define CHECK_EVERY 16 /* steps: to look at all the wheel takes longer than they do */

static struct hf_probing any_probing(void)
{
	return (struct hf_probing){
		.idle_ms = between(0, 3) ? between(2000, 20000) : between(1, 2000),
		.interval_ms = between(1000, 4000),
		.in_flight_ms = between(3000, 40000),
		.count = (uint8_t)between(3, 6),
		.garbage_last = chance(50),
	};
}

static void op_add(struct flow *flow)
{
	struct hf_flow_key key = key_of(flow);
	uint32_t idle = chance(30) ? between(0, 100000) : 0;

	if (flow->used)
		return;
	memset(flow, 0, sizeof(*flow));
	flow->options = between(1, 7);
	if (!(flow->options & HF_WATCH_BOTH))
		flow->options |= HF_WATCH_BOTH;
	flow->policy = (uint8_t)between(0, POLICIES - 1);
	for (unsigned int side = 0; side < 2; side++) {
		flow->end[side].next = flow->end[!side].expected =
			chance(20) ? 0U - between(0, 100) : (uint32_t)random_word();
		flow->end[side].ts_recent = clock_of_end();
		flow->end[side].limited = world.now - RATE_LIMIT;
		flow->end[side].heard = world.now - idle;
	}
	excuse(flow);
	assert_int_equal(hf_engine_add(world.engine, &key, flow->options, flow->policy, idle,
				       &world.number[flow - world.flow]),
			 HF_ADDED);
	flow->used = true;
	if (!(flow->options & HF_ASK)) /* its traffic is seen: both say something at once */
		for (unsigned int side = 0; side < 2; side++) {
			struct hf_segment ack = segment_from(flow, side);

			see(flow, side, &ack);
		}
}

static void op_remove(struct flow *flow)
{
	if (flow->used)
		hf_engine_remove(world.engine, number_of(flow));
	flow->used = false;
}

static void op_assign(struct flow *flow)
{
	if (!flow->used)
		return;
	flow->policy = (uint8_t)between(0, POLICIES - 1);
	hf_engine_assign(world.engine, number_of(flow), flow->policy);
	note_interval(flow);
	excuse(flow);
}

static void op_set_probing(struct flow *unused)
{
	unsigned int policy = between(0, POLICIES - 1);

	(void)unused;
	world.probing[policy] = any_probing();
	assert_true(hf_engine_set_probing(world.engine, (uint8_t)policy, &world.probing[policy]));
	for (struct flow *flow = world.flow; flow < world.flow + FLOWS; flow++)
		if (flow->policy == policy) {
			note_interval(flow);
			excuse(flow);
		}
}

/* An end writes, or retransmits. */
static void op_data(struct flow *flow)
{
	enum hf_side from = between(0, 1);
	struct end *end = &flow->end[from];
	struct hf_segment data;

	if (!flow->used || end->fate != ALIVE)
		return;
	if (!end->unacked) {
		end->unacked = between(1, 1000);
		end->next += end->unacked;
	}
	data = segment_from(flow, from);
	data.payload = end->unacked;
	data.seq = end->next - end->unacked;
	if (flow->options & HF_ASK) { /* passes elsewhere; somebody else may tell of it */
		if (!chance(world.loss))
			arrive(flow, !from, &data);
		return;
	}
	if (chance(world.loss))
		return;
	flow->end[!from].out++; /* if it is a retransmission */
	see(flow, from, &data);
	if (!chance(world.loss))
		arrive(flow, !from, &data);
}

static void op_heard(struct flow *flow)
{
	struct hf_flow_view view;

	if (!flow->used || flow->end[0].fate != ALIVE || flow->end[1].fate != ALIVE)
		return;
	hf_engine_heard(world.engine, number_of(flow), 0);
	view = view_of(flow);
	assert_false(view.dead[0] || view.dead[1] || view.dialogue);
	flow->over = false;
	for (unsigned int side = 0; side < 2; side++) {
		flow->end[side].heard = world.now;
		flow->end[side].out = 0;
	}
}

static void op_fate(struct flow *flow)
{
	struct end *end = &flow->end[between(0, 1)];

	if (flow->used && end->fate == ALIVE && chance(30))
		end->fate = chance(50) ? GONE : FORGETFUL;
}

/* Segments of somebody who knows the endpoints, and nothing else. */
static void op_forge(struct flow *flow)
{
	enum hf_side side = between(0, 1);
	struct hf_segment forged = segment_from(flow, side);
	struct hf_flow_view before, after;
	struct hf_heard heard;

	if (!flow->used)
		return;
	before = view_of(flow);
	if (before.dialogue || before.dead[side] ||
	    (!(flow->options & HF_ASK) && !before.learned[side]))
		return;
	do {
		forged.seq = (uint32_t)random_word();
	} while (forged.seq - flow->end[side].next + (1u << 25) < 1u << 26);
	if (chance(50))
		forged.ack = (uint32_t)random_word();
	forged.flags = (uint8_t)random_word();
	forged.payload = chance(50) ? between(0, 2000) : 0;
	forged.tsval = (uint32_t)random_word();
	hf_engine_segment(world.engine, number_of(flow), side, &forged, &heard);
	after = view_of(flow);
	assert_int_equal(heard.event, HF_NOTHING);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void op_move(struct flow *unused)
{
	uint32_t flows = between(FLOWS, 2 * FLOWS);
	struct hf_engine_options options = world.options;
	struct hf_engine *moved;
	void *memory;
	size_t size;

	(void)unused;
	options.flows = flows;
	size = hf_engine_size(&options);
	memory = aligned_alloc(64, (size + 63) / 64 * 64);
	assert_non_null(memory);
	moved = hf_engine_move(world.engine, memory, size, flows);
	if (!moved) { /* a number of the larger one does not fit */
		free(memory);
		return;
	}
	memset(world.memory, 0xa5, 100);
	free(world.memory);
	world.memory = memory;
	world.engine = moved;
}

static void advance(uint64_t by, uint32_t budget)
{
	world.now += by;
	hf_engine_advance(world.engine, world.start + world.now, budget);
	pull();
}

static void op_jump(struct flow *unused)
{
	(void)unused;
	if (!chance(5))
		return;
	world.jumped = world.now + 100000;
	for (struct flow *flow = world.flow; flow < world.flow + FLOWS; flow++)
		flow->end[0].clean = flow->end[1].clean = world.jumped;
	advance(100000, 0);
}

static void (*const operations[])(struct flow *flow) = {
	op_add,	 op_add,   op_remove, op_assign, op_set_probing, op_data, op_data, op_data,
	op_data, op_heard, op_fate,   op_forge,	 op_forge,	 op_move, op_jump,
};

static uint64_t any_start(void)
{
	static const uint64_t starts[] = { 0, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 63,
					   (UINT64_C(1) << 31) - 1 };

	return chance(70) ? starts[between(0, 4)] - BEGIN - between(0, 600000) : random_word();
}

static void make_world(void)
{
	size_t size;

	memset(&world, 0, sizeof(world));
	world.start = any_start();
	world.now = BEGIN;
	world.timestamps = chance(60);
	world.loss = chance(30) ? 0 : between(0, 40);
	world.options = (struct hf_engine_options){
		.flows = FLOWS,
		.tick_ms = chance(50) ? 250 : between(1, 1500),
		.key = { random_word(), random_word() },
		.seed = random_word(),
		.jitter = between(2, 20),
	};
	size = hf_engine_size(&world.options);
	world.memory = aligned_alloc(64, (size + 63) / 64 * 64);
	assert_non_null(world.memory);
	world.engine = hf_engine_init(world.memory, size, &world.options, world.start + world.now);
	assert_non_null(world.engine);
	for (unsigned int i = 0; i < POLICIES; i++)
		op_set_probing(NULL);
	for (unsigned int i = 0; i < POLICIES; i++) {
		world.probing[i] = any_probing();
		hf_engine_set_probing(world.engine, (uint8_t)i, &world.probing[i]);
	}
}

/* Time goes on by up to a tick, or to when the engine says. */
static void pass_time(void)
{
	uint64_t due = hf_engine_due(world.engine) - world.start - world.now;
	uint64_t step = between(1, world.options.tick_ms);

	if (world.by_due && due < 60000)
		step = due ? due : 1;
	advance(step, world.punctual ? 0 : between(0, 3));
}

static void run(void)
{
	make_world();
	world.by_due = chance(50);
	world.punctual = chance(80);
	for (unsigned int i = 0; i < STEPS; i++) {
		if (chance(world.by_due ? 60 : 15))
			operations[between(0, sizeof(operations) / sizeof(*operations) - 1)](
				&world.flow[between(0, FLOWS - 1)]);
		pass_time();
		check(i % CHECK_EVERY == 0);
	}
	free(world.memory);
}

static uint64_t run_seed; /* of the first run, then of the one going on */

static void promises_are_kept(void **state)
{
	unsigned long verdicts = 0, answers = 0, resets = 0, false_alarms = 0;

	(void)state;
	for (unsigned int i = 0; i < RUNS; i++, run_seed++) {
		seed = run_seed;
		run();
		verdicts += world.verdicts;
		answers += world.answers;
		resets += world.resets;
		false_alarms += world.false_alarms;
	}
	printf("# %lu answers, %lu deaths (%lu with all segments lost), %lu resets\n", answers,
	       verdicts, false_alarms, resets);
	assert_true(verdicts > RUNS && answers > RUNS && resets > RUNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_are_kept),
	};
	const char *wanted = getenv("HOLDFAST_SEED");

	int failed;

	run_seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL) * RUNS;
	printf("# HOLDFAST_SEED=%llu\n", (unsigned long long)run_seed);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		printf("# failed with HOLDFAST_SEED=%llu\n", (unsigned long long)run_seed);
	return failed;
}
