/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keepalive as others do and define it: timelines and cases of other stacks' tests and of RFCs,
 * each named where it is tested, in our words.
 */
#include "one_flow.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
