/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/event.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/escape.h"
#include "cli/table.h"
#include "core/duration.h"

static const struct {
	const char *name;
	enum hf_colour colour;
} kinds[] = {
	[HF_EVENT_PROTECTED] = { "protected", HF_GOOD },
	[HF_EVENT_DEAD] = { "dead", HF_BAD },
	[HF_EVENT_RESET] = { "reset", HF_BAD },
	[HF_EVENT_CLOSED] = { "closed", HF_DIM },
	[HF_EVENT_REVIVED] = { "revived", HF_GOOD },
	[HF_EVENT_DESTROYED] = { "destroyed", HF_WARN },
	[HF_EVENT_BRAKED] = { "braked", HF_WARN },
	[HF_EVENT_LOST] = { "lost", HF_BAD },
	[HF_EVENT_ERROR] = { "error", HF_BAD },
};
static_assert(sizeof(kinds) / sizeof(*kinds) == HF_EVENT_KINDS, "an event has no name");

enum hf_event_kind hf_event_of_end(int error)
{
	switch (error) {
	case 0:
		return HF_EVENT_CLOSED;
	case ECONNRESET:
	case EPIPE:
		return HF_EVENT_RESET;
	case ECONNABORTED:
		return HF_EVENT_DESTROYED;
	default: /* ETIMEDOUT, or the ICMP error that came before it */
		return HF_EVENT_DEAD;
	}
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static enum hf_event_kind kind_of_wire(const struct hf_wire_event *wire)
{
	switch (wire->kind) {
	case HF_WIRE_PROTECTED:
		return HF_EVENT_PROTECTED;
	case HF_WIRE_LEFT:
		return HF_EVENT_ERROR;
	default:
		return hf_event_of_end(abs(wire->error));
	}
}

/* What is told of an outcome: nothing, but for these. */
static const struct {
	bool told;
	enum hf_event_kind kind;
	const char *action;
} outcomes[HF_OUTCOMES] = {
	[HF_OUTCOME_SET] = { true, HF_EVENT_PROTECTED, "set" },
	[HF_OUTCOME_KEPT] = { true, HF_EVENT_PROTECTED, "kept" },
	[HF_OUTCOME_REVIVED] = { true, HF_EVENT_REVIVED, NULL },
	[HF_OUTCOME_FAILED] = { true, HF_EVENT_ERROR, "the kernel refused a setting" },
	[HF_OUTCOME_OWN_TIMEOUT] = { true, HF_EVENT_ERROR,
				     "left alone: its own user timeout is too short" },
	[HF_OUTCOME_OWN_STRICTER] = { true, HF_EVENT_ERROR,
				      "left alone: its own settings are stricter" },
};

bool hf_event_of_outcome(const struct hf_record *record, struct hf_notice *out)
{
	uint32_t outcome = record->outcome;

	if (outcome >= HF_OUTCOMES || !outcomes[outcome].told)
		return false;
	hf_event_now(outcomes[outcome].kind, record, outcomes[outcome].action, out);
	return true;
}

void hf_event_of_wire(const struct hf_wire_event *wire, struct hf_notice *out)
{
	int64_t ago = clock_ms(CLOCK_MONOTONIC) - (int64_t)(wire->time_ns / 1000000);

	*out = (struct hf_notice){
		.kind = kind_of_wire(wire),
		.time_ms = clock_ms(CLOCK_REALTIME) - ago,
		.record = &wire->record,
		.error = wire->kind == HF_WIRE_ENDED && wire->error > 0 ? wire->error : 0,
		.action = wire->kind == HF_WIRE_ENDED ? NULL :
							outcomes[wire->record.outcome].action,
	};
}

void hf_event_now(enum hf_event_kind kind, const struct hf_record *record, const char *action,
		  struct hf_notice *out)
{
	*out = (struct hf_notice){
		.kind = kind,
		.time_ms = clock_ms(CLOCK_REALTIME),
		.record = record,
		.action = action,
	};
}

void hf_event_format_time(int64_t ms, char *text, size_t size)
{
	time_t seconds = ms / 1000;
	struct tm utc;
	size_t length;

	gmtime_r(&seconds, &utc);
	length = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, size - length, ".%03dZ", (int)(ms % 1000));
}

static void format_end(const struct hf_record *record, bool remote, char *text)
{
	struct hf_endpoint endpoint = {
		.address = remote ? record->remote : record->local,
		.port = remote ? record->remote_port : record->local_port,
		.family = record->family,
	};

	hf_endpoint_format(&endpoint, text);
}

uint32_t hf_event_unanswered(const struct hf_record *record)
{
	return record->unanswered + record->retransmits;
}

static void print_count(uint32_t count, const char *what, const char *before, FILE *out)
{
	if (count)
		fprintf(out, "%s%" PRIu32 " %s%s", before, count, what, count == 1 ? "" : "s");
}

void hf_event_print_unanswered(const struct hf_record *record, FILE *out)
{
	print_count(record->unanswered, "probe", "", out);
	print_count(record->retransmits, "retransmission", record->unanswered ? " and " : "", out);
	fputs(" unanswered", out);
}

