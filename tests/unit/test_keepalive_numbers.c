/* SPDX-License-Identifier: BSD-2-Clause */
/* What sequence numbers are worth: asked for, learned, confirmed, forged, gone wrong. */
#include "one_flow.h"

static void unknown_numbers_are_asked_for_in_two_ways(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	expect(5000, HF_SEND_HANDSHAKE, B);
	expect(7000, HF_SEND_TICKLES, B);
	expect(9000, HF_SEND_HANDSHAKE, B);
	expect_dead(11000, B, 4);
	quiet(NEVER);
}

static void an_answer_to_a_question_is_confirmed_by_a_probe(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_false(hf_keepalive_numbers(&flow, B, &numbers));
	assert_int_equal(hear(B, stamped(5000, 1000, 20, 10)), HF_NOTHING);
	assert_true(hf_keepalive_numbers(&flow, B, &numbers));
	assert_int_equal(numbers.expected, 1000);
	assert_int_equal(numbers.next, 5000);
	assert_true(numbers.has_timestamps);
	assert_int_equal(numbers.tsval, 10);
	assert_int_equal(numbers.tsecr, 20);
	assert_int_equal(hear(B, stamped(5000, 1000, 20, 10)), HF_NOTHING); /* not asked for */
	expect_probe(5000, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 21, 10)), HF_ALIVE);
	assert_int_equal(evidence.unanswered, 1);
}

/* B alone is watched, asked and probed: its numbers are confirmed at 5000. */
static void only_b_is_asked(void)
{
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 20, 10)), HF_NOTHING);
	expect_probe(5000, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 21, 10)), HF_ALIVE);
}

static void confirmed_numbers_are_kept_from_dialogue_to_dialogue(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	only_b_is_asked();
	for (uint32_t at = 8000; at < 20000; at += 3000) {
		expect_probe(at, B);
		assert_true(hf_keepalive_numbers(&flow, B, &numbers));
		assert_int_equal(numbers.expected, 1000);
		assert_int_equal(numbers.tsecr, at == 8000 ? 21 : 22);
		assert_int_equal(hear(B, stamped(5000, 1000, 22, 10)), HF_ALIVE);
		assert_int_equal(state(), HF_STATE_IDLE);
	}
}

/* Should traffic have passed unseen, no probe of them is ever answered. */
static void a_kept_number_costs_one_try_and_then_it_is_asked(void **unused)
{
	(void)unused;
	only_b_is_asked();
	expect_probe(8000, B);
	expect(10000, HF_SEND_TICKLES, B);
	expect(12000, HF_SEND_HANDSHAKE, B);
	assert_int_equal(hear(B, stamped(5100, 1100, 30, 12)), HF_NOTHING);
	expect_probe(14000, B);
	assert_int_equal(hear(B, stamped(5100, 1100, 31, 12)), HF_ALIVE);
}

static void no_probe_of_kept_numbers_outlives_the_count(void **unused)
{
	(void)unused;
	only_b_is_asked();
	expect_probe(8000, B);
	expect(10000, HF_SEND_TICKLES, B);
	expect(12000, HF_SEND_HANDSHAKE, B);
	expect(14000, HF_SEND_TICKLES, B);
	expect_dead(16000, B, 4);
	assert_true(16000 - 5000 <= hf_probing_bound(&linux_324, 1, 1));
}

static void a_question_answered_with_kept_numbers_needs_no_probe(void **unused)
{
	(void)unused;
	only_b_is_asked();
	expect_probe(8000, B);
	expect(10000, HF_SEND_TICKLES, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 30, 10)), HF_ALIVE);
	assert_int_equal(state(), HF_STATE_IDLE);
}

static void numbers_are_kept_no_longer_than_until_traffic_is_heard_of(void **unused)
{
	(void)unused;
	only_b_is_asked();
	now = 6000;
	hf_keepalive_heard(&flow, START + now, 0);
	expect(9000, HF_SEND_TICKLES, B);
}

static void other_numbers_than_those_kept_are_learned_and_confirmed(void **unused)
{
	(void)unused;
	only_b_is_asked();
	expect_probe(8000, B);
	assert_int_equal(hear(B, stamped(5100, 1100, 30, 12)), HF_NOTHING);
	expect_probe(10000, B);
	assert_int_equal(hear(B, stamped(5100, 1100, 31, 12)), HF_ALIVE);
}

