/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "cli/escape.h"
#include "cli/event.h"
#include "core/duration.h"

/* Local time of day, as on the clock beside the screen. */
static const char *clock_text(int64_t ms, char text[static 16])
{
	time_t seconds = ms / 1000;
	struct tm local;

	localtime_r(&seconds, &local);
	strftime(text, 16, "%H:%M:%S", &local);
	return text;
}

const char *hf_top_duration(uint64_t ms, char *text)
{
	if (ms == HF_UNBOUNDED)
		return "never";
	hf_duration_format(ms < 1000 ? ms : (ms + 50) / 100 * 100, text);
	return text;
}

static void print_goal(const struct hf_goals *policy, FILE *out)
{
	char text[HF_DURATION_TEXT];

	if (!policy) {
		fputs("goal: by rule, else 2min", out);
		return;
	}
	fputs("goal:", out);
	if (policy->dead_within_ms)
		fprintf(out, " dead within %s", hf_top_duration(policy->dead_within_ms, text));
	if (policy->keep_open_ms)
		fprintf(out, "%s open %s", policy->dead_within_ms ? "," : "",
			hf_top_duration(policy->keep_open_ms, text));
}
static_assert(HF_DEAD_WITHIN_DEFAULT == 120000, "2min is said to be the default");

static void print_rates(const struct hf_top_rates *rates, FILE *out)
{
	fputs("Per second   ", out);
	if (rates->known)
		fprintf(out, "%.1f probes   %.1f appeared   %.1f gone   %.1f deaths", rates->probes,
			rates->appeared, rates->gone, rates->deaths);
	else
		fputs("- probes   - appeared   - gone   - deaths", out);
	fprintf(out, " (%" PRIu64 " so far)\n", rates->deaths_so_far);
}

static void print_view(const struct hf_top_frame *frame, const struct hf_top_view *view,
		       bool typing, FILE *out)
{
	char filter[HF_ESCAPED(HF_TOP_FILTER)];

	fprintf(out, "Sort         %s%s", hf_top_sort_name(view->sort),
		view->reversed ? ", reversed" : "");
	if (*view->filter || typing) {
		hf_escape(view->filter, strlen(view->filter), filter);
		fprintf(out, "   Filter %s%s", filter, typing ? "_" : "");
	}
	fprintf(out, "   rows %u of %" PRIu64 "\n", frame->list.shown, frame->list.counts.matched);
}

void hf_top_print_title(const struct hf_top_frame *frame, const struct hf_top_view *view,
			const struct hf_top_title *title, FILE *out)
{
	const struct hf_top_counts *counts = &frame->list.counts;
	char text[HF_DURATION_TEXT], clock[16];

	fprintf(out, "holdfast top - %s, every %s, a pass takes %" PRIu32 "ms%s\n",
		clock_text(frame->time_ms, clock), hf_top_duration(title->delay_ms, text),
		frame->pass_ms, title->paused ? "   PAUSED" : "");
	fprintf(out, "Connections  %" PRIu64 "   %" PRIu64 " probing   %" PRIu64 " just died   ",
		counts->connections, counts->probing, counts->dead);
	print_goal(title->policy, out);
	fprintf(out,
		"\nAudit        %" PRIu64 " unprotected   %" PRIu64 " slow   %" PRIu64
		" protected   %" PRIu64 " not judged\n",
		counts->audit[HF_UNPROTECTED], counts->audit[HF_SLOW], counts->audit[HF_PROTECTED],
		counts->audit[HF_NOT_JUDGED]);
	print_rates(&frame->rates, out);
	print_view(frame, view, title->typing, out);
}

/* --- Rows. --- */

#define COLUMNS "local,remote,process,pid,silent_s,unanswered,next_probe_s,bound_idle_s,rtt_ms,rule"

/* On a screen the ends must give way, too; the status comes first. */
static const struct {
	uint8_t flexible, drop;
} layout[] = {
	{ 0, 0 }, { 20, 0 }, { 20, 0 }, { 7, 0 }, { 0, 5 }, { 0, 0 },
	{ 0, 0 }, { 0, 1 },  { 0, 2 },	{ 0, 3 }, { 6, 4 },
};
#define LAID_OUT (sizeof(layout) / sizeof(*layout))

static void lay_out(const struct hf_columns *columns, struct hf_column *own,
		    const struct hf_column **at)
{
	assert(columns->count + 1 == LAID_OUT);
	for (unsigned int i = 0; i < LAID_OUT; i++) {
		if (i)
			own[i] = *columns->column[i - 1];
		else
			own[i] = (struct hf_column){ "status", "STATUS", HF_LEFT, 0, 0 };
		own[i].flexible = layout[i].flexible;
		own[i].drop = layout[i].drop;
		at[i] = &own[i];
	}
}

static enum hf_colour colour_of(const struct hf_top_row *row)
{
	return row->rank <= HF_TOP_PROBING ? HF_BAD : hf_verdict_colour(row->connection.verdict);
}

int hf_top_print_rows(const struct hf_top_list *list, unsigned int first, unsigned int count,
		      unsigned int width, FILE *out)
{
	const struct hf_column *at[LAID_OUT];
	struct hf_column own[LAID_OUT];
	struct hf_columns columns;
	struct hf_table *table;
	long rows;

	hf_columns_parse(COLUMNS, &columns);
	lay_out(&columns, own, at);
	table = hf_table_open(at, LAID_OUT, false, out);
	if (!table)
		return -ENOMEM;
	hf_table_fit(table, width);
	hf_table_expect(table, 0, strlen("unprotected")); /* columns that do not jump about */
	for (unsigned int i = first; i < list->shown && i < first + count; i++) {
		hf_table_text(table, hf_top_status(&list->at[i]->connection),
			      colour_of(list->at[i]));
		hf_connection_row(table, &columns, &list->at[i]->connection);
	}
	rows = hf_table_close(&table);
	return rows < 0 ? (int)rows : 0;
}

/* --- Events. --- */

static void print_who(const struct hf_record *record, FILE *out)
{
	char near[HF_ENDPOINT_TEXT], far[HF_ENDPOINT_TEXT], name[HF_ESCAPED(HF_PROCESS_NAME)];

	hf_top_end_text(record, false, near);
	hf_top_end_text(record, true, far);
	fprintf(out, "%s -> %s", near, far);
	if (!(record->flags & HF_RECORD_OWNER))
		return;
	hf_escape(record->process, strnlen(record->process, HF_PROCESS_NAME), name);
	fprintf(out, "  %s[%" PRIu32 "]", name, record->pid);
}

static void print_event(const struct hf_top_event *event, FILE *out)
{
	char clock[16], silent[HF_DURATION_TEXT];
	struct hf_record record;

	hf_top_known_record(&event->known, false, &record);
	fprintf(out, "%s  %-8s  ", clock_text(event->time_ms, clock),
		hf_top_change_name(event->change));
	if (hf_event_unanswered(&record)) {
		hf_event_print_unanswered(&record, out);
		fprintf(out, ", silent %s  ", hf_top_duration(record.silent_ms, silent));
	}
	print_who(&record, out);
	fputc('\n', out);
}

void hf_top_print_events(const struct hf_top_frame *frame, unsigned int count, FILE *out)
{
	for (unsigned int i = 0; i < count && i < frame->events; i++)
		print_event(&frame->event[i], out);
}
