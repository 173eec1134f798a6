/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state machine of one flow, without wheel and table: each row of its table, what numbers are
 * worth, and the outside references, each named where it is tested.
 *
 * Time begins shortly before 2^32 and counts from there; the originator has sent up to 1000, the
 * responder up to 5000.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <core/keepalive.h>

#define START (UINT32_MAX - 1500)
#define NEVER (UINT32_C(1) << 29)
#define A HF_ORIGINATOR
#define B HF_RESPONDER

static const struct hf_probing linux_324 = {
	.idle_ms = 3000,
	.interval_ms = 2000,
	.in_flight_ms = 9000,
	.count = 4,
};

static struct hf_keepalive flow;
static struct hf_probing probing;
static uint32_t now, jumped; /* ms since START */
static struct hf_evidence evidence;

static struct hf_moment moment(void)
{
	return (struct hf_moment){ .now = START + now,
				   .jumped = jumped ? START + jumped : START + now - HF_LONG_MS,
				   .tick = 1 };
}

static void begin(unsigned int options, const struct hf_probing *with)
{
	now = jumped = 0;
	probing = *with;
	hf_keepalive_init(&flow, options, START, 0);
}

static struct hf_segment segment(uint32_t seq, uint32_t ack, uint32_t payload)
{
	return (struct hf_segment){
		.seq = seq, .ack = ack, .payload = payload, .flags = HF_ACK, .window = 500
	};
}

static enum hf_event hear(enum hf_side side, struct hf_segment heard)
{
	memset(&evidence, 0xff, sizeof(evidence));
	return hf_keepalive_segment(&flow, side, &heard, START + now, &evidence);
}

static enum hf_event hear_numbers(enum hf_side side, uint32_t seq, uint32_t ack)
{
	return hear(side, segment(seq, ack, 0));
}

/* The bare ACK with which an end answers. */
static enum hf_event answer(enum hf_side side)
{
	return side == A ? hear_numbers(A, 1000, 5000) : hear_numbers(B, 5000, 1000);
}

static enum hf_event reset(enum hf_side side, uint32_t seq)
{
	struct hf_segment heard = segment(seq, 0, 0);

	heard.flags = HF_RST;
	return hear(side, heard);
}

static enum hf_event fin(enum hf_side side, uint32_t seq, uint32_t ack)
{
	struct hf_segment heard = segment(seq, ack, 0);

	heard.flags = HF_ACK | HF_FIN;
	return hear(side, heard);
}

/* A flow whose traffic is seen, both ends heard now. */
static void establish(unsigned int options, const struct hf_probing *with)
{
	begin(options, with);
	assert_int_equal(answer(A), HF_NOTHING);
	assert_int_equal(answer(B), HF_NOTHING);
}

static enum hf_state state(void)
{
	return hf_keepalive_state(&flow, &probing, START + now);
}

/* Time goes on until something is to be done; false if that is after `until`. */
static bool next(uint32_t until, struct hf_action *out)
{
	for (;;) {
		struct hf_moment then = moment();
		uint32_t wait = hf_keepalive_wait(&flow, &probing, &then);

		if (now + wait > until) {
			now = until;
			return false;
		}
		now += wait;
		then = moment();
		if (hf_keepalive_expire(&flow, &probing, &then, out))
			return true;
		now += !wait; /* nothing came of it: it must not be asked for again at once */
	}
}

static void quiet(uint32_t until)
{
	struct hf_action action;

	if (next(until, &action))
		fail_msg("at %u: action %u toward %u", now, action.kind, action.target);
}

static struct hf_action expect(uint32_t at, enum hf_action_kind kind, enum hf_side target)
{
	struct hf_action action = { 0 };

	if (!next(at + 100000, &action) || now != at || action.kind != kind ||
	    action.target != target)
		fail_msg("at %u: action %u toward %u, not at %u: %u toward %u", now, action.kind,
			 action.target, at, kind, target);
	return action;
}

static void expect_probe(uint32_t at, enum hf_side target)
{
	struct hf_action action = expect(at, HF_SEND_PROBE, target);

	assert_false(action.garbage);
}

static void expect_dead(uint32_t at, enum hf_side target, unsigned int unanswered)
{
	struct hf_action action = expect(at, HF_VERDICT, target);

	assert_int_equal(action.event, HF_DEAD);
	assert_int_equal(action.evidence.unanswered, unanswered);
}

/* --- Outside references ---------------------------------------------------------------- */

