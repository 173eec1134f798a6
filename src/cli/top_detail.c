/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection in full, its timers counting down; and the help. */
#include <inttypes.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/options.h"
#include "cli/top_text.h"
#include "core/duration.h"

static uint64_t elapsed_ms(const struct hf_top_detail *detail)
{
	return detail->gone || detail->now_ms < detail->at_ms ? 0 : detail->now_ms - detail->at_ms;
}

static void print_ends(const struct hf_record *record, FILE *out)
{
	char near[HF_ENDPOINT_TEXT], far[HF_ENDPOINT_TEXT];

	hf_top_end_text(record, false, near);
	hf_top_end_text(record, true, far);
	fprintf(out, "Local        %s\nRemote       %s\n", near, far);
}

static void print_owner(const struct hf_top_detail *detail, FILE *out)
{
	const struct hf_record *record = detail->connection->record;
	char name[HF_ESCAPED(HF_PROCESS_NAME)], cgroup[HF_ESCAPED(HF_TOP_CGROUP)];

	hf_escape(record->process, strnlen(record->process, HF_PROCESS_NAME), name);
	hf_escape(detail->cgroup, strlen(detail->cgroup), cgroup);
	if (record->flags & HF_RECORD_OWNER)
		fprintf(out, "Owner        %s, pid %" PRIu32 ", uid %" PRIu32 "\n", name,
			record->pid, record->uid);
	else
		fputs("Owner        unknown\n", out);
	fprintf(out, "Cgroup       %s\n", *cgroup ? cgroup : "-");
	fprintf(out, "Namespace    %" PRIu32 ", cookie %" PRIu64 "\n", record->netns,
		record->cookie);
}

static void print_state(const struct hf_top_detail *detail, FILE *out)
{
	const struct hf_connection *connection = detail->connection;
	const char *status = hf_top_status(connection);
	const char *verdict = hf_verdict_name(connection->verdict);

	fprintf(out, "State        %s, %s", hf_state_name(connection->record->state),
		status ? status : "not judged");
	if (status && verdict && strcmp(status, verdict) != 0)
		fprintf(out, "; audit: %s", verdict);
	fprintf(out, "%s\n", detail->gone ? "   GONE: this is what was last seen" : "");
}

static void print_settings(const struct hf_record *record, FILE *out)
{
	const struct hf_settings *settings = &record->settings;

	if (record->flags & HF_RECORD_HIDDEN) {
		fputs("Keepalive    its settings are not known\n", out);
		return;
	}
	fprintf(out,
		"Keepalive    %s: idle %" PRIu32 "s, interval %" PRIu32 "s, count %" PRIu32
		", user timeout ",
		settings->keepalive ? "on" : "off", settings->idle, settings->interval,
		settings->count);
	if (settings->user_timeout_ms)
		fprintf(out, "%" PRIu32 "ms\n", settings->user_timeout_ms);
	else
		fputs("unset\n", out);
}

/*
 * When the last of the probes to come will have gone unanswered, the kernel's timers being exact; a
 * user timeout decides in place of the count, by then it has to be silent for so long.
 */
static uint64_t death_ms(const struct hf_record *record, uint64_t silent_ms, uint64_t next_ms)
{
	const struct hf_settings *settings = &record->settings;
	uint64_t interval_ms = settings->interval * UINT64_C(1000), then_ms = silent_ms + next_ms;
	uint64_t left = 0;

	if (settings->user_timeout_ms > then_ms)
		left = (settings->user_timeout_ms - then_ms + interval_ms - 1) / interval_ms;
	else if (!settings->user_timeout_ms && record->unanswered < settings->count)
		left = settings->count - record->unanswered;
	return next_ms + left * interval_ms;
}

static void print_timers(const struct hf_top_detail *detail, FILE *out)
{
	const struct hf_record *record = detail->connection->record;
	uint64_t elapsed = elapsed_ms(detail), next = record->next_probe_ms;
	uint64_t silent = record->silent_ms + elapsed;
	char text[HF_DURATION_TEXT];

	fprintf(out, "Silent       for %s\n", hf_top_duration(silent, text));
	if (record->next_probe_ms == HF_NO_PROBE || detail->gone) {
		fputs("Next probe   none is due\n", out);
		return;
	}
	next = next > elapsed ? next - elapsed : 0;
	fprintf(out, "Next probe   %s%s\n", next ? "in " : "now",
		next ? hf_top_duration(next, text) : "");
	if (!record->unanswered || record->in_flight || (record->flags & HF_RECORD_HIDDEN))
		return;
	fprintf(out, "Told dead    in %s, if nothing is heard\n",
		hf_top_duration(death_ms(record, silent, next), text));
}

