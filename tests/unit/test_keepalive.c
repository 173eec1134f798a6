/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine of one flow: the rows of its table, data in flight, time. */
#include "one_flow.h"

static void two_ends_take_turns_at_half_intervals(void **unused)
{
	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	expect_probe(3000, A);
	expect_probe(4000, B);
	expect_probe(5000, A);
	expect_probe(6000, B);
	expect_probe(7000, A);
	expect_probe(8000, B);
	expect_probe(9000, A);
	expect_probe(10000, B);
	expect_dead(11000, A, 4);
	expect_dead(12000, B, 4);
	quiet(NEVER);
}

static void an_end_that_answered_is_left_alone_while_the_other_is_probed(void **unused)
{
	struct hf_probing slow = linux_324;

	(void)unused;
	slow.idle_ms = 30000;
	establish(HF_WATCH_BOTH, &slow);
	expect_probe(30000, A);
	assert_int_equal(answer(A), HF_ALIVE);
	expect_probe(31000, B);
	expect_probe(33000, B);
	expect_probe(35000, B);
	expect_probe(37000, B);
	expect_dead(39000, B, 4);
	quiet(NEVER);
}

static void an_end_that_answered_joins_again_when_idle_has_passed(void **unused)
{
	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	expect_probe(3000, A);
	assert_int_equal(answer(A), HF_ALIVE);
	expect_probe(4000, B);
	expect_probe(6000, B); /* as if A had not just joined */
	expect_probe(7000, A);
	expect_probe(8000, B);
	expect_probe(9000, A);
	expect_probe(10000, B);
	expect_probe(11000, A);
	expect_dead(12000, B, 4);
	expect_probe(13000, A);
	expect_dead(15000, A, 4);
	quiet(NEVER);
	assert_in_range(15000 - 3000, 0, hf_probing_bound(&linux_324, 2, 1));
}

static void an_end_joins_between_the_others_turns(void **unused)
{
	struct hf_probing uneven = linux_324;

	(void)unused;
	uneven.idle_ms = 3500;
	establish(HF_WATCH_BOTH, &uneven);
	expect_probe(3500, A);
	assert_int_equal(answer(A), HF_ALIVE);
	expect_probe(4500, B);
	expect_probe(6500, B);
	expect_probe(7500, A); /* silent for long since 7000 */
	expect_probe(8500, B);
}

static void nothing_is_sent_to_one_end_within_an_interval(void **unused)
{
	struct hf_probing hasty = {
		.idle_ms = 1, .interval_ms = 1000, .in_flight_ms = 5000, .count = 3
	};

	(void)unused;
	establish(HF_WATCH_BOTH, &hasty);
	for (uint32_t at = 1; at < 20000; at += 1000) {
		expect_probe(at, A);
		assert_int_equal(answer(A), HF_ALIVE);
		expect_probe(at + 500, B);
		assert_int_equal(answer(B), HF_ALIVE);
	}
}

static void a_dead_end_that_is_heard_is_revived(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	while (state() != HF_STATE_OVER)
		next(NEVER, &(struct hf_action){ 0 });
	assert_int_equal(now, 11000);
	now = 60000;
	assert_int_equal(answer(B), HF_REVIVED);
	assert_int_equal(evidence.silent_ms, 60000);
	assert_int_equal(state(), HF_STATE_IDLE);
	expect_probe(63000, B);
	assert_int_equal(answer(B), HF_ALIVE);
}

static void half_closed_flows_are_probed_closed_ones_are_not(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	assert_int_equal(fin(A, 1000, 5000), HF_NOTHING);
	assert_int_equal(state(), HF_STATE_BUSY);
	assert_int_equal(hear_numbers(B, 5000, 1001), HF_NOTHING);
	assert_int_equal(state(), HF_STATE_IDLE);
	expect_probe(3000, B);
	assert_int_equal(hear_numbers(B, 5000, 1001), HF_ALIVE);
	assert_int_equal(fin(B, 5000, 1001), HF_NOTHING);
	assert_int_equal(hear_numbers(A, 1001, 5001), HF_CLOSED);
	assert_int_equal(state(), HF_STATE_CLOSED);
	assert_int_equal(hear_numbers(A, 1001, 5001), HF_NOTHING);
	quiet(NEVER);
}

static void retransmit(uint32_t at)
{
	quiet(at);
	hear(A, segment(1000, 5000, 100));
}

static void data_in_flight_unanswered_is_a_death_at_its_bound(void **unused)
{
	struct hf_action action;

	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (uint32_t at = 1000, rto = 200; at < 8000; at += rto, rto += rto / 2)
		retransmit(at);
	action = expect(9000, HF_VERDICT, B);
	assert_int_equal(action.event, HF_DEAD);
	assert_true(action.evidence.in_flight);
	assert_int_equal(action.evidence.silent_ms, 9000);
	assert_true(action.evidence.unanswered >= 3);
	quiet(NEVER);
}

