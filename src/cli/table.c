/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text goes to lines.c, JSON to one jansson object, refilled row by row. Numbers are formatted
 * here, backwards from the end of a small buffer: printf would cost more than all the rest.
 */
#include "cli/table.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/lines.h"

#define NUMBER_TEXT 24 /* any number, duration or time as text */
#define JSON_FLAGS (JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15))

struct hf_table {
	const struct hf_column *const *columns;
	unsigned int count;
	unsigned int next;	/* JSON: column of the next cell */
	json_t *object;		/* JSON: the row under way; NULL in text */
	struct hf_lines *lines; /* text */
	FILE *out;
	long rows; /* JSON */
	int error; /* the first one, of JSON or of a flush; 0 = none */
};

struct hf_table *hf_table_open(const struct hf_column *const *columns, unsigned int count,
			       bool json, FILE *out)
{
	struct hf_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->count = count;
	table->out = out;
	if (json)
		table->object = json_object();
	else
		table->lines = hf_lines_open(columns, count);
	if (table->object || table->lines)
		return table;
	free(table);
	return NULL;
}

static void keep_json(struct hf_table *table, json_t *value)
{
	assert(table->next < table->count);
	if (json_object_set_new(table->object, table->columns[table->next++]->key, value))
		table->error = ENOMEM;
}

static void json_bytes(struct hf_table *table, const char *text, size_t length)
{
	char *valid = malloc(HF_ESCAPED(length));

	if (!valid) {
		table->error = ENOMEM;
		return;
	}
	keep_json(table, json_stringn(valid, hf_escape_invalid(text, length, valid)));
	free(valid);
}

void hf_table_bytes(struct hf_table *table, const char *text, size_t length, enum hf_colour colour)
{
	if (table->object)
		json_bytes(table, text, length);
	else
		hf_lines_text(table->lines, text, length, colour);
}

void hf_table_text(struct hf_table *table, const char *text, enum hf_colour colour)
{
	if (text)
		hf_table_bytes(table, text, strlen(text), colour);
	else
		hf_table_none(table);
}

void hf_table_none(struct hf_table *table)
{
	if (table->object)
		keep_json(table, json_null());
	else
		hf_lines_plain(table->lines, "-", 1, HF_PLAIN);
}

void hf_table_bool(struct hf_table *table, bool value)
{
	if (table->object)
		keep_json(table, json_boolean(value));
	else
		hf_lines_plain(table->lines, value ? "yes" : "no", value ? 3 : 2, HF_PLAIN);
}

/* Digits and a unit written backwards from end; returns where they begin. */
static char *put_number(char *end, uint64_t number, const char *unit)
{
	for (size_t i = strlen(unit); i; i--)
		*--end = unit[i - 1];
	do
		*--end = (char)('0' + number % 10);
	while (number /= 10);
	return end;
}

void hf_table_number(struct hf_table *table, uint64_t number)
{
	char text[NUMBER_TEXT], *end = text + sizeof(text), *start;

	if (table->object) {
		keep_json(table, json_integer((json_int_t)number));
		return;
	}
	start = put_number(end, number, "");
	hf_lines_plain(table->lines, start, (size_t)(end - start), HF_PLAIN);
}

/* A whole number of the larger unit, and what is left over in the smaller one if anything. */
static char *put_two(char *end, uint64_t number, unsigned int ratio, const char *large,
		     const char *small)
{
	if (number % ratio)
		end = put_number(end, number % ratio, small);
	return put_number(end, number / ratio, large);
}

static char *put_duration(char *end, uint64_t ms)
{
	uint64_t tenths = (ms + 50) / 100, seconds = (ms + 500) / 1000;
	uint64_t minutes = (seconds + 30) / 60, hours = (minutes + 30) / 60;

	if (ms < 1000)
		return put_number(end, ms, ms ? "ms" : "s");
	if (tenths < 100 && tenths % 10) {
		end = put_number(end, tenths % 10, "s");
		*--end = '.';
		return put_number(end, tenths / 10, "");
	}
	if (seconds < 60)
		return put_number(end, seconds, "s");
	if (seconds < 3600)
		return put_two(end, seconds, 60, "min", "s");
	if (minutes < 24 * 60)
		return put_two(end, minutes, 60, "h", "min");
	return put_two(end, hours, 24, "d", "h");
}

void hf_table_seconds(struct hf_table *table, uint64_t ms)
{
	char text[NUMBER_TEXT], *end = text + sizeof(text), *start;

	if (ms == UINT64_MAX) {
		if (table->object)
			hf_table_none(table);
		else
			hf_lines_plain(table->lines, "never", 5, HF_PLAIN);
		return;
	}
	if (table->object) {
		keep_json(table, ms % 1000 ? json_real((double)ms / 1000) :
					     json_integer((json_int_t)(ms / 1000)));
		return;
	}
	start = put_duration(end, ms);
	hf_lines_plain(table->lines, start, (size_t)(end - start), HF_PLAIN);
}

/* Three significant digits: 0.42ms, 12.3ms, 250ms. */
static char *put_milliseconds(char *end, uint64_t us)
{
	uint64_t hundredths = (us + 5) / 10, tenths = (us + 50) / 100;

	if (hundredths < 1000) {
		end = put_number(end, hundredths % 10, "ms");
		end = put_number(end, hundredths / 10 % 10, "");
		*--end = '.';
		return put_number(end, hundredths / 100, "");
	}
	if (tenths < 1000) {
		end = put_number(end, tenths % 10, "ms");
		*--end = '.';
		return put_number(end, tenths / 10, "");
	}
	return put_number(end, (us + 500) / 1000, "ms");
}

void hf_table_milliseconds(struct hf_table *table, uint64_t us)
{
	char text[NUMBER_TEXT], *end = text + sizeof(text), *start;

	if (table->object) {
		keep_json(table, json_real((double)us / 1000));
		return;
	}
	start = put_milliseconds(end, us);
	hf_lines_plain(table->lines, start, (size_t)(end - start), HF_PLAIN);
}

static void end_object(struct hf_table *table)
{
	assert(table->next == table->count || table->error);
	table->next = 0;
	table->rows++;
	errno = 0;
	if ((json_dumpf(table->object, table->out, JSON_FLAGS) || putc('\n', table->out) == EOF) &&
	    !table->error)
		table->error = errno ? errno : EIO;
	json_object_clear(table->object);
}

void hf_table_end_row(struct hf_table *table)
{
	if (table->object)
		end_object(table);
	else
		hf_lines_end_row(table->lines);
}

void hf_table_expect(struct hf_table *table, unsigned int column, size_t width)
{
	if (table->lines)
		hf_lines_expect(table->lines, column, width);
}

void hf_table_fit(struct hf_table *table, unsigned int width)
{
	if (table->lines)
		hf_lines_fit(table->lines, width);
}

void hf_table_flush(struct hf_table *table)
{
	if (table->lines)
		hf_lines_print(table->lines, table->out);
	if (fflush(table->out) && !table->error)
		table->error = errno;
}

long hf_table_close(struct hf_table **table)
{
	struct hf_table *closing = *table;
	long result = closing->error ? -closing->error : closing->rows;

	if (closing->lines && result >= 0)
		result = hf_lines_print(closing->lines, closing->out);
	if (fflush(closing->out) && result >= 0)
		result = -errno;
	hf_lines_free(&closing->lines);
	json_decref(closing->object);
	free(closing);
	*table = NULL;
	return result;
}
