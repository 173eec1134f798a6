/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `top` shows, as lines of text: on its screen, and of --batch. Text from outside is escaped. */
#ifndef HF_CLI_TOP_TEXT_H
#define HF_CLI_TOP_TEXT_H

#include <stdio.h>

#include "cli/top_pass.h"

/* What the lines above the connections tell beside a frame. */
struct hf_top_title {
	uint32_t delay_ms;
	const struct hf_goals *policy; /* NULL: each rule's goals, else the default */
	bool paused, typing;	       /* typing: the filter is being typed */
};

/* To a tenth of a second, "never" for HF_UNBOUNDED; text has HF_DURATION_TEXT bytes. */
const char *hf_top_duration(uint64_t ms, char *text);

#define HF_TOP_TITLE_LINES 5
void hf_top_print_title(const struct hf_top_frame *frame, const struct hf_top_view *view,
			const struct hf_top_title *title, FILE *out);

/*
 * A heading and a line for each of count rows from first on, as wide as width (0: as out is); 0 or
 * -errno.
 */
int hf_top_print_rows(const struct hf_top_list *list, unsigned int first, unsigned int count,
		      unsigned int width, FILE *out);

/* A line for each of the newest events, the newest first. */
void hf_top_print_events(const struct hf_top_frame *frame, unsigned int count, FILE *out);

/* The frame but for its rows as one JSON object, with so many of its newest events; 0 or -errno. */
int hf_top_print_json(const struct hf_top_frame *frame, unsigned int events, FILE *out);

/*
 * Everything about one connection as it was seen at_ms; its timers as they are at now_ms (both
 * CLOCK_MONOTONIC). gone: it is not there any more.
 */
struct hf_top_detail {
	const struct hf_connection *connection;
	const char *cgroup; /* "" where it is not known */
	const struct hf_goals *policy;
	uint64_t at_ms, now_ms;
	bool gone;
};
void hf_top_print_detail(const struct hf_top_detail *detail, FILE *out);

void hf_top_print_help(FILE *out);

#endif
