/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Properties of the settings over the whole range of goals, given values and programs' own sets.
 *
 * What a set promises is held against a simulation of the timers of SEMANTICS, not against the
 * formulas: the keepalive timer, and the retransmission timer with and without a user timeout,
 * each timer late by up to an eighth.
 *
 * The seed is printed; HOLDFAST_SEED=N runs the same values again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include <holdfast/settings.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define TRIALS 50000
#define MONTH 2147483647u /* ms: what fits, 24.8 days */
#define NEVER UINT64_MAX

static uint64_t seed;

/* splitmix64 */
static uint64_t random_word(void)
{
	uint64_t word = seed += 0x9e3779b97f4a7c15u;

	word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
	word = (word ^ word >> 27) * 0x94d049bb133111ebu;
	return word ^ word >> 31;
}

static uint32_t between(uint32_t least, uint32_t most)
{
	return least + (uint32_t)(random_word() % ((uint64_t)most - least + 1));
}

/* As many small values as large ones. */
static uint32_t of_any_size(uint32_t least, uint32_t most)
{
	uint32_t width = (most - least) >> between(0, 31);

	return between(least, least + width);
}

static struct hf_settings any_set(void)
{
	struct hf_settings set = {
		.keepalive = 1,
		.idle = of_any_size(1, HF_IDLE_MAX),
		.interval = of_any_size(1, HF_INTERVAL_MAX),
		.count = of_any_size(1, HF_COUNT_MAX),
	};

	return set;
}

/* A user timeout that leaves room for up to 40 probes, or none. */
static struct hf_settings any_set_with_timeout(void)
{
	struct hf_settings set = any_set();

	if (between(0, 3))
		set.user_timeout_ms = of_any_size(1, (set.idle + 40 * set.interval) * 1000);
	return set;
}

static struct hf_goals any_goals(void)
{
	struct hf_goals goals = {
		.dead_within_ms = between(0, 3) ? of_any_size(HF_DEAD_WITHIN_MIN, MONTH) : 0,
		.keep_open_ms = between(0, 1) ? of_any_size(HF_KEEP_OPEN_MIN, MONTH) : 0,
	};

	return goals;
}

/* Timers: on time, an eighth late, or anything between. */
enum lateness {
	ON_TIME,
	LATE,
	MIXED,
	LATENESSES
};

static uint64_t takes(uint64_t ms, enum lateness lateness)
{
	if (lateness == ON_TIME)
		return ms;
	return ms + (lateness == LATE ? ms / 8 : random_word() % (ms / 8 + 1));
}

/* The keepalive timer against a silent peer: first and last probe, and the end. */
struct silence {
	uint64_t first, last, dead;
};

static struct silence keepalive_timer(const struct hf_settings *set, enum lateness lateness)
{
	uint64_t now = takes(set->idle * 1000ull, lateness);
	struct silence silence = { .first = now };

	for (unsigned int unanswered = 0;; unanswered++) {
		if (set->user_timeout_ms ? unanswered && now >= set->user_timeout_ms :
					   unanswered >= set->count)
			break;
		silence.last = now;
		now += takes(set->interval * 1000ull, lateness);
	}
	silence.dead = now;
	return silence;
}

/* The user timeout in force, seen from the first retransmission after so long a silence. */
static uint64_t retransmission_limit(const struct hf_settings *set,
				     const struct hf_retransmission *rtx, uint64_t silent_ms)
{
	struct hf_retransmission other = *rtx;
	uint64_t limit = set->user_timeout_ms, armed;

	if (limit)
		other.retries = UINT32_MAX;
	armed = rtx->armed_by_ms ? hf_settings_arm(rtx->armed_by_ms, silent_ms, &other) : 0;
	return armed && (!limit || armed < limit) ? armed : limit;
}

static uint64_t model_timeout(unsigned int retries)
{
	uint64_t sum = 0, rto = HF_RTO_MIN;

	for (unsigned int i = 0; i <= retries; i++) {
		sum += rto;
		rto = rto * 2 < HF_RTO_MAX ? rto * 2 : HF_RTO_MAX;
	}
	return sum;
}

