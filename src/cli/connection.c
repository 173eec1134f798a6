/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/connection.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

struct hf_retransmission hf_connection_retransmission(const struct hf_record *record, bool armed)
{
	struct hf_retransmission rtx = {
		.rto_ms = record->rto_ms ? record->rto_ms : HF_RTO_MIN,
		.retries = record->retries2,
	};

	if (armed && (record->flags & HF_RECORD_ARMS) && (record->flags & HF_RECORD_RULE))
		rtx.armed_by_ms = record->goals.dead_within_ms;
	return rtx;
}

void hf_connection_judge(const struct hf_record *record, const struct hf_goals *policy, bool armed,
			 struct hf_connection *out)
{
	struct hf_retransmission rtx = hf_connection_retransmission(record, armed);
	const struct hf_goals *goals = policy;

	if (!goals && (record->flags & HF_RECORD_RULE))
		goals = &record->goals;
	out->record = record;
	out->verdict = HF_NOT_JUDGED;
	if (!(record->flags & HF_RECORD_FULL) || (record->flags & HF_RECORD_HIDDEN))
		return;
	hf_settings_bounds(&record->settings, &rtx, &out->bounds);
	if (record->state == HF_LISTEN) /* there is no peer */
		out->bounds =
			(struct hf_bounds){ .idle_ms = HF_UNBOUNDED, .in_flight_ms = HF_UNBOUNDED };
	if (!(record->flags & (HF_RECORD_ORPHAN | HF_RECORD_KERNEL)) &&
	    (HF_STATES_JUDGED >> record->state & 1))
		out->verdict = hf_settings_audit(&record->settings, goals, &rtx);
}

bool hf_connection_was_heard(const struct hf_record *record)
{
	return record->state != HF_SYN_SENT && record->state != HF_LISTEN;
}

bool hf_connection_is_hidden(const struct hf_record *record)
{
	return (record->flags & HF_RECORD_HIDDEN) && (HF_STATES_JUDGED >> record->state & 1) &&
	       !(record->flags & (HF_RECORD_ORPHAN | HF_RECORD_KERNEL));
}

int hf_connection_say_hidden(uint64_t count, const char *done, int exit)
{
	fprintf(stderr,
		"holdfast: %llu connection%s could not be %s: held by programs that this user may "
		"not look into; run as root, or narrow it to one's own: --user NAME\n",
		(unsigned long long)count, count == 1 ? "" : "s", done);
	return exit ? exit : HF_EXIT_MISSING;
}

void hf_connection_say_shut(unsigned int count, const char *done)
{
	if (count)
		fprintf(stderr,
			"holdfast: other network namespaces (%u) are not %s, as they may not be "
			"entered; run as root, or with CAP_SYS_ADMIN\n",
			count, done);
}

const char *hf_verdict_name(enum hf_verdict verdict)
{
	static const char *const names[] = {
		[HF_UNPROTECTED] = "unprotected",
		[HF_SLOW] = "slow",
		[HF_PROTECTED] = "protected",
	};

	return names[verdict];
}

enum hf_colour hf_verdict_colour(enum hf_verdict verdict)
{
	static const enum hf_colour colours[] = {
		[HF_NOT_JUDGED] = HF_DIM,
		[HF_UNPROTECTED] = HF_BAD,
		[HF_SLOW] = HF_WARN,
		[HF_PROTECTED] = HF_GOOD,
	};

	return colours[verdict];
}

static bool is_full(const struct hf_connection *c)
{
	return c->record->flags & HF_RECORD_FULL;
}

static bool knows_settings(const struct hf_connection *c)
{
	return is_full(c) && !(c->record->flags & HF_RECORD_HIDDEN);
}

static void number_or_none(struct hf_table *table, bool known, uint64_t number)
{
	if (known)
		hf_table_number(table, number);
	else
		hf_table_none(table);
}

static void seconds_or_none(struct hf_table *table, bool known, uint64_t ms)
{
	if (known && ms != HF_UNBOUNDED)
		hf_table_seconds(table, ms);
	else
		hf_table_none(table);
}

static void cell_endpoint(struct hf_table *table, const struct hf_connection *c,
			  const struct hf_address *address, uint16_t port)
{
	struct hf_endpoint endpoint = { .address = *address,
					.port = port,
					.family = c->record->family };
	char text[HF_ENDPOINT_TEXT];

	hf_table_bytes(table, text, hf_endpoint_format(&endpoint, text), HF_PLAIN);
}

static void cell_family(struct hf_table *t, const struct hf_connection *c)
{
	hf_table_text(t, c->record->family == HF_IPV4 ? "ipv4" : "ipv6", HF_PLAIN);
}

