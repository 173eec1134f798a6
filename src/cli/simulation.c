/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/simulation.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/command.h"
#include "cli/escape.h"
#include "core/duration.h"
#include "sim/plot.h"

#define DAY_MS 86400e3

static double flow_days(const struct hf_result *result)
{
	return result->flows * (result->scenario->duration_ms / DAY_MS);
}

static uint64_t largest_table(const struct hf_result *result)
{
	uint64_t largest = 0;

	for (size_t i = 0; i < result->samples; i++)
		if (result->sample[i].table > largest)
			largest = result->sample[i].table;
	return largest;
}

/* --- Text --- */

static void row(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *what, const char *format, ...)
{
	va_list arguments;

	printf("  %-16s", what);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

static void number_row(const char *what, uint64_t number, const char *why)
{
	row(what, "%-12" PRIu64 "%s", number, why);
}

static void durations_row(const char *what, const struct hf_durations *durations)
{
	char median[HF_DURATION_TEXT], late[HF_DURATION_TEXT], longest[HF_DURATION_TEXT];

	hf_duration_format(hf_durations_quantile(durations, 0.5), median);
	hf_duration_format(hf_durations_quantile(durations, 0.99), late);
	hf_duration_format(hf_durations_quantile(durations, 1), longest);
	if (durations->count)
		row(what, "%-16smedian; 99 %% in %s, all in %s", median, late, longest);
}

static void print_deaths(const struct hf_result *result)
{
	char expected[32] = "no theory here";

	if (!isnan(result->all_lost_expected))
		snprintf(expected, sizeof(expected), "theory: %.3g", result->all_lost_expected);
	puts("Deaths");
	number_row("real", result->real,
		   "of watched ends: gone until told, or for longer than promised");
	row("found", "%-12" PRIu64 "by RST %" PRIu64 ", the way being broken %" PRIu64,
	    result->found, result->by_reset, result->unreachable);
	number_row("missed", result->missed, "not told in time");
	number_row("late", result->late, "told later than promised");
	number_row("false", result->wrong, "told although an answer had come in time");
	row("all probes lost", "%-12" PRIu64 "%s", result->all_lost, expected);
	number_row("revived", result->revived, "heard again after the verdict");
	number_row("given up", result->given_up, "told by an end's own retransmissions");
	number_row("closed", result->closed, "ends closed in the ordinary way");
}

static void print_detection(const struct hf_result *result)
{
	char bound[HF_DURATION_TEXT];

	if (!result->bound_ms)
		return;
	hf_duration_format(result->bound_ms, bound);
	puts("Found after the last segment heard");
	row("promised", "%s", bound);
	durations_row("idle", &result->detection);
	durations_row("data in flight", &result->in_flight);
	durations_row("after the death", &result->after_death);
}

static void print_traffic(const struct hf_result *result)
{
	double days = flow_days(result);

	puts("Traffic of keepalive");
	row("probes", "%-12" PRIu64 "%.1f per flow and day", result->probes,
	    (double)result->probes / days);
	number_row("questions", result->questions, "for sequence numbers not known");
	number_row("answers", result->answers, "to either");
	row("bytes", "%-12" PRIu64 "%.0f per flow and day", result->bytes,
	    (double)result->bytes / days);
}

static void print_tables(const struct hf_result *result)
{
	puts("Tables");
	number_row("flows watched", largest_table(result), "at most");
	if (result->has_nat)
		row("NAT, firewall",
		    "%-12" PRIu64 "living connections evicted, %" PRIu64 " expired",
		    result->evicted, result->expired);
	if (result->has_gateway)
		row("gateways",
		    "%-12" PRIu64 "flows hold, %" PRIu64 " refused; timers at most %" PRIu64
		    " ms late",
		    result->gateway_capacity, result->gateway_refused, result->gateway_late_max_ms);
}

static void escaped_name(const struct hf_result *result, char *out)
{
	hf_escape(result->scenario->name, strlen(result->scenario->name), out);
}

void hf_simulation_text(const struct hf_result *result)
{
	char name[HF_ESCAPED(HF_SCENARIO_NAME)], about[HF_ESCAPED(sizeof(result->scenario->about))];
	char duration[HF_DURATION_TEXT];

	escaped_name(result, name);
	hf_escape(result->scenario->about, strlen(result->scenario->about), about);
	printf("%s%s%s\n", name, *about ? ": " : "", about);
	hf_duration_format(result->scenario->duration_ms, duration);
	row("virtual time", "%-12sseed %" PRIu64, duration, result->seed);
	row("flows", "%-12" PRIu32 "%" PRIu64 " connections opened, %" PRIu64 " open at the end",
	    result->flows, result->opened, result->open);
	print_deaths(result);
	print_detection(result);
	print_traffic(result);
	print_tables(result);
}

/* --- JSON --- */

static json_t *whole(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *seconds(uint64_t ms)
{
	return ms % 1000 ? json_real((double)ms / 1000) : whole(ms / 1000);
}

static json_t *real_or_null(double number)
{
	return isnan(number) ? json_null() : json_real(number);
}

static json_t *durations(const struct hf_durations *durations)
{
	if (!durations->count)
		return json_pack("{s:n, s:n, s:n}", "p50", "p99", "max");
	return json_pack("{s:o, s:o, s:o}", "p50", seconds(hf_durations_quantile(durations, 0.5)),
			 "p99", seconds(hf_durations_quantile(durations, 0.99)), "max",
			 seconds(hf_durations_quantile(durations, 1)));
}

static json_t *deaths(const struct hf_result *result)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "real",
			 whole(result->real), "found", whole(result->found), "false",
			 whole(result->wrong), "all_probes_lost", whole(result->all_lost),
			 "all_probes_lost_expected", real_or_null(result->all_lost_expected),
			 "missed", whole(result->missed), "late", whole(result->late), "by_reset",
			 whole(result->by_reset), "unreachable", whole(result->unreachable),
			 "revived", whole(result->revived), "given_up", whole(result->given_up),
			 "closed", whole(result->closed));
}

