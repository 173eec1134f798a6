/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the option parsers of this folder share. */
#ifndef HF_CLI_OPTIONS_PARSE_H
#define HF_CLI_OPTIONS_PARSE_H

#include <argp.h>
#include <holdfast/settings.h>
#include <stdint.h>

/* Groups of --help, in this order; 0 is the command's own options. */
enum hf_option_group {
	HF_GROUP_FILTER = 1,
	HF_GROUP_POLICY,
	HF_GROUP_OUTPUT
};

/* Keys of long options that have no short form begin here. */
#define HF_OPTION_KEY 0x100

/*
 * Report what is wrong with the command line and what to try (escaped, as it quotes what was
 * typed), and exit 2. Returns EINVAL where argp may not exit.
 */
error_t hf_option_error(const struct argp_state *state, const char *mend, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Say on stderr what may not be what was meant (not escaped: quotes nothing but safe text). */
void hf_option_warn(const struct argp_state *state, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* An error if this option was there before. Uses state->hook. */
error_t hf_option_once(struct argp_state *state, const struct argp_option *options, int key);

/* Decimal digits only, least..most; else an error that names the option. */
error_t hf_option_number(const struct argp_state *state, const char *option, const char *text,
			 uint32_t least, uint32_t most, uint32_t *out);

/* A duration that hf_duration_parse takes back: "4.5s", "350s". */
#define HF_SECONDS_TEXT 32
const char *hf_option_seconds(uint64_t ms, char *text);

/* The settings that are not 0, as they would be typed, each with a blank before it. */
void hf_option_settings(const struct hf_settings *given, char *text, size_t size);

#endif
