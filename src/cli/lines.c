/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cells of all rows lie packed in one growing arena: 100 000 connections with a dozen columns
 * are an everyday `holdfast list`, and what costs then is memory touched for the first time. A
 * cell is two bytes, length and colour, and its text; where that is long or not as wide
 * as it has bytes, the length is LONG and a struct sizes comes before the text.
 */
#include "cli/lines.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"

#define GAP 2		   /* blanks between columns */
#define TITLE_TEXT 32	   /* a column's heading */
#define CELL_EXTRA 16	   /* colour on and off, ellipsis */
#define BLOCK 16	   /* bytes copied at once */
#define OUTPUT (64 * 1024) /* bytes written at once */

#define LONG 255
#define HEADER 2

struct sizes {
	uint32_t bytes, width; /* width: columns on the terminal */
};

struct cell { /* unpacked */
	const char *text;
	struct sizes size;
	enum hf_colour colour;
};

struct arena {
	char *data;
	size_t used, size;
};

struct fit { /* how a column is printed */
	uint32_t width;
	bool shown;
};

struct hf_lines {
	const struct hf_column *const *columns;
	unsigned int count;
	unsigned int next;   /* column of the next cell */
	struct arena cells;  /* packed, row by row */
	struct arena output; /* lines to write */
	uint32_t widest[HF_TABLE_COLUMNS];
	long rows, printed;
	unsigned int terminal; /* columns, 0 = as many as the output has */
	bool headed;	       /* the heading is printed */
	int error;	       /* the first one; 0 = none */
};

struct hf_lines *hf_lines_open(const struct hf_column *const *columns, unsigned int count)
{
	struct hf_lines *lines = calloc(1, sizeof(*lines));

	assert(count <= HF_TABLE_COLUMNS);
	if (!lines)
		return NULL;
	lines->columns = columns;
	lines->count = count;
	for (unsigned int i = 0; i < count; i++)
		lines->widest[i] = (uint32_t)strlen(columns[i]->title);
	return lines;
}

void hf_lines_free(struct hf_lines **lines)
{
	if (!*lines)
		return;
	free((*lines)->cells.data);
	free((*lines)->output.data);
	free(*lines);
	*lines = NULL;
}

static bool grow(struct hf_lines *lines, struct arena *arena, size_t bytes)
{
	size_t size = 2 * (arena->used + bytes) + 4096;
	char *data = realloc(arena->data, size);

	if (!data) {
		lines->error = ENOMEM;
		return false;
	}
	arena->data = data;
	arena->size = size;
	return true;
}

/* Room for so many more bytes and a block; NULL if there is none. */
static inline char *reserve(struct hf_lines *lines, struct arena *arena, size_t bytes)
{
	if (arena->used + bytes + BLOCK > arena->size && !grow(lines, arena, bytes))
		return NULL;
	return arena->data + arena->used;
}

/* The cell just packed is complete. */
static inline void kept(struct hf_lines *lines, size_t packed, size_t width)
{
	assert(lines->next < lines->count);
	lines->cells.used += packed;
	if (width > lines->widest[lines->next])
		lines->widest[lines->next] = (uint32_t)width;
	lines->next++;
}

/* Pack printable ASCII. */
void hf_lines_plain(struct hf_lines *lines, const char *text, size_t length, enum hf_colour colour)
{
	char *place = reserve(lines, &lines->cells, HEADER + length);

	if (!place)
		return;
	place[0] = (char)length;
	place[1] = (char)colour;
	memcpy(place + HEADER, text, length);
	kept(lines, HEADER + length, length);
}

/* Pack any text. */
static void keep_long(struct hf_lines *lines, const char *text, size_t length,
		      enum hf_colour colour)
{
	char *place =
		reserve(lines, &lines->cells, HEADER + sizeof(struct sizes) + HF_ESCAPED(length));
	char *escaped = place + HEADER + sizeof(struct sizes);
	struct sizes size;

	if (!place)
		return;
	size.bytes = (uint32_t)hf_escape(text, length, escaped);
	size.width = (uint32_t)hf_text_width(escaped, size.bytes);
	place[0] = (char)LONG;
	place[1] = (char)colour;
	memcpy(place + HEADER, &size, sizeof(size));
	kept(lines, HEADER + sizeof(size) + size.bytes, size.width);
}

/* The next cell; returns where the one after it begins. */
static inline const char *unpack(const char *place, struct cell *cell)
{
	cell->size.bytes = cell->size.width = (unsigned char)place[0];
	cell->colour = (enum hf_colour)place[1];
	place += HEADER;
	if (cell->size.bytes == LONG) {
		memcpy(&cell->size, place, sizeof(cell->size));
		place += sizeof(cell->size);
	}
	cell->text = place;
	return place + cell->size.bytes;
}

