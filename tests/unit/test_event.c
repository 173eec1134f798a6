/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/event.h"

/* Does the line of a death say so? */
static void check_death(uint32_t unanswered, uint32_t retransmits, const char *said)
{
	const struct hf_record record = { .family = HF_IPV4,
					  .unanswered = unanswered,
					  .retransmits = retransmits,
					  .silent_ms = 4000 };
	const struct hf_notice event = { .kind = HF_EVENT_DEAD,
					 .record = &record,
					 .error = ETIMEDOUT };
	char line[256] = "";
	FILE *out = fmemopen(line, sizeof(line), "w");

	assert_non_null(out);
	hf_event_print(&event, false, false, out);
	fclose(out);
	assert_string_equal(strstr(line, "ETIMEDOUT"), said);
}

static void one_is_not_told_as_many(void **state)
{
	(void)state;
	check_death(1, 0, "ETIMEDOUT  silent 4s, 1 probe unanswered\n");
	check_death(2, 0, "ETIMEDOUT  silent 4s, 2 probes unanswered\n");
	check_death(1, 5, "ETIMEDOUT  silent 4s, 1 probe and 5 retransmissions unanswered\n");
	check_death(0, 1, "ETIMEDOUT  silent 4s, 1 retransmission unanswered\n");
	check_death(0, 2, "ETIMEDOUT  silent 4s, 2 retransmissions unanswered\n");
	check_death(0, 0, "ETIMEDOUT  silent 4s\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_not_told_as_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
