/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/demo_timeline.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH_USUAL 80
#define WIDTH_MIN 60   /* a live view in less would wrap, and could not be redrawn in place */
#define WIDTH_MAX 120  /* columns further apart are hard to read together */
#define STAMP_WIDTH 9  /* "  12.3s  " */
#define LABEL_WIDTH 22 /* of the summary */
#define STRIP_LINES 3
#define CELL_US 200000

void hf_timeline_open(struct hf_timeline *timeline, FILE *out)
{
	const char *term = getenv("TERM");
	unsigned int width = hf_terminal_width(out);

	memset(timeline, 0, sizeof(*timeline));
	timeline->out = out;
	timeline->colour = hf_colour_wanted(out);
	timeline->live = width >= WIDTH_MIN && term && strcmp(term, "dumb");
	timeline->width = width < WIDTH_MIN ? WIDTH_USUAL : width;
	if (timeline->width > WIDTH_MAX)
		timeline->width = WIDTH_MAX;
}

/* One piece of text in its colour, padded to width. */
static void put(struct hf_timeline *timeline, const char *text, size_t length, size_t width,
		enum hf_colour colour)
{
	bool coloured = timeline->colour && colour != HF_PLAIN;

	fprintf(timeline->out, "%s%.*s%s%*s", coloured ? hf_colour_code(colour) : "", (int)length,
		text, coloured ? HF_COLOUR_OFF : "", length < width ? (int)(width - length) : 0,
		"");
}

/* How much of text goes into one line of width: whole words where there are such. */
static size_t line_length(const char *text, size_t width)
{
	size_t length = strlen(text);

	if (length <= width)
		return length;
	for (length = width; length > 0; length--) {
		if (text[length] == ' ')
			return length;
	}
	return width;
}

static const char *skip_line(const char *text, size_t length)
{
	text += length;
	while (*text == ' ')
		text++;
	return text;
}

static size_t column_width(const struct hf_timeline *timeline, size_t label_width)
{
	return (timeline->width - label_width) / 2 - 1;
}

/* A label and two columns of wrapped text. */
static void put_row(struct hf_timeline *timeline, const char *label, size_t label_width,
		    const char *const texts[2], const enum hf_colour colours[2])
{
	size_t width = column_width(timeline, label_width);
	const char *left = texts[0], *right = texts[1];

	do {
		size_t left_length = line_length(left, width);
		size_t right_length = line_length(right, width);

		put(timeline, label, strlen(label), label_width, HF_PLAIN);
		put(timeline, left, left_length, right_length ? width + 1 : 0, colours[0]);
		put(timeline, right, right_length, 0, colours[1]);
		fputc('\n', timeline->out);
		left = skip_line(left, left_length);
		right = skip_line(right, right_length);
		label = "";
	} while (*left || *right);
}

static void erase_strips(struct hf_timeline *timeline)
{
	if (timeline->drawn)
		fprintf(timeline->out, "\033[%uA\033[J", timeline->drawn);
	timeline->drawn = 0;
}

/* The ruler: where a second begins, its number since the demo began. */
static void put_ruler(struct hf_timeline *timeline, size_t from, size_t cells)
{
	int64_t at = timeline->act_began - timeline->began + (int64_t)from * CELL_US;
	char ruler[HF_TIMELINE_CELLS + 1];
	char number[24];

	memset(ruler, ' ', sizeof(ruler));
	for (size_t i = 0; i < cells; i++, at += CELL_US) {
		size_t length = (size_t)snprintf(number, sizeof(number), "%d", (int)(at / 1000000));

		if (at % 1000000 < CELL_US && i + length <= cells)
			memcpy(ruler + i, number, length);
	}
	fprintf(timeline->out, "%*s%.*s\n", STAMP_WIDTH, "", (int)cells, ruler);
}

static enum hf_colour mark_colour(char mark)
{
	switch (mark) {
	case '+':
	case 'B':
		return HF_GOOD;
	case 'x':
		return HF_WARN;
	case '!':
	case '~':
		return HF_BAD;
	default:
		return HF_DIM;
	}
}

