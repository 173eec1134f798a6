/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/escape.h"
#include "cli/options_parse.h"

#define MESSAGE 512

error_t hf_option_error(const struct argp_state *state, const char *mend, const char *format, ...)
{
	char message[MESSAGE], escaped[HF_ESCAPED(MESSAGE)];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	hf_escape(message, strlen(message), escaped);
	argp_error(state, "%s; try: %s", escaped, mend);
	return EINVAL;
}

void hf_option_warn(const struct argp_state *state, const char *format, ...)
{
	va_list arguments;

	fprintf(state->err_stream, "%s: ", state->name);
	va_start(arguments, format);
	vfprintf(state->err_stream, format, arguments);
	va_end(arguments);
	fputc('\n', state->err_stream);
}

error_t hf_option_once(struct argp_state *state, const struct argp_option *options, int key)
{
	unsigned int index = 0;
	uintptr_t seen = (uintptr_t)state->hook, bit;

	while (options[index].key != key)
		index++;
	bit = (uintptr_t)1 << index;
	if (seen & bit) {
		if (options[index].name)
			return hf_option_error(state, "only one of them", "--%s is given twice",
					       options[index].name);
		return hf_option_error(state, "only one of them", "-%c is given twice", key);
	}
	state->hook = (void *)(seen | bit);
	return 0;
}

error_t hf_option_number(const struct argp_state *state, const char *option, const char *text,
			 uint32_t least, uint32_t most, uint32_t *out)
{
	unsigned long long number;
	char mend[64];

	errno = 0;
	number = strtoull(text, NULL, 10);
	if (!*text || text[strspn(text, "0123456789")] || errno || number < least ||
	    number > most) {
		snprintf(mend, sizeof(mend), "%s with a number from %u to %u", option, least, most);
		return hf_option_error(state, mend, "%s \"%s\" is not possible", option, text);
	}
	*out = (uint32_t)number;
	return 0;
}

const char *hf_option_seconds(uint64_t ms, char *text)
{
	int end = snprintf(text, HF_SECONDS_TEXT, "%llu.%03llu", (unsigned long long)ms / 1000,
			   (unsigned long long)ms % 1000);

	while (text[end - 1] == '0')
		end--;
	if (text[end - 1] == '.')
		end--;
	text[end] = 's';
	text[end + 1] = '\0';
	return text;
}

enum {
	JSON = HF_OPTION_KEY
};

static const struct argp_option output_options[] = {
	{ .doc = "Output:", .group = HF_GROUP_OUTPUT },
	{ "json", JSON, 0, 0, "JSON Lines: one object a line", 0 },
	{ 0 },
};

static error_t parse_output(int key, char *argument, struct argp_state *state)
{
	struct hf_output_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		*options = (struct hf_output_options){ 0 };
		return 0;
	case JSON:
		options->json = true;
		return hf_option_once(state, output_options, key);
	case ARGP_KEY_ARG: /* the command itself had no use for it */
		return hf_option_error(state, "without it", "unexpected argument \"%s\"", argument);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp hf_output_argp = { .options = output_options, .parser = parse_output };

const struct argp_child hf_output_children[] = { { &hf_output_argp, 0, NULL, 0 }, { 0 } };

error_t hf_output_parse(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}
