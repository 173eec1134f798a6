/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/event.h"
#include "cli/top_text.h"

#define TIME_TEXT 32

static json_t *json_time(int64_t ms)
{
	char text[TIME_TEXT];

	hf_event_format_time(ms, text, sizeof(text));
	return json_string(text);
}

static json_t *json_rate(const struct hf_top_rates *rates, double rate)
{
	return rates->known ? json_real(rate) : json_null();
}

static json_t *json_process(const struct hf_record *record)
{
	char valid[HF_ESCAPED(HF_PROCESS_NAME)];
	size_t length = strnlen(record->process, HF_PROCESS_NAME);

	if (!(record->flags & HF_RECORD_OWNER))
		return json_null();
	return json_stringn(valid, hf_escape_invalid(record->process, length, valid));
}

static json_t *json_event(const struct hf_top_event *event)
{
	char local[HF_ENDPOINT_TEXT], remote[HF_ENDPOINT_TEXT];
	struct hf_record record;

	hf_top_known_record(&event->known, false, &record);
	hf_top_end_text(&record, false, local);
	hf_top_end_text(&record, true, remote);
	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:I, s:f}", "event",
			 hf_top_change_name(event->change), "local", local, "remote", remote,
			 "netns", (json_int_t)record.netns, "pid",
			 record.flags & HF_RECORD_OWNER ? json_integer(record.pid) : json_null(),
			 "process", json_process(&record), "unanswered",
			 (json_int_t)hf_event_unanswered(&record), "silent_s",
			 record.silent_ms / 1000.0);
}

static json_t *json_events(const struct hf_top_frame *frame, unsigned int events)
{
	json_t *array = json_array();

	while (events)
		json_array_append_new(array, json_event(&frame->event[--events]));
	return array;
}

static json_t *json_frame(const struct hf_top_frame *frame, unsigned int events)
{
	const struct hf_top_counts *counts = &frame->list.counts;
	const struct hf_top_rates *rates = &frame->rates;

	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:o}",
			 "time", json_time(frame->time_ms), "connections",
			 (json_int_t)counts->connections, "unprotected",
			 (json_int_t)counts->audit[HF_UNPROTECTED], "slow",
			 (json_int_t)counts->audit[HF_SLOW], "protected",
			 (json_int_t)counts->audit[HF_PROTECTED], "not_judged",
			 (json_int_t)counts->audit[HF_NOT_JUDGED], "probing",
			 (json_int_t)counts->probing, "just_died", (json_int_t)counts->dead,
			 "probes_per_s", json_rate(rates, rates->probes), "deaths_per_s",
			 json_rate(rates, rates->deaths), "appeared_per_s",
			 json_rate(rates, rates->appeared), "gone_per_s",
			 json_rate(rates, rates->gone), "deaths_so_far",
			 (json_int_t)rates->deaths_so_far, "events", json_events(frame, events));
}

int hf_top_print_json(const struct hf_top_frame *frame, unsigned int events, FILE *out)
{
	json_t *object = json_frame(frame, events);
	int error = 0;

	if (!object)
		return -ENOMEM;
	errno = 0;
	if (json_dumpf(object, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12)) ||
	    putc('\n', out) == EOF)
		error = errno ? -errno : -EIO;
	json_decref(object);
	return error;
}
