/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever the bytes: what is shown is harmless, not longer than said, and tells them apart. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Undo one escape: *at moves past it; returns its value. */
static unsigned long undo(const char **at)
{
	unsigned long value;
	char *end;

	if ((*at)[1] == '\\') {
		*at += 2;
		return '\\';
	}
	require((*at)[1] == 'x' || ((*at)[1] == 'u' && (*at)[2] == '{'));
	if ((*at)[1] == 'x') {
		char digits[3] = { (*at)[2], (*at)[3], '\0' };

		value = strtoul(digits, &end, 16);
		require(end == digits + 2);
		*at += 4;
		return value;
	}
	value = strtoul(*at + 3, &end, 16);
	require(*end == '}' && value >= 0x80);
	*at = end + 1;
	return value;
}

static size_t encode(unsigned long code, char *out)
{
	size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char first[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = length; --i; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3f));
	out[0] = (char)(first[length] | code);
	return length;
}

/* The escaped text gives the bytes back. */
static void check_round_trip(const char *text, size_t size, const char *escaped)
{
	char *back = malloc(HF_ESCAPED(size)), *end = back;

	for (const char *at = escaped; *at;) {
		int wide = at[0] == '\\' && at[1] == 'u';
		unsigned long value;

		if (*at != '\\') {
			*end++ = *at++;
			continue;
		}
		value = undo(&at);
		if (wide)
			end += encode(value, end);
		else
			*end++ = (char)value;
	}
	require((size_t)(end - back) == size && !memcmp(back, text, size));
	free(back);
}

static void check_shown(const char *escaped, size_t length)
{
	json_t *valid = json_stringn(escaped, length); /* NULL for invalid UTF-8 */
	size_t width, fits;

	require(valid != NULL);
	json_decref(valid);
	for (size_t i = 0; i < length; i++)
		require((unsigned char)escaped[i] >= 0x20 && escaped[i] != 0x7f);
	fits = hf_text_fit(escaped, length, 7, &width);
	require(fits <= length && width <= 7);
	require(hf_text_width(escaped, length) <= length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	char *out = malloc(HF_ESCAPED(size));
	size_t length = hf_escape(text, size, out);
	size_t plain = hf_escape_plain(text, size);
	json_t *valid;

	require(length < HF_ESCAPED(size) && strlen(out) == length && plain <= size);
	require(!memcmp(out, text, plain));
	require((length == size && !memcmp(out, text, size)) || plain < size);
	check_shown(out, length);
	check_round_trip(text, size, out);

	length = hf_escape_invalid(text, size, out);
	require(length < HF_ESCAPED(size) && out[length] == '\0');
	valid = json_stringn(out, length);
	require(valid != NULL);
	json_decref(valid);
	free(out);
	return 0;
}