/*
 * Linux' own timeline with TCP_KEEPIDLE 3, TCP_KEEPINTVL 2, TCP_KEEPCNT 4, as its packetdrill
 * tests write it: probes at +3, +2, +2, +2, and the end at +2 with ETIMEDOUT.
 */
static void linux_timeline_3_2_4(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	expect_probe(3000, B);
	expect_probe(5000, B);
	expect_probe(7000, B);
	expect_probe(9000, B);
	expect_dead(11000, B, 4);
	assert_int_equal(state(), HF_STATE_OVER);
	quiet(NEVER);
}

/* gVisor, pkg/tcpip/transport/tcp/test/e2e TestKeepalive: ten answered probes, it lives. */
static void gvisor_ten_answered_probes_live(void **unused)
{
	uint32_t at = 0;

	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (unsigned int i = 0; i < 10; i++) {
		expect_probe(at += 3000, B);
		assert_int_equal(answer(B), HF_ALIVE);
		assert_int_equal(evidence.unanswered, 1);
		assert_int_equal(evidence.silent_ms, 3000);
		assert_int_equal(state(), HF_STATE_IDLE);
	}
}

/* The same test: while its data is not acknowledged, it sends no keepalive. */
static void gvisor_none_while_unacked(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	now = 1000;
	hear(A, segment(1000, 5000, 100));
	assert_int_equal(state(), HF_STATE_BUSY);
	for (now = 1200; now < 3500; now += 300) {
		hear(A, segment(1000, 5000, 100));
		quiet(now);
	}
	quiet(3600);
	assert_int_equal(hear_numbers(B, 5000, 1100), HF_NOTHING);
	assert_int_equal(state(), HF_STATE_IDLE);
	expect_probe(6600, B);
}

/* The same test: five unanswered keepalives, then it times out. */
static void gvisor_five_unanswered_time_out(void **unused)
{
	struct hf_probing five = linux_324;

	(void)unused;
	five.count = 5;
	establish(HF_WATCH_RESPONDER, &five);
	for (uint32_t at = 3000; at < 13000; at += 2000)
		expect_probe(at, B);
	expect_dead(13000, B, 5);
}

/*
 * gVisor TestKeepaliveWithUserTimeout: there a user timeout cuts the probing short. Here the time
 * for data in flight does not: what was probed is counted.
 */
static void the_time_for_data_in_flight_does_not_cut_probing_short(void **unused)
{
	struct hf_probing short_in_flight = linux_324;

	(void)unused;
	short_in_flight.in_flight_ms = 1000;
	establish(HF_WATCH_RESPONDER, &short_in_flight);
	expect_probe(3000, B);
	expect_probe(5000, B);
	expect_probe(7000, B);
	expect_probe(9000, B);
	expect_dead(11000, B, 4);
}

/* smoltcp test_sends_keep_alive: a keepalive after each interval of silence, re-armed by answers. */
static void smoltcp_sends_keep_alive(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	expect_probe(3000, B);
	assert_true(hf_keepalive_numbers(&flow, B, &numbers));
	assert_int_equal(numbers.expected, 1000); /* the probe goes out at 999 */
	assert_int_equal(numbers.next, 5000);
	now = 3100;
	assert_int_equal(answer(B), HF_ALIVE);
	assert_int_equal(evidence.rtt_ms, 100);
	expect_probe(6100, B);
}

/* smoltcp test_established_keep_alive_timeout: answered probes put the timeout off, silence ends. */
static void smoltcp_established_keep_alive_timeout(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	expect_probe(3000, B);
	expect_probe(5000, B);
	now = 5500;
	assert_int_equal(answer(B), HF_ALIVE);
	assert_int_equal(evidence.unanswered, 2);
	assert_int_equal(evidence.rtt_ms, UINT32_MAX); /* the answer to which of them? */
	expect_probe(8500, B);
	expect_probe(10500, B);
	expect_probe(12500, B);
	expect_probe(14500, B);
	expect_dead(16500, B, 4);
}

/* RFC 9293 3.8.4 MUST-26: only when no data is outstanding and nothing was heard for the time. */
static void rfc9293_must_26_traffic_puts_probes_off(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (now = 0; now <= 20000; now += 2500) {
		quiet(now);
		hear_numbers(B, 5000, 1000);
	}
	expect_probe(23000, B);
}

