/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While a pass goes on the pointers in list->at are a heap whose root is the row that would be the
 * first to go. Every order is two numbers and a tie-break, so that most of 100 000 connections cost
 * one comparison.
 */
#include "cli/top_model.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/event.h"
#include "cli/options.h"

#define RECORD_TEXT 512 /* all that a filter looks at */

const char *hf_top_sort_name(enum hf_top_sort sort)
{
	static const char *const names[] = { "urgency", "unanswered", "silence", "next probe",
					     "bound",	"rtt",	      "process", "remote" };

	static_assert(sizeof(names) / sizeof(*names) == HF_TOP_SORTS, "an order has no name");
	return names[sort];
}

/* The time that an answer takes has gone by, or it is not the first one. */
static bool is_overdue(const struct hf_record *record)
{
	uint64_t since_ms = (uint64_t)record->settings.interval * 1000;

	if (record->retransmits || record->unanswered > 1)
		return true;
	if (!record->unanswered || record->next_probe_ms > since_ms)
		return false;
	return since_ms - record->next_probe_ms >= record->rto_ms;
}

enum hf_top_rank hf_top_rank(const struct hf_connection *connection)
{
	static const enum hf_top_rank ranks[] = {
		[HF_NOT_JUDGED] = HF_TOP_REST,
		[HF_UNPROTECTED] = HF_TOP_UNPROTECTED,
		[HF_SLOW] = HF_TOP_SLOW,
		[HF_PROTECTED] = HF_TOP_PROTECTED,
	};
	const struct hf_record *record = connection->record;

	if (!(record->flags & HF_RECORD_FULL))
		return HF_TOP_REST;
	if (record->state == HF_CLOSE)
		return HF_TOP_DEAD;
	if ((HF_STATES_JUDGED >> record->state & 1) && is_overdue(record))
		return HF_TOP_PROBING;
	return ranks[connection->verdict];
}

const char *hf_top_status(const struct hf_connection *connection)
{
	switch (hf_top_rank(connection)) {
	case HF_TOP_DEAD:
		return "dead";
	case HF_TOP_PROBING:
		return connection->record->unanswered ? "probing" : "resending";
	default:
		return hf_verdict_name(connection->verdict);
	}
}

size_t hf_top_end_text(const struct hf_record *record, bool remote, char *text)
{
	struct hf_endpoint endpoint = {
		.address = remote ? record->remote : record->local,
		.port = remote ? record->remote_port : record->local_port,
		.family = record->family,
	};

	return hf_endpoint_format(&endpoint, text);
}

/* --- Filter. --- */

static char *put_end(char *text, const struct hf_record *record, bool remote)
{
	text += hf_top_end_text(record, remote, text);
	*text++ = '\n';
	return text;
}

static char *put_name(char *text, const char *name, size_t size)
{
	text += hf_escape(name, strnlen(name, size), text);
	*text++ = '\n';
	return text;
}

static char *put_word(char *text, const char *word)
{
	text = stpcpy(text, word ? word : "");
	*text++ = '\n';
	return text;
}

/* What words are looked for in, line by line. */
static void describe(const struct hf_connection *connection, char *text)
{
	const struct hf_record *record = connection->record;

	text = put_end(text, record, false);
	text = put_end(text, record, true);
	text = put_word(text, hf_state_name(record->state));
	text = put_word(text, hf_top_status(connection));
	if (record->flags & HF_RECORD_OWNER) {
		text = put_name(text, record->process, HF_PROCESS_NAME);
		text += sprintf(text, "%u\n", record->pid);
	}
	if (record->flags & HF_RECORD_RULE)
		text = put_name(text, record->rule, HF_RULE_NAME);
	*text = '\0';
}
static_assert(2 * HF_ENDPOINT_TEXT + 2 * 16 + HF_ESCAPED(HF_PROCESS_NAME) + 12 +
			      HF_ESCAPED(HF_RULE_NAME) + 8 <=
		      RECORD_TEXT,
	      "a description may not fit");

