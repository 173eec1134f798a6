/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/options_parse.h"
#include "cli/why.h"
#include "cli/why_arithmetic.h"
#include "host/problem.h"

#define WIDTH 80
#define INDENT 18

/* --- The page: a label, then words that go on below themselves --- */

/* joint: what a line that goes on ends in */
static void put_words(const char *text, const char *joint)
{
	size_t column = INDENT, length, width;

	for (; *text; text += length) {
		bool first = column == INDENT;

		text += strspn(text, " ");
		length = strcspn(text, " ");
		width = hf_text_width(text, length);
		if (!first && column + 1 + width + strlen(joint) > WIDTH) {
			printf("%s\n%*s", joint, INDENT, "");
			column = INDENT;
			first = true;
		}
		printf("%s%.*s", first ? "" : " ", (int)length, text);
		column += width + !first;
	}
	putchar('\n');
}

static void say_joined(const char *label, const char *joint, const char *text)
{
	size_t length = strlen(text);
	char *safe = malloc(HF_ESCAPED(length));

	if (!safe)
		return;
	hf_escape(text, length, safe);
	printf("  %-*s", INDENT - 2, label);
	put_words(safe, joint);
	free(safe);
}

static void say(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What stands in the arguments is escaped here, whatever it is. */
static void say(const char *label, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	if (text)
		say_joined(label, "", text);
	free(text);
}

static const char *span(uint64_t ms, char *text)
{
	if (ms == HF_UNBOUNDED)
		return "never";
	return hf_option_seconds(ms, text);
}

/* --- Which connection, whose --- */

static void print_end(const char *label, const struct hf_record *record, bool remote)
{
	struct hf_endpoint endpoint = { remote ? record->remote : record->local,
					remote ? record->remote_port : record->local_port,
					record->family };
	char text[HF_ENDPOINT_TEXT];

	hf_endpoint_format(&endpoint, text);
	say(label, "%s", text);
}

static void print_holders(const struct hf_why *why)
{
	const struct hf_record *record = &why->record;

	for (size_t i = 0; i < why->holders && i < HF_WHY_HOLDERS; i++)
		say(i ? "" : "held by", "%u %.*s", why->holder[i].pid, HF_PROCESS_NAME,
		    why->holder[i].process);
	if (why->holders > HF_WHY_HOLDERS)
		say("", "and %zu more", why->holders - HF_WHY_HOLDERS);
	if (!why->holders)
		say("held by", "%s",
		    record->flags & HF_RECORD_ORPHAN ? "nobody any more" : "not known");
	if (record->flags & HF_RECORD_FULL)
		say("user", "%u", record->uid);
}

static void print_connection(const struct hf_why *why)
{
	static const char *const directions[] = {
		[HF_ANY_DIRECTION] = "",
		[HF_OUTGOING] = ", connected from here",
		[HF_INCOMING] = ", accepted here",
	};
	const struct hf_record *record = &why->record;

	puts("Connection");
	if (why->swapped)
		say("note", "the ends were given the other way round");
	print_end("local", record, false);
	print_end("remote", record, true);
	say("state", "%s%s", hf_state_name(record->state), directions[why->direction]);
	print_holders(why);
	if (why->cgroup)
		say("cgroup", "%s", why->cgroup);
	say("namespace", "%u", record->netns);
}

/* --- Rules --- */

static void say_goals(const char *label, const char *before, const struct hf_goals *goals)
{
	char within[HF_SECONDS_TEXT] = "", open[HF_SECONDS_TEXT] = "";

	if (goals->dead_within_ms)
		hf_option_seconds(goals->dead_within_ms, within);
	if (goals->keep_open_ms)
		hf_option_seconds(goals->keep_open_ms, open);
	say(label, "%s%s%s%s%s%s", before, *within ? "a dead peer found within " : "", within,
	    *within && *open ? ", " : "", *open ? "a path kept open that forgets after " : "",
	    open);
}

static void print_rule(const struct hf_why *why)
{
	char before[HF_RULE_NAME + sizeof("\"\": ")] = "";

	puts("Rule");
	if (why->record.flags & HF_RECORD_RULE) {
		snprintf(before, sizeof(before), "\"%.*s\": ", HF_RULE_NAME, why->record.rule);
		say_goals("under", before, &why->record.goals);
	} else {
		say("under", "%s",
		    why->remembers || !(why->record.flags & HF_RECORD_FULL) ? "none" : "not known");
	}
	if (why->remembers)
		say("watch", "%s", why->watcher ? "is running" : "none is running");
	else
		say("watch", "not known");
}

static void print_given(const struct hf_why *why)
{
	static const char *const holds[] = {
		[HF_MATCHED_NO] = "does not hold",
		[HF_MATCHED] = "holds",
		[HF_MATCHED_UNKNOWN] = "not known: it hangs on the owner",
	};
	static const char *const takes[] = {
		[HF_MATCHED_NO] = "would not take this connection",
		[HF_MATCHED] = "would take this connection",
		[HF_MATCHED_UNKNOWN] = "cannot tell before the owner is known",
	};
	const struct hf_settings *would = &why->would;

	if (!why->conditions && !why->request->policy.given)
		return;
	puts("Rule as given here");
	for (size_t i = 0; i < why->conditions; i++)
		say(why->condition[i].name, "%s", holds[why->condition[i].matched]);
	say("so it", "%s", takes[why->matched]);
	if (!why->request->policy.given || why->connection.verdict == HF_NOT_JUDGED)
		return;
	if (why->decision == HF_REPLACE)
		say("if taken", "set idle %us, interval %us, count %u", would->idle,
		    would->interval, would->count);
	else
		say("if taken", "%s",
		    why->decision == HF_KEEP ? "its own settings stay: they meet the goals" :
					       "left alone: see below");
}

/* --- Settings, and who set them --- */

static const char *value_text(enum hf_setting setting, uint32_t value, char *text)
{
	if (setting == HF_SETTING_KEEPALIVE)
		return value ? "on" : "off";
	if (setting == HF_SETTING_COUNT) {
		snprintf(text, HF_SECONDS_TEXT, "%u", value);
		return text;
	}
	if (setting == HF_SETTING_USER_TIMEOUT)
		return value ? hf_option_seconds(value, text) : "none";
	return hf_option_seconds(value * 1000ull, text);
}

static bool is_armed(const struct hf_why *why)
{
	return (why->record.flags & HF_RECORD_RULE) && why->record.armed_ms &&
	       why->record.settings.user_timeout_ms == why->record.armed_ms;
}

static void print_setting(const struct hf_why *why, unsigned int i)
{
	static const char *const labels[] = { "keepalive", "idle", "interval", "count",
					      "user timeout" };
	static const char *const sysctls[] = { "", "time", "intvl", "probes", "" };
	const struct hf_record *record = &why->record;
	enum hf_setting setting = 1u << i;
	char now[HF_SECONDS_TEXT], before[HF_SECONDS_TEXT];
	const char *by = hf_why_set_by(why, setting);
	const char *value = value_text(setting, hf_why_value(&record->settings, setting), now);

	if (!by)
		say(labels[i], "%s", value);
	else if (!strcmp(by, "holdfast"))
		say(labels[i], "%s, %s by Holdfast; without it %s", value,
		    setting == HF_SETTING_USER_TIMEOUT && is_armed(why) ? "armed" : "set",
		    value_text(setting, hf_why_value(&record->origin.original, setting), before));
	else if (!strcmp(by, "sysctl"))
		say(labels[i], "%s, by sysctl net.ipv4.tcp_keepalive_%s", value, sysctls[i]);
	else if (!strcmp(by, "program"))
		say(labels[i], "%s, set by the program", value);
	else
		say(labels[i], "%s: the program has not asked for it", value);
}

static void print_settings(const struct hf_why *why)
{
	puts("Settings in force");
	for (unsigned int i = 0; i < HF_WHY_SETTINGS; i++)
		print_setting(why, i);
}

/* --- Bounds --- */

static void say_bound(const char *label, uint64_t bound_ms, uint64_t goal_ms,
		      const char *arithmetic)
{
	char bound[HF_SECONDS_TEXT], goal[HF_SECONDS_TEXT];

	if (goal_ms && bound_ms != HF_UNBOUNDED)
		say(label, "%s %s %s: %s", span(bound_ms, bound), bound_ms <= goal_ms ? "<=" : ">",
		    hf_option_seconds(goal_ms, goal), arithmetic);
	else
		say(label, "%s: %s", span(bound_ms, bound), arithmetic);
}

static void print_bounds(const struct hf_why *why)
{
	const struct hf_settings *settings = &why->record.settings;
	const struct hf_bounds *bounds = &why->connection.bounds;
	const struct hf_goals *goals = &why->goals;
	char text[HF_ARITHMETIC], outage[HF_SECONDS_TEXT];
	struct hf_in_flight parts = hf_in_flight_split(settings, &why->rtx);

	puts("A dead peer is found within");
	hf_arithmetic_idle(settings, text);
	say_bound("idle", bounds->idle_ms, goals->dead_within_ms, text);
	hf_arithmetic_in_flight(settings, &why->rtx, text);
	say_bound("data in flight", bounds->in_flight_ms,
		  goals->dead_within_ms ? goals->dead_within_ms + parts.first_ms : 0, text);
	if (goals->keep_open_ms) {
		puts("Silence on the path at most");
		hf_arithmetic_keep_open(settings, text);
		say_bound("two lost", bounds->keep_open_ms, goals->keep_open_ms - 1000, text);
	}
	puts("A network broken for less is no death");
	hf_arithmetic_outage(settings, text);
	say("idle", "%s", text);
	say("data in flight", "%s: the retransmissions must meet the healed network",
	    span(bounds->outage_in_flight_ms, outage));
}

/* --- What happened so far --- */

static void print_probing(const struct hf_record *record)
{
	char next[HF_SECONDS_TEXT];

	if (record->unanswered)
		say("probes", "%u unanswered", record->unanswered);
	else
		say("probes", "none unanswered");
	if (record->next_probe_ms != HF_NO_PROBE)
		say("next timer", "in %s", hf_option_seconds(record->next_probe_ms, next));
}

static void print_data(const struct hf_record *record)
{
	char since[HF_SECONDS_TEXT], rto[HF_SECONDS_TEXT];

	say("data in flight", "%u segments; RTO %s, round trip %.2fms", record->in_flight,
	    hf_option_seconds(record->rto_ms, rto), record->srtt_us / 1000.0);
	if (record->retransmits && (record->flags & HF_RECORD_ORIGIN))
		say("retransmitted", "%u times without an answer, for %s", record->retransmits,
		    hf_option_seconds(record->origin.since_ms, since));
}

static void print_so_far(const struct hf_why *why)
{
	const struct hf_record *record = &why->record;
	char text[HF_SECONDS_TEXT];

	puts("So far");
	if (hf_connection_was_heard(record))
		say("silent", "for %s", hf_option_seconds(record->silent_ms, text));
	print_probing(record);
	print_data(record);
	if (is_armed(why))
		say("armed", "%s: what is unanswered ends it then",
		    hf_option_seconds(record->armed_ms, text));
	if ((record->flags & HF_RECORD_ORIGIN) && (record->flags & HF_RECORD_RULE) &&
	    (record->origin.memory & HF_MEMORY_SUSPECTED))
		say("suspected", "a pass saw two probes unanswered");
}

/* --- The verdict --- */

static void print_verdict(const struct hf_why *why)
{
	static const char *const judges[] = {
		[HF_WHY_POLICY] = "the goal given",
		[HF_WHY_RULE] = "the goal of its rule",
		[HF_WHY_DEFAULT] = "a dead peer found within 120s, as nothing else was asked for",
	};
	enum hf_verdict verdict = why->connection.verdict;
	const char *name = hf_verdict_name(verdict);
	bool colour = hf_colour_wanted(stdout);

	printf("Verdict: %s%s%s\n", colour ? hf_colour_code(hf_verdict_colour(verdict)) : "",
	       name ? name : "not judged", colour ? HF_COLOUR_OFF : "");
	if (name)
		say("judged by", "%s", judges[why->judge]);
	for (size_t i = 0; i < why->reasons; i++)
		say(i ? "" : "because", "%s", why->reason[i].text);
	if (*why->next)
		say_joined("next", " \\", why->next);
	if (why->next_note)
		say("", "(%s)", why->next_note);
}

int hf_why_print_text(const struct hf_why *why)
{
	print_connection(why);
	print_rule(why);
	print_given(why);
	if (hf_why_known(why)) {
		print_settings(why);
		print_bounds(why);
	}
	if (why->record.flags & HF_RECORD_FULL)
		print_so_far(why);
	print_verdict(why);
	return HF_EXIT_DONE;
}