static void a_reset_answers_a_probe_of_kept_numbers(void **unused)
{
	(void)unused;
	only_b_is_asked();
	assert_int_equal(reset(B, 5000), HF_NOTHING); /* no dialogue goes on */
	expect_probe(8000, B);
	assert_int_equal(reset(B, 4999), HF_NOTHING);
	assert_int_equal(reset(B, 5000), HF_RESET);
}

static void the_other_questions_answer_is_worth_the_same(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	expect(5000, HF_SEND_HANDSHAKE, B);
	assert_int_equal(answer(B), HF_NOTHING); /* a challenge ACK, RFC 5961 4.2 */
	expect_probe(7000, B);
	assert_int_equal(answer(B), HF_ALIVE);
}

/* B has forgotten the connection, but listens: it takes the question for a new connection. */
static void a_syn_ack_teaches_nothing_and_is_no_life(void **unused)
{
	struct hf_segment syn_ack = segment(77, 1, 0);

	(void)unused;
	syn_ack.flags = HF_SYN | HF_ACK;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	expect(5000, HF_SEND_HANDSHAKE, B);
	assert_int_equal(hear(B, syn_ack), HF_NOTHING);
	assert_false(hf_keepalive_numbers(&flow, B, &(struct hf_numbers){ 0 }));
	expect(7000, HF_SEND_TICKLES, B);
	expect(9000, HF_SEND_HANDSHAKE, B);
	assert_int_equal(hear(B, syn_ack), HF_NOTHING);
	expect_dead(11000, B, 4);
}

static void forged_answers_put_a_verdict_off_to_its_bound_and_bring_none_about(void **unused)
{
	struct hf_action action;
	uint32_t last = 0;

	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	for (uint32_t i = 1; i <= 50; i++) {
		struct hf_keepalive was;

		assert_true(next(NEVER, &action));
		assert_int_not_equal(action.kind, HF_VERDICT);
		now += 100;
		assert_int_equal(hear_numbers(B, i * 0x12345678, i * 0x23456789), HF_NOTHING);
		last = now;
		was = flow;
		now += 100; /* nothing is asked any more */
		assert_int_equal(hear_numbers(B, i, i), HF_NOTHING);
		assert_memory_equal(&flow, &was, sizeof(flow));
	}
	while (next(NEVER, &action) && action.kind != HF_VERDICT)
		continue;
	assert_int_equal(action.kind, HF_VERDICT);
	assert_int_equal(action.evidence.unanswered, linux_324.count);
	assert_true(now - last <= hf_probing_bound(&linux_324, 1, 1));
}

