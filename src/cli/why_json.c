/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/escape.h"
#include "cli/why.h"
#include "cli/why_arithmetic.h"

static json_t *seconds(uint64_t ms)
{
	if (ms == HF_UNBOUNDED)
		return json_null();
	return ms % 1000 ? json_real((double)ms / 1000) : json_integer((json_int_t)(ms / 1000));
}

static json_t *seconds_or_null(uint64_t ms)
{
	return ms ? seconds(ms) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* All that `list --json` says of it, by the very same code. */
static json_t *list_row(const struct hf_why *why)
{
	struct hf_columns columns;
	struct hf_table *table;
	size_t length = 0;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &length);
	json_t *row;

	if (!stream)
		return NULL;
	hf_columns_default(HF_COLUMNS_JSON, &columns);
	table = hf_table_open(columns.column, columns.count, true, stream);
	if (table)
		hf_connection_row(table, &columns, &why->connection);
	hf_table_close(&table);
	fclose(stream);
	row = json_loads(text, 0, NULL);
	free(text);
	return row;
}

static json_t *holders(const struct hf_why *why)
{
	json_t *array = json_array();

	for (size_t i = 0; i < why->holders && i < HF_WHY_HOLDERS; i++) {
		const struct hf_holder *holder = &why->holder[i];
		char name[HF_ESCAPED(HF_PROCESS_NAME)];

		hf_escape_invalid(holder->process, strnlen(holder->process, HF_PROCESS_NAME), name);
		json_array_append_new(array, json_pack("{sIss}", "pid", (json_int_t)holder->pid,
						       "process", name));
	}
	return array;
}

static json_t *goals(const struct hf_goals *goals)
{
	return json_pack("{soso}", "dead_within_s", seconds_or_null(goals->dead_within_ms),
			 "keep_open_s", seconds_or_null(goals->keep_open_ms));
}

static json_t *matched(enum hf_matched matched)
{
	return matched == HF_MATCHED_UNKNOWN ? json_null() : json_boolean(matched == HF_MATCHED);
}

static json_t *conditions(const struct hf_why *why)
{
	json_t *object = json_object();

	for (size_t i = 0; i < why->conditions; i++)
		json_object_set_new(object, why->condition[i].name,
				    matched(why->condition[i].matched));
	return object;
}

static json_t *would(const struct hf_why *why)
{
	static const char *const decisions[] = {
		[HF_KEEP] = "keep",
		[HF_REPLACE] = "set",
		[HF_LEAVE_TIMEOUT] = "own-timeout",
		[HF_LEAVE_STRICT] = "own-stricter",
	};
	const struct hf_settings *set = &why->would;

	if (why->connection.verdict == HF_NOT_JUDGED)
		return json_null();
	if (why->decision != HF_REPLACE)
		return json_pack("{sssnsnsn}", "outcome", decisions[why->decision], "idle",
				 "interval", "count");
	return json_pack("{sssisisi}", "outcome", "set", "idle", (int)set->idle, "interval",
			 (int)set->interval, "count", (int)set->count);
}

static json_t *value(enum hf_setting setting, uint32_t number)
{
	return setting == HF_SETTING_KEEPALIVE ? json_boolean(number) : json_integer(number);
}

static json_t *settings(const struct hf_why *why)
{
	const struct hf_record *record = &why->record;
	json_t *object = json_object();

	for (unsigned int i = 0; i < HF_WHY_SETTINGS; i++) {
		enum hf_setting setting = 1u << i;
		const char *by = hf_why_set_by(why, setting);
		bool ours = by && !strcmp(by, "holdfast");

		json_object_set_new(
			object, hf_why_settings[i],
			json_pack("{sososo}", "value",
				  value(setting, hf_why_value(&record->settings, setting)),
				  "set_by", text_or_null(by), "own",
				  ours ? value(setting,
					       hf_why_value(&record->origin.original, setting)) :
					 json_null()));
	}
	return object;
}

static json_t *defaults(const struct hf_record *record)
{
	if (!(record->flags & HF_RECORD_ORIGIN))
		return json_null();
	return json_pack("{sIsIsI}", "idle", (json_int_t)record->origin.idle, "interval",
			 (json_int_t)record->origin.interval, "count",
			 (json_int_t)record->origin.count);
}