/* One RTO after the write, or after the tail loss probe; that one comes within an RTO. */
static uint64_t first_retransmission(uint32_t rto_ms, enum lateness lateness)
{
	uint32_t probe = between(0, 1) ? rto_ms : between(0, rto_ms);

	return (between(0, 3) ? takes(probe, lateness) : 0) + takes(rto_ms, lateness);
}

/*
 * The retransmission timer from its first end, start after the write, into a network that heals
 * so long after the write: the time of death, or NEVER if a retransmission arrives.
 */
static uint64_t retransmission_timer(const struct hf_settings *set,
				     const struct hf_retransmission *rtx, uint64_t silent_ms,
				     uint64_t start, uint64_t heals, enum lateness lateness)
{
	uint64_t now = start, rto = rtx->rto_ms;
	uint64_t limit = retransmission_limit(set, rtx, silent_ms + start);
	uint64_t end = limit ? limit : model_timeout(rtx->retries);

	do {
		if (now >= heals)
			return NEVER;
		rto = rto * 2 < HF_RTO_MAX ? rto * 2 : HF_RTO_MAX;
		if (limit && limit - (now - start) < rto)
			now += takes(limit - (now - start), lateness);
		else
			now += takes(rto, lateness);
	} while (now - start < end);
	return now;
}

static struct hf_retransmission any_retransmission(void)
{
	struct hf_retransmission rtx = {
		.rto_ms = of_any_size(HF_RTO_MIN, HF_RTO_MAX),
		.retries = between(0, 1) ? HF_RETRIES2 : between(0, 30),
		.armed_by_ms = between(0, 1) ? of_any_size(HF_DEAD_WITHIN_MIN, MONTH) : 0,
	};

	return rtx;
}

static const char *text_of(const struct hf_settings *set)
{
	static char text[2][96];
	static unsigned int next;
	char *out = text[next++ % 2];

	snprintf(out, sizeof(text[0]), "%u/%u/%u, user timeout %u", set->idle, set->interval,
		 set->count, set->user_timeout_ms);
	return out;
}

static void assert_keeps(const struct hf_settings *set, const struct hf_goals *goals)
{
	uint32_t losses = goals->keep_open_ms < 4375 ? 1 : 2;
	uint64_t silent = (set->idle + (uint64_t)losses * set->interval) * 1125;

	for (enum lateness lateness = 0; goals->dead_within_ms && lateness < LATENESSES; lateness++)
		if (keepalive_timer(set, lateness).dead > goals->dead_within_ms)
			fail_msg("%s is dead after %u ms", text_of(set), goals->dead_within_ms);
	if (goals->keep_open_ms && silent + 1000 > goals->keep_open_ms)
		fail_msg("%s is silent for %u ms", text_of(set), goals->keep_open_ms);
}

static void check_derived(const struct hf_goals *goals)
{
	bool one_loss = goals->keep_open_ms && goals->keep_open_ms < 4375;
	struct hf_settings set;

	assert_int_equal(hf_settings_derive(goals, NULL, 0, &set),
			 one_loss ? HF_DERIVED_ONE_LOSS : HF_DERIVED);
	assert_keeps(&set, goals);
	assert_true(hf_settings_meet(&set, goals));
	assert_int_equal(set.keepalive, 1);
	assert_int_equal(set.user_timeout_ms, 0);
	assert_in_range(set.idle, 1, HF_IDLE_MAX);
	assert_in_range(set.interval, 1, HF_INTERVAL_MAX);
	assert_in_range(set.count, HF_COUNT_MIN, HF_COUNT_USUAL);
	/* Fewer probes than usual only where the interval is as short as it can be. */
	assert_true(set.count == HF_COUNT_USUAL || set.interval == 1);
}