bool hf_top_matches(const char *filter, const struct hf_connection *connection)
{
	char words[HF_TOP_FILTER], text[RECORD_TEXT], *rest;

	describe(connection, text);
	strcpy(words, filter);
	for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		if (!strcasestr(text, word))
			return false;
	return true;
}

/* --- Order. --- */

/* The most comes first. */
static uint64_t most(uint64_t number)
{
	return ~number;
}

/* What is unanswered, then silence. */
static uint64_t trouble(const struct hf_record *record, uint64_t heard_s)
{
	return (uint64_t)(UINT32_MAX - hf_event_unanswered(record)) << 32 | heard_s;
}

/* In whole seconds, so that those heard at once do not change places from pass to pass. */
static uint64_t last_heard_s(const struct hf_record *record, uint64_t now_ms)
{
	return (now_ms + UINT32_MAX - record->silent_ms) / 1000;
}

static void order_by_bytes(const void *bytes, uint64_t key[2])
{
	memcpy(key, bytes, 16);
	key[0] = be64toh(key[0]);
	key[1] = be64toh(key[1]);
}

static void order_by_process(const struct hf_record *record, uint64_t key[2])
{
	static_assert(HF_PROCESS_NAME == 16, "a name is two words");
	if (record->flags & HF_RECORD_OWNER)
		order_by_bytes(record->process, key);
	else
		key[0] = key[1] = UINT64_MAX;
}

static void find_keys(const struct hf_connection *connection, uint64_t heard_s,
		      enum hf_top_sort sort, uint64_t key[2])
{
	const struct hf_record *record = connection->record;
	bool full = record->flags & HF_RECORD_FULL;

	key[0] = key[1] = UINT64_MAX; /* last, whatever is not known */
	switch (sort) {
	case HF_TOP_BY_URGENCY:
		key[0] = hf_top_rank(connection);
		if (full)
			key[1] = trouble(record, heard_s);
		break;
	case HF_TOP_BY_UNANSWERED:
		if (full)
			key[0] = trouble(record, heard_s);
		break;
	case HF_TOP_BY_SILENCE:
		if (full)
			key[0] = heard_s;
		break;
	case HF_TOP_BY_NEXT_PROBE:
		if (full && record->next_probe_ms != HF_NO_PROBE)
			key[0] = record->next_probe_ms;
		break;
	case HF_TOP_BY_BOUND:
		if (full)
			key[0] = most(connection->bounds.idle_ms);
		if (full)
			key[1] = most(connection->bounds.in_flight_ms);
		break;
	case HF_TOP_BY_RTT:
		if (full)
			key[0] = most(record->srtt_us);
		break;
	case HF_TOP_BY_PROCESS:
		order_by_process(record, key);
		break;
	case HF_TOP_BY_REMOTE:
		order_by_bytes(record->remote.byte, key);
		break;
	}
}

static struct hf_top_order order_of(const struct hf_connection *connection, uint64_t heard_s,
				    const struct hf_top_view *view)
{
	const struct hf_record *record = connection->record;
	struct hf_top_order order;

	find_keys(connection, heard_s, view->sort, order.key);
	if (view->reversed) {
		order.key[0] = ~order.key[0];
		order.key[1] = ~order.key[1];
	}
	order.tie = record->cookie; /* rows that are equal stay where they are */
	if (!order.tie)
		order.tie = (uint64_t)record->local_port << 16 | record->remote_port;
	return order;
}

static int compare(const struct hf_top_order *a, const struct hf_top_order *b)
{
	if (a->key[0] != b->key[0])
		return a->key[0] < b->key[0] ? -1 : 1;
	if (a->key[1] != b->key[1])
		return a->key[1] < b->key[1] ? -1 : 1;
	return (a->tie > b->tie) - (a->tie < b->tie);
}

static int compare_rows(const void *a, const void *b)
{
	return compare(&(*(struct hf_top_row *const *)a)->order,
		       &(*(struct hf_top_row *const *)b)->order);
}

/* --- The heap. --- */

static void swap(struct hf_top_row **a, struct hf_top_row **b)
{
	struct hf_top_row *kept = *a;

	*a = *b;
	*b = kept;
}

