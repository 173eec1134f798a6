/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/duration.h"

struct unit {
	const char *name;
	uint64_t ms;
};

static const struct unit units[] = {
	/* the largest first; a bare number is seconds, and m is only read */
	{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 },
	{ "ms", 1 },	   { "", 1000 },     { "m", 60000 },
};
enum {
	MINUTE = 2,
	SECOND = 3,
	UNITS = sizeof(units) / sizeof(*units)
};

/*
 * Fractions count in units of 10^-11: that times a day fits 64 bits, and what follows moves a
 * day by less than a microsecond.
 */
#define FRACTION_DIGITS 11
#define FRACTION_ONE 100000000000u

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *read_whole(const char *at, uint64_t *whole)
{
	if (!is_digit(*at))
		return NULL;
	for (*whole = 0; is_digit(*at); at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (*whole > (UINT64_MAX - digit) / 10)
			return NULL;
		*whole = *whole * 10 + digit;
	}
	return at;
}

static const char *read_fraction(const char *at, uint64_t *fraction)
{
	unsigned int digits = 0;

	if (!is_digit(*at))
		return NULL;
	for (*fraction = 0; digits < FRACTION_DIGITS; digits++)
		*fraction = *fraction * 10 + (is_digit(*at) ? (uint64_t)(*at++ - '0') : 0);
	while (is_digit(*at))
		at++;
	return at;
}

static const struct unit *find_unit(const char *name)
{
	for (unsigned int i = 0; i < UNITS; i++) {
		const char *a = name, *b = units[i].name;

		for (; *a && *a == *b; a++)
			b++;
		if (*a == *b)
			return &units[i];
	}
	return NULL;
}

bool hf_duration_parse(const char *text, uint64_t *ms)
{
	uint64_t whole, fraction = 0;
	const struct unit *unit;

	text = read_whole(text, &whole);
	if (text && *text == '.')
		text = read_fraction(text + 1, &fraction);
	unit = text ? find_unit(text) : NULL;
	if (!unit)
		return false;

	fraction = (fraction * unit->ms + FRACTION_ONE / 2) / FRACTION_ONE;
	if (whole > (UINT64_MAX - fraction) / unit->ms)
		return false;
	*ms = whole * unit->ms + fraction;
	return true;
}

static char *write_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	*at = '\0';
	return at;
}

static char *write_number(char *at, uint64_t number)
{
	char digits[20];
	unsigned int n = 0;

	do {
		digits[n++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (n)
		*at++ = digits[--n];
	return at;
}

/* Seconds and thousandths, without zeros at the end: "4.5". */
static char *write_seconds(char *at, uint64_t ms)
{
	uint64_t rest = ms % 1000;

	at = write_number(at, ms / 1000);
	if (rest)
		*at++ = '.';
	for (unsigned int place = 100; rest; place /= 10) {
		*at++ = (char)('0' + rest / place);
		rest %= place;
	}
	return at;
}

/* The unit that can write what is left below `above` without a second one; UNITS if none can. */
static unsigned int single_unit(uint64_t ms, unsigned int above)
{
	unsigned int unit = above + 1;

	while (unit < SECOND && ms < units[unit].ms)
		unit++;
	return unit >= SECOND || ms % units[unit].ms == 0 ? unit : UNITS;
}

static char *write_single(char *at, uint64_t ms, unsigned int unit)
{
	if (unit < SECOND)
		at = write_number(at, ms / units[unit].ms);
	else if (ms % 1000 == 0 || ms > 1000)
		at = write_seconds(at, ms);
	else
		return write_text(write_number(at, ms), "ms");
	return write_text(at, units[unit].name);
}

size_t hf_duration_format(uint64_t ms, char *text)
{
	char *at = text;

	/* The first unit that leaves nothing, or what one smaller unit can write. */
	for (unsigned int unit = 0; unit <= MINUTE; unit++) {
		uint64_t rest = ms % units[unit].ms;

		if (ms < units[unit].ms || (rest && single_unit(rest, unit) == UNITS))
			continue;
		at = write_text(write_number(at, ms / units[unit].ms), units[unit].name);
		if (!rest)
			return (size_t)(at - text);
		at = write_text(at, " ");
		ms = rest;
		return (size_t)(write_single(at, ms, single_unit(ms, unit)) - text);
	}
	return (size_t)(write_single(at, ms, SECOND) - text);
}