static void every_derived_set_keeps_its_promise(void **state)
{
	static const uint32_t edges[] = { 4500,	    4501,      20250,	  120000,      73726874,
					  73726875, 368628749, 368628750, 2592000000u, UINT32_MAX };
	struct hf_goals goals = { 0 };

	(void)state;
	for (goals.dead_within_ms = 4500; goals.dead_within_ms <= 20000; goals.dead_within_ms++)
		check_derived(&goals);
	for (uint32_t ms = HF_KEEP_OPEN_MIN; ms <= 20000; ms++) {
		goals.keep_open_ms = ms;
		goals.dead_within_ms = 0;
		check_derived(&goals);
		goals.dead_within_ms = of_any_size(HF_DEAD_WITHIN_MIN, 60000);
		check_derived(&goals);
	}
	for (size_t i = 0; i < COUNT(edges) * COUNT(edges); i++) {
		goals.dead_within_ms = edges[i / COUNT(edges)];
		goals.keep_open_ms = edges[i % COUNT(edges)];
		check_derived(&goals);
	}
	for (unsigned int i = 0; i < TRIALS; i++) {
		goals = any_goals();
		check_derived(&goals);
	}
}

static void a_cap_on_idle_is_kept_and_breaks_nothing(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		uint32_t idle_max = of_any_size(1, 2 * HF_IDLE_MAX);
		struct hf_goals goals = any_goals();
		struct hf_settings set;

		assert_true(hf_settings_derive(&goals, NULL, idle_max, &set) <=
			    HF_DERIVED_ONE_LOSS);
		assert_in_range(set.idle, 1, idle_max);
		assert_keeps(&set, &goals);
	}
}

static bool is_as_given(const struct hf_settings *set, const struct hf_settings *given)
{
	return (!given->idle || set->idle == given->idle) &&
	       (!given->interval || set->interval == given->interval) &&
	       (!given->count || set->count == given->count) &&
	       set->user_timeout_ms == given->user_timeout_ms;
}

/* Each value given or open, by chance; small enough that they matter. */
static struct hf_settings any_given(uint32_t most)
{
	struct hf_settings given = { 0 };

	given.idle = between(0, 1) ? of_any_size(1, most) : 0;
	given.interval = between(0, 1) ? of_any_size(1, most) : 0;
	given.count = between(0, 1) ? of_any_size(1, 20) : 0;
	given.user_timeout_ms = between(0, 3) ? 0 : of_any_size(1, most * 1000);
	return given;
}

static void given_values_are_kept_or_refused(void **state)
{
	unsigned int refused = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_settings given = any_given(5000), set = { 0 }, before = { 0 };
		struct hf_goals goals = any_goals();

		if (hf_settings_derive(&goals, &given, 0, &set) > HF_DERIVED_ONE_LOSS) {
			assert_memory_equal(&set, &before, sizeof(set));
			refused++;
			continue;
		}
		assert_true(is_as_given(&set, &given));
		if (goals.dead_within_ms || goals.keep_open_ms)
			assert_keeps(&set, &goals);
		if (set.user_timeout_ms)
			assert_true(set.user_timeout_ms > (set.idle + 2 * set.interval) * 1000);
	}
	assert_in_range(refused, 1, TRIALS - 1);
}

static bool keeps(const struct hf_settings *set, const struct hf_goals *goals)
{
	if (set->user_timeout_ms && set->user_timeout_ms <= (set->idle + 2 * set->interval) * 1000)
		return false;
	return hf_settings_meet(set, goals);
}

/* Does any choice of the open values keep the goals? */
static bool possible(const struct hf_goals *goals, const struct hf_settings *given)
{
	const uint32_t most = 40;
	struct hf_settings set = *given;

	set.keepalive = 1;
	for (uint32_t idle = 1; idle <= most; idle++) {
		for (uint32_t interval = 1; interval <= most; interval++) {
			set.idle = given->idle ? given->idle : idle;
			set.interval = given->interval ? given->interval : interval;
			set.count = given->count ? given->count : HF_COUNT_MIN;
			if (keeps(&set, goals))
				return true;
		}
	}
	return false;
}