static json_t *nat(const struct hf_result *result)
{
	if (!result->has_nat)
		return json_null();
	return json_pack("{s:o, s:o}", "evicted", whole(result->evicted), "expired",
			 whole(result->expired));
}

static json_t *gateway(const struct hf_result *result)
{
	if (!result->has_gateway)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "capacity", whole(result->gateway_capacity), "refused",
			 whole(result->gateway_refused), "late_max_ms",
			 whole(result->gateway_late_max_ms));
}

static json_t *per_flow_day(const struct hf_result *result)
{
	double days = flow_days(result);

	return json_pack("{s:f, s:f}", "probes", (double)result->probes / days, "bytes",
			 (double)result->bytes / days);
}

static json_t *series(const struct hf_result *result)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < result->samples; i++) {
		const struct hf_sample *sample = &result->sample[i];

		json_array_append_new(
			rows, json_pack("[o, o, o, o, o, o, o]", seconds(sample->at_ms),
					whole(sample->flows), whole(sample->table),
					whole(sample->dialogues), whole(sample->nat_entries),
					whole(sample->probes), whole(sample->deaths)));
	}
	return json_pack("{s:[s, s, s, s, s, s, s], s:o}", "columns", "at_s", "open", "watched",
			 "dialogues", "nat_entries", "probes", "deaths", "rows", rows);
}

static json_t *expected(const struct hf_result *result)
{
	struct hf_unmet unmet[HF_EXPECTATION_COUNT];
	unsigned int count = hf_result_unmet(result, unmet);
	json_t *names = json_array();

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(names, json_string(unmet[i].name));
	return json_pack("{s:o, s:o}", "given", whole(hf_result_expected(result)), "unmet", names);
}

void hf_simulation_json(const struct hf_result *result)
{
	char name[HF_ESCAPED(HF_SCENARIO_NAME)];
	const struct {
		const char *key;
		json_t *value;
	} pairs[] = {
		{ "scenario",
		  (hf_escape_invalid(result->scenario->name, strlen(result->scenario->name), name),
		   json_string(name)) },
		{ "seed", whole(result->seed) },
		{ "virtual_s", seconds(result->scenario->duration_ms) },
		{ "flows", whole(result->flows) },
		{ "probes", whole(result->probes) },
		{ "answers", whole(result->answers) },
		{ "bytes", whole(result->bytes) },
		{ "deaths", deaths(result) },
		{ "detection_s", durations(&result->detection) },
		{ "bound_s", result->bound_ms ? seconds(result->bound_ms) : json_null() },
		{ "nat", nat(result) },
		{ "gateway", gateway(result) },
		{ "opened", whole(result->opened) },
		{ "open", whole(result->open) },
		{ "questions", whole(result->questions) },
		{ "detection_in_flight_s", durations(&result->in_flight) },
		{ "after_death_s", durations(&result->after_death) },
		{ "per_flow_day", per_flow_day(result) },
		{ "expected", expected(result) },
		{ "series", series(result) },
	};
	json_t *object = json_object();

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		json_object_set_new(object, pairs[i].key, pairs[i].value);
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
	putchar('\n');
	json_decref(object);
}

/* --- The rest --- */

void hf_simulation_plot(const struct hf_result *result, FILE *out)
{
	char name[HF_ESCAPED(HF_SCENARIO_NAME)];

	escaped_name(result, name);
	hf_plot_write(result, name, out);
}

unsigned int hf_simulation_unmet(const struct hf_result *result, const char *file)
{
	struct hf_unmet unmet[HF_EXPECTATION_COUNT];
	unsigned int count = hf_result_unmet(result, unmet);
	struct hf_problem problem;
	char where[32] = "";

	for (unsigned int i = 0; i < count; i++) {
		const struct hf_range *wanted = &unmet[i].wanted;

		if (wanted->line)
			snprintf(where, sizeof(where), ":%d", wanted->line);
		hf_problem_set(&problem, HF_EXIT_BAD_NEWS, NULL,
			       "%s%s: %s is %.10g, and not from %.10g to %.10g", file, where,
			       unmet[i].name, unmet[i].is, wanted->least, wanted->most);
		hf_command_fail(&problem);
	}
	return count;
}