static void a_write_into_long_silence_is_left_time_to_be_answered(void **unused)
{
	struct hf_probing patient = linux_324;

	(void)unused;
	patient.idle_ms = 100000;
	establish(HF_WATCH_RESPONDER, &patient);
	for (uint32_t at = 80000; at <= 82000; at += 200)
		retransmit(at);
	expect(83000, HF_VERDICT, B);
}

static void few_retransmissions_are_no_death(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	retransmit(8000 - 6000); /* the data itself */
	retransmit(4500);
	retransmit(7000);
	quiet(9900);
	retransmit(9950); /* the third */
	/* Within an interval of when it was looked at last. */
	assert_true(expect(11950, HF_VERDICT, B).evidence.in_flight);
}

static void duplicates_are_no_retransmissions(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (uint32_t at = 1000; at < 1050; at += 10)
		retransmit(at);
	assert_int_equal(flow.end[B].unanswered, 0);
	retransmit(1250);
	assert_int_equal(flow.end[B].unanswered, 1);
}

static void new_data_is_no_retransmission(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (uint32_t i = 1; i <= 4; i++) {
		now = i * 500;
		hear(A, segment(900 + i * 100, 5000, 100));
	}
	assert_int_equal(flow.end[B].unanswered, 0);
}

static void a_fin_is_remembered_when_numbers_are_not(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	fin(A, 1000, 5000);
	hear_numbers(B, 5000, 1001);
	now = 1000;
	hf_keepalive_heard(&flow, START + now, 0);
	assert_int_equal(hear_numbers(A, 1001, 5000), HF_NOTHING);
	assert_int_equal(fin(B, 5000, 1001), HF_NOTHING);
	assert_int_equal(hear_numbers(A, 1001, 5001), HF_CLOSED);
}

/* B may have answered them, and not been believed. */
static void nothing_counts_against_an_end_of_uncertain_numbers(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	hf_keepalive_heard(&flow, START, 0);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	for (now = 3100; now < 4500; now += 300)
		hear(A, segment(1000, 5000, 100));
	assert_int_equal(flow.end[B].unanswered, 0);
	expect_probe(5100, B); /* an interval after the data came */
	assert_int_equal(flow.end[B].unanswered, 1);
}

static void a_closed_window_that_answers_its_probes_lives(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	for (uint32_t at = 500; at < 60000; at += 500) {
		struct hf_segment closed = segment(5000, 1000, 0);

		quiet(at);
		closed.window = 0;
		hear(A, segment(1000, 5000, 1)); /* a window probe of one octet, never taken */
		hear(B, closed);
	}
	assert_true(hf_keepalive_numbers(&flow, A, &numbers));
	assert_int_equal(numbers.window, 0);
	assert_int_equal(state(), HF_STATE_BUSY);
}

static void a_sender_silent_too_is_probed_below_what_was_acknowledged(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	now = 1000;
	hear(A, segment(1000, 5000, 100));
	quiet(2000);
	expect_probe(4000, A);
	expect_probe(5000, B);
	assert_true(hf_keepalive_numbers(&flow, B, &numbers));
	assert_int_equal(numbers.expected, 1000);
	assert_int_equal(hear_numbers(A, 1100, 5000), HF_ALIVE);
	/* Nothing was sent while A, heard at 5000, might have retransmitted. */
	expect_probe(8000, B);
}

static void retransmissions_before_a_dialogue_count_no_more_in_it(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (uint32_t at = 1000; at < 3000; at += 500)
		retransmit(at);
	assert_int_equal(flow.end[B].unanswered, 3);
	expect_probe(5500, B); /* A, too, has been silent since 2500 */
	expect_probe(7500, B);
	expect_probe(9500, B);
	expect_probe(11500, B);
	expect_dead(13500, B, 4);
}

static void after_a_jump_data_in_flight_is_left_time_to_be_answered(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (uint32_t at = 1000; at < 3000; at += 500)
		retransmit(at);
	now = jumped = 20000;
	hear(A, segment(1000, 5000, 100));
	now = 22000;
	hear(A, segment(1000, 5000, 100));
	expect(23000, HF_VERDICT, B); /* a third of 9 s after the jump */
}

static void data_in_flight_cuts_a_dialogue_short(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	expect_probe(3000, B);
	now = 4000;
	hear(A, segment(1000, 5000, 100));
	assert_int_equal(state(), HF_STATE_BUSY);
	quiet(6000);
	assert_int_equal(hear_numbers(B, 5000, 1100), HF_ALIVE);
	assert_int_equal(evidence.rtt_ms, UINT32_MAX);
	expect_probe(9000, B);
}

