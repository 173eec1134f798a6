/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What may stand behind a scenario's key, and how it is read into a struct. */
#ifndef HF_SIM_SCENARIO_VALUE_H
#define HF_SIM_SCENARIO_VALUE_H

#include "sim/scenario.h"

enum hf_value_kind {
	HF_VALUE_TEXT,	       /* char[], most: its size */
	HF_VALUE_MILLISECONDS, /* uint32_t: a duration from least to most ms */
	HF_VALUE_MICROSECONDS, /* uint32_t: a duration from least to most us, whole ms or not */
	HF_VALUE_NUMBER,       /* uint32_t */
	HF_VALUE_SMALL,	       /* uint8_t */
	HF_VALUE_FRACTION,     /* double: 0.01 or 1%, least to most */
	HF_VALUE_WORD,	       /* uint32_t: the place of one of words */
	HF_VALUE_SWITCH,       /* bool: yes or no */
	HF_VALUE_NETWORK,      /* struct hf_prefix */
	HF_VALUE_RANGE,	       /* struct hf_range: 5, 1.., ..5, 1..5 */
	HF_VALUE_HOSTS,	       /* uint32_t: index of the hosts so named */
	HF_VALUE_LINK,
	HF_VALUE_NAT,
	HF_VALUE_GATEWAY,
	HF_VALUE_KEEPALIVE,
	HF_VALUE_VIA, /* struct hf_path: one more element */
};

struct hf_key {
	const char *name;
	const char *words;  /* "constant uniform normal" */
	size_t offset;	    /* in the section's struct */
	double least, most; /* in the value's unit */
	enum hf_value_kind kind;
	bool required;
};

/* The index of a name, HF_NONE if there is none; kind: HF_VALUE_HOSTS to HF_VALUE_KEEPALIVE. */
uint32_t hf_scenario_find(const struct hf_scenario *scenario, enum hf_value_kind kind,
			  const char *name);

/* A link, NAT or gateway by its name; false if there is none. */
bool hf_scenario_element(const struct hf_scenario *scenario, const char *name,
			 struct hf_element *out);

/*
 * Read text into place. NULL, or what is wrong with it, in words that follow `key = "text"`;
 * mend has HF_MEND bytes for what to write instead.
 */
#define HF_MEND 200
const char *hf_value_read(const struct hf_scenario *scenario, const struct hf_key *key,
			  const char *text, void *place, char *mend);

#endif
