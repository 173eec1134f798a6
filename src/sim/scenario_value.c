/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/scenario_value.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/duration.h"

#define NUMBER_MAX 32 /* characters */

/* --- Names --- */

struct names { /* of sections of one kind */
	const char *first;
	size_t size;
	uint32_t count;
};

static struct names names_of(const struct hf_scenario *scenario, enum hf_value_kind kind)
{
	switch (kind) {
	case HF_VALUE_HOSTS:
		return (struct names){ scenario->host[0].name, sizeof(scenario->host[0]),
				       scenario->hosts_count };
	case HF_VALUE_LINK:
		return (struct names){ scenario->link[0].name, sizeof(scenario->link[0]),
				       scenario->links };
	case HF_VALUE_NAT:
		return (struct names){ scenario->nat[0].name, sizeof(scenario->nat[0]),
				       scenario->nats };
	case HF_VALUE_GATEWAY:
		return (struct names){ scenario->gateway[0].name, sizeof(scenario->gateway[0]),
				       scenario->gateways };
	default:
		return (struct names){ scenario->keepalive[0].name, sizeof(scenario->keepalive[0]),
				       scenario->keepalives };
	}
}

uint32_t hf_scenario_find(const struct hf_scenario *scenario, enum hf_value_kind kind,
			  const char *name)
{
	struct names names = names_of(scenario, kind);

	for (uint32_t i = 0; i < names.count; i++)
		if (!strcmp(names.first + i * names.size, name))
			return i;
	return HF_NONE;
}

static const enum hf_value_kind element_kinds[] = {
	[HF_LINK] = HF_VALUE_LINK,
	[HF_NAT] = HF_VALUE_NAT,
	[HF_GATEWAY] = HF_VALUE_GATEWAY,
};

bool hf_scenario_element(const struct hf_scenario *scenario, const char *name,
			 struct hf_element *out)
{
	for (unsigned int kind = HF_LINK; kind <= HF_GATEWAY; kind++) {
		uint32_t index = hf_scenario_find(scenario, element_kinds[kind], name);

		if (index == HF_NONE)
			continue;
		*out = (struct hf_element){ .kind = (uint8_t)kind, .index = index };
		return true;
	}
	return false;
}

static void list_names(const struct hf_scenario *scenario, enum hf_value_kind kind, char *mend)
{
	struct names names = names_of(scenario, kind);

	for (uint32_t i = 0; i < names.count; i++) {
		size_t length = strlen(mend);

		snprintf(mend + length, HF_MEND - length, "%s%s", length ? ", " : "",
			 names.first + i * names.size);
	}
}

static const char *read_name(const struct hf_scenario *scenario, enum hf_value_kind kind,
			     const char *text, uint32_t *out, char *mend)
{
	uint32_t index = hf_scenario_find(scenario, kind, text);

	if (index == HF_NONE) {
		list_names(scenario, kind, mend);
		return "is not the name of such a section";
	}
	*out = index;
	return NULL;
}

static const char *read_via(const struct hf_scenario *scenario, const char *text,
			    struct hf_path *via, char *mend)
{
	if (via->count == HF_VIA_MAX) {
		snprintf(mend, HF_MEND, "at most %d", HF_VIA_MAX);
		return "is one too many on the way";
	}
	if (!hf_scenario_element(scenario, text, &via->element[via->count])) {
		list_names(scenario, HF_VALUE_LINK, mend);
		list_names(scenario, HF_VALUE_NAT, mend);
		list_names(scenario, HF_VALUE_GATEWAY, mend);
		return "is no link, nat, firewall or gateway";
	}
	via->count++;
	return NULL;
}

/* --- Numbers --- */

static bool read_double(const char *text, size_t length, double *out)
{
	char copy[NUMBER_MAX], *end;

	if (!length || length >= sizeof(copy) || strspn(text, "0123456789.") < length)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*out = strtod(copy, &end);
	return !*end;
}

static const char *read_number(const struct hf_key *key, const char *text, double *out, char *mend)
{
	double number;

	snprintf(mend, HF_MEND, "a whole number from %.0f to %.0f", key->least, key->most);
	if (!read_double(text, strlen(text), &number) || number != floor(number))
		return "is not a number";
	if (number < key->least || number > key->most)
		return "is out of range";
	*out = number;
	return NULL;
}

static void range_of_durations(const struct hf_key *key, double per_ms, char *mend)
{
	char least[HF_DURATION_TEXT], most[HF_DURATION_TEXT];

	hf_duration_format((uint64_t)ceil(key->least / per_ms), least);
	hf_duration_format((uint64_t)(key->most / per_ms), most);
	snprintf(mend, HF_MEND, "a duration from %s to %s, such as 500ms, 30s, 5min, 2h", least,
		 most);
}

