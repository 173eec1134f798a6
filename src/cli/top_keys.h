/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What keys do to what `top` shows. */
#ifndef HF_CLI_TOP_KEYS_H
#define HF_CLI_TOP_KEYS_H

#include "cli/top_pass.h"

enum hf_top_mode {
	HF_TOP_LIST,
	HF_TOP_TYPING, /* the list, and the filter being typed */
	HF_TOP_DETAIL,
	HF_TOP_HELP,
};

enum hf_top_special { /* keys beyond the 256 that are bytes */
	HF_TOP_UP = 256,
	HF_TOP_DOWN,
	HF_TOP_PAGE_UP,
	HF_TOP_PAGE_DOWN,
	HF_TOP_HOME,
	HF_TOP_END,
	HF_TOP_BACKSPACE,
	HF_TOP_ENTER,
	HF_TOP_ESCAPE,
};

/* Begin with a zeroed one. */
struct hf_top_ui {
	enum hf_top_mode mode;
	struct hf_top_view view;
	bool paused, quit;
	unsigned int at;    /* row that is marked */
	unsigned int first; /* the topmost row shown */
	unsigned int page;  /* rows that the screen shows: kept by whoever draws */
	uint64_t follows;   /* cookie of the marked row wherever it goes; 0 = what is first */

	struct hf_top_row chosen; /* in HF_TOP_DETAIL: as last seen */
	char cgroup[HF_TOP_CGROUP];
	uint64_t chosen_at_ms;
	bool gone;
};

/*
 * A key, or a byte of text; list: what is shown, as it was seen_ms (CLOCK_MONOTONIC). True where view or paused are other
 * than they were: the next pass has to know.
 */
bool hf_top_key(struct hf_top_ui *ui, const struct hf_top_list *list, int key, uint64_t seen_ms);

/* A new frame: the mark stays with its connection, the one chosen is looked after. */
void hf_top_follow(struct hf_top_ui *ui, const struct hf_top_frame *frame);

/* Keep the mark within the list, and on the page. */
void hf_top_scroll(struct hf_top_ui *ui, const struct hf_top_list *list);

#endif