static void given_values_are_refused_only_where_nothing_goes_with_them(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS / 10; i++) {
		struct hf_goals goals = {
			.dead_within_ms = of_any_size(HF_DEAD_WITHIN_MIN, 40000),
			.keep_open_ms = between(0, 1) ? of_any_size(HF_KEEP_OPEN_MIN, 40000) : 0,
		};
		struct hf_settings given = any_given(30), set;

		if (hf_settings_derive(&goals, &given, 0, &set) > HF_DERIVED_ONE_LOSS &&
		    possible(&goals, &given))
			fail_msg("%s was refused for %u, %u ms", text_of(&given),
				 goals.dead_within_ms, goals.keep_open_ms);
	}
}

/* A set keeps what it promises: so there are values that go with any of its own. */
static void what_a_set_promises_is_not_refused_to_a_part_of_it(void **state)
{
	unsigned int with_timeout = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_settings part = any_set_with_timeout(), set;
		struct hf_goals goals = { 0 };
		struct hf_bounds bounds;

		part.count = part.count < HF_COUNT_MIN ? HF_COUNT_MIN : part.count;
		hf_settings_bounds(&part, NULL, &bounds);
		goals.dead_within_ms = bounds.idle_ms < MONTH ? (uint32_t)bounds.idle_ms : MONTH;
		goals.keep_open_ms = between(0, 1) ? (uint32_t)bounds.keep_open_ms + 1000 : 0;
		if (!keeps(&part, &goals))
			continue;
		part.idle *= between(0, 1);
		part.interval *= between(0, 1);
		part.count *= between(0, 1);
		if (hf_settings_derive(&goals, &part, 0, &set) > HF_DERIVED_ONE_LOSS)
			fail_msg("%s was refused for %u, %u ms", text_of(&part),
				 goals.dead_within_ms, goals.keep_open_ms);
		with_timeout += !part.idle && part.interval && part.user_timeout_ms;
	}
	assert_true(with_timeout > TRIALS / 100);
}

static void longer_goals_give_longer_bounds(void **state)
{
	static const struct hf_settings least = { 1, 1, 1, 1, 0 };
	struct hf_settings last = least, set;
	struct hf_goals goals = { 0 };

	(void)state;
	for (uint32_t ms = HF_DEAD_WITHIN_MIN; ms < MONTH / 2; ms += ms / 1000) {
		goals.dead_within_ms = ms;
		assert_int_equal(hf_settings_derive(&goals, NULL, 0, &set), HF_DERIVED);
		assert_true(hf_settings_no_weaker(&last, &set));
		last = set;
	}
	last = least;
	goals.dead_within_ms = of_any_size(HF_DEAD_WITHIN_MIN, MONTH);
	for (uint32_t ms = HF_KEEP_OPEN_MIN; ms < MONTH / 2; ms += ms / 1000) {
		goals.keep_open_ms = ms;
		assert_true(hf_settings_derive(&goals, NULL, 0, &set) <= HF_DERIVED_ONE_LOSS);
		assert_true(last.idle + 2 * last.interval <= set.idle + 2 * set.interval);
		last = set;
	}
}

static void the_timers_of_an_idle_connection_stay_within_its_bounds(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_settings set = any_set_with_timeout();
		struct silence silence = keepalive_timer(&set, i % LATENESSES);
		struct hf_bounds bounds;

		hf_settings_bounds(&set, NULL, &bounds);
		if (silence.dead > bounds.idle_ms)
			fail_msg("%s dies later than its bound", text_of(&set));
		/* Broken just before the first probe, healed just before the last one. */
		if (silence.last - silence.first < bounds.outage_idle_ms)
			fail_msg("%s dies of a shorter outage", text_of(&set));
	}
}

static void the_bounds_of_an_idle_connection_are_not_idle_talk(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_settings set = any_set();
		struct hf_bounds bounds;

		hf_settings_bounds(&set, NULL, &bounds);
		assert_int_equal(keepalive_timer(&set, LATE).dead, bounds.idle_ms);
		assert_int_equal(bounds.outage_idle_ms, (set.count - 1) * set.interval * 1000ull);
	}
}

