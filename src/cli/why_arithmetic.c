/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/why_arithmetic.h"

#include <stdio.h>

#include "cli/options_parse.h"

#define LATE 1125 /* ms: a second of a kernel timer at worst */

typedef unsigned long long number;

/* Linux retransmits_timed_out: waits that double from HF_RTO_MIN, whatever the real RTO is. */
static uint64_t retransmissions_ms(uint32_t retries)
{
	uint64_t wait = HF_RTO_MIN, sum = 0;

	for (uint32_t i = 0; i <= retries; i++) {
		sum += wait;
		wait = 2 * wait < HF_RTO_MAX ? 2 * wait : HF_RTO_MAX;
	}
	return sum;
}

struct hf_in_flight hf_in_flight_split(const struct hf_settings *settings,
				       const struct hf_retransmission *rtx)
{
	struct hf_retransmission unarmed = *rtx;
	struct hf_in_flight parts = { .first_ms = 2ull * rtx->rto_ms * LATE / 1000 };
	struct hf_bounds bounds, alone;

	unarmed.armed_by_ms = 0;
	hf_settings_bounds(settings, rtx, &bounds);
	hf_settings_bounds(settings, &unarmed, &alone);
	if (bounds.in_flight_ms < alone.in_flight_ms && bounds.in_flight_ms == rtx->armed_by_ms)
		return (struct hf_in_flight){ .by = HF_ENDED_BY_ARMING,
					      .limit_ms = bounds.in_flight_ms };
	if (bounds.in_flight_ms < alone.in_flight_ms) {
		parts.by = HF_ENDED_BY_ARMING_LATE;
		parts.limit_ms = rtx->armed_by_ms / 3;
	} else if (settings->user_timeout_ms) {
		parts.by = HF_ENDED_BY_USER_TIMEOUT;
		parts.limit_ms = settings->user_timeout_ms;
	} else {
		parts.by = HF_ENDED_BY_RETRANSMISSIONS;
		parts.limit_ms = retransmissions_ms(rtx->retries);
	}
	parts.last_ms = bounds.in_flight_ms - parts.first_ms - parts.limit_ms;
	return parts;
}

uint64_t hf_probes_until_death(const struct hf_settings *settings)
{
	struct hf_bounds bounds;

	hf_settings_bounds(settings, NULL, &bounds);
	return (bounds.idle_ms / LATE - settings->idle) / settings->interval;
}

void hf_arithmetic_idle(const struct hf_settings *settings, char *text)
{
	char late[HF_SECONDS_TEXT], timeout[HF_SECONDS_TEXT];
	char until[HF_SECONDS_TEXT + 32] = "";
	uint64_t probes, seconds;

	if (!settings->keepalive) {
		snprintf(text, HF_ARITHMETIC, "keepalive is off: nothing asks the peer");
		return;
	}
	probes = hf_probes_until_death(settings);
	seconds = settings->idle + probes * settings->interval;
	if (settings->user_timeout_ms)
		snprintf(until, sizeof(until), " (to the user timeout %s)",
			 hf_option_seconds(settings->user_timeout_ms, timeout));
	snprintf(text, HF_ARITHMETIC,
		 "last heard + idle %us + %llu x %us%s = %llus, an eighth late: %s", settings->idle,
		 (number)probes, settings->interval, until, (number)seconds,
		 hf_option_seconds(seconds * LATE, late));
}

void hf_arithmetic_in_flight(const struct hf_settings *settings,
			     const struct hf_retransmission *rtx, char *text)
{
	struct hf_in_flight parts = hf_in_flight_split(settings, rtx);
	char rto[HF_SECONDS_TEXT], first[HF_SECONDS_TEXT], limit[HF_SECONDS_TEXT];
	char last[HF_SECONDS_TEXT], sum[HF_SECONDS_TEXT], goal[HF_SECONDS_TEXT];

	hf_option_seconds(rtx->rto_ms, rto);
	hf_option_seconds(parts.first_ms, first);
	hf_option_seconds(parts.limit_ms, limit);
	hf_option_seconds(parts.last_ms, last);
	hf_option_seconds(parts.first_ms + parts.limit_ms + parts.last_ms, sum);
	hf_option_seconds(rtx->armed_by_ms, goal);
	switch (parts.by) {
	case HF_ENDED_BY_ARMING:
		snprintf(
			text, HF_ARITHMETIC,
			"the first unanswered retransmission is given what is left of %s since last "
			"heard; data first written late in the silence: a third of it + RTO",
			limit);
		break;
	case HF_ENDED_BY_ARMING_LATE:
		snprintf(
			text, HF_ARITHMETIC,
			"first retransmission by 2 x RTO %s, an eighth late: %s, + a third of %s: %s = %s",
			rto, first, goal, limit, sum);
		break;
	case HF_ENDED_BY_USER_TIMEOUT:
		snprintf(
			text, HF_ARITHMETIC,
			"first retransmission by 2 x RTO %s, an eighth late: %s, + user timeout %s + "
			"the lateness of its last timer %s = %s",
			rto, first, limit, last, sum);
		break;
	case HF_ENDED_BY_RETRANSMISSIONS:
		snprintf(
			text, HF_ARITHMETIC,
			"first retransmission by 2 x RTO %s, an eighth late: %s, + tcp_retries2 %u: %s + "
			"the timer running then %s = %s",
			rto, first, rtx->retries, limit, last, sum);
		break;
	}
}

void hf_arithmetic_keep_open(const struct hf_settings *settings, char *text)
{
	uint64_t seconds = settings->idle + 2ull * settings->interval;
	char late[HF_SECONDS_TEXT];

	if (settings->keepalive)
		snprintf(text, HF_ARITHMETIC, "idle %us + 2 lost x %us = %llus, an eighth late: %s",
			 settings->idle, settings->interval, (number)seconds,
			 hf_option_seconds(seconds * LATE, late));
	else
		snprintf(text, HF_ARITHMETIC, "keepalive is off: nothing keeps the path open");
}

void hf_arithmetic_outage(const struct hf_settings *settings, char *text)
{
	char timeout[HF_SECONDS_TEXT], outage[HF_SECONDS_TEXT];
	struct hf_bounds bounds;

	hf_settings_bounds(settings, NULL, &bounds);
	if (!settings->keepalive)
		snprintf(text, HF_ARITHMETIC, "keepalive is off: no outage is noticed");
	else if (settings->user_timeout_ms)
		snprintf(text, HF_ARITHMETIC,
			 "what the user timeout %s leaves of the probes, every %us: %s",
			 hf_option_seconds(settings->user_timeout_ms, timeout), settings->interval,
			 hf_option_seconds(bounds.outage_idle_ms, outage));
	else
		snprintf(text, HF_ARITHMETIC, "(%u - 1) probes x %us = %s", settings->count,
			 settings->interval, hf_option_seconds(bounds.outage_idle_ms, outage));
}
