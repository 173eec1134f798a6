/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text from outside made safe to show: control characters, invalid UTF-8 as \xNN,
 * bidirectional overrides and isolates (and other invisible format characters) as \u{202e},
 * a backslash as \\.
 */
#ifndef HF_CLI_ESCAPE_H
#define HF_CLI_ESCAPE_H

#include <stddef.h>

/* Worst case of the escaped length, NUL included. */
#define HF_ESCAPED(n) (4 * (n) + 1)

/* Escape for a terminal or a log; returns the length. out has HF_ESCAPED(length) bytes. */
size_t hf_escape(const char *text, size_t length, char *out);

/* Length of the leading part that hf_escape leaves as it is, printable ASCII: a quick look. */
size_t hf_escape_plain(const char *text, size_t length);

/* For JSON: only invalid UTF-8 bytes become \xNN text (JSON itself escapes the rest). */
size_t hf_escape_invalid(const char *text, size_t length, char *out);

/* Columns that an escaped (valid UTF-8) text takes on a terminal. */
size_t hf_text_width(const char *text, size_t length);

/* Bytes of the longest leading part that fits in so many columns; *width = columns it takes. */
size_t hf_text_fit(const char *text, size_t length, size_t columns, size_t *width);

/* The same, but ending before a blank, unless not even one word fits; columns > 1. */
size_t hf_text_wrap(const char *text, size_t length, size_t columns, size_t *width);

#endif
