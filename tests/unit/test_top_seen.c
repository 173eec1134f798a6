/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "cli/top_seen.h"
#include "top_records.h"

static char told[512];

static void tell(void *arg, enum hf_top_change change, const struct hf_top_known *known)
{
	size_t end = strlen(told);

	(void)arg;
	snprintf(told + end, sizeof(told) - end, "%s%s %llu", end ? ", " : "",
		 hf_top_change_name(change), (unsigned long long)known->cookie);
}

/* A pass that sees these records; what it tells. */
static const char *look(struct hf_top_seen *seen, uint64_t timeouts, unsigned int count,
			const struct hf_record *records)
{
	*told = '\0';
	hf_top_seen_begin(seen);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(hf_top_seen_record(seen, &records[i], true), 0);
	hf_top_seen_end(seen, timeouts);
	return told;
}
#define LOOK(seen, timeouts, ...)                                                    \
	look(seen, timeouts,                                                         \
	     sizeof((struct hf_record[]){ __VA_ARGS__ }) / sizeof(struct hf_record), \
	     (struct hf_record[]){ __VA_ARGS__ })

static void comings_and_goings_are_told_but_for_those_of_the_first_pass(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);
	struct hf_record small = { .state = HF_TIME_WAIT };

	(void)state;
	assert_string_equal(LOOK(seen, 0, idle(1), idle(2), small), "");
	assert_string_equal(LOOK(seen, 0, idle(1), idle(2), idle(3)), "appeared 3");
	assert_string_equal(LOOK(seen, 0, idle(3), idle(1)), "gone 2");
	assert_string_equal(LOOK(seen, 0, idle(3), idle(1)), "");
	hf_top_seen_free(&seen);
	assert_null(seen);
}

static void suspicion_and_answer_are_told_once(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);

	(void)state;
	assert_string_equal(LOOK(seen, 0, probing(1, 1)), "");
	assert_string_equal(LOOK(seen, 0, probing(1, 2)), "probing 1");
	assert_string_equal(LOOK(seen, 0, probing(1, 3)), "");
	assert_string_equal(LOOK(seen, 0, idle(1)), "answered 1");
	assert_string_equal(LOOK(seen, 0, idle(1)), "");
	hf_top_seen_free(&seen);
}

static void a_death_is_unanswered_gone_and_counted_by_the_kernel(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);

	(void)state;
	LOOK(seen, 0, probing(1, 1), probing(2, 1), probing(3, 1), idle(4), idle(5));
	/* One of the three is closed; nobody can tell which. */
	assert_string_equal(LOOK(seen, 2, idle(5)), "dead 1, dead 2, gone 3, gone 4");
	LOOK(seen, 0, probing(6, 3), idle(5));
	assert_string_equal(LOOK(seen, 0, idle(5)), "gone 6");
	hf_top_seen_free(&seen);
}

static void a_timeout_counted_one_pass_early_still_accounts_for_a_death(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);

	(void)state;
	LOOK(seen, 1, probing(1, 1), probing(2, 1), idle(3));
	assert_string_equal(LOOK(seen, 0, probing(2, 1), idle(3)), "dead 1");
	LOOK(seen, 1, probing(2, 1), idle(3));
	LOOK(seen, 0, probing(2, 1), idle(3));
	assert_string_equal(LOOK(seen, 0, idle(3)), "gone 2"); /* two passes early is another's */
	hf_top_seen_free(&seen);
}

static void what_does_not_enter_is_not_told_of(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);
	struct hf_record record = probing(1, 2);

	(void)state;
	*told = '\0';
	for (unsigned int pass = 0; pass < 3; pass++) {
		hf_top_seen_begin(seen);
		assert_int_equal(hf_top_seen_record(seen, &record, false), 0);
		hf_top_seen_end(seen, 0);
	}
	assert_string_equal(told, "");
	hf_top_seen_free(&seen);
}

static void thousands_come_and_go(void **state)
{
	enum {
		MANY = 20000
	};
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);
	struct hf_record record = idle(1);

	(void)state;
	for (unsigned int pass = 0; pass < 4; pass++) {
		*told = '\0';
		hf_top_seen_begin(seen);
		for (uint64_t i = 1; i <= MANY; i++) {
			record.cookie = i * 64; /* as alike as cookies of one processor are */
			if (pass < 2 || i != 777)
				assert_int_equal(hf_top_seen_record(seen, &record, true), 0);
		}
		hf_top_seen_end(seen, 0);
		assert_string_equal(told, pass == 2 ? "gone 49728" : "");
	}
	hf_top_seen_free(&seen);
}

static void what_died_is_shown_as_it_was_last_seen(void **state)
{
	struct hf_top_known known = { .cookie = 5,
				      .family = HF_IPV4,
				      .state = HF_ESTABLISHED,
				      .unanswered = 3,
				      .silent_ms = 9000 };
	struct hf_record record;

	(void)state;
	hf_top_known_record(&known, true, &record);
	assert_int_equal(rank_of(record), HF_TOP_DEAD);
	assert_int_equal(record.unanswered, 3);
	assert_int_equal(record.silent_ms, 9000);
	hf_top_known_record(&known, false, &record);
	assert_int_equal(record.state, HF_ESTABLISHED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comings_and_goings_are_told_but_for_those_of_the_first_pass),
		cmocka_unit_test(suspicion_and_answer_are_told_once),
		cmocka_unit_test(a_death_is_unanswered_gone_and_counted_by_the_kernel),
		cmocka_unit_test(a_timeout_counted_one_pass_early_still_accounts_for_a_death),
		cmocka_unit_test(what_does_not_enter_is_not_told_of),
		cmocka_unit_test(thousands_come_and_go),
		cmocka_unit_test(what_died_is_shown_as_it_was_last_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
