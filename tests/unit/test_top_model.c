/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "top_records.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