/* RFC 9293 MUST-29: no answer to one probe, nor to all but one, is no death. */
static void rfc9293_must_29_lost_probes_are_no_death(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	expect_probe(3000, B);
	expect_probe(5000, B);
	expect_probe(7000, B);
	expect_probe(9000, B);
	now = 10999;
	assert_int_equal(answer(B), HF_ALIVE);
	assert_int_equal(evidence.unanswered, 4);
	assert_int_equal(state(), HF_STATE_IDLE);
}

/* RFC 9293 SHLD-12, MAY-6: empty segments; the octet only where wished, and last. */
static void rfc9293_may_6_the_last_try_carries_an_octet_if_wished(void **unused)
{
	struct hf_probing garbage = linux_324;

	(void)unused;
	garbage.garbage_last = true;
	establish(HF_WATCH_RESPONDER, &garbage);
	expect_probe(3000, B);
	expect_probe(5000, B);
	expect_probe(7000, B);
	assert_true(expect(9000, HF_SEND_PROBE, B).garbage);
	expect_dead(11000, B, 4);
}

/* RFC 5961 3.2: RST counts at exactly the sequence number expected next. */
static void rfc5961_rst_is_believed_only_in_sequence(void **unused)
{
	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	assert_int_equal(reset(B, 4999), HF_NOTHING);
	assert_int_equal(reset(B, 5001), HF_NOTHING);
	assert_int_equal(reset(B, 0), HF_NOTHING);
	assert_int_equal(state(), HF_STATE_IDLE);
	expect_probe(3000, B);
	assert_int_equal(reset(B, 1000), HF_NOTHING);
	assert_int_equal(reset(B, 5000), HF_RESET);
	assert_int_equal(evidence.unanswered, 1);
	assert_int_equal(evidence.silent_ms, 3000);
	assert_int_equal(reset(B, 5000), HF_NOTHING); /* told once */
	quiet(NEVER);
}

/* packetimpact tcp_outside_the_window: what lies outside of it changes nothing. */
static void packetimpact_outside_the_window_nothing_counts(void **unused)
{
	static const uint32_t off[] = { UINT32_C(1) << 25, UINT32_C(1) << 31,
					-(UINT32_C(1) << 25) };
	struct hf_keepalive was;

	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	was = flow;
	now = 1000;
	for (size_t i = 0; i < sizeof(off) / sizeof(*off); i++) {
		assert_int_equal(hear(B, segment(5000 + off[i], 1000, 0)), HF_NOTHING);
		assert_int_equal(hear(B, segment(5000, 1000 + off[i], 0)), HF_NOTHING);
		assert_int_equal(hear(B, segment(5000 + off[i], 1000, 1000)), HF_NOTHING);
		assert_int_equal(fin(B, 5000 + off[i], 1000), HF_NOTHING);
		assert_int_equal(reset(B, 5000 + off[i]), HF_NOTHING);
	}
	assert_int_equal(hear(B, segment(5000, 1000, UINT32_MAX)), HF_NOTHING);
	assert_memory_equal(&flow, &was, sizeof(flow));
	hear(B, segment(5000, 1000, 1)); /* inside of it */
	assert_memory_not_equal(&flow, &was, sizeof(flow));
}

static struct hf_segment stamped(uint32_t seq, uint32_t ack, uint32_t tsval, uint32_t tsecr)
{
	struct hf_segment heard = segment(seq, ack, 0);

	heard.has_timestamps = true;
	heard.tsval = tsval;
	heard.tsecr = tsecr;
	return heard;
}

/* packetimpact tcp_paws_mechanism, RFC 7323 5: an old TSval is an old segment, also past a wrap. */
static void packetimpact_paws_old_segments_prove_nothing(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	begin(HF_WATCH_RESPONDER, &linux_324);
	hear(A, stamped(1000, 5000, 70, UINT32_MAX - 5));
	hear(B, stamped(5000, 1000, UINT32_MAX - 5, 70));
	now = 2000;
	hear(B, stamped(5000, 1000, UINT32_MAX - 6, 70));
	expect_probe(3000, B);
	assert_int_equal(hear(B, stamped(5000, 1000, 3, 70)), HF_ALIVE);
	assert_true(hf_keepalive_numbers(&flow, B, &numbers));
	assert_true(numbers.has_timestamps);
	assert_int_equal(numbers.tsval, 70);
	assert_int_equal(numbers.tsecr, 3);
	now = 5000;
	hear(B, stamped(5000, 1000, UINT32_MAX, 70));
	expect_probe(6000, B);
}