/* Fractions of a millisecond are worth having here: 0.2ms is the way across a room. */
static bool read_microseconds(const char *text, uint64_t *out)
{
	size_t length = strlen(text);
	double number;

	if (length > 2 && !strcmp(text + length - 2, "ms") &&
	    read_double(text, length - 2, &number) && number < 1e9) {
		*out = (uint64_t)llround(number * 1000);
		return true;
	}
	if (!hf_duration_parse(text, out) || *out > UINT32_MAX)
		return false;
	*out *= 1000;
	return true;
}

static const char *read_duration(const struct hf_key *key, const char *text, uint32_t *out,
				 char *mend)
{
	bool micro = key->kind == HF_VALUE_MICROSECONDS;
	uint64_t value;

	range_of_durations(key, micro ? 1000 : 1, mend);
	if (!(micro ? read_microseconds(text, &value) : hf_duration_parse(text, &value)))
		return "is not a duration";
	if ((double)value < key->least || (double)value > key->most)
		return "is out of range";
	*out = (uint32_t)value;
	return NULL;
}

static const char *read_fraction(const struct hf_key *key, const char *text, double *out,
				 char *mend)
{
	size_t length = strlen(text);
	bool percent = length && text[length - 1] == '%';
	double number;

	snprintf(mend, HF_MEND, "a fraction from %g to %g, such as 0.01 or 1%%", key->least,
		 key->most);
	if (!read_double(text, length - percent, &number))
		return "is not a fraction";
	if (percent)
		number /= 100;
	if (number < key->least || number > key->most)
		return "is out of range";
	*out = number;
	return NULL;
}

static const char *read_range(const char *text, struct hf_range *out, char *mend)
{
	const char *dots = strstr(text, ".."), *second = dots ? dots + 2 : text;
	struct hf_range range = { .least = 0, .most = INFINITY };
	bool right = !dots || dots == text ||
		     read_double(text, (size_t)(dots - text), &range.least);

	if (!dots || *second)
		right = right && read_double(second, strlen(second), &range.most);
	if (!dots)
		range.least = range.most;
	if (!right || range.least > range.most || !strcmp(text, "..")) {
		snprintf(mend, HF_MEND, "a number or a range: 5, 1.., ..5, 1..5");
		return "is not what can be expected";
	}
	out->least = range.least;
	out->most = range.most;
	return NULL;
}

/* --- Words --- */

static const char *read_word(const char *words, const char *text, uint32_t *out, char *mend)
{
	size_t length = strlen(text);
	uint32_t place = 0;

	for (const char *word = words; *word; place++) {
		size_t end = strcspn(word, " ");

		if (end == length && !memcmp(word, text, end)) {
			*out = place;
			return NULL;
		}
		word += end + (word[end] == ' ');
	}
	snprintf(mend, HF_MEND, "one of %s", words);
	return "is not known here";
}

static const char *read_text(const struct hf_key *key, const char *text, char *out, char *mend)
{
	size_t size = (size_t)key->most;

	if (strlen(text) >= size) {
		snprintf(mend, HF_MEND, "at most %zu bytes", size - 1);
		return "is too long";
	}
	strcpy(out, text);
	return NULL;
}

static const char *read_network(const char *text, struct hf_prefix *out, char *mend)
{
	snprintf(mend, HF_MEND, "a prefix such as 10.0.0.0/8 or 2001:db8::/64");
	if (hf_prefix_parse(text, out) && !out->port_first && out->port_last == UINT16_MAX)
		return NULL;
	return "is not a network";
}

const char *hf_value_read(const struct hf_scenario *scenario, const struct hf_key *key,
			  const char *text, void *place, char *mend)
{
	const char *wrong;
	uint32_t word;
	double number;

	*mend = '\0';
	switch (key->kind) {
	case HF_VALUE_TEXT:
		return read_text(key, text, place, mend);
	case HF_VALUE_MILLISECONDS:
	case HF_VALUE_MICROSECONDS:
		return read_duration(key, text, place, mend);
	case HF_VALUE_NUMBER:
		wrong = read_number(key, text, &number, mend);
		if (!wrong)
			*(uint32_t *)place = (uint32_t)number;
		return wrong;
	case HF_VALUE_SMALL:
		wrong = read_number(key, text, &number, mend);
		if (!wrong)
			*(uint8_t *)place = (uint8_t)number;
		return wrong;
	case HF_VALUE_FRACTION:
		return read_fraction(key, text, place, mend);
	case HF_VALUE_WORD:
		return read_word(key->words, text, place, mend);
	case HF_VALUE_SWITCH:
		wrong = read_word("no yes", text, &word, mend);
		if (!wrong)
			*(bool *)place = word;
		return wrong;
	case HF_VALUE_NETWORK:
		return read_network(text, place, mend);
	case HF_VALUE_RANGE:
		return read_range(text, place, mend);
	case HF_VALUE_VIA:
		return read_via(scenario, text, place, mend);
	default:
		return read_name(scenario, key->kind, text, place, mend);
	}
}
