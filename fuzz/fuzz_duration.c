/* SPDX-License-Identifier: BSD-2-Clause */
/* Any text through the parser; what it parses to, written and read part by part, is the same. */
#include <stdlib.h>
#include <string.h>

#include "core/duration.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool held)
{
	if (!held)
		abort();
}

static void check_round_trip(uint64_t ms)
{
	char text[HF_DURATION_TEXT];
	size_t length = hf_duration_format(ms, text);
	char *second = strchr(text, ' ');
	uint64_t sum, rest = 0;

	expect(length == strlen(text) && length < sizeof(text));
	if (second) {
		*second++ = '\0';
		expect(hf_duration_parse(second, &rest));
	}
	expect(hf_duration_parse(text, &sum) && sum + rest == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1); /* exactly as long: a byte read too far is seen */
	uint64_t ms = 0;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (hf_duration_parse(text, &ms))
		check_round_trip(ms);
	memcpy(&ms, data, size < sizeof(ms) ? size : sizeof(ms));
	check_round_trip(ms);
	free(text);
	return 0;
}