static void an_answer_with_other_numbers_is_learned_and_probed_again(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	assert_int_equal(hear_numbers(B, 5100, 1100), HF_NOTHING);
	expect_probe(7000, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(9000, B);
	assert_int_equal(answer(B), HF_ALIVE);
}

/* Or a flow with traffic would never be done with a dialogue. */
static void data_that_passes_meanwhile_may_move_one_number_on(void **unused)
{
	static const uint32_t moved[][3] = { { 5100, 1000, HF_ALIVE },
					     { 5000, 1100, HF_ALIVE },
					     { 4900, 1000, HF_NOTHING },
					     { 5000, 900, HF_NOTHING } };

	(void)unused;
	for (size_t i = 0; i < 4; i++) {
		begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
		expect(3000, HF_SEND_TICKLES, B);
		assert_int_equal(answer(B), HF_NOTHING);
		expect_probe(5000, B);
		assert_int_equal(hear_numbers(B, moved[i][0], moved[i][1]), moved[i][2]);
	}
}

static void no_octet_is_sent_with_numbers_that_were_learned_only(void **unused)
{
	struct hf_probing garbage = linux_324;

	(void)unused;
	garbage.garbage_last = true;
	begin(HF_WATCH_RESPONDER | HF_ASK, &garbage);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	expect(7000, HF_SEND_TICKLES, B);
	expect(9000, HF_SEND_HANDSHAKE, B);
	assert_false(expect(11000, HF_SEND_TICKLES, B).garbage);
	expect_dead(13000, B, 4);
}

static void what_one_has_received_the_other_has_sent(void **unused)
{
	const uint32_t step = UINT32_C(10) << 20;

	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	for (uint32_t i = 1; i <= 4; i++) /* of A's data nothing is seen */
		hear_numbers(B, 5000, 1000 + i * step);
	now = 1000;
	hear_numbers(A, 1000 + 4 * step, 5000);
	assert_int_equal(flow.end[A].heard, START + 1000);
	for (uint32_t i = 1; i <= 4; i++) /* of B's neither */
		hear_numbers(A, 1000 + 4 * step, 5000 + i * step);
	now = 2000;
	hear_numbers(B, 5000 + 4 * step, 1000 + 4 * step);
	assert_int_equal(flow.end[B].heard, START + 2000);
}

static void an_unanswered_probe_of_learned_numbers_is_doubted(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	expect(7000, HF_SEND_TICKLES, B);
	expect(9000, HF_SEND_HANDSHAKE, B);
	expect(11000, HF_SEND_TICKLES, B);
	expect_dead(13000, B, 4);
}

/* Traffic passed unseen: B's clock, as A's segments have it, has gone on. */
static void learned_numbers_are_doubted_in_a_flow_that_is_seen_too(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	hf_keepalive_heard(&flow, START + now, 0);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	expect(7000, HF_SEND_TICKLES, B);
	assert_int_equal(hear_numbers(B, 5100, 1100), HF_NOTHING);
	expect_probe(9000, B);
	assert_int_equal(hear_numbers(B, 5100, 1100), HF_ALIVE);
}

/* A has taken B's newest TSval: to a probe with an older one it would say nothing. */
static void an_end_that_was_asked_is_believed_in_its_traffic_too(void **unused)
{
	struct hf_segment data = stamped(1000, 5000, 12, 20);
	struct hf_numbers numbers;

	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	hf_keepalive_heard(&flow, START, 0);
	expect(3000, HF_SEND_TICKLES, A);
	expect(4000, HF_SEND_TICKLES, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 20, 10)), HF_NOTHING);
	data.payload = 100;
	hear(A, data);
	hear(B, stamped(5000, 1100, 30, 12));
	assert_true(hf_keepalive_numbers(&flow, A, &numbers));
	assert_int_equal(numbers.tsval, 30);
	assert_int_equal(numbers.next, 1100);
}

/* Both are asked, A alone answers: all of its numbers are known at 5000. */
static void only_a_answers(void)
{
	begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, A);
	assert_int_equal(answer(A), HF_NOTHING);
	expect(4000, HF_SEND_TICKLES, B);
	expect_probe(5000, A);
	assert_int_equal(answer(A), HF_ALIVE);
}

static void the_silent_end_is_never_spoken_to_with_what_the_other_has_sent(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	only_a_answers();
	assert_false(hf_keepalive_numbers(&flow, B, &numbers));
	expect(6000, HF_SEND_HANDSHAKE, B);
}

/* What it said before may be stale when it joins the other one's dialogue. */
static void an_end_that_joins_again_is_probed_with_what_it_said(void **unused)
{
	(void)unused;
	only_a_answers();
	expect(6000, HF_SEND_HANDSHAKE, B);
	expect(8000, HF_SEND_TICKLES, B);
	expect_probe(9000, A);
	expect(10000, HF_SEND_HANDSHAKE, B);
	expect(11000, HF_SEND_TICKLES, A);
	expect_dead(12000, B, 4);
}

/* A has sent since, and B may have acknowledged it unseen, before it died. */
static void nothing_is_owed_by_an_end_of_uncertain_numbers(void **unused)
{
	struct hf_action action;

	(void)unused;
	begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
	for (uint32_t at = 3000; at <= 5000; at += 2000) {
		expect(at, at == 3000 ? HF_SEND_TICKLES : HF_SEND_PROBE, A);
		answer(A);
		expect(at + 1000, at == 3000 ? HF_SEND_TICKLES : HF_SEND_PROBE, B);
		answer(B);
	}
	expect_probe(8000, A);
	assert_int_equal(hear_numbers(A, 1100, 5000), HF_ALIVE);
	assert_int_equal(state(), HF_STATE_DIALOGUE);
	while (next(NEVER, &action) && action.kind != HF_VERDICT)
		if (action.target == A)
			hear_numbers(A, 1100, 5000);
	assert_int_equal(action.target, B);
	assert_false(action.evidence.in_flight);
	assert_int_equal(action.evidence.unanswered, 4);
}