void hf_lines_text(struct hf_lines *lines, const char *text, size_t length, enum hf_colour colour)
{
	if (length < LONG && hf_escape_plain(text, length) == length)
		hf_lines_plain(lines, text, length, colour);
	else
		keep_long(lines, text, length, colour);
}

void hf_lines_end_row(struct hf_lines *lines)
{
	assert(lines->next == lines->count || lines->error);
	lines->next = 0;
	lines->rows++;
}

/* --- Fit the columns into the terminal, then print. --- */

static size_t total_width(const struct fit *fit, unsigned int count)
{
	size_t total = 0;

	for (unsigned int i = 0; i < count; i++)
		if (fit[i].shown)
			total += fit[i].width + GAP;
	return total ? total - GAP : 0;
}

static uint32_t least_width(const struct hf_column *column, uint32_t width)
{
	return column->flexible && column->flexible < width ? column->flexible : width;
}

/* Leave out the first to go, the rightmost of equals; false if none may. */
static bool drop_one(const struct hf_lines *lines, struct fit *fit)
{
	unsigned int first = lines->count, most = 1;

	for (unsigned int i = 0; i < lines->count; i++) {
		if (fit[i].shown && lines->columns[i]->drop >= most) {
			first = i;
			most = lines->columns[i]->drop;
		}
	}
	if (first == lines->count)
		return false;
	fit[first].shown = false;
	return true;
}

/* Give what room is left to the flexible columns, the narrowest first, as far as they want it. */
static void widen(const struct hf_lines *lines, struct fit *fit, size_t room)
{
	while (room) {
		struct fit *least = NULL;

		for (unsigned int i = 0; i < lines->count; i++)
			if (fit[i].shown && fit[i].width < lines->widest[i] &&
			    (!least || fit[i].width < least->width))
				least = &fit[i];
		if (!least)
			return;
		least->width++;
		room--;
	}
}

static void fit_columns(const struct hf_lines *lines, struct fit *fit, unsigned int terminal)
{
	for (unsigned int i = 0; i < lines->count; i++) {
		fit[i] = (struct fit){ .width = lines->widest[i], .shown = true };
		if (terminal)
			fit[i].width = least_width(lines->columns[i], lines->widest[i]);
	}
	if (!terminal)
		return;
	while (total_width(fit, lines->count) > terminal)
		if (!drop_one(lines, fit))
			break;
	if (total_width(fit, lines->count) < terminal)
		widen(lines, fit, terminal - total_width(fit, lines->count));
}

static void flush(struct hf_lines *lines, FILE *out)
{
	errno = 0;
	if (fwrite(lines->output.data, 1, lines->output.used, out) != lines->output.used &&
	    !lines->error)
		lines->error = errno ? errno : EIO;
	lines->output.used = 0;
}

/*
 * Copies in whole blocks, which for a few bytes is faster than a call: reserve() leaves a block
 * to spare behind both the packed cells and the output.
 */
static inline char *put(char *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i += BLOCK)
		memcpy(out + i, text + i, BLOCK);
	return out + length;
}

static inline char *put_blanks(char *out, size_t length)
{
	for (size_t i = 0; i < length; i += BLOCK)
		memset(out + i, ' ', BLOCK);
	return out + length;
}

/* For text that has no block to spare behind it. */
static char *put_string(char *out, const char *text)
{
	size_t length = strlen(text);

	memcpy(out, text, length);
	return out + length;
}

/* The cell's text, cut to its column; cell->size.width is what it takes then. */
static char *put_cut(char *out, struct cell *cell, uint32_t columns)
{
	size_t width;

	out = put(out, cell->text, hf_text_fit(cell->text, cell->size.bytes, columns - 1, &width));
	cell->size.width = (uint32_t)width + 1;
	return put_string(out, "\u2026");
}

static inline char *put_text(char *out, struct cell *cell, uint32_t columns)
{
	if (cell->size.width > columns)
		return put_cut(out, cell, columns);
	return put(out, cell->text, cell->size.bytes);
}

static char *put_coloured(char *out, struct cell *cell, uint32_t columns)
{
	out = put_string(out, hf_colour_code(cell->colour));
	out = put_text(out, cell, columns);
	return put_string(out, HF_COLOUR_OFF);
}

/* Print one cell after so many blanks; returns the blanks due before the next one. */
static size_t print_cell(struct hf_lines *lines, struct cell *cell, enum hf_align align,
			 uint32_t columns, size_t blanks, bool colour)
{
	char *out;

	if (align == HF_RIGHT && cell->size.width < columns)
		blanks += columns - cell->size.width;
	out = reserve(lines, &lines->output, blanks + cell->size.bytes + CELL_EXTRA);
	if (!out)
		return 0;
	out = put_blanks(out, blanks);
	if (colour && cell->colour)
		out = put_coloured(out, cell, columns);
	else
		out = put_text(out, cell, columns);
	lines->output.used = (size_t)(out - lines->output.data);
	return align == HF_RIGHT ? GAP : GAP + columns - cell->size.width;
}

