/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the preloaded library: the less it asks of the C library, the more programs take it. */
#include "preload/policy.h"

#include <stddef.h>

#define NUMBERS 8

static bool in_range(const struct hf_settings *settings)
{
	return settings->idle - 1 < HF_IDLE_MAX && settings->interval - 1 < HF_INTERVAL_MAX &&
	       settings->count - 1 < HF_COUNT_MAX && settings->user_timeout_ms <= HF_GOAL_MAX;
}

/* The end of the number, NULL if there is none of 32 bits. */
static const char *parse_number(const char *text, uint32_t *out)
{
	uint64_t number = 0;

	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++) {
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > UINT32_MAX)
			return NULL;
	}
	*out = (uint32_t)number;
	return text;
}

bool hf_preload_parse(const char *text, struct hf_preload_policy *out)
{
	struct hf_preload_policy policy;
	uint32_t number[NUMBERS];

	for (unsigned int i = 0; i < NUMBERS; i++) {
		text = text ? parse_number(text, &number[i]) : NULL;
		if (!text || *text != (i + 1 < NUMBERS ? ',' : '\0'))
			return false;
		text++;
	}
	policy = (struct hf_preload_policy){
		.goals = { .dead_within_ms = number[1], .keep_open_ms = number[2] },
		.settings = { .keepalive = 1,
			      .idle = number[3],
			      .interval = number[4],
			      .count = number[5],
			      .user_timeout_ms = number[6] },
		.override = number[7],
	};
	if (number[0] != HF_PRELOAD_VERSION || !in_range(&policy.settings))
		return false;
	*out = policy;
	return true;
}