static void data_in_flight_is_given_up_within_its_bound(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_retransmission rtx = any_retransmission();
		uint64_t start = first_retransmission(rtx.rto_ms, i % LATENESSES);
		struct hf_settings set = any_set_with_timeout();
		uint64_t silent_ms = of_any_size(0, set.idle * 1125), dead;
		struct hf_bounds bounds;

		hf_settings_bounds(&set, &rtx, &bounds);
		dead = retransmission_timer(&set, &rtx, silent_ms, start, NEVER, i % LATENESSES);
		if (dead > bounds.in_flight_ms)
			fail_msg("%s, RTO %u, armed by %u: dead after %llu, not %llu ms",
				 text_of(&set), rtx.rto_ms, rtx.armed_by_ms,
				 (unsigned long long)dead, (unsigned long long)bounds.in_flight_ms);
	}
}

/*
 * D from the last segment heard; a late write is told D/3 and one RTO after it at the latest. Of
 * an RTO that is large for the goal, the probe's and its own lateness come on top.
 */
static void armed_or_left_to_the_kernel_dead_within_is_kept(void **state)
{
	unsigned int armed = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		uint32_t goal = of_any_size(HF_DEAD_WITHIN_MIN, MONTH);
		struct hf_retransmission rtx = {
			.rto_ms = of_any_size(HF_RTO_MIN, goal / 6 < 120000 ? goal / 6 : 120000),
			.retries = between(0, 1) ? UINT16_MAX : between(0, 30),
			.armed_by_ms = goal,
		};
		uint64_t start = first_retransmission(rtx.rto_ms, i % LATENESSES);
		uint64_t silent_ms = of_any_size(0, MONTH), late, dead;
		struct hf_settings off = { 0 };

		armed += hf_settings_arm(goal, silent_ms + start, &rtx) > 0;
		dead = retransmission_timer(&off, &rtx, silent_ms, start, NEVER, i % LATENESSES);
		late = silent_ms + goal / 3 + rtx.rto_ms;
		if (rtx.rto_ms > goal / 24 && start > 2 * rtx.rto_ms)
			late += start - 2 * rtx.rto_ms;
		if (silent_ms + dead > (late > goal ? late : goal))
			fail_msg(
				"goal %u, silent for %llu, RTO %u, %u retries, first after %llu: %llu ms",
				goal, (unsigned long long)silent_ms, rtx.rto_ms, rtx.retries,
				(unsigned long long)start, (unsigned long long)dead);
	}
	assert_in_range(armed, TRIALS / 2, TRIALS - TRIALS / 20);
}

static void arming_never_lengthens_what_the_kernel_does_by_itself(void **state)
{
	unsigned int shorter = 0, left = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		enum lateness lateness = i % 2 ? ON_TIME : LATE;
		struct hf_retransmission rtx = any_retransmission(), alone = rtx;
		struct hf_settings set = between(0, 1) ? any_set() : any_set_with_timeout();
		uint64_t start = first_retransmission(rtx.rto_ms, lateness);
		uint64_t silent_ms = of_any_size(0, MONTH), with, without;
		struct hf_bounds bounds, bounds_alone;

		alone.armed_by_ms = 0;
		with = retransmission_timer(&set, &rtx, silent_ms, start, NEVER, lateness);
		without = retransmission_timer(&set, &alone, silent_ms, start, NEVER, lateness);
		assert_true(with <= without);
		shorter += with < without;
		left += rtx.armed_by_ms && with == without;
		hf_settings_bounds(&set, &rtx, &bounds);
		hf_settings_bounds(&set, &alone, &bounds_alone);
		assert_true(bounds.in_flight_ms <= bounds_alone.in_flight_ms);
		assert_true(bounds.outage_in_flight_ms <= bounds_alone.outage_in_flight_ms);
	}
	assert_true(shorter > TRIALS / 20 && left > TRIALS / 20);
}

