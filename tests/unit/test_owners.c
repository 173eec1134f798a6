/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/owners.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define MANY 100000

static struct hf_owners owners;

static int forget(void **unused)
{
	(void)unused;
	hf_owners_free(&owners);
	return 0;
}

static void add(uint64_t cookie, uint32_t pid)
{
	struct hf_holder holder = { .pid = pid };

	snprintf(holder.process, sizeof(holder.process), "p%u", pid);
	assert_int_equal(hf_owners_add(&owners, cookie, &holder), 0);
}

static uint32_t owner_of(uint64_t cookie)
{
	const struct hf_holder *holder = hf_owners_find(&owners, cookie);

	return holder ? holder->pid : 0;
}

static void nobody_holds_what_was_not_told(void **unused)
{
	(void)unused;
	assert_null(hf_owners_find(&owners, 1));
	add(1, 10);
	assert_null(hf_owners_find(&owners, 2));
	assert_null(hf_owners_find(&owners, 0)); /* of what has no cookie */
}

static void the_lowest_holder_counts_in_whatever_order(void **unused)
{
	(void)unused;
	add(1, 20);
	add(2, 20);
	add(2, 10);
	add(1, 30);
	assert_int_equal(owner_of(1), 20);
	assert_int_equal(owner_of(2), 10);
	assert_string_equal(hf_owners_find(&owners, 2)->process, "p10");
}

/* Cookies follow each other, or are whatever else: both kinds find their place while it grows. */
static void many_are_found_again(void **unused)
{
	(void)unused;
	for (uint32_t i = 1; i <= MANY; i++) {
		add(i, i / 100 + 1);
		add((uint64_t)i << 40, i / 100 + 1);
	}
	for (uint32_t i = 1; i <= MANY; i++) {
		assert_int_equal(owner_of(i), i / 100 + 1);
		assert_int_equal(owner_of((uint64_t)i << 40), i / 100 + 1);
		assert_int_equal(owner_of(MANY + i), 0);
	}
	assert_int_equal(owners.holders, MANY / 100 + 1);
}

static void what_is_told_anew_replaces_all(void **unused)
{
	(void)unused;
	add(1, 10);
	add(2, 10);
	hf_owners_empty(&owners);
	assert_int_equal(owner_of(1), 0);
	add(2, 30);
	assert_int_equal(owner_of(1), 0);
	assert_int_equal(owner_of(2), 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nobody_holds_what_was_not_told, forget),
		cmocka_unit_test_teardown(the_lowest_holder_counts_in_whatever_order, forget),
		cmocka_unit_test_teardown(many_are_found_again, forget),
		cmocka_unit_test_teardown(what_is_told_anew_replaces_all, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
