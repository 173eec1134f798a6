/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sim/clock.h"
#include "sim/random.h"

#define MANY 20000

static void what_is_posted_happens_in_order_of_time(void **state)
{
	struct hf_clock *clock = *state;
	struct hf_random random = { .state = 1 };
	uint64_t last = 0;
	unsigned int kind;
	uint32_t index;

	for (uint32_t i = 0; i < MANY; i++) /* from microseconds to hours, beyond the ring */
		hf_clock_post(clock, hf_random_next(&random) >> (30 + i % 30), i % 9, i);
	for (uint32_t i = 0; i < MANY; i++) {
		uint64_t due = hf_clock_due(clock);

		assert_true(due >= last && due < UINT64_MAX);
		hf_clock_take(clock, &kind, &index);
		assert_int_equal(kind, index % 9);
		assert_int_equal(clock->now, due);
		last = due;
	}
	assert_true(hf_clock_due(clock) == UINT64_MAX);
	assert_false(clock->failed);
}

static void what_happens_at_the_same_time_happens_in_order_of_posting(void **state)
{
	struct hf_clock *clock = *state;
	unsigned int kind;
	uint32_t index;

	for (uint32_t i = 0; i < 1000; i++)
		hf_clock_post(clock, 5000, 1, i);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(hf_clock_due(clock), 5000);
		hf_clock_take(clock, &kind, &index);
		assert_int_equal(index, i);
	}
}

static void the_past_is_now(void **state)
{
	struct hf_clock *clock = *state;
	unsigned int kind;
	uint32_t index;

	hf_clock_post(clock, 1000, 0, 0);
	hf_clock_due(clock);
	hf_clock_take(clock, &kind, &index);
	hf_clock_post(clock, 1, 0, 7);
	assert_int_equal(hf_clock_due(clock), 1000);
}

/* Each happening posts the next, near or far: how a simulation uses it. */
static void chains_of_happenings_keep_their_time(void **state)
{
	struct hf_clock *clock = *state;
	struct hf_random random = { .state = 7 };
	static uint64_t expected[500];

	for (uint32_t i = 0; i < 500; i++) {
		expected[i] = hf_random_below(&random, 1u << 30);
		hf_clock_post(clock, expected[i], 0, i);
	}
	for (uint32_t n = 0; n < MANY; n++) {
		unsigned int kind;
		uint32_t index;

		hf_clock_due(clock);
		hf_clock_take(clock, &kind, &index);
		assert_int_equal(clock->now, expected[index]);
		expected[index] = clock->now + (1ull << hf_random_below(&random, 35));
		hf_clock_post(clock, expected[index], 0, index);
	}
	assert_int_equal(clock->near + clock->far, 500);
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct hf_clock));
	hf_clock_init(*state);
	return 0;
}

static int teardown(void **state)
{
	hf_clock_free(*state);
	free(*state);
	return 0;
}

#define WITH_CLOCK(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CLOCK(what_is_posted_happens_in_order_of_time),
		WITH_CLOCK(what_happens_at_the_same_time_happens_in_order_of_posting),
		WITH_CLOCK(the_past_is_now),
		WITH_CLOCK(chains_of_happenings_keep_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
