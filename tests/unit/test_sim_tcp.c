/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulated end answers as a Linux one was measured to (SEMANTICS: probing as a third party). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sim/tcp.h"

#define OWN 5000u
#define OTHER 0xfffffff8u /* wraps soon */
#define STAMP 1000u

static struct hf_tcp end;
static struct hf_tcp_time now;
static struct hf_segment answer;

static int setup(void **state)
{
	(void)state;
	memset(&end, 0, sizeof(end));
	hf_tcp_open(&end, OWN, OTHER);
	end.ts_recent = STAMP;
	now = (struct hf_tcp_time){ .now_ms = 10000, .tsval = 77, .timestamps = true };
	return 0;
}

static struct hf_segment segment(uint32_t seq, uint8_t flags, uint32_t payload)
{
	return (struct hf_segment){ .seq = seq,
				    .ack = OWN,
				    .payload = payload,
				    .flags = flags,
				    .window = 1000,
				    .has_timestamps = true,
				    .tsval = STAMP,
				    .tsecr = 77 };
}

static unsigned int receive(struct hf_segment in)
{
	return hf_tcp_receive(&end, &in, &now, &answer);
}

static void assert_ack(unsigned int outcome)
{
	assert_int_equal(outcome & HF_TCP_ANSWERS, HF_TCP_ANSWERS);
	assert_int_equal(answer.flags, HF_ACK);
	assert_int_equal(answer.seq, end.next);
	assert_int_equal(answer.ack, end.expected);
	assert_int_equal(answer.tsecr, end.ts_recent);
}

static void a_probe_is_answered_once_in_half_a_second(void **state)
{
	(void)state;
	assert_ack(receive(segment(OTHER - 1, HF_ACK, 0)));
	now.now_ms += 499;
	assert_int_equal(receive(segment(OTHER - 1, HF_ACK, 0)), 0);
	now.now_ms += 1;
	assert_ack(receive(segment(OTHER - 1, HF_ACK, 0)));
}

static void a_probe_with_an_octet_is_answered_every_time(void **state)
{
	(void)state;
	assert_ack(receive(segment(OTHER - 1, HF_ACK, 1)));
	assert_ack(receive(segment(OTHER - 1, HF_ACK, 1)));
	assert_int_equal(end.expected, OTHER);
}

static void a_probe_without_timestamps_is_answered(void **state)
{
	struct hf_segment probe = segment(OTHER - 1, HF_ACK, 0);

	(void)state;
	probe.has_timestamps = false;
	assert_ack(receive(probe));
}

static void an_old_timestamp_gets_silence_or_with_data_an_answer(void **state)
{
	struct hf_segment probe = segment(OTHER - 1, HF_ACK, 0);

	(void)state;
	probe.tsval = STAMP - 1;
	assert_int_equal(receive(probe), 0);
	probe.payload = 1;
	assert_ack(receive(probe));
}

static void an_ack_in_sequence_is_taken_without_an_answer(void **state)
{
	struct hf_segment ack = segment(OTHER, HF_ACK, 0);

	(void)state;
	ack.tsval = STAMP + 5;
	assert_int_equal(receive(ack) & HF_TCP_ANSWERS, 0);
	assert_int_equal(end.ts_recent, STAMP + 5);
}

static void questions_are_answered(void **state)
{
	static const struct {
		uint32_t seq, ack;
		uint8_t flags;
	} questions[] = { { 0, 0, HF_ACK },
			  { 0x80000000, 0, HF_ACK },
			  { 12345, 0, HF_SYN },
			  { 0, 0, HF_SYN | HF_ACK },
			  { OTHER, 0, HF_SYN } };
	unsigned int answered = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct hf_segment question = segment(questions[i].seq, questions[i].flags, 0);
		unsigned int outcome;

		question.ack = questions[i].ack;
		question.has_timestamps = false;
		now.now_ms += 500;
		outcome = receive(question);
		answered += outcome & HF_TCP_ANSWERS;
		if (outcome & HF_TCP_ANSWERS)
			assert_ack(outcome);
	}
	/* OTHER lies just below 0: the tickle at 0 is within the window, and its ACK is old news. */
	assert_int_equal(answered, 4);
	assert_int_equal(end.expected, OTHER);
}

