/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a simulated run came to, for people and for programs. */
#ifndef HF_CLI_SIMULATION_H
#define HF_CLI_SIMULATION_H

#include <stdio.h>

#include "sim/result.h"

/* On standard output, as holdfast(1) describes; nothing in it is of the wall clock. */
void hf_simulation_text(const struct hf_result *result);
void hf_simulation_json(const struct hf_result *result);

/* As SVG. */
void hf_simulation_plot(const struct hf_result *result, FILE *out);

/* Tell on stderr what is not as the scenario expects; how many that are. */
unsigned int hf_simulation_unmet(const struct hf_result *result, const char *file);

#endif
