/* SPDX-License-Identifier: BSD-2-Clause */
/* What user timeout is armed while data is in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <holdfast/settings.h>

static uint32_t arm(uint32_t dead_within_ms, uint64_t silent_ms, uint32_t rto_ms, uint32_t retries)
{
	struct hf_retransmission rtx = { .rto_ms = rto_ms, .retries = retries };

	return hf_settings_arm(dead_within_ms, silent_ms, &rtx);
}

static void arming_grants_what_is_left_but_a_share_at_least(void **state)
{
	(void)state;
	assert_int_equal(arm(120000, 0, 300, 15), 106666);
	assert_int_equal(arm(120000, 30000, 300, 15), 80000);
	/* A third less one RTO, and that less an eighth. */
	assert_int_equal(arm(120000, 80300, 300, 15), 35288);
	assert_int_equal(arm(120000, 80301, 300, 15), 35288);
	assert_int_equal(arm(120000, UINT64_MAX, 300, 15), 35288);
	/* At least one RTO, at most a third. */
	assert_int_equal(arm(120000, UINT64_MAX, 20000, 15), 17777);
	assert_int_equal(arm(120000, UINT64_MAX, 30000, 15), 26666);
	assert_int_equal(arm(120000, UINT64_MAX, 40000, 15), 35555);
	assert_int_equal(arm(120000, UINT64_MAX, 120000, 15), 35555);
	assert_int_equal(arm(UINT32_MAX, 0, 300, UINT32_MAX), INT32_MAX);
	assert_int_equal(arm(0, 0, 300, 15), 1);
	assert_int_equal(arm(3, UINT64_MAX, 300, 15), 1);
}

static void arming_leaves_an_answer_two_round_trips(void **state)
{
	struct hf_retransmission slow = { .rto_ms = 2000, .rtt_ms = 10, .retries = 15 };

	(void)state;
	/* D/3 - RTO = 1 s is time enough where an answer takes 10 ms, not where it takes 900 ms. */
	assert_int_equal(hf_settings_arm(9000, 9000, &slow), 888);
	slow.rtt_ms = 900;
	assert_int_equal(hf_settings_arm(9000, 9000, &slow), 1600);
	slow.rtt_ms = 5000;
	assert_int_equal(hf_settings_arm(9000, 9000, &slow), 2666);
}

static void arming_never_exceeds_the_kernels_limit(void **state)
{
	(void)state;
	/* tcp_retries2 = 8 is 102.2 s, 9 is 204.6 s. */
	assert_int_equal(arm(120000, 0, 200, 9), 106666);
	assert_int_equal(arm(120000, 0, 200, 8), 102200);
	assert_int_equal(arm(120000, 10000, 200, 8), 97777);
	assert_int_equal(arm(230174, 0, 200, 9), 204599);
	assert_int_equal(arm(230175, 0, 200, 9), 204600);
	/* 1524.6 s: less is armed though the kernel ends in time, or a later write would lose more. */
	assert_int_equal(arm(1700000, 0, 200, 20), 1511111);
	assert_int_equal(arm(0, 0, 200, 0), 1);
}

static void nothing_is_armed_where_the_kernel_by_itself_ends_in_time(void **state)
{
	(void)state;
	/* tcp_retries2 = 5 is 12.6 s, and one more timer: of up to 12.6 s and 2 RTO, an eighth late. */
	assert_int_equal(arm(16000, 800, 400, 5), 12600);
	assert_int_equal(arm(27674, 0, 400, 5), 12600);
	assert_int_equal(arm(27675, 0, 400, 5), 0);
	assert_int_equal(arm(27675, 1, 400, 5), 12600);
	/* 924.6 s, and one timer of 120 s, an eighth late. */
	assert_int_equal(arm(1059599, 0, 200, 15), 924600);
	assert_int_equal(arm(1059600, 0, 200, 15), 0);
	/* What is left to a late write: 39.8 s. */
	assert_int_equal(arm(120000, UINT64_MAX, 200, 7), 35377);
	assert_int_equal(arm(120000, UINT64_MAX, 200, 6), 25400);
	assert_int_equal(arm(120000, UINT64_MAX, 200, 5), 0);
}

static void arming_late_counts_from_the_first_retransmission(void **state)
{
	struct hf_retransmission rtx = { .rto_ms = 200, .rtt_ms = 1, .retries = 15 };
	uint32_t at_once = hf_settings_arm(9000, 0, &rtx);

	(void)state;
	rtx.since_ms = 3000;
	assert_int_equal(hf_settings_arm(9000, 0, &rtx), at_once + 3000);
	rtx.retries = 5; /* 12.6 s by itself */
	assert_int_equal(hf_settings_arm(9000, 0, &rtx), at_once + 3000);
	rtx.since_ms = 6000;
	assert_int_equal(hf_settings_arm(9000, 0, &rtx), 12600);
	rtx.retries = 3; /* 3 s by itself, 6.825 s at the latest */
	assert_int_equal(hf_settings_arm(9000, 0, &rtx), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arming_grants_what_is_left_but_a_share_at_least),
		cmocka_unit_test(arming_leaves_an_answer_two_round_trips),
		cmocka_unit_test(arming_never_exceeds_the_kernels_limit),
		cmocka_unit_test(nothing_is_armed_where_the_kernel_by_itself_ends_in_time),
		cmocka_unit_test(arming_late_counts_from_the_first_retransmission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
