/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "preload/policy.h"
#include "preload/wishes.h"

static void a_policy_comes_back_as_it_was_written(void **state)
{
	const struct hf_preload_policy policies[] = {
		{ .goals = { 60000, 0 }, .settings = { 1, 27, 3, 9, 0 } },
		{ .goals = { 0, 350000 }, .settings = { 1, 1, 1, 1, 1 }, .override = 1 },
		{ .goals = { HF_GOAL_MAX, HF_GOAL_MAX },
		  .settings = { 1, HF_IDLE_MAX, HF_INTERVAL_MAX, HF_COUNT_MAX, HF_GOAL_MAX } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(policies) / sizeof(*policies); i++) {
		struct hf_preload_policy back = { 0 };
		char text[128];

		snprintf(text, sizeof(text), HF_PRELOAD_FORMAT, HF_PRELOAD_NUMBERS(&policies[i]));
		assert_true(hf_preload_parse(text, &back));
		assert_memory_equal(&back, &policies[i], sizeof(back));
	}
}

static void what_is_no_policy_is_refused_and_leaves_all_as_it_is(void **state)
{
	const char *const texts[] = {
		NULL,
		"",
		"1",
		",",
		"1,60000,0,27,3,9,0",
		"1,60000,0,27,3,9,0,",
		"1,60000,0,27,3,9,0,0,",
		"1,60000,0,27,3,9,0,0,0",
		"1,60000,0,27,3,9,0,0 ",
		" 1,60000,0,27,3,9,0,0",
		"2,60000,0,27,3,9,0,0",
		"1,-1,0,27,3,9,0,0",
		"1,60000,0,0x1b,3,9,0,0",
		"1,60000,0,0,3,9,0,0",
		"1,60000,0,32768,3,9,0,0",
		"1,60000,0,27,0,9,0,0",
		"1,60000,0,27,32768,9,0,0",
		"1,60000,0,27,3,0,0,0",
		"1,60000,0,27,3,128,0,0",
		"1,60000,0,27,3,9,2147483648,0",
		"1,4294967296,0,27,3,9,0,0",
		"1,99999999999999999999999,0,27,3,9,0,0",
		"1,60000,0,27,3,9,0,\x80",
	};
	struct hf_preload_policy before, policy;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		policy = before;
		assert_false(hf_preload_parse(texts[i], &policy));
		assert_memory_equal(&policy, &before, sizeof(policy));
	}
}

static const struct hf_wishes low = { .settings = { 1, 1, 1, 1, 1 }, .finished = true };
static const struct hf_wishes high = { .settings = { 0, HF_IDLE_MAX, HF_INTERVAL_MAX, HF_COUNT_MAX,
						     HF_GOAL_MAX } };

static bool same(const struct hf_wishes *a, const struct hf_wishes *b)
{
	return !memcmp(&a->settings, &b->settings, sizeof(a->settings)) &&
	       a->finished == b->finished;
}

static void wishes_are_those_of_one_socket(void **state)
{
	struct hf_wishes got = low;

	(void)state;
	assert_false(hf_wishes_recall(5, 77, &got));
	assert_true(same(&got, &low));
	hf_wishes_keep(5, 77, &high);
	assert_true(hf_wishes_recall(5, 77, &got));
	assert_true(same(&got, &high));
	assert_false(hf_wishes_recall(5, 78, &got)); /* closed, and opened as another socket */
	assert_false(hf_wishes_recall(6, 77, &got)); /* a duplicate */
	hf_wishes_keep(5 + 4096, 79, &low);	     /* takes its place */
	assert_false(hf_wishes_recall(5, 77, &got));
	assert_true(hf_wishes_recall(5 + 4096, 79, &got));
	assert_true(same(&got, &low));
}

static void a_sysctl_that_no_option_takes_stays_large(void **state)
{
	const struct hf_wishes beyond = { .settings = { 1, 65537, 100000, 257, 0 } };
	struct hf_wishes got;

	(void)state;
	hf_wishes_keep(9, 1, &beyond);
	assert_true(hf_wishes_recall(9, 1, &got));
	assert_true(got.settings.idle > HF_IDLE_MAX);
	assert_true(got.settings.interval > HF_INTERVAL_MAX);
	assert_true(got.settings.count > HF_COUNT_MAX);
}

#define ROUNDS 200000
static atomic_bool done;

static void *write_in_turn(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < ROUNDS; i++)
		hf_wishes_keep(11, i % 2 ? 1 : 2, i % 2 ? &low : &high);
	done = true;
	return NULL;
}

static void what_another_thread_is_writing_is_never_read_in_part(void **state)
{
	unsigned int torn = 0;
	struct hf_wishes got;
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_in_turn, NULL), 0);
	while (!done) {
		if (hf_wishes_recall(11, 1, &got))
			torn += !same(&got, &low);
		if (hf_wishes_recall(11, 2, &got))
			torn += !same(&got, &high);
	}
	pthread_join(writer, NULL);
	assert_int_equal(torn, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_comes_back_as_it_was_written),
		cmocka_unit_test(what_is_no_policy_is_refused_and_leaves_all_as_it_is),
		cmocka_unit_test(wishes_are_those_of_one_socket),
		cmocka_unit_test(a_sysctl_that_no_option_takes_stays_large),
		cmocka_unit_test(what_another_thread_is_writing_is_never_read_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
