/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top_keys.h"
#include "cli/top_model.h"
#include "cli/top_seen.h"

#define NOW_MS 1000000

/* A protected, idle connection of "psql", 10.0.0.1:port -> 10.0.0.2:5432. */
static struct hf_record idle(uint64_t cookie)
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

static struct hf_record unprotected(uint64_t cookie)
{
	struct hf_record record = idle(cookie);

	record.settings = (struct hf_settings){ 0, 7200, 75, 9, 0 };
	record.next_probe_ms = HF_NO_PROBE;
	return record;
}

static struct hf_record slow(uint64_t cookie)
{
	struct hf_record record = idle(cookie);

	record.settings.idle = 600;
	return record;
}

static struct hf_record probing(uint64_t cookie, uint8_t probes)
{
	struct hf_record record = idle(cookie);

	record.unanswered = probes;
	record.next_probe_ms = 1000;
	return record;
}

static struct hf_connection judged(const struct hf_record *record)
{
	struct hf_connection connection = { 0 };

	hf_connection_judge(record, NULL, false, &connection);
	return connection;
}

static void add(struct hf_top_list *list, struct hf_record record)
{
	struct hf_connection connection = judged(&record);

	list->now_ms = NOW_MS;
	hf_top_list_add(list, &connection);
}

static struct hf_top_list list_of(unsigned int room, enum hf_top_sort sort, const char *filter)
{
	struct hf_top_view view = { .sort = sort };
	struct hf_top_list list;

	strcpy(view.filter, filter);
	assert_int_equal(hf_top_list_init(&list, room), 0);
	hf_top_list_begin(&list, &view);
	return list;
}

/* The cookies shown, in their order. */
static const char *shown(const struct hf_top_list *list)
{
	static char text[256];
	size_t end = 0;

	*text = '\0';
	for (unsigned int i = 0; i < list->shown; i++)
		end += (size_t)snprintf(text + end, sizeof(text) - end, "%s%llu", i ? " " : "",
					(unsigned long long)list->at[i]->record.cookie);
	return text;
}

static enum hf_top_rank rank_of(struct hf_record record)
{
	struct hf_connection connection = judged(&record);

	return hf_top_rank(&connection);
}

static void ranks_are_dead_probing_unprotected_slow_protected_rest(void **state)
{
	struct hf_record dead = probing(1, 4), orphan = idle(1), small = idle(1);

	(void)state;
	dead.state = HF_CLOSE;
	orphan.flags |= HF_RECORD_ORPHAN;
	small.flags = 0;
	assert_int_equal(rank_of(dead), HF_TOP_DEAD);
	assert_int_equal(rank_of(probing(1, 2)), HF_TOP_PROBING);
	assert_int_equal(rank_of(unprotected(1)), HF_TOP_UNPROTECTED);
	assert_int_equal(rank_of(slow(1)), HF_TOP_SLOW);
	assert_int_equal(rank_of(idle(1)), HF_TOP_PROTECTED);
	assert_int_equal(rank_of(orphan), HF_TOP_REST);
	assert_int_equal(rank_of(small), HF_TOP_REST);
}

static void one_probe_is_no_trouble_until_its_answer_is_overdue(void **state)
{
	struct hf_record record = probing(1, 1);

	(void)state;
	record.next_probe_ms = 5000 - 199;
	assert_int_equal(rank_of(record), HF_TOP_PROTECTED);
	record.next_probe_ms = 5000 - 200;
	assert_int_equal(rank_of(record), HF_TOP_PROBING);
	record.unanswered = 0;
	assert_int_equal(rank_of(record), HF_TOP_PROTECTED);
	record.retransmits = 1;
	assert_int_equal(rank_of(record), HF_TOP_PROBING);
	record.state = HF_SYN_SENT; /* nothing to lose yet */
	assert_int_equal(rank_of(record), HF_TOP_REST);
}

