/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Goals to probing: whatever is derived is given to an engine, whose time is told late by up to a
 * tick, and the promise is measured.
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

#include <holdfast/engine.h>

#define TRIALS 3000
#define MONTH 2147483647u /* ms: what fits, 24.8 days */

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
	return between(least, least + ((most - least) >> between(0, 31)));
}

static struct hf_goals any_goals(void)
{
	struct hf_goals goals = {
		.dead_within_ms = between(0, 3) ? of_any_size(HF_DEAD_WITHIN_MIN, MONTH) : 0,
		.keep_open_ms = between(0, 1) ? of_any_size(HF_KEEP_OPEN_MIN, MONTH) : 0,
	};

	return goals;
}

/* What became of one flow whose ends fell silent. */
struct course {
	uint64_t sent[2][3]; /* the first segments to each end */
	uint64_t dead[2];
	unsigned int segments[2];
};

static struct hf_engine *make(void *memory, size_t size, const struct hf_engine_options *options,
			      const struct hf_probing *probing, unsigned int sides, uint64_t now)
{
	struct hf_engine *engine = hf_engine_init(memory, size, options, now);
	struct hf_flow_key key;
	hf_flow flow;

	assert_non_null(engine);
	assert_true(hf_engine_set_probing(engine, 0, probing));
	assert_true(hf_endpoint_parse("10.0.0.1:1", &key.end[0]));
	assert_true(hf_endpoint_parse("10.0.0.2:2", &key.end[1]));
	assert_int_equal(hf_engine_add(engine, &key,
				       sides == 2 ? HF_WATCH_BOTH | HF_ASK : HF_WATCH_RESPONDER, 0,
				       0, &flow),
			 HF_ADDED);
	return engine;
}

static void note(struct course *course, const struct hf_action *action, uint64_t passed)
{
	unsigned int n = course->segments[action->target];

	if (action->kind == HF_VERDICT) {
		course->dead[action->target] = passed;
		return;
	}
	if (n < 3)
		course->sent[action->target][n] = passed;
	course->segments[action->target]++;
}

static struct course follow(const struct hf_probing *probing, unsigned int sides, uint32_t tick)
{
	struct hf_engine_options options = { .flows = 1, .tick_ms = tick };
	size_t size = (hf_engine_size(&options) + 63) / 64 * 64;
	uint64_t start = random_word(), now = start, due;
	void *memory = aligned_alloc(64, size);
	struct course course = { 0 };
	struct hf_engine *engine;
	struct hf_action action;

	assert_non_null(memory);
	engine = make(memory, size, &options, probing, sides, start);
	while (!course.dead[HF_RESPONDER] || (sides == 2 && !course.dead[HF_ORIGINATOR])) {
		due = hf_engine_due(engine);
		assert_true(due - now < 2 * (uint64_t)MONTH);
		now = due + (between(0, 3) ? between(0, tick - 1) : tick - 1);
		hf_engine_advance(engine, now, 0);
		while (hf_engine_next(engine, &action))
			note(&course, &action, now - start);
	}
	free(memory);
	return course;
}

static uint64_t first(uint64_t a, uint64_t b)
{
	return a && a < b ? a : b;
}

static void what_is_derived_keeps_its_promise(void **state)
{
	unsigned int derived = 0;

	(void)state;
	for (unsigned int i = 0; i < TRIALS; i++) {
		struct hf_goals goals = any_goals();
		unsigned int sides = between(1, 2);
		uint32_t tick = between(0, 1) ? 250 : of_any_size(1, 10000);
		struct hf_probing set;
		enum hf_derivation result = hf_probing_derive(&goals, sides, tick, &set);
		unsigned int losses = result == HF_DERIVED ? 2 : 1;
		uint32_t death = goals.dead_within_ms ? goals.dead_within_ms :
				 goals.keep_open_ms   ? 0 :
							HF_DEAD_WITHIN_DEFAULT;
		struct course course;

		if (result > HF_DERIVED_ONE_LOSS)
			continue;
		derived++;
		course = follow(&set, sides, tick);
		for (unsigned int side = 2 - sides; side < 2; side++) {
			assert_in_range(course.segments[side], 3, set.count);
			assert_true(course.dead[side] <= hf_probing_bound(&set, sides, tick));
		}
		if (death)
			assert_true(hf_probing_bound(&set, sides, tick) <= death);
		if (goals.keep_open_ms)
			assert_true(first(course.sent[0][losses], course.sent[1][losses]) <=
				    goals.keep_open_ms - 1000);
	}
	assert_true(derived > TRIALS / 2);
}

