/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sim/nat.h"
#include "sim/random.h"

#define FLOWS 64
#define OUTWARD true
#define INWARD false

static uint32_t told[FLOWS]; /* how often a flow was forgotten */

static bool forgotten(void *context, uint32_t flow)
{
	told[flow]++;
	return context == NULL;
}

static struct hf_nat make(const struct hf_nat_spec *spec)
{
	struct hf_nat nat;

	memset(told, 0, sizeof(told));
	assert_int_equal(hf_nat_init(&nat, spec, FLOWS, forgotten, NULL), 0);
	return nat;
}

static enum hf_passage cross(struct hf_nat *nat, uint32_t flow, uint32_t now_ms, bool outward)
{
	uint8_t generation = 0;

	return hf_nat_cross(nat, 0, flow, now_ms, outward, &generation);
}

static void what_is_used_stays_and_what_is_silent_goes(void **state)
{
	struct hf_nat_spec spec = { .count = 1, .timeout_ms = 1000, .capacity = UINT32_MAX };
	struct hf_nat nat = make(&spec);

	(void)state;
	hf_nat_open(&nat, 0, 1, 0);
	hf_nat_open(&nat, 0, 2, 0);
	for (uint32_t now = 999; now < 10000; now += 999)
		assert_int_equal(cross(&nat, 1, now, now % 2), HF_PASSES);
	assert_int_equal(told[2], 1);
	assert_int_equal(told[1], 0);
	assert_int_equal(nat.expired, 1);
	assert_int_equal(nat.count, 1);
	assert_int_equal(cross(&nat, 2, 10000, OUTWARD), HF_DROPPED);
	assert_int_equal(cross(&nat, 1, 9990 + 1000, OUTWARD), HF_DROPPED);
	assert_false(hf_nat_holds(&nat, 1));
	hf_nat_free(&nat);
}

static void a_full_table_drops_the_one_used_longest_ago(void **state)
{
	struct hf_nat_spec spec = { .count = 1, .timeout_ms = 100000, .capacity = 3 };
	struct hf_nat nat = make(&spec);

	(void)state;
	for (uint32_t flow = 0; flow < 3; flow++)
		hf_nat_open(&nat, 0, flow, flow);
	assert_int_equal(cross(&nat, 0, 10, INWARD), HF_PASSES);
	hf_nat_open(&nat, 0, 3, 20);
	assert_int_equal(told[1], 1);
	hf_nat_open(&nat, 0, 4, 30);
	assert_int_equal(told[2], 1);
	assert_int_equal(told[0], 0);
	assert_int_equal(nat.evicted, 2);
	assert_int_equal(nat.box[0].count, 3);
	hf_nat_free(&nat);
}

static void a_connection_that_is_over_leaves_without_a_word(void **state)
{
	struct hf_nat_spec spec = { .count = 2, .timeout_ms = 1000, .capacity = 2 };
	struct hf_nat nat = make(&spec);

	(void)state;
	hf_nat_open(&nat, 0, 0, 0);
	hf_nat_open(&nat, 1, 1, 0); /* another box: full apart */
	hf_nat_open(&nat, 1, 2, 0);
	hf_nat_close(&nat, 0, 0);
	hf_nat_close(&nat, 0, 0);
	hf_nat_open(&nat, 0, 3, 0);
	hf_nat_open(&nat, 0, 4, 0);
	hf_nat_expire(&nat, 5000);
	assert_int_equal(nat.evicted, 0);
	assert_int_equal(nat.expired, 4);
	assert_int_equal(told[0], 0);
	assert_int_equal(nat.count, 0);
	hf_nat_free(&nat);
}