static void silence_without_a_probe_is_no_death(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	now = jumped = 3600000; /* a process that was stopped for an hour */
	expect_probe(now, B);
	expect_probe(now + 2000, B);
	expect_probe(now + 2000, B);
	expect_probe(now + 2000, B);
	expect_dead(now + 2000, B, 4);
}

static void shortened_settings_kill_nobody_by_themselves(void **unused)
{
	struct hf_probing hour = linux_324;

	(void)unused;
	hour.idle_ms = 3600000;
	establish(HF_WATCH_RESPONDER, &hour);
	quiet(1800000);
	probing = linux_324;
	expect_probe(1800000, B);
	expect_probe(1802000, B);
	expect_probe(1804000, B);
	expect_probe(1806000, B);
	expect_dead(1808000, B, 4);
}

static void after_a_jump_the_suspect_is_probed_once_more(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	expect_probe(3000, B);
	expect_probe(5000, B);
	expect_probe(7000, B);
	expect_probe(9000, B);
	now = jumped = 100000;
	expect_probe(100000, B);
	expect_dead(102000, B, 5);
}

static void after_a_jump_each_of_two_suspects_is_probed_once_more(void **unused)
{
	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	while (now < 10000)
		next(NEVER, &(struct hf_action){ 0 });
	now = jumped = 100000;
	expect_probe(100000, A);
	expect_probe(101000, B);
	expect_dead(102000, A, 5);
	expect_dead(103000, B, 5);
}

static void old_stamps_are_held_before_they_lie(void **unused)
{
	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	expect_probe(3000, A);
	for (uint32_t i = 2; i < 20; i++) { /* the stamps wrap, and wrap again */
		uint32_t later = i * (HF_LONG_MS / 2) + 5000;

		hf_keepalive_hold(&flow, START + later);
		assert_int_equal(hf_end_silent(&flow.end[A], START + later), HF_LONG_MS);
		assert_int_equal(hf_end_silent(&flow.end[B], START + later), HF_LONG_MS);
		assert_int_equal(START + later - flow.sent, HF_LONG_MS);
	}
}

/* Of many flows, or in many silences of one of them. */
static void idle_is_shortened_by_a_random_part_only(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (unsigned int flows = 0; flows < 2; flows++) {
		uint32_t least = UINT32_MAX, most = 0;

		for (uint32_t i = 0; i < 1000; i++) {
			struct hf_moment random = { .now = START + i,
						    .jumped = START - HF_LONG_MS,
						    .tick = 1,
						    .random = flows * i * 77777777,
						    .jitter = 10 };
			uint32_t wait;

			flow.end[B].heard = random.now;
			wait = hf_keepalive_wait(&flow, &probing, &random);
			least = wait < least ? wait : least;
			most = wait > most ? wait : most;
		}
		assert_in_range(least, 2700, 2710);
		assert_in_range(most, 2990, 3000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_ends_take_turns_at_half_intervals),
		cmocka_unit_test(an_end_that_answered_is_left_alone_while_the_other_is_probed),
		cmocka_unit_test(an_end_that_answered_joins_again_when_idle_has_passed),
		cmocka_unit_test(an_end_joins_between_the_others_turns),
		cmocka_unit_test(nothing_is_sent_to_one_end_within_an_interval),
		cmocka_unit_test(a_dead_end_that_is_heard_is_revived),
		cmocka_unit_test(half_closed_flows_are_probed_closed_ones_are_not),
		cmocka_unit_test(data_in_flight_unanswered_is_a_death_at_its_bound),
		cmocka_unit_test(a_write_into_long_silence_is_left_time_to_be_answered),
		cmocka_unit_test(few_retransmissions_are_no_death),
		cmocka_unit_test(duplicates_are_no_retransmissions),
		cmocka_unit_test(new_data_is_no_retransmission),
		cmocka_unit_test(a_fin_is_remembered_when_numbers_are_not),
		cmocka_unit_test(nothing_counts_against_an_end_of_uncertain_numbers),
		cmocka_unit_test(a_closed_window_that_answers_its_probes_lives),
		cmocka_unit_test(a_sender_silent_too_is_probed_below_what_was_acknowledged),
		cmocka_unit_test(retransmissions_before_a_dialogue_count_no_more_in_it),
		cmocka_unit_test(after_a_jump_data_in_flight_is_left_time_to_be_answered),
		cmocka_unit_test(data_in_flight_cuts_a_dialogue_short),
		cmocka_unit_test(silence_without_a_probe_is_no_death),
		cmocka_unit_test(shortened_settings_kill_nobody_by_themselves),
		cmocka_unit_test(after_a_jump_the_suspect_is_probed_once_more),
		cmocka_unit_test(after_a_jump_each_of_two_suspects_is_probed_once_more),
		cmocka_unit_test(old_stamps_are_held_before_they_lie),
		cmocka_unit_test(idle_is_shortened_by_a_random_part_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
