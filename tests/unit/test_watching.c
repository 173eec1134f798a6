/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When passes run, and why: by a host of which only the counters are there. */
#include "cli/watching.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ACT HF_MODE_ACT
#define TEND (HF_MODE_ACT | HF_MODE_TEND)
#define SPREAD HF_MODE_SPREAD
#define MANY 100000 /* more than any queue of probes takes */

static struct hf_counters counters;
static struct hf_watching watching;
static uint32_t found[HF_DUE_SLOTS]; /* what the next pass forecasts */

const struct hf_counters *hf_host_counters(const struct hf_host *host)
{
	(void)host;
	return &counters;
}

int hf_host_pass(struct hf_host *host, unsigned int mode, hf_record_fn fn, void *arg,
		 struct hf_problem *problem)
{
	(void)host;
	(void)mode;
	(void)fn;
	(void)arg;
	(void)problem;
	memcpy(counters.due, found, sizeof(found));
	return 0;
}

/* A goal of two minutes: what is unanswered is looked after every half minute. */
static int begin(void **state)
{
	const struct hf_goals goals = { .dead_within_ms = 120000 };

	(void)state;
	memset(&counters, 0, sizeof(counters));
	memset(found, 0, sizeof(found));
	hf_watching_init(&watching, NULL, &goals, ACT, 300);
	return hf_watching_pass(&watching, ACT, NULL, NULL, NULL);
}

/* A second goes by, and the pass that is due is made. */
static unsigned int second(void)
{
	unsigned int mode = hf_watching_tick(&watching);

	if (mode)
		hf_watching_pass(&watching, mode, NULL, NULL, NULL);
	return mode;
}

static void expect_after(unsigned int quiet, unsigned int mode)
{
	while (quiet--)
		assert_int_equal(second(), 0);
	assert_int_equal(second(), mode);
}

static void what_stood_before_is_looked_at_first_and_then_little(void **state)
{
	(void)state;
	expect_after(0, SPREAD);
	expect_after(28, TEND);
	expect_after(29, TEND);
}

static void what_is_unsettled_takes_a_full_pass_before_all_else(void **state)
{
	(void)state;
	counters.unsettled++;
	expect_after(0, ACT);
	expect_after(0, SPREAD);
	for (unsigned int i = 0; i < 9; i++)
		expect_after(i ? 29 : 28, TEND);
	expect_after(29, ACT);
}

static void bursts_are_spread_while_they_last(void **state)
{
	(void)state;
	expect_after(0, SPREAD);
	found[0] = found[1] = MANY;
	expect_after(28, TEND);
	for (unsigned int i = 0; i < 10; i++)
		expect_after(1, SPREAD);
	found[0] = found[1] = 0;
	expect_after(1, SPREAD);
	expect_after(7, TEND);
}

static void a_burst_far_ahead_is_met_a_moment_before(void **state)
{
	(void)state;
	found[10] = MANY; /* in 20 s */
	expect_after(0, SPREAD);
	found[10] = 0;
	found[2] = MANY; /* as it has come nearer */
	expect_after(15, SPREAD);
}

/* It sees all that are due, not only those within this host, but no later than a spreading one. */
static void a_pass_that_tends_puts_no_spreading_off(void **state)
{
	(void)state;
	found[0] = MANY;
	expect_after(0, SPREAD);
	expect_after(1, SPREAD);
	counters.standing = 1;
	expect_after(0, TEND);
	found[0] = 0;
	found[12] = MANY;
	expect_after(0, SPREAD);
}

static void a_crowd_is_forecast_at_once_and_once(void **state)
{
	(void)state;
	expect_after(0, SPREAD);
	counters.crowd = HF_CROWD - 1;
	counters.crowd_since = 7;
	expect_after(1, 0);
	counters.crowd = HF_CROWD;
	expect_after(0, SPREAD);
	expect_after(3, 0);
	counters.crowd_since = 9;
	expect_after(0, SPREAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_stood_before_is_looked_at_first_and_then_little, begin),
		cmocka_unit_test_setup(what_is_unsettled_takes_a_full_pass_before_all_else, begin),
		cmocka_unit_test_setup(bursts_are_spread_while_they_last, begin),
		cmocka_unit_test_setup(a_burst_far_ahead_is_met_a_moment_before, begin),
		cmocka_unit_test_setup(a_pass_that_tends_puts_no_spreading_off, begin),
		cmocka_unit_test_setup(a_crowd_is_forecast_at_once_and_once, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
