/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections of all kinds, and lists of them: what the tests of `top` share. */
#ifndef HF_TEST_TOP_RECORDS_H
#define HF_TEST_TOP_RECORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top_model.h"

#define NOW_MS 1000000

/* A protected, idle connection of "psql", 10.0.0.1:port -> 10.0.0.2:5432. */
static inline struct hf_record idle(uint64_t cookie)
{
	struct hf_record record = {
		.cookie = cookie,
		.local_port = (uint16_t)(40000 + cookie),
		.remote_port = 5432,
		.family = HF_IPV4,
		.state = HF_ESTABLISHED,
		.retries2 = 15,
		.flags = HF_RECORD_FULL | HF_RECORD_OWNER,
		.pid = 700 + (uint32_t)cookie,
		.process = "psql",
		.settings = { 1, 20, 5, 4, 30000 },
		.silent_ms = 5000,
		.next_probe_ms = 15000,
		.srtt_us = 1000,
		.rto_ms = 200,
	};
	struct hf_endpoint end;

	assert_true(hf_endpoint_parse("10.0.0.1:1", &end));
	record.local = end.address;
	assert_true(hf_endpoint_parse("10.0.0.2:1", &end));
	record.remote = end.address;
	return record;
}

static inline struct hf_record unprotected(uint64_t cookie)
{
	struct hf_record record = idle(cookie);

	record.settings = (struct hf_settings){ 0, 7200, 75, 9, 0 };
	record.next_probe_ms = HF_NO_PROBE;
	return record;
}

static inline struct hf_record slow(uint64_t cookie)
{
	struct hf_record record = idle(cookie);

	record.settings.idle = 600;
	return record;
}

static inline struct hf_record probing(uint64_t cookie, uint8_t probes)
{
	struct hf_record record = idle(cookie);

	record.unanswered = probes;
	record.next_probe_ms = 1000;
	return record;
}

static inline struct hf_connection judged(const struct hf_record *record)
{
	struct hf_connection connection = { 0 };

	hf_connection_judge(record, NULL, false, &connection);
	return connection;
}

static inline void add(struct hf_top_list *list, struct hf_record record)
{
	struct hf_connection connection = judged(&record);

	list->now_ms = NOW_MS;
	hf_top_list_add(list, &connection);
}

static inline struct hf_top_list list_of(unsigned int room, enum hf_top_sort sort,
					 const char *filter)
{
	struct hf_top_view view = { .sort = sort };
	struct hf_top_list list;

	strcpy(view.filter, filter);
	assert_int_equal(hf_top_list_init(&list, room), 0);
	hf_top_list_begin(&list, &view);
	return list;
}

/* The cookies shown, in their order. */
static inline const char *shown(const struct hf_top_list *list)
{
	static char text[256];
	size_t end = 0;

	*text = '\0';
	for (unsigned int i = 0; i < list->shown; i++)
		end += (size_t)snprintf(text + end, sizeof(text) - end, "%s%llu", i ? " " : "",
					(unsigned long long)list->at[i]->record.cookie);
	return text;
}

static inline enum hf_top_rank rank_of(struct hf_record record)
{
	struct hf_connection connection = judged(&record);

	return hf_top_rank(&connection);
}

#endif