static void cell_state(struct hf_table *t, const struct hf_connection *c)
{
	hf_table_text(t, hf_state_name(c->record->state), HF_PLAIN);
}

static void cell_local(struct hf_table *t, const struct hf_connection *c)
{
	cell_endpoint(t, c, &c->record->local, c->record->local_port);
}

static void cell_remote(struct hf_table *t, const struct hf_connection *c)
{
	cell_endpoint(t, c, &c->record->remote, c->record->remote_port);
}

static void cell_netns(struct hf_table *t, const struct hf_connection *c)
{
	hf_table_number(t, c->record->netns);
}

static void cell_pid(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, c->record->flags & HF_RECORD_OWNER, c->record->pid);
}

static void cell_process(struct hf_table *t, const struct hf_connection *c)
{
	const char *name = c->record->process;

	if (c->record->flags & HF_RECORD_OWNER)
		hf_table_bytes(t, name, strnlen(name, HF_PROCESS_NAME), HF_PLAIN);
	else
		hf_table_none(t);
}

static void cell_uid(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, is_full(c), c->record->uid);
}

static void cell_cgroup(struct hf_table *t, const struct hf_connection *c)
{
	hf_table_text(t, is_full(c) ? hf_host_cgroup(c->host, c->record->cgroup) : NULL, HF_PLAIN);
}

static void cell_cookie(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, is_full(c), c->record->cookie);
}

static void cell_keepalive(struct hf_table *t, const struct hf_connection *c)
{
	if (knows_settings(c))
		hf_table_bool(t, c->record->settings.keepalive);
	else
		hf_table_none(t);
}

static void cell_idle(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, knows_settings(c), c->record->settings.idle);
}

static void cell_interval(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, knows_settings(c), c->record->settings.interval);
}

static void cell_count(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, knows_settings(c), c->record->settings.count);
}

static void cell_user_timeout(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, knows_settings(c), c->record->settings.user_timeout_ms);
}

static void cell_silent(struct hf_table *t, const struct hf_connection *c)
{
	seconds_or_none(t, is_full(c) && hf_connection_was_heard(c->record), c->record->silent_ms);
}

static void cell_next_probe(struct hf_table *t, const struct hf_connection *c)
{
	seconds_or_none(t, is_full(c) && c->record->next_probe_ms != HF_NO_PROBE,
			c->record->next_probe_ms);
}

static void cell_unanswered(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, is_full(c), c->record->unanswered);
}

static void cell_in_flight(struct hf_table *t, const struct hf_connection *c)
{
	number_or_none(t, is_full(c), c->record->in_flight);
}

static void cell_rtt(struct hf_table *t, const struct hf_connection *c)
{
	if (is_full(c) && c->record->srtt_us)
		hf_table_milliseconds(t, c->record->srtt_us);
	else
		hf_table_none(t);
}

static void cell_bound_idle(struct hf_table *t, const struct hf_connection *c)
{
	seconds_or_none(t, knows_settings(c), c->bounds.idle_ms);
}

static void cell_bound_in_flight(struct hf_table *t, const struct hf_connection *c)
{
	seconds_or_none(t, knows_settings(c), c->bounds.in_flight_ms);
}

static void cell_audit(struct hf_table *t, const struct hf_connection *c)
{
	hf_table_text(t, hf_verdict_name(c->verdict), hf_verdict_colour(c->verdict));
}

static void cell_rule(struct hf_table *t, const struct hf_connection *c)
{
	const char *rule = c->record->rule;

	if (c->record->flags & HF_RECORD_RULE)
		hf_table_bytes(t, rule, strnlen(rule, HF_RULE_NAME), HF_PLAIN);
	else
		hf_table_none(t);
}