/* spec, direction of what comes after the expiry, what becomes of it, and of an answer to that */
static void what_comes_after_expiry_is_dropped_reset_or_taken_up(void **state)
{
	static const struct {
		bool rewrites, loose;
		enum hf_on_expiry on_expiry;
		bool outward;
		enum hf_passage passage;
		uint8_t generation;
	} cases[] = {
		{ false, false, HF_EXPIRES_SILENT, OUTWARD, HF_DROPPED, 0 },
		{ false, false, HF_EXPIRES_RESET, OUTWARD, HF_RESET_BACK, 0 },
		{ false, false, HF_EXPIRES_RESET, INWARD, HF_RESET_BACK, 0 },
		{ false, true, HF_EXPIRES_SILENT, OUTWARD, HF_PASSES, 0 },
		{ false, true, HF_EXPIRES_SILENT, INWARD, HF_PASSES, 0 },
		{ true, false, HF_EXPIRES_SILENT, OUTWARD, HF_DROPPED, 0 },
		{ true, true, HF_EXPIRES_SILENT, OUTWARD, HF_PASSES, 1 },
		{ true, true, HF_EXPIRES_SILENT, INWARD, HF_DROPPED, 0 },
		{ true, true, HF_EXPIRES_RESET, INWARD, HF_RESET_BACK, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hf_nat_spec spec = { .count = 1,
					    .timeout_ms = 1000,
					    .capacity = UINT32_MAX,
					    .rewrites = cases[i].rewrites,
					    .loose = cases[i].loose,
					    .on_expiry = cases[i].on_expiry };
		struct hf_nat nat = make(&spec);
		uint8_t generation = 0;

		hf_nat_open(&nat, 0, 5, 0);
		assert_int_equal(hf_nat_cross(&nat, 0, 5, 2000, cases[i].outward, &generation),
				 cases[i].passage);
		assert_int_equal(generation, cases[i].generation);
		assert_int_equal(nat.expired, 1);
		/* The far end goes on speaking to the port it knows. */
		if (cases[i].generation)
			assert_int_equal(cross(&nat, 5, 2000, INWARD), HF_DROPPED);
		assert_int_equal(hf_nat_holds(&nat, 5), !cases[i].rewrites && cases[i].loose);
		hf_nat_free(&nat);
	}
}

static void an_emptied_table_has_nothing(void **state)
{
	struct hf_nat_spec spec = { .count = 1, .timeout_ms = 1000, .capacity = UINT32_MAX };
	struct hf_nat nat = make(&spec);

	(void)state;
	for (uint32_t flow = 0; flow < FLOWS; flow++)
		hf_nat_open(&nat, 0, flow, 0);
	hf_nat_flush(&nat, 0);
	assert_int_equal(nat.count, 0);
	for (uint32_t flow = 0; flow < FLOWS; flow++)
		assert_int_equal(told[flow], 1);
	hf_nat_free(&nat);
}

/* Against a model that looks at every entry. */
static void random_use_is_as_a_naive_table_has_it(void **state)
{
	struct hf_nat_spec spec = { .count = 1, .timeout_ms = 500, .capacity = 20 };
	struct hf_nat nat = make(&spec);
	struct hf_random random = { .state = 99 };
	int64_t used[FLOWS], now = 0; /* -1: not there; the order of use in the low bits */
	int64_t order = 0;

	(void)state;
	memset(used, -1, sizeof(used));
	for (int step = 0; step < 20000; step++) {
		uint32_t flow = (uint32_t)hf_random_below(&random, FLOWS), count = 0, oldest = flow;
		bool opens = hf_random_chance(&random, 0.3), there;

		now += (int64_t)hf_random_below(&random, 40);
		for (uint32_t i = 0; i < FLOWS; i++)
			if (used[i] >= 0 && now - (used[i] >> 20) >= 500)
				used[i] = -1;
		there = used[flow] >= 0;
		if (opens) {
			used[flow] = -1;
			for (uint32_t i = 0; i < FLOWS; i++) {
				count += used[i] >= 0;
				if (used[i] >= 0 && (used[oldest] < 0 || used[i] < used[oldest]))
					oldest = i;
			}
			if (count == 20)
				used[oldest] = -1;
			hf_nat_open(&nat, 0, flow, (uint32_t)now);
		} else {
			assert_int_equal(cross(&nat, flow, (uint32_t)now, OUTWARD),
					 there ? HF_PASSES : HF_DROPPED);
		}
		if (opens || there)
			used[flow] = now << 20 | order++;
		for (uint32_t i = 0; i < FLOWS; i++)
			assert_int_equal(hf_nat_holds(&nat, i), used[i] >= 0);
	}
	hf_nat_free(&nat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_used_stays_and_what_is_silent_goes),
		cmocka_unit_test(a_full_table_drops_the_one_used_longest_ago),
		cmocka_unit_test(a_connection_that_is_over_leaves_without_a_word),
		cmocka_unit_test(what_comes_after_expiry_is_dropped_reset_or_taken_up),
		cmocka_unit_test(an_emptied_table_has_nothing),
		cmocka_unit_test(random_use_is_as_a_naive_table_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