static void status_tells_probes_from_data_sent_again(void **state)
{
	struct hf_record record = probing(1, 2);
	struct hf_connection connection = judged(&record);

	(void)state;
	assert_string_equal(hf_top_status(&connection), "probing");
	record.unanswered = 0;
	record.retransmits = 3;
	assert_string_equal(hf_top_status(&connection), "resending");
	record.state = HF_CLOSE;
	assert_string_equal(hf_top_status(&connection), "dead");
	record = slow(1);
	connection = judged(&record);
	assert_string_equal(hf_top_status(&connection), "slow");
	record.flags |= HF_RECORD_KERNEL;
	connection = judged(&record);
	assert_null(hf_top_status(&connection));
}

static void what_matters_comes_first(void **state)
{
	struct hf_top_list list = list_of(16, HF_TOP_BY_URGENCY, "");
	struct hf_record dead = probing(9, 4), silent = unprotected(8);

	(void)state;
	dead.state = HF_CLOSE;
	silent.silent_ms = 60000;
	add(&list, idle(1));
	add(&list, slow(2));
	add(&list, unprotected(3));
	add(&list, probing(4, 2));
	add(&list, probing(5, 3));
	add(&list, silent);
	add(&list, dead);
	hf_top_list_end(&list);
	assert_string_equal(shown(&list), "9 5 4 8 3 2 1");
	hf_top_list_free(&list);
}

static void counts_are_of_all_whatever_is_kept_or_filtered(void **state)
{
	struct hf_top_list list = list_of(2, HF_TOP_BY_URGENCY, "unprotected");
	struct hf_record dead = probing(9, 4), orphan = idle(8);

	(void)state;
	dead.state = HF_CLOSE;
	orphan.flags |= HF_RECORD_ORPHAN;
	for (uint64_t i = 10; i < 15; i++)
		add(&list, unprotected(i));
	for (uint64_t i = 20; i < 23; i++)
		add(&list, slow(i));
	add(&list, idle(1));
	add(&list, probing(2, 2));
	add(&list, dead);
	add(&list, orphan);
	hf_top_list_end(&list);
	assert_int_equal(list.counts.connections, 11);
	assert_int_equal(list.counts.dead, 1);
	assert_int_equal(list.counts.probing, 1);
	assert_int_equal(list.counts.audit[HF_UNPROTECTED], 5);
	assert_int_equal(list.counts.audit[HF_SLOW], 3);
	assert_int_equal(list.counts.audit[HF_PROTECTED], 2);
	assert_int_equal(list.counts.audit[HF_NOT_JUDGED], 1);
	assert_int_equal(list.counts.matched, 5);
	assert_int_equal(list.shown, 2);
	hf_top_list_free(&list);
}

/* The first rows are those that sorting everything would give, in every order. */
static void the_first_rows_are_kept_of_many(void **state)
{
	enum {
		MANY = 2000,
		ROOM = 37
	};
	struct hf_top_list few = { 0 }, all = { 0 };
	struct hf_top_view view = { 0 };
	struct hf_record record;

	(void)state;
	assert_int_equal(hf_top_list_init(&few, ROOM), 0);
	assert_int_equal(hf_top_list_init(&all, MANY), 0);
	for (unsigned int sort = 0; sort < 2 * HF_TOP_SORTS; sort++) {
		view.sort = (enum hf_top_sort)(sort / 2);
		view.reversed = sort % 2;
		hf_top_list_begin(&few, &view);
		hf_top_list_begin(&all, &view);
		srand(1);
		for (uint64_t i = 1; i <= MANY; i++) {
			record = rand() % 2 ? unprotected(i) : probing(i, (uint8_t)(rand() % 4));
			record.silent_ms = (uint32_t)(rand() % 100) * 1000;
			record.settings.idle = (uint32_t)(rand() % 300) + 1;
			record.srtt_us = (uint32_t)rand() % 1000;
			record.remote.byte[15] = (uint8_t)rand();
			record.process[0] = (char)('a' + rand() % 26);
			add(&few, record);
			add(&all, record);
		}
		hf_top_list_end(&few);
		hf_top_list_end(&all);
		assert_int_equal(few.shown, ROOM);
		assert_int_equal(all.shown, MANY);
		for (unsigned int i = 0; i < ROOM; i++)
			assert_int_equal(few.at[i]->record.cookie, all.at[i]->record.cookie);
	}
	hf_top_list_free(&few);
	hf_top_list_free(&all);
}

