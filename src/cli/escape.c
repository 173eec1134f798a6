/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/escape.h"

#include <locale.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

/* Code points that a terminal does not show, or that rearrange what it shows. */
static const struct {
	uint32_t first, last;
} hidden[] = {
	{ 0x80, 0x9f },	      /* C1 control characters */
	{ 0xad, 0xad },	      /* soft hyphen */
	{ 0x61c, 0x61c },     /* Arabic letter mark */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200f },   /* zero width, left-to-right and right-to-left marks */
	{ 0x2028, 0x202e },   /* line and paragraph separator, embeddings, overrides */
	{ 0x2060, 0x206f },   /* word joiner, isolates, deprecated format characters */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xfff9, 0xfffb },   /* interlinear annotation */
	{ 0xe0000, 0xe0fff }, /* tags and variation selectors */
};

static bool is_hidden(uint32_t code)
{
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return true;
	return false;
}

/* Length of the valid UTF-8 sequence at text (RFC 3629), 0 if there is none; *code is its value. */
static size_t decode(const char *text, size_t length, uint32_t *code)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	size_t want = byte[0] < 0x80  ? 1 :
		      byte[0] >= 0xf8 ? 0 :
		      byte[0] >= 0xf0 ? 4 :
		      byte[0] >= 0xe0 ? 3 :
		      byte[0] >= 0xc0 ? 2 :
					0;
	uint32_t value = want > 1 ? byte[0] & (0x7f >> want) : byte[0];

	if (!want || want > length)
		return 0;
	for (size_t i = 1; i < want; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte[i] & 0x3f);
	}
	if (value < lowest[want] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return want;
}

static char *put_byte(char *out, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";

	*out++ = '\\';
	*out++ = 'x';
	*out++ = digits[byte >> 4];
	*out++ = digits[byte & 15];
	return out;
}

static char *put_code(char *out, uint32_t code)
{
	static const char digits[] = "0123456789abcdef";
	int shift = 28;

	*out++ = '\\';
	*out++ = 'u';
	*out++ = '{';
	while (!(code >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*out++ = digits[code >> shift & 15];
	*out++ = '}';
	return out;
}

static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '\\';
}

/* Do all eight bytes need no escape? Each test leaves the top bit of a byte that fails it. */
static bool are_plain(uint64_t eight)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uint64_t slash = eight ^ ones * '\\';
	uint64_t fails = eight | (eight - ones * 0x20) | (eight + ones) | (slash - ones);

	return !(fails & tops);
}

size_t hf_escape_plain(const char *text, size_t length)
{
	size_t i = 0;

	for (uint64_t eight; i + sizeof(eight) <= length; i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		if (!are_plain(eight))
			break;
	}
	while (i < length && is_plain((unsigned char)text[i]))
		i++;
	return i;
}

size_t hf_escape(const char *text, size_t length, char *out)
{
	size_t done = hf_escape_plain(text, length);
	char *end = out + done;
	uint32_t code;

	memcpy(out, text, done);
	while (done < length) {
		size_t bytes = decode(text + done, length - done, &code);

		if (!bytes || code < 0x20 || code == 0x7f) {
			end = put_byte(end, (unsigned char)text[done++]);
			continue;
		}
		if (is_hidden(code)) {
			end = put_code(end, code);
		} else {
			if (code == '\\')
				*end++ = '\\';
			memcpy(end, text + done, bytes);
			end += bytes;
		}
		done += bytes;
	}
	*end = '\0';
	return (size_t)(end - out);
}

size_t hf_escape_invalid(const char *text, size_t length, char *out)
{
	char *end = out;
	uint32_t code;

	for (size_t done = 0; done < length;) {
		size_t bytes = decode(text + done, length - done, &code);

		if (!bytes) {
			end = put_byte(end, (unsigned char)text[done++]);
			continue;
		}
		memcpy(end, text + done, bytes);
		end += bytes;
		done += bytes;
	}
	*end = '\0';
	return (size_t)(end - out);
}

/*
 * wcwidth() answers for the thread's locale, which may be "C": ask in a UTF-8 one, whatever the
 * user's is. Where none is installed, every code point counts as one column.
 */
static locale_t utf8_locale(void)
{
	static locale_t utf8;

	if (!utf8)
		utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	return utf8;
}

size_t hf_text_fit(const char *text, size_t length, size_t columns, size_t *width)
{
	size_t done = 0, taken = 0;
	locale_t utf8 = utf8_locale(), before = utf8 ? uselocale(utf8) : (locale_t)0;
	uint32_t code;

	while (done < length) {
		size_t bytes = decode(text + done, length - done, &code);
		int wide = bytes ? wcwidth((wchar_t)code) : 1;
		size_t step = wide < 0 ? 1 : (size_t)wide;

		if (taken + step > columns)
			break;
		taken += step;
		done += bytes ? bytes : 1;
	}
	if (before)
		uselocale(before);
	*width = taken;
	return done;
}

size_t hf_text_width(const char *text, size_t length)
{
	size_t width;

	hf_text_fit(text, length, SIZE_MAX, &width);
	return width;
}

size_t hf_text_wrap(const char *text, size_t length, size_t columns, size_t *width)
{
	size_t fits = hf_text_fit(text, length, columns, width), end = fits;

	if (fits == length)
		return length;
	while (end && text[end] != ' ')
		end--;
	return end ? hf_text_fit(text, end, columns, width) : fits;
}