static void resets_of_a_flow_that_asks(void **unused)
{
	(void)unused;
	begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, A);
	assert_int_equal(reset(A, 0), HF_NOTHING); /* a lax box, or the tickle's own number */
	assert_int_equal(reset(A, UINT32_C(1) << 31), HF_NOTHING);
	assert_int_equal(answer(A), HF_NOTHING);
	expect(4000, HF_SEND_TICKLES, B);
	assert_int_equal(reset(B, 0), HF_NOTHING);
	assert_int_equal(reset(B, 4999), HF_NOTHING);
	/* B has forgotten the connection and met A's answer on its way. */
	assert_int_equal(reset(B, 5000), HF_RESET);
	quiet(NEVER);
}

static void a_questions_own_numbers_are_no_reset_even_if_they_fit(void **unused)
{
	static const uint32_t own[] = { 0, UINT32_C(1) << 31 };

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
		expect(3000, HF_SEND_TICKLES, A);
		assert_int_equal(hear_numbers(A, 1000, own[i]), HF_NOTHING);
		expect(4000, HF_SEND_TICKLES, B);
		assert_int_equal(reset(B, own[i]), HF_NOTHING);
		assert_int_equal(state(), HF_STATE_DIALOGUE);
	}
}

/* A router sees it a hundredth of a second after A's answer, half an interval before B's turn. */
static void the_other_ends_answer_may_meet_a_reset_before_anything_else_does(void **unused)
{
	(void)unused;
	begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
	assert_int_equal(reset(B, 5000), HF_NOTHING);
	expect(3000, HF_SEND_TICKLES, A);
	assert_int_equal(reset(B, 5000), HF_NOTHING);
	assert_int_equal(answer(A), HF_NOTHING);
	assert_int_equal(reset(B, 4999), HF_NOTHING);
	assert_int_equal(reset(B, 5000), HF_RESET);
	quiet(NEVER);
}

static void a_reset_answers_a_learned_probe_of_one_watched_end(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	assert_int_equal(reset(B, 5000), HF_NOTHING); /* no probe is out */
	expect_probe(5000, B);
	assert_int_equal(reset(B, 5001), HF_NOTHING);
	assert_int_equal(reset(B, 5000), HF_RESET);
}

static void a_late_answer_of_a_dead_end_is_looked_into(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	while (state() != HF_STATE_OVER)
		next(NEVER, &(struct hf_action){ 0 });
	now = 20000;
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(20000, B);
	assert_int_equal(answer(B), HF_REVIVED);
	assert_int_equal(state(), HF_STATE_IDLE);
}

static void a_late_answer_with_nothing_behind_it_is_told_once(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	while (state() != HF_STATE_OVER)
		next(NEVER, &(struct hf_action){ 0 });
	now = 20000;
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(20000, B);
	expect(22000, HF_SEND_TICKLES, B);
	expect(24000, HF_SEND_HANDSHAKE, B);
	expect(26000, HF_SEND_TICKLES, B);
	quiet(NEVER); /* it was dead already */
	assert_int_equal(state(), HF_STATE_OVER);
}

static void numbers_gone_wrong_come_right_by_the_answers(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	hear(B, segment(5000, 1000 + 100000, 0)); /* forged, within reach */
	expect_probe(3000, B);
	flow.end[B].next += UINT32_C(1) << 30; /* and farther than any forger could */
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	assert_int_equal(answer(B), HF_ALIVE);
	assert_int_equal(flow.end[B].expected, 1000);
}

static void traffic_heard_of_ends_a_dialogue_and_makes_numbers_stale(void **unused)
{
	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	expect_probe(3000, A);
	now = 3500;
	assert_false(hf_keepalive_heard(&flow, START + now, 200));
	assert_int_equal(state(), HF_STATE_IDLE);
	expect(6300, HF_SEND_TICKLES, B);			    /* A's turn was the last one */
	assert_false(hf_keepalive_heard(&flow, START + now, 5000)); /* older than what is known */
	assert_int_equal(state(), HF_STATE_DIALOGUE);
}