static void a_reset_counts_in_sequence_only(void **state)
{
	(void)state;
	assert_int_equal(receive(segment(OTHER - 1, HF_RST, 0)), 0);
	assert_ack(receive(segment(OTHER + 1, HF_RST, 0)));
	assert_int_equal(end.flags, HF_TCP_OPEN);
	assert_int_equal(receive(segment(OTHER, HF_RST, 0)), HF_TCP_RESET);
	assert_int_equal(end.flags & HF_TCP_OPEN, 0);
}

static void data_in_sequence_is_taken_other_data_only_answered(void **state)
{
	(void)state;
	assert_ack(receive(segment(OTHER, HF_ACK, 10)));
	assert_int_equal(end.expected, OTHER + 10);
	assert_ack(receive(segment(OTHER, HF_ACK, 10)));      /* again */
	assert_ack(receive(segment(OTHER + 11, HF_ACK, 10))); /* a gap before it */
	assert_int_equal(end.expected, OTHER + 10);
	assert_ack(receive(segment(OTHER + 5, HF_ACK, 10))); /* half of it new */
	assert_int_equal(end.expected, OTHER + 15);
}

static void an_ack_of_what_was_never_sent_is_dropped(void **state)
{
	struct hf_segment ahead = segment(OTHER, HF_ACK, 5);

	(void)state;
	ahead.ack = OWN + 1;
	assert_int_equal(receive(ahead), 0);
	assert_int_equal(end.expected, OTHER);
}

static void what_is_sent_is_sent_again_until_it_is_acknowledged(void **state)
{
	struct hf_segment out, ack;
	uint32_t waited = 0;

	(void)state;
	assert_int_equal(hf_tcp_timeout(&end), 0);
	assert_true(hf_tcp_send(&end, 100, &now, &out));
	assert_int_equal(out.seq, OWN);
	assert_int_equal(out.payload, 100);
	for (int i = 0; i < HF_TCP_RETRIES; i++) {
		uint32_t timeout = hf_tcp_timeout(&end);

		assert_int_equal(timeout, i < 7 ? 1000u << i : HF_TCP_RTO_MAX_MS);
		waited += timeout;
		assert_int_equal(hf_tcp_timer(&end, &now, &out), HF_TCP_SENDS);
		assert_int_equal(out.seq, OWN);
		assert_int_equal(out.payload, 100);
	}
	assert_in_range(waited, 924600, 1200000); /* tcp_retries2 = 15: 924.6 s or more */
	ack = segment(OTHER, HF_ACK, 0);
	ack.ack = OWN + 100;
	receive(ack);
	assert_int_equal(hf_tcp_timeout(&end), 0);
	assert_int_equal(hf_tcp_timer(&end, &now, &out), HF_TCP_IDLE);
}

static void after_fifteen_times_it_gives_up(void **state)
{
	struct hf_segment out;

	(void)state;
	hf_tcp_send(&end, 1, &now, &out);
	for (int i = 0; i < HF_TCP_RETRIES; i++)
		assert_int_equal(hf_tcp_timer(&end, &now, &out), HF_TCP_SENDS);
	assert_int_equal(hf_tcp_timer(&end, &now, &out), HF_TCP_GIVES_UP);
	assert_int_equal(end.flags & HF_TCP_OPEN, 0);
}