static void the_bound_is_not_idle_talk(void **state)
{
	unsigned int close = 0;

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		struct hf_probing set = { .idle_ms = between(5000, 50000),
					  .interval_ms = 250 * between(8, 40),
					  .in_flight_ms = 100000,
					  .count = 4 };
		struct course course = follow(&set, 1, 250);

		close += course.dead[1] + 500 > hf_probing_bound(&set, 1, 250);
	}
	assert_true(close > 200);
}

static void usual_goals_give_usual_settings(void **state)
{
	static const struct hf_goals none, minute = { .dead_within_ms = 60000 },
					   keep = { .keep_open_ms = 350000 },
					   both = { 120000, 30000 };
	struct hf_probing set;

	(void)state;
	assert_int_equal(hf_probing_derive(&none, 2, 250, &set), HF_DERIVED);
	assert_int_equal(set.count, 9);
	assert_int_equal(set.interval_ms, 6500);
	assert_int_equal(set.idle_ms, 54500);
	assert_int_equal(set.in_flight_ms, 120000);
	assert_int_equal(hf_probing_derive(&minute, 1, 250, &set), HF_DERIVED);
	assert_int_equal(set.count, 9);
	assert_int_equal(set.interval_ms, 3250);
	assert_int_equal(set.idle_ms, 30250);
	assert_int_equal(hf_probing_derive(&keep, 1, 250, &set), HF_DERIVED);
	assert_int_equal(set.count, 9);
	assert_int_equal(set.interval_ms, 34750);
	assert_int_equal(set.idle_ms, 279000);
	assert_int_equal(hf_probing_derive(&both, 1, 250, &set), HF_DERIVED);
	assert_int_equal(set.count, 9);
	assert_int_equal(set.interval_ms, 2750);
	assert_int_equal(set.idle_ms, 23000);
}

static void the_least_goals_are_taken_and_less_is_not(void **state)
{
	struct hf_probing least = {
		.idle_ms = 1, .interval_ms = HF_INTERVAL_MIN_MS, .in_flight_ms = 1, .count = 3
	};

	(void)state;
	for (unsigned int sides = 1; sides <= 2; sides++)
		for (uint32_t tick = 1; tick <= 1000; tick += 33) {
			uint32_t bound = (uint32_t)hf_probing_bound(&least, sides, tick);
			struct hf_goals goals;
			struct hf_probing set = least;

			if (bound < HF_DEAD_WITHIN_MIN)
				bound = HF_DEAD_WITHIN_MIN;
			goals = (struct hf_goals){ .dead_within_ms = bound };
			assert_int_equal(hf_probing_derive(&goals, sides, tick, &set), HF_DERIVED);
			goals.dead_within_ms--;
			set = least;
			assert_int_equal(hf_probing_derive(&goals, sides, tick, &set),
					 HF_DEAD_WITHIN_TOO_SHORT);
			assert_memory_equal(&set, &least, sizeof(set));
		}
	assert_int_equal(hf_probing_bound(&least, 1, 250), 4500);
	assert_int_equal(hf_probing_bound(&least, 2, 100), 5200);
}

static void a_path_that_forgets_too_fast_is_refused(void **state)
{
	struct hf_goals goals = { .keep_open_ms = 4500 };
	struct hf_probing set;

	(void)state;
	assert_int_equal(hf_probing_derive(&goals, 1, 250, &set), HF_DERIVED);
	goals.keep_open_ms = 4499;
	assert_int_equal(hf_probing_derive(&goals, 1, 250, &set), HF_DERIVED_ONE_LOSS);
	goals.keep_open_ms = 3500;
	assert_int_equal(hf_probing_derive(&goals, 1, 250, &set), HF_DERIVED_ONE_LOSS);
	goals.keep_open_ms = 3499;
	assert_int_equal(hf_probing_derive(&goals, 1, 250, &set), HF_KEEP_OPEN_TOO_SHORT);
	goals.keep_open_ms = HF_KEEP_OPEN_MIN - 1;
	assert_int_equal(hf_probing_derive(&goals, 1, 1, &set), HF_KEEP_OPEN_TOO_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_derived_keeps_its_promise),
		cmocka_unit_test(the_bound_is_not_idle_talk),
		cmocka_unit_test(usual_goals_give_usual_settings),
		cmocka_unit_test(the_least_goals_are_taken_and_less_is_not),
		cmocka_unit_test(a_path_that_forgets_too_fast_is_refused),
	};
	const char *wanted = getenv("HOLDFAST_SEED");

	seed = wanted ? strtoull(wanted, NULL, 0) : (uint64_t)time(NULL);
	printf("# HOLDFAST_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
