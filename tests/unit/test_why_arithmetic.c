/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/why_arithmetic.h"

#define ROUNDS 200000

static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % limit;
}

/* Small values often, as people set them. */
static uint32_t some(uint32_t most)
{
	return 1 + below(below(2) ? most : most < 60 ? most : 60);
}

static struct hf_settings random_settings(void)
{
	return (struct hf_settings){
		.keepalive = below(8) > 0,
		.idle = some(HF_IDLE_MAX),
		.interval = some(HF_INTERVAL_MAX),
		.count = some(HF_COUNT_MAX),
		.user_timeout_ms = below(2) ? some(1000000) : 0,
	};
}

static struct hf_retransmission random_retransmission(void)
{
	return (struct hf_retransmission){
		.rto_ms = HF_RTO_MIN + below(below(4) ? 300 : HF_RTO_MAX - HF_RTO_MIN),
		.retries = below(20),
		.armed_by_ms = below(2) ? HF_DEAD_WITHIN_MIN + below(200000) : 0,
	};
}

static void assert_last_timer(const struct hf_in_flight *parts, uint32_t rto_ms)
{
	uint64_t wait = parts->limit_ms + 2ull * rto_ms;

	if (parts->by == HF_ENDED_BY_RETRANSMISSIONS)
		assert_int_equal(parts->last_ms, (wait < HF_RTO_MAX ? wait : HF_RTO_MAX) * 9 / 8);
	else if (parts->by == HF_ENDED_BY_USER_TIMEOUT)
		assert_true(parts->last_ms <= parts->limit_ms / 8);
	else
		assert_int_equal(parts->last_ms, 0);
}

static void test_the_parts_are_the_bound_in_flight(void **unused)
{
	unsigned int seen[4] = { 0 };

	(void)unused;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct hf_retransmission rtx = random_retransmission();
		struct hf_settings settings = random_settings();
		struct hf_in_flight parts = hf_in_flight_split(&settings, &rtx);
		struct hf_bounds bounds;

		hf_settings_bounds(&settings, &rtx, &bounds);
		assert_int_equal(parts.first_ms + parts.limit_ms + parts.last_ms,
				 bounds.in_flight_ms);
		assert_last_timer(&parts, rtx.rto_ms);
		seen[parts.by]++;
	}
	for (unsigned int by = 0; by < 4; by++)
		assert_true(seen[by] > ROUNDS / 1000);
}

static void test_probes_make_the_bound_of_an_idle_connection(void **unused)
{
	(void)unused;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct hf_settings settings = random_settings();
		uint64_t seconds;
		struct hf_bounds bounds;

		settings.keepalive = 1;
		hf_settings_bounds(&settings, NULL, &bounds);
		seconds = settings.idle + hf_probes_until_death(&settings) * settings.interval;
		assert_int_equal(seconds * 1125, bounds.idle_ms);
		if (!settings.user_timeout_ms)
			assert_int_equal(hf_probes_until_death(&settings), settings.count);
	}
}

static void test_all_texts_fit(void **unused)
{
	struct hf_retransmission rtx = { HF_RTO_MAX, 0, 255, 0, 0 };
	struct hf_settings settings = { 1, HF_IDLE_MAX, HF_INTERVAL_MAX, HF_COUNT_MAX,
					HF_GOAL_MAX };
	char text[HF_ARITHMETIC];

	(void)unused;
	for (unsigned int i = 0; i < 8; i++) {
		settings.keepalive = i & 1;
		settings.user_timeout_ms = i & 2 ? HF_GOAL_MAX : 0;
		rtx.armed_by_ms = i & 4 ? HF_GOAL_MAX : 0;
		hf_arithmetic_idle(&settings, text);
		assert_in_range(strlen(text), 1, HF_ARITHMETIC - 2);
		hf_arithmetic_in_flight(&settings, &rtx, text);
		assert_in_range(strlen(text), 1, HF_ARITHMETIC - 2);
		hf_arithmetic_keep_open(&settings, text);
		assert_in_range(strlen(text), 1, HF_ARITHMETIC - 2);
		hf_arithmetic_outage(&settings, text);
		assert_in_range(strlen(text), 1, HF_ARITHMETIC - 2);
	}
}

static const struct hf_settings plain = { 1, 53, 5, 9, 0 };
static const struct hf_settings off = { 0, 7200, 75, 9, 0 };
static const struct hf_settings timed = { 1, 2, 3, 2, 4000 };

static void test_idle_is_spelled_out(void **unused)
{
	char text[HF_ARITHMETIC];

	(void)unused;
	hf_arithmetic_idle(&plain, text);
	assert_string_equal(text, "last heard + idle 53s + 9 x 5s = 98s, an eighth late: 110.25s");
	hf_arithmetic_idle(&timed, text);
	assert_string_equal(text, "last heard + idle 2s + 1 x 3s (to the user timeout 4s) = 5s, "
				  "an eighth late: 5.625s");
	hf_arithmetic_idle(&off, text);
	assert_string_equal(text, "keepalive is off: nothing asks the peer");
}

static void check_in_flight(const struct hf_settings *settings, uint32_t rto_ms,
			    uint32_t armed_by_ms, const char *expected)
{
	struct hf_retransmission rtx = { .rto_ms = rto_ms,
					 .retries = 15,
					 .armed_by_ms = armed_by_ms };
	char text[HF_ARITHMETIC];

	hf_arithmetic_in_flight(settings, &rtx, text);
	assert_string_equal(text, expected);
}

static void test_in_flight_is_spelled_out(void **unused)
{
	(void)unused;
	check_in_flight(
		&plain, 200, 0,
		"first retransmission by 2 x RTO 0.2s, an eighth late: 0.45s, + tcp_retries2 15: "
		"924.6s + the timer running then 135s = 1060.05s");
	check_in_flight(
		&timed, 200, 0,
		"first retransmission by 2 x RTO 0.2s, an eighth late: 0.45s, + user timeout 4s + "
		"the lateness of its last timer 0.275s = 4.725s");
	check_in_flight(
		&plain, 200, 60000,
		"the first unanswered retransmission is given what is left of 60s since last "
		"heard; data first written late in the silence: a third of it + RTO");
	check_in_flight(
		&plain, 4000, 6000,
		"first retransmission by 2 x RTO 4s, an eighth late: 9s, + a third of 6s: 2s = 11s");
}

static void test_the_rest_is_spelled_out(void **unused)
{
	char text[HF_ARITHMETIC];

	(void)unused;
	hf_arithmetic_keep_open(&plain, text);
	assert_string_equal(text, "idle 53s + 2 lost x 5s = 63s, an eighth late: 70.875s");
	hf_arithmetic_outage(&plain, text);
	assert_string_equal(text, "(9 - 1) probes x 5s = 40s");
	hf_arithmetic_outage(&off, text);
	assert_string_equal(text, "keepalive is off: no outage is noticed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_parts_are_the_bound_in_flight),
		cmocka_unit_test(test_probes_make_the_bound_of_an_idle_connection),
		cmocka_unit_test(test_all_texts_fit),
		cmocka_unit_test(test_idle_is_spelled_out),
		cmocka_unit_test(test_in_flight_is_spelled_out),
		cmocka_unit_test(test_the_rest_is_spelled_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
