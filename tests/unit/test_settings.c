/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <holdfast/settings.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct hf_goals two_minutes = { .dead_within_ms = 120000 };
static const struct hf_settings ours = { 1, 53, 5, 9, 0 };

static struct hf_settings set_of(uint32_t idle, uint32_t interval, uint32_t count,
				 uint32_t user_timeout_ms)
{
	struct hf_settings set = { 1, idle, interval, count, user_timeout_ms };

	return set;
}

static struct hf_bounds bounds_of(struct hf_settings set, const struct hf_retransmission *rtx)
{
	struct hf_bounds bounds;

	hf_settings_bounds(&set, rtx, &bounds);
	return bounds;
}

static void assert_set(const struct hf_settings *set, uint32_t idle, uint32_t interval,
		       uint32_t count)
{
	if (set->idle != idle || set->interval != interval || set->count != count)
		fail_msg("%u/%u/%u instead of %u/%u/%u", set->idle, set->interval, set->count, idle,
			 interval, count);
	assert_int_equal(set->keepalive, 1);
}

/* The goals, what is given, and the set that comes of them. */
struct derivation {
	struct hf_goals goals;
	struct hf_settings given;
	enum hf_derivation result;
	uint32_t idle, interval, count;
};

static void check_derivation(const struct derivation *expected)
{
	struct hf_settings untouched, set;

	memset(&untouched, 0xa5, sizeof(untouched));
	set = untouched;
	assert_int_equal(hf_settings_derive(&expected->goals, &expected->given, 0, &set),
			 expected->result);
	if (expected->result > HF_DERIVED_ONE_LOSS) {
		assert_memory_equal(&set, &untouched, sizeof(set));
		return;
	}
	assert_set(&set, expected->idle, expected->interval, expected->count);
	assert_int_equal(set.user_timeout_ms, expected->given.user_timeout_ms);
}

