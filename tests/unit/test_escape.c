/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/escape.h"

struct example {
	const char *text, *shown, *json;
};

static void check_bytes(const char *text, size_t length, const char *shown, const char *json)
{
	char *copy = malloc(length + 1), *out = malloc(HF_ESCAPED(length));

	/* The exact length, so that the sanitizer sees a byte read too far. */
	memcpy(copy, text, length);
	copy = realloc(copy, length ? length : 1);
	assert_int_equal(hf_escape(copy, length, out), strlen(shown));
	assert_string_equal(out, shown);
	assert_int_equal(hf_escape_invalid(copy, length, out), strlen(json));
	assert_string_equal(out, json);
	free(copy);
	free(out);
}

static void check_all(const struct example *examples, size_t count)
{
	for (size_t i = 0; i < count; i++)
		check_bytes(examples[i].text, strlen(examples[i].text), examples[i].shown,
			    examples[i].json ? examples[i].json : examples[i].text);
}
#define CHECK_ALL(examples) check_all(examples, sizeof(examples) / sizeof((examples)[0]))

static void plain_text_stays(void **state)
{
	static const struct example examples[] = {
		{ "", "", 0 },
		{ "redis-server *:6379", "redis-server *:6379", 0 },
		{ "Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe", 0 },
		{ "\u65e5\u672c\u8a9e", "\u65e5\u672c\u8a9e", 0 },
		{ "\U0001f600 ~", "\U0001f600 ~", 0 },
	};

	(void)state;
	CHECK_ALL(examples);
}

static void control_characters_are_shown(void **state)
{
	static const struct example examples[] = {
		{ "\033[31mred", "\\x1b[31mred", 0 },
		{ "two\nlines\ttab\r", "two\\x0alines\\x09tab\\x0d", 0 },
		{ "\x7f", "\\x7f", 0 },
		{ "12345678\b", "12345678\\x08", 0 },
		{ "\xc2\x85\xc2\x9b"
		  "2J",
		  "\\u{85}\\u{9b}2J", 0 }, /* C1: next line, CSI */
	};
	char out[HF_ESCAPED(3)];

	(void)state;
	CHECK_ALL(examples);
	assert_int_equal(hf_escape("a\0b", 3, out), 6);
	assert_string_equal(out, "a\\x00b");
	assert_int_equal(hf_escape_invalid("a\0b", 3, out), 3); /* JSON has \u0000 for it */
	assert_memory_equal(out, "a\0b", 4);
}

static void backslash_is_doubled(void **state)
{
	static const struct example examples[] = {
		{ "\\", "\\\\", 0 },
		{ "\\x1b", "\\\\x1b", 0 },
		{ "1234567\\", "1234567\\\\", 0 },
	};

	(void)state;
	CHECK_ALL(examples);
}

static void hidden_and_bidirectional_characters_are_shown(void **state)
{
	static const struct example examples[] = {
		{ "\u202e", "\\u{202e}", 0 },	   { "\u202a", "\\u{202a}", 0 },
		{ "\u2066", "\\u{2066}", 0 },	   { "\u2069", "\\u{2069}", 0 },
		{ "\u2028", "\\u{2028}", 0 },	   { "\u2029", "\\u{2029}", 0 },
		{ "\u200e", "\\u{200e}", 0 },	   { "\u200f", "\\u{200f}", 0 },
		{ "\u061c", "\\u{61c}", 0 },	   { "\ufeff", "\\u{feff}", 0 },
		{ "\u200b", "\\u{200b}", 0 },	   { "\u00ad", "\\u{ad}", 0 },
		{ "\U000e0041", "\\u{e0041}", 0 },
	};

	(void)state;
	CHECK_ALL(examples);
}

static void invalid_utf8_is_shown_byte_by_byte(void **state)
{
	static const struct example examples[] = {
		{ "\xff", "\\xff", "\\xff" },
		{ "a\x80z", "a\\x80z", "a\\x80z" },
		{ "\xc3", "\\xc3", "\\xc3" },				  /* cut short */
		{ "\xe2\x82", "\\xe2\\x82", "\\xe2\\x82" },		  /* cut short */
		{ "\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf" },		  /* overlong "/" */
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\xe0\\x80\\xaf" }, /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80",
		  "\\xf4\\x90\\x80\\x80" },			  /* too large */
		{ "\xc3\xc3\xa4", "\\xc3\u00e4", "\\xc3\u00e4" }, /* the next one is whole */
	};

	(void)state;
	CHECK_ALL(examples);
}

/* Every byte at every place of a word of eight, against the definition. */
static void quick_look_agrees_for_every_byte_and_place(void **state)
{
	char text[17];

	(void)state;
	for (unsigned int byte = 0; byte < 256; byte++) {
		for (size_t place = 0; place < sizeof(text); place++) {
			size_t plain = byte >= 0x20 && byte < 0x7f && byte != '\\' ? sizeof(text) :
										     place;

			memset(text, byte % 2 ? '~' : ' ', sizeof(text));
			text[place] = (char)byte;
			assert_int_equal(hf_escape_plain(text, sizeof(text)), plain);
		}
	}
}

static void width_is_columns_in_any_locale(void **state)
{
	static const char *const locales[] = { "C", "C.UTF-8" };
	size_t width;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_non_null(setlocale(LC_ALL, locales[i]));
		assert_int_equal(hf_text_width("abc", 3), 3);
		assert_int_equal(hf_text_width("\u00e4\u00f6", 4), 2);
		assert_int_equal(hf_text_width("\u65e5\u672c", 6), 4);
		assert_int_equal(hf_text_width("e\u0301", 3), 1); /* combining accent */
		assert_int_equal(hf_text_fit("\u65e5\u672c", 6, 3, &width), 3);
		assert_int_equal(width, 2);
		assert_int_equal(hf_text_fit("abc", 3, 0, &width), 0);
		assert_int_equal(width, 0);
	}
}

static void text_is_wrapped_between_words_where_that_is_possible(void **state)
{
	static const struct {
		const char *text;
		size_t columns, bytes, width;
	} cases[] = {
		{ "one two", 7, 7, 7 },	 { "one two", 6, 3, 3 }, { "one two", 3, 3, 3 },
		{ "one two", 2, 2, 2 },	 { "onetwo", 4, 4, 4 },	 { "\u00e4\u00f6 two", 4, 4, 2 },
		{ "one two ", 7, 7, 7 }, { "", 4, 0, 0 },
	};
	size_t width;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(hf_text_wrap(cases[i].text, strlen(cases[i].text),
					      cases[i].columns, &width),
				 cases[i].bytes);
		assert_int_equal(width, cases[i].width);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_stays),
		cmocka_unit_test(control_characters_are_shown),
		cmocka_unit_test(backslash_is_doubled),
		cmocka_unit_test(hidden_and_bidirectional_characters_are_shown),
		cmocka_unit_test(invalid_utf8_is_shown_byte_by_byte),
		cmocka_unit_test(quick_look_agrees_for_every_byte_and_place),
		cmocka_unit_test(width_is_columns_in_any_locale),
		cmocka_unit_test(text_is_wrapped_between_words_where_that_is_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