static void orders_are_what_they_are_called(void **state)
{
	static const struct {
		enum hf_top_sort sort;
		const char *cookies;
	} orders[] = {
		{ HF_TOP_BY_UNANSWERED, "2 3 1 4" }, { HF_TOP_BY_SILENCE, "3 1 2 4" },
		{ HF_TOP_BY_NEXT_PROBE, "2 1 3 4" }, { HF_TOP_BY_BOUND, "3 1 2 4" },
		{ HF_TOP_BY_RTT, "1 2 3 4" },	     { HF_TOP_BY_PROCESS, "3 1 2 4" },
		{ HF_TOP_BY_REMOTE, "4 2 1 3" },
	};
	struct hf_record first = idle(1), second = probing(2, 3), third = unprotected(3);
	struct hf_record small = { .cookie = 4, .family = HF_IPV4, .state = HF_TIME_WAIT };

	(void)state;
	first.srtt_us = 9000;
	first.silent_ms = 6000;
	third.srtt_us = 500;
	third.silent_ms = 9000;
	strcpy(third.process, "apache2");
	second.remote.byte[15] = 1;
	third.remote.byte[15] = 3;
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		struct hf_top_list list = list_of(8, orders[i].sort, "");

		add(&list, small);
		add(&list, second);
		add(&list, third);
		add(&list, first);
		hf_top_list_end(&list);
		assert_string_equal(shown(&list), orders[i].cookies);
		hf_top_list_free(&list);
	}
}

static void reversed_is_the_other_way_round(void **state)
{
	struct hf_top_list list = list_of(8, HF_TOP_BY_RTT, "");
	struct hf_top_view view = list.view;
	struct hf_record fast = idle(1), middling = idle(2), late = idle(3);

	(void)state;
	fast.srtt_us = 1;
	middling.srtt_us = 20;
	late.srtt_us = 300;
	add(&list, middling);
	add(&list, fast);
	add(&list, late);
	hf_top_list_end(&list);
	assert_string_equal(shown(&list), "3 2 1");
	view.reversed = true;
	hf_top_list_turn(&list, &view);
	assert_string_equal(shown(&list), "1 2 3");
	hf_top_list_free(&list);
}

static void those_heard_in_one_second_do_not_change_places(void **state)
{
	struct hf_top_list list = list_of(8, HF_TOP_BY_URGENCY, "");
	struct hf_record a = unprotected(1), b = unprotected(2);

	(void)state;
	for (uint32_t pass = 0; pass < 50; pass++) {
		struct hf_top_view view = list.view;
		struct hf_connection connection;

		hf_top_list_begin(&list, &view);
		a.silent_ms = 10100 + pass * 977 + pass % 3; /* the jiffies that it is told in */
		b.silent_ms = 10100 + pass * 977 + pass % 5;
		list.now_ms = 2000000 + pass * 977;
		connection = judged(&b);
		hf_top_list_add(&list, &connection);
		connection = judged(&a);
		hf_top_list_add(&list, &connection);
		hf_top_list_end(&list);
		assert_string_equal(shown(&list), "1 2");
	}
	hf_top_list_free(&list);
}

static bool matches(const char *filter, struct hf_record record)
{
	struct hf_connection connection = judged(&record);

	return hf_top_matches(filter, &connection);
}

