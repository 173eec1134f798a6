/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the demo is drawn: rows in two columns, without and with Holdfast, that stay; under
 * them, on a terminal, two strips that grow as time goes on. Not a terminal: plain lines, and each
 * act's strips once, when it is over.
 */
#ifndef HF_CLI_DEMO_TIMELINE_H
#define HF_CLI_DEMO_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/table.h"

enum hf_side {
	HF_WITHOUT,
	HF_WITH,
	HF_BOTH
};

#define HF_TIMELINE_CELLS 512 /* of a strip, 0.2 s each */

struct hf_timeline {
	FILE *out;
	bool live; /* redraw the strips in place */
	bool colour;
	bool act;	    /* one is under way: it has strips */
	unsigned int width; /* of the screen */
	unsigned int drawn; /* lines of the strips that are on it */
	int64_t began;	    /* microseconds, the time 0.0 s */
	int64_t act_began;
	size_t cells;
	char strips[2][HF_TIMELINE_CELLS];
	char status[2][40];
};

void hf_timeline_open(struct hf_timeline *timeline, FILE *out);

/* A line or some of them, full width. */
void hf_timeline_text(struct hf_timeline *timeline, enum hf_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* An act: its headline, and strips that begin at the time given (microseconds). */
void hf_timeline_act(struct hf_timeline *timeline, int64_t at, const char *headline);
void hf_timeline_act_over(struct hf_timeline *timeline);

/* Something happened at that time on that side, or on both. */
void hf_timeline_say(struct hf_timeline *timeline, int64_t at, enum hf_side side,
		     enum hf_colour colour, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* It is now; state: what the cells up to now show where no mark is. Redraws. */
void hf_timeline_advance(struct hf_timeline *timeline, int64_t now, const char state[2]);

/* Put a mark into the cell of now. */
void hf_timeline_mark(struct hf_timeline *timeline, enum hf_side side, char mark);

/* The summary: one row, a label and a result for each side. */
void hf_timeline_result(struct hf_timeline *timeline, const char *label,
			const char *const results[2], const enum hf_colour colours[2]);

#endif
