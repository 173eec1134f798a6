/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers: bounds, jumps, budgets, pacing, and when the engine wants to be told the time. */
#include "engine_world.h"

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

/* The timer stands at the idle time, and nobody moves it when data comes in flight. */
static void data_in_flight_is_given_up_long_before_idle(void **state)
{
	static const uint64_t retransmitted[] = { 1300, 1900, 3100 };
	struct hf_probing patient = usual;
	struct world world = usual_world(0);
	struct hf_segment data = segment_from(1, HF_ORIGINATOR, 1000, 5000);
	struct hf_action action;
	hf_flow flow;

	(void)state;
	patient.idle_ms = HOUR;
	patient.in_flight_ms = 5000;
	assert_true(hf_engine_set_probing(world.engine, 0, &patient));
	flow = add(&world, 1, HF_WATCH_RESPONDER, 0);
	establish(&world, 1);
	quiet(&world, 1000);
	data.payload = 10;
	hear(&world, data);
	for (size_t i = 0; i < 3; i++) {
		quiet(&world, retransmitted[i]);
		tell(&world, retransmitted[i]);
		hear(&world, data);
	}
	action = expect(&world, 5000, 5500, HF_VERDICT, flow, HF_RESPONDER);
	assert_true(action.evidence.in_flight);
	assert_int_equal(action.evidence.unanswered, 3);
	end_world(&world);
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

/* Whatever the tick: half an interval and more of them are not always whole ticks. */
static void in_time_nothing_is_sent_to_one_end_within_an_interval(void **state)
{
	struct hf_probing hasty = {
		.idle_ms = 1, .interval_ms = 1000, .in_flight_ms = 5000, .count = 10
	};

	(void)state;
	for (uint32_t tick = 1; tick < 2500; tick += tick < 20 ? 1 : 19) {
		struct world world =
			make_world(0, (struct hf_engine_options){ .flows = 1, .tick_ms = tick });
		uint64_t sent[2] = { 0, 0 };
		struct hf_action action = { 0 };

		assert_true(hf_engine_set_probing(world.engine, 0, &hasty));
		add(&world, 1, tick % 4 < 2 ? HF_WATCH_BOTH : HF_WATCH_RESPONDER, 0);
		while (action.kind != HF_VERDICT) {
			tell(&world, hf_engine_due(world.engine));
			if (!hf_engine_next(world.engine, &action))
				continue;
			assert_true(!sent[action.target] ||
				    world.now - sent[action.target] >= hasty.interval_ms);
			sent[action.target] = world.now;
		}
		end_world(&world);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_peer_is_found_within_the_bound),
		cmocka_unit_test(time_that_goes_back_stands_still),
		cmocka_unit_test(hours_at_once_kill_nobody),
		cmocka_unit_test(data_in_flight_is_given_up_long_before_idle),
		cmocka_unit_test(a_budget_bounds_the_work_and_loses_nothing),
		cmocka_unit_test(due_is_when_something_happens),
		cmocka_unit_test(in_time_nothing_is_sent_to_one_end_within_an_interval),
		cmocka_unit_test(long_idle_flows_added_at_once_are_spread),
		cmocka_unit_test(shortened_settings_are_paced),
		cmocka_unit_test(flows_that_slept_through_a_jump_are_spread),
		cmocka_unit_test(an_assigned_policy_counts_from_the_silence_there_is),
		cmocka_unit_test(traffic_told_of_revives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
