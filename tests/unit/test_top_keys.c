/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_keys.h"
#include "top_records.h"

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
		cmocka_unit_test(a_filter_is_typed_erased_kept_and_dropped),
		cmocka_unit_test(the_mark_stays_within_the_list_and_on_the_page),
		cmocka_unit_test(the_mark_goes_with_its_connection),
		cmocka_unit_test(enter_shows_one_in_full_and_goes_back),
		cmocka_unit_test(orders_go_round_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
