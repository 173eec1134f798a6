/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a connection ended, from two looks at it: what is claimed, and what is left open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "host/diag/known.h"

#define NOW 1000000 /* ms: the end is seen */

/* Seen last a second ago, 5/2/4, heard `silent` ms before now. */
static struct hf_known last_seen(uint32_t silent, uint32_t timeout)
{
	return (struct hf_known){
		.heard_ms = NOW - silent,
		.last = { .segments = 7,
			  .record = { .state = HF_ESTABLISHED,
				      .flags = HF_RECORD_FULL,
				      .silent_ms = silent - 1000,
				      .retries2 = 15,
				      .settings = { 1, 5, 2, 4, timeout } } },
	};
}

static struct hf_diag_socket final(uint32_t silent, uint8_t probes, uint32_t retransmits,
				   uint32_t segments)
{
	return (struct hf_diag_socket){
		.segments = segments,
		.record = { .state = HF_CLOSE,
			    .silent_ms = silent,
			    .unanswered = probes,
			    .retransmits = retransmits },
	};
}

static void test_one_that_was_heard_and_is_gone_under_its_program_is_no_certain_reset(void **state)
{
	struct hf_known known = last_seen(5000, 0);
	struct hf_diag_socket socket = final(200, 0, 0, 9);

	(void)state;
	assert_int_equal(hf_known_end(&known, &socket, NOW), -ECONNRESET);
	known.last.record.state = HF_FIN_WAIT2; /* its program had shut it down */
	assert_int_equal(hf_known_end(&known, &socket, NOW), 0);
}

static void test_a_segment_that_was_no_answer_is_a_reset(void **state)
{
	struct hf_known known = last_seen(6000, 0);
	struct hf_diag_socket socket = final(6000, 1, 0, 8);

	(void)state;
	assert_int_equal(hf_known_end(&known, &socket, NOW), ECONNRESET);
	known.last.record.state = HF_CLOSE_WAIT;
	assert_int_equal(hf_known_end(&known, &socket, NOW), EPIPE);
}

static void test_the_last_probe_unanswered_is_a_timeout(void **state)
{
	struct hf_known known = last_seen(13000, 0);
	struct hf_diag_socket socket = final(13000, 4, 0, 7);

	(void)state;
	assert_int_equal(hf_known_end(&known, &socket, NOW), ETIMEDOUT);
	known.last.record.settings.user_timeout_ms = 12000; /* counts in place of the count */
	socket.record.unanswered = 1;
	assert_int_equal(hf_known_end(&known, &socket, NOW), ETIMEDOUT);
}

static void test_data_given_up_is_a_death_of_unknown_errno(void **state)
{
	struct hf_known known = last_seen(14000, 13000);
	struct hf_diag_socket socket = final(14000, 0, 5, 7);

	(void)state;
	assert_int_equal(hf_known_end(&known, &socket, NOW), -ETIMEDOUT);
	known.last.record.settings.user_timeout_ms = 0;
	socket.record.retransmits = 15;
	assert_int_equal(hf_known_end(&known, &socket, NOW), -ETIMEDOUT);
}

static void test_an_end_that_nothing_explains_was_made_here(void **state)
{
	struct hf_known known = last_seen(6000, 13000);
	struct hf_diag_socket socket = final(6000, 1, 0, 7);

	(void)state;
	assert_int_equal(hf_known_end(&known, &socket, NOW), ECONNABORTED);
	known.last.record.state = HF_FIN_WAIT1; /* its program had closed it */
	assert_int_equal(hf_known_end(&known, &socket, NOW), 0);
}

static void test_without_a_last_look_only_a_time_run_out_is_a_death(void **state)
{
	struct hf_known known = last_seen(12990, 0);

	(void)state;
	assert_int_equal(hf_known_end_let_go(&known, NOW), 0);
	known.last.record.unanswered = 3;
	assert_int_equal(hf_known_end_let_go(&known, NOW), -ETIMEDOUT);
	known.heard_ms += 1000;
	assert_int_equal(hf_known_end_let_go(&known, NOW), 0);
	known.last.record.flags |=
		HF_RECORD_HIDDEN; /* its settings, and so its times, are unknown */
	known.heard_ms = 0;
	assert_int_equal(hf_known_end_let_go(&known, NOW), 0);
}

static void test_one_let_go_of_after_its_last_probe_is_a_certain_timeout(void **state)
{
	struct hf_known known = last_seen(13000, 0);
	struct hf_diag_socket socket = final(12500, 4, 0, 7); /* half a second ago */

	(void)state;
	known.final = &socket;
	assert_int_equal(hf_known_end_let_go(&known, NOW), ETIMEDOUT);
	known.last.record.state = HF_FIN_WAIT1; /* its program had closed it */
	assert_int_equal(hf_known_end_let_go(&known, NOW), 0);
}

static void test_one_let_go_of_with_data_given_up_is_a_death_of_unknown_errno(void **state)
{
	struct hf_known known = last_seen(14000, 13000);
	struct hf_diag_socket socket = final(13500, 0, 5, 7);

	(void)state;
	known.final = &socket;
	assert_int_equal(hf_known_end_let_go(&known, NOW), -ETIMEDOUT);
}

static void test_one_let_go_of_after_what_was_not_heard_is_most_likely_reset(void **state)
{
	struct hf_known known = last_seen(6000, 0);
	struct hf_diag_socket socket = final(5500, 1, 0, 8);

	(void)state;
	known.final = &socket;
	assert_int_equal(hf_known_end_let_go(&known, NOW), -ECONNRESET);
	socket.segments = 7; /* nothing came: its program closed it */
	assert_int_equal(hf_known_end_let_go(&known, NOW), 0);
}

static void test_one_let_go_of_after_it_may_have_been_heard_is_closed(void **state)
{
	struct hf_known known = last_seen(1500, 0);
	struct hf_diag_socket socket = final(900, 0, 0, 9); /* since the last look, or before it */

	(void)state;
	known.final = &socket;
	assert_int_equal(hf_known_end_let_go(&known, NOW), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_one_that_was_heard_and_is_gone_under_its_program_is_no_certain_reset),
		cmocka_unit_test(test_a_segment_that_was_no_answer_is_a_reset),
		cmocka_unit_test(test_the_last_probe_unanswered_is_a_timeout),
		cmocka_unit_test(test_data_given_up_is_a_death_of_unknown_errno),
		cmocka_unit_test(test_an_end_that_nothing_explains_was_made_here),
		cmocka_unit_test(test_without_a_last_look_only_a_time_run_out_is_a_death),
		cmocka_unit_test(test_one_let_go_of_after_its_last_probe_is_a_certain_timeout),
		cmocka_unit_test(test_one_let_go_of_with_data_given_up_is_a_death_of_unknown_errno),
		cmocka_unit_test(test_one_let_go_of_after_what_was_not_heard_is_most_likely_reset),
		cmocka_unit_test(test_one_let_go_of_after_it_may_have_been_heard_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