static void rise(struct hf_top_list *list, unsigned int i)
{
	while (i && compare_rows(&list->at[i], &list->at[(i - 1) / 2]) > 0) {
		swap(&list->at[i], &list->at[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
}

static void sink(struct hf_top_list *list, unsigned int i)
{
	for (unsigned int last;; i = last) {
		last = i;
		for (unsigned int child = 2 * i + 1; child <= 2 * i + 2; child++)
			if (child < list->kept &&
			    compare_rows(&list->at[child], &list->at[last]) > 0)
				last = child;
		if (last == i)
			return;
		swap(&list->at[i], &list->at[last]);
	}
}

int hf_top_list_init(struct hf_top_list *list, unsigned int room)
{
	*list = (struct hf_top_list){ .room = room };
	list->row = calloc(room, sizeof(*list->row));
	list->at = calloc(room, sizeof(struct hf_top_row *));
	if (list->row && list->at)
		return 0;
	hf_top_list_free(list);
	return -ENOMEM;
}

void hf_top_list_free(struct hf_top_list *list)
{
	free(list->row);
	free(list->at);
	*list = (struct hf_top_list){ 0 };
}

void hf_top_row_set(struct hf_top_row *row, const struct hf_connection *connection)
{
	bool is_long = connection->record->flags & HF_RECORD_LONG;

	memcpy(&row->record, connection->record, is_long ? sizeof(row->record) : HF_RECORD_SHORT);
	row->connection = *connection;
	row->connection.record = &row->record;
	row->rank = hf_top_rank(connection);
}

void hf_top_list_begin(struct hf_top_list *list, const struct hf_top_view *view)
{
	list->view = *view;
	list->counts = (struct hf_top_counts){ 0 };
	list->kept = list->shown = 0;
}

static void count(struct hf_top_counts *counts, const struct hf_connection *connection)
{
	enum hf_top_rank rank = hf_top_rank(connection);

	if (rank == HF_TOP_DEAD) {
		counts->dead++;
		return;
	}
	counts->connections++;
	counts->probing += rank == HF_TOP_PROBING;
	counts->audit[connection->verdict]++;
}

void hf_top_list_add(struct hf_top_list *list, const struct hf_connection *connection)
{
	struct hf_top_order order;
	struct hf_top_row *row;
	uint64_t heard;

	count(&list->counts, connection);
	if (*list->view.filter && !hf_top_matches(list->view.filter, connection))
		return;
	list->counts.matched++;
	heard = last_heard_s(connection->record, list->now_ms);
	order = order_of(connection, heard, &list->view);
	if (list->kept == list->room && compare(&order, &list->at[0]->order) > 0)
		return;
	row = list->kept < list->room ? &list->row[list->kept] : list->at[0];
	hf_top_row_set(row, connection);
	row->order = order;
	row->heard_s = heard;
	if (list->kept == list->room) {
		sink(list, 0);
	} else {
		list->at[list->kept] = row;
		rise(list, list->kept++);
	}
}

void hf_top_list_end(struct hf_top_list *list)
{
	qsort(list->at, list->kept, sizeof(struct hf_top_row *), compare_rows);
	list->shown = list->kept;
}

void hf_top_list_turn(struct hf_top_list *list, const struct hf_top_view *view)
{
	list->view = *view;
	list->shown = 0;
	for (unsigned int i = 0; i < list->kept; i++) {
		struct hf_top_row *row = &list->row[i];

		if (*view->filter && !hf_top_matches(view->filter, &row->connection))
			continue;
		row->order = order_of(&row->connection, row->heard_s, view);
		list->at[list->shown++] = row;
	}
	qsort(list->at, list->shown, sizeof(struct hf_top_row *), compare_rows);
}

int hf_top_list_find(const struct hf_top_list *list, uint64_t cookie)
{
	for (unsigned int i = 0; cookie && i < list->shown; i++)
		if (list->at[i]->record.cookie == cookie)
			return (int)i;
	return -1;
}