static void dead_within_alone_gives_half_to_idle_and_half_to_nine_probes(void **state)
{
	static const struct derivation cases[] = {
		{ { 120000, 0 }, { 0 }, HF_DERIVED, 53, 5, 9 },
		{ { 30000, 0 }, { 0 }, HF_DERIVED, 13, 1, 9 },
		{ { 7200000, 0 }, { 0 }, HF_DERIVED, 3200, 355, 9 },
		{ { 0, 0 }, { 0 }, HF_DERIVED, 53, 5, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void short_goals_get_fewer_probes_but_never_below_three(void **state)
{
	static const struct derivation cases[] = {
		{ { 10000, 0 }, { 0 }, HF_DERIVED, 4, 1, 4 },
		{ { 5000, 0 }, { 0 }, HF_DERIVED, 1, 1, 3 },
		{ { 4500, 0 }, { 0 }, HF_DERIVED, 1, 1, 3 },
		{ { 4499, 0 }, { 0 }, HF_DEAD_WITHIN_TOO_SHORT, 0, 0, 0 },
		{ { 1, 0 }, { 0 }, HF_DEAD_WITHIN_TOO_SHORT, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void keep_open_shortens_idle_and_interval(void **state)
{
	static const struct derivation cases[] = {
		{ { 120000, 350000 }, { 0 }, HF_DERIVED, 53, 5, 9 },
		{ { 120000, 60000 }, { 0 }, HF_DERIVED, 42, 5, 9 },
		{ { 7200000, 350000 }, { 0 }, HF_DERIVED, 248, 31, 9 },
		{ { 10000, 6000 }, { 0 }, HF_DERIVED, 2, 1, 6 },
		{ { 0, 350000 }, { 0 }, HF_DERIVED, 248, 31, 9 },
		{ { 0, 4375 }, { 0 }, HF_DERIVED, 1, 1, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void where_seconds_leave_no_room_one_loss_is_survived_and_said(void **state)
{
	static const struct derivation cases[] = {
		{ { 0, 4374 }, { 0 }, HF_DERIVED_ONE_LOSS, 1, 1, 9 },
		{ { 4500, 3250 }, { 0 }, HF_DERIVED_ONE_LOSS, 1, 1, 3 },
		{ { 4500, 3249 }, { 0 }, HF_KEEP_OPEN_TOO_SHORT, 0, 0, 0 },
		{ { 0, 1 }, { 0 }, HF_KEEP_OPEN_TOO_SHORT, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void the_largest_goals_end_at_what_tcp_takes(void **state)
{
	static const struct derivation cases[] = {
		{ { HF_GOAL_MAX, 0 }, { 0 }, HF_DERIVED, 32767, 32767, 9 },
		{ { 0, HF_GOAL_MAX }, { 0 }, HF_DERIVED, 32767, 32767, 9 },
		{ { HF_GOAL_MAX, HF_GOAL_MAX }, { 0 }, HF_DERIVED, 32767, 32767, 9 },
		{ { UINT32_MAX, UINT32_MAX }, { 0 }, HF_DERIVED, 32767, 32767, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void given_values_stay_and_the_open_ones_go_with_them(void **state)
{
	static const struct derivation cases[] = {
		{ { 120000, 0 }, { 0, 100, 0, 0, 0 }, HF_DERIVED, 100, 1, 6 },
		{ { 120000, 0 }, { 0, 10, 0, 0, 0 }, HF_DERIVED, 10, 10, 9 },
		{ { 120000, 0 }, { 0, 0, 30, 0, 0 }, HF_DERIVED, 16, 30, 3 },
		{ { 120000, 0 }, { 0, 0, 1, 0, 0 }, HF_DERIVED, 53, 1, 9 },
		{ { 120000, 0 }, { 0, 0, 0, 20, 0 }, HF_DERIVED, 53, 2, 20 },
		{ { 120000, 0 }, { 0, 0, 0, 1, 0 }, HF_DERIVED, 53, 53, 1 },
		{ { 120000, 0 }, { 0, 60, 10, 0, 0 }, HF_DERIVED, 60, 10, 4 },
		{ { 120000, 0 }, { 0, 60, 11, 4, 0 }, HF_DERIVED, 60, 11, 4 },
		{ { 120000, 60000 }, { 0, 50, 0, 0, 0 }, HF_DERIVED, 50, 1, 9 },
		{ { 0, 60000 }, { 0, 0, 20, 0, 0 }, HF_DERIVED, 12, 20, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void given_values_without_goals_replace_the_default_ones(void **state)
{
	static const struct derivation cases[] = {
		{ { 0, 0 }, { 0, 600, 0, 0, 0 }, HF_DERIVED, 600, 5, 9 },
		{ { 0, 0 }, { 0, 0, 60, 0, 0 }, HF_DERIVED, 53, 60, 9 },
		{ { 0, 0 }, { 0, 0, 0, 3, 0 }, HF_DERIVED, 53, 5, 3 },
		{ { 0, 0 }, { 0, 32767, 32767, 127, 0 }, HF_DERIVED, 32767, 32767, 127 },
		{ { 0, 0 }, { 0, 0, 0, 0, 600000 }, HF_DERIVED, 300, 33, 9 },
		{ { 0, 0 }, { 0, 0, 0, 0, 30000 }, HF_DERIVED, 15, 1, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void given_values_that_break_a_goal_are_an_error(void **state)
{
	static const struct derivation cases[] = {
		{ { 120000, 0 }, { 0, 104, 0, 0, 0 }, HF_GIVEN_BREAKS_DEAD_WITHIN, 0, 0, 0 },
		{ { 120000, 0 }, { 0, 0, 36, 0, 0 }, HF_GIVEN_BREAKS_DEAD_WITHIN, 0, 0, 0 },
		{ { 120000, 0 }, { 0, 0, 0, 106, 0 }, HF_GIVEN_BREAKS_DEAD_WITHIN, 0, 0, 0 },
		{ { 120000, 0 }, { 0, 60, 12, 4, 0 }, HF_GIVEN_BREAKS_DEAD_WITHIN, 0, 0, 0 },
		{ { 120000, 0 }, { 0, 0, 0, 0, 106001 }, HF_GIVEN_BREAKS_DEAD_WITHIN, 0, 0, 0 },
		{ { 0, 60000 }, { 0, 51, 0, 0, 0 }, HF_GIVEN_BREAKS_KEEP_OPEN, 0, 0, 0 },
		{ { 0, 60000 }, { 0, 0, 26, 0, 0 }, HF_GIVEN_BREAKS_KEEP_OPEN, 0, 0, 0 },
		{ { 0, 3250 }, { 0, 2, 0, 0, 0 }, HF_GIVEN_BREAKS_KEEP_OPEN, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void given_values_must_be_what_tcp_takes(void **state)
{
	static const struct derivation cases[] = {
		{ { 0, 0 }, { 0, 32768, 0, 0, 0 }, HF_GIVEN_OUT_OF_RANGE, 0, 0, 0 },
		{ { 0, 0 }, { 0, 0, 32768, 0, 0 }, HF_GIVEN_OUT_OF_RANGE, 0, 0, 0 },
		{ { 0, 0 }, { 0, 0, 0, 128, 0 }, HF_GIVEN_OUT_OF_RANGE, 0, 0, 0 },
		{ { 0, 0 }, { 0, 0, 0, 0, 2147483648u }, HF_GIVEN_OUT_OF_RANGE, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void a_given_user_timeout_leaves_time_for_three_probes(void **state)
{
	static const struct derivation cases[] = {
		{ { 0, 0 }, { 0, 0, 0, 0, 3001 }, HF_DERIVED, 1, 1, 3 },
		{ { 0, 0 }, { 0, 0, 0, 0, 3000 }, HF_GIVEN_BREAKS_USER_TIMEOUT, 0, 0, 0 },
		{ { 0, 0 }, { 0, 60, 0, 0, 62000 }, HF_GIVEN_BREAKS_USER_TIMEOUT, 0, 0, 0 },
		{ { 0, 0 }, { 0, 60, 0, 0, 62001 }, HF_DERIVED, 60, 1, 3 },
		{ { 120000, 0 }, { 0, 0, 0, 0, 100000 }, HF_DERIVED, 50, 5, 9 },
		{ { 120000, 0 }, { 0, 0, 0, 0, 106000 }, HF_DERIVED, 53, 1, 9 },
		{ { 120000, 0 }, { 0, 51, 0, 0, 105500 }, HF_DERIVED, 51, 1, 9 },
		{ { 120000, 60000 }, { 0, 0, 0, 0, 20000 }, HF_DERIVED, 10, 1, 9 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_derivation(&cases[i]);
}

static void idle_max_caps_idle(void **state)
{
	struct hf_settings set, given = { .idle = 11 };

	(void)state;
	assert_int_equal(hf_settings_derive(&two_minutes, NULL, 10, &set), HF_DERIVED);
	assert_set(&set, 10, 10, 9);
	assert_int_equal(hf_settings_derive(&two_minutes, NULL, 54, &set), HF_DERIVED);
	assert_set(&set, 53, 5, 9);
	assert_int_equal(hf_settings_derive(&two_minutes, &given, 10, &set), HF_GIVEN_OUT_OF_RANGE);
}

static void idle_bounds_are_the_worst_case_of_late_timers(void **state)
{
	struct hf_bounds bounds = bounds_of(ours, NULL);

	(void)state;
	assert_int_equal(bounds.idle_ms, 98 * 1125);
	assert_int_equal(bounds.keep_open_ms, 63 * 1125);
	assert_int_equal(bounds.keep_open_one_ms, 58 * 1125);
	assert_int_equal(bounds.outage_idle_ms, 40000);
	bounds = bounds_of(set_of(7200, 75, 9, 0), NULL);
	assert_int_equal(bounds.idle_ms, 7875 * 1125);
}

static void without_keepalive_nothing_bounds_an_idle_connection(void **state)
{
	struct hf_settings off = { 0, 7200, 75, 9, 5000 };
	struct hf_bounds bounds = bounds_of(off, NULL);

	(void)state;
	assert_true(bounds.idle_ms == HF_UNBOUNDED);
	assert_true(bounds.keep_open_ms == HF_UNBOUNDED);
	assert_true(bounds.keep_open_one_ms == HF_UNBOUNDED);
	assert_true(bounds.outage_idle_ms == HF_UNBOUNDED);
	assert_true(bounds.in_flight_ms < 6000);
}

static void a_user_timeout_replaces_the_count(void **state)
{
	(void)state;
	/* The sets that SEMANTICS 4 measured: ~5 s, ~7 s, ~5 s. */
	assert_int_equal(bounds_of(set_of(2, 3, 2, 4000), NULL).idle_ms, 5 * 1125);
	assert_int_equal(bounds_of(set_of(2, 1, 2, 6500), NULL).idle_ms, 7 * 1125);
	assert_int_equal(bounds_of(set_of(4, 1, 9, 1000), NULL).idle_ms, 5 * 1125);
	/* One probe, or none after the first: no outage is ridden out. */
	assert_int_equal(bounds_of(set_of(4, 1, 9, 1000), NULL).outage_idle_ms, 0);
	/* 98 s hold nine probes of timers on time, seven of late ones. */
	assert_int_equal(bounds_of(set_of(53, 5, 9, 98000), NULL).outage_idle_ms, 30000);
}

static void in_flight_the_retransmissions_decide(void **state)
{
	struct hf_retransmission rtx = { .rto_ms = 200, .retries = 15 };

	(void)state;
	/* Two RTO, 924.6 s for tcp_retries2 = 15, one timer of 120 s; timers an eighth late. */
	assert_int_equal(bounds_of(ours, NULL).in_flight_ms, 450 + 924600 + 135000);
	assert_int_equal(bounds_of(ours, &rtx).in_flight_ms, 450 + 924600 + 135000);
	rtx.retries = 9;
	assert_int_equal(bounds_of(ours, &rtx).in_flight_ms, 450 + 204600 + 135000);
	rtx.retries = 255;
	assert_int_equal(bounds_of(ours, &rtx).in_flight_ms, 450 + 29724600 + 135000);
	/* Few doublings do not reach the longest timer. */
	rtx.retries = 3;
	assert_int_equal(bounds_of(ours, &rtx).in_flight_ms, 450 + 3000 + 3400 * 9 / 8);
}

static void in_flight_the_smaller_of_user_timeout_and_arming_decides(void **state)
{
	struct hf_retransmission rtx = { .rto_ms = 200, .retries = 15 };

	(void)state;
	assert_int_equal(bounds_of(set_of(53, 5, 9, 80000), &rtx).in_flight_ms,
			 450 + 80000 + 80000 / 16 + 200 / 8);
	rtx.armed_by_ms = 60000;
	assert_int_equal(bounds_of(set_of(53, 5, 9, 80000), &rtx).in_flight_ms, 60000);
	assert_int_equal(bounds_of(ours, &rtx).in_flight_ms, 60000);
	rtx.armed_by_ms = 120000;
	assert_true(bounds_of(set_of(53, 5, 9, 80000), &rtx).in_flight_ms < 86000);
	/* Too large an RTO for the goal: the third that is granted comes late. */
	rtx.rto_ms = 60000;
	assert_int_equal(bounds_of(ours, &rtx).in_flight_ms, 135000 + 40000);
}

static void armed_or_not_the_goal_is_kept(void **state)
{
	struct hf_retransmission armed = { .rto_ms = 200, .armed_by_ms = 120000 };
	struct hf_retransmission alone = { .rto_ms = 200 };

	(void)state;
	for (uint32_t retries = 0; retries <= 30; retries++) {
		struct hf_bounds with, without;

		armed.retries = alone.retries = retries;
		with = bounds_of(ours, &armed);
		without = bounds_of(ours, &alone);
		/* tcp_retries2 = 8 is 102.2 s, and at the first timer after that 217.6 s. */
		assert_int_equal(with.in_flight_ms, retries > 7 ? 120000 : without.in_flight_ms);
		assert_true(with.outage_in_flight_ms <= without.outage_in_flight_ms);
	}
	/* It has no say where a user timeout stands: that one is shortened as ever. */
	armed.retries = 3;
	assert_int_equal(bounds_of(set_of(53, 5, 9, 600000), &armed).in_flight_ms, 120000);
}

static void in_flight_about_half_of_what_is_granted_is_ridden_out(void **state)
{
	struct hf_retransmission rtx = { .rto_ms = 200, .retries = 15 };
	struct hf_settings off = { 0, 53, 5, 9, 0 };

	(void)state;
	/* (8 U - 9 RTO) / 17, or 135 s less than U where the longest RTO is less than that. */
	assert_int_equal(bounds_of(set_of(53, 5, 9, 80000), &rtx).outage_in_flight_ms, 37541);
	assert_int_equal(bounds_of(ours, &rtx).outage_in_flight_ms, 924600 - 135000);
	/* Armed after 53 s and two RTO, an eighth late; the share where nothing ends a silence. */
	rtx.armed_by_ms = 120000;
	assert_int_equal(bounds_of(ours, &rtx).outage_in_flight_ms, (8 * 53266 - 1800) / 17);
	assert_int_equal(bounds_of(off, &rtx).outage_in_flight_ms, (8 * 35377 - 1800) / 17);
	/* Where what is left is more than 51 s, these are armed. */
	rtx.retries = 7;
	assert_int_equal(bounds_of(ours, &rtx).outage_in_flight_ms, (8 * 51000 - 1800) / 17);
	/* Too short for a second retransmission. */
	assert_int_equal(bounds_of(set_of(53, 5, 9, 225), &rtx).outage_in_flight_ms, 0);
}

static void the_fixed_user_timeout_is_the_whole_set(void **state)
{
	struct hf_settings largest = set_of(32767, 32767, 127, 0);

	(void)state;
	assert_int_equal(hf_settings_user_timeout(&ours), 98000);
	assert_int_equal(hf_settings_user_timeout(&largest), HF_GOAL_MAX);
}

static void goals_are_met_to_the_millisecond(void **state)
{
	struct hf_settings set = set_of(53, 5, 9, 0);
	struct hf_goals goals = { .dead_within_ms = 98 * 1125 };

	(void)state;
	assert_true(hf_settings_meet(&set, &goals));
	goals.dead_within_ms--;
	assert_false(hf_settings_meet(&set, &goals));
	goals.dead_within_ms = 0;
	goals.keep_open_ms = 63 * 1125 + 1000;
	assert_true(hf_settings_meet(&set, &goals));
	goals.keep_open_ms--;
	assert_false(hf_settings_meet(&set, &goals));
	set.keepalive = 0;
	assert_false(hf_settings_meet(&set, &two_minutes));
	assert_false(hf_settings_meet(&set, NULL));
}

static void no_bound_may_be_longer(void **state)
{
	static const struct hf_settings off = { 0, 1, 1, 1, 0 };
	static const struct hf_settings longer[] = {
		{ 1, 54, 4, 9, 0 },  /* first probe */
		{ 1, 53, 6, 7, 0 },  /* keep open */
		{ 1, 53, 5, 10, 0 }, /* death */
		{ 1, 53, 5, 9, 98001 },
	};

	(void)state;
	assert_true(hf_settings_no_weaker(&ours, &ours));
	assert_true(hf_settings_no_weaker(&ours, &off));
	assert_true(hf_settings_no_weaker(&off, &off));
	assert_false(hf_settings_no_weaker(&off, &ours));
	for (size_t i = 0; i < COUNT(longer); i++)
		assert_false(hf_settings_no_weaker(&longer[i], &ours));
}

static void spread_reaches_down_to_a_quarter(void **state)
{
	(void)state;
	assert_int_equal(hf_settings_spread(1, UINT32_MAX), 1);
	assert_int_equal(hf_settings_spread(2, 0), 2);
	assert_int_equal(hf_settings_spread(2, UINT32_MAX), 1);
	assert_int_equal(hf_settings_spread(53, 0), 53);
	assert_int_equal(hf_settings_spread(53, UINT32_MAX), 14);
	assert_int_equal(hf_settings_spread(32767, UINT32_MAX), 8192);
}

static void jitter_is_up_to_a_tenth_where_that_is_a_second(void **state)
{
	(void)state;
	assert_int_equal(hf_settings_jitter(9, UINT32_MAX), 9);
	assert_int_equal(hf_settings_jitter(53, 0), 53);
	assert_int_equal(hf_settings_jitter(1000, UINT32_MAX), 901);
	assert_int_equal(hf_settings_jitter(1000, 1u << 31), 950);
	assert_int_equal(hf_settings_jitter(32767, UINT32_MAX), 32767 - 3276);
}

static void the_audit_tells_unprotected_slow_and_protected(void **state)
{
	struct hf_retransmission armed = { .rto_ms = 200, .retries = 15, .armed_by_ms = 120000 };
	struct hf_goals both = { .dead_within_ms = 120000, .keep_open_ms = 60000 };
	struct hf_goals open = { .keep_open_ms = 60000 };
	struct hf_settings off = { .idle = 1, .interval = 1, .count = 3 };
	struct hf_settings in_time = set_of(40, 2, 9, 0), first_only = set_of(52, 2, 9, 0);
	struct hf_settings late = set_of(53, 1, 9, 0), distribution = set_of(7200, 75, 9, 0);

	(void)state;
	assert_int_equal(hf_settings_audit(&off, NULL, &armed), HF_UNPROTECTED);
	assert_int_equal(hf_settings_audit(&late, &both, &armed), HF_UNPROTECTED);
	assert_int_equal(hf_settings_audit(&first_only, &both, &armed), HF_SLOW);
	assert_int_equal(hf_settings_audit(&in_time, &both, &armed), HF_PROTECTED);
	assert_int_equal(hf_settings_audit(&distribution, NULL, &armed), HF_SLOW);
	assert_int_equal(hf_settings_audit(&ours, NULL, &armed), HF_PROTECTED);
	armed.retries = 8; /* 102.2 s, if not armed at the next timer: 217.6 s */
	assert_int_equal(hf_settings_audit(&ours, NULL, &armed), HF_PROTECTED);
	/* Nobody arms: data in flight wait a quarter of an hour. */
	assert_int_equal(hf_settings_audit(&ours, NULL, NULL), HF_SLOW);
	assert_int_equal(hf_settings_audit(&in_time, &open, NULL), HF_PROTECTED);
	in_time.user_timeout_ms = 58000;
	assert_int_equal(hf_settings_audit(&in_time, &both, NULL), HF_PROTECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_within_alone_gives_half_to_idle_and_half_to_nine_probes),
		cmocka_unit_test(short_goals_get_fewer_probes_but_never_below_three),
		cmocka_unit_test(keep_open_shortens_idle_and_interval),
		cmocka_unit_test(where_seconds_leave_no_room_one_loss_is_survived_and_said),
		cmocka_unit_test(the_largest_goals_end_at_what_tcp_takes),
		cmocka_unit_test(given_values_stay_and_the_open_ones_go_with_them),
		cmocka_unit_test(given_values_without_goals_replace_the_default_ones),
		cmocka_unit_test(given_values_that_break_a_goal_are_an_error),
		cmocka_unit_test(given_values_must_be_what_tcp_takes),
		cmocka_unit_test(a_given_user_timeout_leaves_time_for_three_probes),
		cmocka_unit_test(idle_max_caps_idle),
		cmocka_unit_test(idle_bounds_are_the_worst_case_of_late_timers),
		cmocka_unit_test(without_keepalive_nothing_bounds_an_idle_connection),
		cmocka_unit_test(a_user_timeout_replaces_the_count),
		cmocka_unit_test(in_flight_the_retransmissions_decide),
		cmocka_unit_test(in_flight_the_smaller_of_user_timeout_and_arming_decides),
		cmocka_unit_test(armed_or_not_the_goal_is_kept),
		cmocka_unit_test(in_flight_about_half_of_what_is_granted_is_ridden_out),
		cmocka_unit_test(the_fixed_user_timeout_is_the_whole_set),
		cmocka_unit_test(goals_are_met_to_the_millisecond),
		cmocka_unit_test(no_bound_may_be_longer),
		cmocka_unit_test(spread_reaches_down_to_a_quarter),
		cmocka_unit_test(jitter_is_up_to_a_tenth_where_that_is_a_second),
		cmocka_unit_test(the_audit_tells_unprotected_slow_and_protected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