static void print_evidence(const struct hf_record *record, FILE *out)
{
	fprintf(out, "Unanswered   %u", record->unanswered);
	if (!(record->flags & HF_RECORD_HIDDEN))
		fprintf(out, " of %" PRIu32, record->settings.count);
	fprintf(out, " probes, %" PRIu32 " retransmissions; %" PRIu32 " segments in flight\n",
		record->retransmits, record->in_flight);
	if (record->srtt_us)
		fprintf(out, "Round trip   %.2fms, retransmission after %" PRIu32 "ms\n",
			record->srtt_us / 1000.0, record->rto_ms);
	else
		fprintf(out, "Round trip   not measured, retransmission after %" PRIu32 "ms\n",
			record->rto_ms);
}

static void print_goals(const struct hf_goals *goals, FILE *out)
{
	char text[HF_DURATION_TEXT];

	if (goals->dead_within_ms)
		fprintf(out, ", dead within %s", hf_top_duration(goals->dead_within_ms, text));
	if (goals->keep_open_ms)
		fprintf(out, ", keep open %s", hf_top_duration(goals->keep_open_ms, text));
}

static void print_rule(const struct hf_top_detail *detail, FILE *out)
{
	const struct hf_record *record = detail->connection->record;
	char name[HF_ESCAPED(HF_RULE_NAME)], text[HF_DURATION_TEXT];

	if (!(record->flags & HF_RECORD_RULE)) {
		fputs("Rule         none\n", out);
		return;
	}
	hf_escape(record->rule, strnlen(record->rule, HF_RULE_NAME), name);
	fprintf(out, "Rule         %s", name);
	print_goals(&record->goals, out);
	if (record->armed_ms)
		fprintf(out, "; user timeout armed: %s", hf_top_duration(record->armed_ms, text));
	fputc('\n', out);
}

static void print_judge(const struct hf_top_detail *detail, FILE *out)
{
	static const struct hf_goals usual = { .dead_within_ms = HF_DEAD_WITHIN_DEFAULT };
	const struct hf_record *record = detail->connection->record;
	const struct hf_goals *goals = &usual;
	const char *whose = "the default";

	if (detail->policy) {
		goals = detail->policy;
		whose = "the command line's";
	} else if (record->flags & HF_RECORD_RULE) {
		goals = &record->goals;
		whose = "the rule's";
	}
	fprintf(out, "Judged by    %s goals", whose);
	print_goals(goals, out);
	fputc('\n', out);
}

void hf_top_print_detail(const struct hf_top_detail *detail, FILE *out)
{
	const struct hf_record *record = detail->connection->record;
	const struct hf_bounds *bounds = &detail->connection->bounds;
	char text[HF_DURATION_TEXT];

	print_ends(record, out);
	print_state(detail, out);
	print_owner(detail, out);
	fputc('\n', out);
	print_settings(record, out);
	print_timers(detail, out);
	print_evidence(record, out);
	if (!(record->flags & HF_RECORD_HIDDEN)) {
		fprintf(out, "Dead found   idle within %s", hf_top_duration(bounds->idle_ms, text));
		fprintf(out, ", with data in flight within %s\n",
			hf_top_duration(bounds->in_flight_ms, text));
	}
	print_rule(detail, out);
	print_judge(detail, out);
}

void hf_top_print_help(FILE *out)
{
	fputs("Up Down j k      choose a connection     PgUp PgDn        a screen at a time\n"
	      "Home g           the first, and stay     End G            the last one shown\n"
	      "Enter            the one in full; again, or Esc: back to all\n"
	      "/                filter as you type: every word must occur in an end, the\n"
	      "                 process, pid, state, status or rule; Enter keeps it, Esc drops it\n"
	      "s S              sort by the next, the one before:\n",
	      out);
	for (unsigned int i = 0; i < HF_TOP_SORTS; i++)
		fprintf(out, "%s%s%s", i ? ", " : "      ", hf_top_sort_name((enum hf_top_sort)i),
			i + 1 < HF_TOP_SORTS ? "" : "\n");
	fputs("r                reverse\n"
	      "p Space          pause; again: go on\n"
	      "h ?              this; any key: back\n"
	      "q                quit\n"
	      "\n"
	      "\"dead\" stays for 10 s: gone with something unanswered while the kernel gave\n"
	      "connections up. \"probing\": a probe is unanswered; \"resending\": data are.\n"
	      "The rest is the audit's verdict: unprotected, slow, protected.\n"
	      "Probes and deaths a second are the kernel's counts for whole namespaces.\n",
	      out);
}
