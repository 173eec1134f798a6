/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The engine as its users see it: flows come and go, time passes, actions are pulled. All
 * invariants are checked after each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/engine.h>

#define TICK 250
#define FLOWS 64
#define HOUR 3600000u

static const struct hf_probing usual = {
	.idle_ms = 10000,
	.interval_ms = 2000,
	.in_flight_ms = 20000,
	.count = 3,
};

struct world {
	struct hf_engine *engine;
	void *memory;
	uint64_t now;
};

static void *aligned(size_t size)
{
	void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

	assert_non_null(memory);
	memset(memory, 0xa5, size);
	return memory;
}

static struct world make_world(uint64_t now, struct hf_engine_options options)
{
	struct world world = { .now = now };
	size_t size = hf_engine_size(&options);

	world.memory = aligned(size);
	world.engine = hf_engine_init(world.memory, size, &options, now);
	assert_non_null(world.engine);
	assert_true(hf_engine_set_probing(world.engine, 0, &usual));
	return world;
}

static struct world usual_world(uint64_t now)
{
	return make_world(now, (struct hf_engine_options){
				       .flows = FLOWS, .tick_ms = TICK, .key = { 1, 2 } });
}

static void check(const struct world *world)
{
	const char *broken = hf_engine_check(world->engine);

	if (broken)
		fail_msg("%s", broken);
}

static void end_world(struct world *world)
{
	check(world);
	free(world->memory);
}

static struct hf_endpoint endpoint(const char *text)
{
	struct hf_endpoint out;

	assert_true(hf_endpoint_parse(text, &out));
	return out;
}

static struct hf_flow_key key(unsigned int n)
{
	struct hf_flow_key out = { { endpoint("10.0.0.1:1"), endpoint("10.0.0.2:80") } };

	out.end[0].port = (uint16_t)(1000 + n);
	return out;
}

static hf_flow add(struct world *world, unsigned int n, unsigned int options, uint32_t idle_ms)
{
	struct hf_flow_key name = key(n);
	hf_flow flow = HF_NO_FLOW;

	assert_int_equal(hf_engine_add(world->engine, &name, options, 0, idle_ms, &flow), HF_ADDED);
	check(world);
	return flow;
}

static void tell(struct world *world, uint64_t now)
{
	world->now = now;
	hf_engine_advance(world->engine, now, 0);
	check(world);
}

/* Time passes tick by tick until something is to be done; false if that is after `until`. */
static bool next(struct world *world, uint64_t until, struct hf_action *out)
{
	while (!hf_engine_next(world->engine, out)) {
		check(world);
		if (until - world->now < TICK)
			return false;
		tell(world, world->now + TICK);
	}
	check(world);
	return true;
}

static struct hf_action expect(struct world *world, uint64_t from, uint64_t until,
			       enum hf_action_kind kind, hf_flow flow, enum hf_side target)
{
	struct hf_action action = { 0 };

	if (!next(world, until, &action))
		fail_msg("nothing until %llu", (unsigned long long)until);
	if (action.kind != kind || action.flow != flow || action.target != target ||
	    world->now - from > until - from)
		fail_msg("at %llu: action %u of %u toward %u", (unsigned long long)world->now,
			 action.kind, action.flow, action.target);
	return action;
}

static void quiet(struct world *world, uint64_t until)
{
	struct hf_action action;

	if (next(world, until, &action))
		fail_msg("at %llu: action %u of %u", (unsigned long long)world->now, action.kind,
			 action.flow);
}

static struct hf_segment segment_from(unsigned int n, enum hf_side side, uint32_t seq, uint32_t ack)
{
	struct hf_flow_key name = key(n);

	return (struct hf_segment){ .source = name.end[side],
				    .destination = name.end[!side],
				    .seq = seq,
				    .ack = ack,
				    .flags = HF_ACK,
				    .window = 500 };
}