static void who_does_not_read_closes_the_window_and_opens_it_again(void **state)
{
	struct hf_segment out;
	uint32_t taken = 0;

	(void)state;
	hf_tcp_read(&end, false, &now, &out);
	for (int i = 0; i < 100; i++) {
		assert_ack(receive(segment(OTHER + taken, HF_ACK, 1000)));
		taken = end.expected - OTHER;
	}
	assert_int_equal(taken, 65000);
	assert_int_equal(answer.window, 535);
	assert_ack(receive(segment(OTHER + taken, HF_ACK, 535)));
	assert_int_equal(answer.window, 0);
	assert_true(hf_tcp_read(&end, true, &now, &out));
	assert_int_equal(out.window, HF_TCP_WINDOW);
}

static void a_closed_window_is_probed_and_never_a_reason_to_give_up(void **state)
{
	struct hf_segment closed = segment(OTHER, HF_ACK, 0), out;

	(void)state;
	closed.window = 0;
	receive(closed);
	assert_false(hf_tcp_send(&end, 10, &now, &out));
	for (int i = 0; i < 100; i++) {
		assert_int_equal(hf_tcp_timer(&end, &now, &out), HF_TCP_SENDS);
		assert_int_equal(out.seq, OWN - 1);
		assert_int_equal(out.payload, 0);
		receive(closed); /* it answers, and stays closed */
	}
	assert_int_equal(receive(segment(OTHER, HF_ACK, 0)), HF_TCP_TOOK);
	assert_true(hf_tcp_send(&end, 10, &now, &out));
}

static void both_fins_acknowledged_are_the_end(void **state)
{
	struct hf_segment fin = segment(OTHER, HF_FIN | HF_ACK, 0), out;

	(void)state;
	assert_ack(receive(fin));
	assert_int_equal(end.expected, OTHER + 1);
	assert_true(hf_tcp_finish(&end, &now, &out));
	assert_int_equal(out.flags, HF_FIN | HF_ACK);
	assert_false(hf_tcp_finish(&end, &now, &out));
	fin = segment(OTHER + 1, HF_ACK, 0);
	fin.ack = OWN + 1;
	assert_int_equal(receive(fin) & HF_TCP_CLOSED, HF_TCP_CLOSED);
	assert_ack(receive(segment(OTHER, HF_FIN | HF_ACK, 0))); /* its FIN again */
}

static void a_host_refuses_what_it_does_not_know(void **state)
{
	struct hf_segment probe = segment(OTHER - 1, HF_ACK, 0);
	struct hf_segment syn = segment(9, HF_SYN, 0), reset = segment(9, HF_RST, 0);

	(void)state;
	assert_true(hf_tcp_refuse(&probe, &answer));
	assert_int_equal(answer.flags, HF_RST);
	assert_int_equal(answer.seq, probe.ack);
	assert_true(hf_tcp_refuse(&syn, &answer));
	assert_int_equal(answer.flags, HF_RST | HF_ACK);
	assert_int_equal(answer.seq, 0);
	assert_int_equal(answer.ack, 10);
	assert_false(hf_tcp_refuse(&reset, &answer));
}

#define FRESH(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(a_probe_is_answered_once_in_half_a_second),
		FRESH(a_probe_with_an_octet_is_answered_every_time),
		FRESH(a_probe_without_timestamps_is_answered),
		FRESH(an_old_timestamp_gets_silence_or_with_data_an_answer),
		FRESH(an_ack_in_sequence_is_taken_without_an_answer),
		FRESH(questions_are_answered),
		FRESH(a_reset_counts_in_sequence_only),
		FRESH(data_in_sequence_is_taken_other_data_only_answered),
		FRESH(an_ack_of_what_was_never_sent_is_dropped),
		FRESH(what_is_sent_is_sent_again_until_it_is_acknowledged),
		FRESH(after_fifteen_times_it_gives_up),
		FRESH(who_does_not_read_closes_the_window_and_opens_it_again),
		FRESH(a_closed_window_is_probed_and_never_a_reason_to_give_up),
		FRESH(both_fins_acknowledged_are_the_end),
		FRESH(a_host_refuses_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