/* --- The rest of the table ------------------------------------------------------------- */

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

/* --- Data in flight -------------------------------------------------------------------- */

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

static void a_closed_window_that_answers_its_probes_lives(void **unused)
{
	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	for (uint32_t at = 500; at < 60000; at += 500) {
		struct hf_segment closed = segment(5000, 1000, 0);

		quiet(at);
		closed.window = 0;
		hear(A, segment(1000, 5000, 1)); /* a window probe of one octet, never taken */
		hear(B, closed);
	}
	assert_int_equal(state(), HF_STATE_BUSY);
}

static void a_sender_silent_too_is_probed_below_what_was_acknowledged(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	establish(HF_WATCH_BOTH, &linux_324);
	now = 1000;
	hear(A, segment(1000, 5000, 100));
	expect_probe(4000, A);
	expect_probe(5000, B);
	assert_true(hf_keepalive_numbers(&flow, B, &numbers));
	assert_int_equal(numbers.expected, 1000);
	assert_int_equal(hear_numbers(A, 1100, 5000), HF_ALIVE);
	/* Nothing was sent while A, heard at 5000, might have retransmitted. */
	expect_probe(8000, B);
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

/* --- Numbers --------------------------------------------------------------------------- */

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
	expect(8000, HF_SEND_TICKLES, B); /* anew in each dialogue */
}

static void an_answer_with_other_numbers_is_learned_and_probed_again(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	assert_int_equal(hear_numbers(B, 5100, 1000), HF_NOTHING);
	expect_probe(7000, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(9000, B);
	assert_int_equal(answer(B), HF_ALIVE);
}

static void an_unanswered_probe_of_learned_numbers_is_doubted(void **unused)
{
	(void)unused;
	begin(HF_WATCH_RESPONDER | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, B);
	assert_int_equal(answer(B), HF_NOTHING);
	expect_probe(5000, B);
	expect(7000, HF_SEND_HANDSHAKE, B);
	expect_probe(9000, B);
	expect(11000, HF_SEND_HANDSHAKE, B);
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
	expect(7000, HF_SEND_HANDSHAKE, B);
	assert_int_equal(hear_numbers(B, 5100, 1100), HF_NOTHING);
	expect_probe(9000, B);
	assert_int_equal(hear_numbers(B, 5100, 1100), HF_ALIVE);
}

static void the_silent_end_is_never_spoken_to_with_what_the_other_has_sent(void **unused)
{
	struct hf_numbers numbers;

	(void)unused;
	begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, A);
	assert_int_equal(answer(A), HF_NOTHING);
	expect(4000, HF_SEND_TICKLES, B);
	expect_probe(5000, A);
	assert_int_equal(answer(A), HF_ALIVE);
	assert_false(hf_keepalive_numbers(&flow, B, &numbers));
	expect(6000, HF_SEND_HANDSHAKE, B);
}

static void resets_of_a_flow_that_asks(void **unused)
{
	(void)unused;
	begin(HF_WATCH_BOTH | HF_ASK, &linux_324);
	expect(3000, HF_SEND_TICKLES, A);
	assert_int_equal(reset(A, 0), HF_NOTHING); /* a lax box, or the tickle's own number */
	assert_int_equal(reset(A, UINT32_C(1) << 31), HF_NOTHING);
	assert_int_equal(answer(A), HF_NOTHING);
	assert_int_equal(reset(B, 5000), HF_NOTHING); /* nothing was sent to it yet */
	expect(4000, HF_SEND_TICKLES, B);
	assert_int_equal(reset(B, 0), HF_NOTHING);
	assert_int_equal(reset(B, 4999), HF_NOTHING);
	/* B has forgotten the connection and met A's answer on its way. */
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
	expect(22000, HF_SEND_HANDSHAKE, B);
	expect_probe(24000, B);
	expect(26000, HF_SEND_HANDSHAKE, B);
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

/* --- Time ------------------------------------------------------------------------------ */

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
	establish(HF_WATCH_RESPONDER, &linux_324);
	hf_keepalive_hold(&flow, START + HF_LONG_MS + 5000);
	assert_int_equal(hf_end_silent(&flow.end[B], START + HF_LONG_MS + 5000), HF_LONG_MS);
	hf_keepalive_hold(&flow, START + 2 * HF_LONG_MS + 9000);
	assert_int_equal(hf_end_silent(&flow.end[B], START + 2 * HF_LONG_MS + 9000), HF_LONG_MS);
}