static struct hf_heard hear(struct world *world, struct hf_segment segment)
{
	struct hf_heard heard;

	hf_engine_segments(world->engine, &segment, 1, &heard);
	check(world);
	return heard;
}

/* Both ends' numbers are seen: the originator has sent 1000, the responder 5000. */
static void establish(struct world *world, unsigned int n)
{
	hear(world, segment_from(n, HF_ORIGINATOR, 1000, 5000));
	hear(world, segment_from(n, HF_RESPONDER, 5000, 1000));
}

static void a_dead_peer_is_found_within_the_bound(void **state)
{
	static const uint64_t starts[] = { 0, UINT32_MAX - 12345, UINT64_MAX - 20000,
					   (UINT64_C(1) << 63) - 7000, 0x123456789abcdef };

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++) {
		uint64_t t = starts[i];
		struct world world = usual_world(t);
		hf_flow flow = add(&world, 1, HF_WATCH_RESPONDER, 0);
		struct hf_action action;

		establish(&world, 1);
		expect(&world, t + 10000, t + 10250, HF_SEND_PROBE, flow, HF_RESPONDER);
		expect(&world, t + 12000, t + 12250, HF_SEND_PROBE, flow, HF_RESPONDER);
		expect(&world, t + 14000, t + 14250, HF_SEND_PROBE, flow, HF_RESPONDER);
		action = expect(&world, t + 16000, t + 16250, HF_VERDICT, flow, HF_RESPONDER);
		assert_int_equal(action.event, HF_DEAD);
		assert_int_equal(action.evidence.unanswered, 3);
		assert_true(action.evidence.silent_ms <= hf_probing_bound(&usual, 1, TICK));
		quiet(&world, t + HOUR);
		end_world(&world);
	}
}

static void an_answer_tells_of_life_and_how_fast(void **state)
{
	struct world world = usual_world(5);
	hf_flow flow = add(&world, 1, HF_WATCH_BOTH, 0);
	struct hf_heard heard;

	(void)state;
	establish(&world, 1);
	expect(&world, 10005, 10505, HF_SEND_PROBE, flow, HF_ORIGINATOR);
	tell(&world, world.now + 40);
	heard = hear(&world, segment_from(1, HF_ORIGINATOR, 1000, 5000));
	assert_int_equal(heard.flow, flow);
	assert_int_equal(heard.side, HF_ORIGINATOR);
	assert_int_equal(heard.event, HF_ALIVE);
	assert_int_equal(heard.evidence.rtt_ms, 40);
	assert_int_equal(heard.evidence.unanswered, 1);
	assert_false(heard.evidence.in_flight);
	end_world(&world);
}

static void a_stranger_is_nobodys_flow(void **state)
{
	struct world world = usual_world(0);
	struct hf_heard heard;

	(void)state;
	add(&world, 1, HF_WATCH_BOTH, 0);
	heard = hear(&world, segment_from(2, HF_ORIGINATOR, 1, 1));
	assert_int_equal(heard.flow, HF_NO_FLOW);
	assert_int_equal(heard.event, HF_NOTHING);
	end_world(&world);
}

static void capacity_is_an_error_and_a_freed_place_is_taken_again(void **state)
{
	struct world world = usual_world(0);
	struct hf_flow_key one_more = key(FLOWS);
	hf_flow flow = 77;

	(void)state;
	for (unsigned int n = 0; n < FLOWS; n++)
		add(&world, n, HF_WATCH_BOTH, 0);
	assert_int_equal(hf_engine_add(world.engine, &one_more, HF_WATCH_BOTH, 0, 0, &flow),
			 HF_ADD_FULL);
	assert_int_equal(flow, 77);
	hf_engine_remove(world.engine, 5);
	assert_false(hf_engine_exists(world.engine, 5));
	hf_engine_remove(world.engine, 5); /* once more does no harm */
	check(&world);
	assert_int_equal(add(&world, FLOWS, HF_WATCH_BOTH, 0), 5);
	end_world(&world);
}

