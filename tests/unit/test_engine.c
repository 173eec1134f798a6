/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows come and go, are found, looked at and moved; what is impossible is refused. */
#include "engine_world.h"

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

/* Time is told at odd moments, and the engine moves each time. */
static void moves_put_nothing_off(void **state)
{
	struct hf_engine_options options = { .flows = FLOWS, .tick_ms = TICK };
	size_t size = hf_engine_size(&options);
	struct world world = usual_world(0);
	struct hf_action action = { 0 };

	(void)state;
	add(&world, 1, HF_WATCH_RESPONDER, 0);
	establish(&world, 1);
	while (action.kind != HF_VERDICT) {
		void *memory = aligned(size);

		tell(&world, world.now + TICK - 1);
		world.engine = hf_engine_move(world.engine, memory, size, FLOWS);
		assert_non_null(world.engine);
		free(world.memory);
		world.memory = memory;
		check(&world);
		assert_true(world.now <= hf_probing_bound(&usual, 1, TICK));
		hf_engine_next(world.engine, &action);
	}
	end_world(&world);
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
		cmocka_unit_test(an_answer_tells_of_life_and_how_fast),
		cmocka_unit_test(a_stranger_is_nobodys_flow),
		cmocka_unit_test(capacity_is_an_error_and_a_freed_place_is_taken_again),
		cmocka_unit_test(a_flow_is_added_once_and_found_from_both_ends),
		cmocka_unit_test(impossible_requests_are_refused),
		cmocka_unit_test(unused_numbers_are_ignored_everywhere),
		cmocka_unit_test(what_is_known_can_be_looked_at),
		cmocka_unit_test(flows_keep_their_numbers_in_other_memory),
		cmocka_unit_test(moves_put_nothing_off),
		cmocka_unit_test(an_engine_moves_to_a_smaller_place_if_its_flows_fit),
		cmocka_unit_test(the_wheel_never_runs_full),
		cmocka_unit_test(a_flow_takes_96_bytes_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