static void idle_is_shortened_by_a_random_part_only(void **unused)
{
	uint32_t least = UINT32_MAX, most = 0;

	(void)unused;
	establish(HF_WATCH_RESPONDER, &linux_324);
	for (uint32_t i = 0; i < 1000; i++) {
		struct hf_moment random = { .now = START,
					    .jumped = START - HF_LONG_MS,
					    .tick = 1,
					    .random = i * 77777777,
					    .jitter = 10 };
		uint32_t wait = hf_keepalive_wait(&flow, &probing, &random);

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_in_range(least, 2700, 2710);
	assert_in_range(most, 2990, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_timeline_3_2_4),
		cmocka_unit_test(gvisor_ten_answered_probes_live),
		cmocka_unit_test(gvisor_none_while_unacked),
		cmocka_unit_test(gvisor_five_unanswered_time_out),
		cmocka_unit_test(the_time_for_data_in_flight_does_not_cut_probing_short),
		cmocka_unit_test(smoltcp_sends_keep_alive),
		cmocka_unit_test(smoltcp_established_keep_alive_timeout),
		cmocka_unit_test(rfc9293_must_26_traffic_puts_probes_off),
		cmocka_unit_test(rfc9293_must_29_lost_probes_are_no_death),
		cmocka_unit_test(rfc9293_may_6_the_last_try_carries_an_octet_if_wished),
		cmocka_unit_test(rfc5961_rst_is_believed_only_in_sequence),
		cmocka_unit_test(packetimpact_outside_the_window_nothing_counts),
		cmocka_unit_test(packetimpact_paws_old_segments_prove_nothing),
		cmocka_unit_test(two_ends_take_turns_at_half_intervals),
		cmocka_unit_test(an_end_that_answered_is_left_alone_while_the_other_is_probed),
		cmocka_unit_test(an_end_that_answered_joins_again_when_idle_has_passed),
		cmocka_unit_test(nothing_is_sent_to_one_end_within_an_interval),
		cmocka_unit_test(a_dead_end_that_is_heard_is_revived),
		cmocka_unit_test(half_closed_flows_are_probed_closed_ones_are_not),
		cmocka_unit_test(data_in_flight_unanswered_is_a_death_at_its_bound),
		cmocka_unit_test(a_write_into_long_silence_is_left_time_to_be_answered),
		cmocka_unit_test(few_retransmissions_are_no_death),
		cmocka_unit_test(duplicates_are_no_retransmissions),
		cmocka_unit_test(a_closed_window_that_answers_its_probes_lives),
		cmocka_unit_test(a_sender_silent_too_is_probed_below_what_was_acknowledged),
		cmocka_unit_test(data_in_flight_cuts_a_dialogue_short),
		cmocka_unit_test(unknown_numbers_are_asked_for_in_two_ways),
		cmocka_unit_test(an_answer_to_a_question_is_confirmed_by_a_probe),
		cmocka_unit_test(an_answer_with_other_numbers_is_learned_and_probed_again),
		cmocka_unit_test(an_unanswered_probe_of_learned_numbers_is_doubted),
		cmocka_unit_test(learned_numbers_are_doubted_in_a_flow_that_is_seen_too),
		cmocka_unit_test(the_silent_end_is_never_spoken_to_with_what_the_other_has_sent),
		cmocka_unit_test(resets_of_a_flow_that_asks),
		cmocka_unit_test(a_reset_answers_a_learned_probe_of_one_watched_end),
		cmocka_unit_test(a_late_answer_of_a_dead_end_is_looked_into),
		cmocka_unit_test(a_late_answer_with_nothing_behind_it_is_told_once),
		cmocka_unit_test(numbers_gone_wrong_come_right_by_the_answers),
		cmocka_unit_test(traffic_heard_of_ends_a_dialogue_and_makes_numbers_stale),
		cmocka_unit_test(numbers_may_be_told),
		cmocka_unit_test(the_first_segment_of_an_end_must_go_with_the_others_numbers),
		cmocka_unit_test(silence_without_a_probe_is_no_death),
		cmocka_unit_test(shortened_settings_kill_nobody_by_themselves),
		cmocka_unit_test(after_a_jump_the_suspect_is_probed_once_more),
		cmocka_unit_test(after_a_jump_each_of_two_suspects_is_probed_once_more),
		cmocka_unit_test(old_stamps_are_held_before_they_lie),
		cmocka_unit_test(idle_is_shortened_by_a_random_part_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