/* In the order of the contract for --json; `text` are those of a plain list. */
static const struct connection_column {
	struct hf_column column;
	void (*cell)(struct hf_table *table, const struct hf_connection *connection);
	bool text;
	uint32_t gathers; /* enum hf_gather: what it shows */
} all[] = {
	{ { "family", "FAMILY", HF_LEFT, 0, 0 }, cell_family, false, 0 },
	{ { "state", "STATE", HF_LEFT, 0, 3 }, cell_state, true, 0 },
	{ { "local", "LOCAL", HF_LEFT, 0, 1 }, cell_local, true, 0 },
	{ { "remote", "REMOTE", HF_LEFT, 0, 0 }, cell_remote, true, 0 },
	{ { "netns", "NETNS", HF_RIGHT, 0, 0 }, cell_netns, false, 0 },
	{ { "pid", "PID", HF_RIGHT, 0, 7 }, cell_pid, true, HF_GATHER_OWNER },
	{ { "process", "PROCESS", HF_LEFT, 8, 2 }, cell_process, true, HF_GATHER_OWNER },
	{ { "uid", "UID", HF_RIGHT, 0, 0 }, cell_uid, false, HF_GATHER_UID },
	{ { "cgroup", "CGROUP", HF_LEFT, 12, 0 }, cell_cgroup, false, HF_GATHER_CGROUP },
	{ { "cookie", "COOKIE", HF_RIGHT, 0, 0 }, cell_cookie, false, HF_GATHER_COOKIE },
	{ { "keepalive", "KEEPALIVE", HF_LEFT, 0, 8 }, cell_keepalive, true, 0 },
	{ { "idle", "IDLE", HF_RIGHT, 0, 9 }, cell_idle, true, 0 },
	{ { "interval", "INTVL", HF_RIGHT, 0, 10 }, cell_interval, true, 0 },
	{ { "count", "CNT", HF_RIGHT, 0, 11 }, cell_count, true, 0 },
	{ { "user_timeout_ms", "UTO-MS", HF_RIGHT, 0, 0 }, cell_user_timeout, false, 0 },
	{ { "silent_s", "SILENT", HF_RIGHT, 0, 6 }, cell_silent, true, 0 },
	{ { "next_probe_s", "PROBE-IN", HF_RIGHT, 0, 0 },
	  cell_next_probe,
	  false,
	  HF_GATHER_NEXT_PROBE },
	{ { "unanswered", "UNANS", HF_RIGHT, 0, 5 }, cell_unanswered, true, 0 },
	{ { "in_flight", "IN-FLIGHT", HF_RIGHT, 0, 0 }, cell_in_flight, false, HF_GATHER_TRAFFIC },
	{ { "rtt_ms", "RTT", HF_RIGHT, 0, 0 }, cell_rtt, false, HF_GATHER_TRAFFIC },
	{ { "bound_idle_s", "DEAD-IDLE", HF_RIGHT, 0, 4 }, cell_bound_idle, true, HF_GATHER_BOUNDS },
	{ { "bound_in_flight_s", "DEAD-DATA", HF_RIGHT, 0, 4 },
	  cell_bound_in_flight,
	  true,
	  HF_GATHER_BOUNDS },
	{ { "audit", "AUDIT", HF_LEFT, 0, 0 }, cell_audit, true, HF_GATHER_BOUNDS },
	{ { "rule", "RULE", HF_LEFT, 6, 12 }, cell_rule, true, HF_GATHER_MEMORY },
};
#define ALL (sizeof(all) / sizeof(*all))
static_assert(ALL <= HF_CONNECTION_COLUMNS, "struct hf_columns has room for every column");

static void add_column(struct hf_columns *columns, const struct connection_column *column)
{
	columns->column[columns->count++] = &column->column;
	columns->gathers |= column->gathers;
}

void hf_columns_default(enum hf_column_set set, struct hf_columns *out)
{
	*out = (struct hf_columns){ 0 };
	for (size_t i = 0; i < ALL; i++)
		if (set == HF_COLUMNS_JSON || all[i].text)
			add_column(out, &all[i]);
}

static const struct connection_column *find_column(const char *name, size_t length)
{
	for (size_t i = 0; i < ALL; i++)
		if (strlen(all[i].column.key) == length && !memcmp(all[i].column.key, name, length))
			return &all[i];
	return NULL;
}

static bool has_column(const struct hf_columns *columns, const struct hf_column *column)
{
	for (unsigned int i = 0; i < columns->count; i++)
		if (columns->column[i] == column)
			return true;
	return false;
}

const char *hf_columns_parse(const char *text, struct hf_columns *out)
{
	const struct connection_column *column;
	struct hf_columns columns = { 0 };
	size_t length;

	for (;; text += length + 1) {
		length = strcspn(text, ",");
		column = find_column(text, length);
		if (!column || has_column(&columns, &column->column))
			return text;
		add_column(&columns, column);
		if (!text[length])
			break;
	}
	*out = columns;
	return NULL;
}

const char *hf_columns_names(void)
{
	static char names[ALL * 20];

	if (names[0])
		return names;
	for (size_t i = 0; i < ALL; i++) {
		strcat(names, i ? "," : "");
		strcat(names, all[i].column.key);
	}
	return names;
}

void hf_connection_row(struct hf_table *table, const struct hf_columns *columns,
		       const struct hf_connection *connection)
{
	for (unsigned int i = 0; i < columns->count; i++)
		((const struct connection_column *)columns->column[i])->cell(table, connection);
	hf_table_end_row(table);
}