static void a_flow_is_added_once_and_found_from_both_ends(void **state)
{
	struct world world = usual_world(0);
	struct hf_flow_key name = key(3);
	hf_flow flow = add(&world, 3, HF_WATCH_BOTH, 0), again = HF_NO_FLOW;
	enum hf_side side;

	(void)state;
	assert_int_equal(hf_engine_add(world.engine, &name, HF_WATCH_BOTH, 0, 0, &again),
			 HF_ADD_EXISTS);
	assert_int_equal(again, flow);
	assert_int_equal(hf_engine_find(world.engine, &name.end[0], &name.end[1], &side), flow);
	assert_int_equal(side, HF_ORIGINATOR);
	assert_int_equal(hf_engine_find(world.engine, &name.end[1], &name.end[0], &side), flow);
	assert_int_equal(side, HF_RESPONDER);
	assert_int_equal(hf_engine_find(world.engine, &name.end[0], &name.end[0], &side),
			 HF_NO_FLOW);
	end_world(&world);
}

static void impossible_requests_are_refused(void **state)
{
	struct hf_engine_options options = { .flows = 1, .tick_ms = 10001 };
	struct world world = usual_world(0);
	struct hf_flow_key name = key(1);
	struct hf_probing bad = usual;
	hf_flow flow;

	(void)state;
	assert_int_equal(hf_engine_size(&options), 0);
	options = (struct hf_engine_options){ .flows = 0, .tick_ms = 1 };
	assert_int_equal(hf_engine_size(&options), 0);
	options.flows = 1;
	assert_null(hf_engine_init(world.memory, hf_engine_size(&options) - 1, &options, 0));
	assert_null(
		hf_engine_init((char *)world.memory + 8, hf_engine_size(&options), &options, 0));
	assert_int_equal(hf_engine_add(world.engine, &name, 0, 0, 0, &flow), HF_ADD_WRONG);
	assert_int_equal(hf_engine_add(world.engine, &name, HF_ASK, 0, 0, &flow), HF_ADD_WRONG);
	assert_int_equal(hf_engine_add(world.engine, &name, 8 | HF_WATCH_BOTH, 0, 0, &flow),
			 HF_ADD_WRONG);
	assert_int_equal(hf_engine_add(world.engine, &name, HF_WATCH_BOTH, 1, 0, &flow),
			 HF_ADD_WRONG);
	name.end[1] = endpoint("[2001:db8::1]:80");
	assert_int_equal(hf_engine_add(world.engine, &name, HF_WATCH_BOTH, 0, 0, &flow),
			 HF_ADD_WRONG);
	bad.count = 2;
	assert_false(hf_engine_set_probing(world.engine, 0, &bad));
	bad = usual;
	bad.interval_ms = 999;
	assert_false(hf_engine_set_probing(world.engine, 0, &bad));
	bad = usual;
	bad.idle_ms = 0;
	assert_false(hf_engine_set_probing(world.engine, 0, &bad));
	end_world(&world);
}

static void unused_numbers_are_ignored_everywhere(void **state)
{
	static const hf_flow wrong[] = { 1, FLOWS - 1, FLOWS, HF_NO_FLOW };
	struct world world = usual_world(0);
	struct hf_segment segment = segment_from(1, HF_ORIGINATOR, 1, 1);
	struct hf_numbers numbers = { 0 };
	struct hf_flow_view view;
	struct hf_heard heard;

	(void)state;
	add(&world, 0, HF_WATCH_BOTH, 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_false(hf_engine_exists(world.engine, wrong[i]));
		hf_engine_remove(world.engine, wrong[i]);
		hf_engine_assign(world.engine, wrong[i], 0);
		hf_engine_learn(world.engine, wrong[i], HF_ORIGINATOR, &numbers);
		hf_engine_heard(world.engine, wrong[i], 0);
		hf_engine_segment(world.engine, wrong[i], HF_ORIGINATOR, &segment, &heard);
		assert_int_equal(heard.flow, HF_NO_FLOW);
		assert_false(hf_engine_numbers(world.engine, wrong[i], HF_ORIGINATOR, &numbers));
		hf_engine_look(world.engine, wrong[i], &view);
		assert_int_equal(view.options, 0);
		check(&world);
	}
	end_world(&world);
}

