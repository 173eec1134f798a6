/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/top_keys.h"

#include <string.h>

void hf_top_scroll(struct hf_top_ui *ui, const struct hf_top_list *list)
{
	unsigned int last = list->shown ? list->shown - 1 : 0;

	if (ui->at > last)
		ui->at = last;
	if (ui->first > ui->at)
		ui->first = ui->at;
	if (ui->page && ui->at >= ui->first + ui->page)
		ui->first = ui->at - ui->page + 1;
	if (ui->first + ui->page > list->shown)
		ui->first = list->shown > ui->page ? list->shown - ui->page : 0;
}

void hf_top_follow(struct hf_top_ui *ui, const struct hf_top_frame *frame)
{
	int at = hf_top_list_find(&frame->list, ui->follows);

	if (!ui->follows)
		ui->at = 0;
	else if (at >= 0)
		ui->at = (unsigned int)at;
	hf_top_scroll(ui, &frame->list);
	if (!ui->view.chosen || frame->chosen_cookie != ui->view.chosen)
		return;
	ui->gone = !frame->chosen_at_ms;
	if (ui->gone)
		return;
	hf_top_row_set(&ui->chosen, &frame->chosen.connection);
	ui->chosen_at_ms = frame->chosen_at_ms;
	strcpy(ui->cgroup, frame->cgroup);
}

static void mark(struct hf_top_ui *ui, const struct hf_top_list *list, long at)
{
	ui->at = at < 0 ? 0 : (unsigned int)at;
	hf_top_scroll(ui, list);
	ui->follows = list->shown ? list->at[ui->at]->record.cookie : 0;
}

static bool move(struct hf_top_ui *ui, const struct hf_top_list *list, int key)
{
	long at = ui->at, page = ui->page ? ui->page : 1;

	switch (key) {
	case HF_TOP_UP:
	case 'k':
		mark(ui, list, at - 1);
		return true;
	case HF_TOP_DOWN:
	case 'j':
		mark(ui, list, at + 1);
		return true;
	case HF_TOP_PAGE_UP:
		ui->first -= ui->first < ui->page ? ui->first : ui->page;
		mark(ui, list, at - page);
		return true;
	case HF_TOP_PAGE_DOWN:
		ui->first += ui->page;
		mark(ui, list, at + page);
		return true;
	case HF_TOP_END:
	case 'G':
		mark(ui, list, list->shown);
		return true;
	case HF_TOP_HOME:
	case 'g':
		ui->follows = 0;
		ui->at = 0;
		hf_top_scroll(ui, list);
		return true;
	default:
		return false;
	}
}

static bool choose(struct hf_top_ui *ui, const struct hf_top_list *list, uint64_t seen_ms)
{
	const struct hf_top_row *row;

	if (ui->at >= list->shown || !list->at[ui->at]->record.cookie)
		return false;
	row = list->at[ui->at];
	hf_top_row_set(&ui->chosen, &row->connection);
	ui->view.chosen = ui->follows = row->record.cookie;
	ui->chosen_at_ms = seen_ms;
	ui->cgroup[0] = '\0';
	ui->gone = row->rank == HF_TOP_DEAD;
	ui->mode = HF_TOP_DETAIL;
	return true;
}

static bool sort(struct hf_top_ui *ui, unsigned int step)
{
	ui->view.sort = (enum hf_top_sort)((ui->view.sort + step) % HF_TOP_SORTS);
	ui->view.reversed = false;
	return true;
}

static bool pause_or_go_on(struct hf_top_ui *ui)
{
	ui->paused = !ui->paused;
	return true;
}

static bool key_in_list(struct hf_top_ui *ui, const struct hf_top_list *list, int key,
			uint64_t seen_ms)
{
	if (move(ui, list, key))
		return false;
	switch (key) {
	case HF_TOP_ENTER:
		return choose(ui, list, seen_ms);
	case '/':
		ui->mode = HF_TOP_TYPING;
		return false;
	case 's':
		return sort(ui, 1);
	case 'S':
		return sort(ui, HF_TOP_SORTS - 1);
	case 'r':
		ui->view.reversed = !ui->view.reversed;
		return true;
	case HF_TOP_ESCAPE:
		ui->view.filter[0] = '\0';
		return true;
	default:
		return false;
	}
}

/* The last character goes with all of its bytes. */
static void erase_last(char *text)
{
	size_t length = strlen(text);

	while (length && ((unsigned char)text[length - 1] & 0xc0) == 0x80)
		length--;
	text[length ? length - 1 : 0] = '\0';
}

static bool key_in_filter(struct hf_top_ui *ui, int key)
{
	char *filter = ui->view.filter;
	size_t length = strlen(filter);

	switch (key) {
	case HF_TOP_ENTER:
		ui->mode = HF_TOP_LIST;
		return false;
	case HF_TOP_ESCAPE:
		ui->mode = HF_TOP_LIST;
		*filter = '\0';
		return true;
	case HF_TOP_BACKSPACE:
		erase_last(filter);
		return true;
	default:
		if (key < ' ' || key > 255 || key == 0x7f || length + 1 >= HF_TOP_FILTER)
			return false;
		filter[length] = (char)key;
		filter[length + 1] = '\0';
		return true;
	}
}

static bool leave_detail(struct hf_top_ui *ui, int key)
{
	if (key != HF_TOP_ENTER && key != HF_TOP_ESCAPE && key != HF_TOP_BACKSPACE)
		return false;
	ui->mode = HF_TOP_LIST;
	ui->view.chosen = 0;
	return true;
}

bool hf_top_key(struct hf_top_ui *ui, const struct hf_top_list *list, int key, uint64_t seen_ms)
{
	if (ui->mode == HF_TOP_TYPING)
		return key_in_filter(ui, key);
	switch (key) {
	case 'q':
		ui->quit = true;
		return false;
	case 'p':
	case ' ':
		return pause_or_go_on(ui);
	default:
		break;
	}
	if (ui->mode == HF_TOP_HELP) {
		ui->mode = ui->view.chosen ? HF_TOP_DETAIL : HF_TOP_LIST;
		return false;
	}
	if (key == 'h' || key == '?') {
		ui->mode = HF_TOP_HELP;
		return false;
	}
	if (ui->mode == HF_TOP_DETAIL)
		return leave_detail(ui, key);
	return key_in_list(ui, list, key, seen_ms);
}