static void a_network_that_heals_in_time_is_no_death_for_data_in_flight(void **state)
{
	unsigned int lived = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_retransmission rtx = any_retransmission();
		struct hf_settings set = any_set_with_timeout();
		uint64_t broken = random_word() % (set.idle * 1125ull + 1), waits;
		uint64_t start = first_retransmission(rtx.rto_ms, i % LATENESSES);
		struct hf_bounds bounds;

		if (!between(0, 3)) { /* then nothing ends the silence before the outage */
			set.keepalive = 0;
			broken = of_any_size(0, MONTH);
		}
		hf_settings_bounds(&set, &rtx, &bounds);
		if (!bounds.outage_in_flight_ms)
			continue;
		waits = random_word() % bounds.outage_in_flight_ms;
		if (retransmission_timer(&set, &rtx, broken + waits, start,
					 bounds.outage_in_flight_ms - 1 - waits,
					 i % LATENESSES) != NEVER)
			fail_msg("%s, RTO %u, armed by %u: an outage of %llu ms is a death",
				 text_of(&set), rtx.rto_ms, rtx.armed_by_ms,
				 (unsigned long long)bounds.outage_in_flight_ms - 1);
		lived++;
	}
	assert_true(lived > TRIALS / 10);
}

static void a_derived_set_is_protected_under_its_own_goals(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_retransmission rtx = any_retransmission();
		struct hf_goals goals = any_goals();
		struct hf_settings set;

		assert_true(hf_settings_derive(&goals, NULL, 0, &set) <= HF_DERIVED_ONE_LOSS);
		rtx.armed_by_ms = goals.dead_within_ms ? goals.dead_within_ms : 120000;
		assert_int_equal(hf_settings_audit(&set, &goals, &rtx), HF_PROTECTED);
		rtx.armed_by_ms = 0;
		set.user_timeout_ms = hf_settings_user_timeout(&set);
		assert_int_equal(hf_settings_audit(&set, &goals, &rtx), HF_PROTECTED);
		assert_keeps(&set, &goals);
		set.keepalive = 0;
		assert_int_equal(hf_settings_audit(&set, &goals, &rtx), HF_UNPROTECTED);
	}
}

/* The three bounds of "never weaker", from the simulated timers. */
static void assert_no_weaker(const struct hf_settings *a, const struct hf_settings *b)
{
	if (a->idle > b->idle || a->idle + 2 * a->interval > b->idle + 2 * b->interval ||
	    keepalive_timer(a, LATE).dead > keepalive_timer(b, LATE).dead)
		fail_msg("%s is weaker than %s", text_of(a), text_of(b));
}

static void nothing_that_is_decided_is_weaker_than_the_program(void **state)
{
	unsigned int taken[HF_LEAVE_STRICT + 1] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_settings program = any_set(), ours, set, again;
		struct hf_goals goals = any_goals();
		enum hf_decision decision;

		program.keepalive = between(0, 3) > 0;
		assert_true(hf_settings_derive(&goals, NULL, 0, &ours) <= HF_DERIVED_ONE_LOSS);
		decision = hf_settings_decide(&program, &goals, &ours, false, &set);
		taken[decision]++;
		if (decision == HF_KEEP)
			assert_keeps(&program, &goals);
		if (decision == HF_LEAVE_STRICT)
			assert_true(program.idle + program.count * program.interval < 4);
		if (decision != HF_REPLACE)
			continue;
		assert_keeps(&set, &goals);
		assert_in_range(set.count, HF_COUNT_MIN, HF_COUNT_USUAL);
		if (program.keepalive)
			assert_no_weaker(&set, &program);
		assert_int_equal(hf_settings_decide(&set, &goals, &ours, false, &again), HF_KEEP);
	}
	assert_true(taken[HF_KEEP] && taken[HF_REPLACE] && taken[HF_LEAVE_STRICT]);
}