static void what_is_known_can_be_looked_at(void **state)
{
	struct world world = usual_world(0);
	hf_flow flow = add(&world, 1, HF_WATCH_RESPONDER, 0);
	struct hf_engine_statistics count;
	struct hf_flow_key name = key(1);
	struct hf_numbers numbers;
	struct hf_flow_view view;

	(void)state;
	assert_false(hf_engine_numbers(world.engine, flow, HF_RESPONDER, &numbers));
	establish(&world, 1);
	assert_true(hf_engine_numbers(world.engine, flow, HF_RESPONDER, &numbers));
	assert_int_equal(numbers.expected, 1000);
	assert_int_equal(numbers.next, 5000);
	expect(&world, 10000, 10250, HF_SEND_PROBE, flow, HF_RESPONDER);
	hf_engine_look(world.engine, flow, &view);
	assert_memory_equal(&view.key.end[0].address, &name.end[0].address, 16);
	assert_int_equal(view.key.end[0].port, 1001);
	assert_int_equal(view.key.end[1].family, HF_IPV4);
	assert_int_equal(view.options, HF_WATCH_RESPONDER);
	assert_true(view.dialogue && view.learned[0] && view.learned[1]);
	assert_false(view.dead[0] || view.dead[1] || view.in_flight || view.half_closed);
	assert_int_equal(view.unanswered[HF_RESPONDER], 1);
	assert_int_equal(view.silent_ms[HF_RESPONDER], 10000);
	hf_engine_statistics(world.engine, &count);
	assert_int_equal(count.flows, 1);
	assert_int_equal(count.capacity, FLOWS);
	assert_int_equal(count.dialogues, 1);
	assert_int_equal(count.segments, 2);
	assert_int_equal(count.probes, 1);
	assert_int_equal(count.answers, 0);
	hear(&world, segment_from(1, HF_RESPONDER, 5000, 1000));
	hf_engine_statistics(world.engine, &count);
	assert_int_equal(count.dialogues, 0);
	assert_int_equal(count.answers, 1);
	assert_int_equal(count.alive, 1);
	end_world(&world);
}

static void time_that_goes_back_stands_still(void **state)
{
	struct world world = usual_world(HOUR);
	hf_flow flow = add(&world, 1, HF_WATCH_RESPONDER, 0);

	(void)state;
	establish(&world, 1);
	hf_engine_advance(world.engine, 0, 0);
	hf_engine_advance(world.engine, HOUR - 1, 0);
	check(&world);
	expect(&world, HOUR + 10000, HOUR + 10250, HF_SEND_PROBE, flow, HF_RESPONDER);
	end_world(&world);
}

static void hours_at_once_kill_nobody(void **state)
{
	static const uint64_t jumps[] = { HOUR, 24 * HOUR, UINT64_C(24) * 30 * HOUR,
					  UINT64_C(1) << 32, (UINT64_C(1) << 63) - 20000 };
	struct hf_action action;

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		struct world world = usual_world(0);
		hf_flow flow = add(&world, 1, HF_WATCH_RESPONDER, 0);

		establish(&world, 1);
		expect(&world, 10000, 10250, HF_SEND_PROBE, flow, HF_RESPONDER);
		expect(&world, 12000, 12250, HF_SEND_PROBE, flow, HF_RESPONDER);
		expect(&world, 14000, 14250, HF_SEND_PROBE, flow, HF_RESPONDER);
		quiet(&world, 15000);
		tell(&world, 15000 + jumps[i]);
		action = expect(&world, world.now, world.now + 250, HF_SEND_PROBE, flow,
				HF_RESPONDER);
		assert_int_equal(action.evidence.unanswered, 3);
		assert_true(action.evidence.silent_ms <= 1 << 30);
		hear(&world, segment_from(1, HF_RESPONDER, 5000, 1000));
		expect(&world, world.now + 10000, world.now + 10250, HF_SEND_PROBE, flow,
		       HF_RESPONDER);
		end_world(&world);
	}
}

