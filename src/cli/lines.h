/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a text table: kept until the widest cell of each column is known, then printed. */
#ifndef HF_CLI_LINES_H
#define HF_CLI_LINES_H

#include "cli/table.h"

struct hf_lines;

/* NULL: no memory. columns must outlive it. */
struct hf_lines *hf_lines_open(const struct hf_column *const *columns, unsigned int count);

/* A cell of printable ASCII without backslash, at most 254 bytes; and one of any text. */
void hf_lines_plain(struct hf_lines *lines, const char *text, size_t length, enum hf_colour colour);
void hf_lines_text(struct hf_lines *lines, const char *text, size_t length, enum hf_colour colour);
void hf_lines_end_row(struct hf_lines *lines);

/* A column that will be at least so wide. */
void hf_lines_expect(struct hf_lines *lines, unsigned int column, size_t width);

/* The terminal's width, where it is not out that tells it. */
void hf_lines_fit(struct hf_lines *lines, unsigned int width);

/*
 * Heading and rows, as table.h says; only once the heading, and each row. Rows printed so far, or
 * -errno.
 */
long hf_lines_print(struct hf_lines *lines, FILE *out);
void hf_lines_free(struct hf_lines **lines);

#endif