static void put_strip(struct hf_timeline *timeline, enum hf_side side, size_t from, size_t cells)
{
	static const char *const names[] = { "without", "with" };
	const char *strip = timeline->strips[side] + from;

	fprintf(timeline->out, "%-*s", STAMP_WIDTH, names[side]);
	for (size_t i = 0; i < cells; i++)
		put(timeline, strip + i, 1, 0, mark_colour(strip[i]));
	fputc('\n', timeline->out);
}

static void draw_strips(struct hf_timeline *timeline)
{
	size_t room = timeline->width - STAMP_WIDTH - 1;
	size_t from = timeline->cells > room ? timeline->cells - room : 0;
	size_t cells = timeline->cells - from;

	put_ruler(timeline, from, cells);
	put_strip(timeline, HF_WITHOUT, from, cells);
	put_strip(timeline, HF_WITH, from, cells);
}

static void draw_live(struct hf_timeline *timeline, int64_t now)
{
	int width = (int)column_width(timeline, STAMP_WIDTH);

	draw_strips(timeline);
	fprintf(timeline->out, "%6.1fs  %-*.*s %.*s\n", (double)(now - timeline->began) / 1e6,
		width, width, timeline->status[HF_WITHOUT], width, timeline->status[HF_WITH]);
	timeline->drawn = STRIP_LINES + 1;
	fflush(timeline->out);
}

void hf_timeline_text(struct hf_timeline *timeline, enum hf_colour colour, const char *format, ...)
{
	va_list arguments;
	char text[512];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	erase_strips(timeline);
	put(timeline, text, strlen(text), 0, colour);
	fputc('\n', timeline->out);
	fflush(timeline->out);
}

void hf_timeline_act(struct hf_timeline *timeline, int64_t at, const char *headline)
{
	static const char *const names[2] = { "WITHOUT HOLDFAST", "WITH HOLDFAST" };
	static const enum hf_colour dim[2] = { HF_DIM, HF_DIM };

	if (!timeline->began)
		timeline->began = at;
	hf_timeline_text(timeline, HF_BOLD, "\n%s", headline);
	put_row(timeline, "", STAMP_WIDTH, names, dim);
	timeline->act = true;
	timeline->act_began = at;
	timeline->cells = 0;
}

void hf_timeline_act_over(struct hf_timeline *timeline)
{
	if (!timeline->act)
		return;
	erase_strips(timeline);
	draw_strips(timeline);
	fflush(timeline->out);
	timeline->act = false;
}

void hf_timeline_say(struct hf_timeline *timeline, int64_t at, enum hf_side side,
		     enum hf_colour colour, const char *format, ...)
{
	const enum hf_colour colours[2] = { colour, colour };
	const char *texts[2] = { "", "" };
	char stamp[STAMP_WIDTH + 16];
	va_list arguments;
	char text[256];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (side != HF_WITH)
		texts[HF_WITHOUT] = text;
	if (side != HF_WITHOUT)
		texts[HF_WITH] = text;
	snprintf(stamp, sizeof(stamp), "%6.1fs", (double)(at - timeline->began) / 1e6);
	erase_strips(timeline);
	put_row(timeline, stamp, STAMP_WIDTH, texts, colours);
	fflush(timeline->out);
}

void hf_timeline_advance(struct hf_timeline *timeline, int64_t now, const char state[2])
{
	size_t cells;

	if (!timeline->act)
		return;
	cells = (size_t)((now - timeline->act_began) / CELL_US) + 1;
	while (timeline->cells < cells && timeline->cells < HF_TIMELINE_CELLS) {
		timeline->strips[HF_WITHOUT][timeline->cells] = state[HF_WITHOUT];
		timeline->strips[HF_WITH][timeline->cells] = state[HF_WITH];
		timeline->cells++;
	}
	if (!timeline->live)
		return;
	erase_strips(timeline);
	draw_live(timeline, now);
}

void hf_timeline_mark(struct hf_timeline *timeline, enum hf_side side, char mark)
{
	if (timeline->act && timeline->cells)
		timeline->strips[side][timeline->cells - 1] = mark;
}

void hf_timeline_result(struct hf_timeline *timeline, const char *label,
			const char *const results[2], const enum hf_colour colours[2])
{
	put_row(timeline, label, LABEL_WIDTH, results, colours);
	fflush(timeline->out);
}