static void a_budget_bounds_the_work_and_loses_nothing(void **state)
{
	struct world world = usual_world(0);
	unsigned int sent = 0, calls = 0;
	struct hf_action action;

	(void)state;
	for (unsigned int n = 0; n < FLOWS; n++) {
		add(&world, n, HF_WATCH_RESPONDER, 0);
		establish(&world, n);
	}
	for (world.now = 11000; sent < FLOWS; calls++) {
		unsigned int at_once = 0;

		hf_engine_advance(world.engine, ++world.now, 5);
		while (hf_engine_next(world.engine, &action)) {
			assert_int_equal(action.kind, HF_SEND_PROBE);
			at_once++;
		}
		assert_in_range(at_once, 1, 5);
		sent += at_once;
		check(&world);
		assert_true(sent == FLOWS || hf_engine_due(world.engine) <= world.now);
	}
	assert_int_equal(sent, FLOWS);
	assert_int_equal(calls, (FLOWS + 4) / 5);
	end_world(&world);
}

static void due_is_when_something_happens(void **state)
{
	struct world world = usual_world(100);
	struct hf_action action;
	unsigned int probes = 0;
	uint64_t due;

	(void)state;
	assert_true(hf_engine_due(world.engine) == UINT64_MAX);
	add(&world, 1, HF_WATCH_RESPONDER, 0);
	establish(&world, 1);
	assert_false(hf_engine_next(world.engine, &action));
	for (;;) { /* told of the time only when it says so */
		due = hf_engine_due(world.engine);
		assert_true(due > world.now && due - world.now <= 10500);
		tell(&world, due);
		if (!hf_engine_next(world.engine, &action))
			continue;
		if (action.kind == HF_VERDICT)
			break;
		probes++;
	}
	assert_int_equal(probes, 3);
	assert_true(world.now - 100 <= hf_probing_bound(&usual, 1, TICK));
	end_world(&world);
}

static void flows_keep_their_numbers_in_other_memory(void **state)
{
	struct hf_engine_options options = { .flows = 200, .tick_ms = TICK };
	size_t size = hf_engine_size(&options);
	struct world world = usual_world(0), larger = { 0 };
	hf_flow flow;

	(void)state;
	for (unsigned int n = 0; n < FLOWS; n++)
		add(&world, n, HF_WATCH_RESPONDER, 0);
	for (unsigned int n = 10; n < FLOWS; n++)
		hf_engine_remove(world.engine, n);
	flow = 7;
	establish(&world, 7);
	quiet(&world, 9000);
	larger.memory = aligned(size);
	larger.now = world.now;
	assert_null(hf_engine_move(world.engine, larger.memory, size - 1, 200));
	assert_null(hf_engine_move(world.engine, larger.memory, size, 9)); /* too few */
	larger.engine = hf_engine_move(world.engine, larger.memory, size, 200);
	assert_non_null(larger.engine);
	check(&larger);
	end_world(&world);
	for (unsigned int n = 0; n < 10; n++)
		if (n != 7)
			hf_engine_remove(larger.engine, n);
	expect(&larger, 10000, 10500, HF_SEND_PROBE, flow, HF_RESPONDER);
	assert_int_equal(add(&larger, 100, HF_WATCH_BOTH, 0) != flow, 1);
	for (unsigned int n = 101; n < 101 + 198; n++)
		add(&larger, n, HF_WATCH_BOTH, 0);
	end_world(&larger);
}