static void every_word_of_a_filter_must_occur(void **state)
{
	struct hf_record record = unprotected(7), ruled = idle(8), hostile = idle(9);

	(void)state;
	ruled.flags |= HF_RECORD_RULE;
	strcpy(ruled.rule, "database");
	ruled.goals.dead_within_ms = 120000;
	memcpy(hostile.process, "\033[31m\xff", 7);
	assert_true(matches("", record));
	assert_true(matches("   ", record));
	assert_true(matches("10.0.0.1:40007", record));
	assert_true(matches(":5432 psql", record));
	assert_true(matches("PSQL estab unprot", record));
	assert_true(matches("707", record));
	assert_false(matches("psql redis", record));
	assert_false(matches("psql10", record)); /* no word runs across two fields */
	assert_true(matches("datab", ruled));
	assert_false(matches("datab", record));
	assert_true(matches("\\x1b[31m", hostile));
	assert_true(matches("\\xff", hostile));
	record.flags &= ~(uint32_t)HF_RECORD_OWNER;
	assert_false(matches("psql", record));
}

static void the_longest_of_everything_can_be_filtered(void **state)
{
	struct hf_record record = idle(1);

	(void)state;
	record.flags |= HF_RECORD_RULE;
	record.family = HF_IPV6;
	memset(record.local.byte, 0xab, 16);
	memset(record.remote.byte, 0xcd, 16);
	memset(record.process, 0x9f, sizeof(record.process));
	memset(record.rule, 0x9f, sizeof(record.rule));
	record.pid = UINT32_MAX;
	assert_true(matches("4294967295", record));
	assert_false(matches("nothing", record));
}

static void turning_shows_what_is_kept_in_another_view(void **state)
{
	struct hf_top_list list = list_of(8, HF_TOP_BY_URGENCY, "");
	struct hf_top_view view = list.view;

	(void)state;
	add(&list, unprotected(1));
	add(&list, slow(2));
	add(&list, unprotected(3));
	hf_top_list_end(&list);
	strcpy(view.filter, "unprotected");
	hf_top_list_turn(&list, &view);
	assert_string_equal(shown(&list), "1 3");
	assert_int_equal(hf_top_list_find(&list, 3), 1);
	assert_int_equal(hf_top_list_find(&list, 2), -1);
	assert_int_equal(hf_top_list_find(&list, 0), -1);
	view.filter[0] = '\0';
	hf_top_list_turn(&list, &view);
	assert_string_equal(shown(&list), "1 3 2");
	hf_top_list_free(&list);
}

/* --- From pass to pass. --- */

static char told[512];

static void tell(void *arg, enum hf_top_change change, const struct hf_top_known *known)
{
	size_t end = strlen(told);

	(void)arg;
	snprintf(told + end, sizeof(told) - end, "%s%s %llu", end ? ", " : "",
		 hf_top_change_name(change), (unsigned long long)known->cookie);
}

/* A pass that sees these records; what it tells. */
static const char *look(struct hf_top_seen *seen, uint64_t timeouts, unsigned int count,
			const struct hf_record *records)
{
	*told = '\0';
	hf_top_seen_begin(seen);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(hf_top_seen_record(seen, &records[i], true), 0);
	hf_top_seen_end(seen, timeouts);
	return told;
}
#define LOOK(seen, timeouts, ...)                                                    \
	look(seen, timeouts,                                                         \
	     sizeof((struct hf_record[]){ __VA_ARGS__ }) / sizeof(struct hf_record), \
	     (struct hf_record[]){ __VA_ARGS__ })

static void comings_and_goings_are_told_but_for_those_of_the_first_pass(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);
	struct hf_record small = { .state = HF_TIME_WAIT };

	(void)state;
	assert_string_equal(LOOK(seen, 0, idle(1), idle(2), small), "");
	assert_string_equal(LOOK(seen, 0, idle(1), idle(2), idle(3)), "appeared 3");
	assert_string_equal(LOOK(seen, 0, idle(3), idle(1)), "gone 2");
	assert_string_equal(LOOK(seen, 0, idle(3), idle(1)), "");
	hf_top_seen_free(&seen);
	assert_null(seen);
}

