/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/duration.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void every_unit_is_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{ "0", 0 },
		{ "500ms", 500 },
		{ "30s", 30000 },
		{ "5min", 300000 },
		{ "5m", 300000 },
		{ "2h", 7200000 },
		{ "1d", 86400000 },
		{ "90", 90000 },
		{ "007", 7000 },
		{ "18446744073709551615ms", UINT64_MAX },
		{ "18446744073709551.615", UINT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t ms = ~cases[i].ms;

		if (!hf_duration_parse(cases[i].text, &ms) || ms != cases[i].ms)
			fail_msg("%s was read as %llu ms", cases[i].text, (unsigned long long)ms);
	}
}

static void fractions_are_rounded_to_the_nearest_millisecond(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{ "4.5", 4500 },
		{ "4.5s", 4500 },
		{ "0.0004s", 0 },
		{ "0.0005s", 1 },
		{ "0.4999ms", 0 },
		{ "1.5ms", 2 },
		{ "1.5h", 5400000 },
		{ "0.1d", 8640000 },
		{ "0.00000000579d", 1 },
		{ "0.00000000578d", 0 },
		{ "0.33333333333333333333333333333333333333d", 28800000 },
		{ "0.99999999999999999999s", 1000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint64_t ms = ~cases[i].ms;

		if (!hf_duration_parse(cases[i].text, &ms) || ms != cases[i].ms)
			fail_msg("%s was read as %llu ms", cases[i].text, (unsigned long long)ms);
	}
}

static void nothing_else_is_a_duration(void **state)
{
	static const char *const wrong[] = {
		"",
		" ",
		"s",
		"-1s",
		"+1s",
		"1e3s",
		"1 s",
		" 1s",
		"1s ",
		"1.s",
		".5s",
		"1..5s",
		"1.5.5s",
		"1S",
		"1M",
		"1sec",
		"1mins",
		"1min 30s",
		"1h30min",
		"0x10",
		"1,5s",
		"inf",
		"nan",
		"1w",
		"18446744073709551616ms",
		"18446744073709551616",
		"18446744073709551.616",
		"213503982335d",
		"99999999999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		uint64_t ms = 4711;

		if (hf_duration_parse(wrong[i], &ms))
			fail_msg("\"%s\" was accepted", wrong[i]);
		assert_int_equal(ms, 4711);
	}
}

static void the_text_is_short_and_exact(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "0s" },
		{ 1, "1ms" },
		{ 500, "500ms" },
		{ 999, "999ms" },
		{ 1000, "1s" },
		{ 1001, "1.001s" },
		{ 4500, "4.5s" },
		{ 59999, "59.999s" },
		{ 60000, "1min" },
		{ 60500, "1min 500ms" },
		{ 90000, "1min 30s" },
		{ 91500, "1min 31.5s" },
		{ 120000, "2min" },
		{ 3600000, "1h" },
		{ 3605000, "1h 5s" },
		{ 3661000, "61min 1s" },
		{ 5400000, "1h 30min" },
		{ 86400000, "1d" },
		{ 86405000, "1d 5s" },
		{ 86490000, "1441min 30s" },
		{ 90060000, "25h 1min" },
		{ 432000000, "5d" },
		{ UINT64_MAX, "307445734561825min 51.615s" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[HF_DURATION_TEXT];

		assert_int_equal(hf_duration_format(cases[i].ms, text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

/* Reads back what the format wrote: one or two durations. */
static uint64_t read_back(char *text)
{
	char *second = strchr(text, ' ');
	uint64_t sum, rest = 0;

	if (second)
		*second++ = '\0';
	assert_true(hf_duration_parse(text, &sum));
	if (second)
		assert_true(hf_duration_parse(second, &rest));
	return sum + rest;
}

static void no_duration_loses_anything_on_its_way_through_text(void **state)
{
	uint64_t step = 1;

	(void)state;
	for (uint64_t ms = 0; ms < UINT64_MAX / 2; ms += step) {
		char text[HF_DURATION_TEXT];

		assert_true(hf_duration_format(ms, text) < HF_DURATION_TEXT);
		assert_int_equal(read_back(text), ms);
		step = ms < 200000 ? 1 : ms / 9973;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_unit_is_read),
		cmocka_unit_test(fractions_are_rounded_to_the_nearest_millisecond),
		cmocka_unit_test(nothing_else_is_a_duration),
		cmocka_unit_test(the_text_is_short_and_exact),
		cmocka_unit_test(no_duration_loses_anything_on_its_way_through_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
