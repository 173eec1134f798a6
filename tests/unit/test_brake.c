/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/brake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct hf_brake brake;

static int set_up(void **unused)
{
	(void)unused;
	brake = (struct hf_brake){
		.deaths = 10, .within_ms = 1000, .settle_ms = 2000, .hold_ms = 5000
	};
	return 0;
}

/* n deaths, apart by so much; whether and by which of them it braked (1..), 0 = it did not. */
static unsigned int die(unsigned int n, uint64_t from_ms, uint64_t apart_ms)
{
	for (unsigned int i = 0; i < n; i++)
		if (hf_brake_death(&brake, from_ms + i * apart_ms))
			return i + 1;
	return 0;
}

static void one_more_than_so_many_at_once_brake(void **unused)
{
	(void)unused;
	assert_int_equal(die(10, 100, 0), 0);
	assert_false(hf_brake_holds(&brake, 100));
	assert_true(hf_brake_death(&brake, 100));
	assert_true(hf_brake_holds(&brake, 100));
}

static void so_many_within_the_time_may_die_for_ever(void **unused)
{
	(void)unused;
	assert_int_equal(die(10000, 100, 100), 0);
	assert_int_equal(die(30, 2000000, 99), 0);
}

static void a_quarter_more_than_that_brake_before_long(void **unused)
{
	(void)unused;
	assert_in_range(die(1000, 100, 80), 40, 60);
}

static void it_is_told_once(void **unused)
{
	(void)unused;
	assert_int_equal(die(11, 100, 0), 11);
	assert_int_equal(die(1000, 100, 1), 0);
}

static void without_recovery_the_pause_ends_when_nobody_has_died_for_the_time(void **unused)
{
	(void)unused;
	die(11, 100, 0);
	assert_true(hf_brake_holds(&brake, 5099));
	assert_false(hf_brake_holds(&brake, 5100));
}

static void each_first_death_makes_the_pause_longer(void **unused)
{
	(void)unused;
	die(11, 100, 0);
	hf_brake_death(&brake, 5000);
	assert_true(hf_brake_holds(&brake, 9999));
	assert_false(hf_brake_holds(&brake, 10000));
}

static void an_outage_is_over_when_most_have_revived(void **unused)
{
	(void)unused;
	die(11, 100, 0);
	die(99, 100, 0); /* 100 of them in the pause */
	for (unsigned int i = 0; i < 49; i++)
		hf_brake_revival(&brake, 3000);
	assert_true(hf_brake_holds(&brake, 7999));
	hf_brake_revival(&brake, 7999);
	assert_true(hf_brake_holds(&brake, 9998));
	assert_false(hf_brake_holds(&brake, 9999));
}

static void who_died_before_the_pause_may_revive_in_it(void **unused)
{
	(void)unused;
	die(11, 100, 0);
	for (unsigned int i = 0; i < 11; i++)
		hf_brake_revival(&brake, 200);
	assert_false(hf_brake_holds(&brake, 2200));
	assert_int_equal(die(11, 2200, 0), 11);
}

static void after_a_pause_it_is_as_new(void **unused)
{
	(void)unused;
	die(11, 100, 0);
	assert_int_equal(die(11, 5100, 0), 11);
}

static void without_a_limit_nothing_brakes(void **unused)
{
	(void)unused;
	brake.deaths = 0;
	assert_int_equal(die(100000, 100, 0), 0);
	assert_false(hf_brake_holds(&brake, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_more_than_so_many_at_once_brake, set_up),
		cmocka_unit_test_setup(so_many_within_the_time_may_die_for_ever, set_up),
		cmocka_unit_test_setup(a_quarter_more_than_that_brake_before_long, set_up),
		cmocka_unit_test_setup(it_is_told_once, set_up),
		cmocka_unit_test_setup(
			without_recovery_the_pause_ends_when_nobody_has_died_for_the_time, set_up),
		cmocka_unit_test_setup(each_first_death_makes_the_pause_longer, set_up),
		cmocka_unit_test_setup(an_outage_is_over_when_most_have_revived, set_up),
		cmocka_unit_test_setup(who_died_before_the_pause_may_revive_in_it, set_up),
		cmocka_unit_test_setup(after_a_pause_it_is_as_new, set_up),
		cmocka_unit_test_setup(without_a_limit_nothing_brakes, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