static json_t *spelled(uint64_t bound_ms, const char *arithmetic)
{
	return json_pack("{soss}", "bound_s", seconds(bound_ms), "arithmetic", arithmetic);
}

static json_t *bounds(const struct hf_why *why)
{
	const struct hf_settings *settings = &why->record.settings;
	const struct hf_bounds *bounds = &why->connection.bounds;
	char idle[HF_ARITHMETIC], in_flight[HF_ARITHMETIC], open[HF_ARITHMETIC];
	char outage[HF_ARITHMETIC];

	hf_arithmetic_idle(settings, idle);
	hf_arithmetic_in_flight(settings, &why->rtx, in_flight);
	hf_arithmetic_keep_open(settings, open);
	hf_arithmetic_outage(settings, outage);
	return json_pack("{sososososo}", "idle", spelled(bounds->idle_ms, idle), "in_flight",
			 spelled(bounds->in_flight_ms, in_flight), "keep_open",
			 spelled(bounds->keep_open_ms, open), "outage_idle",
			 spelled(bounds->outage_idle_ms, outage), "outage_in_flight_s",
			 seconds(bounds->outage_in_flight_ms));
}

static json_t *so_far(const struct hf_record *record)
{
	bool origin = record->flags & HF_RECORD_ORIGIN, ruled = record->flags & HF_RECORD_RULE;
	bool retransmits = origin && record->retransmits;

	return json_pack("{sIsososIsosb}", "retransmissions", (json_int_t)record->retransmits,
			 "retransmitting_s",
			 retransmits ? seconds(record->origin.since_ms) : json_null(), "rto_ms",
			 json_integer(record->rto_ms), "retries2", (json_int_t)record->retries2,
			 "armed_ms",
			 ruled && record->armed_ms ? json_integer(record->armed_ms) : json_null(),
			 "suspected",
			 ruled && origin && (record->origin.memory & HF_MEMORY_SUSPECTED));
}

static json_t *reasons(const struct hf_why *why)
{
	json_t *array = json_array();

	for (size_t i = 0; i < why->reasons; i++)
		json_array_append_new(array, json_pack("{ssss}", "reason", why->reason[i].name,
						       "text", why->reason[i].text));
	return array;
}

int hf_why_print_json(const struct hf_why *why)
{
	static const char *const judges[] = {
		[HF_WHY_POLICY] = "policy",
		[HF_WHY_RULE] = "rule",
		[HF_WHY_DEFAULT] = "default",
	};
	static const char *const directions[] = {
		[HF_ANY_DIRECTION] = NULL,
		[HF_OUTGOING] = "out",
		[HF_INCOMING] = "in",
	};
	const struct hf_record *record = &why->record;
	bool known = hf_why_known(why), ruled = record->flags & HF_RECORD_RULE;
	const struct {
		const char *key;
		json_t *value;
	} pairs[] = {
		{ "swapped", json_boolean(why->swapped) },
		{ "direction", text_or_null(directions[why->direction]) },
		{ "holders", holders(why) },
		{ "watcher", why->remembers ? json_boolean(why->watcher) : json_null() },
		{ "rule_goals", ruled ? goals(&record->goals) : json_null() },
		{ "goals", goals(&why->goals) },
		{ "judged_by", json_string(judges[why->judge]) },
		{ "conditions", conditions(why) },
		{ "matches", why->conditions ? matched(why->matched) : json_null() },
		{ "would", would(why) },
		{ "settings", known ? settings(why) : json_null() },
		{ "sysctl", known ? defaults(record) : json_null() },
		{ "bounds", known ? bounds(why) : json_null() },
		{ "so_far", record->flags & HF_RECORD_FULL ? so_far(record) : json_null() },
		{ "prevents", reasons(why) },
		{ "next", text_or_null(why->next) },
	};
	json_t *object = list_row(why);
	int failed = 0;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		failed |= json_object_set_new(object, pairs[i].key, pairs[i].value);
	if (!failed) {
		json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
		putchar('\n');
	}
	json_decref(object);
	return failed ? hf_command_output(-ENOMEM) : HF_EXIT_DONE;
}
