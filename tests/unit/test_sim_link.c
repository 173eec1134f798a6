/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics are held against theory within five standard deviations; the seed is fixed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/link.h"

#define MANY 200000

static struct hf_random source = { .state = 4711 };

static struct hf_link make(const struct hf_link_spec *spec)
{
	struct hf_link link;

	assert_int_equal(hf_link_init(&link, spec), 0);
	return link;
}

static void assert_rate(uint64_t count, uint64_t of, double expected)
{
	double deviation = sqrt((double)of * expected * (1 - expected));

	if (fabs((double)count - (double)of * expected) > 5 * deviation + 1e-9)
		fail_msg("%llu of %llu, and not %g", (unsigned long long)count,
			 (unsigned long long)of, expected);
}

static void so_many_are_lost_as_was_said(void **state)
{
	static const double losses[] = { 0, 0.01, 0.3, 1 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct hf_link_spec spec = { .count = 1, .loss = losses[i] };
		struct hf_link link = make(&spec);
		uint64_t delay[2];

		for (uint64_t n = 0; n < MANY; n++)
			hf_link_cross(&link, 0, n, &source, delay);
		assert_int_equal(link.crossed, MANY);
		assert_rate(link.lost, MANY, losses[i]);
		assert_true(hf_link_survival(&spec) == 1 - losses[i]);
		hf_link_free(&link);
	}
}

static void latencies_have_the_shape_that_was_said(void **state)
{
	static const struct {
		enum hf_shape shape;
		double mean, deviation, least, most;
	} shapes[] = {
		{ HF_CONSTANT, 20000, 0, 20000, 20000 },
		{ HF_UNIFORM, 20000, 5000 / 1.7320508, 15000, 25000 },
		{ HF_NORMAL, 20000, 5000, 0, 60000 },
		/* median m, sigma = ln(1 + 5/20): mean m exp(sigma^2 / 2) */
		{ HF_LOGNORMAL, 20504, 4633, 0, 80000 },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct hf_link_spec spec = { .count = 1,
					     .latency_us = 20000,
					     .spread_us = shapes[i].deviation > 0 ? 5000 : 0,
					     .shape = shapes[i].shape };
		struct hf_link link = make(&spec);
		double sum = 0, squares = 0;
		uint64_t delay[2];

		for (uint64_t n = 0; n < MANY; n++) {
			assert_int_equal(hf_link_cross(&link, 0, n, &source, delay), 1);
			assert_true((double)delay[0] >= shapes[i].least &&
				    (double)delay[0] <= shapes[i].most);
			sum += (double)delay[0];
			squares += (double)delay[0] * (double)delay[0];
		}
		sum /= MANY;
		assert_true(fabs(sum - shapes[i].mean) < 100);
		assert_true(fabs(sqrt(fmax(squares / MANY - sum * sum, 0)) - shapes[i].deviation) <
			    100);
		hf_link_free(&link);
	}
}

/* Gilbert and Elliott: in bursts burst / (burst + burst_every) of the time, and in a row. */
static void bursts_take_their_share_of_time_and_come_in_rows(void **state)
{
	struct hf_link_spec spec = { .count = 1,
				     .loss = 0.01,
				     .burst_loss = 0.9,
				     .burst_us = 1000000,
				     .burst_every_us = 9000000 };
	struct hf_link link = make(&spec);
	uint64_t delay[2], lost = 0, pairs = 0;
	bool before = false;

	(void)state;
	for (uint64_t n = 0; n < MANY; n++) { /* ten a second, for hours */
		bool gone = !hf_link_cross(&link, 0, n * 100000, &source, delay);

		lost += gone;
		pairs += gone && before;
		before = gone;
	}
	/* Neighbours are not independent: the share is known only to some parts in a thousand. */
	assert_true(fabs((double)lost / MANY - (0.9 * 0.01 + 0.1 * 0.9)) < 0.006);
	assert_true((double)pairs / (double)lost > 0.6); /* were they independent: 0.1 */
	assert_true(isnan(hf_link_survival(&spec)));
	hf_link_free(&link);
}

static void the_links_of_a_section_have_their_own_bursts_and_partitions(void **state)
{
	struct hf_link_spec spec = { .count = 2 };
	struct hf_link link = make(&spec);
	uint64_t delay[2];

	(void)state;
	link.state[1].down = true;
	for (uint64_t n = 0; n < 100; n++) {
		assert_int_equal(hf_link_cross(&link, 0, n, &source, delay), 1);
		assert_int_equal(hf_link_cross(&link, 1, n, &source, delay), 0);
	}
	link.state[1].down = false;
	assert_int_equal(hf_link_cross(&link, 1, 100, &source, delay), 1);
	hf_link_free(&link);
}

static void some_are_doubled_and_some_come_later(void **state)
{
	struct hf_link_spec spec = { .count = 1,
				     .latency_us = 1000,
				     .reorder = 0.1,
				     .reorder_by_us = 50000,
				     .duplicate = 0.05 };
	struct hf_link link = make(&spec);
	uint64_t delay[2], doubled = 0, late = 0;

	(void)state;
	for (uint64_t n = 0; n < MANY; n++) {
		doubled += hf_link_cross(&link, 0, n, &source, delay) == 2;
		late += delay[0] > 1000;
		assert_true(delay[0] <= 51000);
	}
	assert_rate(doubled, MANY, 0.05);
	assert_rate(late, MANY, 0.1);
	hf_link_free(&link);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_many_are_lost_as_was_said),
		cmocka_unit_test(latencies_have_the_shape_that_was_said),
		cmocka_unit_test(bursts_take_their_share_of_time_and_come_in_rows),
		cmocka_unit_test(the_links_of_a_section_have_their_own_bursts_and_partitions),
		cmocka_unit_test(some_are_doubled_and_some_come_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