static void suspicion_and_answer_are_told_once(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);

	(void)state;
	assert_string_equal(LOOK(seen, 0, probing(1, 1)), "");
	assert_string_equal(LOOK(seen, 0, probing(1, 2)), "probing 1");
	assert_string_equal(LOOK(seen, 0, probing(1, 3)), "");
	assert_string_equal(LOOK(seen, 0, idle(1)), "answered 1");
	assert_string_equal(LOOK(seen, 0, idle(1)), "");
	hf_top_seen_free(&seen);
}

static void a_death_is_unanswered_gone_and_counted_by_the_kernel(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);

	(void)state;
	LOOK(seen, 0, probing(1, 1), probing(2, 1), probing(3, 1), idle(4), idle(5));
	/* One of the three is closed; nobody can tell which. */
	assert_string_equal(LOOK(seen, 2, idle(5)), "dead 1, dead 2, gone 3, gone 4");
	LOOK(seen, 0, probing(6, 3), idle(5));
	assert_string_equal(LOOK(seen, 0, idle(5)), "gone 6");
	hf_top_seen_free(&seen);
}

static void a_timeout_counted_one_pass_early_still_accounts_for_a_death(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);

	(void)state;
	LOOK(seen, 1, probing(1, 1), probing(2, 1), idle(3));
	assert_string_equal(LOOK(seen, 0, probing(2, 1), idle(3)), "dead 1");
	LOOK(seen, 1, probing(2, 1), idle(3));
	LOOK(seen, 0, probing(2, 1), idle(3));
	assert_string_equal(LOOK(seen, 0, idle(3)), "gone 2"); /* two passes early is another's */
	hf_top_seen_free(&seen);
}

static void what_does_not_enter_is_not_told_of(void **state)
{
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);
	struct hf_record record = probing(1, 2);

	(void)state;
	*told = '\0';
	for (unsigned int pass = 0; pass < 3; pass++) {
		hf_top_seen_begin(seen);
		assert_int_equal(hf_top_seen_record(seen, &record, false), 0);
		hf_top_seen_end(seen, 0);
	}
	assert_string_equal(told, "");
	hf_top_seen_free(&seen);
}

static void thousands_come_and_go(void **state)
{
	enum {
		MANY = 20000
	};
	struct hf_top_seen *seen = hf_top_seen_new(tell, NULL);
	struct hf_record record = idle(1);

	(void)state;
	for (unsigned int pass = 0; pass < 4; pass++) {
		*told = '\0';
		hf_top_seen_begin(seen);
		for (uint64_t i = 1; i <= MANY; i++) {
			record.cookie = i * 64; /* as alike as cookies of one processor are */
			if (pass < 2 || i != 777)
				assert_int_equal(hf_top_seen_record(seen, &record, true), 0);
		}
		hf_top_seen_end(seen, 0);
		assert_string_equal(told, pass == 2 ? "gone 49728" : "");
	}
	hf_top_seen_free(&seen);
}

static void what_died_is_shown_as_it_was_last_seen(void **state)
{
	struct hf_top_known known = { .cookie = 5,
				      .family = HF_IPV4,
				      .state = HF_ESTABLISHED,
				      .unanswered = 3,
				      .silent_ms = 9000 };
	struct hf_record record;

	(void)state;
	hf_top_known_record(&known, true, &record);
	assert_int_equal(rank_of(record), HF_TOP_DEAD);
	assert_int_equal(record.unanswered, 3);
	assert_int_equal(record.silent_ms, 9000);
	hf_top_known_record(&known, false, &record);
	assert_int_equal(record.state, HF_ESTABLISHED);
}

/* --- Keys. --- */