static void an_engine_moves_to_a_smaller_place_if_its_flows_fit(void **state)
{
	struct hf_engine_options options = { .flows = 8, .tick_ms = TICK };
	size_t size = hf_engine_size(&options);
	struct world world = usual_world(0), smaller = { 0 };

	(void)state;
	for (unsigned int n = 0; n < 20; n++)
		add(&world, n, HF_WATCH_RESPONDER, 0);
	for (unsigned int n = 8; n < 20; n++)
		hf_engine_remove(world.engine, n);
	smaller.memory = aligned(size);
	smaller.engine = hf_engine_move(world.engine, smaller.memory, size, 8);
	assert_non_null(smaller.engine);
	end_world(&smaller);
	end_world(&world);
}

/* At what times so many flows are first sent to, as a histogram of tenths of the width. */
static void first_sent(struct world *world, uint64_t width, unsigned int flows,
		       unsigned int histogram[10])
{
	uint64_t start = world->now;
	struct hf_action action;

	memset(histogram, 0, 10 * sizeof(*histogram));
	for (unsigned int n = 0; n < flows; n++) {
		assert_true(next(world, start + width + 2 * TICK, &action));
		histogram[(world->now - start) * 9 / (width + 2 * TICK)]++;
		hf_engine_heard(world->engine, action.flow, 0);
	}
}

static void assert_spread(const unsigned int histogram[10], unsigned int most)
{
	for (unsigned int i = 0; i < 10; i++)
		assert_true(histogram[i] <= most);
}

static struct world jittered_world(void)
{
	return make_world(0, (struct hf_engine_options){
				     .flows = FLOWS, .tick_ms = TICK, .jitter = 2, .seed = 42 });
}

static void long_idle_flows_added_at_once_are_spread(void **state)
{
	struct world world = jittered_world();
	unsigned int histogram[10];

	(void)state;
	for (unsigned int n = 0; n < FLOWS; n++)
		add(&world, n, HF_WATCH_RESPONDER, HOUR);
	first_sent(&world, usual.idle_ms / 2, FLOWS, histogram);
	assert_spread(histogram, FLOWS / 3);
	end_world(&world);
}

static void shortened_settings_are_paced(void **state)
{
	struct hf_probing slow = usual;
	struct world world = jittered_world();
	unsigned int histogram[10];

	(void)state;
	slow.idle_ms = HOUR;
	assert_true(hf_engine_set_probing(world.engine, 0, &slow));
	for (unsigned int n = 0; n < FLOWS; n++)
		add(&world, n, HF_WATCH_RESPONDER, 0);
	quiet(&world, HOUR / 4);
	assert_true(hf_engine_set_probing(world.engine, 0, &usual));
	first_sent(&world, usual.idle_ms / 2, FLOWS, histogram);
	assert_spread(histogram, FLOWS / 3);
	end_world(&world);
}

static void flows_that_slept_through_a_jump_are_spread(void **state)
{
	struct world world = jittered_world();
	unsigned int histogram[10];

	(void)state;
	for (unsigned int n = 0; n < FLOWS; n++)
		add(&world, n, HF_WATCH_RESPONDER, 0);
	quiet(&world, 2000);
	tell(&world, 5 * HOUR);
	first_sent(&world, usual.idle_ms / 2, FLOWS, histogram);
	assert_spread(histogram, FLOWS / 3);
	end_world(&world);
}

static void an_assigned_policy_counts_from_the_silence_there_is(void **state)
{
	struct hf_probing slow = usual;
	struct world world = usual_world(0);
	hf_flow flow;

	(void)state;
	slow.idle_ms = HOUR;
	assert_true(hf_engine_set_probing(world.engine, 1, &slow));
	flow = add(&world, 1, HF_WATCH_RESPONDER, 0);
	establish(&world, 1);
	hf_engine_assign(world.engine, flow, 1);
	quiet(&world, 20000);
	hf_engine_assign(world.engine, flow, 2); /* never set */
	quiet(&world, 40000);
	hf_engine_assign(world.engine, flow, 0);
	expect(&world, 40000, 40250, HF_SEND_PROBE, flow, HF_RESPONDER);
	end_world(&world);
}