static void end_line(struct hf_lines *lines)
{
	char *out = reserve(lines, &lines->output, 1);

	if (!out)
		return;
	*out = '\n';
	lines->output.used++;
}

/* One line; returns where the next row begins. Blanks never follow the last cell. */
static const char *print_row(struct hf_lines *lines, const char *cells, const struct fit *fit,
			     bool colour)
{
	struct cell cell;
	size_t blanks = 0;

	for (unsigned int i = 0; i < lines->count; i++) {
		cells = unpack(cells, &cell);
		if (fit[i].shown)
			blanks = print_cell(lines, &cell, lines->columns[i]->align, fit[i].width,
					    blanks, colour);
	}
	end_line(lines);
	return cells;
}

/* What of a cell goes into this line; the cell is left with the rest. */
static struct cell take_line(struct cell *cell, enum hf_align align, uint32_t columns)
{
	struct cell line = *cell;
	size_t taken = cell->size.bytes, width = cell->size.width;

	if (align == HF_WRAPPED)
		taken = hf_text_wrap(cell->text, cell->size.bytes, columns, &width);
	line.size = (struct sizes){ (uint32_t)taken, (uint32_t)width };
	while (taken < cell->size.bytes && cell->text[taken] == ' ')
		taken++;
	cell->text += taken;
	cell->size.bytes -= (uint32_t)taken;
	return line;
}

/* As many lines as its longest cell takes; otherwise as print_row. */
static const char *print_wrapped(struct hf_lines *lines, const char *cells, const struct fit *fit,
				 bool colour)
{
	struct cell left[HF_TABLE_COLUMNS], cell;
	bool more = true;

	for (unsigned int i = 0; i < lines->count; i++)
		cells = unpack(cells, &left[i]);
	while (more) {
		size_t blanks = 0;

		more = false;
		for (unsigned int i = 0; i < lines->count; i++) {
			enum hf_align align = lines->columns[i]->align;

			if (!fit[i].shown)
				continue;
			cell = take_line(&left[i], align, fit[i].width);
			more |= left[i].size.bytes > 0;
			if (cell.size.bytes)
				blanks = print_cell(lines, &cell, align, fit[i].width, blanks,
						    colour);
			else
				blanks += fit[i].width + GAP;
		}
		end_line(lines);
	}
	return cells;
}

/* Does a column want more than it gets, and goes on in further lines then? */
static bool wraps(const struct hf_lines *lines, const struct fit *fit)
{
	for (unsigned int i = 0; i < lines->count; i++)
		if (lines->columns[i]->align == HF_WRAPPED && fit[i].shown &&
		    fit[i].width < lines->widest[i])
			return true;
	return false;
}

static void print_heading(struct hf_lines *lines, const struct fit *fit, bool colour)
{
	size_t blanks = 0;

	for (unsigned int i = 0; i < lines->count; i++) {
		uint32_t length = (uint32_t)strlen(lines->columns[i]->title);
		char title[TITLE_TEXT + BLOCK];
		struct cell cell = { title, { length, length }, HF_BOLD };

		if (!fit[i].shown)
			continue;
		assert(length <= TITLE_TEXT);
		memset(title, ' ', sizeof(title));
		memcpy(title, lines->columns[i]->title, length);
		blanks = print_cell(lines, &cell, lines->columns[i]->align, fit[i].width, blanks,
				    colour);
	}
	end_line(lines);
}

void hf_lines_expect(struct hf_lines *lines, unsigned int column, size_t width)
{
	assert(column < lines->count);
	if (width > lines->widest[column])
		lines->widest[column] = (uint32_t)width;
}

void hf_lines_fit(struct hf_lines *lines, unsigned int width)
{
	lines->terminal = width;
}

long hf_lines_print(struct hf_lines *lines, FILE *out)
{
	const char *cells = lines->cells.data;
	bool colour = hf_colour_wanted(out);
	struct fit fit[HF_TABLE_COLUMNS] = { 0 };
	bool wrapped;

	if (lines->error)
		return -lines->error;
	fit_columns(lines, fit, lines->terminal ? lines->terminal : hf_terminal_width(out));
	if (!lines->headed)
		print_heading(lines, fit, colour);
	lines->headed = true;
	wrapped = wraps(lines, fit);
	for (; lines->printed < lines->rows; lines->printed++) {
		cells = wrapped ? print_wrapped(lines, cells, fit, colour) :
				  print_row(lines, cells, fit, colour);
		if (lines->output.used >= OUTPUT)
			flush(lines, out);
	}
	flush(lines, out);
	lines->cells.used = 0;
	return lines->error ? -lines->error : lines->rows;
}