static void type(struct hf_top_ui *ui, struct hf_top_list *list, const char *keys)
{
	for (; *keys; keys++)
		hf_top_key(ui, list, (unsigned char)*keys, 0);
}

static void a_filter_is_typed_erased_kept_and_dropped(void **state)
{
	struct hf_top_list list = list_of(8, HF_TOP_BY_URGENCY, "");
	struct hf_top_ui ui = { 0 };

	(void)state;
	type(&ui, &list, "/qps \303\274");
	assert_false(ui.quit);
	assert_string_equal(ui.view.filter, "qps \303\274");
	assert_true(hf_top_key(&ui, &list, HF_TOP_BACKSPACE, 0));
	assert_string_equal(ui.view.filter, "qps ");
	for (unsigned int i = 0; i < 9; i++)
		hf_top_key(&ui, &list, HF_TOP_BACKSPACE, 0);
	assert_string_equal(ui.view.filter, "");
	for (unsigned int i = 0; i < 2 * HF_TOP_FILTER; i++)
		hf_top_key(&ui, &list, 'x', 0);
	assert_int_equal(strlen(ui.view.filter), HF_TOP_FILTER - 1);
	assert_false(hf_top_key(&ui, &list, HF_TOP_ENTER, 0));
	assert_int_equal(ui.mode, HF_TOP_LIST);
	assert_int_equal(strlen(ui.view.filter), HF_TOP_FILTER - 1);
	assert_true(hf_top_key(&ui, &list, HF_TOP_ESCAPE, 0));
	assert_string_equal(ui.view.filter, "");
	hf_top_list_free(&list);
}

static void the_mark_stays_within_the_list_and_on_the_page(void **state)
{
	struct hf_top_list list = list_of(64, HF_TOP_BY_URGENCY, "");
	struct hf_top_ui ui = { .page = 10 };

	(void)state;
	for (uint64_t i = 1; i <= 25; i++)
		add(&list, unprotected(i));
	hf_top_list_end(&list);
	type(&ui, &list, "kk");
	assert_int_equal(ui.at, 0);
	hf_top_key(&ui, &list, HF_TOP_PAGE_DOWN, 0);
	assert_int_equal(ui.at, 10);
	assert_int_equal(ui.first, 10);
	hf_top_key(&ui, &list, HF_TOP_PAGE_UP, 0);
	assert_int_equal(ui.at + ui.first, 0);
	type(&ui, &list, "G");
	assert_int_equal(ui.at, 24);
	assert_int_equal(ui.first, 15);
	type(&ui, &list, "j");
	assert_int_equal(ui.at, 24);
	ui.page = 20;
	hf_top_scroll(&ui, &list);
	assert_int_equal(ui.first, 5);
	type(&ui, &list, "g");
	assert_int_equal(ui.at + ui.first, 0);
	hf_top_list_free(&list);
}

static void the_mark_goes_with_its_connection(void **state)
{
	struct hf_top_frame frame = { .list = list_of(64, HF_TOP_BY_URGENCY, "") };
	struct hf_top_view view = frame.list.view;
	struct hf_top_ui ui = { .page = 10 };

	(void)state;
	add(&frame.list, unprotected(1));
	add(&frame.list, unprotected(2));
	hf_top_list_end(&frame.list);
	type(&ui, &frame.list, "j");
	assert_int_equal(ui.follows, 2);
	hf_top_list_begin(&frame.list, &view);
	for (uint64_t i = 1; i <= 5; i++)
		add(&frame.list, i == 2 ? slow(i) : unprotected(i));
	hf_top_list_end(&frame.list);
	hf_top_follow(&ui, &frame);
	assert_int_equal(ui.at, 4);
	type(&ui, &frame.list, "g");
	hf_top_follow(&ui, &frame);
	assert_int_equal(ui.at, 0);
	hf_top_list_free(&frame.list);
}

