/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sections and keys of a scenario, as tables. */
#ifndef HF_SIM_SCENARIO_KEYS_H
#define HF_SIM_SCENARIO_KEYS_H

#include "sim/scenario_value.h"

#define HF_SCENARIO_SECTIONS 10
#define HF_SCENARIO_KEYS_MAX 24 /* of one section */

struct hf_section {
	const char *name;
	const struct hf_key *keys;
	size_t array, size, count; /* offsets in hf_scenario; size 0: it is the scenario itself */
	const void *start;	   /* what a new one is */
	bool titled;
	bool element; /* stands in the way of flows: no two of whatever kind have one name */
};

extern const struct hf_section hf_scenario_sections[HF_SCENARIO_SECTIONS];

#endif
