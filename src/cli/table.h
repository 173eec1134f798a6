/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one writer of everything that reports in rows: an aligned table for people, JSON Lines
 * for programs. Collectors hand in cells; how they look is decided here.
 *
 * Text: rows are kept until hf_table_close, then printed with every column as wide as its widest
 * cell; on a terminal too narrow for that, flexible columns are cut with an ellipsis (or wrapped)
 * and then columns dropped from the right of their priority. Not a terminal: nothing is cut.
 * JSON: one object a row, written as the row ends; keys in column order.
 */
#ifndef HF_CLI_TABLE_H
#define HF_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum hf_align {
	HF_LEFT,
	HF_RIGHT,
	HF_WRAPPED /* left, and what flexible would cut goes on in further lines */
};

enum hf_colour {
	HF_PLAIN = 0,
	HF_BAD,
	HF_WARN,
	HF_GOOD,
	HF_DIM,
	HF_BOLD
};

struct hf_column {
	const char *key;   /* JSON key and name for --columns */
	const char *title; /* text heading */
	enum hf_align align;
	uint8_t flexible; /* > 0: may be cut down to this many characters on a narrow terminal */
	uint8_t drop;	  /* > 0: may be left out on a narrow terminal, highest first */
};

struct hf_table;

/*
 * columns must outlive the table, HF_TABLE_COLUMNS at most. json: JSON Lines, else text. out:
 * stdout as a rule. NULL: no memory.
 */
#define HF_TABLE_COLUMNS 64
struct hf_table *hf_table_open(const struct hf_column *const *columns, unsigned int count,
			       bool json, FILE *out);

/* Cells, one per column, in order. Text is escaped here; NULL or _none is "-" and null. */
void hf_table_text(struct hf_table *table, const char *text, enum hf_colour colour);
void hf_table_bytes(struct hf_table *table, const char *text, size_t length, enum hf_colour colour);
void hf_table_number(struct hf_table *table, uint64_t number);
/* Text "4.5s", "1min47s", at most two units, rounded; UINT64_MAX "never". JSON seconds, null. */
void hf_table_seconds(struct hf_table *table, uint64_t ms);
void hf_table_milliseconds(struct hf_table *table, uint64_t us); /* text "0.42ms"; JSON ms */
void hf_table_bool(struct hf_table *table, bool value);
void hf_table_none(struct hf_table *table);
void hf_table_end_row(struct hf_table *table);

/*
 * For rows that come one by one. _flush prints what there is by now, as wide as the widest cells so
 * far; _expect tells beforehand how wide a column will be, so that they stay aligned.
 */
void hf_table_expect(struct hf_table *table, unsigned int column, size_t width);
void hf_table_flush(struct hf_table *table);

/* Fit the rows into so many columns, whatever out is. */
void hf_table_fit(struct hf_table *table, unsigned int width);

/* Print what is kept; returns rows written, or -errno if output failed. Frees and nulls. */
long hf_table_close(struct hf_table **table);

/* Colour for one stream: a terminal, NO_COLOR unset or empty, TERM not "dumb". */
bool hf_colour_wanted(FILE *out);
const char *hf_colour_code(enum hf_colour colour); /* the escape sequence; "" for HF_PLAIN */
#define HF_COLOUR_OFF "\033[0m"

/* Columns of the terminal on out, 0 if it is none. COLUMNS in the environment wins over its own. */
unsigned int hf_terminal_width(FILE *out);

/* The rest of a line that begins in this column, wrapped on a terminal; ends the line. */
void hf_terminal_wrap(FILE *out, unsigned int column, const char *text);

#endif