static void no_user_timeout_is_raised_or_left_too_short_or_too_long(void **state)
{
	unsigned int taken[HF_LEAVE_STRICT + 1] = { 0 }, lowered = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_settings program = any_set_with_timeout(), ours, set;
		struct hf_goals goals = any_goals();
		enum hf_decision decision;

		program.keepalive = between(0, 3) > 0;
		assert_true(hf_settings_derive(&goals, NULL, 0, &ours) <= HF_DERIVED_ONE_LOSS);
		decision = hf_settings_decide(&program, &goals, &ours, false, &set);
		taken[decision]++;
		if (decision != HF_REPLACE)
			continue;
		assert_int_equal(!set.user_timeout_ms, !program.user_timeout_ms);
		assert_true(set.user_timeout_ms <= program.user_timeout_ms);
		if (set.user_timeout_ms < program.user_timeout_ms) {
			assert_int_equal(set.user_timeout_ms, hf_settings_user_timeout(&set));
			lowered++;
		}
		if (set.user_timeout_ms)
			assert_true(set.user_timeout_ms > (set.idle + 2 * set.interval) * 1000);
		assert_keeps(&set, &goals);
		assert_true(hf_settings_no_weaker(&set, &program));
	}
	assert_true(lowered > TRIALS / 100);
	assert_true(taken[HF_KEEP] && taken[HF_REPLACE] && taken[HF_LEAVE_TIMEOUT]);
}

static void jitter_never_lengthens_and_stays_within_a_tenth(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_goals goals = any_goals();
		struct hf_settings set;
		uint32_t idle;

		assert_true(hf_settings_derive(&goals, NULL, 0, &set) <= HF_DERIVED_ONE_LOSS);
		idle = set.idle;
		set.idle = hf_settings_jitter(idle, (uint32_t)random_word());
		assert_in_range(set.idle, idle - idle / 10, idle);
		assert_keeps(&set, &goals);
	}
}

static void arming_falls_with_the_silence_and_rises_with_the_goal(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		uint32_t goal = of_any_size(1, UINT32_MAX - 1000), silent = of_any_size(0, goal);
		struct hf_retransmission rtx = any_retransmission(), patient = rtx;
		uint32_t more = of_any_size(0, 1000), armed, least;

		patient.retries = UINT32_MAX;
		armed = hf_settings_arm(goal, silent, &patient);
		assert_in_range(armed, 1, goal);
		assert_true(hf_settings_arm(goal, (uint64_t)silent + more, &patient) <= armed);
		assert_true(hf_settings_arm(goal + more, silent, &patient) >= armed);
		least = armed < model_timeout(rtx.retries) ? armed : model_timeout(rtx.retries);
		if (hf_settings_arm(goal, silent, &rtx))
			assert_int_equal(hf_settings_arm(goal, silent, &rtx), least);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_derived_set_keeps_its_promise),
		cmocka_unit_test(a_cap_on_idle_is_kept_and_breaks_nothing),
		cmocka_unit_test(given_values_are_kept_or_refused),
		cmocka_unit_test(given_values_are_refused_only_where_nothing_goes_with_them),
		cmocka_unit_test(what_a_set_promises_is_not_refused_to_a_part_of_it),
		cmocka_unit_test(longer_goals_give_longer_bounds),
		cmocka_unit_test(the_timers_of_an_idle_connection_stay_within_its_bounds),
		cmocka_unit_test(the_bounds_of_an_idle_connection_are_not_idle_talk),
		cmocka_unit_test(data_in_flight_is_given_up_within_its_bound),
		cmocka_unit_test(armed_or_left_to_the_kernel_dead_within_is_kept),
		cmocka_unit_test(arming_never_lengthens_what_the_kernel_does_by_itself),
		cmocka_unit_test(a_network_that_heals_in_time_is_no_death_for_data_in_flight),
		cmocka_unit_test(a_derived_set_is_protected_under_its_own_goals),
		cmocka_unit_test(nothing_that_is_decided_is_weaker_than_the_program),
		cmocka_unit_test(no_user_timeout_is_raised_or_left_too_short_or_too_long),
		cmocka_unit_test(jitter_never_lengthens_and_stays_within_a_tenth),
		cmocka_unit_test(arming_falls_with_the_silence_and_rises_with_the_goal),
	};
	const char *wanted = getenv("HOLDFAST_SEED");

	seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
	printf("# HOLDFAST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