static void numbers_may_be_told(void **unused)
{
	static const struct hf_numbers told = {
		.expected = 1000,
		.next = 5000,
		.tsval = 7,
		.tsecr = 8,
		.window = 99,
		.has_timestamps = true,
	};
	struct hf_numbers numbers;

	(void)unused;
	begin(HF_WATCH_RESPONDER, &linux_324);
	hf_keepalive_learn(&flow, B, &told);
	assert_true(hf_keepalive_numbers(&flow, B, &numbers));
	assert_int_equal(numbers.expected, told.expected);
	assert_int_equal(numbers.next, told.next);
	assert_int_equal(numbers.tsval, told.tsval);
	assert_int_equal(numbers.tsecr, told.tsecr);
	assert_int_equal(numbers.window, told.window);
	assert_true(numbers.has_timestamps);
	expect_probe(3000, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 9, 7)), HF_ALIVE);
	assert_int_equal(state(), HF_STATE_IDLE);
}

static void the_first_segment_of_an_end_must_go_with_the_others_numbers(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER, &linux_324);
	hear_numbers(A, 1000, 5000);
	now = 1000;
	hear_numbers(B, 5000, UINT32_C(1) << 30);
	assert_int_equal(flow.end[B].flags & HF_END_KNOWN, 0);
	hear_numbers(B, 5000, 900);
	assert_int_equal(flow.end[B].flags & HF_END_KNOWN, HF_END_KNOWN);
	assert_int_equal(state(), HF_STATE_BUSY); /* 100 are in flight */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_numbers_are_asked_for_in_two_ways),
		cmocka_unit_test(an_answer_to_a_question_is_confirmed_by_a_probe),
		cmocka_unit_test(confirmed_numbers_are_kept_from_dialogue_to_dialogue),
		cmocka_unit_test(a_kept_number_costs_one_try_and_then_it_is_asked),
		cmocka_unit_test(no_probe_of_kept_numbers_outlives_the_count),
		cmocka_unit_test(a_question_answered_with_kept_numbers_needs_no_probe),
		cmocka_unit_test(numbers_are_kept_no_longer_than_until_traffic_is_heard_of),
		cmocka_unit_test(other_numbers_than_those_kept_are_learned_and_confirmed),
		cmocka_unit_test(a_reset_answers_a_probe_of_kept_numbers),
		cmocka_unit_test(the_other_questions_answer_is_worth_the_same),
		cmocka_unit_test(a_syn_ack_teaches_nothing_and_is_no_life),
		cmocka_unit_test(
			forged_answers_put_a_verdict_off_to_its_bound_and_bring_none_about),
		cmocka_unit_test(an_answer_with_other_numbers_is_learned_and_probed_again),
		cmocka_unit_test(data_that_passes_meanwhile_may_move_one_number_on),
		cmocka_unit_test(no_octet_is_sent_with_numbers_that_were_learned_only),
		cmocka_unit_test(what_one_has_received_the_other_has_sent),
		cmocka_unit_test(an_unanswered_probe_of_learned_numbers_is_doubted),
		cmocka_unit_test(learned_numbers_are_doubted_in_a_flow_that_is_seen_too),
		cmocka_unit_test(an_end_that_was_asked_is_believed_in_its_traffic_too),
		cmocka_unit_test(the_silent_end_is_never_spoken_to_with_what_the_other_has_sent),
		cmocka_unit_test(an_end_that_joins_again_is_probed_with_what_it_said),
		cmocka_unit_test(nothing_is_owed_by_an_end_of_uncertain_numbers),
		cmocka_unit_test(resets_of_a_flow_that_asks),
		cmocka_unit_test(a_questions_own_numbers_are_no_reset_even_if_they_fit),
		cmocka_unit_test(the_other_ends_answer_may_meet_a_reset_before_anything_else_does),
		cmocka_unit_test(a_reset_answers_a_learned_probe_of_one_watched_end),
		cmocka_unit_test(a_late_answer_of_a_dead_end_is_looked_into),
		cmocka_unit_test(a_late_answer_with_nothing_behind_it_is_told_once),
		cmocka_unit_test(numbers_gone_wrong_come_right_by_the_answers),
		cmocka_unit_test(traffic_heard_of_ends_a_dialogue_and_makes_numbers_stale),
		cmocka_unit_test(numbers_may_be_told),
		cmocka_unit_test(the_first_segment_of_an_end_must_go_with_the_others_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
