/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what a scenario says goes together. */
#ifndef HF_SIM_SCENARIO_CHECK_H
#define HF_SIM_SCENARIO_CHECK_H

#include "sim/scenario.h"

/*
 * 0, or the line of what does not go: what (size bytes) says why, mend what to do. What is left
 * open is filled in.
 */
int hf_scenario_check(struct hf_scenario *scenario, char *what, size_t size, const char **mend);

/* How a keepalive section probes, sides ends being watched; false where its goals cannot be kept. */
bool hf_scenario_probing(const struct hf_keepalive_spec *keepalive, unsigned int sides,
			 uint32_t tick_ms, struct hf_probing *out);

/* Connections of one host of `from` in a flows section; and of all such sections before it. */
uint32_t hf_scenario_per_host(const struct hf_scenario *scenario, uint32_t flows);

#endif