static void traffic_told_of_revives(void **state)
{
	struct world world = usual_world(0);
	hf_flow flow = add(&world, 1, HF_WATCH_RESPONDER | HF_ASK, 0);
	struct hf_engine_statistics count;

	(void)state;
	expect(&world, 10000, 10250, HF_SEND_TICKLES, flow, HF_RESPONDER);
	expect(&world, 12000, 12250, HF_SEND_HANDSHAKE, flow, HF_RESPONDER);
	expect(&world, 14000, 14250, HF_SEND_TICKLES, flow, HF_RESPONDER);
	expect(&world, 16000, 16250, HF_VERDICT, flow, HF_RESPONDER);
	quiet(&world, 30000);
	hf_engine_heard(world.engine, flow, 1000);
	check(&world);
	hf_engine_statistics(world.engine, &count);
	assert_int_equal(count.dead, 1);
	assert_int_equal(count.revived, 1);
	expect(&world, 39000, 39250, HF_SEND_TICKLES, flow, HF_RESPONDER);
	end_world(&world);
}

/* Numbers are used again and again, each time due a little earlier: entries become stale. */
static void the_wheel_never_runs_full(void **state)
{
	struct world world = usual_world(0);

	(void)state;
	for (unsigned int i = 0; i < 20000; i++) {
		struct hf_probing ever_shorter = usual;
		hf_flow flow;

		ever_shorter.idle_ms = 2000000 - i * 90;
		assert_true(hf_engine_set_probing(world.engine, 0, &ever_shorter));
		flow = add(&world, i % 50, HF_WATCH_BOTH, 0);
		hf_engine_remove(world.engine, flow);
	}
	end_world(&world);
}

static void a_flow_takes_96_bytes_at_most(void **state)
{
	static const uint32_t flows[] = { 1000000, 10000000, 100000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(flows) / sizeof(*flows); i++) {
		struct hf_engine_options options = { .flows = flows[i], .tick_ms = TICK };

		assert_true(hf_engine_size(&options) <= (size_t)96 * flows[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_peer_is_found_within_the_bound),
		cmocka_unit_test(an_answer_tells_of_life_and_how_fast),
		cmocka_unit_test(a_stranger_is_nobodys_flow),
		cmocka_unit_test(capacity_is_an_error_and_a_freed_place_is_taken_again),
		cmocka_unit_test(a_flow_is_added_once_and_found_from_both_ends),
		cmocka_unit_test(impossible_requests_are_refused),
		cmocka_unit_test(unused_numbers_are_ignored_everywhere),
		cmocka_unit_test(what_is_known_can_be_looked_at),
		cmocka_unit_test(time_that_goes_back_stands_still),
		cmocka_unit_test(hours_at_once_kill_nobody),
		cmocka_unit_test(a_budget_bounds_the_work_and_loses_nothing),
		cmocka_unit_test(due_is_when_something_happens),
		cmocka_unit_test(flows_keep_their_numbers_in_other_memory),
		cmocka_unit_test(an_engine_moves_to_a_smaller_place_if_its_flows_fit),
		cmocka_unit_test(long_idle_flows_added_at_once_are_spread),
		cmocka_unit_test(shortened_settings_are_paced),
		cmocka_unit_test(flows_that_slept_through_a_jump_are_spread),
		cmocka_unit_test(an_assigned_policy_counts_from_the_silence_there_is),
		cmocka_unit_test(traffic_told_of_revives),
		cmocka_unit_test(the_wheel_never_runs_full),
		cmocka_unit_test(a_flow_takes_96_bytes_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