static json_t *json_name(const char *bytes, size_t size)
{
	char valid[HF_ESCAPED(HF_RULE_NAME)];
	size_t length = strnlen(bytes, size);

	return json_stringn(valid, hf_escape_invalid(bytes, length, valid));
}

static json_t *json_evidence(const struct hf_notice *event)
{
	const struct hf_record *record = event->record;
	const char *name = event->error ? strerrorname_np(event->error) : NULL;
	json_t *rtt = record->srtt_us ? json_real(record->srtt_us / 1000.0) : json_null();
	json_t *evidence = json_pack("{s:i, s:f, s:s?, s:i, s:o}", "unanswered",
				     (int)hf_event_unanswered(record), "silent_s",
				     record->silent_ms / 1000.0, "errno", name, "probes",
				     (int)record->unanswered, "rtt_ms", rtt);

	if (event->end)
		json_object_set_new(evidence, "end", json_string(event->end));
	return evidence;
}

static void add_connection(json_t *object, const struct hf_notice *event)
{
	const struct hf_record *record = event->record;
	char local[HF_ENDPOINT_TEXT], remote[HF_ENDPOINT_TEXT];
	bool owned = record->flags & HF_RECORD_OWNER, ruled = record->flags & HF_RECORD_RULE;

	format_end(record, false, local);
	format_end(record, true, remote);
	json_object_set_new(object, "local", json_string(local));
	json_object_set_new(object, "remote", json_string(remote));
	json_object_set_new(object, "netns", json_integer(record->netns));
	json_object_set_new(object, "pid", owned ? json_integer(record->pid) : json_null());
	json_object_set_new(object, "process",
			    owned ? json_name(record->process, HF_PROCESS_NAME) : json_null());
	json_object_set_new(object, "rule",
			    ruled ? json_name(record->rule, HF_RULE_NAME) : json_null());
	json_object_set_new(object, "evidence", json_evidence(event));
}

static void print_json(const struct hf_notice *event, const char *time, FILE *out)
{
	static const char *const absent[] = { "local",	 "remote", "netns",   "pid",
					      "process", "rule",   "evidence" };
	json_t *object = json_pack("{s:s, s:s}", "time", time, "event", kinds[event->kind].name);

	if (event->record)
		add_connection(object, event);
	for (size_t i = 0; !event->record && i < sizeof(absent) / sizeof(*absent); i++)
		json_object_set_new(object, absent[i], json_null());
	json_object_set_new(object, "action",
			    event->action ? json_string(event->action) : json_null());
	json_dumpf(object, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
	fputc('\n', out);
	json_decref(object);
}

static void print_owner(const struct hf_record *record, FILE *out)
{
	char name[HF_ESCAPED(HF_PROCESS_NAME)];

	if (!(record->flags & HF_RECORD_OWNER))
		return;
	hf_escape(record->process, strnlen(record->process, HF_PROCESS_NAME), name);
	fprintf(out, "  %s[%u]", name, record->pid);
}

static void print_evidence(const struct hf_notice *event, FILE *out)
{
	const struct hf_record *record = event->record;
	char silent[HF_DURATION_TEXT];

	if (event->kind == HF_EVENT_PROTECTED && !event->end) {
		fprintf(out, "  %s %u/%u/%u", event->action, record->settings.idle,
			record->settings.interval, record->settings.count);
		return;
	}
	hf_duration_format((record->silent_ms + 50) / 100 * 100, silent);
	if (event->end)
		fprintf(out, "  %s", event->end);
	if (event->error)
		fprintf(out, "  %s",
			strerrorname_np(event->error) ? strerrorname_np(event->error) :
							"unknown error");
	fprintf(out, "  silent %s", silent);
	if (hf_event_unanswered(record)) {
		fputs(", ", out);
		hf_event_print_unanswered(record, out);
	}
	if (event->action)
		fprintf(out, ", %s", event->action);
}

static void print_text(const struct hf_notice *event, const char *time, bool colour, FILE *out)
{
	char local[HF_ENDPOINT_TEXT], remote[HF_ENDPOINT_TEXT];

	fprintf(out, "%.12s  %s%-9s%s", time + 11,
		colour ? hf_colour_code(kinds[event->kind].colour) : "", kinds[event->kind].name,
		colour ? HF_COLOUR_OFF : "");
	if (event->record) {
		format_end(event->record, false, local);
		format_end(event->record, true, remote);
		fprintf(out, "  %s -> %s", local, remote);
		print_owner(event->record, out);
		print_evidence(event, out);
	} else if (event->action) {
		fprintf(out, "  %s", event->action);
	}
	fputc('\n', out);
}

void hf_event_print(const struct hf_notice *event, bool json, bool colour, FILE *out)
{
	char time[64];

	hf_event_format_time(event->time_ms, time, sizeof(time));
	if (json)
		print_json(event, time, out);
	else
		print_text(event, time, colour, out);
}