static void enter_shows_one_in_full_and_goes_back(void **state)
{
	struct hf_top_frame frame = { .list = list_of(64, HF_TOP_BY_URGENCY, "") };
	struct hf_top_ui ui = { .page = 10 };

	(void)state;
	assert_false(hf_top_key(&ui, &frame.list, HF_TOP_ENTER, 0)); /* there is none */
	assert_int_equal(ui.mode, HF_TOP_LIST);
	add(&frame.list, unprotected(7));
	hf_top_list_end(&frame.list);
	assert_true(hf_top_key(&ui, &frame.list, HF_TOP_ENTER, 5));
	assert_int_equal(ui.mode, HF_TOP_DETAIL);
	assert_int_equal(ui.view.chosen, 7);
	assert_ptr_equal(ui.chosen.connection.record, &ui.chosen.record);
	frame.chosen_cookie = 7;
	hf_top_follow(&ui, &frame);
	assert_true(ui.gone); /* the pass was for it, and has not seen it */
	type(&ui, &frame.list, "hx");
	assert_int_equal(ui.mode, HF_TOP_DETAIL); /* help goes back to where it came from */
	assert_true(hf_top_key(&ui, &frame.list, HF_TOP_ESCAPE, 0));
	assert_int_equal(ui.mode, HF_TOP_LIST);
	assert_int_equal(ui.view.chosen, 0);
	hf_top_list_free(&frame.list);
}

static void orders_go_round_both_ways(void **state)
{
	struct hf_top_list list = list_of(8, HF_TOP_BY_URGENCY, "");
	struct hf_top_ui ui = { 0 };

	(void)state;
	for (unsigned int i = 0; i < HF_TOP_SORTS; i++)
		assert_true(hf_top_key(&ui, &list, 's', 0));
	assert_int_equal(ui.view.sort, HF_TOP_BY_URGENCY);
	type(&ui, &list, "Sr");
	assert_int_equal(ui.view.sort, HF_TOP_BY_REMOTE);
	assert_true(ui.view.reversed);
	type(&ui, &list, "p");
	assert_true(ui.paused);
	type(&ui, &list, " ");
	assert_false(ui.paused);
	hf_top_list_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranks_are_dead_probing_unprotected_slow_protected_rest),
		cmocka_unit_test(one_probe_is_no_trouble_until_its_answer_is_overdue),
		cmocka_unit_test(status_tells_probes_from_data_sent_again),
		cmocka_unit_test(what_matters_comes_first),
		cmocka_unit_test(counts_are_of_all_whatever_is_kept_or_filtered),
		cmocka_unit_test(the_first_rows_are_kept_of_many),
		cmocka_unit_test(orders_are_what_they_are_called),
		cmocka_unit_test(reversed_is_the_other_way_round),
		cmocka_unit_test(those_heard_in_one_second_do_not_change_places),
		cmocka_unit_test(every_word_of_a_filter_must_occur),
		cmocka_unit_test(the_longest_of_everything_can_be_filtered),
		cmocka_unit_test(turning_shows_what_is_kept_in_another_view),
		cmocka_unit_test(comings_and_goings_are_told_but_for_those_of_the_first_pass),
		cmocka_unit_test(suspicion_and_answer_are_told_once),
		cmocka_unit_test(a_death_is_unanswered_gone_and_counted_by_the_kernel),
		cmocka_unit_test(a_timeout_counted_one_pass_early_still_accounts_for_a_death),
		cmocka_unit_test(what_does_not_enter_is_not_told_of),
		cmocka_unit_test(thousands_come_and_go),
		cmocka_unit_test(what_died_is_shown_as_it_was_last_seen),
		cmocka_unit_test(a_filter_is_typed_erased_kept_and_dropped),
		cmocka_unit_test(the_mark_stays_within_the_list_and_on_the_page),
		cmocka_unit_test(the_mark_goes_with_its_connection),
		cmocka_unit_test(enter_shows_one_in_full_and_goes_back),
		cmocka_unit_test(orders_go_round_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
