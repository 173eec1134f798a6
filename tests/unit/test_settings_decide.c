/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a program's own settings. */
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

/* A program's own settings under goals, and what becomes of them. */
struct decision {
	struct hf_goals goals;
	struct hf_settings program;
	enum hf_decision result;
	struct hf_settings set;
};

static void check_decision(const struct decision *expected)
{
	struct hf_settings derived, set;

	memset(&set, 0, sizeof(set));
	assert_true(hf_settings_derive(&expected->goals, NULL, 0, &derived) <= HF_DERIVED_ONE_LOSS);
	assert_int_equal(hf_settings_decide(&expected->program, &expected->goals, &derived, false,
					    &set),
			 expected->result);
	assert_memory_equal(&set, &expected->set, sizeof(set));
}

static void what_meets_the_goals_stays(void **state)
{
	static const struct decision cases[] = {
		{ { 120000, 0 }, { 1, 53, 5, 9, 0 }, HF_KEEP, { 0 } },
		{ { 120000, 0 }, { 1, 1, 1, 1, 0 }, HF_KEEP, { 0 } },
		{ { 120000, 0 }, { 1, 100, 2, 3, 0 }, HF_KEEP, { 0 } },
		{ { 120000, 0 }, { 1, 60, 15, 20, 90000 }, HF_KEEP, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_decision(&cases[i]);
}

static void what_does_not_is_replaced_as_a_whole(void **state)
{
	static const struct decision cases[] = {
		{ { 120000, 0 }, { 0, 7200, 75, 9, 0 }, HF_REPLACE, { 1, 53, 5, 9, 0 } },
		{ { 120000, 0 }, { 1, 7200, 75, 9, 0 }, HF_REPLACE, { 1, 53, 5, 9, 0 } },
		{ { 120000, 0 }, { 0, 1, 1, 1, 0 }, HF_REPLACE, { 1, 53, 5, 9, 0 } },
		{ { 120000, 0 }, { 1, 300, 100, 3, 0 }, HF_REPLACE, { 1, 53, 5, 9, 0 } },
		{ { 120000, 60000 }, { 1, 53, 5, 9, 0 }, HF_REPLACE, { 1, 42, 5, 9, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_decision(&cases[i]);
}

static void where_the_program_is_stricter_the_set_is_derived_anew(void **state)
{
	static const struct decision cases[] = {
		/* Its first probe is earlier, but it never gives up in time. */
		{ { 120000, 0 }, { 1, 10, 60, 9, 0 }, HF_REPLACE, { 1, 10, 10, 9, 0 } },
		{ { 120000, 0 }, { 1, 1, 1, 127, 0 }, HF_REPLACE, { 1, 1, 1, 9, 0 } },
		{ { 120000, 0 }, { 1, 20, 5, 100, 0 }, HF_REPLACE, { 1, 20, 3, 9, 0 } },
		/* It gives up in time, but its silence is too long for the path. */
		{ { 120000, 60000 }, { 1, 59, 1, 3, 0 }, HF_REPLACE, { 1, 31, 3, 9, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_decision(&cases[i]);
}

static void what_no_whole_seconds_can_match_is_left(void **state)
{
	/* Dead within 2 x 1.125 s: that is less than three probes take. */
	static const struct decision too_strict = {
		{ 0, 3250 }, { 1, 2, 1, 1, 0 }, HF_LEAVE_STRICT, { 0 }
	};

	(void)state;
	check_decision(&too_strict);
}

static void a_user_timeout_too_short_for_three_probes_is_left(void **state)
{
	static const struct decision cases[] = {
		{ { 120000, 0 }, { 0, 7200, 75, 9, 63000 }, HF_LEAVE_TIMEOUT, { 0 } },
		{ { 120000, 0 }, { 1, 7200, 75, 9, 4500 }, HF_LEAVE_TIMEOUT, { 0 } },
		{ { 120000, 0 }, { 0, 7200, 75, 9, 63001 }, HF_REPLACE, { 1, 53, 5, 9, 63001 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_decision(&cases[i]);
}

static void the_programs_user_timeout_is_lowered_but_never_raised(void **state)
{
	struct hf_settings program = { 0, 7200, 75, 9, 70000 }, fixed = ours, set;

	(void)state;
	fixed.user_timeout_ms = 97000;
	assert_int_equal(hf_settings_decide(&program, &two_minutes, &fixed, false, &set),
			 HF_REPLACE);
	assert_int_equal(set.user_timeout_ms, 70000);
	program.user_timeout_ms = 99000;
	assert_int_equal(hf_settings_decide(&program, &two_minutes, &fixed, false, &set),
			 HF_REPLACE);
	assert_int_equal(set.user_timeout_ms, 97000);
	program.user_timeout_ms = 0;
	assert_int_equal(hf_settings_decide(&program, &two_minutes, &fixed, false, &set),
			 HF_REPLACE);
	assert_int_equal(set.user_timeout_ms, 97000);
	/* Ours may outlast the count, where the program has none. */
	fixed.user_timeout_ms = 105000;
	assert_int_equal(hf_settings_decide(&program, &two_minutes, &fixed, false, &set),
			 HF_REPLACE);
	assert_int_equal(set.user_timeout_ms, 105000);
}

static void a_user_timeout_that_outlasts_the_set_is_lowered_to_it(void **state)
{
	static const struct decision cases[] = {
		{ { 120000, 0 }, { 0, 7200, 75, 9, 97999 }, HF_REPLACE, { 1, 53, 5, 9, 97999 } },
		{ { 120000, 0 }, { 0, 7200, 75, 9, 98001 }, HF_REPLACE, { 1, 53, 5, 9, 98000 } },
		{ { 120000, 0 }, { 1, 7200, 75, 9, 900000 }, HF_REPLACE, { 1, 53, 5, 9, 98000 } },
		/* By itself it would be dead after 55 s; its user timeout makes it 600 s. */
		{ { 120000, 0 }, { 1, 10, 5, 9, 600000 }, HF_REPLACE, { 1, 10, 2, 9, 28000 } },
	};
	struct hf_settings one_probe = { 1, 53, 53, 1, 0 }, set;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_decision(&cases[i]);
	/* It is not too short for three probes because a rule wants only one. */
	assert_int_equal(hf_settings_decide(&cases[1].program, &two_minutes, &one_probe, false,
					    &set),
			 HF_LEAVE_TIMEOUT);
	assert_int_equal(hf_settings_decide(&cases[2].program, &two_minutes, &one_probe, false,
					    &set),
			 HF_REPLACE);
	assert_int_equal(set.user_timeout_ms, 106000);
}

static void override_replaces_even_what_is_stricter(void **state)
{
	struct hf_settings program = { 1, 1, 1, 3, 4500 }, set;

	(void)state;
	assert_int_equal(hf_settings_decide(&program, &two_minutes, &ours, true, &set), HF_REPLACE);
	assert_memory_equal(&set, &ours, sizeof(set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_meets_the_goals_stays),
		cmocka_unit_test(what_does_not_is_replaced_as_a_whole),
		cmocka_unit_test(where_the_program_is_stricter_the_set_is_derived_anew),
		cmocka_unit_test(what_no_whole_seconds_can_match_is_left),
		cmocka_unit_test(a_user_timeout_too_short_for_three_probes_is_left),
		cmocka_unit_test(the_programs_user_timeout_is_lowered_but_never_raised),
		cmocka_unit_test(a_user_timeout_that_outlasts_the_set_is_lowered_to_it),
		cmocka_unit_test(override_replaces_even_what_is_stricter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
